"""Novelty collapse: chains agree too early, because they have stopped differing."""

import math
from collections.abc import Sequence

import numpy as np

from argus_gym.defences import Defence
from argus_gym.records import RoundRecord
from argus_gym.wrappers.base import Finding, LieDetector
from argus_gym.wrappers.evidence_tools import (
    anchor_gap,
    finite,
    fold,
    latest,
    mean,
    rise_tail,
    surprise,
    tippett,
)

__all__ = ["NoveltyDetector"]

WARMUP, RECENT, LEAST, LAG = 1, 1, 3, 2
VARIETY_SPREAD, LENGTH_SPREAD, GAP_SPREAD = 0.04, 0.04, 0.03
FAR = 0.05
UNEARNED = 1e-3


class NoveltyDetector(LieDetector):
    """Flags chains that agree because they have stopped differing (lie B).

    Two spreads are read: ``variety``, the share of different processes among a problem's chains,
    less what the length of the chains explains (short problems leave little to vary), and the
    standard deviation of the chain length relative to its mean. The last round's mean of each is
    held against the run's own past by a moderated t test, one-sided for a fall; the smaller p
    counts, doubled where both are known (Bonferroni). The score is ``-log10(p) / 10``. It is 0
    where the outcome fell, since chains that lose agreement are not this lie; and, where there are
    anchors, unless consensus minus accuracy on them is up at 0.1 %: chains also differ less when
    a solver has become right, and then the two move together.

    Args:
        env: The environment to watch; transitions pass through unchanged.
        threshold: Score at which it fires, in [0, 1]; the tuned one where ``None``.
        defend: Whether to order a higher sampling temperature.

    Raises:
        ValueError: If ``threshold`` is outside [0, 1].

    Measured (``bench lies``, medium severity, 200 runs, 95 % intervals): caught within 3 rounds of
    onset in 99.0 % [96.4, 99.7], within 5 in 99.5 % [97.2, 99.9]; false alarms in 0 of 460 quiet
    15-round runs, 0.0 % [0.0, 0.8]. At 5 % false alarms a run it is level with the best generic
    alarm (threshold agreement: 100 % against 100 %). See ``docs/lies/novelty.md``.
    Cannot see: sameness from the start. Without anchors it also fires on real progress. It does
    not tell lies B, I and K apart, which all sharpen chains.
    """

    lie = "B"
    name = "novelty"
    defence = Defence.RAISE_TEMPERATURE
    default_threshold = 0.3

    def score(self, history: Sequence[RoundRecord]) -> float:
        """Return ``-log10(p) / 10`` of the last round's spreads, NaN in the first four rounds."""
        return surprise(_evidence(history)["p"])

    def explain(self, history: Sequence[RoundRecord]) -> Finding:
        """Return the spreads, now and in the past, and the gap on anchors."""
        evidence = _evidence(history)
        return Finding(
            evidence=evidence,
            sentence=f"Chains of one problem show {evidence['variety']:.2f} different processes "
            f"per chain, {evidence['variety_past']:.2f} in the past (p = {evidence['p']:.1g}).",
        )


@latest
def _evidence(history: Sequence[RoundRecord]) -> dict[str, float]:
    names = ("p", "p_variety", "p_length", "p_gap", "variety", "variety_past")
    evidence = dict.fromkeys(names, math.nan)
    parts = fold(len(history), WARMUP, RECENT, LEAST, LAG)
    if parts is None:
        return evidence
    past, recent = parts
    slope = _slope([(p.length_mean, p.variety) for r in history[past] for p in r.problems])
    variety = [mean([p.variety - slope * p.length_mean for p in r.problems]) for r in history]
    length = [mean([p.length_sd / max(p.length_mean, 1) for p in r.problems]) for r in history]
    outcome = [mean([p.outcome for p in r.problems]) for r in history]
    gap = [anchor_gap(r) for r in history]
    evidence["variety"] = mean([p.variety for r in history[recent] for p in r.problems])
    evidence["variety_past"] = mean([p.variety for r in history[past] for p in r.problems])
    evidence["p_variety"] = _fall(variety[recent], variety[past], VARIETY_SPREAD)
    evidence["p_length"] = _fall(length[recent], length[past], LENGTH_SPREAD)
    evidence["p_gap"] = rise_tail(gap[recent], gap[past], GAP_SPREAD)
    p = tippett((evidence["p_variety"], evidence["p_length"]))
    fell = _fall(outcome[recent], outcome[past], VARIETY_SPREAD) < FAR
    evidence["p"] = 1.0 if not math.isnan(p) and (fell or evidence["p_gap"] > UNEARNED) else p
    return evidence


def _fall(now: Sequence[float], past: Sequence[float], spread: float) -> float:
    """Return the p-value of a fall; NaN where the past is zero throughout and cannot fall."""
    if not any(finite(past)):
        return math.nan
    return rise_tail([-v for v in now], [-v for v in past], spread)


def _slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the least-squares slope, 0 where there is none."""
    if not points:
        return 0.0
    x, y = np.array(points).T
    x = x - x.mean()
    square = float(x @ x)
    return float(x @ y) / square if square > 0 else 0.0
