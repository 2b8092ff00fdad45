"""Colours, marks and small helpers that the figures share.

Only colours of the Okabe-Ito palette with a contrast of at least 3:1 on white carry a line or a
mark, and none carries meaning alone: shape, hatch or a written label says the same.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from argus_gym.report.markup import label
from argus_gym.report.measures import Estimate
from argus_gym.report.source import ReportRun

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["BLUE", "GREEN", "GREY", "INK", "PALE", "SKY", "VERMILLION"]

INK, GREY, PALE = "#232328", "#6a6a70", "#e4e4e8"
BLUE, SKY, GREEN, VERMILLION = "#0072b2", "#56b4e9", "#009e73", "#d55e00"
COLOURS, MARKS = (INK, BLUE, VERMILLION, GREEN), "osD^vPX"


def look(index: int) -> dict[str, Any]:
    """Return colour and mark of a run, different for the first 28."""
    return {"color": COLOURS[index % len(COLOURS)], "marker": MARKS[index % len(MARKS)]}


def title(run: ReportRun) -> str:
    """Return a run's name for a figure, with its seed and stack."""
    config = run.data.config
    words = (label(run.name), f"seed {label(config.get('seed'), 12)}")
    return ", ".join((*words, label(config.get("stack"), 20)))


def bare(ax: "Axes") -> None:
    """Take away what is not read, and let the grid stand behind the data."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GREY)
    ax.tick_params(colors=INK, labelsize=8, length=3)
    ax.set_axisbelow(True)
    ax.grid(True, color=PALE, linewidth=0.6)


def round_axis(ax: "Axes", run: ReportRun) -> None:
    """Give the axes one tick a round, or fewer where there are many."""
    n = len(run.rounds)
    ax.set_xlim(-0.6, n - 0.4)
    ax.set_xticks(range(0, n, max(1, math.ceil(n / 16))))


def band(ax: "Axes", estimates: Sequence[Estimate], colour: str, name: str, mark: str) -> None:
    """Draw a series over rounds with its intervals as a band; a gap where nothing was measured."""
    x = range(len(estimates))
    ax.fill_between(
        x,
        [e.low for e in estimates],
        [e.high for e in estimates],
        color=colour,
        alpha=0.15,
        linewidth=0,
    )
    line(ax, [e.value for e in estimates], colour, name, mark)


def line(ax: "Axes", values: Sequence[float], colour: str, name: str, mark: str) -> None:
    """Draw a series over rounds; say so where nothing was measured."""
    measured = any(map(math.isfinite, values))
    ax.plot(
        range(len(values)),
        values,
        color=colour,
        marker=mark,
        markersize=4,
        linewidth=1.4,
        label=name if measured else f"{name}: not measured",
    )


def legend(ax: "Axes", columns: int = 4, markerscale: float = 1) -> None:
    """Put the legend above the axes."""
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=columns,
        markerscale=markerscale,
        frameon=False,
        fontsize=8,
        borderaxespad=0.2,
        handlelength=1.8,
        columnspacing=1.4,
    )


def spread(values: Sequence[float], gap: float) -> list[float]:
    """Return places near ``values``, at least ``gap`` apart, for labels that must not overlap."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    places = [values[i] for i in order]
    for _ in range(100):
        moved = False
        for i in range(1, len(places)):
            short = gap - (places[i] - places[i - 1])
            if short > 1e-9:
                places[i - 1] -= short / 2
                places[i] += short / 2
                moved = True
        if not moved:
            break
    back = dict(zip(order, places))
    return [back[i] for i in range(len(values))]
