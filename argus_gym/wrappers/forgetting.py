"""Forgetting: the learning gauge is up and retests go down, everywhere or in one cluster."""

import math
from collections.abc import Sequence

from argus_gym.defences import Defence
from argus_gym.records import RoundRecord
from argus_gym.wrappers.base import Finding, LieDetector
from argus_gym.wrappers.evidence_tools import finite, latest, surprise, tippett
from argus_gym.wrappers.item_trend import WINDOW, item_trend, right_share

__all__ = ["ForgettingDetector"]


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

    Measured (``bench lies``, medium severity, 200 runs, 95 % intervals): caught within 3 rounds of
    onset in 93.5 % [89.2, 96.2], within 5 in 99.5 % [97.2, 99.9]; false alarms in 3 of 460 quiet
    15-round runs, 0.7 % [0.2, 1.9]. At 5 % false alarms a run it loses to the best generic alarm
    (cusum epi heldout: 100 % against 96 %). See ``docs/lies/forgetting.md``.
    Cannot see: harm that leaves every retested item as it was, a loss of less than about two
    points a step, and, through earlier problems, a shared misconception.
    """

    lie = "D"
    name = "forgetting"
    defence = Defence.ROLLBACK
    default_threshold = 0.31

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
