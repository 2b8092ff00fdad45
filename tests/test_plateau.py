"""Plateau capture: fires on the planted mechanism, stays quiet otherwise and on bad input."""

import math

import gymnasium as gym
import pytest

import argus_gym  # noqa: F401
from argus_gym.agents import rollout
from argus_gym.agents.mechanisms import PlantedAgent
from argus_gym.records import LearnReport, Premise, ProblemRecord, RoundRecord
from argus_gym.wrappers.plateau import PlateauDetector

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
    return PlateauDetector(env, defend=False, **arguments)


def first_alarm(mechanism, seed):
    env = detector()
    lies = rollout(env, PlantedAgent(seed, mechanism), seed=seed).lies
    return next((lie.round for lie in lies if lie.fired), None)


def test_alarm_rounds_of_the_planted_mechanism_are_pinned():
    alarms = [first_alarm("G", seed) for seed in range(6)]
    assert alarms == [9, 8, 8, 8, 9, 9]


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


def aimed(index, strays, reward=0.5):
    """Twenty problems aimed at cluster 0: ``strays`` land in cluster 3, the others all over."""
    landed = [3] * strays + [c % 8 for c in range(20 - strays)]
    problems = [
        problem(cluster=c, target=0, combined=(reward if c == 3 else 0.5) + 0.01 * (i % 2))
        for i, c in enumerate(landed)
    ]
    return record(index, problems, map={"share": (0.1,) * 8, "velocity": (0.01,) * 8})


QUIET = [aimed(i, 2) for i in range(6)]


def test_a_cluster_that_takes_the_round_fires_and_is_named():
    report = detector().report([*QUIET, aimed(6, 16)])
    assert report.fired
    assert report.clusters == (3,)
    assert report.evidence["untargeted"] > 3 * report.evidence["expected"]
    assert report.evidence["velocity"] == 0.01


def test_a_cluster_that_improves_is_not_captured():
    assert not detector().report([*QUIET, aimed(6, 16, reward=0.9)]).fired


def test_what_the_planner_asks_for_is_not_capture():
    asked = record(6, [problem(cluster=3, target=3)] * 16 + [problem(cluster=1, target=0)] * 4)
    assert not detector().report([*QUIET, asked]).fired


def test_a_habit_of_one_target_is_expected():
    history = [aimed(i, 12) for i in range(7)]
    assert detector().report(history).score < 0.1
