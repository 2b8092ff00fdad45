"""Trends of retested items over the last learning steps, easy and hard items told apart."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from argus_gym.defences import Defence
from argus_gym.records import RoundRecord
from argus_gym.wrappers.evidence_tools import latest, student_tail

__all__ = ["WINDOW", "AnswerTable", "ItemTrend", "answer_table", "item_trend", "right_share"]

WINDOW, LEAST = 3, 6
POOLED = 20
NO_VARIANCE = 1e-12
ItemValue = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, slots=True)
class ItemTrend:
    """How the answers to the same items changed over the last steps.

    Attributes:
        slope: Change of an item's value per learning step.
        t: Student's t of the slope.
        df: Its degrees of freedom.
        clusters: The same t and degrees for each cluster's items alone.
    """

    slope: float
    t: float
    df: float
    clusters: Mapping[int, tuple[float, float]]

    def tail(self, sign: int) -> float:
        """Return the one-sided p-value of a rise (``sign`` 1) or a fall (-1)."""
        return student_tail(sign * self.t, self.df)

    def tails(self, sign: int) -> dict[int, float]:
        """Return the one-sided p-value of each cluster."""
        return {c: student_tail(sign * t, df) for c, (t, df) in self.clusters.items()}


@dataclass(frozen=True, slots=True, eq=False)
class AnswerTable:
    """Every answered item and step as columns; what a step's weights answered last counts."""

    item: np.ndarray
    step: np.ndarray
    right: np.ndarray
    chains: np.ndarray
    outcome: np.ndarray
    anchor: np.ndarray
    cluster: np.ndarray


@latest
def answer_table(history: Sequence[RoundRecord]) -> AnswerTable:
    """Return every answer to a retested item, one row for each item and state of the weights."""
    number: dict[str, int] = {}
    kind: dict[int, tuple[bool, int]] = {}
    rows: dict[tuple[int, int], tuple[int, int, float]] = {}
    for at, record in enumerate(history):
        kept = not _taken_back(history, at)
        for item in record.retests:
            n = number.setdefault(item.problem, len(number))
            kind[n] = (item.anchor, item.cluster)
            rows[n, at] = (item.right_before, item.chains, item.outcome_before)
            if kept:
                rows[n, at + 1] = (item.right_after, item.chains, item.outcome_after)
    where = np.array(list(rows), np.int64).reshape(-1, 2)
    answers = np.array(list(rows.values()), float).reshape(-1, 3)
    kinds = np.array(list(kind.values()), np.int64).reshape(-1, 2)[where[:, 0]]
    right, chains = answers[:, :2].astype(np.int64).T
    return AnswerTable(
        item=where[:, 0],
        step=where[:, 1],
        right=right,
        chains=chains,
        outcome=answers[:, 2],
        anchor=kinds[:, 0].astype(bool),
        cluster=kinds[:, 1],
    )


def item_trend(
    history: Sequence[RoundRecord], value: ItemValue, anchors: bool = True
) -> ItemTrend | None:
    """Fit a ramp over the last three learning steps to the retested items' values.

    An ordinary regression with a level of its own for each item (the within estimator of panel
    data): ``y = level(item) + slope * max(0, step - start)``. A block before and one after the
    step are answered by weights one step apart, so an item gives its before-after pair, and one
    drawn in several rounds is compared with its own earlier answers too. Easy and hard items do
    not blur the comparison, whichever were drawn. Answers after a step that was refused or rolled
    back count in its own round only. A cluster's variance is its own, averaged by degrees of
    freedom with the common one, weighted 20.

    Args:
        history: Rounds, oldest first.
        value: What is followed, from right chains, chains and modal share, arrays of one shape.
        anchors: Use the items with known answers only.

    Returns:
        The trend; ``None`` with fewer than six rounds, fewer than three degrees of freedom, or
        values that do not vary.
    """
    if len(history) < LEAST:
        return None
    table = answer_table(history)
    rows = table.anchor if anchors else np.ones(len(table.anchor), bool)
    if not rows.any():
        return None
    _, item, count = np.unique(table.item[rows], return_inverse=True, return_counts=True)
    x = np.maximum(table.step[rows] - (len(history) - WINDOW), 0).astype(float)
    y = value(table.right[rows], table.chains[rows], table.outcome[rows])
    x -= (np.bincount(item, x) / count)[item]
    y = y - (np.bincount(item, y) / count)[item]
    names, cluster = np.unique(table.cluster[rows], return_inverse=True)
    xx, xy, yy, free = (
        np.bincount(cluster, column) for column in (x * x, x * y, y * y, 1 - 1 / count[item])
    )
    all_xx, all_xy = float(xx.sum()), float(xy.sum())
    df = round(float(free.sum())) - 1
    rest = float(yy.sum()) - all_xy**2 / all_xx if all_xx else 0.0
    if df < 3 or not rest > NO_VARIANCE:
        return None
    variance = rest / df
    clusters = {}
    for name, cxx, cxy, cyy, cfree in zip(names.tolist(), xx, xy, yy, free, strict=True):
        if cxx:
            own, own_df = max(cyy - cxy * cxy / cxx, 0.0), round(cfree) - 1
            pooled = (own + POOLED * variance) / (own_df + POOLED)
            clusters[name] = (float(cxy / math.sqrt(pooled * cxx)), float(own_df + POOLED))
    return ItemTrend(all_xy / all_xx, all_xy / math.sqrt(variance * all_xx), df, clusters)


def _taken_back(history: Sequence[RoundRecord], at: int) -> bool:
    """Return whether a round's step was undone before the next one: its answers count no more."""
    if at + 1 == len(history):
        return False
    now, following = history[at], history[at + 1]
    ordered = Defence.ROLLBACK in following.defences and Defence.ROLLBACK not in now.defences
    return ordered or (now.verdict is not None and now.verdict.decision == "REFUSE")


def right_share(right: np.ndarray, chains: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """Return the share of right chains."""
    share: np.ndarray = right / chains
    return share
