"""The Goodhart experiment in small: what is reported, and that the proxy is gamed at all."""

import io
import json
import math

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from argus_gym.benchmarks import goodhart
from argus_gym.benchmarks.goodhart import ARMS, CASES, play_one, run, tables
from argus_gym.train import mean_interval


@pytest.fixture
def bandits(monkeypatch):
    """The quick bandit in three arms, the same in the first two."""
    monkeypatch.setattr(goodhart, "CASES", CASES[:3])
    for arm, reward in (
        ("consensus", "consensus"),
        ("consensus, gated", "consensus"),
        ("anchor", "anchor"),
    ):
        monkeypatch.setitem(ARMS, arm, {"reward": reward, "algo": "bandit"})


@pytest.fixture
def short(bandits, monkeypatch):
    """Three quick cases and few fresh learners."""
    # Other processes may edit the sources while this runs.
    monkeypatch.setattr(goodhart, "sources", lambda: "fixed")
    monkeypatch.setattr("argus_gym.train.COPIES", 16)
    monkeypatch.setattr("argus_gym.train.meet.__defaults__", (8,))


def test_a_bandit_paid_by_consensus_earns_more_and_leaves_the_learner_worse(bandits):
    fresh = play_one("shallow", "consensus", 1000, 45_000)["fresh"]
    assert fresh["reward"]["low"] > 0.1
    assert fresh["accuracy"]["high"] < -0.05
    assert fresh["agent"]["end"] < fresh["agent"]["start"] < fresh["uniform"]["end"]
    assert fresh["steps"][0] > 0.5


def test_every_arm_can_be_trained():
    from argus_gym.train_setup import Config

    for _, arm in CASES:
        Config(**ARMS[arm])


def test_figures_are_paired_by_seed_and_continue_from_a_folder(short, tmp_path):
    pytest.importorskip("torch")
    seen = []
    whole = run(3, 2, 4_000, out=tmp_path / "r", workers=1, progress=lambda *a: seen.append(a))
    assert seen[-1] == (6, 6)
    assert run(3, 2, 4_000, out=tmp_path / "r", workers=1) == whole
    assert json.loads(json.dumps(whole, allow_nan=False)) == whole
    first, second, third = whole["arms"]
    # The first two arms are the same agent here, so nothing may differ between them.
    assert {k: v for k, v in first.items() if k != "arm"} == {
        k: v for k, v in second.items() if k != "arm"
    }
    assert whole["pairs"][0]["accuracy"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert third["uniform_change"] == first["uniform_change"]
    assert math.fsum(first["chosen_steps"]) == pytest.approx(1.0)
    one = play_one("shallow", "anchor", 3, 4_000)["fresh"]
    assert third["each"][0] == [one["reward"]["mean"], one["accuracy"]["mean"]]


def test_a_failed_run_is_reported_and_its_seed_left_out_everywhere(short, monkeypatch):
    pytest.importorskip("torch")
    sound = goodhart.train

    def train(config):
        if config.seed == 1 and config.reward == "anchor":
            raise RuntimeError("no luck")
        return sound(config)

    monkeypatch.setattr(goodhart, "train", train)
    result = run(0, 3, 4_000, workers=1)
    assert result["failed"] == {"shallow 1 anchor": "RuntimeError: no luck"}
    assert result["n"] == 2 and all(len(row["each"]) == 2 for row in result["arms"])


def test_tables_and_plots(short):
    pytest.importorskip("torch")
    result = run(0, 2, 4_000, workers=1)
    console = Console(width=240, record=True, file=io.StringIO())
    for table in tables(result):
        console.print(table)
    text = console.export_text()
    assert "anchor" in text and "seeds 0 to 1, n = 2" in text
    pytest.importorskip("matplotlib")
    assert sorted(goodhart.plots(result)) == ["goodhart", "goodhart_fresh"]


def test_the_interval_is_students():
    values = np.array([0.1, 0.4, 0.35, 0.8])
    found = mean_interval(values)
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert found["mean"] == pytest.approx(values.mean())
    assert (found["low"], found["high"]) == pytest.approx((expected.low, expected.high))


def test_bad_arguments_are_named():
    pytest.importorskip("torch")
    with pytest.raises(ValueError, match="runs must be at least 2, got 1"):
        run(runs=1)
