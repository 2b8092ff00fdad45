"""Saturation: fires on the planted mechanism, stays quiet otherwise and on bad input."""

import math

import gymnasium as gym
import pytest
from scipy.stats import fisher_exact

import argus_gym  # noqa: F401
from argus_gym.agents import rollout
from argus_gym.agents.mechanisms import PlantedAgent
from argus_gym.records import LearnReport, Premise, ProblemRecord, RoundRecord
from argus_gym.wrappers.saturation import SaturationDetector

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
    return SaturationDetector(env, defend=False, **arguments)


def first_alarm(mechanism, seed):
    env = detector()
    lies = rollout(env, PlantedAgent(seed, mechanism), seed=seed).lies
    return next((lie.round for lie in lies if lie.fired), None)


def test_alarm_rounds_of_the_planted_mechanism_are_pinned():
    alarms = [first_alarm("E", seed) for seed in range(6)]
    assert alarms == [8, 8, 9, 8, 9, 8]


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


def zones(index, easy, frontier, hard, accuracy=NAN):
    counts = (("easy", easy), ("frontier", frontier), ("hard", hard))
    problems = [problem(zone=zone) for zone, count in counts for _ in range(count)]
    return record(index, problems, gauges={"anchor_accuracy": accuracy})


def test_p_is_fishers():
    history = [*(zones(i, 10, 10, 12) for i in range(5)), zones(5, 20, 6, 6), zones(6, 22, 4, 6)]
    report = detector().report(history)
    expected = fisher_exact([[42, 22], [50, 110]], alternative="greater").pvalue
    assert report.evidence["p"] == pytest.approx(expected, rel=1e-9)
    assert report.score == pytest.approx(-math.log10(expected) / 10)


def test_easy_problems_beside_a_whole_frontier_are_not_saturation():
    history = [*(zones(i, 10, 10, 12) for i in range(5)), *(zones(i, 20, 12, 0) for i in (5, 6))]
    assert detector().report(history).score == 0.0


@pytest.mark.parametrize(("accuracy", "fires"), [(0.5, False), (0.9, True)])
def test_anchors_have_to_confirm(accuracy, fires):
    history = [zones(i, 10, 10, 12, 0.5) for i in range(5)]
    history += [zones(i, 30, 1, 1, accuracy) for i in (5, 6)]
    assert detector().report(history).fired is fires
