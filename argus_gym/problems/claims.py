"""Side remarks with one claim in them, true or deliberately false, by kind.

A group of remarks is a function that draws its numbers and the templates they fit. It draws the
same numbers whether the claim is to be true or false and then changes one of them, so that a true
twin differs from its false one in nothing else.
"""

from collections.abc import Callable
from fractions import Fraction
from math import gcd
from typing import NamedTuple, TypeVar

import numpy as np

__all__ = ["REMARKS", "Draw", "Remarks", "remark"]

T = TypeVar("T")

_PEOPLE = ("Dana", "Quinn", "Sasha", "Nico", "Avery", "Lou", "Skyler", "Rowan")
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
_PLACES = ("school", "museum", "camp", "hotel", "factory", "club")


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


class Remarks(NamedTuple):
    """Templates and the function that draws the numbers for them."""

    numbers: Callable[[Draw, bool], Numbers]
    templates: tuple[str, ...]


def _ordinal(k: int) -> str:
    suffix = {1: "st", 2: "nd", 3: "rd"}.get(k if k < 20 else k % 10, "th")
    return f"{k}{suffix}"


def _off(draw: Draw, high: int) -> int:
    """Return a difference from -high to high that is not zero."""
    return draw.whole(1, high) * draw.pick((-1, 1))


def _equation(draw: Draw, true: bool) -> Numbers:
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


def _nth_prime(draw: Draw, true: bool) -> Numbers:
    k, off = draw.whole(2, 15), draw.pick((-1, 1, 2))
    near = draw.uniform() < 0.5
    p = _PRIMES[k - 1]
    if not true:
        p = _PRIMES[max(k - 1 + off, 0)] if near else p + off
    return {"p": p, "kth": _ordinal(k) if draw.uniform() < 0.5 else _ORDINALS[k - 1]}


def _divisible(draw: Draw, true: bool) -> Numbers:
    d, k = draw.whole(3, 14), draw.whole(3, 30)
    r = draw.whole(1, d - 1)
    return {"d": d, "n": d * k + (0 if true else r)}


def _greatest_common(draw: Draw, true: bool) -> Numbers:
    g, x, y = draw.whole(2, 12), draw.whole(2, 7), draw.whole(8, 13)
    off = draw.whole(1, 3)
    n, m = g * x, g * y
    g = gcd(n, m)
    return {"n": n, "m": m, "g": g if true else g + off}


def _square(draw: Draw, true: bool) -> Numbers:
    r, off = draw.whole(4, 25), _off(draw, 5)
    return {"r": r, "n": r * r + (0 if true else off)}


def _percent_parts(draw: Draw, true: bool) -> Numbers:
    a, b = 5 * draw.whole(6, 11), 5 * draw.whole(3, 6)
    more = 5 * draw.whole(1, 6)
    return {"a": a, "b": b, "c": 100 - a - b + (0 if true else more)}


def _percent_rest(draw: Draw, true: bool) -> Numbers:
    a, more = 5 * draw.whole(5, 16), 5 * draw.whole(1, 5)
    return {"a": a, "b": 100 - a + (0 if true else more)}


def _percent_whole(draw: Draw, true: bool) -> Numbers:
    low, high = 5 * draw.whole(2, 19), 100 + 5 * draw.whole(1, 16)
    return {"x": low if true else high}


def _fraction_whole(draw: Draw, true: bool) -> Numbers:
    q = draw.whole(3, 9)
    p, more = draw.whole(1, q - 1), draw.whole(1, 4)
    return {"p": p if true else q + more, "q": q}


def _fraction_parts(draw: Draw, true: bool) -> Numbers:
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


def _parts_total(draw: Draw, true: bool) -> Numbers:
    a, b, c = draw.whole(4, 40), draw.whole(4, 40), draw.whole(4, 40)
    off = _off(draw, 6)
    wrong = 0 if true else off
    return {"a": a, "b": b, "c": c, "two": a + b + wrong, "three": a + b + c + wrong}


def _overdraw(draw: Draw, true: bool) -> Numbers:
    n, less, more = draw.whole(12, 80), draw.whole(2, 9), draw.whole(1, 30)
    return {"n": n, "m": n - less if true else n + more}


def _indivisible(draw: Draw, true: bool) -> Numbers:
    whole = draw.whole(3, 40)
    tenths, negative = draw.pick((1, 3, 5, 7)), draw.uniform() < 0.25
    form = draw.pick((".{}", " 1/2", " 3/4", ".5"))
    if true:
        return {"x": whole}
    return {"x": -whole if negative else f"{whole}{form.format(tenths)}"}


def _twice(draw: Draw, true: bool) -> Numbers:
    a, off = draw.whole(14, 90), _off(draw, 9)
    return {"a": a, "b": a if true else a + off}


REMARKS: dict[str, tuple[Remarks, ...]] = {
    "equation": (
        Remarks(
            _equation,
            (
                "Note that {a} {sign} {b} = {c}.",
                "A sign on the wall reads {a} {sign} {b} = {c}.",
                "{who} writes on the board that {a} {sign} {b} = {c}.",
                "Keep in mind that {a} {sign} {b} equals {c}.",
                "Recall that {a} {word} {b} is {c}.",
                "A calculator shows that {a} {word} {b} equals {c}.",
                "The {noun} of {a} and {b} is {c}.",
                "It helps to know that the {noun} of {a} and {b} equals {c}.",
                "Since {a} {sign} {b} = {c}, {who} wins the quiz.",
            ),
        ),
    ),
    "nth_prime": (
        Remarks(
            _nth_prime,
            (
                "The {kth} prime number is {p}.",
                "{p} is the {kth} prime.",
                "The code of the lock is {p}, the {kth} prime number.",
                "The number of the locker is the {kth} prime, which is {p}.",
                "Counting 2 as the first prime, the {kth} prime number is {p}.",
                "{who} explains that the {kth} prime number equals {p}.",
                "The lucky number of {who} is {p} because it is the {kth} prime number.",
            ),
        ),
    ),
    "divisibility": (
        Remarks(
            _divisible,
            (
                "The number {n} is divisible by {d}.",
                "The house number {n} can be divided by {d} without a remainder.",
                "Dividing {n} by {d} leaves no remainder.",
                "The room number, {n}, is a multiple of {d}.",
                "{who} points out that {n} is evenly divisible by {d}.",
                "As {n} is a multiple of {d}, {who} likes this number.",
                "{d} divides {n} evenly.",
                "When {n} is divided by {d}, the remainder is 0.",
            ),
        ),
    ),
    "factor": (
        Remarks(
            _divisible,
            (
                "{d} is a factor of {n}.",
                "The number {d} is a divisor of {n}.",
                "One of the factors of {n} is {d}.",
                "The factors of {n} include {d}.",
                "The number {n} has {d} as a factor.",
                "{who} notes that {d} is one of the divisors of {n}.",
            ),
        ),
        Remarks(
            _greatest_common,
            (
                "The greatest common factor of {n} and {m} is {g}.",
                "{who} says that the greatest common divisor of {n} and {m} is {g}.",
            ),
        ),
    ),
    "square": (
        Remarks(
            _square,
            (
                "The square root of {n} is {r}.",
                "{n} is the square of {r}.",
                "{r} squared is {n}.",
                "The square of {r} is {n}.",
                "The number {n} is a perfect square.",
                "A square garden with an area of {n} square feet has sides of {r} feet.",
                "{who} remembers that √{n} = {r}.",
                "The square root of {n} equals {r}, as {who} knows.",
            ),
        ),
    ),
    "percentage": (
        Remarks(
            _percent_parts,
            (
                "In the town library, {a}% of the books are novels, {b}% are comics "
                "and {c}% are atlases.",
                "Of all the votes, {a}% go to the red team, {b}% to the blue team "
                "and {c}% to the green team.",
                "A fruit salad is {a}% apple, {b}% melon and {c}% grape.",
                "At the {place}, {a}% of the people come by bus, {b}% by bike and {c}% on foot.",
            ),
        ),
        Remarks(
            _percent_rest,
            (
                "At the {place}, {a}% of the guests are adults and the other {b}% are children.",
                "A wall is painted {a}% white and the remaining {b}% is blue.",
                "{a}% of the trees in an orchard are apple trees and {b}% are pear trees.",
            ),
        ),
        Remarks(
            _percent_whole,
            (
                "A survey finds that {x}% of the families in town own a dog.",
                "By noon, {x}% of the seats in the theater are taken.",
                "{who} has read {x}% of the pages in a novel.",
                "About {x}% of the pupils at the school wear glasses.",
            ),
        ),
    ),
    "fraction": (
        Remarks(
            _fraction_whole,
            (
                "{p}/{q} of the pupils in the class sing in the choir.",
                "On the local team, {p}/{q} of the players are left-handed.",
                "{who} has painted {p}/{q} of the fence.",
                "By evening, {p}/{q} of the tickets for the show are gone.",
                "The librarian has sorted {p}/{q} of the books on the shelf.",
            ),
        ),
        Remarks(
            _fraction_parts,
            (
                "In a field, {f} of the land is wheat, {g} is corn and {h} is barley.",
                "{f} of the cars in the lot are red, {g} are blue and {h} are white.",
                "{who} spends {f} of the allowance on games, {g} on snacks and {h} on books.",
                "At the {place}, {f} of the rooms are small, {g} are large and {h} are halls.",
            ),
        ),
    ),
    "parts_total": (
        Remarks(
            _parts_total,
            (
                "A class has {two} pupils: {a} girls and {b} boys.",
                "Of the {two} birds on the lake, {a} are ducks and the other {b} are swans.",
                "The choir has a total of {two} singers, made up of {a} adults and {b} children.",
                "A box holds {three} pens in all: {a} blue, {b} red and {c} black.",
                "There are {a} novels and {b} comics on a shelf, {two} books altogether.",
                "A farm keeps {a} cows, {b} goats and {c} hens, for a total of {three} animals.",
                "{who} planted {a} tulips and {b} roses, which makes {two} flowers in total.",
                "The {place} employs {three} people: {a} cooks, {b} guards and {c} guides.",
            ),
        ),
    ),
    "overdraw": (
        Remarks(
            _overdraw,
            (
                "A shelf held {n} books, and {m} of them were borrowed.",
                "From a jar with {n} candies, {who} took out {m} candies.",
                "A bus carried {n} passengers, and {m} of them got off at the first stop.",
                "A bakery baked {n} rolls and sold {m} of them the same day.",
                "A barrel contained {n} gallons of water, and {m} gallons leaked out.",
                "{who} had ${n} and spent ${m} of it on a gift.",
                "Out of {n} balloons at the fair, {m} popped.",
                "A florist had {n} roses and threw away {m} of these roses.",
            ),
        ),
    ),
    "indivisible": (
        Remarks(
            _indivisible,
            (
                "There are {x} children on the playground.",
                "A bus brings {x} tourists to the museum.",
                "{who} keeps {x} goldfish in a pond.",
                "A farmer counts {x} cows in the barn.",
                "At the {place}, {x} people wait in line.",
                "A parking lot holds {x} cars at the moment.",
                "{who} invites {x} friends to a party.",
                "Exactly {x} passengers board the train.",
            ),
        ),
    ),
    "contradiction": (
        Remarks(
            _twice,
            (
                "A crate weighs {a} kilograms, and the weight of this crate is {b} kilograms.",
                "The bridge is {a} meters long. The length of the bridge is {b} meters.",
                "The {place} has exactly {a} windows, and the number of windows there is {b}.",
                "{who} is {a} years old. The age of {who} is {b} years.",
                "A ticket for the show costs ${a}. The price of a ticket for the show is ${b}.",
                "The old tower is {a} feet tall. The height of the old tower is {b} feet.",
            ),
        ),
    ),
}
"""By kind of false premise, the remarks that can carry it."""


def remark(draw: Draw, kind: str, true: bool) -> str:
    """Return a remark of a kind, its claim true or false."""
    groups = REMARKS[kind]
    total = sum(len(group.templates) for group in groups)
    index = draw.whole(0, total - 1)
    group = next(g for g in groups for _ in g.templates if (index := index - 1) < 0)
    place, who = draw.pick(_PLACES), draw.pick(_PEOPLE)
    template = draw.pick(group.templates)
    return template.format(place=place, who=who, **group.numbers(draw, true))
