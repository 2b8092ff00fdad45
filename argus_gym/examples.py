"""What the proposer is shown: examples from outside, problems that got worse, its own frontier."""

from collections import deque
from typing import Any

import numpy as np

from argus_gym.records import decode, encode
from argus_gym.retests import Item

__all__ = ["Examples"]

PAST_CAPACITY = 512
REGRESSED_CAPACITY = 32


class Examples:
    """Remembers the run's problems, for retests and as examples for the proposer."""

    def __init__(self) -> None:
        self._past: dict[str, Item] = {}
        self._regressed: deque[Item] = deque(maxlen=REGRESSED_CAPACITY)
        self._own: dict[int, str] = {}

    @property
    def past(self) -> list[Item]:
        """The latest 512 different problems, oldest first."""
        return list(self._past.values())

    def solved(self, item: Item, frontier: bool) -> None:
        """Remember a scored problem."""
        self._past[item.problem] = item
        if len(self._past) > PAST_CAPACITY:
            del self._past[next(iter(self._past))]
        if frontier:
            self._own[item.cluster] = item.problem

    def regressed(self, item: Item) -> None:
        """Remember a problem that got worse."""
        self._regressed.append(item)

    def draw(
        self,
        target: int,
        external: tuple[str, ...],
        rates: tuple[float, float],
        rng: np.random.Generator,
    ) -> tuple[str, str]:
        """Return an example for the proposer and where it came from.

        Args:
            target: The cluster to aim at.
            external: Examples from outside.
            rates: How often it comes from outside, and how often it otherwise is a problem that
                got worse, of the target cluster where there is one.
            rng: Draws.
        """
        draw = rng.random()
        outside, blind_spot = rates
        if draw < outside and external:
            return external[rng.integers(len(external))], "external"
        if draw < outside + (1 - outside) * blind_spot and self._regressed:
            near = [item for item in self._regressed if item.cluster == target]
            items = near or list(self._regressed)
            return items[rng.integers(len(items))].problem, "regressed"
        own = self._own.get(target, "")
        return own, "own" if own else "none"

    def state(self) -> dict[str, Any]:
        """Return a JSON-ready copy."""
        return {
            "past": encode(self.past),
            "regressed": encode(list(self._regressed)),
            "own": sorted([cluster, text] for cluster, text in self._own.items()),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state` returned."""
        past = [decode(Item, item) for item in state["past"]]
        self._past = {item.problem: item for item in past}
        regressed = (decode(Item, item) for item in state["regressed"])
        self._regressed = deque(regressed, maxlen=REGRESSED_CAPACITY)
        self._own = {int(cluster): text for cluster, text in state["own"]}
