"""The plots of ``bench lies``; they need matplotlib (extra ``report``)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from argus_gym.benchmarks.lies_figures import is_main

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plots"]

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#777777"
STACK_MARKS = {"v3.4": ("s", GREY), "v3.5": ("^", ORANGE), "v4": ("o", BLUE)}


def plots(result: Mapping[str, Any]) -> "dict[str, Figure]":
    """Return detection by stack, AMOC curves and the diagnosis' confusion, by name."""
    cells = [c for c in result["cells"] if c["kind"] == "planted" and is_main(c) and "stacks" in c]
    cells.sort(key=lambda cell: str(cell["lie"]))
    if not cells:
        return {}
    return {
        "detection": _detection(cells, result["stacks"]),
        "amoc": _amoc([cell for cell in cells if "amoc" in cell]),
        "confusion": _confusion(cells),
    }


def _detection(cells: list[Any], stacks: list[str]) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 0.42 * len(cells) + 1.2), layout="constrained")
    ax = figure.add_subplot()
    for offset, stack in enumerate(stacks):
        mark, colour = STACK_MARKS[stack]
        shift = 0.22 * (offset - (len(stacks) - 1) / 2)
        for row, cell in enumerate(cells):
            found = cell["stacks"][stack]["any"]["3"]
            ax.plot([100 * found["low"], 100 * found["high"]], [row + shift] * 2, color=colour)
            ax.plot(
                100 * found["share"],
                row + shift,
                mark,
                color=colour,
                label=stack if row == 0 else None,
            )
    ax.set_yticks(range(len(cells)), [f"{cell['lie']}  {cell['world']}" for cell in cells])
    ax.invert_yaxis()
    ax.set_xlim(-2, 102)
    ax.set_xlabel("runs with any alarm within 3 rounds of the onset, % (95 % Wilson intervals)")
    ax.grid(axis="x", color="#dddddd")
    figure.legend(loc="outside upper right", ncols=len(stacks), frameon=False)
    return figure


def _amoc(cells: list[Any]) -> "Figure":
    from matplotlib.figure import Figure

    columns = 4
    rows = -(-len(cells) // columns)
    figure = Figure(figsize=(10, 2.1 * rows + 0.6), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for ax in axes.flat[len(cells) :]:
        ax.set_axis_off()
    for ax, cell in zip(axes.flat, cells, strict=False):
        for who, colour, style in (("typed", BLUE, "o-"), ("generic", ORANGE, "s--")):
            points = cell["amoc"][who]
            rates, delays = ([100 * p["rate"] for p in points], [p["delay"] for p in points])
            ax.plot(rates, delays, style, color=colour, markersize=3)
        ax.set_title(f"{cell['lie']}: {cell['world']}", fontsize=9)
        ax.text(
            0.97,
            0.95,
            cell["duel"]["generic"],
            fontsize=7,
            color=ORANGE,
            ha="right",
            va="top",
            transform=ax.transAxes,
        )
        ax.set_xscale("symlog", linthresh=1)
        ax.set_xticks([0, 1, 5, 20, 50], ["0", "1", "5", "20", "50"])
        ax.set_ylim(-0.2, 6.2)
        ax.grid(color="#eeeeee")
    figure.supxlabel("false alarms in 100 quiet runs", fontsize=9)
    figure.supylabel("mean delay in rounds (6: later or never)", fontsize=9)
    figure.suptitle("blue: the lie's own detector; orange: the best generic alarm", fontsize=9)
    return figure


def _confusion(cells: list[Any]) -> "Figure":
    from matplotlib.figure import Figure

    names = sorted({name for cell in cells for name in cell["named"]})
    figure = Figure(figsize=(0.45 * len(names) + 2, 0.42 * len(cells) + 1.2), layout="constrained")
    ax = figure.add_subplot()
    shares = [
        [100 * cell["named"].get(name, 0) / max(sum(cell["named"].values()), 1) for name in names]
        for cell in cells
    ]
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    for row, values in enumerate(shares):
        for column, value in enumerate(values):
            if round(value):
                colour = "white" if value > 55 else "black"
                ax.text(column, row, f"{value:.0f}", ha="center", va="center", color=colour)
    ax.set_xticks(range(len(names)), names)
    ax.set_yticks(range(len(cells)), [f"{cell['lie']}  {cell['world']}" for cell in cells])
    ax.set_xlabel("named at the first alarm, % of the alarms")
    return figure
