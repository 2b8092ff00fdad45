"""Plateau capture: fires on the planted mechanism, stays quiet otherwise and on bad input."""

import math

from detecting import detector, first_alarm, problem, record

from argus_gym.wrappers.plateau import PlateauDetector

NAN = math.nan


def test_alarm_rounds_of_the_planted_mechanism_are_pinned():
    alarms = [first_alarm(PlateauDetector, "G", seed) for seed in range(6)]
    assert alarms == [8, 8, 7, 8, 9, 8]


def test_quiet_runs_stay_quiet():
    assert [first_alarm(PlateauDetector, None, seed) for seed in range(6)] == [None] * 6


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
    report = detector(PlateauDetector).report([*QUIET, aimed(6, 16)])
    assert report.fired
    assert report.clusters == (3,)
    assert report.evidence["untargeted"] > 3 * report.evidence["expected"]
    assert report.evidence["velocity"] == 0.01


def test_a_cluster_that_improves_is_not_captured():
    assert not detector(PlateauDetector).report([*QUIET, aimed(6, 16, reward=0.9)]).fired


def test_what_the_planner_asks_for_is_not_capture():
    asked = record(6, [problem(cluster=3, target=3)] * 16 + [problem(cluster=1, target=0)] * 4)
    assert not detector(PlateauDetector).report([*QUIET, asked]).fired


def test_a_habit_of_one_target_is_expected():
    history = [aimed(i, 12) for i in range(7)]
    assert detector(PlateauDetector).report(history).score < 0.1
