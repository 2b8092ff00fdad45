"""Forgetting: the learning gauge is up and retests go down, everywhere or in one cluster."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from argus_gym.defences import Defence
from argus_gym.records import RoundRecord
from argus_gym.wrappers.base import Finding, LieDetector
from argus_gym.wrappers.evidence_tools import finite, student_tail, surprise, tippett

__all__ = ["ForgettingDetector", "ItemTrend", "item_trend"]

WINDOW, LEAST = 3, 6
POOLED = 20
NO_VARIANCE = 1e-12


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


def item_trend(
    history: Sequence[RoundRecord],
    value: Callable[[int, int, float], float],
    anchors: bool = True,
) -> ItemTrend | None:
    """Fit a ramp over the last three learning steps to the retested items' values.

    An ordinary regression with a level of its own for each item (the within estimator of panel
    data): ``y = level(item) + slope * max(0, step - start)``. A block before and one after the
    step are answered by weights one step apart, so an item gives its before-after pair, and one
    drawn in several rounds is compared with its own earlier answers too. Easy and hard items do
    not blur the comparison, whichever were drawn. A cluster's variance is its own, averaged by
    degrees of freedom with the common one, weighted 20.

    Args:
        history: Rounds, oldest first.
        value: What is followed, from right chains, chains and the modal share.
        anchors: Use the items with known answers only.

    Returns:
        The trend; ``None`` with fewer than six rounds, fewer than three degrees of freedom, or
        values that do not vary.
    """
    if len(history) < LEAST:
        return None
    answers: dict[str, dict[int, float]] = {}
    where: dict[str, int] = {}
    for at, record in enumerate(history):
        for item in record.retests:
            if item.anchor or not anchors:
                known = answers.setdefault(item.problem, {})
                where[item.problem] = item.cluster
                before = value(item.right_before, item.chains, item.outcome_before)
                known.setdefault(at, before)
                known[at + 1] = value(item.right_after, item.chains, item.outcome_after)
    start = len(history) - WINDOW
    totals: dict[int, np.ndarray] = {}
    for problem, known in answers.items():
        x = np.maximum(np.array(list(known), float) - start, 0.0)
        y = np.array(list(known.values()))
        x, y = x - x.mean(), y - y.mean()
        sums = np.array([x @ x, x @ y, y @ y, len(y) - 1.0])
        totals[where[problem]] = totals.get(where[problem], 0.0) + sums
    if not totals:
        return None
    xx, xy, yy, free = np.sum(list(totals.values()), axis=0).tolist()
    df = free - 1
    rest = yy - xy * xy / xx if xx else 0.0
    if df < 3 or not rest > NO_VARIANCE:
        return None
    variance = rest / df
    clusters = {}
    for cluster, (cxx, cxy, cyy, cfree) in sorted(totals.items()):
        if cxx:
            own_df = cfree - 1
            own = max(cyy - cxy * cxy / cxx, 0.0)
            pooled = (own + POOLED * variance) / (own_df + POOLED)
            clusters[cluster] = (float(cxy / math.sqrt(pooled * cxx)), float(own_df + POOLED))
    return ItemTrend(xy / xx, xy / math.sqrt(variance * xx), df, clusters)


def right_share(right: int, chains: int, outcome: float) -> float:
    """Return the share of right chains."""
    return right / chains


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
            evidence,
            f"Retests change by {100 * evidence['slope']:.1f} points a step while the learning "
            f"gauge reads {evidence['gauge']:.4f} (p = {evidence['p']:.1g}).",
        )


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
