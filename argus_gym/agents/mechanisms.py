"""Learners with a planted failure: mechanisms that change how a simulated agent learns.

A mechanism never writes what a detector reads. It changes rates or abilities of the learner from
the onset on, and what the loop then sees follows.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from argus_gym.agents.latent import Dynamics
from argus_gym.agents.simulated import SimulatedAgent
from argus_gym.problems import FAMILIES
from argus_gym.records import LearnReport, Proposal, TrainingPair

__all__ = ["MECHANISMS", "QUIET", "SHAPES", "PlantedAgent", "Shape", "force"]

Shape = Literal["cliff", "ramp", "intermittent"]
SHAPES: tuple[Shape, ...] = ("cliff", "ramp", "intermittent")
RAMP = 4
"""Learning steps after which a ramp has reached its full force."""

QUIET = Dynamics(
    skill=2.0,
    skill_spread=(0.4, 0.4),
    headroom=0.8,
    learning=0.15,
    unlearning=0.005,
    interference=0.02,
    bias=0.15,
    bias_gain=0.0,
    sharpening=0.0,
    shift=0.0,
    false_premises=0.01,
    rate_spread=0.3,
    depth=1.0,
)
"""A learner that deceives nobody: it learns slowly, keeps its diversity and forgets nothing."""

Mechanism = Callable[["PlantedAgent"], None]


def force(shape: Shape, since: int) -> float:
    """Return the share of its severity a failure has ``since`` steps after its onset, in [0, 1].

    A cliff is there at once, a ramp grows over four steps, an intermittent failure rests at every
    other step.
    """
    if since < 0:
        return 0.0
    if shape == "ramp":
        return min(1.0, (since + 1) / RAMP)
    return 1.0 if shape == "cliff" or since % 2 == 0 else 0.0


def _drift(agent: "PlantedAgent") -> None:
    """A: without a repetition penalty, proposals are pulled to what was just trained."""
    agent.retune(shift=3.0 * agent.force, adherence=0.05)


def _novelty(agent: "PlantedAgent") -> None:
    """B: training sharpens every chain to the model's mode."""
    agent.retune(floor=0.02)
    agent.latent.rates = (agent.latent.rates[0], 0.1 * agent.force)


def _starvation(agent: "PlantedAgent") -> None:
    """C: the learner learns its pairs by heart and nothing else."""
    agent.retune(memory=1.5 * agent.force, style=0.0)
    agent.latent.rates = (0.0, agent.latent.rates[1])


def _forgetting(agent: "PlantedAgent") -> None:
    """D: what is learnt in one family is taken from the far ones, several times over."""
    agent.retune(interference=24.0 * agent.force)


def _saturation(agent: "PlantedAgent") -> None:
    """E: the proposer writes ever shorter problems and keeps the draft it is surest to solve."""
    agent.drafts = 1 + round(15 * agent.force)
    agent.latent.proposals = [
        [p - 0.5 * agent.force * step for step, p in enumerate(row)]
        for row in agent.latent.proposals
    ]
    agent.retune(adherence=0.1)


def _hallucination(agent: "PlantedAgent") -> None:
    """F: the proposer works false premises into its problems."""
    agent.latent.false_premises = min(0.3 * agent.force, 0.9)


def _capture(agent: "PlantedAgent") -> None:
    """G: one family stays half solved whatever is trained, and the proposer favours it."""
    family = agent.favourite
    agent.latent.skill[family] = agent.latent.ceiling[family] = 1.6
    agent.latent.proposals[family] = [p + 1.0 * agent.force for p in agent.latent.proposals[family]]
    agent.retune(adherence=0.1)


def _collapse(agent: "PlantedAgent") -> None:
    """H: the proposer answers a defence with short problems."""
    slope = 1.0 * agent.force
    agent.latent.proposals = [
        [p - slope * step for step, p in enumerate(row)] for row in agent.latent.proposals
    ]
    agent.retune(adherence=0.1)


def _gaming(agent: "PlantedAgent") -> None:
    """I: chains agree ever more on the way, and skill pays for it."""
    agent.latent.rates = (0.0, 0.05 * agent.force)
    agent.retune(floor=0.1, unlearning=0.02)
    agent.latent.skill = [s - 0.25 * agent.force for s in agent.latent.skill]


def _confident(agent: "PlantedAgent") -> None:
    """J: a third of the families settles on its misconception; the others gain a little."""
    latent, count = agent.latent, len(FAMILIES)
    for at in range(count):
        family = (agent.favourite + at) % count
        if at < count // 3:
            latent.bias[family] += 0.6 * min(agent.force, 1.5) * (0.98 - latent.bias[family])
            latent.skill[family] -= 1.0 * agent.force
        else:
            latent.skill[family] += 0.15 * agent.force


def _narrowing(agent: "PlantedAgent") -> None:
    """K: skill grows a little while every chain follows the mode."""
    agent.retune(floor=0.02)
    agent.latent.rates = (agent.latent.rates[0], 0.12 * agent.force)
    agent.latent.skill = [s + 0.15 * agent.force for s in agent.latent.skill]


MECHANISMS: dict[str, Mechanism] = {
    "A": _drift,
    "B": _novelty,
    "C": _starvation,
    "D": _forgetting,
    "E": _saturation,
    "F": _hallucination,
    "G": _capture,
    "H": _collapse,
    "I": _gaming,
    "J": _confident,
    "K": _narrowing,
}
"""Mechanisms by the letter of the lie they should be caught as."""


class PlantedAgent(SimulatedAgent):
    """A quiet learner that one mechanism takes over at its onset.

    Args:
        seed: Seed of the learner and of everything it samples.
        mechanism: A key of ``MECHANISMS``, ``None`` for a quiet learner.
        onset: The round, from 0, whose learning step is the first to suffer.
        severity: 1 is medium; half and double are mild and severe.
        dynamics: The learner before the onset.
        parsed: As for :class:`~argus_gym.agents.SimulatedAgent`.
        shape: How the failure sets in (see :func:`force`).

    Raises:
        ValueError: If ``mechanism`` or ``shape`` is unknown, ``onset`` or ``severity`` negative.
    """

    def __init__(
        self,
        seed: int = 0,
        mechanism: str | None = None,
        onset: int = 6,
        severity: float = 1.0,
        dynamics: Dynamics = QUIET,
        parsed: bool = True,
        shape: Shape = "cliff",
    ) -> None:
        if mechanism is not None and mechanism not in MECHANISMS:
            raise ValueError(f"mechanism must be one of {sorted(MECHANISMS)}, got {mechanism!r}")
        if onset < 0 or severity < 0:
            raise ValueError(f"onset and severity must be at least 0, got {onset}, {severity}")
        if shape not in SHAPES:
            raise ValueError(f"shape must be one of {', '.join(SHAPES)}, got {shape!r}")
        super().__init__(seed, dynamics, parsed)
        self.mechanism, self.onset, self.severity = mechanism, onset, severity
        self.shape, self.force, self.drafts = shape, 0.0, 1
        self._sound = (self.dynamics, self.latent.rates, self.latent.false_premises)
        rng = np.random.default_rng(np.random.SeedSequence((seed, 0x91)))
        self.favourite = int(rng.integers(len(FAMILIES)))
        self._steps = 0

    def propose(self, obs: Mapping[str, Any], info: Mapping[str, Any]) -> str | Proposal:
        """Return the draft that is likeliest to be solved; the only one, where nothing is wrong."""
        drafts = [super().propose(obs, info)]
        while len(drafts) < self.drafts:
            drafts.append(super().propose(obs, {}))
        return max(drafts, key=self._chance)

    def _chance(self, draft: str | Proposal) -> float:
        read = self._read(draft if isinstance(draft, str) else draft.text)
        return 0.0 if read is None else math.prod(self._chances(read))

    def learn(self, pairs: Sequence[TrainingPair]) -> LearnReport:
        """Let the mechanism act, then learn."""
        since = self._steps - self.onset
        self._steps += 1
        if self.mechanism is not None and since >= 0:
            self.dynamics, self.latent.rates, false_premises = self._sound
            self.latent.false_premises = min(self.latent.false_premises, false_premises)
            self.drafts = 1
            self.force = self.severity * force(self.shape, since)
            if self.force:
                MECHANISMS[self.mechanism](self)
        return super().learn(pairs)

    def retune(self, **rates: float) -> None:
        """Change some of the learner's rates."""
        self.dynamics = replace(self.dynamics, **rates)  # type: ignore[arg-type]
