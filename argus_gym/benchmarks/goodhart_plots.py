"""The plots of ``bench goodhart``; they need matplotlib (extra ``report``)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plots"]

LOOKS = {
    "consensus": ("#D55E00", "o", "-"),
    "consensus, gated": ("#E69F00", "s", "--"),
    "anchor": ("#0072B2", "^", "-"),
    "oracle": ("#009E73", "D", ":"),
}
GREY = "#777777"


def plots(result: Mapping[str, Any]) -> "dict[str, Figure]":
    """Return training curves and the comparison on fresh learners, by name."""
    shown = [row for row in result["arms"] if row["world"] == "shallow"]
    if not shown:
        return {}
    return {"goodhart": _curves(shown), "goodhart_fresh": _fresh(shown)}


def _curves(rows: list[Any]) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    for row in rows:
        colour, _, style = LOOKS[row["arm"]]
        x = [point["steps"] / 1000 for point in row["curve"]]
        for ax, name in ((left, "reward"), (right, "change")):
            if ax is left and not row["arm"].startswith("consensus"):
                continue
            mean, low, high = (
                [point[name][part] for point in row["curve"]] for part in ("mean", "low", "high")
            )
            ax.plot(x, mean, style, color=colour, label=row["arm"])
            ax.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
    uniform = rows[0]
    for ax, name in ((left, "uniform_reward"), (right, "uniform_change")):
        ax.axhline(uniform[name]["mean"], color=GREY, linewidth=1, linestyle=(0, (1, 2)))
        ax.text(
            0.99,
            uniform[name]["mean"],
            "uniform",
            color=GREY,
            ha="right",
            va="top",
            fontsize=8,
            transform=ax.get_yaxis_transform(),
        )
        ax.set_xlabel("thousand steps of training")
        ax.grid(color="#eeeeee")
    right.axhline(0, color="#333333", linewidth=0.8)
    left.set_title("consensus reward a step", fontsize=10)
    right.set_title("change of true accuracy in a run", fontsize=10)
    handles, labels = right.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=9
    )
    return figure


def _fresh(rows: list[Any]) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.2, 1))
    for row in rows:
        if not row["arm"].startswith("consensus"):
            continue
        colour, mark, _ = LOOKS[row["arm"]]
        x, y = zip(*row["each"], strict=True)
        left.plot(x, y, mark, color=colour, label=row["arm"], markersize=5, alpha=0.8)
    left.axhline(0, color=GREY, linewidth=0.8)
    left.axvline(0, color=GREY, linewidth=0.8)
    left.set_xlabel("reward a step, over uniform")
    left.set_ylabel("final true accuracy, over uniform")
    left.set_title("paid by consensus: a dot a seed", fontsize=10)
    left.legend(frameon=False, fontsize=9)
    for at, row in enumerate(rows):
        colour, mark, _ = LOOKS[row["arm"]]
        found = row["accuracy_gain"]
        right.plot([found["low"], found["high"]], [at, at], color=colour)
        right.plot(found["mean"], at, mark, color=colour)
    right.axvline(0, color=GREY, linewidth=0.8)
    right.set_yticks(range(len(rows)), [row["arm"] for row in rows])
    right.invert_yaxis()
    right.set_xlabel("final true accuracy, over uniform [95 %]")
    for ax in (left, right):
        ax.grid(color="#eeeeee")
    return figure
