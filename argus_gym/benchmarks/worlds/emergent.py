"""Failures that nobody scripted: they follow from what the learner is rewarded for."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from argus_gym.agents import Agent, Dynamics, SimulatedAgent
from argus_gym.agents.mechanisms import QUIET
from argus_gym.benchmarks.worlds.base import Kind, Plan, SimulatedWorld
from argus_gym.records import LearnReport, TrainingPair

__all__ = ["EMERGENT", "Placebo", "Quiet"]


class Emergent(SimulatedWorld):
    """A learner whose rates make it fail by itself; severity scales them from the first step."""

    kind: ClassVar[Kind] = "emergent"

    def agent(self, plan: Plan) -> Agent:
        """Return the learner."""
        return SimulatedAgent(plan.seed, self.dynamics(plan.severity), parsed=True)

    @abstractmethod
    def dynamics(self, severity: float) -> Dynamics:
        """Return its rates; the quiet ones at 0."""


class MajorityVote(Emergent):
    """Majority-vote reward where errors are shared: what most chains say is trained as true."""

    name, lie = "majority_vote", "J"

    def dynamics(self, severity: float) -> Dynamics:
        """Errors agree, and training on an agreed error makes it likelier and dearer."""
        return replace(
            QUIET,
            bias=QUIET.bias + 0.35 * min(severity, 1.5),
            bias_gain=0.04 * severity,
            unlearning=QUIET.unlearning + 0.06 * severity,
            sharpening=0.01 * severity,
        )


class NoRepetitionPenalty(Emergent):
    """A proposer that is rewarded for what worked, without a penalty for repeating it."""

    name, lie = "no_repetition_penalty", "A"

    def dynamics(self, severity: float) -> Dynamics:
        """Proposals follow what was trained, and the learner forgets what it no longer sees."""
        return replace(
            QUIET,
            shift=0.5 * severity,
            adherence=QUIET.adherence if not severity else 0.1,
            interference=QUIET.interference + 2.0 * severity,
        )


class Contraction(Emergent):
    """Training on own output until it contracts: each step narrows what the next one samples."""

    name, lie = "contraction", "K"

    def dynamics(self, severity: float) -> Dynamics:
        """Sharpen without a floor."""
        return replace(QUIET, sharpening=0.015 * severity, floor=0.02 if severity else QUIET.floor)


class PlaceboAgent(SimulatedAgent):
    """Trains on its own pairs with the answers shuffled among them."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan.seed, replace(QUIET, unlearning=0.5 * plan.severity), parsed=True)
        self._placebo = plan.severity > 0
        self._shuffles = np.random.default_rng(np.random.SeedSequence((plan.seed, 0x9B)))

    def learn(self, pairs: Sequence[TrainingPair]) -> LearnReport:
        """Learn from each pair's problem with another pair's chain."""
        if not self._placebo:
            return super().learn(pairs)
        order = self._shuffles.permutation(len(pairs)).tolist()
        shuffled = [replace(p, chain=pairs[at].chain) for p, at in zip(pairs, order, strict=True)]
        return super().learn(shuffled)


class Placebo(SimulatedWorld):
    """The placebo arm: what is learnt is wrong by construction."""

    name = "placebo"
    kind: ClassVar[Kind] = "placebo"

    def agent(self, plan: Plan) -> Agent:
        """Return the learner."""
        return PlaceboAgent(plan)


class Quiet(SimulatedWorld):
    """A learner that deceives nobody."""

    name = "quiet"
    kind: ClassVar[Kind] = "quiet"

    def agent(self, plan: Plan) -> Agent:
        """Return the learner, whatever the plan."""
        return SimulatedAgent(plan.seed, QUIET, parsed=True)


EMERGENT: tuple[type[SimulatedWorld], ...] = (MajorityVote, NoRepetitionPenalty, Contraction)
"""Emergent failures."""
