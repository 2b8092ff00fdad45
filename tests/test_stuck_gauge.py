"""Stuck gauge: fires on a report that repeats itself, stays quiet otherwise and on bad input."""

import math

import numpy as np
import pytest
from detecting import detector, retested, world_alarm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from argus_gym.benchmarks.worlds import WORLDS
from argus_gym.wrappers.stuck_gauge import StuckGaugeDetector, quiet_tail

NAN = math.nan
SOUND = [0.03117, 0.02713, 0.03391, 0.02959, 0.02502, 0.02871]


def test_alarm_rounds_of_the_stale_report_are_pinned():
    world = WORLDS["stuck_gauge"]()
    assert [world_alarm(StuckGaugeDetector, world, seed) for seed in range(4)] == [8, 8, 9, 10]


def test_its_honest_twin_stays_quiet():
    world = WORLDS["stuck_gauge"]()
    assert [world_alarm(StuckGaugeDetector, world, seed, 0.0) for seed in range(2)] == [None] * 2


def history(*series):
    return [
        retested(i, gauges=dict(zip(("epi_train", "epi_heldout"), row, strict=False)))
        for i, row in enumerate(zip(*series, strict=True))
    ]


def test_a_repeated_reading_fires():
    report = detector(StuckGaugeDetector).report(history(SOUND + [SOUND[-1]] * 3))
    assert report.fired
    assert report.score > 0.9
    assert "epi_train" in report.sentence


def test_so_does_one_with_a_little_noise_on_it():
    stuck = [SOUND[-1] * (1 + e) for e in (0.002, -0.003, 0.001)]
    assert detector(StuckGaugeDetector).report(history(SOUND + stuck)).fired


def test_one_gauge_of_two_is_enough():
    sound = [*SOUND, 0.0261, 0.0334, 0.0288]
    assert detector(StuckGaugeDetector).report(history(sound, SOUND + [SOUND[-1]] * 3)).fired


def test_a_gauge_that_goes_on_scattering_does_not():
    sound = [*SOUND, 0.0261, 0.0334, 0.0288]
    assert detector(StuckGaugeDetector).report(history(sound)).score < 0.1


def test_a_gain_that_shrinks_scatters_less_and_is_not_stuck():
    shrunk = [x / 50 for x in (0.0311, 0.0271, 0.0339, 0.0296)]
    assert detector(StuckGaugeDetector).report(history(SOUND + shrunk)).score < 0.1


def test_a_report_in_few_decimals_may_repeat_itself():
    coarse = [0.03, 0.03, 0.04, 0.03, 0.02, 0.03, 0.03, 0.03, 0.03]
    assert detector(StuckGaugeDetector).report(history(coarse)).score < 0.2


@pytest.mark.parametrize(
    "now", [[0.0] * 4, [NAN] * 4, [0.03, 0.03, 0.03, NAN], [0.03, 0.03, math.inf, 0.03]]
)
def test_a_gauge_that_says_nothing_has_no_score(now):
    assert math.isnan(quiet_tail(now, SOUND))
    assert math.isnan(detector(StuckGaugeDetector).report(history(SOUND + now)).score)


@pytest.mark.parametrize("past", [[], [0.03, 0.02], [0.03] * 9, [NAN] * 9, [0.0] * 9])
def test_a_past_that_says_nothing_has_no_tail(past):
    assert math.isnan(quiet_tail([0.03, 0.03, 0.03, 0.03], past))


def test_without_gauges_there_is_nothing_to_score():
    rounds = [retested(i, gauges={}) for i in range(12)]
    assert math.isnan(detector(StuckGaugeDetector).report(rounds).score)


@given(st.integers(0, 2**32 - 1), st.integers(3, 12), st.floats(0.1, 3.0))
def test_the_tail_is_that_of_fishers_f(seed, past, spread):
    rng = np.random.default_rng(seed)
    y, x = rng.normal(5, 1, past), rng.normal(5, spread, 4)
    shrunk = min(1, abs(x.mean() / y.mean()))
    ratio = x.var(ddof=1) / y.var(ddof=1) / shrunk**2
    expected = stats.f.cdf(ratio, 3, past - 1)
    assert quiet_tail(x, y) == pytest.approx(expected, rel=1e-9, abs=1e-15)
