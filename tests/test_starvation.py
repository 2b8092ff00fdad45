"""Compute starvation: fires on the planted mechanism, stays quiet otherwise and on bad input."""

import math

import pytest
from detecting import detector, first_alarm, problem, record

from argus_gym.records import LearnReport
from argus_gym.wrappers.starvation import StarvationDetector

NAN = math.nan


def test_alarm_rounds_of_the_planted_mechanism_are_pinned():
    alarms = [first_alarm(StarvationDetector, "C", seed) for seed in range(6)]
    assert alarms == [7, 7, 7, 7, None, 7]


def test_quiet_runs_stay_quiet():
    assert [first_alarm(StarvationDetector, None, seed) for seed in range(6)] == [None] * 6


def step(index, train, heldout):
    report = LearnReport((0.6, 0.6 - train), (0.6, 0.6 - heldout), (0.5, 0.4))
    return record(index, [problem()], report=report, trained=12, replayed=4, heldout=6)


QUIET = [step(i, 0.025, 0.02 + 0.001 * (-1) ** i) for i in range(7)]


def test_two_rounds_without_a_heldout_gain_fire():
    report = detector(StarvationDetector).report([*QUIET, step(7, 0.03, 0.0), step(8, 0.05, 0.0)])
    assert report.fired
    assert report.evidence["heldout"] == 0
    assert report.evidence["replay_share"] == 0.25
    assert report.evidence["replay_gap"] == pytest.approx(0.1)


def test_one_odd_round_does_not():
    assert not detector(StarvationDetector).report([*QUIET, step(7, 0.03, -0.2)]).fired
    assert (
        not detector(StarvationDetector)
        .report([*QUIET, step(7, 0.03, -0.2), step(8, 0.025, 0.02)])
        .fired
    )


def test_a_learner_that_slows_down_does_not():
    history = [*QUIET, step(7, 0.0025, 0.002), step(8, 0.0025, 0.002)]
    assert detector(StarvationDetector).report(history).score < 0.1


def test_a_learner_that_trains_for_nothing_at_all_is_not_memorising():
    assert (
        detector(StarvationDetector).report([*QUIET, step(7, 0.0, 0.0), step(8, -0.01, 0.0)]).score
        == 0.0
    )


def test_without_heldout_pairs_there_is_no_score():
    report = LearnReport((0.6, 0.5), (NAN, NAN), (NAN, NAN))
    history = [record(i, [problem()], report=report) for i in range(9)]
    assert math.isnan(detector(StarvationDetector).report(history).score)
