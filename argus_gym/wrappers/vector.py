"""Detectors and gate over the copies of a vector environment: arrays in, arrays out.

The statistic is the single wrapper's own: each copy's rounds are read by the same ``report`` and
the same rule.
"""

import difflib
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import VectorEnv, VectorWrapper

from argus_gym.curriculum_env import ArgusCurriculum
from argus_gym.defences import Defence, Order
from argus_gym.evidence import Evidence, Wanted
from argus_gym.records import RoundRecord, Verdict
from argus_gym.wrappers.base import DETECTORS, LieDetector
from argus_gym.wrappers.rule import Rule
from argus_gym.wrappers.rules import make

__all__ = ["VectorERCVGate", "VectorLieDetectors"]

Step = tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]


class VectorLieDetectors(VectorWrapper, RecordConstructorArgs):
    """Watches every copy with the same detectors; transitions pass through unchanged.

    Where a copy's round ends, ``infos["lies"][name]`` holds the detector's score, shape ``(n,)``,
    and ``infos["fired"][name]`` whether it fired; elsewhere they are NaN and ``False``. What fired
    orders its defence, a rollback only where no gate has decided.

    Args:
        env: ``ArgusCurriculum-v0`` as a vector environment.
        names: Names of detectors in :data:`argus_gym.wrappers.DETECTORS`; all where ``None``.
        defend: Whether to order the defences.

    Raises:
        ValueError: If there is no such detector; names the nearest one.
    """

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        *,
        names: Sequence[str] | None = None,
        defend: bool = True,
    ) -> None:
        RecordConstructorArgs.__init__(self, names=names, defend=defend)
        VectorWrapper.__init__(self, env)
        wanted = sorted(DETECTORS) if names is None else list(names)
        for name in wanted:
            if name not in DETECTORS:
                near = difflib.get_close_matches(str(name), DETECTORS, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise ValueError(
                    f"names must be of {', '.join(sorted(DETECTORS))}, got {name!r}{hint}"
                )
        # A detector wraps an environment; this one is never stepped.
        idle = ArgusCurriculum(rounds=1, problems_per_round=8)
        self.detectors: list[LieDetector] = [DETECTORS[name](idle, defend=False) for name in wanted]
        self.defend = defend
        _base(self).keep_records()

    def step(self, actions: Any) -> Step:
        """Step the copies; report where a round ended."""
        # A copy whose run ends begins a new history, with autoreset in this very step.
        histories = list(_base(self).histories)
        observation, reward, terminated, truncated, infos = self.env.step(actions)
        if "round" in infos:
            self._report(infos, histories, truncated)
        return observation, reward, terminated, truncated, infos

    def _report(
        self, infos: dict[str, Any], histories: list[list[RoundRecord]], over: np.ndarray
    ) -> None:
        names = [detector.name for detector in self.detectors]
        scores = {name: np.full(self.num_envs, np.nan) for name in names}
        fired = {name: np.zeros(self.num_envs, bool) for name in names}
        for copy in np.flatnonzero(infos["_round"]).tolist():
            for detector in self.detectors:
                report = detector.report(histories[copy])
                scores[detector.name][copy] = report.score
                fired[detector.name][copy] = report.fired
                if report.fired and self.defend and not over[copy]:
                    self._order(detector, copy, report.clusters, "verdict" in infos)
        infos["lies"], infos["_lies"] = scores, infos["_round"]
        infos["fired"], infos["_fired"] = fired, infos["_round"]

    def _order(
        self, detector: LieDetector, copy: int, clusters: tuple[int, ...], decided: bool
    ) -> None:
        defence = detector.defence
        if defence is not None and not (defence is Defence.ROLLBACK and decided):
            _base(self).order(copy, Order(defence, detector.name, clusters))


class VectorERCVGate(VectorWrapper, RecordConstructorArgs):
    """Lets a rule of its own decide on the learning steps of every copy.

    ``infos["verdict"]`` holds the verdicts where a round ended, ``infos["refused"]`` and
    ``infos["certified"]`` what they say, shape ``(n,)``. The environment carries them out.

    Args:
        env: ``ArgusCurriculum-v0`` as a vector environment, without another gate.
        rule: A name in :data:`argus_gym.wrappers.rules.RULES`.
        evidence: See :class:`~argus_gym.wrappers.ERCVGate`.
        alpha: Error rate, in (0, 1).
        options: Further arguments of the rule.

    Raises:
        ValueError: If the rule does not exist, an argument does not fit it or the environment has
            a gate already.
    """

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        *,
        rule: str = "certified",
        evidence: str | None = None,
        alpha: float = 0.05,
        options: dict[str, Any] | None = None,
    ) -> None:
        RecordConstructorArgs.__init__(
            self, rule=rule, evidence=evidence, alpha=alpha, options=options
        )
        VectorWrapper.__init__(self, env)
        base = _base(self)
        if base.deciders is not None:
            raise ValueError(f"the environment has a gate already: {base.deciders[0]!r}")
        self.rules: list[Rule] = [
            make(rule, evidence=evidence, alpha=alpha, **(options or {}))
            for _ in range(self.num_envs)
        ]
        base.deciders = [_Decider(own, base.rounds) for own in self.rules]

    def step(self, actions: Any) -> Step:
        """Step the copies; say what the gates decided."""
        observation, reward, terminated, truncated, infos = self.env.step(actions)
        if "verdict" in infos:
            for name, decision in (("refused", "REFUSE"), ("certified", "COMMIT_CERTIFIED")):
                infos[name] = np.array(
                    [v is not None and v.decision == decision for v in infos["verdict"]]
                )
                infos[f"_{name}"] = infos["_verdict"]
        return observation, reward, terminated, truncated, infos


class _Decider:
    """A rule that starts anew with each run: copies begin theirs inside ``step``."""

    def __init__(self, rule: Rule, rounds: int) -> None:
        self.rule, self.rounds, self._asking = rule, rounds, False

    def __call__(self, evidence: Evidence) -> Verdict | Wanted:
        if evidence.round == 0 and not self._asking:
            self.rule.start(self.rounds)
        answer = self.rule.decide(evidence)
        self._asking = isinstance(answer, Wanted)
        return answer


def _base(env: VectorEnv[Any, Any, Any]) -> Any:
    return env.unwrapped
