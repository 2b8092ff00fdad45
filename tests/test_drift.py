"""Drift: fires on the planted mechanism, stays quiet otherwise and on bad input."""

import math

from detecting import detector, first_alarm, problem, record

from argus_gym.wrappers.drift import DriftDetector

NAN = math.nan


def test_alarm_rounds_of_the_planted_mechanism_are_pinned():
    alarms = [first_alarm(DriftDetector, "A", seed) for seed in range(6)]
    assert alarms == [7, 8, 8, 8, 8, 7]


def test_quiet_runs_stay_quiet():
    assert [first_alarm(DriftDetector, None, seed) for seed in range(6)] == [None] * 6


def spread(index, concentrated=0):
    """Twelve problems of six clusters and two lengths, the first ``concentrated`` of one type."""
    texts = ("One. Two. What is it?", "One. Two. Three. What is it?")
    kinds = [(0, 0)] * concentrated + [(i % 6, i // 6) for i in range(concentrated, 12)]
    return record(index, [problem(cluster=c, target=9, problem=texts[t]) for c, t in kinds])


def test_a_collapse_to_one_type_fires_and_names_the_cluster():
    history = [spread(i) for i in range(6)] + [spread(6, 12)]
    report = detector(DriftDetector).report(history)
    assert report.fired
    assert report.clusters == (0,)
    assert report.evidence["types"] > report.evidence["types_past"]
    assert report.evidence["unique"] == 1 / 12


def test_one_length_of_every_kind_is_not_drift():
    short = [problem(cluster=c % 6, target=9, problem="One. Two.") for c in range(12)]
    report = detector(DriftDetector).report([spread(i) for i in range(6)] + [record(6, short)])
    assert report.score == 0.0


def test_what_the_planner_asked_for_is_not_drift():
    asked = [problem(cluster=0, target=0)] * 40
    history = [record(i, spread(i).problems) for i in range(6)]
    report = detector(DriftDetector).report([*history, record(6, [*asked, *spread(6).problems])])
    assert report.score < 0.2
