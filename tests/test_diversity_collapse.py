"""Diversity collapse: fires on the planted mechanism, stays quiet otherwise and on bad input."""

import math
from itertools import combinations

import numpy as np
import pytest
from detecting import detector, first_alarm, item, retested

from argus_gym.wrappers.diversity_collapse import DiversityCollapseDetector, added, solved

NAN = math.nan


def test_alarm_rounds_of_the_planted_mechanism_are_pinned():
    alarms = [first_alarm(DiversityCollapseDetector, "K", seed) for seed in range(6)]
    assert alarms == [8, 8, 7, 8, 7, 8]


def test_quiet_runs_stay_quiet():
    assert [first_alarm(DiversityCollapseDetector, None, seed) for seed in range(6)] == [None] * 6


def collapsing(rights):
    """Eight anchors at 2 to 6 of 8 for seven rounds, then at the counts of ``rights``."""
    past = [[2 + n % 5 + (i + n) % 2 for n in range(8)] for i in range(8)]
    counts = past + rights
    return [
        retested(i, [item(n, counts[i][n], counts[i + 1][n]) for n in range(8)])
        for i in range(len(counts) - 1)
    ]


ALL_OR_NOTHING = [[0, 8, 1, 7, 8, 0, 8, 2], [0, 8, 0, 8, 8, 0, 8, 0], [0, 8, 0, 8, 8, 0, 8, 0]]


def test_counts_that_become_all_or_nothing_fire():
    report = detector(DiversityCollapseDetector).report(collapsing(ALL_OR_NOTHING))
    assert report.fired
    assert report.evidence["pass_1"] == report.evidence["pass_all"] == 0.5
    assert report.evidence["slope_all"] < 0


def test_a_fall_of_both_is_another_lie():
    assert (
        detector(DiversityCollapseDetector).report(collapsing([[1] * 8, [0] * 8, [0] * 8])).score
        == 0.0
    )


def test_a_rise_of_both_is_none():
    assert (
        detector(DiversityCollapseDetector).report(collapsing([[7] * 8, [8] * 8, [8] * 8])).score
        == 0.0
    )


@pytest.mark.parametrize("chains", [2, 5, 8])
def test_the_values_are_the_share_of_subsets_with_a_right_chain(chains):
    right = np.arange(chains + 1)
    counts = right, np.full(chains + 1, chains), np.ones(chains + 1)

    def brute(k):
        solved_by = [list(combinations([i < r for i in range(chains)], k)) for r in right]
        return np.array([sum(map(any, subsets)) / len(subsets) for subsets in solved_by])

    assert solved(*counts) == pytest.approx(brute(chains))
    assert added(*counts) == pytest.approx(brute(chains // 2) - brute(1))


def test_one_chain_an_item_says_nothing():
    rounds = [retested(i, [item(n, i % 2, 1, chains=1) for n in range(6)]) for i in range(9)]
    assert math.isnan(detector(DiversityCollapseDetector).report(rounds).score)
