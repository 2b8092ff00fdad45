"""The plots of ``bench llm``; they need matplotlib (extra ``report``)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plots"]

BLUE, GREEN, ORANGE, GREY, BLACK = "#0072B2", "#009E73", "#D55E00", "#777777", "#000000"
NAMES = {"^": "alarms (size: how many)", "x": "refused steps"}
COLUMNS = 3


def plots(result: Mapping[str, Any]) -> "dict[str, Figure]":
    """Return the learners' courses and the gates', by name."""
    gated = [a for a in result["arms"] if a["decisions"]]
    free = [a for a in result["arms"] if not a["decisions"]]
    found = {"llm": free, "llm_gates": gated}
    return {name: _courses(arms) for name, arms in found.items() if arms}


def _courses(arms: Sequence[Mapping[str, Any]]) -> "Figure":
    """Draw an arm a panel: accuracy with its interval, reward, and the alarms along the bottom."""
    from matplotlib.figure import Figure

    rows = -(-len(arms) // COLUMNS)
    figure = Figure(figsize=(10, 2.7 * rows + 0.7), layout="constrained")
    axes = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False)
    for ax in axes.flat[len(arms) :]:
        ax.set_axis_off()
    for ax, arm in zip(axes.flat, arms, strict=False):
        _panel(ax, arm)
    lines, names = axes.flat[0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside upper center", ncols=len(names), frameon=False)
    figure.supxlabel("learning steps", fontsize=9)
    figure.supylabel("%", fontsize=9)
    return figure


def _panel(ax: "Axes", arm: Mapping[str, Any]) -> None:
    steps = arm["evaluated"]
    for name, label, colour in (
        ("pass_1", "held-out pass@1", BLUE),
        ("pass_16", "held-out pass@16", GREEN),
    ):
        ax.plot(steps, _percent(arm[name]), "o-", color=colour, markersize=3, label=label)
        low, high = ([100 * x[side] for x in arm[name]] for side in ("low", "high"))
        ax.fill_between(steps, low, high, color=colour, alpha=0.15, linewidth=0)
    reward = arm["by_round"]["reward"]
    rounds = range(1, len(reward) + 1)
    ax.plot(rounds, _percent(reward), "--", color=ORANGE, label="reward inside the loop")
    _marks(ax, [at for runs in arm["fired"].values() for run in runs for at in run], 3, "^", GREY)
    _marks(ax, [at for run in arm["refused"] for at in run], 10, "x", BLACK)
    ax.set_title(f"{arm['arm']} ({arm['n']} runs)", fontsize=9)
    ax.set_ylim(0, 100)
    ax.grid(color="#eeeeee")


def _percent(series: Sequence[Mapping[str, float]]) -> list[float]:
    return [100 * x["mean"] for x in series]


def _marks(ax: "Axes", rounds: Sequence[int], height: float, marker: str, colour: str) -> None:
    """Mark rounds, from 0, at the learning steps that ended them."""
    counts = Counter(rounds)
    ax.scatter(
        [at + 1 for at in counts],
        [height] * len(counts),
        [9 * n for n in counts.values()],
        marker=marker,
        color=colour,
        linewidths=0.8,
        zorder=3,
        label=NAMES[marker],
    )
