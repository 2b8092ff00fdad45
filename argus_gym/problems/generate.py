"""Problems drawn at random: a start, some clauses, a question."""

from functools import cache

import numpy as np

from argus_gym.problems.clauses import Clause
from argus_gym.problems.core import MAX_STEPS, Problem, Step
from argus_gym.problems.durations import AGES, TIME
from argus_gym.problems.everyday import SHARING, SHOPPING
from argus_gym.problems.geometry import GEOMETRY
from argus_gym.problems.maths import AVERAGES, NUMBER_THEORY
from argus_gym.problems.ops import Exact
from argus_gym.problems.quantities import FRACTIONS, MIXTURES, RATIOS
from argus_gym.problems.scenes import Family, Scene, Wording
from argus_gym.problems.trade import PERCENTAGES, RATES

__all__ = ["FAMILIES", "generate", "scenes"]

_FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        SHOPPING,
        SHARING,
        RATES,
        RATIOS,
        PERCENTAGES,
        FRACTIONS,
        AGES,
        TIME,
        AVERAGES,
        GEOMETRY,
        NUMBER_THEORY,
        MIXTURES,
    )
}

FAMILIES = tuple(_FAMILIES)
"""The names of the families, in a fixed order."""

_DRAWS_PER_STEP = 4
_DRAWS_AT_START = 6


@cache
def scenes(family: str) -> tuple[Scene, ...]:
    """Return the compiled scenes of a family.

    Raises:
        ValueError: If there is no such family.
    """
    if family not in _FAMILIES:
        raise ValueError(f"family must be one of {FAMILIES}, got {family!r}")
    found = _FAMILIES[family]
    return tuple(Scene(found, slots) for slots in found.scenes)


def _choose(
    scene: Scene, state: int, last: Clause | None, value: Exact, n: int, draws: list[float], at: int
) -> tuple[Clause, list[Wording], int, Step, Exact]:
    """Return clause, wordings, next state, step and result; the last clause only if alone."""
    options = scene.options[state]
    result_of = scene.family.result
    u, w = draws[at + 1], draws[at + 2]
    first = int(draws[at] * len(options))
    spare = None
    for k in range(first - len(options), first):
        clause, wordings, goto = options[k]
        step = clause.draw(value, n, u, w)
        if step is None:
            continue
        result = result_of(step, value)
        if result is None:
            continue
        if clause is not last:
            return clause, wordings, goto, step, result
        spare = clause, wordings, goto, step, result
    if spare is None:
        raise ValueError(f"no clause of {scene.family.name} fits {value} in state {state}")
    return spare


def generate(family: str, steps: int, rng: np.random.Generator) -> Problem:
    """Return a random problem.

    Args:
        family: One of ``FAMILIES``.
        steps: Number of steps, 1 to ``MAX_STEPS``.
        rng: The source of all randomness; equal generators give equal problems.

    Raises:
        ValueError: If ``family`` is unknown or ``steps`` is out of range.
    """
    if not 1 <= steps <= MAX_STEPS:
        raise ValueError(f"steps must be in 1..{MAX_STEPS}, got {steps!r}")
    choices = scenes(family)
    draws: list[float] = rng.random(_DRAWS_AT_START + _DRAWS_PER_STEP * steps).tolist()
    scene = choices[int(draws[0] * len(choices))]
    start, n, numbers = scene.family.start.draw(draws[1], draws[2])
    parts = [scene.openings[int(draws[3] * len(scene.openings))] % numbers]
    taken: list[Step] = []
    values: list[Exact] = []
    value, state = start, 0
    last: Clause | None = None
    for at in range(_DRAWS_AT_START, len(draws), _DRAWS_PER_STEP):
        last, wordings, state, step, value = _choose(scene, state, last, value, n, draws, at)
        n += last.growth
        taken.append(step)
        values.append(value)
        form, arguments = wordings[int(draws[at + 3] * len(wordings))]
        parts.append(form % arguments(step))
    asked = scene.questions[state]
    parts.append(asked[int(draws[4] * len(asked))])
    text = " ".join(parts)
    if scene.person:
        text = text.replace(scene.person, scene.names[int(draws[5] * len(scene.names))])
    return Problem(text, family, start, tuple(taken), tuple(values))
