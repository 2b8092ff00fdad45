"""Compute starvation: fires on the planted mechanism, stays quiet otherwise and on bad input."""

import math

import gymnasium as gym
import pytest

import argus_gym  # noqa: F401
from argus_gym.agents import rollout
from argus_gym.agents.mechanisms import PlantedAgent
from argus_gym.records import LearnReport, Premise, ProblemRecord, RoundRecord
from argus_gym.wrappers.starvation import StarvationDetector

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
    return StarvationDetector(env, defend=False, **arguments)


def first_alarm(mechanism, seed):
    env = detector()
    lies = rollout(env, PlantedAgent(seed, mechanism), seed=seed).lies
    return next((lie.round for lie in lies if lie.fired), None)


def test_alarm_rounds_of_the_planted_mechanism_are_pinned():
    alarms = [first_alarm("C", seed) for seed in range(6)]
    assert alarms == [7, None, 7, 7, 7, 7]


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


def step(index, train, heldout):
    report = LearnReport((0.6, 0.6 - train), (0.6, 0.6 - heldout), (0.5, 0.4))
    return record(index, [problem()], report=report, trained=12, replayed=4, heldout=6)


QUIET = [step(i, 0.025, 0.02 + 0.001 * (-1) ** i) for i in range(7)]


def test_two_rounds_without_a_heldout_gain_fire():
    report = detector().report([*QUIET, step(7, 0.03, 0.0), step(8, 0.05, 0.0)])
    assert report.fired
    assert report.evidence["heldout"] == 0
    assert report.evidence["replay_share"] == 0.25
    assert report.evidence["replay_gap"] == pytest.approx(0.1)


def test_one_odd_round_does_not():
    assert not detector().report([*QUIET, step(7, 0.03, -0.2)]).fired
    assert not detector().report([*QUIET, step(7, 0.03, -0.2), step(8, 0.025, 0.02)]).fired


def test_a_learner_that_slows_down_does_not():
    history = [*QUIET, step(7, 0.0025, 0.002), step(8, 0.0025, 0.002)]
    assert detector().report(history).score < 0.1


def test_a_learner_that_trains_for_nothing_at_all_is_not_memorising():
    assert detector().report([*QUIET, step(7, 0.0, 0.0), step(8, -0.01, 0.0)]).score == 0.0


def test_without_heldout_pairs_there_is_no_score():
    report = LearnReport((0.6, 0.5), (NAN, NAN), (NAN, NAN))
    history = [record(i, [problem()], report=report) for i in range(9)]
    assert math.isnan(detector().report(history).score)
