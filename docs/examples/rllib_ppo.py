"""Train RLlib's PPO on ``ArgusCurriculum-v0`` and print what it was paid."""

import argparse
from typing import Any

import gymnasium as gym
from ray.rllib.algorithms.ppo import PPO, PPOConfig
from ray.rllib.connectors.env_to_module import FlattenObservations
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.tune.registry import register_env

ID = "ArgusCurriculum-v0"


def make(settings: dict[str, Any]) -> gym.vector.VectorEnv:
    """Return the array form; RLlib adds ``num_envs`` to the settings.

    Ray's workers import the package by the environment's name.
    """
    return gym.make_vec(f"argus_gym:{ID}", **settings)


def config(seed: int, batch: int = 15_360, copies: int = 16, **settings: Any) -> PPOConfig:
    """Return a small PPO that samples in its own process; settings are the environment's."""
    register_env(ID, make)
    return (
        PPOConfig()
        .environment(ID, env_config=settings)
        .env_runners(
            num_env_runners=0,
            num_envs_per_env_runner=copies,
            gym_env_vectorize_mode="vector_entry_point",
            rollout_fragment_length=batch // copies,
            env_to_module_connector=lambda env, spaces=None, device=None: FlattenObservations(),
        )
        .learners(num_learners=0)
        .training(
            train_batch_size_per_learner=batch,
            minibatch_size=batch // 4,
            num_epochs=4,
            lr=1e-3,
            gamma=0.99,
        )
        .rl_module(model_config=DefaultModelConfig(fcnet_hiddens=[32, 32]))
        .debugging(seed=seed, log_level="ERROR")
    )


def build(seed: int, **given: Any) -> PPO:
    """Return the algorithm, ready for ``train()``."""
    return config(seed, **given).build_algo()


def main() -> None:
    """Train a few iterations on the consensus reward."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--iterations", type=int, default=5)
    given = parser.parse_args()
    algorithm = build(given.seed, reward_mode="consensus")
    for _ in range(given.iterations):
        result = algorithm.train()["env_runners"]
        steps, paid = result["num_env_steps_sampled_lifetime"], result["episode_return_mean"]
        print(f"{steps:>7.0f} steps  return of a run {paid:.1f}")
    algorithm.stop()


if __name__ == "__main__":
    main()
