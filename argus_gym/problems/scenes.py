"""Families as data, and the scenes they are compiled into.

A wording is plain English with two kinds of slots. ``[friend]`` is filled with a word of the scene
or, where the slot has several words, gives one sentence for each. ``{a}`` is a number: ``v`` the
start, ``n`` the size of a list, ``a`` a step's operand, ``b`` its count, ``p`` and ``q`` numerator
and denominator of a fractional operand.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from operator import attrgetter
from typing import Any, NamedTuple

from argus_gym.problems.clauses import NEXT, Clause, Start
from argus_gym.problems.core import Step
from argus_gym.problems.ops import OPS, Exact

__all__ = ["FRIENDS", "NAMES", "PEOPLE", "Family", "Scene", "Slots", "Wording"]

Slots = Mapping[str, str | tuple[str, ...]]

_SLOT = re.compile(r"\[(\w+)\]")
_NUMBER = re.compile(r"\{(\w)\}")

PEOPLE: tuple[dict[str, str], ...] = tuple(
    dict(zip(("N", "He", "he", "His", "his", "him", "himself"), words.split()))
    for words in ("@ She she Her her her herself", "~ He he His his him himself")
)
"""The words for a main person; ``@`` and ``~`` stand for the name until the text is whole."""

NAMES: dict[str, tuple[str, ...]] = {
    "@": (
        "Mia",
        "Ava",
        "Zoe",
        "Lily",
        "Emma",
        "Nora",
        "Ruth",
        "Clara",
        "Priya",
        "Elena",
        "Hana",
        "Sofia",
    ),
    "~": (
        "Leo",
        "Noah",
        "Omar",
        "Liam",
        "Ethan",
        "Diego",
        "Felix",
        "Jonas",
        "Marcus",
        "Victor",
        "Tariq",
        "Henry",
    ),
    "": ("",),
}
"""Names of main persons. None may be part of another word of any wording."""

FRIENDS = ("Alex", "Robin", "Kim", "Taylor", "Jordan", "Casey", "Morgan", "Jamie", "Riley")
"""Names of side persons, different from ``NAMES`` and telling no gender."""

_ARGUMENTS: dict[str, Callable[[Step], Any]] = {
    "": lambda step: (),
    "a": attrgetter("operand"),
    "ab": attrgetter("operand", "count"),
    "ba": attrgetter("count", "operand"),
    "pq": attrgetter("operand.numerator", "operand.denominator"),
    "qp": attrgetter("operand.denominator", "operand.numerator"),
}


class Wording(NamedTuple):
    """One sentence of a clause.

    Attributes:
        format: For the ``%`` operator.
        arguments: Takes a step to the numbers of ``format``.
    """

    format: str
    arguments: Callable[[Step], Any]


class _Sentence(NamedTuple):
    format: str
    skeleton: str
    order: str


def _fill(templates: Iterable[str], slots: Slots) -> list[_Sentence]:
    """Return format, skeleton (numbers as ``#``) and number slots of every filled template."""
    found = []
    for template in templates:
        names = list(dict.fromkeys(_SLOT.findall(template)))
        choices = [(w,) if isinstance(w := slots[name], str) else w for name in names]
        for words in product(*choices):
            text = template
            for name, word in zip(names, words):
                text = text.replace(f"[{name}]", word)
            order = "".join(_NUMBER.findall(text))
            form = _NUMBER.sub("%d", text.replace("%", "%%"))
            found.append(_Sentence(form, _NUMBER.sub("#", text), order))
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """Problems of one kind.

    Attributes:
        name: The family's name.
        scenes: Words for the slots; each gives a scene, told apart by its openings.
        start: The numbers to start from.
        openings: First sentences, with ``{v}``, ``{p}/{q}`` or ``{n}`` and ``{v}`` in this order.
        clauses: The clauses; in every state at least two must fit any value that can be reached.
        questions: Last sentences of each state.
        restatements: Sentences that state the start again, for ``falsify``.
        cap: The largest value.
        fractional: Whether values may be fractions.
        chain: Slot with a tuple of words, one a state: ``[this]`` is the state's, ``[next]`` the
            one after it. Clauses and questions of a family with a chain fit every state.
    """

    name: str
    scenes: tuple[Slots, ...]
    start: Start
    openings: tuple[str, ...]
    clauses: tuple[Clause, ...]
    questions: Mapping[int, tuple[str, ...]]
    restatements: tuple[str, ...]
    cap: int = 100_000
    fractional: bool = False
    chain: str = ""

    def result(self, step: Step, value: Exact) -> Exact | None:
        """Return the step's result, or ``None`` where it has no place in this family.

        A result is positive, at most ``cap``, whole or a fraction with a handy denominator, and
        different from what the shared misconception gives.
        """
        apply, mistake, *_ = OPS[step.op]
        result = apply(value, step.operand, step.count)
        if (
            0 < result <= self.cap
            and (type(result) is int or (self.fractional and 120 % result.denominator == 0))
            and mistake(value, step.operand, step.count) != result
        ):
            return result
        return None


class Scene:
    """A family's sentences with the words of one scene filled in.

    Attributes:
        family: The family.
        names: Names the main person may have.
        person: Stands for the name in formats and skeletons.
        openings: Formats of the first sentence.
        options: For each state the clauses that fit, each with its wordings and the next state.
        questions: Last sentences of each state.
        restatements: Formats of sentences that state the start again.
        first: Skeletons of the openings.
        sentences: For each state, skeletons to clause, number slots and next state.
    """

    def __init__(self, family: Family, slots: Slots) -> None:
        self.family = family
        person = slots.get("N", "")
        self.person = person if isinstance(person, str) else ""
        self.names = NAMES[self.person]
        self.options: list[list[tuple[Clause, list[Wording], int]]] = []
        self.sentences: list[dict[str, tuple[Clause, str, int]]] = []
        self.questions: list[list[str]] = []
        chain = slots[family.chain] if family.chain else ()
        states = len(chain) if chain else max(family.questions) + 1
        words = {**slots, "friend": FRIENDS}
        if chain:
            words |= {"this": chain[0], "next": chain[1]}
        first = _fill(family.openings, words)
        self.openings = [s.format for s in first]
        self.first = [s.skeleton for s in first]
        self.restatements = [s.format for s in _fill(family.restatements, words)]
        for state in range(states):
            if chain:
                words |= {"this": chain[state], "next": chain[min(state + 1, states - 1)]}
            asked = family.questions[0 if chain else state]
            self.questions.append([s.skeleton for s in _fill(asked, words)])
            self._add_state(state, states, words)

    def _add_state(self, state: int, states: int, words: Slots) -> None:
        options: list[tuple[Clause, list[Wording], int]] = []
        sentences: dict[str, tuple[Clause, str, int]] = {}
        for clause in self.family.clauses:
            goto = state + 1 if clause.then == NEXT else clause.then
            goto = state if goto is None else goto
            if goto >= states or (not self.family.chain and clause.when != state):
                continue
            wordings = []
            for form, skeleton, order in _fill(clause.wordings, words):
                if sentences.setdefault(skeleton, (clause, order, goto))[0] is not clause:
                    raise ValueError(f"two clauses of {self.family.name} share {skeleton!r}")
                wordings.append(Wording(form, _ARGUMENTS[order]))
            options.append((clause, wordings, goto))
        self.options.append(options)
        self.sentences.append(sentences)
