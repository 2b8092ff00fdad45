"""Weakness-driven: problems where the solver keeps failing."""

import numpy as np

from argus_gym.agents.curricula.base import Scored

__all__ = ["WeaknessDriven"]

FAILED = 0.5


class WeaknessDriven(Scored):
    """Arms in proportion to their failure ratio (SwS).

    A problem counts as failed where its mean reward is below 0.5; an arm's budget is its share of
    failed problems, normalised over the arms. Source: Liang et al. (2025), "SwS: Self-aware
    Weakness-driven Problem Synthesis in Reinforcement Learning for LLM Reasoning". Theirs also
    asks that a problem's accuracy falls over epochs (here a problem comes once) and keeps
    synthetic problems of an accuracy in [0.125, 0.875] (here the environment's frontier does).
    """

    def signal(self, rewards: np.ndarray) -> float:
        """Return 1 for a failed problem, else 0."""
        return float(rewards.mean() < FAILED)
