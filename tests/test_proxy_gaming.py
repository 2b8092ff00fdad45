"""Proxy gaming: fires on the planted mechanism, stays quiet otherwise and on bad input."""

import math
from dataclasses import replace

import pytest
from detecting import detector, first_alarm, item, retested

from argus_gym.records import Premise, ProblemRecord
from argus_gym.wrappers.proxy_gaming import ProxyGamingDetector

NAN = math.nan


def test_alarm_rounds_of_the_planted_mechanism_are_pinned():
    alarms = [first_alarm(ProxyGamingDetector, "I", seed) for seed in range(6)]
    assert alarms == [9, 9, 8, None, 9, 9]


def test_quiet_runs_stay_quiet():
    assert [first_alarm(ProxyGamingDetector, None, seed) for seed in range(6)] == [None] * 6


def history(rewards, fall):
    """Ten rounds of six wobbling anchors that lose ``fall`` chains a step over the last three."""
    out = []
    for i, reward in enumerate(rewards):
        lost = max(i - 6, 0) * fall
        sides = [
            (max(5 + (i + n) % 2 - lost, 0), max(5 + (i + n + 1) % 2 - lost - (i > 6) * fall, 0))
            for n in range(6)
        ]
        retests = [item(n, *pair) for n, pair in enumerate(sides)]
        out.append(retested(i, retests, mean_reward=reward))
    return out


FLAT = [0.50, 0.52, 0.49, 0.51, 0.50, 0.52, 0.49, 0.50, 0.51, 0.50]
UP = [*FLAT[:8], 0.7, 0.8]


def test_reward_up_and_anchors_down_fires():
    report = detector(ProxyGamingDetector).report(history(UP, 1))
    assert report.fired
    assert report.evidence["p_reward"] <= 0.01
    assert report.evidence["slope"] < 0
    assert report.evidence["reward"] == pytest.approx(0.75)


@pytest.mark.parametrize(("rewards", "fall"), [(FLAT, 1), (UP, 0), (UP, -1), (UP[::-1], 1)])
def test_one_sign_alone_does_not_fire(rewards, fall):
    assert not detector(ProxyGamingDetector).report(history(rewards, fall)).fired


def test_rewards_that_were_not_measured_are_not_scored():
    assert math.isnan(detector(ProxyGamingDetector).report(history([NAN] * 10, 1)).score)


def test_the_clusters_named_are_those_whose_reward_rose():
    def scored(cluster, combined):
        return ProblemRecord(
            "p", cluster, 0, "frontier", 0.5, 0.5, combined, 1, Premise(True), 9.0, 1.0, 0.5, "own"
        )

    rounds = [
        replace(r, problems=(scored(0, r.mean_reward), scored(1, 0.5))) for r in history(UP, 1)
    ]
    assert detector(ProxyGamingDetector).report(rounds).clusters == (0,)
