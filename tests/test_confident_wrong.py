"""Confident wrong: fires on the planted mechanism, stays quiet otherwise and on bad input."""

import math
from dataclasses import replace

import numpy as np
import pytest
from detecting import detector, first_alarm, item, retested
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from argus_gym.wrappers.confident_wrong import (
    ConfidentWrongDetector,
    fisher_method,
    wrong_agreement,
)

NAN = math.nan


def test_alarm_rounds_of_the_planted_mechanism_are_pinned():
    alarms = [first_alarm(ConfidentWrongDetector, "J", seed) for seed in range(6)]
    assert alarms == [8, 7, 8, 8, 8, 8]


def test_quiet_runs_stay_quiet():
    assert [first_alarm(ConfidentWrongDetector, None, seed) for seed in range(6)] == [None] * 6


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
        out.append(retested(i, retests))
    return out


def test_agreement_on_wrong_answers_fires_where_it_happens():
    report = detector(ConfidentWrongDetector).report(settling(3))
    assert report.fired
    assert report.clusters == (0, 1)
    assert report.evidence["agreed_wrong"] == pytest.approx(6 / 9)


def test_agreement_on_right_answers_does_not_fire():
    assert detector(ConfidentWrongDetector).report(settling(3, wrong=False)).score == 0.0


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
    rounds = [retested(r.round, [replace(i, anchor=False) for i in r.retests]) for r in settling(3)]
    assert math.isnan(detector(ConfidentWrongDetector).report(rounds).score)
