"""Problems as numbers: what a chain's fate depends on, without the words."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from argus_gym import problems
from argus_gym.agents.simulated import _line_words
from argus_gym.curriculum import draws
from argus_gym.problems import FAMILIES, MAX_STEPS

__all__ = ["CHAIN_WORDS", "CONFABULATED_TOKENS", "HOTTER", "PAST_CAPACITY", "Posed", "pose"]

BANK = 64
CHAIN_WORDS = 8
"""Where the words of a problem's chains begin; the first ones are the problem's own."""

CONFABULATED_TOKENS = 17
HOTTER = 1.3
"""What a raised temperature multiplies diversity by."""

PAST_CAPACITY = 512
"""Earlier problems that can be retested: the latest ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Posed:
    """R problems.

    Attributes:
        family: Index of the family, shape ``(R,)``.
        steps: Number of steps, shape ``(R,)``, in [1, 8].
        magnitudes: Difficulty of each step in logits, shape ``(8, R)``; minus infinity beyond the
            last one.
        mode: The draws that every chain of the model's mode shares, ``uint16``, shape ``(8, R)``.
        swap: The step whose result another order of the steps changes; -1 where there is no other
            order that leads to the answer, shape ``(R,)``.
        tokens: Length of a worked solution, shape ``(R,)``.
        luck: A uniform number in [0, 1) for the premise, shape ``(R,)``.
    """

    family: np.ndarray
    steps: np.ndarray
    magnitudes: np.ndarray
    mode: np.ndarray
    swap: np.ndarray
    tokens: np.ndarray
    luck: np.ndarray

    def take(self, rows: np.ndarray) -> "Posed":
        """Return some of the problems."""
        return Posed(*(getattr(self, name)[..., rows] for name in self.__slots__))


def pose(
    key: np.ndarray, at: np.ndarray, family: np.ndarray, steps: np.ndarray, spread: float
) -> Posed:
    """Draw R problems.

    The sizes of the numbers on the way, the length and whether the steps can be swapped are those
    of a generated problem of the same family and length, one of 64. Its own difficulty is normal,
    as for :class:`~argus_gym.agents.SimulatedAgent`.

    Args:
        key: Keys of the runs, shape ``(R,)``.
        at: Addresses of the problems, shape ``(R,)``.
        family: Index of the family, shape ``(R,)``; beyond the real ones they repeat.
        steps: Number of steps, shape ``(R,)``, in [1, 8].
        spread: Standard deviation of a problem's own difficulty, in logits.
    """
    w = draws.words(key, at, 5)
    sizes, swap, tokens = _skeletons()
    last = w[4]
    cell = (family % len(FAMILIES) * MAX_STEPS + steps - 1) * BANK + (last >> np.uint64(58)).astype(
        np.int64
    )
    own = spread * draws.normals(w[2], w[3])
    mode = np.ascontiguousarray(w[:2].T).view(np.uint16).T
    # Rows of problems lie side by side, as everything that is computed from them.
    magnitudes = np.empty((MAX_STEPS, len(cell)), np.float32)
    np.add(sizes.take(cell, 0).T, own, out=magnitudes, casting="same_kind")
    return Posed(
        family=family,
        steps=steps,
        magnitudes=magnitudes,
        mode=np.ascontiguousarray(mode),
        swap=swap[cell],
        tokens=tokens[cell],
        luck=(last & np.uint64(0xFFFFFFFF)) * 2.0**-32,
    )


@lru_cache(maxsize=1)
def _skeletons() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return sizes, swap and tokens of 64 generated problems of each family and length."""
    rng = np.random.default_rng(np.random.SeedSequence((7, 0x43)))
    count = len(FAMILIES) * MAX_STEPS * BANK
    sizes = np.full((count, MAX_STEPS), -np.inf)
    swap = np.full(count, -1, np.int64)
    tokens = np.zeros(count, np.int64)
    for at in range(count):
        cell = at // BANK
        steps = cell % MAX_STEPS + 1
        problem = problems.generate(FAMILIES[cell // MAX_STEPS], steps, rng)
        sizes[at, :steps] = [
            0.4 * (np.log10(1 + abs(float(value))) - 1.5) for value in problem.values
        ]
        other = problem.alternative()
        if other is not None:
            swap[at] = next(i for i in range(steps) if other[i] != problem.steps[i])
        tokens[at] = 2 + sum(_line_words(step.op) for step in problem.steps)
    return sizes, swap, tokens
