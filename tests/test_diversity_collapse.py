"""Diversity collapse: fires on the planted mechanism, stays quiet otherwise and on bad input."""

import math
from itertools import combinations

import gymnasium as gym
import numpy as np
import pytest

import argus_gym  # noqa: F401
from argus_gym.agents import rollout
from argus_gym.agents.mechanisms import PlantedAgent
from argus_gym.records import LearnReport, RetestItem, RoundRecord
from argus_gym.wrappers.diversity_collapse import DiversityCollapseDetector, added, solved

NAN = math.nan


def record(index, items=(), **changes):
    fields = {
        "round": index,
        "problems": (),
        "retests": tuple(items),
        "report": LearnReport(),
        "trained": 0,
        "replayed": 0,
        "heldout": 0,
        "mean_reward": 0.5,
        "skill": 0.5,
        "gauges": {"epi_train": 0.02, "epi_heldout": 0.01},
        "map": {},
        "request": (14.0, 1.0),
        "answers": {},
        "tokens": {},
    }
    return RoundRecord(**(fields | changes))


def item(name, before, after, cluster=0, anchor=True, chains=8, modes=(None, None)):
    shares = [
        max(right, chains - right) / chains if mode is None else mode
        for right, mode in zip((before, after), modes, strict=True)
    ]
    return RetestItem(f"item {name}", cluster, anchor, chains, before, after, *shares)


def detector(**arguments):
    env = gym.make("ArgusSelfImprove-v0", rounds=10, problems_per_round=32, anchor_items=16)
    return DiversityCollapseDetector(env, defend=False, **arguments)


def first_alarm(mechanism, seed, severity=1.0):
    agent = PlantedAgent(seed, mechanism, severity=severity)
    lies = rollout(detector(), agent, seed=seed).lies
    return next((lie.round for lie in lies if lie.fired), None)


def test_alarm_rounds_of_the_planted_mechanism_are_pinned():
    alarms = [first_alarm("K", seed) for seed in range(6)]
    assert alarms == [9, 9, 7, 8, 9, 7]


def test_quiet_runs_stay_quiet():
    assert [first_alarm(None, seed) for seed in range(6)] == [None] * 6


@pytest.mark.parametrize("threshold", [-0.1, 1.1, NAN])
def test_a_bad_threshold_is_named(threshold):
    with pytest.raises(ValueError, match=r"threshold must be in \[0, 1\]"):
        detector(threshold=threshold)


@pytest.mark.parametrize("gauge", [0.02, 0.0, NAN])
@pytest.mark.parametrize("right", [0, 3, 8])
@pytest.mark.parametrize("count", [0, 1, 8])
def test_a_run_that_never_varies_never_fires(count, right, gauge):
    gauges = {"epi_train": gauge, "epi_heldout": NAN}
    history = [
        record(i, [item(n, right, right, n % 3) for n in range(count)], gauges=gauges)
        for i in range(9)
    ]
    watcher = detector()
    for rounds in range(1, 10):
        report = watcher.report(history[:rounds])
        assert not report.fired
        assert math.isnan(report.score) or report.score == 0.0


def collapsing(rights):
    """Eight anchors at 2 to 6 of 8 for seven rounds, then at the counts of ``rights``."""
    past = [[2 + n % 5 + (i + n) % 2 for n in range(8)] for i in range(8)]
    counts = past + rights
    return [
        record(i, [item(n, counts[i][n], counts[i + 1][n]) for n in range(8)])
        for i in range(len(counts) - 1)
    ]


ALL_OR_NOTHING = [[0, 8, 1, 7, 8, 0, 8, 2], [0, 8, 0, 8, 8, 0, 8, 0], [0, 8, 0, 8, 8, 0, 8, 0]]


def test_counts_that_become_all_or_nothing_fire():
    report = detector().report(collapsing(ALL_OR_NOTHING))
    assert report.fired
    assert report.evidence["pass_1"] == report.evidence["pass_all"] == 0.5
    assert report.evidence["slope_all"] < 0


def test_a_fall_of_both_is_another_lie():
    assert detector().report(collapsing([[1] * 8, [0] * 8, [0] * 8])).score == 0.0


def test_a_rise_of_both_is_none():
    assert detector().report(collapsing([[7] * 8, [8] * 8, [8] * 8])).score == 0.0


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
    rounds = [record(i, [item(n, i % 2, 1, chains=1) for n in range(6)]) for i in range(9)]
    assert math.isnan(detector().report(rounds).score)
