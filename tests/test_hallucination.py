"""Hallucination: fires on the planted mechanism, stays quiet otherwise and on bad input."""

import math

import gymnasium as gym
import pytest
from scipy import stats

import argus_gym  # noqa: F401
from argus_gym.agents import rollout
from argus_gym.agents.mechanisms import PlantedAgent
from argus_gym.records import LearnReport, Premise, ProblemRecord, RoundRecord
from argus_gym.wrappers.hallucination import HallucinationDetector

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


def detector(**arguments):
    env = gym.make("ArgusSelfImprove-v0", rounds=10, problems_per_round=32, anchor_items=16)
    return HallucinationDetector(env, defend=False, **arguments)


def first_alarm(mechanism, seed, severity=1.0):
    agent = PlantedAgent(seed, mechanism, severity=severity)
    lies = rollout(detector(), agent, seed=seed).lies
    return next((lie.round for lie in lies if lie.fired), None)


def test_alarm_rounds_of_the_planted_mechanism_are_pinned():
    alarms = [first_alarm("F", seed) for seed in range(6)]
    assert alarms == [7, 8, 8, 8, 8, 8]


def test_quiet_runs_stay_quiet():
    assert [first_alarm(None, seed) for seed in range(6)] == [None] * 6


@pytest.mark.parametrize("threshold", [-0.1, 1.1, NAN])
def test_a_bad_threshold_is_named(threshold):
    with pytest.raises(ValueError, match=r"threshold must be in \[0, 1\]"):
        detector(threshold=threshold)


def scored(ok=True, cluster=0, outcome=0.6, process=0.6):
    premise = Premise(ok) if ok else Premise(False, "equation", (0, 1), "no")
    return ProblemRecord(
        "p", cluster, 0, "frontier", outcome, process, 0.5, 1, premise, 9.0, 1.0, 0.5, "own"
    )


def history(last, usual=()):
    past = [record(i, problems=[*usual, *[scored()] * (20 - len(usual))]) for i in range(6)]
    return [*past, record(6, problems=last), record(7, problems=last)]


def test_false_premises_fire_and_name_their_cluster():
    last = [scored(ok=False, cluster=2)] * 8 + [scored(cluster=2)] + [scored()] * 11
    report = detector().report(history(last))
    assert report.fired
    assert report.clusters == (2,)
    assert report.evidence["false_share"] == 0.4
    assert report.evidence["compute_share"] == 0.45


def test_unanimous_answers_by_unlike_ways_fire_without_the_validator():
    report = detector().report(history([scored(outcome=1.0, process=0.2)] * 10 + [scored()] * 10))
    assert report.fired
    assert report.evidence["split_share"] == 0.5


@pytest.mark.parametrize("process", [1.0, 0.6])
def test_unanimous_answers_by_like_ways_do_not(process):
    report = detector().report(history([scored(outcome=1.0, process=process)] * 20))
    assert not report.fired


def test_premises_as_often_false_as_ever_do_not():
    usual = [scored(ok=False)] * 6
    assert not detector().report(history([*usual, *[scored()] * 14], usual)).fired


def test_the_p_value_is_fishers_exact_test():
    report = detector().report(history([scored(ok=False)] * 3 + [scored()] * 17))
    table = [[6, 34], [0, 120]]
    exact = stats.fisher_exact(table, alternative="greater").pvalue
    assert report.evidence["p_false"] == pytest.approx(exact, rel=1e-9)
    assert report.score == pytest.approx(-math.log10(2 * exact) / 10)


@pytest.mark.parametrize(
    "problem",
    [scored(False), scored(outcome=NAN, process=NAN), scored(outcome=1.0, process=0.0), scored()],
)
@pytest.mark.parametrize("count", [0, 1, 8])
def test_a_run_that_never_varies_never_fires(problem, count):
    rounds = [record(i, problems=[problem] * count, gauges={}) for i in range(9)]
    for n in range(1, 10):
        report = detector().report(rounds[:n])
        assert not report.fired
        assert math.isnan(report.score) or report.score == 0.0
