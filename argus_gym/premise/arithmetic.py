"""Exact values of small expressions, from our own grammar over SymPy numbers.

sum     := product (("+" | "-" | "plus" | "minus") product)*
product := power (("*" | "x" | "/" | "times" | "multiplied by" | "divided by") power)*
power   := atom ("^" integer | "squared" | "cubed")?
atom    := number | "-" atom | "(" sum ")"
"""

from functools import lru_cache
from typing import Any

from argus_gym.premise.numerals import Value
from argus_gym.premise.reading import Reading

__all__ = ["OPERATORS", "Unreadable", "evaluate", "exact"]

MAX_NODES = 48
MAX_DEPTH = 8
MAX_EXPONENT = 64
MAX_BITS = 400
"""An expression with more numbers, deeper brackets or larger powers is not checked."""

_ADD = frozenset(("+", "plus"))
_SUBTRACT = frozenset(("-", "minus"))
_TIMES = frozenset(("*", "x", "times", "multiplied"))
_OVER = frozenset(("/", "divided"))
_POWER = frozenset(("^", "**"))
_POSTFIX = {"squared": 2, "cubed": 3}
OPERATORS = _ADD | _SUBTRACT | _TIMES | _OVER | _POWER | frozenset(_POSTFIX)


class Unreadable(Exception):
    """The entries are not an expression of the grammar, or pass one of its bounds."""


@lru_cache(maxsize=1)
def _rational() -> Any:
    from sympy import Rational

    return Rational


def exact(value: Value) -> Any:
    """Return ``value`` as a SymPy rational."""
    return _rational()(value.numerator, value.denominator)


class _Parser:
    def __init__(self, reading: Reading, first: int, last: int) -> None:
        self.words, self.values = reading.words, reading.values
        self.at, self.last, self.nodes = first, last, 0

    def peek(self) -> str:
        return self.words[self.at] if self.at <= self.last else ""

    def sum(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise Unreadable
        total = self.product(depth)
        while True:
            word = self.peek()
            if word in _ADD:
                self.at += 1
                total += self.product(depth)
            elif word in _SUBTRACT:
                self.at += 1
                total -= self.product(depth)
            elif word == "#" and self.values[self.at] < 0:
                # "10 -5": the sign was read as part of the number
                total += self.product(depth)
            else:
                return total

    def product(self, depth: int) -> Any:
        total = self.power(depth)
        while True:
            word = self.peek()
            if word in _TIMES:
                self.skip(word, "multiplied")
                total *= self.power(depth)
            elif word in _OVER:
                self.skip(word, "divided")
                below = self.power(depth)
                if below == 0:
                    raise Unreadable
                total /= below
            else:
                return total

    def skip(self, word: str, takes_by: str) -> None:
        self.at += 1
        if word == takes_by:
            if self.peek() != "by":
                raise Unreadable
            self.at += 1

    def power(self, depth: int) -> Any:
        base = self.atom(depth)
        word = self.peek()
        if word in _POSTFIX:
            self.at += 1
            return self.raised(base, _POSTFIX[word])
        if word in _POWER:
            self.at += 1
            exponent = self.atom(depth)
            if self.peek() in _POWER or not exponent.is_Integer or abs(exponent) > MAX_EXPONENT:
                raise Unreadable
            return self.raised(base, int(exponent))
        return base

    def raised(self, base: Any, exponent: int) -> Any:
        bits = max(int(base.p).bit_length(), int(base.q).bit_length())
        if bits * abs(exponent) > MAX_BITS or (base == 0 and exponent <= 0):
            raise Unreadable
        return base**exponent

    def atom(self, depth: int) -> Any:
        self.nodes += 1
        word = self.peek()
        if self.nodes > MAX_NODES:
            raise Unreadable
        if word in ("#", "$"):
            self.at += 1
            return exact(self.values[self.at - 1])
        if word == "-":
            self.at += 1
            return -self.atom(depth + 1)
        if word == "(":
            self.at += 1
            value = self.sum(depth + 1)
            if self.peek() != ")":
                raise Unreadable
            self.at += 1
            return value
        raise Unreadable


def evaluate(reading: Reading, first: int, last: int) -> Any:
    """Return the exact value of the entries ``first`` to ``last`` as a SymPy rational.

    Raises:
        Unreadable: If they are not an expression of the grammar, or too large a one.
    """
    parser = _Parser(reading, first, last)
    value = parser.sum(0)
    if parser.at <= last:
        raise Unreadable
    return value
