"""The plots: they draw what the run holds, on the axes they are given and nowhere else."""

import dataclasses
import math
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")

from matplotlib.figure import Figure  # noqa: E402

from argus_gym.report import ReportRun, plots  # noqa: E402
from argus_gym.report.source import Items  # noqa: E402
from argus_gym.report.style import COLOURS, look, spread  # noqa: E402
from argus_gym.run import RunConfig, run  # noqa: E402

ONE = [
    plots.plot_reward,
    plots.plot_zones,
    plots.plot_learning,
    plots.plot_retests,
    plots.plot_events,
    plots.plot_easy_hard,
    plots.plot_map,
]
SEVERAL = [
    plots.plot_external,
    plots.plot_inversion,
    plots.plot_fingerprint,
    plots.plot_events_external,
]


@pytest.fixture(scope="module")
def whole():
    return ReportRun("whole", run(RunConfig(seed=3, rounds=6, problems=8, k=4)))


@pytest.fixture
def ax():
    return Figure().add_subplot()


def words(ax):
    ax.figure.canvas.draw()
    texts = [t.get_text() for t in [*ax.texts, *ax.get_yticklabels(), *ax.get_xticklabels()]]
    found = ax.get_legend()
    return texts + ([t.get_text() for t in found.get_texts()] if found else [])


@pytest.mark.parametrize("plot", [*ONE, *SEVERAL])
def test_a_plot_changes_no_setting_and_needs_no_pyplot(plot, whole, ax):
    matplotlib.use("agg")
    before = matplotlib.rcParams.copy()
    plot(ax, whole if plot in ONE else [whole, whole])
    assert matplotlib.rcParams == before
    assert ax.has_data()
    assert words(ax)


def test_the_package_never_loads_pyplot():
    code = "import sys, argus_gym.report.figures as f; print('matplotlib.pyplot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "False"


def test_reading_a_run_does_not_load_matplotlib():
    code = "import sys, argus_gym.report; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "False"


def test_the_external_plot_draws_change_interval_and_band(whole, ax):
    plots.plot_external(ax, [whole])
    external = whole.external
    (bar,) = ax.patches
    assert bar.get_width() == pytest.approx(200 * external["band"])
    interval, mark = ax.lines[0].get_xdata(), ax.lines[1].get_xdata()
    assert list(interval) == pytest.approx([100 * external["low"], 100 * external["high"]])
    assert list(mark) == pytest.approx([100 * external["delta"]])


def test_the_inversion_goes_from_in_loop_to_external(whole, ax):
    plots.plot_inversion(ax, [whole])
    ends = 100 * whole.summary["in_loop"]["delta"], 100 * whole.external["delta"]
    assert list(ax.lines[0].get_ydata()) == pytest.approx(ends)


def test_reward_and_easy_hard_follow_the_rounds(whole, ax):
    plots.plot_reward(ax, whole)
    by_name = {line.get_label(): line.get_ydata() for line in ax.lines}
    assert list(by_name["mean reward"]) == pytest.approx([r.mean_reward for r in whole.rounds])
    assert list(by_name["skill"]) == [r.skill for r in whole.rounds]


def test_the_map_is_blank_where_nothing_was_visited(whole, ax):
    plots.plot_map(ax, whole, "share")
    (mesh,) = ax.collections
    seen = np.array([r.map["n"] for r in whole.rounds]).T > 0
    assert (~np.ma.getmaskarray(mesh.get_array())).tolist() == seen.tolist()


def test_events_and_defences_are_named_and_many_are_cut(whole, ax):
    events = tuple(
        {"round": i % 6, "event": f"lie.kind_{i}", "because": {}, "action": "none"}
        for i in range(50)
    )
    rounds = tuple(dataclasses.replace(r, defences=("keep_rare",)) for r in whole.rounds)
    data = dataclasses.replace(whole.data, ledger=events, rounds=rounds)
    plots.plot_events(ax, ReportRun("many", data))
    texts = words(ax)
    assert "kind 0" in texts and "keep rare" in texts and "kind 49" not in texts
    assert ax.get_title("right") == "30 more in the table"


def test_what_was_not_measured_is_written(whole):
    rounds = tuple(
        dataclasses.replace(
            r, retests=(), verdict=None, gauges=dict.fromkeys(r.gauges, math.nan), defences=()
        )
        for r in whole.rounds
    )
    data = dataclasses.replace(whole.data, rounds=rounds, ledger=(), summary=None)
    bare = ReportRun("bare", data)
    expected = {
        plots.plot_reward: "anchors right after the step: not measured",
        plots.plot_learning: "gain on held-out pairs: not measured",
        plots.plot_retests: "anchors, after minus before the step: not measured",
        plots.plot_events: "no gate, no alarm, no defence",
    }
    for plot, text in expected.items():
        ax = Figure().add_subplot()
        plot(ax, bare)
        assert text in words(ax)
    for plot, text in (
        (plots.plot_external, "not measured"),
        (plots.plot_inversion, "bare: external change not measured"),
        (plots.plot_fingerprint, "bare: not measured"),
        (plots.plot_events_external, "external change not measured"),
    ):
        ax = Figure().add_subplot()
        plot(ax, [bare])
        assert text in words(ax)


def test_items_are_counted(ax):
    plots.plot_items(ax, Items(("a", "b", "c", "d"), (0, 0, 2, 1), (2, 2, 1, 1), 2))
    texts = words(ax)
    assert {"better: 2", "the same: 1", "worse: 1"} <= set(texts)
    assert sum(int(t.get_text()) for t in ax.texts) == 4


def test_a_long_run_keeps_its_size(whole):
    from argus_gym.report.figures import maps, signals

    rounds = tuple(dataclasses.replace(whole.rounds[i % 6], round=i) for i in range(600))
    many = ReportRun("long", dataclasses.replace(whole.data, rounds=rounds, ledger=()))
    assert len(signals(many)) + len(maps(many)) < 1.5e6


def test_the_first_28_runs_look_different():
    looks = [tuple(look(i).values()) for i in range(28)]
    assert len(set(looks)) == 28


@pytest.mark.parametrize("colour", COLOURS)
def test_colours_stand_out_from_white(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    luminance = float(np.dot(linear, (0.2126, 0.7152, 0.0722)))
    assert 1.05 / (luminance + 0.05) >= 3


def test_labels_are_spread_and_keep_their_order():
    values = [0.0, 0.1, 5.0, 0.05]
    places = spread(values, 1.0)
    ordered = sorted(places)
    assert min(b - a for a, b in pairwise(ordered)) > 0.99
    assert np.argsort(places).tolist() == np.argsort(values).tolist()
