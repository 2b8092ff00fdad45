"""Curricula at work: in the text environment around an agent, in the numeric one by themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import gymnasium as gym
import numpy as np

from argus_gym import answers, consensus
from argus_gym.agents.base import Agent
from argus_gym.agents.curricula import Curriculum
from argus_gym.problems import FAMILIES, generate
from argus_gym.records import (
    LearnReport,
    Premise,
    Proposal,
    RoundRecord,
    Solve,
    TrainingPair,
    Value,
)

__all__ = ["Cell", "Steered", "family_cells", "grid_cells", "steer"]

STEPS = 6
ASKED = 8_192
TRUE = Premise(True)


@dataclass(frozen=True, slots=True)
class Cell:
    """What an arm stands for: a family of problems and, perhaps, a length.

    Attributes:
        family: A key of ``argus_gym.problems.FAMILIES``.
        steps: Number of steps, the difficulty; drawn from 1 to 6 where ``None``.
    """

    family: str
    steps: int | None = None


def family_cells() -> tuple[Cell, ...]:
    """Return one cell for each family, in order."""
    return tuple(Cell(family) for family in FAMILIES)


def grid_cells(steps: Sequence[int] = tuple(range(1, STEPS + 1))) -> tuple[Cell, ...]:
    """Return one cell for each family and number of steps, family by family."""
    return tuple(Cell(family, n) for family in FAMILIES for n in steps)


class Steered:
    """Wraps an agent: a curriculum chooses the cell of each problem, the agent does the rest.

    The environment's target is ignored. The curriculum is told the agreement of the chains of each
    problem (1 for a chain with the modal answer, else 0) and nothing that needs the truth, except
    for the probe: where one is given, each learning step is preceded by an inner loop that trains
    a copy of the agent on the pairs of one arm at a time, measures the change of accuracy on the
    probe for each pair, and takes the step back. ``spent`` counts what that costs.

    Args:
        agent: The agent; its ``snapshot`` and ``restore`` are used where there is a probe.
        curriculum: Chooses among as many arms as there are cells.
        cells: What the arms stand for; the families where ``None``.
        seed: Seed of the choices and of the problems made.
        ask: Whether the agent writes the problem, with a made problem of the chosen cell as its
            example (``obs["context"]``); otherwise the made problem is proposed as it is. An agent
            that strays is credited to the cell that was asked for.
        probe: Problems with answers; disjoint from what is reported.
        probe_chains: Chains for each problem of the probe, >= 1.
        inner_steps: Learning steps of the inner loop on the same pairs, >= 1: one step moves a
            probe of hard problems too little to be seen.

    Raises:
        ValueError: If the curriculum's arms are not the cells, or ``probe_chains`` or
            ``inner_steps`` is below 1.
    """

    def __init__(
        self,
        agent: Agent,
        curriculum: Curriculum,
        cells: Sequence[Cell] | None = None,
        *,
        seed: int = 0,
        ask: bool = False,
        probe: Sequence[tuple[str, Value]] = (),
        probe_chains: int = 8,
        inner_steps: int = 8,
    ) -> None:
        self.cells = family_cells() if cells is None else tuple(cells)
        if curriculum.arms != len(self.cells):
            raise ValueError(
                f"curriculum must have an arm for each of {len(self.cells)} cells, "
                f"got {curriculum.arms}"
            )
        if probe_chains < 1 or inner_steps < 1:
            raise ValueError(
                f"probe_chains and inner_steps must be at least 1, "
                f"got {probe_chains} and {inner_steps}"
            )
        self.agent, self.curriculum = agent, curriculum
        self.ask, self.probe = ask, tuple(probe)
        self.probe_chains, self.inner_steps = probe_chains, inner_steps
        self.chosen = np.zeros(curriculum.arms, np.int64)
        self.spent = {"probe_answers": 0, "inner_pairs": 0}
        self._rng = np.random.default_rng(np.random.SeedSequence((seed, 0x57)))
        self._asked: dict[str, int] = {}
        self._pending = ""

    @property
    def temperature(self) -> float:
        """The agent's sampling temperature; 1 where it has none."""
        return float(getattr(self.agent, "temperature", 1.0))

    @temperature.setter
    def temperature(self, value: float) -> None:
        if hasattr(self.agent, "temperature"):
            self.agent.temperature = value

    def propose(self, obs: Mapping[str, Any], info: Mapping[str, Any]) -> str | Proposal:
        """Return a problem of the cell the curriculum chooses."""
        arm = self.curriculum.choose(self._rng)
        cell = self.cells[arm]
        steps = int(self._rng.integers(1, STEPS + 1)) if cell.steps is None else cell.steps
        made = generate(cell.family, steps, self._rng).text
        proposal: str | Proposal = Proposal(made, TRUE)
        if self.ask:
            proposal = self.agent.propose({**obs, "context": made}, info)
        text = proposal if isinstance(proposal, str) else proposal.text
        if len(self._asked) >= ASKED:
            del self._asked[next(iter(self._asked))]
        self._asked[text] = arm
        self._pending = text
        self.chosen[arm] += 1
        return proposal

    def solve(self, problem: str, k: int) -> Solve:
        """Return the agent's chains; tell the curriculum how far they agree."""
        solve = self.agent.solve(problem, k)
        if not problem or problem != self._pending:
            return solve
        self._pending = ""
        scored = consensus.score(solve.chains)
        agreed = round(scored.outcome * k)
        self.curriculum.update(self._asked[problem], [1.0] * agreed + [0.0] * (k - agreed))
        return replace(solve, chains=scored.chains)

    def learn(self, pairs: Sequence[TrainingPair]) -> LearnReport:
        """Let the agent learn, after the inner loop where there is a probe."""
        if self.probe:
            self.curriculum.improved(self._gains(pairs))
        report = self.agent.learn(pairs)
        self.curriculum.end_round()
        return report

    def snapshot(self) -> Any:
        """Return the agent's snapshot; what the curriculum knows is not rolled back."""
        return self.agent.snapshot()

    def restore(self, snapshot: Any, blend: float = 1.0) -> None:
        """Restore the agent."""
        self.agent.restore(snapshot, blend)

    def _gains(self, pairs: Sequence[TrainingPair]) -> dict[int, float]:
        """Return each arm's gain on the probe a pair; the agent ends as it began."""
        groups: dict[int, list[TrainingPair]] = {}
        for pair in pairs:
            if pair.role == "train" and pair.problem in self._asked:
                groups.setdefault(self._asked[pair.problem], []).append(pair)
        start = self.agent.snapshot()
        # A restored generator answers the probe by the same random numbers each time.
        before = self._accuracy()
        gains = {}
        for arm, own in sorted(groups.items()):
            self.agent.restore(start)
            for _ in range(self.inner_steps):
                self.agent.learn(own)
            gains[arm] = (self._accuracy() - before) / len(own)
            self.spent["inner_pairs"] += self.inner_steps * len(own)
        self.agent.restore(start)
        return gains

    def _accuracy(self) -> float:
        right = 0
        for problem, answer in self.probe:
            chains = self.agent.solve(problem, self.probe_chains).chains
            read = (consensus.parse(c) if isinstance(c, str) else c for c in chains)
            right += sum(answers.right(chain, answer) for chain in read)
        total = len(self.probe) * self.probe_chains
        self.spent["probe_answers"] += total
        return right / total


def steer(
    env: gym.Env[Any, Any], curriculum: Curriculum, seed: int | None = None
) -> tuple[RoundRecord, ...]:
    """Let a curriculum choose every problem of one run of ``ArgusCurriculum-v0``.

    The curriculum is told the agreement of each problem's chains, and at a round's end, by family,
    the mean change of the anchors the environment retested for each pair trained on. Those answers
    are counted in the record (``answers["retest"]``).

    Args:
        env: The environment, wrapped or not, with the two heads of ``multidiscrete`` actions.
        curriculum: One arm for each family (lengths of 1 to 6 steps are drawn), or one for each
            family and length, family by family.
        seed: Seed of the reset and of the choices.

    Returns:
        The rounds' records.

    Raises:
        ValueError: If the actions have other heads, or the arms are neither of the two.
    """
    if not isinstance(env.action_space, gym.spaces.MultiDiscrete) or len(env.action_space) != 2:
        raise ValueError(f"env must take actions [family, length], got {env.action_space}")
    families, lengths = env.action_space.nvec.tolist()
    if curriculum.arms not in (families, families * lengths):
        raise ValueError(
            f"curriculum must have {families} or {families * lengths} arms, got {curriculum.arms}"
        )
    each = curriculum.arms // families
    base: Any = env.unwrapped
    rng = np.random.default_rng(None if seed is None else np.random.SeedSequence((seed, 0x57)))
    env.reset(seed=seed)
    rounds: list[RoundRecord] = []
    visited: set[int] = set()
    over = False
    while not over:
        arm = curriculum.choose(rng)
        visited.add(arm)
        family, length = divmod(arm, each)
        if each == 1:
            length = int(rng.integers(min(STEPS, lengths)))
        _, _, terminated, truncated, info = env.step(np.array([family, length]))
        over = terminated or truncated
        k = base.settings.k
        agreed = round(info["outcome"] * k)
        curriculum.update(arm, [1.0] * agreed + [0.0] * (k - agreed))
        if "round" in info:
            record: RoundRecord = info["round"]
            rounds.append(record)
            gains = _anchor_gains(record, info["training_pairs"])
            curriculum.improved({a: gains[a // each] for a in visited if a // each in gains})
            curriculum.end_round()
            visited.clear()
    return tuple(rounds)


def _anchor_gains(record: RoundRecord, pairs: Sequence[TrainingPair]) -> dict[int, float]:
    """Return the mean change of each family's anchors for each pair of it that was trained on."""
    changes: dict[int, list[float]] = {}
    for item in record.retests:
        if item.anchor:
            changes.setdefault(item.cluster, []).append(item.delta)
    trained = [pair.cluster for pair in pairs if pair.role == "train"]
    return {
        family: sum(deltas) / len(deltas) / trained.count(family)
        for family, deltas in changes.items()
        if family in trained
    }
