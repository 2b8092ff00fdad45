"""A paired e-detector: has the loss since a reference become positive, at a time not known?"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["BETS", "EDetector"]

BETS = (0.03, 0.06, 0.12, 0.25, 0.5, 0.9)
"""Bets as shares of the largest that cannot go bankrupt."""


class EDetector:
    """A mixture of Shiryaev-Roberts e-detectors on paired losses, global and by group.

    A loss ``D`` is a paired difference in [-1, 1], positive where the present is worse than the
    reference. Under the null the mean loss is at most ``margin`` and each factor
    ``1 + b (D - margin)`` has mean at most one, as has the product over items whose losses
    average at most ``margin`` (arithmetic-geometric means). For each bet ``b`` the statistic

        SR_t(b) = (1 + SR_{t-1}(b)) * prod_i (1 + b (D_i - margin)),    SR_0 = 0

    has ``E[SR_t] <= t`` under the null, and so has any average of such statistics. ``value`` is
    half the global one and half the mean over groups, each averaged over ``BETS``. Over R rounds
    it reaches ``R / alpha`` with probability at most alpha (optional stopping and Markov), and a
    restart does not change that. Kept as logarithms, so that nothing overflows.

    Source: Shin, Ramdas and Rinaldo (2023), "E-detectors: a nonparametric framework for
    sequential change detection"; betting factors as in Waudby-Smith and Ramdas (2024).

    Args:
        margins: Largest mean loss that counts as none: entry 0 for all items together, entry
            ``1 + g`` for group ``g``; each in [0, 1]. At least the global one.

    Raises:
        ValueError: If ``margins`` is empty or a margin is outside [0, 1].
    """

    def __init__(self, margins: np.ndarray) -> None:
        self.margins = np.asarray(margins, float)
        if self.margins.ndim != 1 or not self.margins.size:
            raise ValueError(f"margins must be a row of numbers, got shape {self.margins.shape}")
        if not ((self.margins >= 0) & (self.margins <= 1)).all():
            raise ValueError(f"margins must be in [0, 1], got {self.margins.tolist()}")
        self._bets = np.array(BETS) / (1 + self.margins[:, None])
        self._log = np.full(self._bets.shape, -math.inf)
        self.rounds = 0

    def update(self, losses: np.ndarray, groups: np.ndarray) -> float:
        """Take in one round and return :attr:`value`.

        Args:
            losses: Paired losses, shape ``(n,)``, in [-1, 1]; none at all is allowed.
            groups: The group of each, shape ``(n,)``, in ``[0, len(margins) - 1)``.

        Raises:
            ValueError: If the shapes differ or a value is outside its range.
        """
        losses, groups = np.asarray(losses, float), np.asarray(groups, int)
        if losses.ndim != 1 or losses.shape != groups.shape:
            raise ValueError(f"losses and groups must match, got {losses.shape}, {groups.shape}")
        if not (np.abs(losses) <= 1).all():
            raise ValueError("losses must be in [-1, 1]")
        if losses.size and not 0 <= groups.min() <= groups.max() < len(self.margins) - 1:
            raise ValueError(f"groups must be in [0, {len(self.margins) - 1})")
        factors = np.zeros(self._bets.shape)
        factors[0] = np.log1p(self._bets[0] * (losses[:, None] - self.margins[0])).sum(0)
        rows = 1 + groups
        terms = np.log1p(self._bets[rows] * (losses - self.margins[rows])[:, None])
        np.add.at(factors, rows, terms)
        self._log = np.logaddexp(0.0, self._log) + factors
        self.rounds += 1
        return self.value

    @property
    def log_value(self) -> float:
        """Natural logarithm of :attr:`value`; minus infinity before the first round."""
        means = _log_mean(self._log, axis=1)
        if len(means) == 1 or not self.rounds:
            return float(means[0])
        return float(np.logaddexp(means[0], _log_mean(means[1:], axis=0)) - math.log(2))

    @property
    def value(self) -> float:
        """The averaged statistic; infinite where it exceeds the largest float."""
        return math.exp(self.log_value) if self.log_value < 709 else math.inf

    def leading(self) -> int:
        """Return the group with the largest statistic; -1 without groups."""
        means = _log_mean(self._log, axis=1)
        return int(means[1:].argmax()) if len(means) > 1 else -1

    def state(self) -> dict[str, Any]:
        """Return a JSON-ready copy."""
        log = [[v if math.isfinite(v) else None for v in row] for row in self._log.tolist()]
        return {"margins": self.margins.tolist(), "log": log, "rounds": self.rounds}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "EDetector":
        """Rebuild from :meth:`state`."""
        out = cls(np.array(state["margins"], float))
        out._log = np.array(
            [[-math.inf if v is None else v for v in row] for row in state["log"]], float
        )
        out.rounds = int(state["rounds"])
        return out


def _log_mean(values: np.ndarray, axis: int) -> np.ndarray:
    mean: np.ndarray = np.logaddexp.reduce(values, axis=axis) - math.log(values.shape[axis])
    return mean
