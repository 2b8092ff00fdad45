"""Self-repellent sampling: arms visited often become less likely."""

from collections.abc import Mapping, Sequence

import numpy as np

from argus_gym.agents.curricula.base import Sampled

__all__ = ["SelfRepellent", "repelled"]


def repelled(
    probabilities: np.ndarray, visits: np.ndarray, alpha: float, target: np.ndarray | None = None
) -> np.ndarray:
    """Return a sampler's probabilities, repelled from what it visited.

    ``p_j`` is multiplied by ``(x_j / mu_j) ** -alpha`` and normalised, where x is the share of
    visits so far with one visit added to each, and mu the target. Source: Doshi, Hu & Eun (2023),
    "Self-Repellent Random Walks on General Graphs", with a row of their transition matrix as
    ``probabilities``.

    Args:
        probabilities: Shape ``(arms,)``, >= 0, with a positive sum.
        visits: Visits so far, shape ``(arms,)``, >= 0.
        alpha: Strength of repulsion, >= 0.
        target: Stationary distribution wanted, shape ``(arms,)``; uniform where ``None``.
    """
    x = visits + 1.0
    logs = np.log(x / x.sum()) - (0.0 if target is None else np.log(target))
    logs *= -alpha
    weights = probabilities * np.exp(logs - logs[probabilities > 0].max())
    out: np.ndarray = weights / weights.sum()
    return out


class SelfRepellent(Sampled):
    """Any curriculum with probabilities, repelled from the arms it has chosen often.

    Args:
        base: The curriculum; it is told everything.
        alpha: Strength of repulsion, >= 0; 0 changes nothing.

    Raises:
        ValueError: If ``alpha`` is negative.
    """

    def __init__(self, base: Sampled, alpha: float = 2.0) -> None:
        super().__init__(base.arms)
        if not alpha >= 0:
            raise ValueError(f"alpha must be at least 0, got {alpha}")
        self.base, self.alpha = base, alpha
        self.visits = np.zeros(base.arms)

    def probabilities(self) -> np.ndarray:
        """Return those of ``base``, repelled; see :func:`repelled`."""
        return repelled(self.base.probabilities(), self.visits, self.alpha)

    def choose(self, rng: np.random.Generator) -> int:
        """Return an arm and remember the visit."""
        arm = super().choose(rng)
        self.visits[arm] += 1
        return arm

    def update(self, arm: int, rewards: Sequence[float]) -> None:
        """Tell ``base``."""
        self.base.update(arm, rewards)

    def improved(self, gains: Mapping[int, float]) -> None:
        """Tell ``base``."""
        self.base.improved(gains)

    def end_round(self) -> None:
        """Tell ``base``."""
        self.base.end_round()
