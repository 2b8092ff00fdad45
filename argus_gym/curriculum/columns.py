"""The capability maps of n runs as arrays, one family a cluster."""

import numpy as np

from argus_gym.capability_map import COLUMNS, RATE_FLOOR, SHARE_CAP

__all__ = ["Columns"]


class Columns:
    """What :class:`~argus_gym.capability_map.CapabilityMap` keeps for each cluster, for n runs.

    Args:
        count: Number of runs.
        families: Clusters of each.
    """

    def __init__(self, count: int, families: int) -> None:
        self.n, self.consensus, self.frontier, self.velocity, self.retest = np.zeros(
            (5, count, families)
        )
        self.past, self.now, self.outcomes = np.zeros((3, count, families))
        self.last, self.last_round = np.full((2, count, families), np.nan)
        self.barred = np.zeros((count, families), np.int64)
        self.rounds = np.zeros(count)

    def reset(self, rows: np.ndarray) -> None:
        """Forget some of the runs."""
        for name, column in vars(self).items():
            column[rows] = np.nan if name in ("last", "last_round") else 0

    def scored(
        self,
        rows: np.ndarray,
        cluster: np.ndarray,
        outcome: np.ndarray,
        combined: np.ndarray,
        frontier: np.ndarray,
    ) -> None:
        """Record a scored problem of each of the runs ``rows``; all arrays of their shape."""
        at = rows * self.n.shape[1] + cluster
        count, mean, share, now, outcomes = (
            column.reshape(-1)
            for column in (self.n, self.consensus, self.frontier, self.now, self.outcomes)
        )
        n = count[at] + 1.0
        count[at] = n
        rate = np.maximum(1.0 / n, RATE_FLOOR)
        before = mean[at]
        mean[at] = before + rate * (combined - before)
        before = share[at]
        share[at] = before + rate * (frontier - before)
        now[at] += 1.0
        outcomes[at] += outcome

    def retested(self, rows: np.ndarray, cluster: np.ndarray, delta: np.ndarray) -> None:
        """Record a round's paired retests: one run, cluster and difference an entry."""
        families = self.n.shape[1]
        flat = rows * families + cluster
        size = self.n.size
        count = np.bincount(flat, minlength=size)
        touched = np.flatnonzero(count)
        mean = np.bincount(flat, delta, size)[touched] / count[touched]
        self.retest.reshape(-1)[touched] = mean

    def skill(self, rows: np.ndarray) -> np.ndarray:
        """Return the mean outcome of the round, each visited cluster weighing the same."""
        now = self.now[rows]
        means = self.outcomes[rows] / np.maximum(now, 1.0)
        skill: np.ndarray = means.sum(1) / np.maximum((now > 0).sum(1), 1)
        return skill

    def end_round(self, rows: np.ndarray) -> None:
        """Close the round of some of the runs."""
        self.rounds[rows] += 1
        round_ = self.rounds[rows, None]
        visited = self.now[rows] > 0
        consensus, last = self.consensus[rows], self.last_round[rows]
        again = visited & ~np.isnan(last)
        change = (consensus - self.last[rows]) / (round_ - last)
        self.velocity[rows] = np.where(again, change, self.velocity[rows])
        self.last[rows] = np.where(visited, consensus, self.last[rows])
        self.last_round[rows] = np.where(visited, round_, last)
        self.past[rows] = self.now[rows]
        self.now[rows] = 0.0
        self.outcomes[rows] = 0.0
        self.barred[rows] = np.maximum(self.barred[rows] - 1, 0)

    def write(self, flat: np.ndarray) -> None:
        """Write the columns in the order ``COLUMNS`` side by side into ``(n, 7 K)`` floats."""
        out = flat.reshape(len(flat), len(COLUMNS), -1)
        recent = self.past + self.now
        # Whole numbers add up exactly in any order, and a product is faster than a sum of rows.
        total = recent @ np.ones(recent.shape[1])
        share = recent / np.maximum(total, 1.0)[:, None]
        out[:, 0], out[:, 1], out[:, 2], out[:, 3] = self.n, share, self.consensus, self.frontier
        out[:, 4], out[:, 5] = self.velocity, self.retest
        out[:, 6] = (share < SHARE_CAP) & (self.barred == 0)
