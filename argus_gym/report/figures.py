"""Figures as SVG text: the same bytes for the same run."""

from collections.abc import Callable, Sequence
from functools import partial
from io import StringIO
from typing import TYPE_CHECKING

from argus_gym.report import plots
from argus_gym.report.source import ReportRun

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["across_runs", "easy_hard", "items", "maps", "signals", "svg"]

WIDTH = 7.6
MARGINS = {"left": 0.1, "right": 0.985, "bottom": 0.12, "top": 0.92}
METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


def svg(
    draw: Sequence[Callable[["Axes"], None]], heights: Sequence[float], **margins: float
) -> str:
    """Return one figure of axes above each other, as SVG.

    Args:
        draw: What draws on each of the axes.
        heights: Height of each in inches, its title and the space below it included.
        **margins: Margins that differ from the usual, as shares of the figure.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    out = StringIO()
    # The reader's matplotlibrc must not change a report.
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams["svg.hashsalt"] = "argus-gym"
        figure = Figure(figsize=(WIDTH, sum(heights)))
        FigureCanvasSVG(figure)
        grid = figure.add_gridspec(len(draw), 1, height_ratios=heights, hspace=0.3)
        figure.subplots_adjust(**(MARGINS | margins))
        axes = [figure.add_subplot(grid[row]) for row in range(len(draw))]
        for ax, function in zip(axes, draw):
            function(ax)
        for ax in axes[:-1]:
            ax.tick_params(labelbottom=False)
        figure.savefig(out, format="svg", metadata=METADATA)
    return out.getvalue()


def across_runs(runs: Sequence[ReportRun]) -> dict[str, str]:
    """Return the figures that hold all runs, by name."""
    n = len(runs)
    tall = 1.0 + 0.5 * n
    wide = {"left": 0.3, "top": 1 - 0.2 / tall, "bottom": 0.55 / tall}
    prints = 4.2 + 0.55 * n
    return {
        "external": svg([partial(plots.plot_external, runs=runs)], [tall], **wide),
        "inversion": svg(
            [partial(plots.plot_inversion, runs=runs)], [3.6 + 0.1 * n], top=0.96, bottom=0.13
        ),
        "fingerprint": svg(
            [partial(plots.plot_fingerprint, runs=runs)],
            [prints],
            left=0.33,
            right=0.95,
            bottom=0.02,
            top=1 - (0.15 + 0.1 * n) / prints,
        ),
        "events": svg(
            [partial(plots.plot_events_external, runs=runs)], [3.4], top=0.96, bottom=0.14
        ),
    }


def signals(run: ReportRun) -> str:
    """Return the signals of one run by round, with firings, defences and verdicts below them."""
    functions = (
        plots.plot_reward,
        plots.plot_zones,
        plots.plot_learning,
        plots.plot_retests,
        plots.plot_events,
    )
    rows = min(plots.event_rows(run), 2 * plots.ROWS + 1)
    heights = [1.9, 1.5, 1.5, 1.5, 1.0 + 0.22 * rows]
    total = sum(heights)
    return svg(
        [partial(f, run=run) for f in functions],
        heights,
        left=0.21,
        top=1 - 0.3 / total,
        bottom=0.45 / total,
    )


def easy_hard(run: ReportRun) -> str:
    """Return the easy/hard ratio of one run, with its defences."""
    return svg([partial(plots.plot_easy_hard, run=run)], [2.8], bottom=0.16, top=0.9)


def maps(run: ReportRun) -> str:
    """Return consensus and share of the run's clusters by round."""
    clusters = len(run.rounds[0].map["n"])
    height = 0.7 + 0.2 * min(clusters, 24)
    return svg(
        [partial(plots.plot_map, run=run, column=c) for c in ("consensus", "share")],
        [height, height],
        top=0.95,
        bottom=0.06,
    )


def items(run: ReportRun) -> str:
    """Return how the external report's problems fared."""
    found = run.items
    assert found is not None
    return svg([partial(plots.plot_items, items=found)], [4.4], bottom=0.11, top=0.92)
