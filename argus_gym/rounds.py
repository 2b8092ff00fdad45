"""One round while it lasts: what was scored, spent and reported, and the record it becomes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from argus_gym.consensus import Consensus
from argus_gym.gauges import measure
from argus_gym.records import (
    LearnReport,
    ProblemRecord,
    RetestItem,
    RoundRecord,
    TrainingPair,
    Verdict,
)

__all__ = ["Round"]

USES = ("solve", "retest")


@dataclass
class Round:
    """The round under way.

    Attributes:
        index: From 0.
        edges: Lower and upper edge of the frontier in this round.
        scored: The problems scored so far.
        batch: The pairs of the learning step, once it began.
        report: The learner's report, once it learnt.
        learnt: Whether it learnt.
        invalid: Number of invalid actions.
        answers: Answers sampled, by use.
        tokens: Tokens sampled, by use.
    """

    index: int
    edges: tuple[float, float]
    scored: list[ProblemRecord] = field(default_factory=list)
    batch: tuple[TrainingPair, ...] = ()
    report: LearnReport = field(default_factory=LearnReport)
    learnt: bool = False
    invalid: int = 0
    answers: dict[str, int] = field(default_factory=lambda: dict.fromkeys(USES, 0))
    tokens: dict[str, int] = field(default_factory=lambda: dict.fromkeys(USES, 0))

    def spend(self, use: str, scored: Consensus) -> None:
        """Count the answers and tokens of a scored chain set."""
        self.answers[use] += len(scored.chains)
        self.tokens[use] += sum(chain.tokens for chain in scored.chains)

    def gauges(self, retests: Sequence[RetestItem]) -> dict[str, float]:
        """Return the round's gauges, given its paired retests."""
        return measure(
            self.scored, retests, self.report, self._count("train"), self._count("replay")
        )

    def record(
        self,
        retests: Sequence[RetestItem],
        skill: float,
        columns: Mapping[str, np.ndarray],
        request: tuple[float, float],
        defences: tuple[str, ...],
        verdict: Verdict | None,
    ) -> RoundRecord:
        """Return the record of the round, which is over.

        Args:
            retests: Its paired retests.
            skill: Mean outcome by cluster.
            columns: The capability map after it.
            request: What was asked of the solver.
            defences: Those in force.
            verdict: The gate's, if there is one.
        """
        return RoundRecord(
            round=self.index,
            problems=tuple(self.scored),
            retests=tuple(retests),
            report=self.report,
            trained=self._count("train"),
            replayed=self._count("replay"),
            heldout=self._count("heldout"),
            mean_reward=sum(p.combined for p in self.scored) / len(self.scored),
            skill=skill,
            gauges=self.gauges(retests),
            map={name: tuple(column.tolist()) for name, column in columns.items()},
            request=request,
            answers=dict(self.answers),
            tokens=dict(self.tokens),
            invalid=self.invalid,
            defences=defences,
            verdict=verdict,
        )

    def _count(self, role: str) -> int:
        return sum(pair.role == role for pair in self.batch)
