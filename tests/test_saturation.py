"""Saturation: fires on the planted mechanism, stays quiet otherwise and on bad input."""

import math

import pytest
from detecting import detector, first_alarm, problem, record
from scipy.stats import fisher_exact

from argus_gym.wrappers.saturation import SaturationDetector

NAN = math.nan


def test_alarm_rounds_of_the_planted_mechanism_are_pinned():
    alarms = [first_alarm(SaturationDetector, "E", seed) for seed in range(6)]
    assert alarms == [8, 8, 9, 8, 9, 8]


def test_quiet_runs_stay_quiet():
    assert [first_alarm(SaturationDetector, None, seed) for seed in range(6)] == [None] * 6


def zones(index, easy, frontier, hard, accuracy=NAN):
    counts = (("easy", easy), ("frontier", frontier), ("hard", hard))
    problems = [problem(zone=zone) for zone, count in counts for _ in range(count)]
    return record(index, problems, gauges={"anchor_accuracy": accuracy})


def test_p_is_fishers():
    history = [*(zones(i, 10, 10, 12) for i in range(5)), zones(5, 20, 6, 6), zones(6, 22, 4, 6)]
    report = detector(SaturationDetector).report(history)
    expected = fisher_exact([[42, 22], [50, 110]], alternative="greater").pvalue
    assert report.evidence["p"] == pytest.approx(expected, rel=1e-9)
    assert report.score == pytest.approx(-math.log10(expected) / 10)


def test_easy_problems_beside_a_whole_frontier_are_not_saturation():
    history = [*(zones(i, 10, 10, 12) for i in range(5)), *(zones(i, 20, 12, 0) for i in (5, 6))]
    assert detector(SaturationDetector).report(history).score == 0.0


@pytest.mark.parametrize(("accuracy", "fires"), [(0.5, False), (0.9, True)])
def test_anchors_have_to_confirm(accuracy, fires):
    history = [zones(i, 10, 10, 12, 0.5) for i in range(5)]
    history += [zones(i, 30, 1, 1, accuracy) for i in (5, 6)]
    assert detector(SaturationDetector).report(history).fired is fires
