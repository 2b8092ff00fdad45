"""The numbers of claims that are true or deliberately false.

Each function draws the same numbers whether the claim is to be true or false and then changes one
of them, so that a true twin differs from its false one in nothing else. It returns them by the
names the templates of ``remarks`` use.
"""

from fractions import Fraction
from math import gcd
from typing import TypeVar

import numpy as np

__all__ = [
    "Draw",
    "Numbers",
    "divisible",
    "equation",
    "fraction_parts",
    "fraction_whole",
    "greatest_common",
    "indivisible",
    "nth_prime",
    "overdraw",
    "parts_total",
    "percent_parts",
    "percent_rest",
    "percent_whole",
    "square",
    "twice",
]

T = TypeVar("T")

_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59)
_ORDINALS = (
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
)


class Draw:
    """Random choices out of one block of random numbers."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._uniforms = iter(rng.random(48).tolist())

    def whole(self, low: int, high: int) -> int:
        """Return a whole number from ``low`` to ``high``."""
        return low + int(next(self._uniforms) * (high - low + 1))

    def pick(self, choices: tuple[T, ...]) -> T:
        """Return one of the choices."""
        return choices[int(next(self._uniforms) * len(choices))]

    def uniform(self) -> float:
        """Return a number in [0, 1)."""
        return float(next(self._uniforms))


Numbers = dict[str, object]


def _ordinal(k: int) -> str:
    suffix = {1: "st", 2: "nd", 3: "rd"}.get(k if k < 20 else k % 10, "th")
    return f"{k}{suffix}"


def _off(draw: Draw, high: int) -> int:
    """Return a difference from -high to high that is not zero."""
    return draw.whole(1, high) * draw.pick((-1, 1))


def equation(draw: Draw, true: bool) -> Numbers:
    """Numbers ``a`` and ``b``, their operation in sign and words, and its stated result ``c``."""
    sign, word, noun = draw.pick(
        (
            ("+", "plus", "sum"),
            ("-", "minus", "difference"),
            ("*", "times", "product"),
            ("×", "times", "product"),
            ("/", "divided by", "quotient"),
            ("÷", "divided by", "quotient"),
        )
    )
    a, b, off = draw.whole(3, 40), draw.whole(2, 12), _off(draw, 4)
    if word == "minus":
        a += b
    elif word == "divided by":
        a *= b
    c = {"plus": a + b, "minus": a - b, "times": a * b, "divided by": a // b}[word]
    if not true:
        c = c + off if c + off > 0 else c - off
    return {"a": a, "b": b, "c": c, "sign": sign, "word": word, "noun": noun}


def nth_prime(draw: Draw, true: bool) -> Numbers:
    """A prime ``p`` and which one it is, as ``kth``."""
    k, off = draw.whole(2, 15), draw.pick((-1, 1, 2))
    near = draw.uniform() < 0.5
    p = _PRIMES[k - 1]
    if not true:
        p = _PRIMES[max(k - 1 + off, 0)] if near else p + off
    return {"p": p, "kth": _ordinal(k) if draw.uniform() < 0.5 else _ORDINALS[k - 1]}


def divisible(draw: Draw, true: bool) -> Numbers:
    """A number ``n`` and its divisor ``d``."""
    d, k = draw.whole(3, 14), draw.whole(3, 30)
    r = draw.whole(1, d - 1)
    return {"d": d, "n": d * k + (0 if true else r)}


def greatest_common(draw: Draw, true: bool) -> Numbers:
    """Numbers ``n`` and ``m`` and their greatest common factor ``g``."""
    g, x, y = draw.whole(2, 12), draw.whole(2, 7), draw.whole(8, 13)
    off = draw.whole(1, 3)
    n, m = g * x, g * y
    g = gcd(n, m)
    return {"n": n, "m": m, "g": g if true else g + off}


def square(draw: Draw, true: bool) -> Numbers:
    """A number ``r`` and its square ``n``."""
    r, off = draw.whole(4, 25), _off(draw, 5)
    return {"r": r, "n": r * r + (0 if true else off)}


def percent_parts(draw: Draw, true: bool) -> Numbers:
    """Three parts of a whole in percent."""
    a, b = 5 * draw.whole(6, 11), 5 * draw.whole(3, 6)
    more = 5 * draw.whole(1, 6)
    return {"a": a, "b": b, "c": 100 - a - b + (0 if true else more)}


def percent_rest(draw: Draw, true: bool) -> Numbers:
    """A part of a whole in percent and all the rest."""
    a, more = 5 * draw.whole(5, 16), 5 * draw.whole(1, 5)
    return {"a": a, "b": 100 - a + (0 if true else more)}


def percent_whole(draw: Draw, true: bool) -> Numbers:
    """A part ``x`` of a whole in percent."""
    low, high = 5 * draw.whole(2, 19), 100 + 5 * draw.whole(1, 16)
    return {"x": low if true else high}


def fraction_whole(draw: Draw, true: bool) -> Numbers:
    """A part ``p/q`` of a whole."""
    q = draw.whole(3, 9)
    p, more = draw.whole(1, q - 1), draw.whole(1, 4)
    return {"p": p if true else q + more, "q": q}


def fraction_parts(draw: Draw, true: bool) -> Numbers:
    """Three parts of a whole as fractions."""
    parts = draw.pick(
        (
            ((1, 2), (1, 3), (1, 6), (1, 4)),
            ((2, 5), (3, 10), (3, 10), (1, 2)),
            ((1, 4), (3, 8), (3, 8), (2, 3)),
            ((1, 3), (5, 12), (1, 4), (3, 4)),
            ((2, 3), (1, 6), (1, 6), (2, 5)),
        )
    )
    f, g, h, wrong = (Fraction(*part) for part in parts)
    return {"f": f, "g": g, "h": h if true else wrong}


def parts_total(draw: Draw, true: bool) -> Numbers:
    """Two or three counts and their total."""
    a, b, c = draw.whole(4, 40), draw.whole(4, 40), draw.whole(4, 40)
    off = _off(draw, 6)
    wrong = 0 if true else off
    return {"a": a, "b": b, "c": c, "two": a + b + wrong, "three": a + b + c + wrong}


def overdraw(draw: Draw, true: bool) -> Numbers:
    """How many there are, ``n``, and how many go, ``m``."""
    n, less, more = draw.whole(12, 80), draw.whole(2, 9), draw.whole(1, 30)
    return {"n": n, "m": n - less if true else n + more}


def indivisible(draw: Draw, true: bool) -> Numbers:
    """A count ``x`` of things that come whole; a fraction or negative where false."""
    whole = draw.whole(3, 40)
    tenths, negative = draw.pick((1, 3, 5, 7)), draw.uniform() < 0.25
    form = draw.pick((".{}", " 1/2", " 3/4", ".5"))
    if true:
        return {"x": whole}
    return {"x": -whole if negative else f"{whole}{form.format(tenths)}"}


def twice(draw: Draw, true: bool) -> Numbers:
    """One quantity stated twice."""
    a, off = draw.whole(14, 90), _off(draw, 9)
    return {"a": a, "b": a if true else a + off}
