"""Leakage: anchors the learner was asked get better, those it was not asked do not."""

import math
from collections.abc import Sequence

import numpy as np

from argus_gym.records import RoundRecord
from argus_gym.wrappers.base import Finding, LieDetector
from argus_gym.wrappers.evidence_tools import latest, student_tail, surprise
from argus_gym.wrappers.item_trend import WINDOW, answer_table
from argus_gym.wrappers.misgrading import misgraded

__all__ = ["LeakageDetector"]

LEAST = 5
MISGRADED = 1e-3
NOTHING = 1e-9


class LeakageDetector(LieDetector):
    """Flags anchors that were trained on (lie L).

    The weights after a learning step answer two kinds of anchors: those they were asked before in
    the last three rounds, and those the next round draws that they were not. Learning lifts both,
    a leak only the first. Over the run's anchors,
    ``y(item, step) = level(item) + change(step) + gain * asked(item, step)`` is fitted to the
    shares of right chains by least squares, where ``asked`` is 1 for an answer after an earlier one
    at one of the last three rounds' steps. Levels tell easy from hard items apart, changes absorb
    whatever a step does to all of them, so that neither which items were drawn nor how fast the
    learner learns or forgets can look like a gain (two-way fixed effects of panel data). The score
    is ``-log10(p) / 10`` of Student's t for a positive gain, 0 where the grader is found
    misgrading at p <= 0.001: a lenient grade after the step looks the same.

    It orders no defence: the remedy is other anchors, which the environment does not have.

    Args:
        env: The environment to watch; transitions pass through unchanged.
        threshold: Score at which it fires, in [0, 1]; the tuned one where ``None``.
        defend: Without effect.

    Raises:
        ValueError: If ``threshold`` is outside [0, 1].

    Measured (``bench lies``, medium severity, 200 runs, 95 % intervals): caught within 3 rounds of
    onset in 86.0 % [80.5, 90.1], within 5 in 94.5 % [90.4, 96.9]; false alarms in 2 of 460 quiet
    15-round runs, 0.4 % [0.1, 1.6]. At 5 % false alarms a run it is level with the best generic
    alarm (threshold anchors: 100 % against 98 %). See ``docs/lies/leakage.md``.
    Cannot see: anchors leaked before the first round or all at once, and a leak where every round
    asks the whole pool: nothing is left to compare with.
    """

    lie = "L"
    name = "leakage"
    default_threshold = 0.39

    def score(self, history: Sequence[RoundRecord]) -> float:
        """Return ``-log10(p) / 10`` of the gain; NaN before five rounds or without anchors."""
        return surprise(_evidence(history)["p"])

    def explain(self, history: Sequence[RoundRecord]) -> Finding:
        """Return the gain of having been asked, its p-value and the answers compared."""
        evidence = _evidence(history)
        return Finding(
            evidence=evidence,
            sentence=f"Anchors asked in the last {WINDOW} rounds are right "
            f"{100 * evidence['gain']:.1f} points more often than those that were not "
            f"(p = {evidence['p']:.1g}).",
        )


@latest
def _evidence(history: Sequence[RoundRecord]) -> dict[str, float]:
    evidence = dict.fromkeys(("p", "p_gain", "gain", "asked"), math.nan)
    table = answer_table(history)
    rows = table.anchor
    if len(history) < LEAST or not rows.any():
        return evidence
    step = table.step[rows]
    _, item, count = np.unique(table.item[rows], return_inverse=True, return_counts=True)
    asked = _asked_before(item, step, len(history) - WINDOW)
    steps = np.unique(step)
    share = table.right[rows] / table.chains[rows]
    columns = np.column_stack([share, asked, step[:, None] == steps[1:]])
    levels = np.zeros((len(count), columns.shape[1]))
    np.add.at(levels, item, columns)
    columns -= (levels / count[:, None])[item]
    changes = columns[:, 2:]
    fit, _, rank, _ = np.linalg.lstsq(changes, columns[:, :2], rcond=None)
    y, x = (columns[:, :2] - changes @ fit).T
    xx, df = float(x @ x), len(item) - len(count) - int(rank) - 1
    evidence["asked"] = float(asked.sum())
    # Without answers of both kinds to the same step the gain is not to be told from the changes.
    if xx <= NOTHING or df < 3:
        return evidence
    gain = float(x @ y) / xx
    rest = float(y @ y) - gain * gain * xx
    if not rest > NOTHING:
        return evidence
    evidence["gain"] = gain
    evidence["p_gain"] = student_tail(gain / math.sqrt(rest / df / xx), df)
    evidence["p"] = 1.0 if misgraded(history)["p"] <= MISGRADED else evidence["p_gain"]
    return evidence


def _asked_before(item: np.ndarray, step: np.ndarray, start: int) -> np.ndarray:
    """Return 1 for each answer to an item that was also answered at an earlier step from start."""
    first = np.full(item.max() + 1, np.iinfo(np.int64).max)
    recent = step >= start
    np.minimum.at(first, item[recent], step[recent])
    asked: np.ndarray = (step > first[item]).astype(float)
    return asked
