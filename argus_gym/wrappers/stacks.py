"""Known stacks of detectors, gate and monitors."""

import difflib
from typing import Any

import gymnasium as gym

from argus_gym.wrappers.attribution import CausalAttribution
from argus_gym.wrappers.base import DETECTORS
from argus_gym.wrappers.diagnosis import Diagnosis
from argus_gym.wrappers.ensemble import EnsembleWarning
from argus_gym.wrappers.gate import ERCVGate
from argus_gym.wrappers.stability import StabilityIndex

__all__ = ["PUBLISHED", "STACKS", "check_stack", "stack"]

STACKS = {
    "v3.4": "the published system: detectors A to H, its gate, stability index, attribution",
    "v3.5": "the same with the stability rule as gate and the three-of-six warning",
    "v4": "all detectors, the certified gate, averaged e-values, diagnosis; the default",
    "no-metacognition": "the published ablation: the bare loop",
}
"""Stacks by name, and what they are made of."""

PUBLISHED = "ABCDEFGH"
"""The published lies, by letter."""


def check_stack(preset: str) -> None:
    """Raise a ``ValueError`` that names the nearest where there is no such stack."""
    if preset not in STACKS:
        near = difflib.get_close_matches(preset, STACKS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"stack must be one of {', '.join(STACKS)}, got {preset!r}{hint}")


def stack(env: gym.Env[Any, Any], preset: str = "v4") -> gym.Env[Any, Any]:
    """Wrap ``env`` in a known stack.

    Args:
        env: ``ArgusSelfImprove-v0``.
        preset: A key of ``STACKS``.

    Raises:
        ValueError: If there is no such stack; names the nearest one.
    """
    check_stack(preset)
    if preset == "no-metacognition":
        return env
    ours = preset == "v4"
    for name in sorted(DETECTORS):
        if ours or DETECTORS[name].lie in PUBLISHED:
            env = DETECTORS[name](env)
    rules = {"v3.4": "v3.4", "v3.5": "stability", "v4": "certified"}
    env = ERCVGate(env, rule=rules[preset])
    env = CausalAttribution(StabilityIndex(env))
    if preset == "v3.4":
        return env
    if preset == "v3.5":
        return EnsembleWarning(env, rule="three_of_six")
    return EnsembleWarning(Diagnosis(env))
