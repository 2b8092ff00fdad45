"""Defences: what is done when a detector fires."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["LOCKOUT", "Defence", "Defences", "Order"]

LOCKOUT = 3
"""Rounds a defence stays in force, and during which it cannot be ordered again."""


class Defence(StrEnum):
    """The actuators of the environment."""

    EXTERNAL_CONTEXT = "external_context"
    RAISE_TEMPERATURE = "raise_temperature"
    DECAY_REPLAY = "decay_replay"
    ROLLBACK = "rollback"
    HARDER = "harder"
    REJECT_PREMISES = "reject_premises"
    EXCLUDE = "exclude"
    UNDO = "undo"
    DEMOTE = "demote"
    ANCHOR_WEIGHT = "anchor_weight"
    KEEP_RARE = "keep_rare"


@dataclass(frozen=True, slots=True, order=True)
class Order:
    """A detector's request for a defence.

    Attributes:
        defence: What to do.
        by: The detector's name.
        clusters: Where, for the defences that act on clusters.
    """

    defence: Defence
    by: str
    clusters: tuple[int, ...] = ()


class Defences:
    """Which defences are ordered, in force and locked.

    An order takes effect before the next action, stays in force for ``LOCKOUT`` rounds and locks
    its defence for as long. Orders of one round are carried out in one fixed order, whoever came
    first, so that the wrappers' nesting does not matter.
    """

    def __init__(self) -> None:
        self._orders: list[Order] = []
        self._until: dict[Defence, int] = {}
        self._clusters: dict[Defence, tuple[int, ...]] = {}
        self._barred: set[Defence] = set()

    def order(self, order: Order, round_: int) -> bool:
        """Ask for a defence; return whether it is neither locked nor barred in ``round_``."""
        self._orders.append(order)
        return self._free(order.defence, round_)

    def _free(self, defence: Defence, round_: int) -> bool:
        return round_ >= self._until.get(defence, 0) and defence not in self._barred

    def take(self, round_: int) -> list[tuple[Order, bool]]:
        """Return the waiting orders with whether each is carried out, and put those in force.

        Args:
            round_: The round that is about to start or under way.
        """
        taken = []
        for order in sorted(set(self._orders)):
            carried = self._free(order.defence, round_)
            if carried:
                self._until[order.defence] = round_ + LOCKOUT
                self._clusters[order.defence] = order.clusters
            taken.append((order, carried))
        self._orders.clear()
        return taken

    def active(self, defence: Defence, round_: int) -> bool:
        """Return whether ``defence`` is in force in round ``round_``."""
        return round_ < self._until.get(defence, 0)

    def clusters(self, defence: Defence) -> tuple[int, ...]:
        """Return the clusters of the last order for ``defence``."""
        return self._clusters.get(defence, ())

    def in_force(self, round_: int) -> tuple[str, ...]:
        """Return the names of the defences in force in round ``round_``, sorted."""
        return tuple(sorted(d.value for d, until in self._until.items() if round_ < until))

    def undo(self, round_: int) -> None:
        """End the defences that were put in force last and bar them for the rest of the run.

        What tips a curriculum came just before it tipped; the others stay.

        Args:
            round_: The round that is about to start; defences in force in the one before count.
        """
        blamed = {
            d: until
            for d, until in self._until.items()
            if round_ - 1 < until and d is not Defence.UNDO
        }
        for defence, until in blamed.items():
            if until == max(blamed.values()):
                self._until[defence] = round_
                self._barred.add(defence)

    def state(self) -> dict[str, Any]:
        """Return a JSON-ready copy."""
        return {
            "orders": [[o.defence.value, o.by, list(o.clusters)] for o in self._orders],
            "until": {d.value: until for d, until in sorted(self._until.items())},
            "clusters": {d.value: list(c) for d, c in sorted(self._clusters.items())},
            "barred": sorted(d.value for d in self._barred),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state` returned."""
        self._orders = [Order(Defence(d), by, tuple(c)) for d, by, c in state["orders"]]
        self._until = {Defence(d): until for d, until in state["until"].items()}
        self._clusters = {Defence(d): tuple(c) for d, c in state["clusters"].items()}
        self._barred = {Defence(d) for d in state["barred"]}
