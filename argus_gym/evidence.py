"""What a gate is shown at the end of a learning step, and what it may answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from argus_gym.records import RetestItem, RoundRecord, Verdict

__all__ = ["Decider", "Evidence", "Wanted"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One learning step, as a gate sees it.

    Attributes:
        round: Index from 0.
        retests: The paired items answered so far, anchors and past problems.
        gauges: The learning gauges (see :mod:`argus_gym.gauges`), NaN where not measured.
        history: The rounds before this one, oldest first.
        fresh: The anchors that were not asked in this round.
        answers: Answers spent on retests in this round.
        tokens: Tokens spent on them.
        fresh_past: The past problems that were not asked in this round.
    """

    round: int
    retests: tuple[RetestItem, ...]
    gauges: Mapping[str, float]
    history: Sequence[RoundRecord]
    fresh: tuple[str, ...]
    answers: int
    tokens: int
    fresh_past: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """A gate's request to answer more items before it decides.

    Attributes:
        items: How many, drawn from those not asked in this round, on top of those named; >= 0.
        problems: Items to ask by name, of those not asked in this round.
        anchors: Whether they are anchors, else past problems.
    """

    items: int = 0
    problems: tuple[str, ...] = ()
    anchors: bool = True


class Decider(Protocol):
    """Decides on one learning step."""

    def __call__(self, evidence: Evidence) -> Verdict | Wanted:
        """Return a verdict, or ask for more; asking for more than there is gets what there is."""
        ...
