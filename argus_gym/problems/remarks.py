"""Side remarks with one claim in them, true or deliberately false, by kind."""

from collections.abc import Callable
from typing import NamedTuple

from argus_gym.problems.claims import (
    Draw,
    Numbers,
    divisible,
    equation,
    fraction_parts,
    fraction_whole,
    greatest_common,
    indivisible,
    nth_prime,
    overdraw,
    parts_total,
    percent_parts,
    percent_rest,
    percent_whole,
    square,
    twice,
)

__all__ = ["REMARKS", "remark"]

_PEOPLE = ("Dana", "Quinn", "Sasha", "Nico", "Avery", "Lou", "Skyler", "Rowan")
_PLACES = ("school", "museum", "camp", "hotel", "factory", "club")


class Remarks(NamedTuple):
    """Templates and the function that draws the numbers for them."""

    numbers: Callable[[Draw, bool], Numbers]
    templates: tuple[str, ...]


REMARKS: dict[str, tuple[Remarks, ...]] = {
    "equation": (
        Remarks(
            equation,
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
            nth_prime,
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
            divisible,
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
            divisible,
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
            greatest_common,
            (
                "The greatest common factor of {n} and {m} is {g}.",
                "{who} says that the greatest common divisor of {n} and {m} is {g}.",
            ),
        ),
    ),
    "square": (
        Remarks(
            square,
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
            percent_parts,
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
            percent_rest,
            (
                "At the {place}, {a}% of the guests are adults and the other {b}% are children.",
                "A wall is painted {a}% white and the remaining {b}% is blue.",
                "{a}% of the trees in an orchard are apple trees and {b}% are pear trees.",
            ),
        ),
        Remarks(
            percent_whole,
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
            fraction_whole,
            (
                "{p}/{q} of the pupils in the class sing in the choir.",
                "On the local team, {p}/{q} of the players are left-handed.",
                "{who} has painted {p}/{q} of the fence.",
                "By evening, {p}/{q} of the tickets for the show are gone.",
                "The librarian has sorted {p}/{q} of the books on the shelf.",
            ),
        ),
        Remarks(
            fraction_parts,
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
            parts_total,
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
            overdraw,
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
            indivisible,
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
            twice,
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
