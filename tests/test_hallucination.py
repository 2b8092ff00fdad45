"""Hallucination: fires on the planted mechanism, stays quiet otherwise and on bad input."""

import math

import pytest
from detecting import detector, first_alarm, retested
from scipy import stats

from argus_gym.records import Premise, ProblemRecord
from argus_gym.wrappers.hallucination import HallucinationDetector

NAN = math.nan


def test_alarm_rounds_of_the_planted_mechanism_are_pinned():
    alarms = [first_alarm(HallucinationDetector, "F", seed) for seed in range(6)]
    assert alarms == [7, 8, 8, 8, 8, 8]


def test_quiet_runs_stay_quiet():
    assert [first_alarm(HallucinationDetector, None, seed) for seed in range(6)] == [None] * 6


def scored(ok=True, cluster=0, outcome=0.6, process=0.6):
    premise = Premise(ok) if ok else Premise(False, "equation", (0, 1), "no")
    return ProblemRecord(
        "p", cluster, 0, "frontier", outcome, process, 0.5, 1, premise, 9.0, 1.0, 0.5, "own"
    )


def history(last, usual=()):
    past = [retested(i, problems=[*usual, *[scored()] * (20 - len(usual))]) for i in range(6)]
    return [*past, retested(6, problems=last), retested(7, problems=last)]


def test_false_premises_fire_and_name_their_cluster():
    last = [scored(ok=False, cluster=2)] * 8 + [scored(cluster=2)] + [scored()] * 11
    report = detector(HallucinationDetector).report(history(last))
    assert report.fired
    assert report.clusters == (2,)
    assert report.evidence["false_share"] == 0.4
    assert report.evidence["compute_share"] == 0.45


def test_unanimous_answers_by_unlike_ways_fire_without_the_validator():
    report = detector(HallucinationDetector).report(
        history([scored(outcome=1.0, process=0.2)] * 10 + [scored()] * 10)
    )
    assert report.fired
    assert report.evidence["split_share"] == 0.5


@pytest.mark.parametrize("process", [1.0, 0.6])
def test_unanimous_answers_by_like_ways_do_not(process):
    report = detector(HallucinationDetector).report(
        history([scored(outcome=1.0, process=process)] * 20)
    )
    assert not report.fired


def test_premises_as_often_false_as_ever_do_not():
    usual = [scored(ok=False)] * 6
    assert (
        not detector(HallucinationDetector).report(history([*usual, *[scored()] * 14], usual)).fired
    )


def test_the_p_value_is_fishers_exact_test():
    report = detector(HallucinationDetector).report(
        history([scored(ok=False)] * 3 + [scored()] * 17)
    )
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
    rounds = [retested(i, problems=[problem] * count, gauges={}) for i in range(9)]
    for n in range(1, 10):
        report = detector(HallucinationDetector).report(rounds[:n])
        assert not report.fired
        assert math.isnan(report.score) or report.score == 0.0
