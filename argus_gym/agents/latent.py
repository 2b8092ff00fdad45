"""The simulated learner's latent state and how a learning step changes it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from argus_gym.problems import FAMILIES, MAX_STEPS

__all__ = ["Dynamics", "LatentState", "sigmoid"]

MEMORY_CAPACITY = 2_048


@dataclass(frozen=True, slots=True)
class Dynamics:
    """How a simulated learner starts and changes; rates are per unit of pair weight.

    Attributes:
        skill: Mean initial skill in logits.
        skill_spread: Standard deviation of a run's mean skill, then of a family's around it.
        difficulty_spread: Standard deviation of a problem's own difficulty, in logits.
        headroom: Mean distance from initial skill to a family's ceiling, in logits.
        learning: Skill gained from a right chain, scaled by surprise and headroom.
        unlearning: Skill lost by a wrong chain.
        transfer: Share of a change of skill that the two neighbouring families get.
        interference: Share of a gain that is taken from the far families together.
        bias: Initial share of errors that are the shared misconception, in [0, 1].
        bias_gain: How fast training on a misconception raises that share.
        diversity: Initial chance that a chain goes its own way instead of the model's mode.
        sharpening: Diversity lost to training, as a rate.
        floor: Diversity that no training removes.
        wording: Initial likelihood loss of the wording, in nats per token.
        style: Rate at which training lowers it for every text.
        memory: Rate at which the very pair trained on is learnt by heart.
        reach: How much the first proposals lean to long problems, in log-probability a step.
        shift: How fast training pulls the proposals towards what was trained.
        adherence: Chance to follow the target or the example when proposing.
        false_premises: Initial rate of proposals with a false premise.
        credulity: How fast training on confabulated chains raises that rate.
        rate_spread: Spread of ``learning`` and ``sharpening`` between runs (log-normal sigma).
        depth: How much less a short problem teaches than a long one: gains scale with its steps
            over the middle of their range, to this power.
    """

    skill: float = 1.55
    skill_spread: tuple[float, float] = (0.9, 0.5)
    difficulty_spread: float = 2.4
    headroom: float = 1.2
    learning: float = 0.08
    unlearning: float = 0.019
    transfer: float = 0.2
    interference: float = 0.1
    bias: float = 0.3
    bias_gain: float = 0.02
    diversity: float = 0.9
    sharpening: float = 0.0095
    floor: float = 0.16
    wording: float = 0.6
    style: float = 0.0036
    memory: float = 0.11
    reach: float = 0.16
    shift: float = 0.033
    adherence: float = 0.5
    false_premises: float = 0.02
    credulity: float = 0.004
    rate_spread: float = 0.9
    depth: float = 0.0


def sigmoid(x: float) -> float:
    """Return the logistic function of ``x``, for any finite ``x``."""
    return 1.0 / (1.0 + math.exp(-x)) if x > -700 else 0.0


@dataclass
class LatentState:
    """What a simulated learner knows; everything that learning changes.

    Attributes:
        skill: Per family, in logits.
        ceiling: Per family, in logits; constant.
        bias: Per family, share of errors that are the misconception, in [0, 1].
        diversity: Chance that a chain goes its own way, in [0, 1].
        proposals: Unnormalised log-probabilities, families by steps.
        false_premises: Rate of proposals with a false premise, in [0, 1].
        wording: Likelihood loss of the wording, in nats per token.
        rates: This run's ``learning`` and ``sharpening``; constant.
        memory: Exposures of the problems trained on.
    """

    skill: list[float]
    ceiling: list[float]
    bias: list[float]
    diversity: float
    proposals: list[list[float]]
    false_premises: float
    wording: float
    rates: tuple[float, float]
    memory: dict[str, float] = field(default_factory=dict)

    @classmethod
    def draw(cls, dynamics: Dynamics, rng: np.random.Generator) -> "LatentState":
        """Draw a learner of its own."""
        d, count = dynamics, len(FAMILIES)
        run, family = d.skill_spread
        skill = d.skill + run * rng.standard_normal() + family * rng.standard_normal(count)
        headroom = d.headroom * rng.uniform(0.5, 1.5, count)
        noise = np.exp(d.rate_spread * rng.standard_normal(2))
        return cls(
            skill=skill.tolist(),
            ceiling=(skill + headroom).tolist(),
            bias=[d.bias] * count,
            diversity=d.diversity,
            proposals=[[d.reach * step for step in range(MAX_STEPS)] for _ in range(count)],
            false_premises=d.false_premises,
            wording=d.wording,
            rates=(d.learning * float(noise[0]), d.sharpening * float(noise[1])),
        )

    def reinforce(
        self,
        family: int,
        steps: int,
        weight: float,
        right: bool,
        chance: float,
        misconceived: bool,
        dynamics: Dynamics,
    ) -> None:
        """Learn from one readable pair.

        Args:
            family: Index of the problem's family.
            steps: Its number of steps.
            weight: The pair's weight, in [0, 1].
            right: Whether its chain is right.
            chance: Probability of a right chain before the update, in [0, 1].
            misconceived: Whether a wrong chain is the shared misconception.
            dynamics: The rates.
        """
        d, count = dynamics, len(self.skill)
        room = min(1.0, max(0.0, self.ceiling[family] - self.skill[family]))
        if right:
            change = self.rates[0] * weight * (1 - chance) * room
            if d.depth:
                change *= (2 * steps / (1 + MAX_STEPS)) ** d.depth
        else:
            change = -d.unlearning * weight
            if misconceived:
                self.bias[family] += d.bias_gain * weight * (1 - self.bias[family])
        self.skill[family] += change
        for near in ((family - 1) % count, (family + 1) % count):
            self.skill[near] += d.transfer * change / 2
        lost = d.interference * max(change, 0.0) / (count - 3)
        for far in range(2, count - 1):
            self.skill[(family + far) % count] -= lost
        self.proposals[family][steps - 1] += d.shift * weight

    def expose(self, problem: str, weight: float, dynamics: Dynamics) -> None:
        """Apply what training does whatever the pair says: memory, style, sharper chains."""
        d = dynamics
        self.memory[problem] = self.memory.get(problem, 0.0) + weight
        if len(self.memory) > MEMORY_CAPACITY:
            del self.memory[next(iter(self.memory))]
        self.wording *= math.exp(-d.style * weight)
        excess = self.diversity - d.floor
        self.diversity = d.floor + excess * math.exp(-self.rates[1] * weight)

    def state(self) -> dict[str, Any]:
        """Return a JSON-ready copy."""
        return {
            "skill": list(self.skill),
            "ceiling": list(self.ceiling),
            "bias": list(self.bias),
            "diversity": self.diversity,
            "proposals": [list(row) for row in self.proposals],
            "false_premises": self.false_premises,
            "wording": self.wording,
            "rates": list(self.rates),
            "memory": dict(self.memory),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "LatentState":
        """Rebuild from :meth:`state`."""
        return cls(**{**state, "rates": tuple(state["rates"])}).copy()

    def copy(self) -> "LatentState":
        """Return a copy that shares nothing mutable."""
        return LatentState(**{**self.state(), "rates": self.rates})

    def blended(self, past: "LatentState", share: float) -> "LatentState":
        """Return the mixture ``(1 - share) * self + share * past``; exactly ``past`` at 1."""
        if share == 1:
            return past.copy()

        def mix(now: Any, then: Any) -> Any:
            if isinstance(now, list):
                return [mix(a, b) for a, b in zip(now, then, strict=True)]
            return (1 - share) * now + share * then

        memory = {
            text: mix(self.memory.get(text, 0.0), past.memory.get(text, 0.0))
            for text in {**past.memory, **self.memory}
        }
        mixed = {
            name: mix(getattr(self, name), getattr(past, name))
            for name in ("skill", "bias", "diversity", "proposals", "false_premises", "wording")
        }
        return LatentState(**mixed, ceiling=list(self.ceiling), rates=self.rates, memory=memory)
