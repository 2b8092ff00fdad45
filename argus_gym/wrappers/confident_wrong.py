"""Confident wrong: chains come to agree on answers that anchors know to be wrong."""

import math
from collections.abc import Sequence

import numpy as np

from argus_gym.defences import Defence
from argus_gym.records import RoundRecord
from argus_gym.wrappers.base import Finding, LieDetector
from argus_gym.wrappers.evidence_tools import latest, surprise
from argus_gym.wrappers.item_trend import item_trend, right_share

__all__ = ["ConfidentWrongDetector"]

LOSS = 0.05


class ConfidentWrongDetector(LieDetector):
    """Flags consensus that rises on wrong answers (lie J).

    An anchor's value is its consensus minus twice its right share where the modal answer is wrong,
    and minus its right share where it is right: what an intrinsic reward pays for error, less what
    is known. Its rise over the last three learning steps (:func:`~argus_gym.wrappers.forgetting.
    item_trend`) is tested in each cluster, because a misconception has a place, and the clusters'
    p-values are combined by Fisher's method, minus twice the sum of their logarithms against
    chi-squared (Fisher 1925, "Statistical Methods for Research Workers"). The score is
    ``-log10(p) / 10``, 0 unless the right shares alone fall as well, at 5 %: chains that only
    sharpen agree more on right and wrong answers alike.

    Args:
        env: The environment to watch; transitions pass through unchanged.
        threshold: Score at which it fires, in [0, 1]; the tuned one where ``None``.
        defend: Whether to order the training pairs weighted by anchor accuracy.

    Raises:
        ValueError: If ``threshold`` is outside [0, 1].

    Measured (``bench lies``, medium severity, 200 runs, 95 % intervals): caught within 3 rounds of
    onset in 81.0 % [75.0, 85.8], within 5 in 99.5 % [97.2, 99.9]; false alarms in 8 of 460 quiet
    15-round runs, 1.7 % [0.9, 3.4]. At 5 % false alarms a run it beats the best generic alarm
    (threshold epi train: 28 % against 83 %). See ``docs/lies/confident_wrong.md``.
    Cannot see: a misconception held from the start, and one no anchor touches.
    """

    lie = "J"
    name = "confident_wrong"
    defence = Defence.ANCHOR_WEIGHT
    default_threshold = 0.18

    def score(self, history: Sequence[RoundRecord]) -> float:
        """Return ``-log10(p) / 10`` of the rise; NaN before six rounds or without anchors."""
        return surprise(_evidence(history)[0]["p"])

    def explain(self, history: Sequence[RoundRecord]) -> Finding:
        """Return consensus minus accuracy, the share of anchors agreed on and wrong, the p's."""
        evidence, clusters = _evidence(history)
        evidence = dict(evidence)
        known = [item for item in history[-1].retests if item.anchor]
        agreed = [i for i in known if i.outcome_after >= 0.75 and 2 * i.right_after < i.chains]
        count = max(len(known), 1)
        evidence["gap"] = sum(i.outcome_after - i.right_after / i.chains for i in known) / count
        evidence["agreed_wrong"] = len(agreed) / count
        return Finding(
            clusters,
            evidence,
            f"Consensus on anchors exceeds their accuracy by {evidence['gap']:.2f}, and "
            f"{len(agreed)} of {len(known)} are agreed on and wrong (p = {evidence['p']:.1g}).",
        )


def wrong_agreement(right: np.ndarray, chains: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """Return minus the right share, plus consensus minus that share where the mode is wrong."""
    share = right / chains
    value: np.ndarray = np.where(share < outcome - 0.5 / chains, outcome - 2 * share, -share)
    return value


def fisher_method(tails: Sequence[float]) -> float:
    """Return Fisher's combination of independent p-values, NaN without any."""
    from scipy.special import chdtrc

    known = [max(p, 1e-300) for p in tails if not math.isnan(p)]
    return float(chdtrc(2 * len(known), -2 * sum(map(math.log, known)))) if known else math.nan


@latest
def _evidence(history: Sequence[RoundRecord]) -> tuple[dict[str, float], tuple[int, ...]]:
    evidence = dict.fromkeys(("p", "p_right", "slope"), math.nan)
    rise = item_trend(history, wrong_agreement)
    right = item_trend(history, right_share)
    if rise is None or right is None:
        return evidence, ()
    tails = rise.tails(1)
    evidence["slope"] = rise.slope
    evidence["p_right"] = fisher_method(list(right.tails(-1).values()))
    p = fisher_method(list(tails.values()))
    evidence["p"] = p if evidence["p_right"] <= LOSS else 1.0
    return evidence, tuple(c for c, tail in tails.items() if tail <= 0.01)
