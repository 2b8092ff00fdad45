"""Prioritised level replay: arms by the rank of their last score, and by how stale it is."""

from collections.abc import Sequence

import numpy as np

from argus_gym.agents.curricula.base import Sampled

__all__ = ["LevelReplay"]


class LevelReplay(Sampled):
    """Prioritised level replay (PLR) with arms as levels.

    An arm's score is the mean absolute difference between a chain's reward and its problem's mean,
    of the last problem: the L1 value loss with the group as baseline. Seen arms are replayed with
    probability ``(1 - staleness) P_S + staleness P_C``, where ``P_S`` is proportional to
    ``rank ** (-1 / temperature)`` (rank 1 has the highest score, ties by index) and ``P_C`` to the
    choices since the arm's last one; an unseen arm comes with probability equal to the unseen
    share. Source: Jiang, Grefenstette & Rocktäschel (2021), "Prioritized Level Replay", with their
    temperature and staleness for Procgen.

    Args:
        arms: Number of arms, >= 1.
        temperature: Of the ranks, > 0.
        staleness: Share of the draws by staleness, in [0, 1].

    Raises:
        ValueError: If an argument is outside its range.
    """

    def __init__(self, arms: int, temperature: float = 0.1, staleness: float = 0.1) -> None:
        super().__init__(arms)
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, got {temperature}")
        if not 0 <= staleness <= 1:
            raise ValueError(f"staleness must be in [0, 1], got {staleness}")
        self.temperature, self.staleness = temperature, staleness
        self.scores = np.full(arms, np.nan)
        self.stale = np.zeros(arms)

    def probabilities(self) -> np.ndarray:
        """Return unseen arms by the unseen share, seen ones by rank and staleness."""
        out = np.zeros(self.arms)
        unseen = np.isnan(self.scores)
        seen = np.flatnonzero(~unseen)
        if not seen.size:
            return np.full(self.arms, 1.0 / self.arms)
        order = seen[np.argsort(-self.scores[seen], kind="stable")]
        by_rank = np.arange(1.0, len(order) + 1) ** (-1.0 / self.temperature)
        out[order] = (1.0 - self.staleness) * by_rank / by_rank.sum()
        stale = self.stale[seen]
        out[seen] += self.staleness * (stale / stale.sum() if stale.any() else 1.0 / len(seen))
        out *= len(seen) / self.arms / out.sum()
        out[unseen] = 1.0 / self.arms
        return out

    def choose(self, rng: np.random.Generator) -> int:
        """Return an arm; all others grow staler."""
        arm = super().choose(rng)
        self.stale += 1.0
        self.stale[arm] = 0.0
        return arm

    def update(self, arm: int, rewards: Sequence[float]) -> None:
        """Set the arm's score to that of this problem."""
        given = np.asarray(rewards, float)
        self.scores[arm] = np.abs(given - given.mean()).mean()
