"""An agent made of recordings: real problems, and the chains that real models wrote for them."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from argus_gym.chain_sets import ChainSet
from argus_gym.records import LearnReport, Solve, TrainingPair

__all__ = ["UNKNOWN", "ReplayAgent"]

UNKNOWN = "I do not know."
"""The chain given for a problem without recordings; it states no answer."""


class ReplayAgent:
    """Proposes recorded problems and answers with recorded chains; it cannot learn.

    Problems come in a seeded random order, each once before any comes again. A problem is answered
    by k of its recorded chains, drawn anew each time without replacement; where fewer are recorded,
    all of them come once and the rest are drawn from them again.

    Args:
        sets: The recordings; sets of one problem are joined.
        seed: Seed of the order and the draws, >= 0.
        held_out: Problems that are answered but never proposed, such as anchors.

    Raises:
        ValueError: If no problem is left to propose, or a set has no chain.
    """

    def __init__(
        self, sets: Sequence[ChainSet], seed: int = 0, *, held_out: Collection[str] = ()
    ) -> None:
        self._chains: dict[str, list[str]] = {}
        for item in sets:
            if not item.chains:
                raise ValueError(f"sets must hold at least one chain each, got none for {item!r}")
            self._chains.setdefault(item.problem, []).extend(item.chains)
        self._problems = [problem for problem in self._chains if problem not in set(held_out)]
        if not self._problems:
            raise ValueError(f"sets must leave a problem to propose, got {len(sets)} sets")
        self.reset(seed)

    def reset(self, seed: int) -> None:
        """Start again, as a new agent with ``seed`` would."""
        self._rng = np.random.default_rng(seed)
        self._order: list[int] = []
        self._next = 0

    def propose(self, obs: Mapping[str, Any], info: Mapping[str, Any]) -> str:
        """Return the next recorded problem, whatever is asked for."""
        if self._next >= len(self._order):
            self._order = self._rng.permutation(len(self._problems)).tolist()
            self._next = 0
        self._next += 1
        return self._problems[self._order[self._next - 1]]

    def solve(self, problem: str, k: int) -> Solve:
        """Return ``k`` recorded chains of ``problem``; :data:`UNKNOWN` where it has none.

        Raises:
            ValueError: If ``k`` is below 1.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        chains = self._chains.get(problem)
        if chains is None:
            return Solve([UNKNOWN] * k)
        picks = self._rng.permutation(len(chains))[:k].tolist()
        picks += self._rng.integers(len(chains), size=k - len(picks)).tolist()
        return Solve([chains[i] for i in picks])

    def learn(self, pairs: Sequence[TrainingPair]) -> LearnReport:
        """Learn nothing and report nothing measured."""
        return LearnReport()

    def snapshot(self) -> dict[str, Any]:
        """Return the whole state, JSON-ready: the generator and the place in the order."""
        return {
            "rng": self._rng.bit_generator.state,
            "order": list(self._order),
            "next": self._next,
        }

    def restore(self, snapshot: Mapping[str, Any], blend: float = 1.0) -> None:
        """Go back to ``snapshot`` exactly; there are no weights to mix, so only at 0 not at all.

        Raises:
            ValueError: If ``blend`` is outside [0, 1], or ``snapshot`` is not of these recordings.
        """
        if not 0 <= blend <= 1:
            raise ValueError(f"blend must be in [0, 1], got {blend}")
        if blend == 0:
            return
        try:
            order, place, state = snapshot["order"], snapshot["next"], snapshot["rng"]
            if order and sorted(order) != list(range(len(self._problems))):
                raise ValueError(f"its order is not one of {len(self._problems)} problems")
            if not 0 <= place <= len(order):
                raise ValueError(f"its place {place} is outside the order")
            rng = np.random.default_rng()
            rng.bit_generator.state = state
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"snapshot must come from these recordings: {error}") from error
        self._rng, self._order, self._next = rng, list(order), place

    def save(self, path: Path) -> None:
        """Write the snapshot to one JSON file."""
        path.write_text(json.dumps(self.snapshot(), allow_nan=False) + "\n", "utf-8")

    def load(self, path: Path) -> None:
        """Restore what :meth:`save` wrote.

        Raises:
            ValueError: If the file is not such a snapshot.
        """
        try:
            snapshot = json.loads(path.read_text("utf-8"))
            self.restore(snapshot)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}: expected a saved replay agent ({error})") from error
