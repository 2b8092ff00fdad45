"""Problems with exact answers: the records, and the worked solution as text."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from argus_gym.problems.ops import OPS, Exact

__all__ = ["MAX_STEPS", "Problem", "Step", "make_step", "solution"]

MAX_STEPS = 8
"""The largest number of steps of a generated problem."""


@dataclass(frozen=True, slots=True)
class Step:
    """One operation on the running value.

    Attributes:
        op: Name of the operation, a key of ``argus_gym.problems.ops.OPS``.
        operand: The number it works with.
        count: How many times the operand counts (``3 pens at $4``), or how many numbers a mean is
            taken over, >= 1.

    Raises:
        ValueError: If ``op`` is unknown, ``operand`` is not positive or ``count`` is below 1.
    """

    op: str
    operand: Exact
    count: int = 1

    def __post_init__(self) -> None:
        if self.op not in OPS:
            raise ValueError(f"op must be one of {sorted(OPS)}, got {self.op!r}")
        if self.operand <= 0 or self.count < 1:
            raise ValueError(
                f"operand must be > 0 and count >= 1, got {self.operand!r} and {self.count!r}"
            )

    def apply(self, value: Exact) -> Exact:
        """Return the exact result of this step on ``value``."""
        return OPS[self.op].apply(value, self.operand, self.count)

    def mistake(self, value: Exact) -> Exact:
        """Return what the operation's shared misconception makes of ``value``.

        It differs from :meth:`apply` on every value on a generated problem's own way.
        """
        return OPS[self.op].mistake(value, self.operand, self.count)

    def show(self, value: Exact, result: Exact) -> str:
        """Return the step as a chain writes it, ``result`` after the equals sign."""
        return f"{OPS[self.op].show(value, self.operand, self.count)} = {result}"


make_step = lru_cache(maxsize=1 << 15)(Step)
"""The same as :class:`Step`, but equal arguments share one record, which is faster."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A word problem whose steps and answer are known.

    Attributes:
        text: The problem as a solver sees it.
        family: Its family, one of ``FAMILIES``.
        start: The quantity it starts from.
        steps: The operations in the order of the text, 1 to ``MAX_STEPS`` of them.
        values: The exact value after each step.
    """

    text: str
    family: str
    start: Exact
    steps: tuple[Step, ...]
    values: tuple[Exact, ...]

    @property
    def answer(self) -> Exact:
        """The value after the last step."""
        return self.values[-1]

    def alternative(self) -> tuple[Step, ...] | None:
        """Return the steps in another order that gives the same answer, if there is one.

        The first two neighbours that commute are swapped, where the value between them is new, as
        sensible as the others (positive; whole unless the family deals in fractions), and open to
        the two steps' misconceptions.
        """
        steps, value = self.steps, self.start
        for i in range(len(steps) - 1):
            first, second = steps[i], steps[i + 1]
            group = OPS[first.op].group
            if group and group == OPS[second.op].group:
                between = second.apply(value)
                if (
                    between != self.values[i]
                    and between > 0
                    and (type(between) is int or self.family == "fractions")
                    and second.mistake(value) != between
                    and first.mistake(between) != self.values[i + 1] == first.apply(between)
                ):
                    return (*steps[:i], second, first, *steps[i + 2 :])
            value = self.values[i]
        return None


def solution(problem: Problem, values: Sequence[Exact] | None = None) -> str:
    """Return the worked solution, one step a line, ending in ``#### answer``.

    Args:
        problem: The problem.
        values: The values actually reached, one a step; the exact ones where it is ``None``.

    Raises:
        ValueError: If ``values`` has not one value a step.
    """
    reached = problem.values if values is None else values
    if len(reached) != len(problem.steps):
        raise ValueError(
            f"values must hold one value for each of {len(problem.steps)} steps, got {len(reached)}"
        )
    lines, value = [], problem.start
    for step, result in zip(problem.steps, reached):
        lines.append(step.show(value, result))
        value = result
    lines.append(f"#### {value}")
    return "\n".join(lines)
