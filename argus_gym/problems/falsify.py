"""Problems with one deliberately false premise, and their true twins."""

import re
from dataclasses import dataclass

import numpy as np

from argus_gym.problems.claims import Draw
from argus_gym.problems.core import Problem
from argus_gym.problems.read import opening
from argus_gym.problems.remarks import REMARKS, remark

__all__ = ["FALSE_KINDS", "FalseProblem", "falsify", "truthful"]

FALSE_KINDS = tuple(REMARKS)
"""The kinds of false premises."""

_REFERS_BACK = re.compile(r"\b(?:it|its|them|these|this)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FalseProblem:
    """A problem with a false premise.

    Attributes:
        text: The problem.
        kind: The kind of the false premise.
        span: Start and end of the sentences that make the false claim.
    """

    text: str
    kind: str
    span: tuple[int, int]


def _restatement(problem: Problem, draw: Draw, true: bool) -> str | None:
    opened = opening(problem.text)
    if opened is None:
        return None
    scene, name, sentences, numbers = opened
    start = tuple(numbers[: sentences[0].count("#")])
    other = scene.family.start.other(start, draw.uniform())
    form = draw.pick(tuple(scene.restatements))
    text = form % (start if true else other)
    return text.replace(scene.person, name) if name else text


def _work_in(problem: Problem, kind: str, rng: np.random.Generator, true: bool) -> FalseProblem:
    if kind not in FALSE_KINDS:
        raise ValueError(f"kind must be one of {FALSE_KINDS}, got {kind!r}")
    draw = Draw(rng)
    where, restate = draw.uniform(), kind == "contradiction" and draw.uniform() < 0.5
    claim = _restatement(problem, draw, true) if restate else None
    after_opening = claim is not None
    claim = remark(draw, kind, true) if claim is None else claim
    sentences = re.split(r"(?<=\.) ", problem.text)
    last = len(sentences) - 1
    places = [
        i
        for i in range(1 if after_opening else 0, last + 1)
        if i in (0, last) or not _REFERS_BACK.search(sentences[i])
    ]
    at = places[int(where * len(places))]
    before = "".join(f"{sentence} " for sentence in sentences[:at])
    span = len(before), len(before) + len(claim)
    return FalseProblem(" ".join([*sentences[:at], claim, *sentences[at:]]), kind, span)


def falsify(problem: Problem, kind: str, rng: np.random.Generator) -> FalseProblem:
    """Return the problem with one false premise worked into it.

    The claim is a remark at a random place where it breaks no reference to the sentence before, or,
    for half of the contradictions, a restatement of the problem's own start with another number.

    Args:
        problem: The problem.
        kind: One of ``FALSE_KINDS``.
        rng: The source of all randomness.

    Raises:
        ValueError: If there is no such kind.
    """
    return _work_in(problem, kind, rng, true=False)


def truthful(problem: Problem, kind: str, rng: np.random.Generator) -> str:
    """Return the true twin of what :func:`falsify` returns for an equal generator.

    It has the same wording at the same place, with a true claim, and the problem's own answer.

    Args:
        problem: The problem.
        kind: One of ``FALSE_KINDS``.
        rng: The source of all randomness.

    Raises:
        ValueError: If there is no such kind.
    """
    return _work_in(problem, kind, rng, true=True).text
