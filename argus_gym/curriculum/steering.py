"""Defences in n runs: what is ordered, in force and carried out."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from argus_gym.defences import LOCKOUT, Defence, Defences, Order
from argus_gym.records import Verdict

if TYPE_CHECKING:
    from argus_gym.curriculum.runs import Runs

__all__ = ["Steering"]


class Steering:
    """The defences of n runs, and what a detector, a gate or the agent has taken back.

    Args:
        runs: The runs.
    """

    def __init__(self, runs: "Runs") -> None:
        self.runs = runs
        self.defences = [Defences() for _ in range(runs.count)]
        self.active = {d: np.zeros(runs.count, bool) for d in Defence}
        self.armed: set[int] = set()
        self._waiting: set[int] = set()

    def reset(self, rows: np.ndarray) -> None:
        """Forget some of the runs."""
        self.armed.difference_update(rows.tolist())
        self._waiting.difference_update(rows.tolist())
        for row in rows.tolist():
            self.defences[row] = Defences()
        for active in self.active.values():
            active[rows] = False

    def begin_round(self, rows: np.ndarray) -> None:
        """See which defences have ended in the runs ``rows``."""
        for row in self.armed.intersection(rows.tolist()):
            self._refresh(row)

    def order(self, row: int, order: Order) -> bool:
        """Ask for a defence in one run; return whether it is free to be used."""
        self._waiting.add(row)
        return self.defences[row].order(order, int(self.runs.round[row]))

    @property
    def waiting(self) -> bool:
        """Whether an order waits to be carried out."""
        return bool(self._waiting)

    def defend(self) -> None:
        """Carry out what was ordered since the last step."""
        for row in sorted(self._waiting):
            round_ = int(self.runs.round[row])
            for order, carried in self.defences[row].take(round_):
                if carried:
                    self._carry_out(row, order, round_)
                self.runs.note(
                    row,
                    f"defence.{order.defence}",
                    {"by": order.by, "clusters": list(order.clusters)},
                    "carried out" if carried else "locked",
                )
            self._refresh(row)
        self._waiting.clear()

    def _carry_out(self, row: int, order: Order, round_: int) -> None:
        if order.defence is Defence.DECAY_REPLAY:
            self.runs.batch.decay(row)
        elif order.defence is Defence.ROLLBACK:
            self.take_back(row)
        elif order.defence is Defence.EXCLUDE:
            for cluster in order.clusters:
                self.runs.map.barred[row, cluster] = LOCKOUT
        elif order.defence is Defence.UNDO:
            self.defences[row].undo(round_)

    def take_back(self, row: int) -> bool:
        """Undo the last learning step, once; return whether there was one."""
        if self.runs.undone[row]:
            return False
        self.runs.latent.blend(np.array([row]), self.runs.before, np.ones(1))
        self.runs.batch.retract(row)
        self.runs.undone[row] = True
        return True

    def refuse(self, row: int) -> bool:
        """Take the last learning step back because the agent says so; note it in its record."""
        if not self.take_back(row):
            return False
        history = [] if self.runs.histories is None else self.runs.histories[row]
        if history:
            last = history[-1]
            verdict = Verdict("REFUSE", "agent", last.round, severity=1.0, reason="the agent's own")
            history[-1] = replace(last, verdict=verdict)
        self.runs.note(row, "verdict.agent", "the agent's own", "REFUSE")
        return True

    def _refresh(self, row: int) -> None:
        in_force = self.defences[row].in_force(int(self.runs.round[row]))
        for defence, rows in self.active.items():
            rows[row] = defence.value in in_force
        if in_force or self.runs.map.barred[row].any():
            self.armed.add(row)
        else:
            self.armed.discard(row)
