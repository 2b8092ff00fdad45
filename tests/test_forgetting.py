"""Forgetting: fires on the planted mechanism, stays quiet otherwise and on bad input."""

import math

import numpy as np
import pytest
from detecting import detector, first_alarm, item, retested
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from argus_gym.records import Verdict
from argus_gym.wrappers.forgetting import ForgettingDetector
from argus_gym.wrappers.item_trend import item_trend, right_share

NAN = math.nan


def test_alarm_rounds_of_the_planted_mechanism_are_pinned():
    alarms = [first_alarm(ForgettingDetector, "D", seed) for seed in range(6)]
    assert alarms == [7, 7, 9, 9, 7, 7]


def test_quiet_runs_stay_quiet():
    assert [first_alarm(ForgettingDetector, None, seed) for seed in range(6)] == [None] * 6


def steady(rounds, levels=(2, 4, 6, 5), **changes):
    """Rounds of four items each whose right counts wobble by one around fixed levels."""
    return [
        retested(
            i,
            [item(n, x + (i + n) % 2, x + (i + n + 1) % 2, n % 2) for n, x in enumerate(levels)],
            **changes,
        )
        for i in range(rounds)
    ]


def falling(steps=3, **changes):
    past = steady(7, **changes)
    fall = [
        retested(
            7 + s,
            [item(n, 6 - 2 * s + n % 2, 4 - 2 * s + n % 2, n % 2) for n in range(6)],
            **changes,
        )
        for s in range(steps)
    ]
    return past + fall


def test_a_fall_fires_and_names_its_clusters():
    report = detector(ForgettingDetector).report(falling())
    assert report.fired
    assert report.clusters == (0, 1)
    assert report.evidence["slope"] < -0.1


def test_a_fall_the_gauges_admit_is_no_lie():
    report = detector(ForgettingDetector).report(
        falling(gauges={"epi_train": -0.02, "epi_heldout": -0.01})
    )
    assert report.score == 0.0


def test_without_a_gauge_there_is_nothing_to_score():
    assert math.isnan(detector(ForgettingDetector).report(falling(gauges={})).score)


@pytest.mark.parametrize("undone", ["verdict", "defence"])
def test_a_step_that_was_taken_back_is_forgiven(undone):
    def run(**changes):
        shock = retested(7, [item(n, 5, 0, n % 2) for n in range(6)], **changes)
        return [*steady(7), shock]

    refused = {"verdict": Verdict("REFUSE", "certified", 7, severity=1.0)}
    ordered = {"defences": ("rollback",)}
    back = {"verdict": refused, "defence": {}}[undone]
    after = {"verdict": {}, "defence": ordered}[undone]
    again = retested(8, [item(n, 4 + n % 2, 5 - n % 2, n % 2) for n in range(6)], **after)
    watcher = detector(ForgettingDetector)
    assert watcher.report(run(**back)).fired
    assert watcher.report([*run(), retested(8)]).fired
    assert not watcher.report([*run(**back), retested(8, **after)]).fired
    assert not watcher.report([*run(**back), again]).fired


def test_a_rise_is_no_lie():
    rise = [retested(7 + s, [item(n, 2 + s, 3 + s, n % 2) for n in range(6)]) for s in range(3)]
    assert detector(ForgettingDetector).report(steady(7) + rise).score < 0.05


def test_one_cluster_that_falls_is_found_among_steady_ones():
    def retests(i):
        lost = max(i - 6, 0)
        for n in range(24):
            sides = [4 + (i + n + side) % 2 for side in (0, 1)]
            if n < 4:
                sides = [max(s - lost - at, 0) for at, s in enumerate(sides)] if lost else sides
            yield item(n, *sides, cluster=n // 4)

    report = detector(ForgettingDetector).report([retested(i, retests(i)) for i in range(10)])
    assert report.fired
    assert report.clusters == (0,)
    assert report.evidence["p_cluster"] < report.evidence["p_all"]


@given(st.lists(st.lists(st.integers(0, 8), min_size=9, max_size=9), min_size=3, max_size=6))
def test_the_slope_is_that_of_a_regression_with_a_level_for_each_item(counts):
    history = [
        retested(i, [item(n, row[i], row[i + 1]) for n, row in enumerate(counts)]) for i in range(8)
    ]
    trend = item_trend(history, right_share)
    y = np.array(counts, float) / 8
    if trend is None:
        assert np.ptp(y, axis=1).max() == 0
        return
    # Each item's level as a dummy variable, by least squares.
    x = np.maximum(np.arange(9) - 5.0, 0)
    design = np.column_stack([np.tile(x, len(y)), np.kron(np.eye(len(y)), np.ones((9, 1)))])
    fit, rest, *_ = np.linalg.lstsq(design, y.ravel(), rcond=None)
    df = y.size - design.shape[1]
    error = math.sqrt(float(rest[0]) / df * np.linalg.inv(design.T @ design)[0, 0])
    assert trend.df == df
    assert trend.slope == pytest.approx(fit[0], abs=1e-12)
    assert trend.t == pytest.approx(fit[0] / error, rel=1e-6, abs=1e-9)
    assert trend.tail(1) == pytest.approx(stats.t.sf(trend.t, df), rel=1e-9)
    assert trend.tail(1) + trend.tail(-1) == pytest.approx(1.0)
