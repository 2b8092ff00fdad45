"""A bandit over kinds of problems, on the vector form of ``ArgusCurriculum-v0``; numpy only."""

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorEnv

__all__ = ["Bandit", "train"]


class Bandit:
    """Thompson sampling with normal rewards, for many pulls at once.

    The worth of an arm is believed to be normal around ``(total + m) / (n + 1)`` with the variance
    ``s**2 / (n + 1)``: n pulls of the arm, and one that is made up and gave the mean m of all
    pulls; s is the standard deviation of all pulls. Each pull takes the arm that is best in a draw
    of its own. Source: Agrawal and Goyal (2013), "Further Optimal Regret Bounds for Thompson
    Sampling", with the variance estimated.

    Args:
        arms: Number of arms, >= 1.
        seed: Seed of the draws.

    Raises:
        ValueError: If ``arms`` is below 1.
    """

    def __init__(self, arms: int, seed: int = 0) -> None:
        if arms < 1:
            raise ValueError(f"arms must be at least 1, got {arms}")
        self.pulls, self.totals = np.zeros(arms, np.int64), np.zeros(arms)
        self._squares = 0.0
        self._rng = np.random.default_rng(np.random.SeedSequence((seed, 0xBA)))

    @property
    def values(self) -> np.ndarray:
        """Expected reward of each arm, shape ``(arms,)``; 0 before the first pull."""
        overall = self.totals.sum() / max(self.pulls.sum(), 1)
        values: np.ndarray = (self.totals + overall) / (self.pulls + 1)
        return values

    @property
    def spread(self) -> float:
        """Standard deviation of all rewards; 1 until they differ."""
        count = max(int(self.pulls.sum()), 1)
        variance = self._squares / count - (self.totals.sum() / count) ** 2
        return float(np.sqrt(variance)) if variance > 1e-12 else 1.0

    def choose(self, count: int) -> np.ndarray:
        """Return the arms of ``count`` pulls, shape ``(count,)``."""
        noise = self._rng.standard_normal((count, len(self.pulls)))
        draws = self.values + self.spread / np.sqrt(self.pulls + 1) * noise
        arms: np.ndarray = draws.argmax(1)
        return arms

    def update(self, arms: np.ndarray, rewards: np.ndarray) -> None:
        """Learn from pulls.

        Args:
            arms: Their arms, any shape.
            rewards: What they gave, finite, of the same shape.

        Raises:
            ValueError: If the shapes differ or a reward is not finite.
        """
        if arms.shape != rewards.shape or not np.isfinite(rewards).all():
            raise ValueError(
                f"rewards must be finite and have the shape of arms {arms.shape}, got {rewards!r}"
            )
        flat = arms.ravel()
        self.pulls += np.bincount(flat, minlength=len(self.pulls))
        self.totals += np.bincount(flat, rewards.ravel(), len(self.pulls))
        self._squares += float((rewards**2).sum())

    def act(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        """Return an arm for each of a batch of observations, which it does not look at."""
        return self.choose(len(next(iter(observation.values()))))


def train(env: VectorEnv[Any, Any, Any], steps: int, seed: int = 0) -> Bandit:
    """Let one bandit choose for all copies; an arm is a family and a number of steps.

    Where the environment pays at a round's end, each problem of the round is credited with what
    the round paid.

    Args:
        env: ``gym.make_vec("ArgusCurriculum-v0", n, actions="discrete",
            autoreset_mode="Disabled")``, or wrappers of it.
        steps: Steps of all copies together; the last round is played to its end.
        seed: Seed of environment and bandit.

    Raises:
        ValueError: If ``steps`` is below 1, the actions are not ``Discrete`` or the environment
            resets finished copies itself.
    """
    space = env.single_action_space
    mode = env.metadata["autoreset_mode"]
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    if not isinstance(space, spaces.Discrete):
        raise ValueError(f"env must have Discrete actions, got {space}")
    if mode.value != "Disabled":
        raise ValueError(f"env must have autoreset_mode='Disabled', got {mode.value!r}")
    bandit = Bandit(int(space.n), seed)
    env.reset(seed=seed)
    settings: Any = env.unwrapped.settings  # type: ignore[attr-defined]
    immediate = settings.reward_mode == "consensus"
    pulled: list[np.ndarray] = []
    left = steps
    while left > 0 or pulled:
        arms = bandit.choose(env.num_envs)
        _, reward, _, truncated, infos = env.step(arms)
        left -= env.num_envs
        pulled.append(arms)
        if immediate:
            bandit.update(arms, reward)
            pulled.clear()
        elif "round_ended" in infos:
            # Copies begin and end their rounds together: they are all reset at once.
            bandit.update(np.stack(pulled), np.tile(reward, (len(pulled), 1)))
            pulled.clear()
        if truncated.any():
            env.reset(options={"reset_mask": truncated})
    return bandit
