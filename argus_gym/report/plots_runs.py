"""Figures that hold several runs, as functions on matplotlib axes."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from argus_gym.comparison import defensive_events
from argus_gym.report.markup import label
from argus_gym.report.measures import Estimate, changes, fingerprint
from argus_gym.report.source import ReportRun
from argus_gym.report.style import GREY, INK, PALE, bare, legend, look, spread, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_events_external", "plot_external", "plot_fingerprint", "plot_inversion"]


def plot_external(ax: "Axes", runs: Sequence[ReportRun]) -> None:
    """Draw each run's external change with its interval, against its noise band.

    The grey bar behind a run is the band in which two unpaired measurements of an unchanged model
    lie with 95 %; it follows from the run's own pass@1 before and its number of problems.
    """
    bare(ax)
    for row, run in enumerate(runs):
        external, change = run.external, changes(run)[1]
        if external is None:
            ax.text(0, row, "not measured", va="center", ha="center", fontsize=8, color=INK)
            continue
        half = 100 * external["band"]
        ax.barh(row, 2 * half, left=-half, height=0.7, color=PALE, edgecolor=GREY, linewidth=0.5)
        ax.text(half, row, f" ±{half:.1f}", ha="left", va="center", fontsize=7, color=INK)
        _across(ax, row, change, row, 100)
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.set_yticks(range(len(runs)), [title(run) for run in runs])
    ax.set_ylim(len(runs) - 0.4, -0.6)
    ax.use_sticky_edges = False
    ax.margins(x=0.1)
    ax.set_xlabel("external change of pass@1, points", fontsize=8)


def plot_inversion(ax: "Axes", runs: Sequence[ReportRun]) -> None:
    """Draw a line for each run from its in-loop change to its external change, in points.

    A line that ends below zero is an inversion where both intervals exclude zero.
    """
    bare(ax)
    ends: list[tuple[int, float]] = []
    for index, run in enumerate(runs):
        loop, truth, _ = changes(run)
        offset = 0.03 * (index - (len(runs) - 1) / 2)
        ax.plot(
            [offset, 1 + offset],
            [100 * loop.value, 100 * truth.value],
            color=look(index)["color"],
            linewidth=1.4,
        )
        for x, estimate in ((offset, loop), (1 + offset, truth)):
            _upright(ax, x, estimate, index, 100)
        if math.isfinite(truth.value):
            ends.append((index, 100 * truth.value))
        elif math.isfinite(loop.value):
            note = f"{label(run.name)}: external change not measured"
            ax.text(offset + 0.06, 100 * loop.value, note, fontsize=8, color=INK, va="center")
    low, high = ax.get_ylim()
    low, high = min(low, -5.0), max(high, 5.0)
    ax.axhspan(low, 0, facecolor=PALE, alpha=0.6, zorder=0)
    ax.set_ylim(low, high)
    places = spread([y for _, y in ends], (high - low) / 22)
    for (index, value), place in zip(ends, places):
        text = f"{value:+.1f}  {title(runs[index])}"
        ax.annotate(
            text,
            (1 + 0.03 * (index - (len(runs) - 1) / 2), value),
            (1.12 + 0.03 * len(runs) / 2, place),
            fontsize=8,
            color=INK,
            va="center",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5},
            arrowprops={
                "arrowstyle": "-",
                "color": GREY,
                "linewidth": 0.6,
                "relpos": (0, 0.5),
                "shrinkA": 0,
            },
        )
    ax.axhline(0, color=INK, linewidth=0.8)
    ax.set_xlim(-0.3, 2.1)
    ax.set_xticks(
        [0, 1], ["in-loop reward\nfirst to last round", "external pass@1\nbefore to after"]
    )
    ax.set_ylabel("change, points", fontsize=8)


def plot_fingerprint(ax: "Axes", runs: Sequence[ReportRun]) -> None:
    """Draw the six axes of :func:`~argus_gym.report.measures.fingerprint`, a mark for each run.

    Each axis has its own scale, written at both ends. A value beyond its scale stands at the end.
    """
    bare(ax)
    ax.grid(False)
    for index, run in enumerate(runs):
        rows = fingerprint(run)
        shift = 0.5 * (index - (len(runs) - 1) / 2) / max(len(runs), 1)
        xs, ys = [], []
        for row, axis in enumerate(rows):
            if not index:
                ax.plot([0, 1], [row, row], color=GREY, linewidth=0.8, zorder=0)
                for x, end in ((-0.025, axis.low), (1.025, axis.high)):
                    side = "right" if x < 0 else "left"
                    text = format(end, "+.0f" if axis.low < 0 else ".3g")
                    ax.text(x, row, text, ha=side, va="center", fontsize=7, color=INK)
            value = axis.estimate.value
            if not math.isfinite(value):
                note = f"{label(run.name)}: not measured"
                ax.text(0.5, row + shift, note, ha="center", va="center", fontsize=7, color=INK)
                xs.append(math.nan)
                ys.append(row + shift)
                continue
            x, low, high = (
                min(max((v - axis.low) / (axis.high - axis.low), 0.0), 1.0)
                if math.isfinite(v)
                else math.nan
                for v in (value, axis.estimate.low, axis.estimate.high)
            )
            xs.append(x)
            ys.append(row + shift)
            ax.plot([low, high], [row + shift] * 2, color=look(index)["color"], linewidth=2)
            if len(runs) <= 3:
                # Beside the mark and its interval, so that it hides no other run's.
                left, right = np.nanmin([x, low]), np.nanmax([x, high])
                way = 1 if right <= 0.85 else -1
                ax.annotate(
                    format(value, axis.form),
                    (right if way > 0 else left, row + shift),
                    (6 * way, 0),
                    textcoords="offset points",
                    ha="left" if way > 0 else "right",
                    va="center",
                    fontsize=7,
                    color=INK,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.3},
                    zorder=1,
                )
        ax.plot(xs, ys, linewidth=0.7, linestyle=":", color=look(index)["color"])
        ax.plot(xs, ys, linestyle="", markersize=6, label=title(run), **look(index))
    names = [axis.name.replace(" (", "\n(") for axis in fingerprint(runs[0])] if runs else []
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_xlim(-0.08, 1.08)
    ax.set_xticks([])
    ax.spines[["left", "bottom"]].set_visible(False)
    legend(ax, 2)


def plot_events_external(ax: "Axes", runs: Sequence[ReportRun]) -> None:
    """Draw each run's number of defensive events against its external change."""
    bare(ax)
    counts = [sum(defensive_events(run.data).values()) for run in runs]
    for index, (run, count) in enumerate(zip(runs, counts)):
        change = changes(run)[1]
        if not math.isfinite(change.value):
            continue
        _upright(ax, count, change, index, 100)
        side = -1 if count > 0.6 * max(counts) else 1
        ax.annotate(
            title(run),
            (count, 100 * change.value),
            (7 * side, 6),
            textcoords="offset points",
            ha="left" if side > 0 else "right",
            fontsize=8,
            color=INK,
        )
    if not any(math.isfinite(changes(run)[1].value) for run in runs):
        ax.text(0.5, 0.5, "external change not measured", transform=ax.transAxes, ha="center")
    ax.axhline(0, color=INK, linewidth=0.8)
    ax.set_xlim(-1, max(counts, default=0) * 1.1 + 1)
    ax.locator_params(axis="x", integer=True)
    ax.set_xlabel("alarms, defences carried out, refusals, certificates, warnings", fontsize=8)
    ax.set_ylabel("external change, points", fontsize=8)


_PARTS = ("value", "low", "high")


def _across(ax: "Axes", y: float, estimate: Estimate, index: int, scale: float) -> None:
    value, low, high = (scale * getattr(estimate, part) for part in _PARTS)
    ax.plot([low, high], [y, y], color=look(index)["color"], linewidth=2)
    ax.plot([value], [y], linestyle="", markersize=7, **look(index))


def _upright(ax: "Axes", x: float, estimate: Estimate, index: int, scale: float) -> None:
    value, low, high = (scale * getattr(estimate, part) for part in _PARTS)
    ax.plot([x, x], [low, high], color=look(index)["color"], linewidth=2)
    ax.plot([x], [value], linestyle="", markersize=7, **look(index))
