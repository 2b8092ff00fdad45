"""The pools of a run, disjoint by construction: anchors, the final report, external examples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from argus_gym import problems
from argus_gym.records import Value
from argus_gym.spaces import MAX_PROBLEM_CHARS

__all__ = ["Pools", "draw_pools"]

ANCHORS, REPORT, EXTERNAL = 64, 100, 64
STEPS = 6


@dataclass(frozen=True)
class Pools:
    """Problems that come from outside the loop.

    Attributes:
        anchors: What the gate reads: problems with answers.
        report: What is reported at the end: problems with answers.
        external: Examples for the proposer.
    """

    anchors: tuple[tuple[str, Value], ...]
    report: tuple[tuple[str, Value], ...]
    external: tuple[str, ...]

    @cached_property
    def reserved(self) -> frozenset[str]:
        """Texts that are never trained on."""
        return frozenset(text for text, _ in (*self.anchors, *self.report))


def draw_pools(
    rng: np.random.Generator,
    anchors: Sequence[tuple[str, Value]] | None = None,
    external: Sequence[str] | None = None,
) -> Pools:
    """Draw the pools, evenly over families and over 1 to 6 steps, each text once.

    Args:
        rng: Draws the generated problems.
        anchors: Given anchors; nothing is known of their kind, so there is no report pool then.
        external: Given examples; those that are anchors are left out.

    Raises:
        ValueError: If a given problem is empty or too long.
    """
    fresh = _distinct(rng)
    own = [next(fresh) for _ in range(ANCHORS + REPORT)] if anchors is None else []
    given = tuple(dict(anchors or ()).items())
    texts = [next(fresh)[0] for _ in range(EXTERNAL)] if external is None else external
    known = {text for text, _ in given}
    for name, pool in (("anchors", known), ("external", texts)):
        for text in pool:
            if not text.strip() or len(text) > MAX_PROBLEM_CHARS:
                raise ValueError(
                    f"{name} must be problems of 1 to {MAX_PROBLEM_CHARS} characters, "
                    f"got one of {len(text)}"
                )
    return Pools(
        anchors=given if anchors is not None else tuple(own[:ANCHORS]),
        report=tuple(own[ANCHORS:]),
        external=tuple(text for text in texts if text not in known),
    )


def _distinct(rng: np.random.Generator) -> Iterator[tuple[str, Value]]:
    seen: set[str] = set()
    count = len(problems.FAMILIES)
    while True:
        for index in rng.permutation(count * STEPS).tolist():
            problem = problems.generate(problems.FAMILIES[index % count], 1 + index // count, rng)
            if problem.text not in seen:
                seen.add(problem.text)
                yield problem.text, problem.answer
