"""Self-evolving curriculum: a bandit paid by the size of the advantages."""

from collections.abc import Sequence

import numpy as np

from argus_gym.agents.curricula.base import Sampled

__all__ = ["SelfEvolving"]


class SelfEvolving(Sampled):
    """Self-evolving curriculum (SEC): Boltzmann sampling by the mean absolute advantage.

    An arm's reward in a round is the mean of ``|A|`` over the chains of its problems, where ``A``
    is a chain's reward minus its problem's mean, over its problem's standard deviation (0 where all
    chains are rewarded alike). For rewards of 0 and 1 this is ``2 sqrt(p (1 - p))``, largest at
    p = 0.5: an arm that stays there whatever is trained holds the curriculum for ever. Values move
    by ``Q += rate (r - Q)`` from 0 at the end of a round; arms are drawn with probability
    proportional to ``exp(Q / temperature)``. Source: Chen et al. (2025), "Self-Evolving Curriculum
    for LLM Reasoning", whose runs use a rate of 0.5 and temperatures of 0.2, 0.4 and 1.

    Args:
        arms: Number of arms, >= 1.
        temperature: Of the Boltzmann distribution, > 0.
        rate: Step of the values, in (0, 1].

    Raises:
        ValueError: If an argument is outside its range.
    """

    def __init__(self, arms: int, temperature: float = 0.3, rate: float = 0.5) -> None:
        super().__init__(arms)
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, got {temperature}")
        if not 0 < rate <= 1:
            raise ValueError(f"rate must be in (0, 1], got {rate}")
        self.temperature, self.rate = temperature, rate
        self.values = np.zeros(arms)
        self._sums = np.zeros((2, arms))

    def probabilities(self) -> np.ndarray:
        """Return the Boltzmann distribution of the values."""
        weights = np.exp((self.values - self.values.max()) / self.temperature)
        out: np.ndarray = weights / weights.sum()
        return out

    def update(self, arm: int, rewards: Sequence[float]) -> None:
        """Count one problem's mean absolute advantage."""
        given = np.asarray(rewards, float)
        deviation = given.std()
        if deviation > 0:
            self._sums[0, arm] += np.abs(given - given.mean()).mean() / deviation
        self._sums[1, arm] += 1

    def end_round(self) -> None:
        """Move the values of the arms visited in this round."""
        visited = self._sums[1] > 0
        reward = self._sums[0, visited] / self._sums[1, visited]
        self.values[visited] += self.rate * (reward - self.values[visited])
        self._sums[:] = 0.0
