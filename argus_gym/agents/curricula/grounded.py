"""Grounded teacher: paid by measured progress on problems with known answers."""

from collections.abc import Mapping

import numpy as np

from argus_gym.agents.curricula.base import Sampled, mixed
from argus_gym.planner import EXPLORATION

__all__ = ["GroundedTeacher"]


class GroundedTeacher(Sampled):
    """A policy over arms, rewarded by what an arm's pairs do to a probe of hard problems (SOAR).

    The policy is a softmax of preferences, with one draw in ten uniform. Each arm's gain on the
    probe is compared with the mean gain of the other arms of the round (leave-one-out baseline),
    and these advantages move the preferences by policy gradient. They are not scaled by their
    spread: where no arm helps, that would blow the probe's noise up to full size.
    It learns nothing from rewards, so that without :meth:`improved` it stays uniform. Source:
    Sundaram et al. (2026), "Teaching Models to Teach Themselves: Reasoning at the Edge of
    Learnability"; their teacher is a language model that writes the problems, this one chooses
    among arms.

    Args:
        arms: Number of arms, >= 1.
        rate: Step of the preferences for a gain of 1 a pair, > 0.

    Raises:
        ValueError: If an argument is outside its range.
    """

    def __init__(self, arms: int, rate: float = 60.0) -> None:
        super().__init__(arms)
        if not rate > 0:
            raise ValueError(f"rate must be above 0, got {rate}")
        self.rate = rate
        self.preferences = np.zeros(arms)

    def _policy(self) -> np.ndarray:
        weights = np.exp(self.preferences - self.preferences.max())
        out: np.ndarray = weights / weights.sum()
        return out

    def probabilities(self) -> np.ndarray:
        """Return the policy with its uniform part."""
        return mixed(self._policy(), EXPLORATION)

    def improved(self, gains: Mapping[int, float]) -> None:
        """Move the preferences towards the arms that helped more than the others did."""
        if len(gains) < 2:
            return
        arms = np.array(sorted(gains))
        gain = np.array([gains[arm] for arm in arms.tolist()])
        n = len(arms)
        # The gradient of log pi(a) is e_a - pi; the advantages sum to 0, so pi drops out.
        self.preferences[arms] += self.rate * (gain - gain.mean()) * n / (n - 1)
