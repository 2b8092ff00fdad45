"""Misgrading: fires on the lying evaluator, stays quiet on any honest one and on bad input."""

import math
from fractions import Fraction
from itertools import combinations_with_replacement

import pytest
from detecting import detector, item, retested, world_alarm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from argus_gym import answers, consensus
from argus_gym.benchmarks.worlds import WORLDS
from argus_gym.records import Chain
from argus_gym.wrappers.misgrading import MisgradingDetector, impossible, misgraded


def test_alarm_rounds_of_the_lying_evaluator_are_pinned():
    world = WORLDS["misgrading"]()
    assert [world_alarm(MisgradingDetector, world, seed) for seed in range(2)] == [6, 6]


def test_its_honest_twin_stays_quiet():
    world = WORLDS["misgrading"]()
    assert world_alarm(MisgradingDetector, world, 0, 0.0) is None


@given(
    st.lists(st.integers(0, 4) | st.none() | st.sampled_from(["x", "y"]), min_size=1, max_size=14),
    st.integers(0, 4) | st.sampled_from(["x", "y"]),
)
def test_no_honest_grader_is_ever_caught(stated, known):
    chains = [Chain("", answer) for answer in stated]
    outcome = consensus.score(chains).outcome
    right = sum(answers.right(chain, known) for chain in chains)
    assert not impossible(right, round(outcome * len(chains)), len(chains))


@pytest.mark.parametrize("chains", range(1, 9))
def test_every_count_it_lets_pass_can_be_honest(chains):
    honest = set()
    for answer in combinations_with_replacement(range(chains + 1), chains):
        counts = [answer.count(value) for value in range(1, chains + 1)]  # 0 states none
        honest |= {(right, max(counts)) for right in {*counts, 0}}
    for modal in range(chains + 1):
        for right in range(chains + 1):
            assert impossible(right, modal, chains) == ((right, modal) not in honest)


def side(name, right, modal, chains=8):
    """Return an item honest before the step, and after it with this count and this mode."""
    return item(name, 4, right, name % 3, chains=chains, modes=(None, modal / chains))


def test_more_right_than_agree_fires_and_names_the_clusters():
    honest = retested(0, [side(n, 5, 5) for n in range(24)])
    lying = retested(1, [side(n, 6 if n % 3 == 1 else 5, 5) for n in range(24)])
    watcher = detector(MisgradingDetector)
    assert watcher.report([honest]).score == 0.0
    report = watcher.report([honest, lying])
    assert report.fired
    assert report.clusters == (1,)
    assert report.evidence == {
        "p": pytest.approx(stats.binom.sf(7, 96, 0.01), rel=1e-9),
        "before": 0.0,
        "after": 8.0,
        "sides": 96.0,
    }


def test_one_ambiguous_set_of_answers_does_not():
    stated = [(50, False)] * 3 + [(50, True)] * 2 + [(Fraction(1, 2), False)] * 4
    chains = [Chain("", answer, percent=percent) for answer, percent in stated]
    right = sum(answers.right(chain, 50) for chain in chains)
    assert impossible(right, round(consensus.score(chains).outcome * 9), 9)
    history = [retested(0, [side(0, 6, 5), *(side(n, 5, 5) for n in range(1, 24))])]
    assert 0 < detector(MisgradingDetector).report(history).score < 0.1


def test_it_needs_no_past_and_forgets_what_is_three_rounds_old():
    lying = retested(0, [side(n, 7, 5) for n in range(24)])
    honest = [retested(i, [side(n, 5, 5) for n in range(24)]) for i in range(1, 4)]
    watcher = detector(MisgradingDetector)
    assert watcher.report([lying]).fired
    assert watcher.report([lying, *honest[:2]]).fired
    assert watcher.report([lying, *honest]).score == 0.0


@given(st.integers(0, 96))
def test_the_tail_is_the_binomial_one(hits):
    history = [retested(0, [side(n, 6 if n < hits else 5, 5) for n in range(96)])]
    expected = stats.binom.sf(hits - 1, 192, 0.01)
    assert misgraded(history)["p"] == pytest.approx(expected, rel=1e-9)


def test_without_retests_or_modes_there_is_nothing_to_score():
    assert math.isnan(detector(MisgradingDetector).report([retested(0)]).score)
    unknown = [item(n, 6, 6, modes=(math.nan, math.nan)) for n in range(4)]
    assert detector(MisgradingDetector).report([retested(0, unknown)]).score == 0.0
