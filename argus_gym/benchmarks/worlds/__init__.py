"""Worlds whose truth is known, to measure detectors and gates on."""

from argus_gym.benchmarks.worlds.base import (
    SEVERITIES,
    Kind,
    Plan,
    SimulatedWorld,
    World,
    plan,
)
from argus_gym.benchmarks.worlds.emergent import EMERGENT, Placebo, Quiet
from argus_gym.benchmarks.worlds.evaluators import EVALUATORS
from argus_gym.benchmarks.worlds.honest import HONEST
from argus_gym.benchmarks.worlds.planted import PLANTED

__all__ = ["SEVERITIES", "WORLDS", "Kind", "Plan", "SimulatedWorld", "World", "plan"]

EVERY: tuple[type[World], ...] = (Quiet, *PLANTED, *EVALUATORS, *HONEST, *EMERGENT, Placebo)

WORLDS: dict[str, type[World]] = {world.name: world for world in EVERY}
"""Worlds by name."""
