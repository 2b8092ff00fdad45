"""Learners with a planted failure: mechanisms that change how a simulated agent learns.

A mechanism never writes what a detector reads. It changes rates or abilities of the learner from
the onset on, and what the loop then sees follows.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from argus_gym.agents.latent import Dynamics
from argus_gym.agents.simulated import SimulatedAgent
from argus_gym.problems import FAMILIES
from argus_gym.records import LearnReport, TrainingPair

__all__ = ["MECHANISMS", "QUIET", "PlantedAgent"]

QUIET = Dynamics(
    skill=2.0,
    skill_spread=(0.4, 0.4),
    headroom=0.8,
    learning=0.05,
    unlearning=0.005,
    interference=0.02,
    bias=0.15,
    bias_gain=0.0,
    sharpening=0.0,
    shift=0.0,
    false_premises=0.01,
    rate_spread=0.3,
)
"""A learner that deceives nobody: it learns slowly, keeps its diversity and forgets nothing."""

Mechanism = Callable[["PlantedAgent"], None]


def _drift(agent: "PlantedAgent") -> None:
    """A: without a repetition penalty, proposals are pulled to what was just trained."""
    agent.retune(shift=3.0 * agent.severity, adherence=0.05)


def _novelty(agent: "PlantedAgent") -> None:
    """B: training sharpens every chain to the model's mode."""
    agent.retune(floor=0.02)
    agent.latent.rates = (agent.latent.rates[0], 0.1 * agent.severity)


def _starvation(agent: "PlantedAgent") -> None:
    """C: the learner learns its pairs by heart and nothing else."""
    agent.retune(memory=1.5 * agent.severity, style=0.0)
    agent.latent.rates = (0.0, agent.latent.rates[1])


def _forgetting(agent: "PlantedAgent") -> None:
    """D: what is learnt in one family is taken from the far ones, several times over."""
    agent.retune(interference=24.0 * agent.severity)


def _saturation(agent: "PlantedAgent") -> None:
    """E: skill grows past everything the proposer can write."""
    lift = 1.5 * agent.severity
    agent.latent.skill = [s + lift for s in agent.latent.skill]
    agent.latent.ceiling = [c + lift for c in agent.latent.ceiling]


def _hallucination(agent: "PlantedAgent") -> None:
    """F: the proposer works false premises into its problems."""
    agent.latent.false_premises = min(0.3 * agent.severity, 0.9)


def _capture(agent: "PlantedAgent") -> None:
    """G: one family stays half solved whatever is trained, and the proposer favours it."""
    family = agent.favourite
    agent.latent.skill[family] = agent.latent.ceiling[family] = 1.6
    agent.latent.proposals[family] = [
        p + 1.0 * agent.severity for p in agent.latent.proposals[family]
    ]
    agent.retune(adherence=0.1)


def _collapse(agent: "PlantedAgent") -> None:
    """H: the proposer answers a defence with short problems."""
    slope = 1.0 * agent.severity
    agent.latent.proposals = [
        [p - slope * step for step, p in enumerate(row)] for row in agent.latent.proposals
    ]
    agent.retune(adherence=0.1)


def _gaming(agent: "PlantedAgent") -> None:
    """I: chains agree ever more on the way, and skill pays for it."""
    agent.latent.rates = (0.0, 0.05 * agent.severity)
    agent.retune(floor=0.1, unlearning=0.02)
    agent.latent.skill = [s - 0.25 * agent.severity for s in agent.latent.skill]


def _confident(agent: "PlantedAgent") -> None:
    """J: a third of the families settles on its misconception; the others gain what that costs."""
    latent, count = agent.latent, len(FAMILIES)
    for at in range(count):
        family = (agent.favourite + at) % count
        if at < count // 3:
            latent.bias[family] += 0.6 * min(agent.severity, 1.5) * (0.98 - latent.bias[family])
            latent.skill[family] -= 1.0 * agent.severity
        else:
            latent.skill[family] += 0.3 * agent.severity


def _narrowing(agent: "PlantedAgent") -> None:
    """K: skill grows a little while every chain follows the mode."""
    agent.retune(floor=0.02)
    agent.latent.rates = (agent.latent.rates[0], 0.08 * agent.severity)
    agent.latent.skill = [s + 0.1 * agent.severity for s in agent.latent.skill]


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

    Raises:
        ValueError: If ``mechanism`` is unknown, ``onset`` or ``severity`` negative.
    """

    def __init__(
        self,
        seed: int = 0,
        mechanism: str | None = None,
        onset: int = 6,
        severity: float = 1.0,
        dynamics: Dynamics = QUIET,
        parsed: bool = True,
    ) -> None:
        if mechanism is not None and mechanism not in MECHANISMS:
            raise ValueError(f"mechanism must be one of {sorted(MECHANISMS)}, got {mechanism!r}")
        if onset < 0 or severity < 0:
            raise ValueError(f"onset and severity must be at least 0, got {onset}, {severity}")
        super().__init__(seed, dynamics, parsed)
        self.mechanism, self.onset, self.severity = mechanism, onset, severity
        rng = np.random.default_rng(np.random.SeedSequence((seed, 0x91)))
        self.favourite = int(rng.integers(len(FAMILIES)))
        self._steps = 0

    def learn(self, pairs: Sequence[TrainingPair]) -> LearnReport:
        """Let the mechanism act, then learn."""
        if self.mechanism is not None and self._steps >= self.onset:
            MECHANISMS[self.mechanism](self)
        self._steps += 1
        return super().learn(pairs)

    def retune(self, **rates: float) -> None:
        """Change some of the learner's rates."""
        self.dynamics = replace(self.dynamics, **rates)  # type: ignore[arg-type]
