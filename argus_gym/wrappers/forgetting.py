"""Forgetting: the learning gauge is up and retests go down, everywhere or in one cluster."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from operator import is_
from typing import Any, TypeVar, cast

import numpy as np

from argus_gym.defences import Defence
from argus_gym.records import RoundRecord
from argus_gym.wrappers.base import Finding, LieDetector
from argus_gym.wrappers.evidence_tools import finite, student_tail, surprise, tippett

__all__ = ["ForgettingDetector", "ItemTrend", "item_trend"]

WINDOW, LEAST = 3, 6
POOLED = 20
NO_VARIANCE = 1e-12
Function = TypeVar("Function", bound=Callable[[Sequence[RoundRecord]], Any])
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


def latest(function: Function) -> Function:
    """Remember a function's result for the last history it was given, by identity of its rounds.

    A stack of detectors asks the same of the same history several times a round.
    """
    known: list[tuple[tuple[RoundRecord, ...], Any]] = []

    @wraps(function)
    def remembered(history: Sequence[RoundRecord]) -> Any:
        rounds = tuple(history)
        if known and len(known[0][0]) == len(rounds) and all(map(is_, known[0][0], rounds)):
            return known[0][1]
        result = function(rounds)
        known[:] = [(rounds, result)]
        return result

    return cast(Function, remembered)


@dataclass(frozen=True, slots=True, eq=False)
class _Answers:
    """Every answered item and step as columns; what a step's weights answered last counts."""

    item: np.ndarray
    step: np.ndarray
    right: np.ndarray
    chains: np.ndarray
    outcome: np.ndarray
    anchor: np.ndarray
    cluster: np.ndarray


@latest
def _answers(history: Sequence[RoundRecord]) -> _Answers:
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
    return _Answers(
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
    table = _answers(history)
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


class ForgettingDetector(LieDetector):
    """Flags retests that fall although the learning gauge is up (lie D).

    The share of right chains of retested items, anchors and earlier problems, is followed over the
    last three learning steps by :func:`item_trend`: one round's 24 items cannot show a loss of two
    points a step, three rounds' before-after pairs and the same items' earlier answers can. The
    score is ``-log10(p) / 10`` for a fall, with p the smaller of the one over all items and the
    smallest cluster's times the number of clusters, times two. It is 0 unless a learning gauge, on
    trained or on held-out pairs, was positive over the same steps: gauges that all admit the damage
    do not deceive.

    Args:
        env: The environment to watch; transitions pass through unchanged.
        threshold: Score at which it fires, in [0, 1]; the tuned one where ``None``.
        defend: Whether to order a rollback.

    Raises:
        ValueError: If ``threshold`` is outside [0, 1].

    Measured: see ``docs/lies/forgetting.md``.
    Cannot see: harm that leaves every retested item as it was, a loss of less than about two
    points a step, and, through earlier problems, a shared misconception.
    """

    lie = "D"
    name = "forgetting"
    defence = Defence.ROLLBACK
    default_threshold = 0.28

    def score(self, history: Sequence[RoundRecord]) -> float:
        """Return ``-log10(p) / 10`` of the fall; NaN before six rounds or without a gauge."""
        return surprise(_evidence(history)[0]["p"])

    def explain(self, history: Sequence[RoundRecord]) -> Finding:
        """Return the slope, the p-values, the gauge and the clusters that fall."""
        evidence, clusters = _evidence(history)
        return Finding(
            clusters,
            dict(evidence),
            f"Retests change by {100 * evidence['slope']:.1f} points a step while the learning "
            f"gauge reads {evidence['gauge']:.4f} (p = {evidence['p']:.1g}).",
        )


@latest
def _evidence(history: Sequence[RoundRecord]) -> tuple[dict[str, float], tuple[int, ...]]:
    gauge = _gauge(history[-WINDOW:])
    evidence = dict.fromkeys(("p", "p_all", "p_cluster", "slope"), math.nan) | {"gauge": gauge}
    trend = item_trend(history, right_share, anchors=False)
    if trend is None or math.isnan(gauge):
        return evidence, ()
    tails = trend.tails(-1)
    evidence["slope"], evidence["p_all"] = trend.slope, trend.tail(-1)
    evidence["p_cluster"] = tippett(list(tails.values()))
    p = tippett([evidence["p_all"], evidence["p_cluster"]])
    evidence["p"] = p if gauge > 0 else 1.0
    return evidence, tuple(c for c, tail in tails.items() if tail * len(tails) <= 0.05)


def _gauge(rounds: Sequence[RoundRecord]) -> float:
    """Return the larger mean of trained and held-out gain; NaN where neither was measured."""
    means = []
    for name in ("epi_train", "epi_heldout"):
        known = finite([r.gauges.get(name, math.nan) for r in rounds])
        means += [sum(known) / len(known)] if known else []
    return max(means, default=math.nan)
