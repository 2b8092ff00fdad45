"""Saturation: the frontier empties, because everything has become easy."""

import math
from collections.abc import Sequence

from argus_gym.defences import Defence
from argus_gym.records import RoundRecord
from argus_gym.wrappers.base import Finding, LieDetector
from argus_gym.wrappers.evidence_tools import (
    anchor_gap,
    fisher_tail,
    fold,
    latest,
    rise_tail,
    surprise,
)

__all__ = ["SaturationDetector"]

WARMUP, RECENT, LEAST, LAG = 0, 2, 3, 0
GAP_SPREAD, UNEARNED = 0.03, 0.01


class SaturationDetector(LieDetector):
    """Flags a frontier that empties because problems have become easy (lie E).

    The score is ``-log10(p) / 10``, with p Fisher's exact one-sided p-value that the share of easy
    problems in the last two rounds exceeds that of all rounds before. It is 0 unless the share of
    the frontier fell, and, where there are anchors, if consensus minus accuracy on them rose at
    1 %: agreement without correctness is another lie, and harder problems would not help.

    Args:
        env: The environment to watch; transitions pass through unchanged.
        threshold: Score at which it fires, in [0, 1]; the tuned one where ``None``.
        defend: Whether to order harder problems and more chains.

    Raises:
        ValueError: If ``threshold`` is outside [0, 1].

    Measured (``bench lies``, medium severity, 200 runs, 95 % intervals): caught within 3 rounds of
    onset in 100.0 % [98.1, 100.0], within 5 in 100.0 % [98.1, 100.0]; false alarms in 0 of 460
    quiet 15-round runs, 0.0 % [0.0, 0.8]. At 5 % false alarms a run it is level with the best
    generic alarm (threshold agreement: 100 % against 100 %). See ``docs/lies/saturation.md``.
    Cannot see: a frontier that empties to the hard side, and a run that was saturated from the
    start. Without anchors it also fires on lies B, H and K.
    """

    lie = "E"
    name = "saturation"
    defence = Defence.HARDER
    default_threshold = 0.5

    def score(self, history: Sequence[RoundRecord]) -> float:
        """Return ``-log10(p) / 10`` of the last two rounds, NaN in the first four rounds."""
        return surprise(_evidence(history)["p"])

    def explain(self, history: Sequence[RoundRecord]) -> Finding:
        """Return the shares of easy and frontier problems, now and in the past."""
        evidence = _evidence(history)
        return Finding(
            evidence=evidence,
            sentence=f"{evidence['easy']:.0%} of the problems are easy, {evidence['easy_past']:.0%}"
            f" in the past; the frontier went from {evidence['frontier_past']:.0%} to "
            f"{evidence['frontier']:.0%} (p = {evidence['p']:.1g}).",
        )


@latest
def _evidence(history: Sequence[RoundRecord]) -> dict[str, float]:
    names = ("p", "p_easy", "p_gap", "easy", "easy_past", "frontier", "frontier_past")
    evidence = dict.fromkeys(names, math.nan)
    parts = fold(len(history), WARMUP, RECENT, LEAST, LAG)
    if parts is None:
        return evidence
    past, now = history[parts[0]], history[parts[1]]
    n, before = (sum(len(r.problems) for r in rounds) for rounds in (now, past))
    if not n or not before:
        return evidence
    easy, easy_past = (sum(r.zone_count("easy") for r in rounds) for rounds in (now, past))
    for name, count, size, rounds in (("", easy, n, now), ("_past", easy_past, before, past)):
        evidence["easy" + name] = count / size
        evidence["frontier" + name] = sum(r.zone_count("frontier") for r in rounds) / size
    gap = [anchor_gap(r) for r in history]
    evidence["p_gap"] = rise_tail(gap[parts[1]], gap[parts[0]], GAP_SPREAD)
    evidence["p_easy"] = fisher_tail(easy, n, easy_past, before)
    emptying = evidence["frontier"] < evidence["frontier_past"]
    agreed = evidence["p_gap"] < UNEARNED
    evidence["p"] = evidence["p_easy"] if emptying and not agreed else 1.0
    return evidence
