"""Stable-Baselines3 on the numeric environment: checker, algorithms, and the array form."""

import warnings

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("stable_baselines3", exc_type=ImportError)

import torch
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize

import argus_gym  # noqa: F401
from argus_gym.agents.sb3 import SB3VecEnv
from argus_gym.curriculum.draws import copy_seeds
from argus_gym.wrappers.vector import VectorERCVGate, VectorLieDetectors

ID = "ArgusCurriculum-v0"
SMALL = {"rounds": 3, "problems_per_round": 8, "k": 6}
STEPS = SMALL["rounds"] * SMALL["problems_per_round"]


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def vector(copies=3, **settings):
    return gym.make_vec(ID, copies, autoreset_mode="SameStep", **(SMALL | settings))


def fast(copies=3, terminal=False, **settings):
    return SB3VecEnv(vector(copies, **settings), terminal=terminal)


def weights(model):
    return {name: w.clone() for name, w in model.policy.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def ppo(env, seed=0):
    return PPO("MultiInputPolicy", env, n_steps=16, batch_size=32, n_epochs=1, seed=seed)


@pytest.mark.parametrize("actions", ["multidiscrete", "discrete"])
@pytest.mark.parametrize("control", [False, True])
@pytest.mark.parametrize("mode", ["consensus", "anchor"])
def test_the_checker_has_nothing_to_say(actions, control, mode):
    env = gym.make(ID, actions=actions, control=control, reward_mode=mode, **SMALL)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)


@pytest.mark.filterwarnings("ignore:.*render_mode='rgb_array'")
@pytest.mark.parametrize("single", [True, False])
def test_ppo_trains_the_same_weights_from_the_same_seed(single):
    def trained(seed):
        env = make_vec_env(ID, 2, env_kwargs=SMALL, seed=seed) if single else fast(2)
        model = ppo(env, seed)
        start = weights(model)
        model.learn(64)
        assert not same(start, weights(model))
        return weights(model)

    first = trained(0)
    assert same(first, trained(0))
    assert not same(first, trained(1))


def test_dqn_trains_on_the_discrete_form():
    def trained(env):
        given = {"buffer_size": 200, "learning_starts": 20, "target_update_interval": 50}
        model = DQN("MultiInputPolicy", env, seed=0, policy_kwargs={"net_arch": [16]}, **given)
        start = weights(model)
        model.learn(100)
        assert not same(start, weights(model))
        return weights(model)

    single = gym.make(ID, actions="discrete", **SMALL)
    assert same(trained(single), trained(gym.make(ID, actions="discrete", **SMALL)))
    copies = fast(4, actions="discrete")
    assert same(trained(copies), trained(fast(4, actions="discrete")))


def test_a_saved_policy_acts_as_before(tmp_path):
    model = ppo(fast(2)).learn(32)
    model.save(tmp_path / "policy.zip")
    loaded = PPO.load(tmp_path / "policy.zip", env=fast(2), device="cpu")
    assert same(weights(model), weights(loaded))
    env = gym.make(ID, **SMALL)
    observation, _ = env.reset(seed=5)
    over = False
    while not over:
        action, _ = model.predict(observation, deterministic=True)
        again, _ = loaded.predict(observation, deterministic=True)
        np.testing.assert_array_equal(action, again)
        observation, _, _, over, _ = env.step(action)
    loaded.learn(32)


@pytest.mark.parametrize("terminal", [False, True])
def test_the_copies_do_what_single_environments_do(terminal):
    """Through two runs each: observations, rewards, ends, and what is seen at an end."""
    fast_env = fast(3, terminal=terminal)
    fast_env.seed(7)
    singles = [gym.make(ID, **SMALL) for _ in range(3)]
    seen = fast_env.reset()
    for i, (env, seed) in enumerate(zip(singles, copy_seeds(7, 3), strict=True)):
        first, _ = env.reset(seed=seed)
        assert all(np.array_equal(seen[name][i], first[name]) for name in first)
    rng = np.random.default_rng(0)
    ends = 0
    for _ in range(2 * STEPS):
        actions = rng.integers(0, [12, 8], (3, 2))
        seen, rewards, done, infos = fast_env.step(actions)
        assert rewards.dtype == np.float32 and len(infos) == 3
        for i, env in enumerate(singles):
            own, reward, _, over, info = env.step(actions[i])
            assert rewards[i] == np.float32(reward) and done[i] == over
            assert infos[i]["combined"] == pytest.approx(info["combined"], abs=1e-12)
            assert infos[i]["reward_mode"] == "consensus"
            assert ("terminal_observation" in infos[i]) == over
            if over:
                ends += 1
                last = infos[i]["terminal_observation"]
                assert all(np.array_equal(last[name], own[name]) for name in own)
                assert infos[i]["TimeLimit.truncated"] is not terminal
                own, _ = env.reset()
            assert all(np.array_equal(seen[name][i], own[name]) for name in own)
    assert ends == 6


def test_neighbouring_seeds_share_no_copies():
    env = fast(8)
    seeds = [set(env.seed(seed)) for seed in range(4)]
    assert len(set.union(*seeds)) == 32
    assert env.seed() != env.seed()


def test_a_seed_counts_for_one_reset():
    def first(env):
        observation = env.reset()
        for _ in range(10):
            observation, *_ = env.step(np.zeros((3, 2), np.int64))
        return observation["consensus"].copy()

    env = fast()
    env.seed(3)
    one, two = first(env), first(env)
    env.seed(3)
    np.testing.assert_array_equal(first(env), one)
    assert not np.array_equal(one, two)


def test_wrappers_of_both_kinds_work():
    """Detectors and gate below, Stable-Baselines3's own wrappers above."""
    watched = VectorLieDetectors(VectorERCVGate(vector(2)), names=["drift", "plateau"])
    inner = SB3VecEnv(watched)
    env = VecNormalize(VecMonitor(inner))
    env.reset()
    rounds = episodes = 0
    for step in range(STEPS):
        _, _, done, infos = env.step(np.full((2, 2), step % 8))
        for info in infos:
            if "round" in info:
                rounds += 1
                assert set(info["lies"]) == {"drift", "plateau"}
                assert info["verdict"].decision and info["refused"] in (True, False)
                assert info["round"].round == step // SMALL["problems_per_round"]
            episodes += "episode" in info
    assert rounds == 2 * SMALL["rounds"] and episodes == 2 and done.all()
    assert env.env_is_wrapped(VectorERCVGate) == [True, True]
    assert env.env_is_wrapped(gym.vector.VectorObservationWrapper, indices=[0]) == [False]
    np.testing.assert_array_equal(
        env.env_method("true_accuracy"), inner.env.unwrapped.true_accuracy()
    )
    assert env.env_method("true_accuracy", indices=1) == [inner.env.unwrapped.true_accuracy()[1]]
    assert env.get_attr("rounds", indices=0) == [SMALL["rounds"]]
    with pytest.raises(AttributeError, match="no_such"):
        env.get_attr("no_such")
    env.set_attr("label", "a")
    assert env.get_attr("label") == ["a", "a"]
    with pytest.raises(ValueError, match=r"indices must be None.*got \[0\]"):
        env.set_attr("label", "b", indices=[0])
    env.close()


def test_gymnasiums_own_vector_environments_work():
    """Terminated runs are not bootstrapped; the infos of an end come from its last step."""
    given = {"autoreset_mode": gym.vector.AutoresetMode.SAME_STEP}
    env = SB3VecEnv(gym.make_vec("CartPole-v1", 2, vector_kwargs=given, vectorization_mode="sync"))
    env.seed(0)
    env.reset()
    for _ in range(200):
        seen, _, done, infos = env.step(np.ones(2, np.int64))
        for i in np.flatnonzero(done):
            assert infos[i]["TimeLimit.truncated"] is False
            assert abs(infos[i]["terminal_observation"][2]) > 0.2 > abs(seen[i][2])


def test_another_autoreset_mode_is_refused():
    env = gym.make_vec(ID, 2, **SMALL)
    with pytest.raises(ValueError, match=r"must have autoreset_mode .*SAME_STEP.*NEXT_STEP"):
        SB3VecEnv(env)
