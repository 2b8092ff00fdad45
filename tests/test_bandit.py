"""The bandit: what it believes, and that it finds what pays."""

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import argus_gym  # noqa: F401
from argus_gym.agents import bandit as bandits
from argus_gym.agents.bandit import Bandit

SMALL = {"rounds": 3, "problems_per_round": 8, "k": 6, "anchor_items": 8}
SMALL |= {"autoreset_mode": "Disabled", "actions": "discrete"}


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.floats(-1, 1, allow_subnormal=False)),
        min_size=1,
        max_size=60,
    ),
    st.integers(1, 7),
)
def test_beliefs_are_those_of_all_pulls_however_they_are_batched(pulls, size):
    arms, rewards = (np.array(x) for x in zip(*pulls, strict=True))
    bandit = Bandit(5)
    for at in range(0, len(arms), size):
        bandit.update(arms[at : at + size], rewards[at : at + size])
    for arm in range(5):
        own = rewards[arms == arm]
        believed = np.append(own, rewards.mean()).mean()
        assert bandit.values[arm] == pytest.approx(believed, abs=1e-9)
    if rewards.std() > 1e-3:
        assert bandit.spread == pytest.approx(rewards.std(), rel=1e-6)


def test_draws_spread_as_the_beliefs_do():
    bandit = Bandit(2, seed=3)
    bandit.update(np.array([0] * 40 + [1] * 40), np.tile([0.0, 1.0], 40))
    # Two equal normal beliefs: each arm is best half of the time.
    chosen = bandit.choose(20_000)
    assert chosen.mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(20_000))


@pytest.mark.parametrize("seed", range(5))
def test_the_best_arm_is_found(seed):
    rng = np.random.default_rng(seed)
    worth = np.linspace(0.2, 0.6, 8)
    rng.shuffle(worth)
    bandit = Bandit(8, seed)
    for _ in range(400):
        arms = bandit.choose(16)
        bandit.update(arms, (rng.random(16) < worth[arms]).astype(float))
    assert np.bincount(bandit.choose(500), minlength=8).argmax() == worth.argmax()


def test_it_learns_to_ask_for_short_problems_where_consensus_pays():
    env = gym.make_vec("ArgusCurriculum-v0", 32, **SMALL)
    bandit = bandits.train(env, 30_000, seed=0)
    steps = np.bincount(bandit.choose(2_000) % 8, minlength=8)
    assert steps[0] > 0.6 * steps.sum()


@pytest.mark.parametrize("reward", ["consensus", "anchor"])
def test_the_same_seed_gives_the_same_bandit(reward):
    made = []
    for seed in (0, 0, 1):
        env = gym.make_vec("ArgusCurriculum-v0", 4, reward_mode=reward, **SMALL)
        made.append(bandits.train(env, 200, seed))
    assert (made[0].totals == made[1].totals).all() and (made[0].pulls == made[1].pulls).all()
    assert (made[0].pulls != made[2].pulls).any()


def test_problems_of_a_round_share_what_it_paid():
    env = gym.make_vec("ArgusCurriculum-v0", 4, reward_mode="anchor", **SMALL)
    paid = []
    step = env.step

    def watched(actions):
        out = step(actions)
        paid.append(out[1].copy())
        return out

    env.step = watched
    bandit = bandits.train(env, 4 * 24, seed=0)
    assert bandit.pulls.sum() == 4 * 24
    assert bandit.totals.sum() == pytest.approx(8 * np.sum(paid))


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="arms must be at least 1, got 0"):
        Bandit(0)
    with pytest.raises(ValueError, match="rewards must be finite"):
        Bandit(2).update(np.array([0]), np.array([np.nan]))
    with pytest.raises(ValueError, match="rewards must be finite and have the shape"):
        Bandit(2).update(np.array([0, 1]), np.array([1.0]))
    make = {**SMALL, "actions": "multidiscrete"}
    with pytest.raises(ValueError, match="env must have Discrete actions, got MultiDiscrete"):
        bandits.train(gym.make_vec("ArgusCurriculum-v0", 2, **make), 10)
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        bandits.train(gym.make_vec("ArgusCurriculum-v0", 2, **SMALL), 0)
    make = {**SMALL, "autoreset_mode": "NextStep"}
    with pytest.raises(ValueError, match="autoreset_mode='Disabled', got 'NextStep'"):
        bandits.train(gym.make_vec("ArgusCurriculum-v0", 2, **make), 10)
