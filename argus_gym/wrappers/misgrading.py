"""Misgrading: the grader calls more chains right than have one answer."""

import math
from collections.abc import Sequence

from argus_gym.records import RetestItem, RoundRecord
from argus_gym.wrappers.base import Finding, LieDetector
from argus_gym.wrappers.evidence_tools import latest, surprise

__all__ = ["MisgradingDetector", "impossible", "misgraded"]

WINDOW = 3
AMBIGUOUS = 0.01


class MisgradingDetector(LieDetector):
    """Flags counts of right chains that no grader of answers can give (lie M).

    Right chains all have one answer. If it is the modal one, as many are right as the mode has
    chains; if not, at most as many as the mode has and at most as many as it leaves. Any other
    count contradicts the chains' own answers: of equal answers some were called right and some
    wrong, or two different answers were. The score is ``-log10(p) / 10`` with p the probability
    that at least the counted number of the retests' sides, before and after the learning steps of
    the last three rounds, were impossible if each were with probability 1 %. An honest grader
    gives none, save where answers with and without a percent sign mix: the 1 % is for those.

    It orders no defence: what is wrong is the grader, and no actuator of the environment mends it.

    Args:
        env: The environment to watch; transitions pass through unchanged.
        threshold: Score at which it fires, in [0, 1]; the tuned one where ``None``.
        defend: Without effect.

    Raises:
        ValueError: If ``threshold`` is outside [0, 1].

    Measured (``bench lies``, medium severity, 200 runs, 95 % intervals): caught within 3 rounds of
    onset in 100.0 % [98.1, 100.0], within 5 in 100.0 % [98.1, 100.0]; false alarms in 0 of 460
    quiet 15-round runs, 0.0 % [0.0, 0.8]. At 5 % false alarms a run it beats the best generic alarm
    (periodic: 6 % against 100 %). See ``docs/lies/misgrading.md``.
    Cannot see: a grader that treats equal answers alike and errs on whole items, such as one that
    takes the mode for right, and regrading where all chains agree on the right answer.
    """

    lie = "M"
    name = "misgrading"
    default_threshold = 0.35

    def score(self, history: Sequence[RoundRecord]) -> float:
        """Return ``-log10(p) / 10`` of the impossible counts; NaN without retests."""
        return surprise(misgraded(history)["p"])

    def explain(self, history: Sequence[RoundRecord]) -> Finding:
        """Return the impossible counts on either side, and the clusters they are in."""
        evidence = misgraded(history)
        clusters = {
            item.cluster
            for record in history[-WINDOW:]
            for item in record.retests
            if any(_sides(item))
        }
        return Finding(
            tuple(sorted(clusters)),
            evidence,
            f"Of {evidence['sides']:.0f} graded sets of chains {evidence['before']:.0f} before and "
            f"{evidence['after']:.0f} after a learning step have a number of right ones that their "
            f"answers rule out (p = {evidence['p']:.1g}).",
        )


def impossible(right: int, modal: int, chains: int) -> bool:
    """Return whether ``right`` of ``chains`` cannot be the chains with one and the same answer.

    Args:
        right: Chains called right, in ``[0, chains]``.
        modal: Chains with the modal answer, in ``[0, chains]``.
        chains: All chains, those without an answer included.
    """
    return right != modal and right > min(modal, chains - modal)


@latest
def misgraded(history: Sequence[RoundRecord]) -> dict[str, float]:
    """Return the impossible counts ``before`` and ``after`` the last three rounds' learning steps.

    Also how many ``sides`` of items there were and the binomial p-value ``p``, NaN without any.
    """
    sides = [_sides(item) for record in history[-WINDOW:] for item in record.retests]
    before, after = (sum(column) for column in zip(*sides, strict=True)) if sides else (0, 0)
    n = 2 * len(sides)
    return {
        "p": _binomial_tail(before + after, n) if n else math.nan,
        "before": float(before),
        "after": float(after),
        "sides": float(n),
    }


def _sides(item: RetestItem) -> tuple[bool, bool]:
    """Return whether each side's count is impossible; not where the modal share is unknown."""
    answered = (
        (item.right_before, item.outcome_before),
        (item.right_after, item.outcome_after),
    )
    before, after = (
        math.isfinite(share) and impossible(right, round(share * item.chains), item.chains)
        for right, share in answered
    )
    return before, after


def _binomial_tail(hits: int, n: int) -> float:
    """Return the probability of at least ``hits`` of ``n`` at the rate of ambiguous answers."""
    if not hits:
        return 1.0
    from scipy.special import betainc

    return float(betainc(hits, n - hits + 1, AMBIGUOUS))
