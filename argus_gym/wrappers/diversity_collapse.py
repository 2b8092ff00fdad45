"""Diversity collapse: the first try is no worse while many tries solve less."""

import math
from collections.abc import Sequence

import numpy as np

from argus_gym.defences import Defence
from argus_gym.gauges import pass_at_k
from argus_gym.records import RoundRecord
from argus_gym.wrappers.base import Finding, LieDetector
from argus_gym.wrappers.evidence_tools import latest, surprise
from argus_gym.wrappers.item_trend import item_trend, right_share

__all__ = ["DiversityCollapseDetector"]

FALL, HOLD = 0.1, 0.05


class DiversityCollapseDetector(LieDetector):
    """Flags pass@k that falls while pass@1 does not (lie K).

    Followed on the anchors over the last three learning steps, by :func:`~argus_gym.wrappers.
    forgetting.item_trend`, are the unbiased estimates of pass@k from an item's right chains: at 1,
    at half the chains and at all of them. The score is ``-log10(p) / 10`` for a fall of what more
    tries add, pass@(chains / 2) minus pass@1: right counts become all or nothing. It is 0 unless
    pass@chains itself falls, at 10 %, and if pass@1 falls, at 5 %. Source of the estimator: Chen et
    al. (2021), "Evaluating Large Language Models Trained on Code"; of the signal: Yue et al.
    (2025), "Does Reinforcement Learning Really Incentivize Reasoning Capacity in LLMs Beyond the
    Base Model?".

    Args:
        env: The environment to watch; transitions pass through unchanged.
        threshold: Score at which it fires, in [0, 1]; the tuned one where ``None``.
        defend: Whether to order the rarest of the agreeing chains kept for training.

    Raises:
        ValueError: If ``threshold`` is outside [0, 1].

    Measured (``bench lies``, medium severity, 200 runs, 95 % intervals): caught within 3 rounds of
    onset in 89.0 % [83.9, 92.6], within 5 in 98.0 % [95.0, 99.2]; false alarms in 1 of 460 quiet
    15-round runs, 0.2 % [0.0, 1.2]. At 5 % false alarms a run it loses to the best generic alarm
    (threshold agreement: 100 % against 90 %). See ``docs/lies/diversity_collapse.md``.
    Cannot see: a crossing beyond the chains a retest has (8 by default), and items of one chain.
    """

    lie = "K"
    name = "diversity_collapse"
    defence = Defence.KEEP_RARE
    default_threshold = 0.33

    def score(self, history: Sequence[RoundRecord]) -> float:
        """Return ``-log10(p) / 10`` of the fall; NaN before six rounds or without anchors."""
        return surprise(_evidence(history)["p"])

    def explain(self, history: Sequence[RoundRecord]) -> Finding:
        """Return pass@1 and pass@chains of the last round, their slopes and the p-values."""
        evidence = dict(_evidence(history))
        known = [item for item in history[-1].retests if item.anchor]
        count = len(known) or math.nan
        evidence["pass_1"] = sum(i.right_after / i.chains for i in known) / count
        evidence["pass_all"] = sum(i.right_after > 0 for i in known) / count
        return Finding(
            (),
            evidence,
            f"A step changes pass@1 by {100 * evidence['slope_1']:.1f} points and pass over all "
            f"chains by {100 * evidence['slope_all']:.1f} (p = {evidence['p']:.1g}).",
        )


def added(right: np.ndarray, chains: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """Return what half the chains' tries add to the first one: pass@(chains / 2) minus pass@1."""
    gain: np.ndarray = pass_at_k(chains, right, np.maximum(chains // 2, 1)) - right / chains
    return gain


def solved(right: np.ndarray, chains: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """Return pass@chains: whether any chain was right."""
    return (right > 0).astype(float)


@latest
def _evidence(history: Sequence[RoundRecord]) -> dict[str, float]:
    names = ("p", "p_1_falls", "p_all_falls", "slope_1", "slope_all")
    evidence = dict.fromkeys(names, math.nan)
    gain = item_trend(history, added)
    one, every = item_trend(history, right_share), item_trend(history, solved)
    if gain is None or one is None:
        return evidence
    evidence["slope_1"], evidence["p_1_falls"] = one.slope, one.tail(-1)
    # Anchors that are all solved by some chain have lost none.
    evidence["slope_all"] = 0.0 if every is None else every.slope
    evidence["p_all_falls"] = 1.0 if every is None else every.tail(-1)
    held = evidence["p_all_falls"] > FALL or evidence["p_1_falls"] <= HOLD
    evidence["p"] = 1.0 if held else gain.tail(-1)
    return evidence
