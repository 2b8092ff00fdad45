"""Worlds whose instruments fail: leaked anchors, a lying evaluator, a gauge that is stuck."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np

from argus_gym.agents import Agent
from argus_gym.agents.mechanisms import PlantedAgent, force
from argus_gym.benchmarks.worlds.base import ANCHORS, Plan, SimulatedWorld
from argus_gym.env import ArgusSelfImprove
from argus_gym.records import Chain, LearnReport, Proposal, Solve, TrainingPair
from argus_gym.retests import Item

__all__ = ["EVALUATORS"]

SLIP = 0.1
LEAK = 1.2
LENIENCE = 0.3
JITTER, STILL = 0.02, 1.5


class SlippingAgent(PlantedAgent):
    """Learns nothing from the onset on and slowly loses skill."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan.seed, None, plan.onset, plan.severity, shape=plan.shape)
        self._own = np.random.default_rng(np.random.SeedSequence((plan.seed, 0xE7)))

    def learn(self, pairs: Sequence[TrainingPair]) -> LearnReport:
        """Lose skill, then train for nothing."""
        self.force = self.severity * force(self.shape, self._steps - self.onset)
        learning, sharpening = self._sound[1]
        self.latent.rates = (0.0 if self.force else learning, sharpening)
        self.latent.skill = [s - SLIP * self.force for s in self.latent.skill]
        return super().learn(pairs)


class LeakedAgent(SlippingAgent):
    """Trains on the problems it was asked and did not propose: the anchors, with their answers.

    Each exposure makes every chain for that text likelier to be the known right one. The memory is
    part of its weights, so a rollback forgets the leak of the step it takes back.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._proposed: set[str] = set()
        self._asked: dict[str, None] = {}

    def propose(self, obs: Mapping[str, Any], info: Mapping[str, Any]) -> str | Proposal:
        """Propose, and remember what was proposed."""
        proposal = super().propose(obs, info)
        self._proposed.add(proposal if isinstance(proposal, str) else proposal.text)
        return proposal

    def solve(self, problem: str, k: int) -> Solve:
        """Return chains, of which a share repeats the leaked answer."""
        solved = super().solve(problem, k)
        read = self._read(problem)
        if problem in self._proposed or read is None:
            return solved
        self._asked[problem] = None
        share = -math.expm1(-LEAK * self.latent.memory.get(problem, 0.0))
        if not share:
            return solved
        known = self._chain(read, ())
        recalled = (self._own.random(k) < share).tolist()
        chains = [known if r else c for r, c in zip(recalled, solved.chains, strict=True)]
        return replace(solved, chains=chains)

    def learn(self, pairs: Sequence[TrainingPair]) -> LearnReport:
        """Learn, and take in what was asked since the last step."""
        report = super().learn(pairs)
        if self.force:
            for text in self._asked:
                self.latent.memory[text] = self.latent.memory.get(text, 0.0) + self.force
        self._asked.clear()
        return report


class StaleAgent(SlippingAgent):
    """Repeats its last sound report from the onset on, with a jitter that severity takes away.

    A gain is repeated times one plus normal noise of 2 % at half severity, 1 % at medium and none
    at one and a half or more. Tokens are counted as they are.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._last: LearnReport | None = None

    def learn(self, pairs: Sequence[TrainingPair]) -> LearnReport:
        """Learn, and report what was true before the onset."""
        report = super().learn(pairs)
        if not self.force or self._last is None:
            self._last = report
            return report
        old, noise = self._last, JITTER * max(0.0, STILL - self.force)
        train, heldout, replay, bits = (1 + noise * self._own.standard_normal(4)).tolist()
        return LearnReport(
            train=_gaining(old.train, train),
            heldout=_gaining(old.heldout, heldout),
            replay=_gaining(old.replay, replay),
            preq_bits=old.preq_bits * bits,
            tokens=report.tokens,
        )


def _gaining(losses: tuple[float, float], factor: float) -> tuple[float, float]:
    """Return the losses before and after a step with their difference times ``factor``."""
    before, after = losses
    return before, before - factor * (before - after)


class LyingEvaluator(ArgusSelfImprove):
    """Regrades wrong chains as right after a learning step, never the reverse.

    Args:
        plan: When, how often and by which shape.
        **settings: Those of :class:`~argus_gym.env.ArgusSelfImprove`.
    """

    def __init__(self, plan: Plan, **settings: Any) -> None:
        super().__init__(**settings)
        self._plan = plan

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Start a new run, with a generator of its own for the regrading."""
        started = super().reset(seed=seed, options=options)
        self._rng["regrade"] = self.np_random.spawn(1)[0]
        return started

    def grade(self, chain: Chain, item: Item) -> bool:
        """Return whether the chain is right, or passes for it."""
        if super().grade(chain, item):
            return True
        since = len(self.history) - self._plan.onset
        share = LENIENCE * self._plan.severity * force(self._plan.shape, since)
        return self._side == "after" and self._rng["regrade"].random() < share


class Evaluated(SimulatedWorld):
    """A world whose learner slips while an instrument says otherwise."""

    learner: ClassVar[type[SlippingAgent]] = SlippingAgent

    def agent(self, plan: Plan) -> Agent:
        """Return the learner."""
        return self.learner(plan)


class Leakage(Evaluated):
    """Anchors leak into the training data."""

    name, lie = "leakage", "L"
    learner = LeakedAgent


class Misgrading(Evaluated):
    """The evaluator lies to the loop's advantage."""

    name, lie = "misgrading", "M"

    def env(self, plan: Plan) -> gym.Env[Any, Any]:
        """Return the environment with the lying evaluator, without detectors."""
        spec = replace(gym.spec("ArgusSelfImprove-v0"), entry_point=f"{__name__}:LyingEvaluator")
        return gym.make(spec, plan=plan, anchor_items=ANCHORS)


class StuckGauge(Evaluated):
    """The learner's report is stuck."""

    name, lie = "stuck_gauge", "N"
    learner = StaleAgent


EVALUATORS: tuple[type[SimulatedWorld], ...] = (Leakage, Misgrading, StuckGauge)
"""Worlds whose instruments fail."""
