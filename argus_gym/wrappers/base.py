"""The base of every detector of self-deception."""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from argus_gym.defences import Defence, Order
from argus_gym.records import LieReport, RoundRecord, Verdict, encode

__all__ = ["DETECTORS", "Finding", "LieDetector"]

DETECTORS: dict[str, type["LieDetector"]] = {}
"""Every detector that has been imported, by name."""


@dataclass(frozen=True)
class Finding:
    """What a detector has to say about its score.

    Attributes:
        clusters: The clusters it points at.
        evidence: The numbers behind the score.
        sentence: The same for a person.
    """

    clusters: tuple[int, ...] = ()
    evidence: Mapping[str, float] = field(default_factory=dict)
    sentence: str = ""


class LieDetector(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Watches one environment for one lie; transitions pass through unchanged.

    A subclass names its ``lie``, ``name``, ``defence`` and ``default_threshold``, and implements
    :meth:`score` and, if it can, :meth:`explain`. Both are functions of the rounds so far, so that
    detectors agree whatever their order. At the end of a round ``info["lies"][name]`` holds a
    :class:`~argus_gym.records.LieReport`; one that fired is also in the ledger, and its defence is
    ordered from the environment.

    Args:
        env: The environment to watch.
        threshold: Score at which it fires, in [0, 1]; the tuned one where ``None``.
        defend: Whether to order the defence.

    Raises:
        ValueError: If ``threshold`` is outside [0, 1].
    """

    lie: ClassVar[str]
    name: ClassVar[str]
    defence: ClassVar[Defence | None] = None
    default_threshold: ClassVar[float]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" in cls.__dict__:
            DETECTORS[cls.name] = cls

    def __init__(
        self, env: gym.Env[Any, Any], *, threshold: float | None = None, defend: bool = True
    ) -> None:
        RecordConstructorArgs.__init__(self, threshold=threshold, defend=defend)
        gym.Wrapper.__init__(self, env)
        limit = self.default_threshold if threshold is None else threshold
        if not 0 <= limit <= 1:
            raise ValueError(f"threshold must be in [0, 1], got {threshold}")
        self.threshold, self.defend = limit, defend

    @abstractmethod
    def score(self, history: Sequence[RoundRecord]) -> float:
        """Return the score of the last round, in [0, 1]; NaN where there is nothing to score.

        Args:
            history: The rounds so far, oldest first, at least one.
        """

    def explain(self, history: Sequence[RoundRecord]) -> Finding:
        """Return clusters, evidence and a sentence for the last round's score."""
        return Finding()

    def report(self, history: Sequence[RoundRecord]) -> LieReport:
        """Return the report on the last round of ``history``."""
        score, finding = self.score(history), self.explain(history)
        return LieReport(
            lie=self.lie,
            name=self.name,
            round=history[-1].round,
            score=score,
            fired=not math.isnan(score) and score >= self.threshold,
            clusters=finding.clusters,
            evidence=finding.evidence,
            sentence=finding.sentence,
        )

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the environment; report at the end of a round."""
        obs, reward, terminated, truncated, info = self.env.step(action)
        if "round" in info:
            base: Any = self.unwrapped
            report = self.report(base.history)
            info["lies"] = {**info.get("lies", {}), self.name: report}
            if report.fired:
                self._fire(report, info)
        return obs, reward, terminated, truncated, info

    def _fire(self, report: LieReport, info: dict[str, Any]) -> None:
        """Enter the alarm in the ledger and order the defence."""
        base: Any = self.unwrapped
        defence = self.defence if self.defend else None
        if defence is Defence.ROLLBACK and "verdict" in info:
            defence = None  # The gate has decided on these weights already.
        base.ledger.add(
            report.round,
            f"lie.{self.name}",
            {"score": report.score, "clusters": list(report.clusters), **encode(report.evidence)},
            "none" if defence is None else f"order {defence}",
        )
        if defence is None:
            return
        free = base.order(Order(defence, self.name, report.clusters))
        if defence is Defence.ROLLBACK and free:
            info["verdict"] = Verdict(
                "REFUSE", self.name, report.round, severity=1.0, reason=report.sentence
            )
