"""Drift: fires on the planted mechanism, stays quiet otherwise and on bad input."""

import math

import gymnasium as gym
import pytest

import argus_gym  # noqa: F401
from argus_gym.agents import rollout
from argus_gym.agents.mechanisms import PlantedAgent
from argus_gym.records import LearnReport, Premise, ProblemRecord, RoundRecord
from argus_gym.wrappers.drift import DriftDetector

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
    return DriftDetector(env, defend=False, **arguments)


def first_alarm(mechanism, seed):
    env = detector()
    lies = rollout(env, PlantedAgent(seed, mechanism), seed=seed).lies
    return next((lie.round for lie in lies if lie.fired), None)


def test_alarm_rounds_of_the_planted_mechanism_are_pinned():
    alarms = [first_alarm("A", seed) for seed in range(6)]
    assert alarms == [8, 8, 9, 7, 8, 8]


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


def spread(index, concentrated=0):
    """Twelve problems of six clusters and two lengths, the first ``concentrated`` of one type."""
    texts = ("One. Two. What is it?", "One. Two. Three. What is it?")
    kinds = [(0, 0)] * concentrated + [(i % 6, i // 6) for i in range(concentrated, 12)]
    return record(index, [problem(cluster=c, target=9, problem=texts[t]) for c, t in kinds])


def test_a_collapse_to_one_type_fires_and_names_the_cluster():
    history = [spread(i) for i in range(6)] + [spread(6, 12)]
    report = detector().report(history)
    assert report.fired
    assert report.clusters == (0,)
    assert report.evidence["types"] > report.evidence["types_past"]
    assert report.evidence["unique"] == 1 / 12


def test_one_length_of_every_kind_is_not_drift():
    short = [problem(cluster=c % 6, target=9, problem="One. Two.") for c in range(12)]
    report = detector().report([spread(i) for i in range(6)] + [record(6, short)])
    assert report.score == 0.0


def test_what_the_planner_asked_for_is_not_drift():
    asked = [problem(cluster=0, target=0)] * 40
    history = [record(i, spread(i).problems) for i in range(6)]
    report = detector().report([*history, record(6, [*asked, *spread(6).problems])])
    assert report.score < 0.2
