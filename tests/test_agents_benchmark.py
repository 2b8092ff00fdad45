"""The benchmark of the curricula, in small."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from scipy.stats import binom

from argus_gym.agents import Oracle, make_curriculum
from argus_gym.benchmarks.agents import (
    CASES,
    ENTRIES,
    median_interval,
    needed,
    play_one,
    run,
    tables,
)
from argus_gym.benchmarks.agents_world import BROAD, DEEP, LADDER, Ladder, Run, play
from argus_gym.problems import FAMILIES

COUNT = len(FAMILIES)


@pytest.mark.parametrize("world", [LADDER, BROAD], ids=lambda w: w.name)
@pytest.mark.parametrize("stuck", [0, 1, 2])
def test_unlearnable_families_stay_at_their_accuracy_and_the_others_learn(world, stuck):
    agent = Ladder(world, stuck, seed=3)
    oracle, texts = Oracle(agent), [[text for text, _ in pool] for pool in agent.pools]
    first = [oracle.true_accuracy(pool) for pool in texts]
    assert len(agent.stuck) == stuck
    assert [first[f] for f in agent.stuck] == pytest.approx([0.45] * stuck, abs=0.03)
    short = replace(world, rounds=12, problems=32)
    after = play(short, stuck, make_curriculum("uniform", COUNT), 3)
    assert after.stuck == tuple(agent.stuck)
    assert after.accuracy[0] == pytest.approx(np.mean([first[f] for f in agent.learnable]))
    assert after.accuracy[0] + 0.1 < after.accuracy[-1] < after.top


def test_the_lowest_rungs_of_the_deep_ladder_are_hardly_ever_solved():
    for seed in range(5):
        agent = Ladder(DEEP, 0, seed)
        oracle = Oracle(agent)
        hard = [oracle.true_accuracy([t for t, _ in agent.pools[f]]) for f in agent.hard]
        assert np.mean(hard) < 0.02
        assert not {t for t, _ in agent.probe} & {t for pool in agent.pools for t, _ in pool}


def test_a_probe_is_paid_for_in_answers_and_pairs():
    short = replace(LADDER, rounds=3)
    plain, grounded = (
        play(short, 0, make_curriculum("soar", COUNT), 1, grounded=g) for g in (False, True)
    )
    assert plain.answers == (0, 224, 448, 672)
    assert all(g > p for g, p in zip(grounded.answers[1:], plain.answers[1:], strict=True))
    assert grounded.pairs[-1] > plain.pairs[-1]


def made(accuracy, top=1.0, pairs=None):
    n = len(accuracy)
    return Run(
        accuracy=tuple(accuracy),
        hard=(0.0,) * n,
        top=top,
        pairs=tuple(pairs or range(0, 10 * n, 10)),
        answers=tuple(range(0, 100 * n, 100)),
        chosen=np.ones((n - 1, COUNT), int),
        stuck=(),
        alarm=-1,
        false_alarm=-1,
        barred=-1,
    )


def test_what_is_needed_is_read_between_rounds():
    found = needed(made([0.0, 0.4, 1.0, 0.2]), replace(LADDER, problems=16))
    assert found == {
        "problems": pytest.approx(16 + 16 * 2 / 3),
        "answers": pytest.approx(100 + 100 * 2 / 3),
        "pairs": pytest.approx(10 + 10 * 2 / 3),
    }
    assert set(needed(made([0.0, 0.4, 0.7]), LADDER).values()) == {None}
    assert needed(made([0.5, 0.5], top=0.5), LADDER)["problems"] == 0.0


@given(st.lists(st.floats(-5, 5), min_size=6, max_size=60))
def test_the_interval_of_a_median_is_that_of_its_order_statistics(values):
    found, n, given_ = median_interval(values), len(values), np.sort(values)
    rank = int(binom.ppf(0.025, n, 0.5))
    # The widest rank whose tail is within 2.5 % on each side.
    rank -= binom.cdf(rank - 1, n, 0.5) > 0.025
    assert found["median"] == pytest.approx(np.median(values))
    assert found["low"] == given_[max(rank - 1, 0)]
    assert found["high"] == given_[min(n - rank, n - 1)]


def test_what_was_never_reached_counts_as_longer_than_anything():
    found = median_interval([1.0, 2.0, 3.0] + [math.inf] * 7)
    assert found["median"] is None and found["high"] is None


def test_a_run_is_json_ready_and_repeats():
    one, two = (play_one("watched", "sec", 2, 5, rounds=6) for _ in range(2))
    assert json.dumps(one, allow_nan=False) == json.dumps(two, allow_nan=False)
    assert 0 < one["stuck"] < 0.5 and 0 < one["entropy"] <= 1


@pytest.mark.slow
def test_the_result_does_not_depend_on_the_number_of_workers_and_has_tables():
    one, two = (run(seed=9, runs=6, workers=workers, rounds=2) for workers in (1, 2))
    assert json.dumps(one, allow_nan=False) == json.dumps(two, allow_nan=False)
    assert len(one["compared"]) == 5 * len(ENTRIES) + 3
    played = sum(len(names) for _, _, names in CASES)
    assert sum(len(one[part]) for part in ("compared", "watched", "hard")) == played
    for row in one["compared"]:
        if row["curriculum"] == "uniform":
            assert row["answers"]["median"] == 1.0 and row["faster"]["count"] == 0
    console = Console(width=170)
    with console.capture() as capture:
        for table in tables(one):
            console.print(table)
    assert "most_learnable, capped" in capture.get()


def test_too_few_runs_are_named():
    with pytest.raises(ValueError, match="runs must be at least 6, got 2"):
        run(runs=2)
