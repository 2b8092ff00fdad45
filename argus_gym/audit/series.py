"""One logged number over the steps of a run, in bounded memory."""

import math
from array import array
from dataclasses import dataclass, field

import numpy as np

__all__ = ["LIMIT", "Series"]

LIMIT = 1 << 14
"""Points a series holds at least; one of twice as many is averaged over neighbouring rows."""

EVALUATIONS = 1 << 8
"""The same for a series of evaluations, whose every pair is compared."""

EVALUATED = ("heldout", "heldout_loss", "pass_at_k")
SHUFFLED = 0.05


@dataclass(eq=False)
class Series:
    """Steps and values in the order they were logged.

    At twice ``LIMIT`` points, neighbouring pairs are averaged and ``grain`` doubles, so that memory
    stays bounded; an average carries the step of its last row, so that nothing is dated before it
    was known. Values that are not finite are counted, not kept.

    Attributes:
        column: The name it has in the log.
        kind: What it was recognised as, a key of :data:`argus_gym.audit.signals.KINDS`.
        grain: Rows a point stands for.
        nonfinite: Number of values that were not finite.
        first_nonfinite: Step of the first of them, NaN where there is none.
        superseded: Points dropped because a restart logged their steps again.
        restarts: How often the step fell back.
        sorted: Whether the rows came in no order and were sorted by step.
    """

    column: str
    kind: str
    grain: int = 1
    nonfinite: int = 0
    first_nonfinite: float = math.nan
    superseded: int = 0
    restarts: int = 0
    sorted: bool = False
    _steps: "array[float]" = field(default_factory=lambda: array("d"), repr=False)
    _values: "array[float]" = field(default_factory=lambda: array("d"), repr=False)
    _pending: list[float] = field(default_factory=list, repr=False)

    def add(self, step: float, value: float) -> None:
        """Append one logged value.

        Args:
            step: A finite number.
            value: Any number; one that is not finite is only counted.
        """
        if not math.isfinite(value):
            self.nonfinite += 1
            if math.isnan(self.first_nonfinite):
                self.first_nonfinite = step
            return
        self._pending.append(value)
        if len(self._pending) < self.grain:
            return
        self._steps.append(step)
        self._values.append(math.fsum(v / self.grain for v in self._pending))
        self._pending.clear()
        if len(self._steps) == 2 * (EVALUATIONS if self.kind in EVALUATED else LIMIT):
            values = np.frombuffer(self._values).reshape(-1, 2)
            self._steps = array("d", self._steps[1::2])
            self._values = array("d", (values[:, 0] / 2 + values[:, 1] / 2).tolist())
            self.grain *= 2

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Return steps (strictly increasing) and values, two float arrays of one length.

        Where the step falls back, the run was restarted there and the points it logs again
        replace the old ones. Where that happens at more than 5 % of the points, the rows are in
        no order: they are sorted by step, and of several with one step the last counts.
        """
        steps, values = np.array(self._steps), np.array(self._values)
        back = np.flatnonzero(np.diff(steps) < 0) + 1
        self.sorted = len(back) > max(3.0, SHUFFLED * len(steps))
        if self.sorted:
            order = np.argsort(steps, kind="stable")
            steps, values = steps[order], values[order]
            keep = np.ones(len(steps), bool)
        else:
            self.restarts = len(back)
            # A point counts while no later one has a smaller step.
            lowest = np.minimum.accumulate(steps[::-1])[::-1]
            keep = steps <= lowest
        last = np.append(steps[:-1] != steps[1:], True) if len(steps) else np.ones(0, bool)
        # Within the kept points of one step, the last one logged counts.
        steps, values, last = steps[keep], values[keep], last[keep]
        if len(steps):
            last = np.append(steps[:-1] != steps[1:], True)
        self.superseded = len(keep) - int(last.sum())
        return steps[last], values[last]

    def __len__(self) -> int:
        return len(self._steps)
