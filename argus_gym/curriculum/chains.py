"""Chains as numbers: R sets of k chains at once.

A chain is its path: one octal digit a step, most significant first, 0 where the step is right, 1
where it is the shared misconception, 2 to 7 for the slips. Two chains that went the same way so
far state the same numbers so far. Different wrong ways end in the same answer with chance 1/32,
which is how often they do on generated problems (0.03).
"""

from dataclasses import dataclass

import numpy as np

from argus_gym.agents.simulated import OTHER_WAY, SLIPS
from argus_gym.curriculum import draws
from argus_gym.curriculum.posed import CHAIN_WORDS, Posed
from argus_gym.problems import MAX_STEPS

__all__ = [
    "Chances",
    "Paths",
    "answer_ids",
    "chances",
    "limits",
    "mode_paths",
    "path_ids",
    "paths",
    "right_chances",
]

LARGEST = np.float32(65535)
_FOUR = np.uint64(0x0001_0001_0001_0001)
_ONES, _TOP = np.uint32(0x0101_0101), np.uint32(24)
_SPREAD, _KEEP = np.uint32(0x9E3779B1), np.uint32(27)
DIGITS = 3 * np.arange(MAX_STEPS - 1, -1, -1, dtype=np.uint32)[:, None]
_CONFABULATED_SHARE = 0.1
_SUMS = np.uint32(398)


@dataclass(frozen=True, slots=True, eq=False)
class Chances:
    """What R problems look like to the learner.

    Attributes:
        right: Chance of each step, shape ``(8, R)``; 1 beyond the last one.
        limits: Cumulated chances of right, misconception and the first five slips, as the 16-bit
            draw they correspond to, shape ``(7, 8, R)``: a draw above passes.
        mode: Path of the model's mode, shape ``(R,)``.
    """

    right: np.ndarray
    limits: np.ndarray
    mode: np.ndarray


def right_chances(magnitudes: np.ndarray, skill: np.ndarray) -> np.ndarray:
    """Return the chance of each step of problems of these magnitudes, shape ``(8, R)``."""
    right: np.ndarray = 1.0 / (1.0 + np.exp(magnitudes - skill.astype(np.float32)))
    return right


def chances(posed: Posed, skill: np.ndarray, bias: np.ndarray) -> Chances:
    """Return what the problems look like to learners of this skill and bias, shape ``(R,)``."""
    right = right_chances(posed.magnitudes, skill)
    cut = limits(right, bias)
    return Chances(right, cut, mode_paths(posed.mode, cut))


def limits(right: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Return :attr:`Chances.limits` for chances of right steps, shape ``(8, R)``."""
    # In units of the largest draw; the cast rounds down.
    slip = (1.0 - right) * ((1.0 - bias.astype(np.float32)) * np.float32(LARGEST / len(SLIPS)))
    above = np.empty((7, *right.shape), np.float32)
    np.multiply(right, LARGEST, out=above[0])
    np.subtract(LARGEST, 6 * slip, out=above[1])
    for i in range(2, 7):
        np.add(above[i - 1], slip, out=above[i])
    return above.astype(np.uint16)


def mode_paths(drawn: np.ndarray, cut: np.ndarray) -> np.ndarray:
    """Return the paths of R modes from their draws, shape ``(8, R)``, and :func:`limits`."""
    digits = (drawn > cut).view(np.uint8).sum(0, dtype=np.uint8)
    codes: np.ndarray = (digits.astype(np.uint32) << DIGITS).sum(0, dtype=np.uint32)
    return codes


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """R sets of k chains.

    Attributes:
        codes: Path of each chain, ``uint32``, shape ``(R, k)``.
        other: Right chains that took another order of the steps, shape ``(R,)``.
        false: The rows with a false premise, shape ``(m,)``.
        strays: Which of their chains do not give the agreed answer, shape ``(m, k)``.
        sums: Their results on the way, shape ``(3, m, k)``.
    """

    codes: np.ndarray
    other: np.ndarray
    false: np.ndarray
    strays: np.ndarray
    sums: np.ndarray


def paths(
    key: np.ndarray,
    at: np.ndarray,
    seen: Chances,
    diversity: np.ndarray,
    false: np.ndarray,
    k: int,
) -> Paths:
    """Draw k chains for each of R problems.

    Args:
        key: Keys of the runs, shape ``(R,)``.
        at: Addresses of the draws, shape ``(R,)``.
        seen: What the problems look like.
        diversity: Chance that a chain goes its own way, shape ``(R,)``; above 1 is 1.
        false: Whether the premise is false, shape ``(R,)``.
        k: Chains a problem, in [1, 64].
    """
    rows, blocks = len(key), -(-k // 4)
    w = draws.words(key, at + np.uint64(CHAIN_WORDS), 9 * blocks)
    u = w.view(np.uint16).reshape(9, blocks, 4 * rows)
    digits = _digits(u[:8], seen.limits)
    twos = digits[0::2] * np.uint8(8)
    twos += digits[1::2]
    fours = twos[0::2].astype(np.uint16) * np.uint16(64)
    fours += twos[1::2]
    codes = fours[0].astype(np.uint32) * np.uint32(4096)
    codes += fours[1]
    own = u[8]
    if 4 * blocks > k:
        own.reshape(blocks, rows, 4)[-1, :, k % 4 :] = 65535
    share = np.minimum(diversity, 1.0)
    alone, turned = (_lanes((part * share * LARGEST).astype(np.uint16)) for part in (1, OTHER_WAY))
    other = ((own <= turned) & (codes == 0)).view(np.uint8).sum(0, dtype=np.uint8)
    codes = np.where(own <= alone, codes, np.repeat(seen.mode, 4))
    # Four codes lie side by side and move as one.
    fours_of_codes = codes.view("V16").reshape(blocks, rows)
    codes = np.ascontiguousarray(fours_of_codes.T).view(np.uint32)[:, :k]
    struck = np.flatnonzero(false)
    strays, sums = _confabulated(u, struck, diversity, k) if struck.size else _NONE
    return Paths(
        codes, (other.view(np.uint32) * _ONES >> _TOP).astype(np.int64), struck, strays, sums
    )


def _lanes(limits: np.ndarray) -> np.ndarray:
    """Return 16-bit limits four times side by side, as the draws of four chains are."""
    return (limits * _FOUR).view(np.uint16)


def _digits(drawn: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Return how many of its limits each draw passes, ``uint8``, shape ``(8, blocks, 4 R)``."""
    digits = np.zeros(drawn.shape, np.uint8)
    passed = np.empty(drawn.shape, bool)
    for limit in limits:
        np.greater(drawn, _lanes(limit)[:, None], out=passed)
        digits += passed.view(np.uint8)
    return digits


_NONE = (np.zeros((0, 0), bool), np.zeros((0, 0, 0), np.uint32))


def _confabulated(
    u: np.ndarray, rows: np.ndarray, diversity: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the stray chains, shape ``(m, k)``, and three sums on the way, ``(3, m, k)``."""
    lanes = u.reshape(9, u.shape[1], -1, 4)[:, :, rows].transpose(0, 2, 1, 3)
    lanes = lanes.reshape(9, len(rows), -1)[:, :, :k].astype(np.uint32)
    strays = lanes[8] < _CONFABULATED_SHARE * diversity[rows, None] * 65536.0
    numbers = 2 + (lanes[:4] * _SUMS >> np.uint32(16))
    return strays, numbers[:3] + numbers[1:]


def answer_ids(drawn: Paths) -> np.ndarray:
    """Return a number for each chain's answer, ``uint8``, shape ``(R, k)``; 0 is right.

    Where the premise is false, 1 is the agreed answer and every stray chain has its own.
    """
    ids = path_ids(drawn.codes)
    if drawn.false.size:
        k = ids.shape[1]
        alone = np.arange(2, k + 2, dtype=np.uint8)
        ids[drawn.false] = np.where(drawn.strays, alone, np.uint8(1))
    return ids


def path_ids(codes: np.ndarray) -> np.ndarray:
    """Return a number for each path's answer; 0 is right."""
    hashed = (codes * _SPREAD >> _KEEP).astype(np.uint8)
    hashed += 1
    hashed *= codes != 0
    return hashed
