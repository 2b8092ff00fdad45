import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from argus_gym.capability_map import COLUMNS, SHARE_CAP, CapabilityMap
from argus_gym.planner import PLANNERS, make

NAMES = sorted(PLANNERS)
ROUNDS, PER_ROUND = 15, 64


def columns(**given):
    k = len(next(iter(given.values())))
    full = {name: np.zeros(k, np.float32) for name in COLUMNS}
    full["eligible"] += 1
    full["n"] += 10
    return full | {name: np.array(values, np.float32) for name, values in given.items()}


def counts(name, table, draws=4000, seed=0):
    rng = np.random.default_rng(seed)
    chosen = [make(name).choose(table, rng) for _ in range(draws)]
    return np.bincount(chosen, minlength=len(table["n"]))


share = st.floats(0, 1, width=32)


@st.composite
def tables(draw):
    k = draw(st.integers(1, 12))

    def column(values):
        return draw(st.lists(values, min_size=k, max_size=k))

    return columns(
        n=column(st.integers(0, 20)),
        share=column(share),
        consensus=column(share),
        frontier_rate=column(share),
        velocity=column(st.floats(-1, 1, width=32)),
        retest_delta=column(st.floats(-1, 1, width=32)),
        eligible=column(st.integers(0, 1)),
    )


@pytest.mark.parametrize("name", NAMES)
@given(table=tables(), seed=st.integers(0, 1000))
def test_the_choice_is_eligible_and_repeats_under_its_seed(name, table, seed):
    choices = [make(name).choose(table, np.random.default_rng(seed)) for _ in range(2)]
    assert type(choices[0]) is int
    assert choices[0] == choices[1]
    assert 0 <= choices[0] < len(table["n"])
    assert table["eligible"][choices[0]] == 1 or not table["eligible"].any()


@pytest.mark.parametrize("name", NAMES)
def test_with_nothing_eligible_every_cluster_is_equally_likely(name):
    table = columns(eligible=[0] * 5)
    assert chisquare(counts(name, table)).pvalue > 1e-3


def test_uniform_is_uniform_over_the_eligible():
    table = columns(eligible=[1, 0, 1, 1, 0], consensus=[0.1, 0.2, 0.9, 0.5, 0.5])
    drawn = counts("uniform", table)
    assert drawn[[1, 4]].sum() == 0
    assert chisquare(drawn[[0, 2, 3]]).pvalue > 1e-3


def test_weakest_takes_unvisited_clusters_first_then_the_lowest_consensus():
    table = columns(n=[9, 0, 9, 0], consensus=[0.1, 0.0, 0.5, 0.0])
    drawn = counts("weakest", table)
    assert drawn[[0, 2]].sum() == 0
    assert chisquare(drawn[[1, 3]]).pvalue > 1e-3
    assert counts("weakest", columns(consensus=[0.3, 0.2, 0.5])).tolist() == [0, 4000, 0]
    barred = columns(consensus=[0.3, 0.2, 0.5], eligible=[1, 0, 1])
    assert counts("weakest", barred).tolist() == [4000, 0, 0]


def test_learning_progress_draws_in_proportion_to_absolute_velocity():
    table = columns(velocity=[0.3, -0.1, 0.0, 0.5], eligible=[1, 1, 1, 0])
    drawn = counts("learning_progress", table, 20_000)
    explored = 0.1 / 3
    expected = [0.9 * 0.75 + explored, 0.9 * 0.25 + explored, explored]
    assert drawn[3] == 0
    assert chisquare(drawn[:3], 20_000 * np.array(expected)).pvalue > 1e-3


def test_learning_progress_is_uniform_before_there_is_any():
    assert chisquare(counts("learning_progress", columns(velocity=[0.0] * 4))).pvalue > 1e-3


def test_most_learnable_takes_the_consensus_nearest_one_half_and_explores_a_tenth():
    table = columns(consensus=[0.1, 0.55, 0.95, 0.5], eligible=[1, 1, 1, 0])
    drawn = counts("most_learnable", table, 20_000)
    expected = [0.1 / 3, 0.9 + 0.1 / 3, 0.1 / 3]
    assert drawn[3] == 0
    assert chisquare(drawn[:3], 20_000 * np.array(expected)).pvalue > 1e-3


def test_most_learnable_trusts_a_cluster_from_five_problems_on():
    few = columns(n=[4, 4, 4], consensus=[0.1, 0.5, 0.9])
    assert chisquare(counts("most_learnable", few)).pvalue > 1e-3
    enough = columns(n=[5, 4, 5], consensus=[0.1, 0.5, 0.8])
    assert counts("most_learnable", enough).argmax() == 2


def closed_loop(name, seed, excluded=()):
    """Let a planner choose every problem's cluster; return the choices of each round."""
    rng = np.random.default_rng(seed)
    skill = rng.random(10)
    cap = CapabilityMap(10)
    for cluster in excluded:
        cap.exclude(cluster, ROUNDS)
    planner = make(name)
    chosen = np.zeros((ROUNDS, 10), int)
    for round_ in range(ROUNDS):
        for _ in range(PER_ROUND):
            cluster = planner.choose(cap.arrays(), rng)
            chosen[round_, cluster] += 1
            combined = float(np.clip(rng.normal(skill[cluster], 0.1), 0, 1))
            cap.scored(cluster, combined, combined, "frontier")
        cap.end_round()
    return chosen


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(3))
def test_the_share_cap_holds_over_a_run(name, seed):
    """A cluster is chosen only where ``c < cap * N``: c of the N problems in the two-round window.

    So c ends at or below ``cap * (N - 1) + 1``: ``first`` problems in round 0 and ``pair`` in any
    two neighbouring rounds. Fifteen rounds are round 0 and seven such pairs.
    """
    chosen = closed_loop(name, seed)
    first = math.floor(SHARE_CAP * (PER_ROUND - 1) + 1)
    pair = math.floor(SHARE_CAP * (2 * PER_ROUND - 1) + 1)
    assert chosen[0].max() <= first
    assert (chosen[:-1] + chosen[1:]).max() <= pair
    total = ROUNDS * PER_ROUND
    assert chosen.sum(0).max() / total <= (first + 7 * pair) / total < SHARE_CAP + 0.005


def test_most_learnable_does_press_against_the_cap():
    assert closed_loop("most_learnable", 0).sum(0).max() > 0.25 * ROUNDS * PER_ROUND


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000), excluded=st.sets(st.integers(0, 9), min_size=1, max_size=6))
def test_excluded_clusters_are_never_chosen(name, seed, excluded):
    assert closed_loop(name, seed, excluded)[:, sorted(excluded)].sum() == 0


def test_an_unknown_planner_is_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match="got 'most_learnabel'; did you mean 'most_learnable'"):
        make("most_learnabel")
    with pytest.raises(ValueError, match=r"got 'xyz'$"):
        make("xyz")
    assert "most_learnable" in PLANNERS
