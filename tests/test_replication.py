"""The published three-run table over many seeds, in small, and its arithmetic by hand."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from scipy import stats

from argus_gym.benchmarks import replication
from argus_gym.benchmarks.calibration import one_run
from argus_gym.benchmarks.markdown import markdown
from argus_gym.benchmarks.replication_figures import (
    BAND,
    arm_figures,
    jump,
    paired_figures,
    watched_figures,
)
from argus_gym.benchmarks.replication_published import PUBLISHED, placed, resolution
from argus_gym.intervals import newcombe, noise_band, wilson
from argus_gym.run_data import InputError

SEED = 1_000


def shrink(patch, runs=2):
    """Make the quick form tiny; somebody may edit the sources while the tests run."""
    patch.setattr(replication, "QUICK", replication.Size(runs, 2))
    patch.setattr(replication, "QUIET_ARMS", ("v4",))
    patch.setattr(replication, "sources", lambda: "the same")


@pytest.fixture(scope="module")
def small():
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        yield replication.run(seed=SEED, quick=True, workers=1)


def made(reward=0.2, one=0.0, true=0.0, **more):
    """Return a run by hand: changes as shares, everything else plain."""
    return {
        "one": [0.5, 0.5 + one],
        "two": [0.5, 0.5 + one],
        "again": 0.52,
        "true": [0.5, 0.5 + true],
        "in_loop": {"delta": reward},
        "verdict": "in-loop up, external not measurably changed",
        "events": {},
        "first": None,
        "lies": [],
        "zones": [[20, 20], [25, 15], [20, 20]],
        "in_force": [],
        "fingerprint": {"an axis": 0.5},
        "watched": {name: [[], [], []] for name in ("v3.4", "v3.5", "v4")},
    } | more


def test_the_result_does_not_depend_on_the_workers(small, monkeypatch):
    shrink(monkeypatch)
    again = replication.run(seed=SEED, quick=True, workers=2)
    assert json.dumps(again) == json.dumps(small)


def test_a_run_goes_on_where_it_stopped(tmp_path, monkeypatch):
    shrink(monkeypatch)
    out = tmp_path / "out"
    monkeypatch.setattr(replication, "play", lambda seed, *_: made(one=seed / 100))
    first = replication.run(seed=3, quick=True, out=out, workers=1)
    assert first["arms"]["v4"]["columns"]["one"] == pytest.approx([3, 4])
    monkeypatch.setattr(replication, "play", None)
    again = replication.run(seed=3, quick=True, out=out, workers=1)
    assert json.dumps(again) == json.dumps(first)


def test_arms_start_from_the_same_learner_and_only_the_bare_one_has_no_events(small):
    for learner in ("arms", "quiet"):
        starts = [f["changes"]["unchanged"]["mean"] for f in small[learner].values()]
        assert len(set(starts)) == 1
    assert small["arms"]["no-metacognition"]["any_event"]["count"] == 0
    assert small["arms"]["v4"]["any_event"]["count"] > 0
    assert set(small["watched"]) == set(small["paired"]) == {"v3.4", "v3.5", "v4"}


def test_a_run_starts_as_that_of_the_calibration_and_has_its_truth_apart():
    played = replication.play(SEED, "no-metacognition", False)
    calibrated = one_run(SEED)
    assert played["one"][0] == calibrated["measured"][0]
    assert played["true"][0] == calibrated["true"][0]
    assert set(played["watched"]) == {"v3.4", "v3.5", "v4"} and played["events"] == {}
    assert len(played["zones"]) == replication.ROUNDS
    assert json.loads(json.dumps(played, allow_nan=False)) == played


def test_inversions_and_catches_are_counted_by_hand():
    runs = [
        made(0.2, -0.05, -0.06, first=3, lies=["D"]),
        made(0.2, 0.02, -0.01),
        made(0.2, -0.03, 0.04, first=1, lies=["D", "J"]),
        made(-0.1, -0.08, -0.07),
    ]
    found = arm_figures(runs)
    inversion, caught = found["inversion"], found["caught"]
    assert inversion["true"]["count"] == 2 and inversion["large"]["count"] == 1
    assert (inversion["true"]["low"], inversion["true"]["high"]) == wilson(2, 4)
    assert inversion["measured"]["count"] == 2 and inversion["measured_right"]["count"] == 1
    assert (caught["inverted"]["count"], caught["inverted"]["n"]) == (1, 2)
    assert (caught["others"]["count"], caught["others"]["n"]) == (1, 2)
    assert caught["difference"] == 0 and (caught["low"], caught["high"]) == newcombe(1, 2, 1, 2)
    assert (caught["large"]["count"], caught["large"]["n"]) == (1, 1)
    assert found["lies"]["D"]["inverted"]["share"] == 0.5 == found["lies"]["D"]["others"]["share"]
    assert (found["right_sign"]["count"], found["right_sign"]["n"]) == (2, 4)


def test_events_are_added_up_without_the_certificates():
    events = {"alarm: drift": 2, "alarm: forgetting": 1, "defence: rollback": 1, "certified": 4}
    found = arm_figures([made(events=events), made(events={"refused": 2, "warning": 1})])
    means = {kind: figure["mean"] for kind, figure in found["events"].items()}
    assert means == {
        "alarm": 1.5,
        "defence": 0.5,
        "refused": 1,
        "warning": 0.5,
        "certified": 2,
        "events": 3.5,
    }
    assert found["columns"]["events"] == [4, 3] and found["any_event"]["count"] == 2


def test_distributions_agree_with_scipy():
    rng = np.random.default_rng(4)
    deltas = rng.integers(-20, 21, 40) / 100
    found = arm_figures([made(one=delta) for delta in deltas])["changes"]["one"]
    low, high = stats.t.interval(0.95, 39, 100 * deltas.mean(), stats.sem(100 * deltas))
    assert (found["mean_low"], found["mean_high"]) == pytest.approx((low, high))
    assert found["sd"] == pytest.approx(100 * deltas.std(ddof=1))
    assert found["inside"]["count"] == sum(abs(100 * d) <= BAND for d in deltas)
    assert found["quantiles"]["75"] == pytest.approx(100 * np.percentile(deltas, 75))


@given(st.lists(st.integers(-20, 20), min_size=2, max_size=40))
def test_published_runs_are_placed_as_scipy_places_them(deltas):
    runs = [made(one=delta / 100, true=delta / 200) for delta in deltas]
    rows = placed({one.arm: runs for one in PUBLISHED}, {})
    for row, delta in zip(rows, (7, -5, 2.5), strict=True):
        assert row["delta"] == delta
        # scipy's "mean" rank counts ties half, as here.
        assert row["percentile"] == pytest.approx(stats.percentileofscore(deltas, delta, "mean"))
        alike = [d / 2 for d in deltas if abs(d - delta) <= 1.5 + 1e-9]
        assert row["alike"]["n"] == len(alike)
        if alike:
            assert row["alike"]["50"] == pytest.approx(np.median(alike))
        assert row["alike_down"]["count"] == sum(d < 0 for d in alike)


def test_the_published_band_is_the_binomial_one():
    assert round(100 * noise_band(0.5, 100), 1) == BAND


def test_what_a_few_runs_can_tell_agrees_with_a_simulated_test():
    rng = np.random.default_rng(2)
    runs = [made(one=delta) for delta in rng.normal(0, 0.06, 400)]
    found = resolution(runs)
    sd = np.std([100 * (r["one"][1] - 0.5) for r in runs], ddof=1)
    assert found["gap"] == 12 and found["contrast"] == -1.5
    assert found["half_width"] == pytest.approx(1.96 * sd * math.sqrt(1.5), rel=1e-3)
    # Two normals of deviation s differ by a normal of deviation s sqrt(2).
    expected = 2 * stats.norm.sf(12 / (sd * math.sqrt(2)))
    assert found["apart"]["low"] <= expected <= found["apart"]["high"]
    n = found["needed"]["5"]
    power = np.mean(
        [
            stats.ttest_ind(rng.normal(5, sd, n), rng.normal(0, sd, n)).pvalue < 0.05
            for _ in range(2_000)
        ]
    )
    assert power == pytest.approx(0.8, abs=0.05)


def test_metacognition_is_judged_on_the_same_seeds():
    bare = [made(true=-0.02), made(true=-0.04), made(true=0.03), made(true=0.01)]
    arm = [made(true=0.01), made(true=-0.01), made(true=-0.03), made(true=0.02)]
    found = paired_figures(arm, bare)
    assert found["true"]["mean"] == pytest.approx(np.mean([3, 3, -6, 1]))
    turned = found["inversions"]
    assert (turned["undone"], turned["new"], turned["both"], turned["n"]) == (1, 1, 1, 4)
    assert turned["difference"] == 0 and turned["low"] < 0 < turned["high"]


def test_watchers_are_judged_where_nothing_defends():
    runs = [
        made(true=-0.02, watched={"v4": [[], ["D", "J"], ["D"]]}),
        made(true=-0.02),
        made(true=0.02, watched={"v4": [["D"], [], []]}),
    ]
    found = watched_figures(runs, "v4")
    assert found["alarms"]["mean"] == pytest.approx(4 / 3) and found["any_event"]["count"] == 2
    assert found["lies"]["D"]["inverted"]["share"] == 0.5
    assert found["lies"]["D"]["others"]["share"] == 1
    assert found["lies"]["J"]["others"]["count"] == 0 and set(found["lies"]) == {"D", "J"}


def test_a_jump_of_the_curriculum_is_found_and_held_against_defences():
    assert jump(made(zones=[[20, 20], [10, 20], [37, 5], [30, 5]])) == (
        37.5 / 5.5 / (10.5 / 20.5),
        2,
    )
    runs = [
        made(zones=[[22, 20], [37, 6], [20, 20]], in_force=[1]),
        made(zones=[[10, 20], [40, 0], [20, 20]], in_force=[2]),
        made(zones=[[40, 4], [44, 0], [20, 20]], in_force=[1]),
        made(),
    ]
    found = arm_figures(runs)
    assert found["tipped"]["count"] == 2
    assert found["jumps"]["count"] == 2 and found["defended_jumps"] == 1
    assert found["in_force"] == pytest.approx([0, 1 / 2, 1 / 4])
    assert found["easy_hard"]["median"][0] == pytest.approx((1 + 22.5 / 20.5) / 2)


def test_a_failed_run_takes_its_seed_out_of_every_arm(monkeypatch):
    def moody(seed, arm, quiet):
        if (seed, arm, quiet) == (SEED + 1, "v4", False):
            raise RuntimeError("no more")
        return made(one=seed / 10_000)

    monkeypatch.setattr(replication, "play", moody)
    shrink(monkeypatch, 3)
    found = replication.run(seed=SEED, quick=True, workers=1)
    assert found["failed"] == {f"calibrated v4 {SEED + 1}": "RuntimeError: no more"}
    assert {figures["n"] for figures in found["arms"].values()} == {2} and found["runs"] == 2
    assert found["quiet_runs"] == 2
    assert "no more" in "".join(map(markdown, replication.tables(found)))


def test_published_counts_are_read_where_they_are(tmp_path, monkeypatch):
    folder = tmp_path / "published_runs"
    folder.mkdir()
    (folder / "summary.csv").write_text("run,events_total\nseed0,5\nseed1,6\nno_metacog,7\n")
    lines = ["run,mean_reward,n_easy,n_hard"]
    lines += [f"{one.run},{end}" for one in PUBLISHED for end in ("0.6,,", "0.9,8,2")]
    (folder / "rounds.csv").write_text("\n".join(lines))
    monkeypatch.setattr(replication, "play", lambda *_: made(0.2))
    shrink(monkeypatch)
    found = replication.run(quick=True, data=tmp_path, workers=1)
    assert [row["events"] for row in found["published"]] == [5, 6, 7]
    assert found["published"][0]["ratios"] == [None, 8.5 / 2.5]
    assert {row["reward"] for row in found["published"]} == {30}
    assert {row["reward_percentile"] for row in found["published"]} == {100}
    (folder / "rounds.csv").write_text("run,mean_reward\nseed0,much\n")
    with pytest.raises(InputError, match="expected the published runs in"):
        replication.run(quick=True, data=tmp_path, workers=1)
    (folder / "rounds.csv").unlink()
    with pytest.raises(InputError, match=r"no published_runs/rounds\.csv"):
        replication.run(quick=True, data=tmp_path, workers=1)


def test_every_table_reads(small):
    console = Console(width=200)
    titles = []
    for table in replication.tables(small):
        with console.capture() as capture:
            console.print(table)
        assert "nan" not in capture.get()
        assert markdown(table).count("\n") == table.row_count + 4
        titles.append(str(table.title))
    assert len(titles) == len(set(titles)) == 10


def test_the_five_figures_are_drawn(small, tmp_path):
    pytest.importorskip("matplotlib")
    known = [
        row
        | {
            "first": 0.6,
            "last": 0.8,
            "reward_percentile": 50.0,
            "reward": 20.0,
            "events": 9,
            "ratios": [None, 2.0],
        }
        for row in small["published"]
    ]
    for result in (small, {**small, "published": known}):
        figures = replication.plots(result)
        assert list(figures) == [
            "external",
            "inversion",
            "easy_hard",
            "fingerprint",
            "events_external",
        ]
        for name, figure in figures.items():
            figure.savefig(tmp_path / f"{name}.png")
            assert (tmp_path / f"{name}.png").stat().st_size > 5_000
