"""Novelty collapse: fires on the planted mechanism, stays quiet otherwise and on bad input."""

import math

import gymnasium as gym
import pytest

import argus_gym  # noqa: F401
from argus_gym.agents import rollout
from argus_gym.agents.mechanisms import PlantedAgent
from argus_gym.records import LearnReport, Premise, ProblemRecord, RetestItem, RoundRecord
from argus_gym.wrappers.novelty import NoveltyDetector

NAN = math.nan


def problem(**changes):
    fields = {
        "problem": "Add 1 and 2. What is it?",
        "cluster": 0,
        "target": 1,
        "zone": "frontier",
        "outcome": 0.6,
        "process": 0.5,
        "combined": 0.55,
        "answer": 3,
        "premise": Premise(True),
        "length_mean": 20.0,
        "length_sd": 2.0,
        "variety": 0.5,
        "source": "own",
    }
    return ProblemRecord(**(fields | changes))


def record(index, problems, **changes):
    fields = {
        "round": index,
        "problems": tuple(problems),
        "retests": (),
        "report": LearnReport(),
        "trained": 0,
        "replayed": 0,
        "heldout": 0,
        "mean_reward": 0.5,
        "skill": 0.5,
        "gauges": {},
        "map": {},
        "request": (14.0, 1.0),
        "answers": {},
        "tokens": {},
    }
    return RoundRecord(**(fields | changes))


def detector(**arguments):
    env = gym.make("ArgusSelfImprove-v0", rounds=10, problems_per_round=32, anchor_items=16)
    return NoveltyDetector(env, defend=False, **arguments)


def first_alarm(mechanism, seed):
    env = detector()
    lies = rollout(env, PlantedAgent(seed, mechanism), seed=seed).lies
    return next((lie.round for lie in lies if lie.fired), None)


def test_alarm_rounds_of_the_planted_mechanism_are_pinned():
    alarms = [first_alarm("B", seed) for seed in range(6)]
    assert alarms == [7, 8, 7, 7, 8, 7]


def test_quiet_runs_stay_quiet():
    assert [first_alarm(None, seed) for seed in range(6)] == [None] * 6


@pytest.mark.parametrize("threshold", [-0.1, 1.1, NAN])
def test_a_bad_threshold_is_named(threshold):
    with pytest.raises(ValueError, match=r"threshold must be in \[0, 1\]"):
        detector(threshold=threshold)


@pytest.mark.parametrize(
    "changes",
    [
        {"zone": "easy", "outcome": 1.0, "process": 1.0, "combined": 1.0, "variety": 1 / 14},
        {"zone": "hard", "outcome": 1 / 14, "process": 0.0, "combined": 1 / 28, "variety": 1.0},
        {"outcome": NAN, "process": NAN, "combined": NAN, "variety": NAN, "length_sd": NAN},
        {"target": 0},
        {"premise": Premise(False, "equation", (0, 1), "no")},
        {"problem": "", "answer": None, "length_mean": 0.0, "length_sd": 0.0},
    ],
)
@pytest.mark.parametrize("count", [0, 1, 8])
def test_a_run_that_never_varies_never_fires(changes, count):
    gauges = {"anchor_accuracy": NAN, "epi_train": NAN}
    history = [
        record(i, [problem(**changes)] * count, gauges=gauges, defences=("harder",) * (i > 5))
        for i in range(11)
    ]
    watcher = detector()
    for rounds in range(1, 12):
        report = watcher.report(history[:rounds])
        assert not report.fired
        assert math.isnan(report.score) or 0 <= report.score < 0.2


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
    report = detector().report(history({"variety": 1 / 14, "length_sd": 0.0, "outcome": 1.0}))
    assert report.fired
    assert report.evidence["variety"] < report.evidence["variety_past"]


def test_lost_spread_of_length_alone_fires():
    assert detector().report(history({"length_sd": 0.0, "outcome": 0.9})).fired


def test_agreement_that_anchors_confirm_is_not_this_lie():
    collapsed = {"variety": 1 / 14, "length_sd": 0.0, "outcome": 1.0}
    earned = (anchor(8, 1.0), anchor(8, 1.0))
    unearned = (anchor(4, 1.0), anchor(5, 1.0))
    assert detector().report(history(collapsed, earned)).score == 0.0
    assert detector().report(history(collapsed, unearned)).fired


def test_chains_that_lost_agreement_are_not_this_lie():
    report = detector().report(history({"variety": 1 / 14, "length_sd": 0.0, "outcome": 0.1}))
    assert report.score == 0.0


def test_short_problems_leave_less_to_vary():
    mixed = [problem(length_mean=10.0 * n, length_sd=n, variety=0.1 * n) for n in range(1, 8)]
    short = [problem(length_mean=20.0, length_sd=2.0, variety=0.2)] * 7
    report = detector().report([*(record(i, mixed) for i in range(6)), record(6, short)])
    assert report.evidence["variety"] < report.evidence["variety_past"]
    assert report.score < 0.1
