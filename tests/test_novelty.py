"""Novelty collapse: fires on the planted mechanism, stays quiet otherwise and on bad input."""

import math

from detecting import detector, first_alarm, problem, record

from argus_gym.records import RetestItem
from argus_gym.wrappers.novelty import NoveltyDetector

NAN = math.nan


def test_alarm_rounds_of_the_planted_mechanism_are_pinned():
    alarms = [first_alarm(NoveltyDetector, "B", seed) for seed in range(6)]
    assert alarms == [7, 7, 7, 8, 8, 8]


def test_quiet_runs_stay_quiet():
    assert [first_alarm(NoveltyDetector, None, seed) for seed in range(6)] == [None] * 6


def anchor(right, outcome):
    return RetestItem("x", 0, True, 8, right, right, outcome, outcome)


def history(last, anchors=None):
    """Six varied rounds and one with ``last``, each with the same anchors unless ``anchors``."""
    wobble = [0.48, 0.5, 0.52, 0.49, 0.51, 0.5]
    quiet = (anchor(4, 0.6), anchor(5, 0.7))
    rounds = [
        record(i, [problem(variety=v, length_sd=8 * v)] * 8, retests=quiet if anchors else ())
        for i, v in enumerate(wobble)
    ]
    return [*rounds, record(6, [problem(**last)] * 8, retests=anchors or ())]


def test_lost_variety_with_high_agreement_fires():
    report = detector(NoveltyDetector).report(
        history({"variety": 1 / 14, "length_sd": 0.0, "outcome": 1.0})
    )
    assert report.fired
    assert report.evidence["variety"] < report.evidence["variety_past"]


def test_lost_spread_of_length_alone_fires():
    assert detector(NoveltyDetector).report(history({"length_sd": 0.0, "outcome": 0.9})).fired


def test_agreement_that_anchors_confirm_is_not_this_lie():
    collapsed = {"variety": 1 / 14, "length_sd": 0.0, "outcome": 1.0}
    earned = (anchor(8, 1.0), anchor(8, 1.0))
    unearned = (anchor(4, 1.0), anchor(5, 1.0))
    assert detector(NoveltyDetector).report(history(collapsed, earned)).score == 0.0
    assert detector(NoveltyDetector).report(history(collapsed, unearned)).fired


def test_chains_that_lost_agreement_are_not_this_lie():
    report = detector(NoveltyDetector).report(
        history({"variety": 1 / 14, "length_sd": 0.0, "outcome": 0.1})
    )
    assert report.score == 0.0


def test_short_problems_leave_less_to_vary():
    mixed = [problem(length_mean=10.0 * n, length_sd=n, variety=0.1 * n) for n in range(1, 8)]
    short = [problem(length_mean=20.0, length_sd=2.0, variety=0.2)] * 7
    report = detector(NoveltyDetector).report(
        [*(record(i, mixed) for i in range(6)), record(6, short)]
    )
    assert report.evidence["variety"] < report.evidence["variety_past"]
    assert report.score < 0.1
