"""Generated problems read back: the exact inverse of ``generate``."""

import re
from functools import cache, lru_cache

from argus_gym.problems.core import MAX_STEPS, Problem, Step
from argus_gym.problems.generate import FAMILIES, scenes
from argus_gym.problems.ops import Exact
from argus_gym.problems.scenes import NAMES, Scene

__all__ = ["MAX_LENGTH", "opening", "read"]

MAX_LENGTH = 2_000
"""The largest number of characters of a text worth reading; generated ones are shorter."""

_MAX_DIGITS = 6
_DIGITS = re.compile(r"[0-9]+")
_PERSON = {name: person for person, names in NAMES.items() for name in names if name}
_NAME = re.compile(f"(?:{'|'.join(_PERSON)})\\b")
_RESERVED = re.compile(r"[#@~]")


@cache
def _openings() -> dict[str, Scene]:
    found: dict[str, Scene] = {}
    for family in FAMILIES:
        for scene in scenes(family):
            for skeleton in scene.first:
                if found.setdefault(skeleton, scene) is not scene:
                    raise ValueError(f"two scenes open with {skeleton!r}")
    return found


def opening(text: str) -> tuple[Scene, str, list[str], list[int]] | None:
    """Return scene, name, sentence skeletons and numbers of a text that opens as a problem does."""
    if len(text) > MAX_LENGTH or _RESERVED.search(text):
        return None
    digits = _DIGITS.findall(text)
    for number in digits:
        if number[0] == "0" or len(number) > _MAX_DIGITS:
            return None
    skeleton = _DIGITS.sub("#", text)
    end = skeleton.find(". ")
    found = _NAME.search(skeleton, 0, end + 1) if end > 0 else None
    name = found.group() if found else ""
    if name:
        skeleton = skeleton.replace(name, _PERSON[name])
    sentences = skeleton.split(". ")
    scene = _openings().get(sentences[0] + ".")
    return None if scene is None else (scene, name, sentences, [int(d) for d in digits])


def read(text: str) -> Problem | None:
    """Return the problem a generated text states, or ``None`` for any other text.

    The text alone is looked at: sentence by sentence it has to be one of a scene's wordings, with
    numbers the clause can carry and results the family allows. Linear in the text, never raises.
    """
    return _read(text) if len(text) <= MAX_LENGTH else None


@lru_cache(maxsize=4096)
def _read(text: str) -> Problem | None:
    opened = opening(text)
    if opened is None:
        return None
    scene, _, sentences, numbers = opened
    if not 3 <= len(sentences) <= MAX_STEPS + 2:
        return None
    family = scene.family
    at = sentences[0].count("#")
    stated = family.start.take(tuple(numbers[:at]))
    if stated is None:
        return None
    start, n = stated
    value, state = start, 0
    steps: list[Step] = []
    values: list[Exact] = []
    for sentence in sentences[1:-1]:
        known = scene.sentences[state].get(sentence + ".")
        if known is None:
            return None
        clause, order, state = known
        carried = tuple(numbers[at : at + len(order)])
        at += len(order)
        step = clause.take(carried[::-1] if order in ("ba", "qp") else carried, n)
        result = None if step is None else family.result(step, value)
        if step is None or result is None:
            return None
        n += clause.growth
        steps.append(step)
        values.append(value := result)
    if sentences[-1] not in scene.questions[state]:
        return None
    return Problem(text, family.name, start, tuple(steps), tuple(values))
