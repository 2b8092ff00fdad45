"""``argus-gym train``: train an agent on numeric learners, then meet learners it never saw.

The agent sees observations and rewards. The true accuracy of the learners is read beside it, where
a run begins and ends, and goes only into the report.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import gymnasium as gym
import numpy as np
from gymnasium.vector import VectorEnv, VectorWrapper

from argus_gym.run_data import InputError
from argus_gym.train_setup import Config, make, need_torch

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Point", "Policy", "Uniform", "mean_interval", "meet", "table", "train"]

COPIES = 64
FRESH = 256
"""Learners that are trained on at once, and learners that are met afterwards."""

HARM = 0.05
"""A learner is harmed that loses more true accuracy than this."""

Point = dict[str, float]


class Policy(Protocol):
    """Chooses problems."""

    def act(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        """Return actions for a batch of observations."""
        ...


class Uniform:
    """Chooses family and number of steps uniformly.

    Args:
        env: The environment whose actions are drawn.
        seed: Seed of the draws.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], seed: int = 0) -> None:
        space: Any = env.single_action_space
        self._high = space.n if isinstance(space, gym.spaces.Discrete) else space.nvec
        self._rng = np.random.default_rng(np.random.SeedSequence((seed, 0x0F)))

    def act(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        """Return actions for a batch of observations, which it does not look at."""
        count = len(next(iter(observation.values())))
        size = (count, len(self._high)) if isinstance(self._high, np.ndarray) else count
        return self._rng.integers(0, self._high, size)


class _Ledger(VectorWrapper):
    """Keeps rewards, and the truth at both ends of every run, out of the agent's sight."""

    def __init__(
        self, env: VectorEnv[Any, Any, Any], on_point: Callable[[Point], None] | None
    ) -> None:
        super().__init__(env)
        self.curve: list[Point] = []
        self._on_point, self._steps = on_point, 0

    def _truth(self) -> np.ndarray:
        return cast(Any, self.unwrapped).true_accuracy()  # type: ignore[no-any-return]

    def reset(self, **arguments: Any) -> Any:
        """Begin runs."""
        out = self.env.reset(**arguments)
        self._start, self._paid, self._length = float(self._truth().mean()), 0.0, 0
        return out

    def step(self, actions: Any) -> Any:
        """Step all copies."""
        out = self.env.step(actions)
        self._steps += self.num_envs
        self._length += 1
        self._paid += float(out[1].mean())
        if out[3].any():
            point: Point = {
                "steps": self._steps,
                "reward": self._paid / self._length,
                "start": self._start,
                "end": float(self._truth().mean()),
            }
            self.curve.append(point)
            if self._on_point is not None:
                self._on_point(point)
        return out


def train(
    config: Config, *, out: Path | None = None, on_point: Callable[[Point], None] | None = None
) -> dict[str, Any]:
    """Train, then compare with the uniform choice on fresh learners; JSON-ready.

    Args:
        config: What to train.
        out: New folder for ``result.json`` and the agent, ``policy.pt`` or ``bandit.json``.
        on_point: Called with each point of the curve.

    Returns:
        What was asked for; ``curve``, a point for each time that all copies had ended their runs
        (mean reward a step, true accuracy at their ``start`` and ``end``); ``fresh``, see
        :func:`meet`.

    Raises:
        InputError: If PyTorch is missing or ``out`` cannot be used.
    """
    if config.algo == "ppo":
        need_torch()
    if out is not None:
        _claim(out)
    env = _Ledger(make(config, COPIES), on_point)
    agent = _trained(env, config)
    result = {
        **asdict(config),
        "copies": COPIES,
        "curve": env.curve,
        "fresh": meet(agent, config),
    }
    if out is not None:
        text = json.dumps(result, indent=1, allow_nan=False) + "\n"
        (out / "result.json").write_text(text, "utf-8")
        if config.algo == "ppo":
            cast(Any, agent).save(out / "policy.pt")
        elif config.algo == "bandit":
            bandit = cast(Any, agent)
            kept = {"pulls": bandit.pulls.tolist(), "values": bandit.values.tolist()}
            (out / "bandit.json").write_text(json.dumps(kept) + "\n", "utf-8")
    return result


def _claim(out: Path) -> None:
    try:
        out.mkdir(parents=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"--out {out}: expected a new folder: {reason}") from None


def _trained(env: VectorEnv[Any, Any, Any], config: Config) -> Policy:
    if config.algo == "ppo":
        from argus_gym.agents import ppo

        return ppo.train(env, config.steps, config.seed)
    if config.algo == "bandit":
        from argus_gym.agents import bandit

        return bandit.train(env, config.steps, config.seed)
    agent = Uniform(env, config.seed)
    observation, _ = env.reset(seed=config.seed)
    for _ in range(-(-config.steps // COPIES)):
        observation, _, _, truncated, _ = env.step(agent.act(observation))
        if truncated.any():
            observation, _ = env.reset(options={"reset_mask": truncated})
    return agent


def meet(agent: Policy, config: Config, learners: int = FRESH) -> dict[str, Any]:
    """Return what an agent and the uniform choice do with the same fresh learners.

    Args:
        agent: The agent; it learns nothing here.
        config: What it was trained on; the learners come from a seed of their own.
        learners: Number of learners, >= 2.

    Returns:
        For ``agent`` and ``uniform`` the mean ``reward`` a step, the true accuracy at ``start`` and
        ``end``, and the share of learners ``harmed``; ``reward`` and ``accuracy``, the paired
        differences at the end, agent minus uniform, with 95 % intervals over learners; ``steps``,
        how often the agent chose each number of steps, as shares.
    """
    seed = int(np.random.SeedSequence((config.seed, 0xF5)).generate_state(1)[0])
    found: dict[str, Any] = {}
    rewards, ends = [], []
    for name in ("agent", "uniform"):
        env = make(config, learners)
        world = cast(Any, env.unwrapped)
        observation, _ = env.reset(seed=seed)
        player = agent if name == "agent" else Uniform(env, seed)
        start, paid = world.true_accuracy(), np.zeros(learners)
        chosen = np.zeros(8, np.int64)
        over, length = False, 0
        while not over:
            actions = player.act(observation)
            chosen += np.bincount(
                (actions if actions.ndim == 1 else actions[:, 1]) % 8, minlength=8
            )
            observation, reward, _, truncated, _ = env.step(actions)
            paid, length, over = paid + reward, length + 1, bool(truncated.all())
        end = world.true_accuracy()
        rewards.append(paid / length)
        ends.append(end)
        found[name] = {
            "reward": float(rewards[-1].mean()),
            "start": float(start.mean()),
            "end": float(end.mean()),
            "harmed": float((end < start - HARM).mean()),
        }
        if name == "agent":
            found["steps"] = (chosen / chosen.sum()).tolist()
    return {
        **found,
        "learners": learners,
        "reward": mean_interval(rewards[0] - rewards[1]),
        "accuracy": mean_interval(ends[0] - ends[1]),
    }


def mean_interval(values: np.ndarray, confidence: float = 0.95) -> dict[str, float]:
    """Return the mean with Student's t interval.

    Args:
        values: At least two numbers.
        confidence: Coverage, in (0, 1).
    """
    from scipy.stats import t

    mean = float(np.mean(values))
    half = float(t.ppf((1 + confidence) / 2, len(values) - 1) * np.std(values, ddof=1))
    half /= math.sqrt(len(values))
    return {"mean": mean, "low": mean - half, "high": mean + half}


def table(result: Mapping[str, Any]) -> "Table":
    """Return what fresh learners say of the trained agent, as a table."""
    from rich.table import Table

    fresh = result["fresh"]
    guard = result["gate"] or result["stack"]
    title = (
        f"{result['algo']} on {result['reward']}{f', {guard}' if guard else ''}: "
        f"{result['steps']:,} steps, then {fresh['learners']} fresh learners"
    )
    out = Table(title=title)
    out.add_column("")
    for head in ("reward a step", "true accuracy, start", "true accuracy, end"):
        out.add_column(head, justify="right")
    for name, label in (("agent", result["algo"]), ("uniform", "uniform")):
        if name == "uniform" and label == result["algo"]:
            continue
        row = fresh[name]
        out.add_row(label, f"{row['reward']:.4f}", f"{row['start']:.3f}", f"{row['end']:.3f}")
    if result["algo"] != "uniform":
        r, a = fresh["reward"], fresh["accuracy"]
        out.add_row(
            "difference [95 %]",
            f"{r['mean']:+.4f} [{r['low']:+.4f}, {r['high']:+.4f}]",
            "",
            f"{a['mean']:+.3f} [{a['low']:+.3f}, {a['high']:+.3f}]",
        )
    return out
