"""Curricula that read the spread of one problem's rewards: variance and regret."""

import numpy as np

from argus_gym.agents.curricula.base import Scored

__all__ = ["BestMinusMean", "RewardSpread", "Variance"]


class Variance(Scored):
    """Arms in proportion to ``4 p (1 - p)``, p the running mean of the arm's reward.

    The reward that self-play proposers are often paid; :class:`~argus_gym.planner.MostLearnable`
    takes the largest instead. An arm without problems counts as p = 0.5.
    """

    start = 0.5

    def signal(self, rewards: np.ndarray) -> float:
        """Return the mean reward."""
        return float(rewards.mean())

    def weights(self) -> np.ndarray:
        """Return ``4 p (1 - p)``."""
        out: np.ndarray = 4.0 * self.values * (1.0 - self.values)
        return out


class RewardSpread(Scored):
    """Arms in proportion to the best minus the worst reward among a problem's chains (EVA).

    Ye et al. (2024), "Evolving Alignment via Asymmetric Self-Play", sample prompts by how far
    the rewards of their responses lie apart, as a proxy of regret. With rewards of 0 and 1 the
    spread is 1 for every problem that is neither solved nor failed by all chains, so it says little
    at large k.
    """

    def signal(self, rewards: np.ndarray) -> float:
        """Return the largest minus the smallest reward."""
        return float(rewards.max() - rewards.min())


class BestMinusMean(Scored):
    """Arms in proportion to the best minus the mean reward: regret as PAIRED estimates it.

    The best chain stands for the antagonist, the mean chain for the protagonist. Source: Dennis et
    al. (2020), "Emergent Complexity and Zero-shot Transfer via Unsupervised Environment Design".
    Where the rewards come from agreement the best is always 1, and this is one minus consensus.
    """

    def signal(self, rewards: np.ndarray) -> float:
        """Return the largest minus the mean reward."""
        return float(rewards.max() - rewards.mean())
