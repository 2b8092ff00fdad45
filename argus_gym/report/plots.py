"""The figures of a report as functions on matplotlib axes.

Each draws on the axes it is given and touches nothing else: no current figure, no global setting.
Text from a run is reduced to printable ASCII first. A number that was not measured is a gap or
the words "not measured".
"""

import math
from typing import TYPE_CHECKING

import numpy as np

from argus_gym.records import Zone
from argus_gym.report.markup import label
from argus_gym.report.measures import (
    anchor_accuracy,
    anchor_change,
    detector_lie,
    easy_hard,
    firings,
    in_force,
    reward,
    spans,
)
from argus_gym.report.plots_runs import (
    plot_events_external,
    plot_external,
    plot_fingerprint,
    plot_inversion,
)
from argus_gym.report.source import Items, ReportRun
from argus_gym.report.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    SKY,
    VERMILLION,
    band,
    bare,
    legend,
    line,
    round_axis,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "plot_easy_hard",
    "plot_events",
    "plot_events_external",
    "plot_external",
    "plot_fingerprint",
    "plot_inversion",
    "plot_items",
    "plot_learning",
    "plot_map",
    "plot_retests",
    "plot_reward",
    "plot_zones",
]

ROWS = 20
"""Detectors and defences shown by name in one figure."""

ZONES: tuple[tuple[Zone, str, str], ...] = (
    ("hard", VERMILLION, "xx"),
    ("frontier", BLUE, ""),
    ("easy", SKY, "//"),
)
DECISIONS = {
    "REFUSE": ("refused", VERMILLION, "X"),
    "COMMIT_CERTIFIED": ("certified", GREEN, "*"),
    "COMMIT": ("kept", INK, "."),
    "UNDECIDED": ("undecided", GREY, "d"),
}


def plot_reward(ax: "Axes", run: ReportRun) -> None:
    """Draw mean reward and anchor accuracy with their intervals, and skill, by round."""
    bare(ax)
    band(ax, [reward(r) for r in run.rounds], BLUE, "mean reward", "o")
    band(ax, [anchor_accuracy(r) for r in run.rounds], GREEN, "anchors right after the step", "^")
    line(ax, [r.skill for r in run.rounds], INK, "skill", ".")
    ax.set_ylim(-0.03, 1.03)
    ax.set_ylabel("share", fontsize=8)
    round_axis(ax, run)
    legend(ax)


def plot_zones(ax: "Axes", run: ReportRun) -> None:
    """Draw the shares of hard, frontier and easy problems by round, one upon the other."""
    bare(ax)
    n = np.array([max(len(r.problems), 1) for r in run.rounds])
    base = np.zeros(len(n))
    for zone, colour, hatch in ZONES:
        share = np.array([r.zone_count(zone) for r in run.rounds]) / n
        ax.bar(
            range(len(n)),
            share,
            bottom=base,
            width=0.8,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            linewidth=0,
            label=zone,
        )
        base += share
    ax.set_ylim(0, 1)
    ax.set_ylabel("share", fontsize=8)
    round_axis(ax, run)
    legend(ax)


def plot_learning(ax: "Axes", run: ReportRun) -> None:
    """Draw the learning gauges by round: gains on trained pairs and on held-out pairs."""
    bare(ax)
    ax.axhline(0, color=INK, linewidth=0.8)
    for name, colour, mark, words in (
        ("epi_train", VERMILLION, "s", "gain on trained pairs"),
        ("epi_heldout", BLUE, "o", "gain on held-out pairs"),
    ):
        values = [r.gauges.get(name, math.nan) for r in run.rounds]
        line(ax, values, colour, words, mark)
    ax.set_ylabel("nats/token", fontsize=8)
    round_axis(ax, run)
    legend(ax)


def plot_retests(ax: "Axes", run: ReportRun) -> None:
    """Draw each round's paired change of the anchors with its interval."""
    bare(ax)
    ax.axhline(0, color=INK, linewidth=0.8)
    found = [anchor_change(r) for r in run.rounds]
    x = np.arange(len(found))
    value, low, high = (
        100 * np.array([getattr(e, k) for e in found]) for k in ("value", "low", "high")
    )
    ax.vlines(x, low, high, color=GREEN, linewidth=1.6)
    measured = np.isfinite(value).any()
    ax.plot(
        x,
        value,
        linestyle="",
        marker="^",
        markersize=5,
        color=GREEN,
        label="anchors, after minus before the step" + ("" if measured else ": not measured"),
    )
    ax.set_ylabel("points", fontsize=8)
    round_axis(ax, run)
    legend(ax)


def plot_events(ax: "Axes", run: ReportRun) -> None:
    """Draw verdicts, firings by detector, and the rounds in which each defence was in force."""
    bare(ax)
    rows: list[str] = []
    for decision, (words, colour, mark) in DECISIONS.items():
        at = [r.round for r in run.rounds if r.verdict and r.verdict.decision == decision]
        if at:
            rows = ["verdict"]
            ax.plot(at, [0] * len(at), linestyle="", marker=mark, color=colour, label=words)
    fired, active = firings(run), in_force(run)
    for i, (name, at) in enumerate(list(fired.items())[:ROWS]):
        ax.plot(
            at,
            [len(rows)] * len(at),
            linestyle="",
            marker="v",
            markersize=7,
            color=VERMILLION,
            label="fired" if not i else None,
        )
        rows.append(f"{detector_lie(name)} {label(name.replace('_', ' '))}".strip())
    for i, (name, at) in enumerate(list(active.items())[:ROWS]):
        for first, last in spans(at):
            ax.barh(
                len(rows),
                last - first + 0.8,
                left=first - 0.4,
                height=0.5,
                color=SKY,
                hatch="//",
                edgecolor="white",
                linewidth=0,
                label="defence in force" if not i and first == at[0] else None,
            )
        rows.append(label(name.replace("_", " ")))
    more = max(len(fired) - ROWS, 0) + max(len(active) - ROWS, 0)
    if more:
        ax.set_title(f"{more} more in the table", fontsize=8, loc="right")
    if not rows:
        ax.text(0.5, 0.5, "no gate, no alarm, no defence", transform=ax.transAxes, ha="center")
    ax.set_yticks(range(len(rows)), rows)
    ax.set_ylim(len(rows) - 0.4 if rows else 0.5, -0.6)
    round_axis(ax, run)
    ax.set_xlabel("round", fontsize=8)
    if rows:
        legend(ax, 6)


def plot_easy_hard(ax: "Axes", run: ReportRun) -> None:
    """Draw easy problems per hard one by round, on a log scale, with defences in force marked."""
    bare(ax)
    found = [easy_hard(r) for r in run.rounds]
    ax.set_yscale("log")
    band(ax, found, BLUE, "easy problems per hard one", "o")
    ax.axhline(1, color=INK, linewidth=0.8)
    active = list(in_force(run).items())[:ROWS]
    low, high = ax.get_ylim()
    head = min(0.09 * len(active), 0.5)
    ax.set_ylim(low, low * (high / low) ** (1 / (1 - head)))
    for level, (name, at) in enumerate(active):
        for first, last in spans(at):
            ax.axvspan(
                first - 0.5,
                last + 0.5,
                facecolor="none",
                edgecolor=GREY,
                hatch="..",
                linewidth=0,
                alpha=0.5,
            )
            ax.axvline(first - 0.5, color=VERMILLION, linewidth=1, linestyle="--")
        late = at[0] > 0.8 * len(found)
        ax.text(
            at[0] - 0.6 if late else at[0] - 0.4,
            0.98 - head * level / len(active),
            label(name.replace("_", " ")),
            transform=ax.get_xaxis_transform(),
            fontsize=7,
            color=INK,
            ha="right" if late else "left",
            va="top",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.set_ylabel("easy / hard, log scale", fontsize=8)
    ax.set_xlabel("round", fontsize=8)
    round_axis(ax, run)
    legend(ax)


def plot_map(ax: "Axes", run: ReportRun, column: str = "consensus") -> None:
    """Draw one column of the capability map: a row for each cluster, a column for each round.

    Args:
        ax: Where to draw.
        run: The run.
        column: A name in :data:`argus_gym.capability_map.COLUMNS` whose values lie in [0, 1].
    """
    seen = np.array([r.map["n"] for r in run.rounds], float).T > 0
    values = np.array([r.map[column] for r in run.rounds], float).T
    values = np.where(seen, values, np.nan)
    clusters, n = values.shape
    ax.pcolormesh(
        np.arange(n + 1) - 0.5,
        np.arange(clusters + 1) - 0.5,
        np.ma.masked_invalid(values),
        cmap="cividis",
        vmin=0,
        vmax=1,
        edgecolors="white",
        linewidth=0.5,
        rasterized=values.size > 2000,
    )
    if n <= 20 and clusters <= 24:
        for cluster, at in zip(*np.nonzero(np.isfinite(values))):
            value = values[cluster, at]
            ax.text(
                at,
                cluster,
                f"{100 * value:.0f}",
                ha="center",
                va="center",
                fontsize=7,
                color="white" if value < 0.5 else "black",
            )
    ax.set_ylim(clusters - 0.5, -0.5)
    ax.set_yticks(range(0, clusters, max(1, math.ceil(clusters / 24))))
    ax.tick_params(colors=INK, labelsize=8, length=0)
    ax.spines[:].set_visible(False)
    ax.set_ylabel("cluster", fontsize=8)
    ax.set_title(
        f"{column.replace('_', ' ')}, percent; blank: not visited yet", fontsize=8, loc="left"
    )
    round_axis(ax, run)


def plot_items(ax: "Axes", items: Items) -> None:
    """Draw how many problems went from which share of right answers to which.

    Above the diagonal are problems answered better after the run (circles), below it those
    answered worse (squares); the area of a mark, and the number on it, count problems.
    """
    bare(ax)
    pairs, counts = np.unique(
        np.array([items.before, items.after]).T / items.samples, axis=0, return_counts=True
    )
    ax.plot([0, 1], [0, 1], color=INK, linewidth=0.8)
    sign = np.sign(pairs[:, 1] - pairs[:, 0])
    for way, colour, mark, words in (
        (1, BLUE, "o", "better"),
        (0, GREY, "D", "the same"),
        (-1, VERMILLION, "s", "worse"),
    ):
        here = sign == way
        ax.scatter(
            pairs[here, 0],
            pairs[here, 1],
            s=90 * np.sqrt(counts[here]),
            color=colour,
            marker=mark,
            label=f"{words}: {counts[here].sum()}",
            zorder=2,
        )
    if len(pairs) <= 120:
        for (x, y), count in zip(pairs, counts):
            ax.text(x, y, str(count), ha="center", va="center", fontsize=7, color="white", zorder=3)
    ax.set_xlim(-0.06, 1.06)
    ax.set_ylim(-0.06, 1.06)
    ax.set_aspect("equal")
    ax.set_xlabel("share right before the run", fontsize=8)
    ax.set_ylabel("share right after", fontsize=8)
    legend(ax, 3, markerscale=0.6)


def event_rows(run: ReportRun) -> int:
    """Return how many rows :func:`plot_events` draws at most."""
    return 1 + len(firings(run)) + len(in_force(run))
