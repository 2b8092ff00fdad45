"""Chains as numbers: R sets of k chains at once, how far they agree, and how likely they are.

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
    "Agreement",
    "Chances",
    "Paths",
    "agree",
    "answer_ids",
    "chances",
    "largest",
    "path_ids",
    "paths",
    "right_chances",
]

LARGEST = np.float32(65535)
_FOUR = np.uint64(0x0001_0001_0001_0001)
_ONES, _TOP = np.uint32(0x0101_0101), np.uint32(24)
_PREFIX = (8 ** np.arange(MAX_STEPS - 1, -1, -1)).astype(np.uint32)[:, None]
_SPREAD, _KEEP, _BUCKETS = np.uint32(0x9E3779B1), np.uint32(27), 32
_FIRST = np.uint32(8 ** (MAX_STEPS - 1))
DIGITS = 3 * np.arange(MAX_STEPS - 1, -1, -1, dtype=np.uint32)[:, None]
_INVERSE = np.array([pow(i, -1, 256) if i % 2 else 0 for i in range(256)], np.uint8)
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


def right_chances(posed: Posed, skill: np.ndarray) -> np.ndarray:
    """Return the chance of each step of the problems, shape ``(8, R)``."""
    right: np.ndarray = 1.0 / (1.0 + np.exp(posed.magnitudes - skill.astype(np.float32)))
    return right


def chances(posed: Posed, skill: np.ndarray, bias: np.ndarray) -> Chances:
    """Return what the problems look like to learners of this skill and bias, shape ``(R,)``."""
    right = right_chances(posed, skill)
    # In units of the largest draw; the cast rounds down.
    slip = (1.0 - right) * ((1.0 - bias.astype(np.float32)) * np.float32(LARGEST / len(SLIPS)))
    limits = np.empty((7, *right.shape), np.float32)
    np.multiply(right, LARGEST, out=limits[0])
    np.subtract(LARGEST, 6 * slip, out=limits[1])
    for i in range(2, 7):
        np.add(limits[i - 1], slip, out=limits[i])
    cut = limits.astype(np.uint16)
    digits = (posed.mode > cut).view(np.uint8).sum(0, dtype=np.uint8)
    return Chances(right, cut, (digits.astype(np.uint32) << DIGITS).sum(0, dtype=np.uint32))


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
    limits = (seen.limits.astype(np.uint64) * _FOUR).view(np.uint16)
    wide = u[:8]
    digits = (wide > limits[0][:, None]).view(np.uint8)
    for limit in limits[1:]:
        digits += wide > limit[:, None]
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
    cut = np.stack((share, OTHER_WAY * share)) * LARGEST
    cut = (cut.astype(np.uint64) * _FOUR).view(np.uint16)
    other = ((own <= cut[1]) & (codes == 0)).view(np.uint8).sum(0, dtype=np.uint8)
    codes = np.where(own <= cut[0], codes, np.repeat(seen.mode, 4))
    flat = np.ascontiguousarray(codes.reshape(blocks, rows, 4).transpose(1, 0, 2))
    codes = flat.reshape(rows, 4 * blocks)[:, :k]
    struck = np.flatnonzero(false)
    strays, sums = _confabulated(u, struck, diversity, k) if struck.size else _NONE
    return Paths(
        codes, (other.view(np.uint32) * _ONES >> _TOP).astype(np.int64), struck, strays, sums
    )


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


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """How far R chain sets agree; every array has shape ``(R,)``.

    Attributes:
        outcome: Share of chains with the modal answer.
        process: Agreement of the results on the way.
        variety: Different processes divided by k.
        answer: Number of the modal answer; ties are broken at random.
        best: Path of the first chain with the modal answer.
    """

    outcome: np.ndarray
    process: np.ndarray
    variety: np.ndarray
    answer: np.ndarray
    best: np.ndarray


def agree(drawn: Paths, posed: Posed, salt: np.ndarray) -> Agreement:
    """Return the agreement of R chain sets, as :func:`argus_gym.consensus.score` would.

    Args:
        drawn: The chains.
        posed: The problems.
        salt: Words that break ties, shape ``(R,)``.
    """
    ids = answer_ids(drawn)
    outcome, answer = _mode(ids, salt)
    k = ids.shape[1]
    best = np.take_along_axis(
        drawn.codes, (ids == answer[:, None]).argmax(1)[:, None].astype(np.int64), 1
    )[:, 0]
    process, variety = _process(drawn, posed)
    return Agreement(outcome / k, process, variety, answer, best)


def _mode(ids: np.ndarray, salt: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the size of the largest group of equal numbers in each row, and its number.

    Ties go to the number that comes out highest when all are multiplied by an odd byte and flipped
    by another one, which can be turned back.
    """
    lined, runs = _runs(ids)
    odd = (salt >> np.uint64(56)).astype(np.uint8) | np.uint8(1)
    flip = (salt >> np.uint64(48)).astype(np.uint8)
    luck = lined * odd
    luck ^= flip
    rank = runs.astype(np.uint16) << np.uint16(8)
    rank |= luck
    top = rank.max(0)
    return top >> np.uint16(8), (top.astype(np.uint8) ^ flip) * _INVERSE[odd]


def largest(ids: np.ndarray) -> np.ndarray:
    """Return the size of the largest group of equal numbers in each row of ``(R, k)``."""
    size: np.ndarray = _runs(ids)[1].max(0)
    return size


def _runs(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return sorted columns, and each entry's place among its equals, shape ``(k, R)``."""
    lined = np.ascontiguousarray(np.sort(ids, axis=1).T)
    same = (lined[1:] == lined[:-1]).view(np.uint8)
    runs = np.ones(lined.shape, np.uint8)
    for i in range(1, len(lined)):
        np.multiply(runs[i - 1], same[i - 1], out=runs[i])
        runs[i] += 1
    return lined, runs


def _process(drawn: Paths, posed: Posed) -> tuple[np.ndarray, np.ndarray]:
    """Return the process agreement and the variety of each chain set."""
    rows, k = drawn.codes.shape
    lined = np.ascontiguousarray(np.sort(drawn.codes, axis=1).T)
    same = ((lined[1:] ^ lined[:-1])[:, None] < _PREFIX).view(np.uint8)
    wrong = (lined[:, None] >= _PREFIX).view(np.uint8)
    run = wrong[0].copy()
    largest = run.copy()
    for i in range(1, k):
        run *= same[i - 1]
        run += wrong[i]
        np.maximum(largest, run, out=largest)
    right = k - wrong.sum(0, dtype=np.uint8)
    kinds = k - same.sum(0, dtype=np.uint8)
    across = np.arange(rows)
    last = posed.steps - 2
    other = np.where((posed.swap >= 0) & (posed.swap <= last), drawn.other, 0).astype(np.uint8)
    split = right.copy()
    split[posed.swap, across] -= other
    modal = np.maximum(largest, split)
    at = modal[posed.swap, across]
    modal[posed.swap, across] = np.maximum(at, other)
    inner = np.arange(MAX_STEPS)[:, None] <= last
    total = (modal * inner).sum(0, dtype=np.int64)
    process = np.where(last >= 0, total / (k * np.maximum(last + 1, 1)), 1.0)
    two_ways = (other > 0) & (other < right[last, across])
    variety = np.where(last >= 0, kinds[last, across] + two_ways, 1) / k
    if drawn.false.size:
        process[drawn.false], variety[drawn.false] = _split(drawn.sums)
    return process, variety


def _split(sums: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the process agreement of confabulated chains, whose ways all differ."""
    lined = np.sort(sums, axis=2)
    run = np.ones(lined.shape[:2])
    largest = run.copy()
    for i in range(1, lined.shape[2]):
        run = np.where(lined[..., i] == lined[..., i - 1], run + 1, 1.0)
        np.maximum(largest, run, out=largest)
    return largest.mean(0) / lined.shape[2], 1.0
