"""The array code of the numeric environments against plain Python."""

import math
from collections import Counter

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import argus_gym  # noqa: F401
from argus_gym.agents.simulated import SLIPS
from argus_gym.curriculum import agreement, chains, draws, likelihood
from argus_gym.curriculum.draws import Stream, place
from argus_gym.curriculum.learner import Latent, Rates, plant
from argus_gym.curriculum.posed import Posed, pose
from argus_gym.curriculum.settings import Settings

MASK = 2**64 - 1


def split_mix(state):
    """One output of SplitMix64, from the paper."""
    z = state
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
    return z ^ z >> 31


@pytest.mark.parametrize("count", [1, 37, 4096])
def test_words_are_split_mix_outputs_by_address(count):
    key, at = [0, 5, MASK], [0, 512, 2**58 + 3]
    words = draws.words(np.array(key, np.uint64), np.array(at, np.uint64), count)
    assert words.shape == (count, 3)
    for column, (k, a) in enumerate(zip(key, at, strict=True)):
        for i in {0, count // 2, count - 1}:
            assert int(words[i, column]) == split_mix(k + (a + i) * 0x9E3779B97F4A7C15 & MASK)


@given(st.integers(1, 64), st.integers(1, 40), st.integers(1, 6), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_the_largest_group_is_counted_right(k, rows, kinds, seed):
    ids = np.random.default_rng(seed).integers(0, kinds, (rows, k)).astype(np.uint8)
    expected = [max(Counter(row).values()) for row in ids.tolist()]
    assert agreement.largest(ids).tolist() == expected


def test_the_largest_group_of_more_than_is_compared_at_a_time():
    ids = np.random.default_rng(0).integers(0, 4, (9000, 64)).astype(np.uint8)
    expected = (ids[:, :, None] == np.arange(4)).sum(1).max(1)
    np.testing.assert_array_equal(agreement.largest(ids), expected)


def posed_as(steps, swap):
    n = len(steps)
    zeros = np.zeros(n)
    return Posed(zeros.astype(int), steps, np.zeros((8, n)), np.zeros((8, n)), swap, zeros, zeros)


@given(st.integers(1, 64), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_agreement_is_counted_right_whatever_the_paths(k, seed):
    """Paths of any shape, many of them alike, some right ones in another order."""
    rng = np.random.default_rng(seed)
    n = 12
    steps, swap = rng.integers(1, 9, n), rng.integers(-1, 8, n)
    digits = rng.integers(0, 8, (n, k, 8)) * (rng.random((n, k, 8)) < rng.random((n, 1, 1)) * 0.5)
    digits *= np.arange(8) < steps[:, None, None]
    copied = rng.random((n, k)) < 0.5
    digits[copied] = np.broadcast_to(digits[:, :1], digits.shape)[copied]
    codes = (digits * 8 ** np.arange(7, -1, -1)).sum(2).astype(np.uint32)
    other = rng.binomial((codes == 0).sum(1), 0.4)
    drawn = chains.Paths(codes, other, np.zeros(0, int), *chains._NONE)
    agreed = agreement.agree(drawn, posed_as(steps, swap), draws.words(*address(n), 1)[0])
    ids = chains.answer_ids(drawn)
    for i in range(n):
        ways = [tuple(way[: steps[i] - 1]) for way in np.cumsum(digits[i] * 9 ** np.arange(8), 1)]
        ways = [list(way) for way in ways]
        right = [at for at in range(k) if codes[i, at] == 0]
        if 0 <= swap[i] < steps[i] - 1:
            for at in right[: other[i]]:
                ways[at][swap[i]] = -1
        modal = [max(Counter(column).values()) for column in zip(*ways, strict=True)]
        process = sum(modal) / (k * len(modal)) if modal else 1.0
        assert agreed.process[i] == pytest.approx(process)
        assert agreed.variety[i] == len({tuple(way) for way in ways}) / k
        counts = Counter(ids[i].tolist())
        assert agreed.outcome[i] == max(counts.values()) / k == counts[int(agreed.answer[i])] / k
        first = ids[i].tolist().index(int(agreed.answer[i]))
        assert agreed.best[i] == codes[i, first]


def address(n):
    return np.arange(n).astype(np.uint64), np.zeros(n, np.uint64)


def read_chains(n=400):
    """Pairs as a learner meets them: right, misconceived, slipped and confabulated."""
    rng = np.random.default_rng(1)
    key, steps = draws.keys(rng, n), rng.integers(1, 9, n)
    posed = pose(key, place(Stream.PROBLEM, 0, np.arange(n)), rng.integers(0, 12, n), steps, 2.4)
    skill, bias, diversity = rng.normal(1.5, 1, n), rng.uniform(0, 1, n), rng.uniform(0, 1, n)
    seen = chains.chances(posed, skill, bias)
    false = rng.random(n) < 0.1
    at = place(Stream.BEFORE, 0, np.arange(n))
    path = chains.paths(key, at, seen, diversity, false, 4).codes[:, 0]
    learner = (skill, bias, diversity, rng.uniform(0.1, 1, n), rng.uniform(0, 0.5, n))
    return posed, path, false, posed.tokens, seen, learner


def test_losses_are_the_closed_form():
    posed, path, false, tokens, seen, learner = read_chains()
    ours = likelihood.losses(likelihood.read(posed, path, false, tokens), *learner)
    kinds = set()
    for i, (skill, bias, diversity, wording, heart) in enumerate(zip(*learner, strict=True)):
        sizes = posed.magnitudes[: posed.steps[i], i].tolist()
        right = [1 / (1 + math.exp(size - skill)) for size in sizes]
        digits = [int(path[i]) >> 3 * (7 - j) & 7 for j in range(8)]
        own = math.prod(right)
        at = next((j for j, digit in enumerate(digits) if digit), None)
        if at is not None:
            kind = bias if digits[at] == 1 else (1 - bias) / len(SLIPS)
            own = own / right[at] * (1 - right[at]) * kind
        mode = chains.path_ids(seen.mode[i : i + 1]) == chains.path_ids(path[i : i + 1])
        share = 1 / len(SLIPS) if false[i] else diversity * own + (1 - diversity) * mode[0]
        share = heart + (1 - heart) * share
        expected = wording - math.log(max(share, 1e-12)) / tokens[i]
        assert ours[i] == pytest.approx(expected, rel=1e-4)
        kinds.add((bool(false[i]), None if at is None else digits[at] == 1, bool(mode[0])))
    assert len(kinds) >= 8


def test_losses_of_a_part_are_a_part_of_the_losses():
    posed, path, false, tokens, _, learner = read_chains()
    reading = likelihood.read(posed, path, false, tokens)
    whole = likelihood.losses(reading, *learner)
    for part in (slice(0, 8), slice(100, 101), slice(7, 399)):
        some = likelihood.losses(reading.part(part), *(values[part] for values in learner))
        np.testing.assert_allclose(some, whole[part], rtol=1e-6)


def test_a_single_run_keeps_the_same_books_as_a_batch():
    """The single environment counts in plain numbers and enters them at the round's end."""
    settings = {"rounds": 4, "problems_per_round": 16, "adherence": 0.8}
    single = gym.make("ArgusCurriculum-v0", **settings)
    vector = gym.make_vec("ArgusCurriculum-v0", 1, **settings)
    single.reset(seed=4)
    vector.reset(seed=[4])
    rng = np.random.default_rng(0)
    for step in range(1, 49):
        action = np.array([rng.integers(12), rng.integers(8)])
        single.step(action)
        vector.step(action[None])
        if step % 16:
            continue
        ours, theirs = single.unwrapped.runs, vector.unwrapped.runs
        for name, column in vars(theirs.map).items():
            np.testing.assert_allclose(getattr(ours.map, name), column, atol=1e-12, err_msg=name)
        for name in ("cell", "visit", "false", "answer", "path", "pair_weight"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name)


def test_one_learners_rates_are_its_columns():
    start = Settings().start
    rates, latent = Rates(start, 3), Latent.draw(np.arange(3, dtype=np.uint64), 12, 4, start)
    plant(latent, rates, 1, "I", 1.0, 0)
    for row in range(3):
        for name, column in rates.values.items():
            assert column[row] == getattr(rates.one(row), name)
    assert rates.one(0) == start != rates.one(1)
    rates.reset(np.array([1]))
    assert rates.one(1) == start
