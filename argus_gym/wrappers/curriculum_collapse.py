"""Curriculum collapse: a defence tips the curriculum to easy problems."""

import math
from collections.abc import Sequence

from argus_gym.defences import Defence
from argus_gym.gauges import anchors
from argus_gym.records import RoundRecord
from argus_gym.wrappers.base import Finding, LieDetector
from argus_gym.wrappers.evidence_tools import (
    fisher_tail,
    latest,
    mean,
    rise_tail,
    surprise,
)

__all__ = ["CurriculumCollapseDetector"]

RECENT, LEAST = 2, 3
ALREADY, SOLVER = 0.01, 0.01
CONSENSUS_SPREAD = 0.07


class CurriculumCollapseDetector(LieDetector):
    """Flags a curriculum that tips to easy problems after a defence came into force (lie H).

    For each defence in force, the numbers of easy and of hard problems since it came into force
    (in the last two rounds at most) are held against those of all rounds before it: Fisher's exact
    one-sided p-value, which is the exact test that the odds ratio of the two easy/hard ratios is
    above 1. The smallest p counts, times the number of defences (Bonferroni); the score is
    ``-log10(p) / 10``. A defence is not blamed where the last round or two before it had already
    tipped, at 1 %; nor, where there are anchors, where consensus on them rose as well, at 1 %:
    anchors are not the curriculum, so it was the solver that changed. NaN while no defence is in
    force.

    Args:
        env: The environment to watch; transitions pass through unchanged.
        threshold: Score at which it fires, in [0, 1]; the tuned one where ``None``.
        defend: Whether to order the defences in force undone and barred.

    Raises:
        ValueError: If ``threshold`` is outside [0, 1].

    Measured (``bench lies``, medium severity, 200 runs, 95 % intervals): caught within 3 rounds of
    onset in 98.0 % [95.0, 99.2], within 5 in 98.0 % [95.0, 99.2]; false alarms in 0 of 460 quiet
    15-round runs, 0.0 % [0.0, 0.8]. At 5 % false alarms a run it is level with the best generic
    alarm (threshold reward: 100 % against 99 %). See ``docs/lies/curriculum_collapse.md``.
    Cannot see: a collapse that begins after the defence has ended, and whether the defence is the
    cause or only came first.
    """

    lie = "H"
    name = "curriculum_collapse"
    defence = Defence.UNDO
    default_threshold = 0.4

    def score(self, history: Sequence[RoundRecord]) -> float:
        """Return ``-log10(p) / 10`` of the tilt since a defence, NaN without one in force."""
        return surprise(_evidence(history)["p"])

    def explain(self, history: Sequence[RoundRecord]) -> Finding:
        """Return the easy/hard ratios before and after the defence that is most to blame."""
        evidence = _evidence(history)
        return Finding(
            evidence=evidence,
            sentence=f"Easy problems per hard one went from {evidence['ratio_past']:.2f} to "
            f"{evidence['ratio']:.2f} since round {evidence['since']:.0f}, when a defence came "
            f"into force (p = {evidence['p']:.1g}).",
        )


@latest
def _evidence(history: Sequence[RoundRecord]) -> dict[str, float]:
    evidence = dict.fromkeys(("p", "ratio", "ratio_past", "since"), math.nan)
    blamable = [d for d in history[-1].defences if d != Defence.UNDO]
    tails = []
    for start in (_start(history, defence) for defence in blamable):
        p = _tilt(history[start:][-RECENT:], history[:start])
        excused = _tipping(history[:start]) or _solver_moved(history[:start], history[start:])
        if not math.isnan(p):
            tails.append((1.0 if excused else p, start))
    if not tails:
        return evidence
    p, start = min(tails)
    return {
        "p": min(1.0, p * len(tails)),
        "ratio": _ratio(history[start:][-RECENT:]),
        "ratio_past": _ratio(history[:start]),
        "since": float(history[start].round),
    }


def _start(history: Sequence[RoundRecord], defence: str) -> int:
    """Return the index of the round in which a defence in force came into force."""
    start = len(history) - 1
    while start and defence in history[start - 1].defences:
        start -= 1
    return start


def _tilt(now: Sequence[RoundRecord], past: Sequence[RoundRecord]) -> float:
    if len(past) < LEAST:
        return math.nan
    (easy, hard), (easy_past, hard_past) = _counts(now), _counts(past)
    return fisher_tail(easy, easy + hard, easy_past, easy_past + hard_past)


def _tipping(history: Sequence[RoundRecord]) -> bool:
    """Return whether the last round or the last two already differ from those before."""
    return any(_tilt(history[-n:], history[:-n]) < ALREADY for n in range(1, RECENT + 1))


def _solver_moved(past: Sequence[RoundRecord], since: Sequence[RoundRecord]) -> bool:
    """Return whether consensus on anchors rose."""
    now, before = (
        [mean([item.outcome_after for item in anchors(r.retests)]) for r in rounds]
        for rounds in (since[-RECENT:], past)
    )
    return rise_tail(now, before, CONSENSUS_SPREAD) < SOLVER


def _counts(rounds: Sequence[RoundRecord]) -> tuple[int, int]:
    return sum(r.zone_count("easy") for r in rounds), sum(r.zone_count("hard") for r in rounds)


def _ratio(rounds: Sequence[RoundRecord]) -> float:
    """Return easy problems per hard one, with half a problem added to both."""
    easy, hard = _counts(rounds)
    return (easy + 0.5) / (hard + 0.5)
