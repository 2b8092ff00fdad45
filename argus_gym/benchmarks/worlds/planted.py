"""Worlds A to K: a quiet learner that one mechanism takes over."""

from typing import Any

import gymnasium as gym

from argus_gym.agents import Agent
from argus_gym.agents.mechanisms import PlantedAgent
from argus_gym.benchmarks.worlds.base import Plan, SimulatedWorld
from argus_gym.defences import Defence, Order
from argus_gym.records import RoundRecord

__all__ = ["PLANTED"]


class Planted(SimulatedWorld):
    """A mechanism of ``argus_gym.agents.mechanisms``, by the letter of its lie."""

    def agent(self, plan: Plan) -> Agent:
        """Return a quiet learner with the mechanism planted."""
        return PlantedAgent(
            plan.seed,
            self.lie if plan.severity else None,
            onset=plan.onset,
            severity=plan.severity,
            shape=plan.shape,
        )


class CurriculumCollapse(Planted):
    """H, with the defence it answers to: a curriculum can only tip after one."""

    name, lie = "curriculum_collapse", "H"

    def on_round(self, env: gym.Env[Any, Any], record: RoundRecord, plan: Plan) -> None:
        """Order the defence in the round before the onset."""
        base: Any = env.unwrapped
        if record.round == plan.onset - 1:
            base.order(Order(Defence.EXTERNAL_CONTEXT, "planted"))


NAMES = {
    "A": "drift",
    "B": "novelty",
    "C": "starvation",
    "D": "forgetting",
    "E": "saturation",
    "F": "hallucination",
    "G": "plateau",
    "I": "proxy_gaming",
    "J": "confident_wrong",
    "K": "diversity_collapse",
}

PLANTED: tuple[type[SimulatedWorld], ...] = (
    *(type(name, (Planted,), {"name": name, "lie": lie}) for lie, name in NAMES.items()),
    CurriculumCollapse,
)
"""One world for each mechanism."""
