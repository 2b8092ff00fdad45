"""Saturation: fires on the planted mechanism, stays quiet otherwise and on bad input."""

import math

import pytest
from detecting import detector, first_alarm, item, problem, record
from scipy.stats import fisher_exact

from argus_gym.wrappers.saturation import SaturationDetector


def test_alarm_rounds_of_the_planted_mechanism_are_pinned():
    alarms = [first_alarm(SaturationDetector, "E", seed) for seed in range(6)]
    assert alarms == [7, 7, 8, 7, 8, 7]


def test_quiet_runs_stay_quiet():
    assert [first_alarm(SaturationDetector, None, seed) for seed in range(6)] == [None] * 6


def zones(index, easy, frontier, hard, **changes):
    counts = (("easy", easy), ("frontier", frontier), ("hard", hard))
    problems = [problem(zone=zone) for zone, count in counts for _ in range(count)]
    return record(index, problems, **changes)


def test_p_is_fishers():
    history = [*(zones(i, 10, 10, 12) for i in range(5)), zones(5, 20, 6, 6), zones(6, 22, 4, 6)]
    report = detector(SaturationDetector).report(history)
    expected = fisher_exact([[42, 22], [50, 110]], alternative="greater").pvalue
    assert report.evidence["p"] == pytest.approx(expected, rel=1e-9)
    assert report.score == pytest.approx(-math.log10(expected) / 10)


def test_easy_problems_beside_a_whole_frontier_are_not_saturation():
    history = [*(zones(i, 10, 10, 12) for i in range(5)), *(zones(i, 20, 12, 0) for i in (5, 6))]
    assert detector(SaturationDetector).report(history).score == 0.0


@pytest.mark.parametrize(("agreement", "fires"), [(0.5, True), (0.9, False)])
def test_agreement_without_correctness_is_another_lie(agreement, fires):
    def anchored(index, share):
        items = [item(n, 4, 4, modes=(share, share + 0.01 * (index % 2))) for n in range(8)]
        return {"retests": tuple(items)}

    history = [zones(i, 10, 10, 12, **anchored(i, 0.5)) for i in range(5)]
    history += [zones(i, 30, 1, 1, **anchored(i, agreement)) for i in (5, 6)]
    assert detector(SaturationDetector).report(history).fired is fires
