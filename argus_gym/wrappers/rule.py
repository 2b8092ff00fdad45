"""What a gate's rule is: evidence of one learning step in, a verdict or a request for more out."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from argus_gym.evidence import Evidence, Wanted
from argus_gym.records import RetestItem, RoundRecord, Verdict

__all__ = ["ANSWERS", "EVIDENCE", "Rule", "label", "mean_delta", "undecidable"]

EVIDENCE = ("anchors", "consensus")
ANSWERS = 128
"""Answers a rule that tests the step wants on each side of it: items times chains."""

FLAT = 0.002
"""Learning gauges within this many nats per token of zero are flat."""

NAN = math.nan
Decision = Literal["REFUSE", "COMMIT", "COMMIT_CERTIFIED", "UNDECIDED"]


class Rule(ABC):
    """Decides on learning steps, one after the other; knows nothing of Gymnasium.

    Args:
        evidence: ``anchors`` (the answer is known) or ``consensus`` (earlier problems, where right
            is what the model agreed on then: blind to shared misconceptions); the rule's own
            choice where ``None``.
        alpha: Error rate, in (0, 1); each rule says of what.

    Raises:
        ValueError: If an argument is outside its range.
    """

    name: ClassVar[str]
    own_evidence: ClassVar[str] = "anchors"
    safe: ClassVar[bool] = False
    """Whether identical weights are refused no more often than ``alpha`` a round."""

    def __init__(self, *, evidence: str | None = None, alpha: float = 0.05) -> None:
        self.evidence = self.own_evidence if evidence is None else evidence
        if self.evidence not in EVIDENCE:
            raise ValueError(f"evidence must be one of {EVIDENCE}, got {evidence!r}")
        if not 0 < alpha < 1:
            raise ValueError(f"alpha must be in (0, 1), got {alpha!r}")
        self.alpha = float(alpha)

    def start(self, rounds: int) -> None:  # noqa: B027
        """Forget the last run; ``rounds`` is how many the next one has, >= 1."""

    @abstractmethod
    def decide(self, evidence: Evidence) -> Verdict | Wanted:
        """Return the verdict on one learning step, or ask for more answers first."""

    def state(self) -> dict[str, Any]:
        """Return a JSON-ready copy of what the rule remembers between rounds."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:  # noqa: B027
        """Restore what :meth:`state` returned."""

    # For subclasses

    def items(self, retests: Sequence[RetestItem]) -> list[RetestItem]:
        """Return the retests of the kind this rule reads."""
        return [item for item in retests if item.anchor == (self.evidence == "anchors")]

    def fresh(self, evidence: Evidence) -> tuple[str, ...]:
        """Return the items of that kind which were not asked in this round."""
        return evidence.fresh if self.evidence == "anchors" else evidence.fresh_past

    def more(self, evidence: Evidence, answers: int) -> Wanted | None:
        """Return a request that brings each side up to ``answers``; ``None`` where it is there."""
        items, fresh = self.items(evidence.retests), self.fresh(evidence)
        chains = items[0].chains if items else 0
        missing = math.ceil((answers - sum(i.chains for i in items)) / chains) if chains else 1
        if missing <= 0 or not fresh:
            return None
        return Wanted(min(missing, len(fresh)), anchors=self.evidence == "anchors")

    def verdict(
        self,
        evidence: Evidence,
        decision: Decision,
        reason: str,
        statistics: Mapping[str, float],
        severity: float = 0.0,
        target: Literal["before", "certified"] = "before",
    ) -> Verdict:
        """Return a verdict with the round's spend and what every verdict counts."""
        items = self.items(evidence.retests)
        counted = {"n": float(len(items)), "delta": mean_delta(items), **statistics}
        blind = "" if self.evidence == "anchors" else " (blind to shared misconceptions)"
        return Verdict(
            decision=decision,
            rule=self.name,
            round=evidence.round,
            severity=severity,
            target=target,
            statistics=counted,
            answers=evidence.answers,
            tokens=evidence.tokens,
            reason=reason + blind,
        )

    def trends(self, history: Sequence[RoundRecord]) -> list[float]:
        """Return the mean paired difference of each round that measured one, oldest first."""
        deltas = (mean_delta(self.items(record.retests)) for record in history)
        return [delta for delta in deltas if not math.isnan(delta)]


def mean_delta(items: Sequence[RetestItem]) -> float:
    """Return the mean paired difference, after minus before, in [-1, 1]; NaN without items."""
    return sum(item.delta for item in items) / len(items) if items else NAN


def undecidable(items: Sequence[RetestItem]) -> str:
    """Say why these items cannot tell a step from no step; empty where they can."""
    if not items:
        return "nothing was retested"
    if len(items) == 1:
        return "one retest decides nothing"
    if any(item.delta for item in items):
        return ""
    rights = {item.right_after / item.chains for item in items}
    if rights == {1.0}:
        return "every item was solved before and after: too easy to show a change"
    if rights == {0.0}:
        return "every item was failed before and after: too hard to show a change"
    return "every item was answered alike before and after"


def label(gauge: float, down: bool) -> str:
    """Name what the learning gauge and the retests say together; it never decides anything.

    Args:
        gauge: The held-out learning gauge in nats per token, NaN where not measured.
        down: Whether the retests went down.
    """
    if math.isnan(gauge):
        return "unlabelled: the learning gauge was not measured"
    if down:
        return "self-deception" if gauge > FLAT else "damage"
    if abs(gauge) <= FLAT:
        return "saturation"
    return "progress" if gauge > 0 else "unlabelled: the learning gauge fell and no retest did"
