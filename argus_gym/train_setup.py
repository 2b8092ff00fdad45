"""What ``argus-gym train`` can be told, and the environment that is made of it."""

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
from gymnasium.vector import VectorEnv

import argus_gym  # noqa: F401
from argus_gym.curriculum.settings import REWARDS
from argus_gym.run_data import InputError

__all__ = ["ALGOS", "STACKED", "WORLDS", "Config", "make", "need_torch"]

ALGOS = ("ppo", "bandit", "uniform")
WORLDS: dict[str, dict[str, Any]] = {
    "default": {},
    "shallow": {
        "problems_per_round": 16,
        "anchor_items": 72,
        "retest_chains": 16,
        "dynamics": {"learning": 0.8, "unlearning": 0.5, "depth": 1.0, "rate_spread": 0.3},
    },
}
"""Settings of the environment by name; see ``docs/goodhart.md`` for ``shallow``."""

STACKED = {"v4": "certified", "v3.5": "stability", "v3.4": "v3.4"}
"""Stacks that have a vector form, with the rules of their gates."""


@dataclass(frozen=True, slots=True)
class Config:
    """What is trained, on what.

    Attributes:
        algo: ``ppo``, ``bandit``, or ``uniform``, which learns nothing.
        reward: ``consensus``, ``retest``, ``anchor`` or ``oracle``.
        steps: Steps of all copies together, >= 1.
        seed: Seed of everything, >= 0.
        world: A key of ``WORLDS``.
        gate: Rule that decides on the learners' steps, a key of
            :data:`argus_gym.wrappers.rules.RULES`.
        stack: A stack of gate and detectors, with their defences: ``v4``, ``v3.5`` or ``v3.4``.

    Raises:
        InputError: If a value is not one of these, or two conflict.
    """

    algo: str = "ppo"
    reward: str = "consensus"
    steps: int = 300_000
    seed: int = 0
    world: str = "default"
    gate: str | None = None
    stack: str | None = None

    def __post_init__(self) -> None:
        from argus_gym.wrappers.rules import RULES

        choices: dict[str, tuple[Any, ...]] = {
            "algo": ALGOS,
            "reward": REWARDS,
            "world": tuple(WORLDS),
            "gate": tuple(RULES),
            "stack": tuple(STACKED),
        }
        for name, options in choices.items():
            value = getattr(self, name)
            if value not in options and not (value is None and name in ("gate", "stack")):
                raise InputError(f"--{name} must be one of {', '.join(options)}, got {value!r}")
        for name, least in (("steps", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise InputError(f"--{name} must be at least {least}, got {getattr(self, name)}")
        if self.gate and self.stack:
            raise InputError(
                f"--gate {self.gate} and --stack {self.stack}: expected one of the two"
            )
        if self.algo == "uniform" and (self.gate or self.stack):
            given = f"--gate {self.gate}" if self.gate else f"--stack {self.stack}"
            raise InputError(
                f"--algo uniform trains nothing: expected no {given}; "
                "with another agent the report compares it with uniform under the same gate"
            )


def make(config: Config, copies: int) -> VectorEnv[Any, Any, Any]:
    """Return the environment of ``config`` with so many copies."""
    from argus_gym.wrappers.base import DETECTORS
    from argus_gym.wrappers.stacks import PUBLISHED
    from argus_gym.wrappers.vector import VectorERCVGate, VectorLieDetectors

    env: VectorEnv[Any, Any, Any] = gym.make_vec(
        "ArgusCurriculum-v0",
        copies,
        autoreset_mode="Disabled",
        reward_mode=config.reward,
        actions="discrete" if config.algo == "bandit" else "multidiscrete",
        **WORLDS[config.world],
    )
    rule = config.gate or STACKED.get(config.stack or "")
    if rule is not None:
        env = VectorERCVGate(env, rule=rule)
    if config.stack is not None:
        ours = config.stack == "v4"
        names = [n for n in sorted(DETECTORS) if ours or DETECTORS[n].lie in PUBLISHED]
        env = VectorLieDetectors(env, names=names)
    return env


def need_torch() -> None:
    """Raise InputError where PyTorch is missing; it says how to install it."""
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError:
        needs = 'ppo needs PyTorch: expected after pip install "argus-gym[rl]"'
        raise InputError(needs) from None
