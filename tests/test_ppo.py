"""The single-file PPO: it learns what can be learnt, the same from the same seed."""

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv

import argus_gym  # noqa: F401
from argus_gym.agents.ppo import PPO, Moments, Policy, flat, train

SMALL = {"rounds": 2, "problems_per_round": 8, "k": 4, "autoreset_mode": "Disabled"}


class Echo(VectorEnv):
    """Pays for naming the place of the largest of four observed numbers; runs of eight steps.

    With two heads the second one has to name the place of the smallest.
    """

    def __init__(self, copies, heads):
        self.num_envs, self.heads = copies, heads
        self.metadata = {"autoreset_mode": AutoresetMode.DISABLED}
        self.single_observation_space = spaces.Dict({"x": spaces.Box(-np.inf, np.inf, (4,))})
        self.single_action_space = (
            spaces.Discrete(4) if heads == 1 else spaces.MultiDiscrete([4] * heads)
        )

    def _show(self):
        self.x = (100 + 50 * self.rng.standard_normal((self.num_envs, 4))).astype(np.float32)
        return {"x": self.x}

    def reset(self, *, seed=None, options=None):
        if seed is not None:
            self.rng = np.random.default_rng(seed)
        self.t = 0
        return self._show(), {}

    def step(self, actions):
        assert actions.shape == (self.num_envs,) if self.heads == 1 else (self.num_envs, 2)
        first = actions if self.heads == 1 else actions[:, 0]
        reward = (first == self.x.argmax(1)).astype(float)
        if self.heads == 2:
            reward = (reward + (actions[:, 1] == self.x.argmin(1))) / 2
        self.t += 1
        over = np.full(self.num_envs, self.t == 8)
        return self._show(), reward, np.zeros_like(over), over, {}


@pytest.mark.parametrize("heads", [1, 2])
def test_it_learns_to_read_observations_of_any_scale(heads):
    env = Echo(32, heads)
    policy = train(env, 40_000, seed=0, ppo=PPO(rollout=32, rate=3e-3))
    observation, _ = env.reset(seed=99)
    total = 0.0
    for _ in range(8):
        observation, reward, *_ = env.step(policy.act(observation))
        total += reward.mean() / 8
    assert total > 0.7  # Chance is 0.25.


@pytest.mark.parametrize("actions", ["multidiscrete", "discrete"])
@pytest.mark.parametrize("control", [False, True])
def test_it_plays_every_action_space(actions, control):
    env = gym.make_vec("ArgusCurriculum-v0", 3, actions=actions, control=control, **SMALL)
    policy = train(env, 100, seed=0, ppo=PPO(rollout=20))
    observation, _ = env.reset(seed=0)
    assert env.action_space.contains(policy.act(observation))


def test_the_same_seed_gives_the_same_policy_and_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    made = []
    for seed in (0, 0, 1):
        env = gym.make_vec("ArgusCurriculum-v0", 4, reward_mode="anchor", **SMALL)
        made.append(train(env, 200, seed, PPO(rollout=16)))
    weights = [torch.cat([p.flatten() for p in policy.parameters]) for policy in made]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert torch.equal(before, torch.get_rng_state())


def test_a_saved_policy_comes_back(tmp_path):
    env = gym.make_vec("ArgusCurriculum-v0", 4, **SMALL)
    policy = train(env, 200, 0, PPO(rollout=16))
    policy.save(tmp_path / "policy.pt")
    again = Policy.load(tmp_path / "policy.pt", seed=7)
    observation, _ = env.reset(seed=3)
    inputs = policy.normalised(flat(observation))
    assert torch.equal(inputs, again.normalised(flat(observation)))
    for own, other in zip(policy.choices(inputs), again.choices(inputs), strict=True):
        assert torch.equal(own, other)
    assert env.action_space.contains(again.act(observation))


def test_moments_are_those_of_all_that_was_seen():
    rng = np.random.default_rng(0)
    batches = [rng.normal(3.0, 2.0, (n, 5)) for n in (1, 7, 64, 2)]
    moments = Moments((5,))
    for batch in batches:
        moments.update(batch)
    whole = np.concatenate(batches)
    np.testing.assert_allclose(moments.mean, whole.mean(0), rtol=1e-4)
    np.testing.assert_allclose(moments.var, whole.var(0), rtol=1e-4)


def test_bad_arguments_are_named():
    env = gym.make_vec("ArgusCurriculum-v0", 2, **SMALL)
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        train(env, 0)
    env = gym.make_vec("ArgusCurriculum-v0", 2, **{**SMALL, "autoreset_mode": "SameStep"})
    with pytest.raises(ValueError, match="autoreset_mode='Disabled', got 'SameStep'"):
        train(env, 10)
