"""Agents: the protocol, the loop that runs one, and the agents that come with the package."""

from argus_gym.agents.base import Agent, RunResult, rollout
from argus_gym.agents.curricula import CURRICULA, Curriculum, make_curriculum
from argus_gym.agents.latent import Dynamics
from argus_gym.agents.replay import ReplayAgent
from argus_gym.agents.simulated import Oracle, SimulatedAgent
from argus_gym.agents.steered import Steered

__all__ = [
    "CURRICULA",
    "Agent",
    "Curriculum",
    "Dynamics",
    "Oracle",
    "ReplayAgent",
    "RunResult",
    "SimulatedAgent",
    "Steered",
    "make_curriculum",
    "rollout",
]
