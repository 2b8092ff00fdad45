"""Calibration, delays and generic alarms, against independent references."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from argus_gym.benchmarks.alarms import (
    RATE,
    calibrate,
    damage,
    delays,
    first_above,
    rate,
    threshold_at,
    within,
)
from argus_gym.benchmarks.figures import interval
from argus_gym.benchmarks.generic import (
    CONTROLS,
    FOLLOWERS,
    adwin,
    cusum,
    generic_scores,
    page_hinkley,
)
from argus_gym.intervals import wilson

series = st.lists(st.none() | st.floats(-5, 5), min_size=1, max_size=20)


@given(series, st.sampled_from(sorted(FOLLOWERS)))
def test_no_alarm_looks_ahead(values, name):
    whole = FOLLOWERS[name](values)
    assert len(whole) == len(values) and all(math.isfinite(v) for v in whole)
    for end in range(1, len(values)):
        assert FOLLOWERS[name](values[:end]) == whole[:end]


@given(st.lists(st.floats(-5, 5), min_size=6, max_size=15))
def test_change_detectors_do_not_care_for_the_sign(values):
    for follow in (cusum, page_hinkley, adwin):
        assert follow(values) == pytest.approx(follow([-v for v in values]))


def test_cusum_by_hand():
    # Mean 0, standard deviation 1 in the warm-up; then +2 for three rounds, less 0.5 each.
    warm = [-1.0, 1.0, -1.0, 1.0]
    spread = float(np.std(warm, ddof=1))
    assert cusum([*warm, 2.0, 2.0, 2.0]) == pytest.approx(
        [0, 0, 0, 0, *(n * (2 / spread - 0.5) for n in (1, 2, 3))]
    )
    assert cusum([*warm, -2.0])[-1] == pytest.approx(2 / spread - 0.5)
    assert cusum([None, 1.0, None]) == [0, 0, 0]


def test_page_hinkley_against_its_definition():
    rng = np.random.default_rng(0)
    values = rng.normal(size=12).tolist()
    sums = np.cumsum([v - np.mean(values[: at + 1]) for at, v in enumerate(values)])
    spread = np.std(values[:4], ddof=1)
    for at in range(4, 12):
        path = np.concatenate([[0], sums[: at + 1]])
        expected = max(path[-1] - path.min(), path.max() - path[-1]) / spread
        assert page_hinkley(values)[at] == pytest.approx(expected)


def test_adwin_against_all_splits():
    rng = np.random.default_rng(1)
    values = rng.normal(size=10)
    best = max(
        abs(values[:cut].mean() - values[cut:].mean())
        / (values.std() * math.sqrt(1 / cut + 1 / (10 - cut)))
        for cut in range(2, 9)
    )
    assert adwin(values.tolist())[-1] == pytest.approx(best)


def test_every_generic_alarm_keeps_its_rate_on_tuning_runs_and_finds_a_jump():
    rng = np.random.default_rng(2)
    runs = {
        seed: {"signals": {"reward": rng.normal(size=15).tolist()}, "scores": {}}
        for seed in range(200)
    }
    frozen = calibrate(runs)
    for name, limit in frozen["generic"].items():
        fired = [
            first_above(generic_scores(run["signals"], seed)[name], limit) is not None
            for seed, run in runs.items()
        ]
        assert sum(fired) <= RATE * 200
        assert sum(fired) == RATE * 200 or name == "never"
    again = calibrate(runs)
    assert again["sha256"] == frozen["sha256"]
    jump = {"reward": [*rng.normal(size=8), *(rng.normal(size=7) + 30)]}
    for follower in FOLLOWERS:
        name = f"{follower} reward"
        at = first_above(generic_scores(jump, 999)[name], frozen["generic"][name])
        # A split needs two values on each side.
        assert at == (9 if follower == "adwin" else 8)
    assert set(CONTROLS) == {"never", "periodic", "random", "stop"}


@given(st.lists(series, min_size=1, max_size=30), st.sampled_from([0.0, 0.05, 0.2, 0.5]))
def test_no_threshold_is_passed_too_often(runs, level):
    limit = threshold_at(runs, level)
    assert sum(first_above(run, limit) is not None for run in runs) <= level * len(runs)


def test_windows_count_from_the_onset():
    found = within([5, 7, None, 9], [5, 5, 5, 5])
    assert [found[w]["count"] for w in ("1", "3", "5")] == [1, 2, 3]
    low, high = wilson(2, 4)
    assert (found["3"]["low"], found["3"]["high"]) == (low, high)
    assert math.isnan(rate(0, 0)["share"])


def test_delays_are_censored_not_dropped():
    assert delays([5, 6, 7], [5, 5, 5], 15)["median"] == 1
    # Two of four never caught: survival reaches one half at the second delay.
    assert delays([5, 8, None, None], [5, 5, 5, 5], 15) == {"median": 3, "censored": 2, "n": 4}
    assert delays([5, None, None], [5, 5, 5], 15)["median"] is None
    assert delays([None], [5], 15) == {"median": None, "censored": 1, "n": 1}


def test_damage_runs_from_the_onset_to_the_alarm():
    run = {"onset": 2, "truth": {"accuracy": [0.5, 0.5, 0.6, 0.4, 0.3, 0.1]}}
    assert damage(run, 2) == pytest.approx((0.2, 0.5))
    assert damage(run, None) == pytest.approx((0.5, 0.5))


def test_intervals_of_means():
    values = [1.0, 2.0, 3.0, 6.0]
    found = interval(values)
    error = norm.ppf(0.975) * np.std(values, ddof=1) / 2
    assert found == pytest.approx({"n": 4, "mean": 3, "low": 3 - error, "high": 3 + error})
    assert math.isnan(interval([1.0])["mean"])
