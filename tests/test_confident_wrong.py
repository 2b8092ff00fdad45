"""Confident wrong: fires on the planted mechanism, stays quiet otherwise and on bad input."""

import math
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import argus_gym  # noqa: F401
from argus_gym.agents import rollout
from argus_gym.agents.mechanisms import PlantedAgent
from argus_gym.records import LearnReport, RetestItem, RoundRecord
from argus_gym.wrappers.confident_wrong import (
    ConfidentWrongDetector,
    fisher_method,
    wrong_agreement,
)

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
    return ConfidentWrongDetector(env, defend=False, **arguments)


def first_alarm(mechanism, seed, severity=1.0):
    agent = PlantedAgent(seed, mechanism, severity=severity)
    lies = rollout(detector(), agent, seed=seed).lies
    return next((lie.round for lie in lies if lie.fired), None)


def test_alarm_rounds_of_the_planted_mechanism_are_pinned():
    alarms = [first_alarm("J", seed) for seed in range(6)]
    assert alarms == [8, 8, 8, 7, 8, 9]


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


def settling(steps, wrong=True):
    """Clusters 0 and 1 settle on an answer over ``steps`` rounds, cluster 2 wobbles."""
    out = []
    for i in range(7 + steps):
        at = [max(i + side - 6, 0) for side in (0, 1)]
        retests = []
        for n in range(9):
            wobble = [(i + n + side) % 2 for side in (0, 1)]
            right, modes = [3 + w for w in wobble], [(4 + w) / 8 for w in wobble]
            if n % 3 < 2:
                shift = [-min(a, 3) if wrong else min(a, 4) for a in at]
                right = [r + s for r, s in zip(right, shift, strict=True)]
                modes = [min(4 + 2 * a, 8) / 8 if a else m for a, m in zip(at, modes, strict=True)]
            retests.append(item(n, *right, cluster=n % 3, modes=modes))
        out.append(record(i, retests))
    return out


def test_agreement_on_wrong_answers_fires_where_it_happens():
    report = detector().report(settling(3))
    assert report.fired
    assert report.clusters == (0, 1)
    assert report.evidence["agreed_wrong"] == pytest.approx(6 / 9)


def test_agreement_on_right_answers_does_not_fire():
    assert detector().report(settling(3, wrong=False)).score == 0.0


@pytest.mark.parametrize(
    ("right", "outcome", "value"),
    [(8, 1.0, -1.0), (0, 1.0, 1.0), (0, 0.125, 0.125), (2, 0.75, 0.25), (4, 0.5, -0.5)],
)
def test_the_value_is_what_is_paid_for_error_less_what_is_known(right, outcome, value):
    counts = np.array([right]), np.array([8])
    assert wrong_agreement(*counts, np.array([outcome])).tolist() == [value]


@given(st.lists(st.floats(1e-12, 1.0), min_size=1, max_size=12))
def test_the_combination_is_fishers(tails):
    assert fisher_method(tails) == pytest.approx(stats.combine_pvalues(tails).pvalue, rel=1e-9)


def test_nothing_to_combine_is_not_a_number():
    assert math.isnan(fisher_method([])) and math.isnan(fisher_method([NAN]))


def test_only_anchors_are_read():
    rounds = [record(r.round, [replace(i, anchor=False) for i in r.retests]) for r in settling(3)]
    assert math.isnan(detector().report(rounds).score)
