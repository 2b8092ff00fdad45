"""Starts and clauses: which numbers a sentence may carry, and how they are drawn and read."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from math import gcd

from argus_gym.problems.core import Step, make_step
from argus_gym.problems.ops import OPS, Exact

__all__ = [
    "NEXT",
    "Clause",
    "Each",
    "FractionStart",
    "Mean",
    "MeanStart",
    "Numbers",
    "Span",
    "Start",
    "Table",
    "ratios",
    "shares",
]

NEXT = -1
"""As a clause's ``then``: the state after the current one."""

Numbers = tuple[int, ...]

_NO_CAP = 10**6


class Clause(ABC):
    """One kind of sentence: an operation, the words for it and the numbers it takes.

    Args:
        op: The operation.
        wordings: Templates that say the same.
        when: The state the clause fits in.
        then: The state it leads to, ``NEXT``, or ``None`` to stay.
    """

    growth = 0
    """By how much the clause changes the size of the list a mean is taken over."""

    def __init__(self, op: str, *wordings: str, when: int = 0, then: int | None = None) -> None:
        if op not in OPS:
            raise ValueError(f"op must be one of {sorted(OPS)}, got {op!r}")
        self.op = op
        self.wordings = wordings
        self.when = when
        self.then = then

    @abstractmethod
    def draw(self, value: Exact, n: int, u: float, w: float) -> Step | None:
        """Return a step for ``value``, or ``None`` where none fits.

        Args:
            value: The running value.
            n: The size of the list a mean is taken over.
            u: Uniform in [0, 1).
            w: Uniform in [0, 1), independent of ``u``.
        """

    @abstractmethod
    def take(self, numbers: Numbers, n: int) -> Step | None:
        """Return the step a sentence with these numbers states, or ``None`` where it states none.

        Args:
            numbers: Operand, then count; or numerator, then denominator.
            n: The size of the list a mean is taken over.
        """


class Table(Clause):
    """A clause whose operand is one of a few numbers.

    Args:
        op: The operation.
        operands: The numbers it may work with.
        wordings: Templates that say the same; no number in them where there is one operand.
        whole: Whether the results have to be whole.
        when: The state the clause fits in.
        then: The state it leads to, ``NEXT``, or ``None`` to stay.
    """

    def __init__(
        self,
        op: str,
        operands: Sequence[Exact],
        *wordings: str,
        whole: bool = True,
        when: int = 0,
        then: int | None = None,
    ) -> None:
        super().__init__(op, *wordings, when=when, then=then)
        self._steps = [(OPS[op].modulus(a) if whole else 1, make_step(op, a)) for a in operands]
        self._taken: dict[Numbers, Step] = {}
        for _, step in self._steps:
            a = step.operand
            self._taken[(a,) if isinstance(a, int) else (a.numerator, a.denominator)] = step
        if len(operands) == 1:
            self._taken[()] = self._steps[0][1]

    def draw(self, value: Exact, n: int, u: float, w: float) -> Step | None:
        """Return the first step, from a random place on, whose result is whole if it has to be."""
        steps = self._steps
        first = int(u * len(steps))
        if type(value) is not int:
            return steps[first][1]
        for k in range(first - len(steps), first):
            modulus, step = steps[k]
            if value % modulus == 0:
                return step
        return None

    def take(self, numbers: Numbers, n: int) -> Step | None:
        """Return the step with this operand, if it is in the table."""
        return self._taken.get(numbers)


class Span(Clause):
    """A clause that adds or takes away one number between two bounds.

    Args:
        op: The operation.
        low: The smallest operand.
        high: The largest operand.
        wordings: Templates that say the same.
        cap: The largest result drawn.
        grid: Results are multiples of it more often than not, so that divisions find a place.
        when: The state the clause fits in.
        then: The state it leads to, ``NEXT``, or ``None`` to stay.
    """

    def __init__(
        self,
        op: str,
        low: int,
        high: int,
        *wordings: str,
        cap: int = _NO_CAP,
        grid: int = 12,
        when: int = 0,
        then: int | None = None,
    ) -> None:
        super().__init__(op, *wordings, when=when, then=then)
        self._low, self._high, self._cap, self._grid = low, high, cap, grid
        self._sign = -1 if op.startswith("subtract") else 1

    def draw(self, value: Exact, n: int, u: float, w: float) -> Step | None:
        """Return a step whose result is positive, at most the cap and often divisible."""
        low, high, sign = self._low, self._high, self._sign
        room = int(self._cap - value if sign > 0 else value - 1)
        if room < high:
            high = room
        if high < low:
            return None
        a = low + int(u * (high - low + 1))
        if w < 0.6:
            snapped = int(a - sign * ((value + sign * a) % self._grid))
            if low <= snapped <= high:
                a = snapped
        return make_step(self.op, a)

    def take(self, numbers: Numbers, n: int) -> Step | None:
        """Return the step with this operand, if it is inside the bounds."""
        a = numbers[0]
        return make_step(self.op, a) if self._low <= a <= self._high else None


class Each(Clause):
    """A clause with 2 to 9 things and the same number for each of them.

    Args:
        op: The operation.
        low: The smallest number for each.
        high: The largest number for each.
        wordings: Templates that say the same.
        cap: The largest result drawn.
        when: The state the clause fits in.
        then: The state it leads to, ``NEXT``, or ``None`` to stay.
    """

    def __init__(
        self,
        op: str,
        low: int,
        high: int,
        *wordings: str,
        cap: int = _NO_CAP,
        when: int = 0,
        then: int | None = None,
    ) -> None:
        super().__init__(op, *wordings, when=when, then=then)
        self._low, self._high, self._cap = low, high, cap
        self._adds = not op.startswith("subtract")

    def draw(self, value: Exact, n: int, u: float, w: float) -> Step | None:
        """Return a step whose result is positive and at most the cap."""
        count = 2 + int(w * 8)
        room = int(self._cap - value if self._adds else value - 1)
        high = min(self._high, room // count)
        if high < self._low:
            return None
        return make_step(self.op, self._low + int(u * (high - self._low + 1)), count)

    def take(self, numbers: Numbers, n: int) -> Step | None:
        """Return the step with these numbers, if they are inside the bounds."""
        a, count = numbers
        if self._low <= a <= self._high and 2 <= count <= 9:
            return make_step(self.op, a, count)
        return None


class Mean(Clause):
    """A clause on the mean of a list of numbers, whose size the text gave at its start."""

    def __init__(self, op: str, *wordings: str, when: int = 0, then: int | None = None) -> None:
        super().__init__(op, *wordings, when=when, then=then)
        self.growth = {"mean_add": 1, "mean_drop": -1}.get(op, 0)

    def draw(self, value: Exact, n: int, u: float, w: float) -> Step | None:
        """Return a step that keeps the mean whole and at least three numbers in the list."""
        op, k = self.op, 2 + int(u * 8)
        if op == "mean_total":
            return make_step(op, n)
        if op == "mean_shift":
            return make_step(op, k, n)
        if op == "mean_fix":
            return make_step(op, (k - 1) * n, n)
        a = int(value) + (k - 1 if w < 0.6 else 1 - k) * (n + self.growth)
        return make_step(op, a, n) if a > 1 and n + self.growth > 2 else None

    def take(self, numbers: Numbers, n: int) -> Step | None:
        """Return the step with this number over a list of ``n``."""
        if n + self.growth < 3:
            return None
        return make_step(self.op, numbers[0], n) if numbers else make_step(self.op, n)


class Start:
    """Whole numbers to start from, every other one a multiple of ``grid``."""

    def __init__(self, low: int, high: int, grid: int = 12) -> None:
        self.low, self.high, self.grid = low, high, grid

    def draw(self, u: float, w: float) -> tuple[Exact, int, Numbers]:
        """Return start value, list size and the opening's numbers, from two uniforms."""
        value = self.low + int(u * (self.high - self.low + 1))
        if w < 0.5 and value - value % self.grid >= self.low:
            value -= value % self.grid
        return value, 0, (value,)

    def take(self, numbers: Numbers) -> tuple[Exact, int] | None:
        """Return start value and list size an opening's numbers state, if they can be."""
        return (numbers[0], 0) if self.low <= numbers[0] <= self.high else None

    def other(self, numbers: Numbers, u: float) -> Numbers:
        """Return numbers that state another start."""
        return (numbers[0] + 1 + int(u * 9),)


class FractionStart(Start):
    """Proper fractions to start from."""

    def __init__(self, choices: Sequence[Fraction]) -> None:
        self.choices = tuple(choices)

    def draw(self, u: float, w: float) -> tuple[Exact, int, Numbers]:
        """Return start value, list size and the opening's numbers, from two uniforms."""
        value = self.choices[int(u * len(self.choices))]
        return value, 0, (value.numerator, value.denominator)

    def take(self, numbers: Numbers) -> tuple[Exact, int] | None:
        """Return start value and list size an opening's numbers state, if they can be."""
        value = Fraction(*numbers)
        return (value, 0) if value.denominator == numbers[1] and value in self.choices else None

    def other(self, numbers: Numbers, u: float) -> Numbers:
        """Return numbers that state another start."""
        others = [f for f in self.choices if f != Fraction(*numbers)]
        value = others[int(u * len(others))]
        return value.numerator, value.denominator


class MeanStart(Start):
    """The size of a list and its mean to start from."""

    def draw(self, u: float, w: float) -> tuple[Exact, int, Numbers]:
        """Return start value, list size and the opening's numbers, from two uniforms."""
        value, n = self.low + int(u * (self.high - self.low + 1)), 3 + int(w * 6)
        return value, n, (n, value)

    def take(self, numbers: Numbers) -> tuple[Exact, int] | None:
        """Return start value and list size an opening's numbers state, if they can be."""
        n, value = numbers
        return (value, n) if self.low <= value <= self.high and 3 <= n <= 8 else None

    def other(self, numbers: Numbers, u: float) -> Numbers:
        """Return numbers that state another start."""
        return numbers[0], numbers[1] + 1 + int(u * 9)


def shares(*denominators: int) -> tuple[Fraction, ...]:
    """Return the reduced proper fractions with these denominators."""
    return tuple(Fraction(p, q) for q in denominators for p in range(1, q) if gcd(p, q) == 1)


def ratios(high: int) -> tuple[Fraction, ...]:
    """Return the reduced ratios of two different numbers from 2 to ``high``."""
    span = range(2, high + 1)
    return tuple(Fraction(p, q) for p in span for q in span if p != q and gcd(p, q) == 1)
