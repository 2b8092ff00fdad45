"""RLlib on the numeric environment, as the example has it; needs ``ray[rllib]`` and torch.

RLlib pins a Gymnasium of its own, so that these tests run in an environment of their own.
"""

import importlib.util
import warnings
from pathlib import Path

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("ray.rllib.algorithms.ppo", exc_type=ImportError)

import ray
import torch
from ray.rllib.algorithms.ppo import PPO

# What Ray deprecates is not ours to change.
pytestmark = [pytest.mark.rllib, pytest.mark.filterwarnings("default")]

EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "rllib_ppo.py"
SMALL = {"rounds": 3, "problems_per_round": 8, "k": 6}
BATCH = 96


@pytest.fixture(scope="module", autouse=True)
def cluster():
    torch.set_num_threads(1)
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("rllib_ppo", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def weights(algorithm):
    return {name: w.clone() for name, w in algorithm.get_module().state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def trained(example, seed):
    algorithm = example.build(seed, batch=BATCH, copies=2, **SMALL)
    start = weights(algorithm)
    result = algorithm.train()
    assert not same(start, weights(algorithm))
    return algorithm, result["env_runners"]


def test_the_same_seed_trains_the_same_weights(example):
    (first, result), (again, _), (other, _) = (trained(example, seed) for seed in (0, 0, 1))
    assert result["num_env_steps_sampled_lifetime"] == BATCH
    assert 0 < result["episode_return_mean"] < SMALL["rounds"] * SMALL["problems_per_round"]
    assert result["episode_len_mean"] == SMALL["rounds"] * SMALL["problems_per_round"]
    assert same(weights(first), weights(again))
    assert not same(weights(first), weights(other))
    for algorithm in (first, again, other):
        algorithm.stop()


def test_a_checkpoint_comes_back(example, tmp_path):
    algorithm, _ = trained(example, 2)
    back = PPO.from_checkpoint(algorithm.save_to_path(str(tmp_path / "ppo")))
    assert same(weights(algorithm), weights(back))
    back.train()
    for one in (algorithm, back):
        one.stop()
