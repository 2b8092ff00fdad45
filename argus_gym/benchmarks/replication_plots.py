"""The five published figures over many seeds, with the published runs marked where known."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from argus_gym.benchmarks.replication_figures import BAND
from argus_gym.report.style import GREY, INK, PALE, bare, legend, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plots"]

Published = Sequence[Mapping[str, Any]]
Draw = Callable[["Axes", Mapping[str, Any], int, Published], None]

SCALES = ((0, 1), (0, 0.5), (0, 4 / 3), (0, 1), (0, 4), (-10, 10))
"""Ends of the fingerprint's axes, as in the report."""


def plots(result: Mapping[str, Any]) -> "dict[str, Figure]":
    """Return the figures by name.

    Raises:
        ModuleNotFoundError: If matplotlib is not installed.
    """
    return {
        "external": _panels(result, _external, sharex=True),
        "inversion": _panels(result, _inversion, sharey=True),
        "easy_hard": _panels(result, _easy_hard, sharey=True),
        "fingerprint": _fingerprint(result),
        "events_external": _panels(result, _events, sharey=True, sharex=True),
    }


def _panels(
    result: Mapping[str, Any], draw: Draw, *, sharex: bool = False, sharey: bool = False
) -> "Figure":
    """Return one figure with axes for each arm."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.6, 6.4), layout="constrained")
    axes = figure.subplots(2, 2, sharex=sharex, sharey=sharey).flat
    for index, (ax, arm) in enumerate(zip(axes, result["arms"])):
        bare(ax)
        published = [row for row in result["published"] if row["arm"] == arm]
        draw(ax, result["arms"][arm], index, published)
        ax.set_title(f"{arm}, n = {result['arms'][arm]['n']}", fontsize=9, loc="left")
    return figure


def _external(ax: "Axes", figures: Mapping[str, Any], index: int, published: Published) -> None:
    """Draw the distribution of measured and true change against the noise band."""
    ax.axvspan(-BAND, BAND, facecolor=PALE, zorder=0)
    bins = [3 * at - 22.5 for at in range(16)]
    columns = figures["columns"]
    colour = look(index)["color"]
    ax.hist(columns["one"], bins, color=colour, alpha=0.35, label="measured")
    ax.hist(columns["true"], bins, color=colour, histtype="step", linewidth=1.4, label="true")
    top = ax.get_ylim()[1]
    for at, row in enumerate(published):
        height = (0.97 - 0.09 * at) * top
        ax.axvline(row["delta"], color=INK, linewidth=1, linestyle="--")
        ax.text(
            row["delta"] + 0.5,
            height,
            f"{row['run']} {row['delta']:+.1f}",
            fontsize=7,
            color=INK,
            va="top",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5},
        )
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.set_xlim(-22.5, 22.5)
    ax.set_xlabel(f"change of pass@1, points; grey: ±{BAND}", fontsize=8)
    ax.set_ylabel("runs", fontsize=8)
    ax.legend(frameon=False, fontsize=7, loc="center left")


def _inversion(ax: "Axes", figures: Mapping[str, Any], index: int, published: Published) -> None:
    """Draw a line for each run from in-loop change over measured to true change."""
    columns = figures["columns"]
    for change in zip(columns["reward"], columns["one"], columns["true"], strict=True):
        inverted = change[0] > 0 > change[2]
        ax.plot(
            [0, 1, 2],
            change,
            color=look(2)["color"] if inverted else GREY,
            linewidth=0.5,
            alpha=0.5 if inverted else 0.25,
        )
    for row in published:
        if "reward" in row:
            ax.plot([0, 1], [row["reward"], row["delta"]], color=INK, marker="o", linewidth=1.4)
            ax.text(1.04, row["delta"], row["run"], fontsize=7, color=INK, va="center")
    found = figures["inversion"]["true"]
    ax.text(
        0.98,
        0.97,
        f"truth down (orange): {found['count']} of {found['n']}",
        transform=ax.transAxes,
        fontsize=8,
        color=INK,
        ha="right",
        va="top",
    )
    ax.axhline(0, color=INK, linewidth=0.8)
    ax.set_xticks([0, 1, 2], ["in-loop\nreward", "measured\npass@1", "true\npass@1"])
    ax.set_ylabel("change, points", fontsize=8)


def _easy_hard(ax: "Axes", figures: Mapping[str, Any], index: int, published: Published) -> None:
    """Draw easy problems per hard one by round, and how many runs were defended then."""
    band = figures["easy_hard"]
    x = range(len(band["median"]))
    colour = look(index)["color"]
    ax.set_yscale("log")
    ax.fill_between(x, band["low"], band["high"], color=colour, alpha=0.15, linewidth=0)
    ax.plot(x, band["median"], color=colour, marker="o", markersize=3, linewidth=1.4)
    for row in published:
        if "ratios" in row and any(row["ratios"]):
            ratios = [math.nan if ratio is None else ratio for ratio in row["ratios"]]
            ax.plot(range(len(ratios)), ratios, color=INK, linewidth=1, linestyle="--")
            ax.text(len(ratios) - 1, ratios[-1], row["run"], fontsize=7, color=INK, ha="right")
    ax.axhline(1, color=INK, linewidth=0.8)
    ax.set_xticks(range(0, len(x), 2))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.set_ylabel("easy / hard, median and 90 %", fontsize=8)
    ax.set_xlabel("round", fontsize=8)
    defended = ax.twinx()
    defended.bar(x, [100 * s for s in figures["in_force"]], color=GREY, alpha=0.35, width=0.8)
    defended.set_ylim(0, 100)
    defended.set_ylabel("bars: runs with a defence in force, %", fontsize=7, color=GREY)
    defended.tick_params(colors=GREY, labelsize=7, length=3)
    defended.spines[["top"]].set_visible(False)


def _events(ax: "Axes", figures: Mapping[str, Any], index: int, published: Published) -> None:
    """Draw each run's number of defensive events against its measured and true change."""
    columns = figures["columns"]
    style = look(index) | {"linestyle": "", "markersize": 3}
    ax.plot(columns["events"], columns["one"], **style, alpha=0.3, label="measured")
    ax.plot(columns["events"], columns["true"], **style | {"marker": "x"}, label="true")
    for row in published:
        if "events" in row:
            ax.plot([row["events"]], [row["delta"]], linestyle="", marker="*", color=INK)
            ax.text(row["events"] + 0.5, row["delta"], row["run"], fontsize=7, color=INK)
    ax.axhline(0, color=INK, linewidth=0.8)
    ax.axhspan(-BAND, BAND, facecolor=PALE, alpha=0.6, zorder=0)
    ax.set_xlabel("defensive events", fontsize=8)
    ax.set_ylabel("change of pass@1, points", fontsize=8)
    ax.legend(frameon=False, fontsize=7, loc="lower right")


def _fingerprint(result: Mapping[str, Any]) -> "Figure":
    """Return one figure with the six axes: median and 90 % of the runs of every arm."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.6, 4.6), layout="constrained")
    ax = figure.subplots()
    bare(ax)
    ax.grid(False)
    arms = result["arms"]
    axes = list(next(iter(arms.values()))["fingerprint"])
    for index, (arm, figures) in enumerate(arms.items()):
        shift = 0.16 * (index - (len(arms) - 1) / 2)
        rows = zip(figures["fingerprint"].values(), SCALES, strict=True)
        spans = [[_place(q[at], scale) for at in ("5", "50", "95")] for q, scale in rows]
        for row, (low, _, high) in enumerate(spans):
            ax.plot([low, high], [row + shift] * 2, color=look(index)["color"], linewidth=2)
        ys = [row + shift for row in range(len(axes))]
        ax.plot([s[1] for s in spans], ys, linestyle="", markersize=5, label=arm, **look(index))
    for row, (low, high) in enumerate(SCALES):
        for x, end, side in ((-0.02, low, "right"), (1.02, high, "left")):
            text = format(end, "+.0f" if low < 0 else ".3g")
            ax.text(x, row, text, ha=side, va="center", fontsize=7, color=INK)
    ax.set_yticks(range(len(axes)), [name.replace(" (", "\n(") for name in axes])
    ax.set_ylim(len(axes) - 0.4, -0.6)
    ax.set_xlim(-0.08, 1.08)
    ax.set_xticks([])
    ax.spines[["left", "bottom"]].set_visible(False)
    legend(ax)
    return figure


def _place(value: float, scale: tuple[float, float]) -> float:
    return min(max((value - scale[0]) / (scale[1] - scale[0]), 0.0), 1.0)
