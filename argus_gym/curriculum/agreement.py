"""How far R sets of k chains agree, counted for all at once."""

from dataclasses import dataclass

import numpy as np

from argus_gym.curriculum.chains import Paths, answer_ids
from argus_gym.curriculum.posed import Posed
from argus_gym.problems import MAX_STEPS

__all__ = ["Agreement", "agree", "largest"]

_INNER = np.arange(MAX_STEPS - 1)[:, None]
_SIZES = (127 + 3 * np.arange(MAX_STEPS - 1, 0, -1)).astype(np.uint8)[:, None]
_COMPARED = 1 << 18
"""Comparisons at a time: more of them leave the processor's cache."""

_INVERSE = np.array([pow(i, -1, 256) if i % 2 else 0 for i in range(256)], np.uint8)


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
    rows, k = ids.shape
    best = drawn.codes[np.arange(rows), (ids == answer[:, None]).argmax(1)]
    process, variety = _process(drawn, posed)
    return Agreement(outcome / k, process, variety, answer, best)


def _mode(ids: np.ndarray, salt: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the size of the largest group of equal numbers in each row, and its number.

    Ties go to the number that comes out highest when all are multiplied by an odd byte and flipped
    by another one, which can be turned back.
    """
    columns = np.ascontiguousarray(ids.T)
    odd = (salt >> np.uint64(56)).astype(np.uint8) | np.uint8(1)
    flip = (salt >> np.uint64(48)).astype(np.uint8)
    luck = columns * odd
    luck ^= flip
    rank = _equals(columns).astype(np.uint16) << np.uint16(8)
    rank |= luck
    top = rank.max(0)
    return top >> np.uint16(8), (top.astype(np.uint8) ^ flip) * _INVERSE[odd]


def largest(ids: np.ndarray) -> np.ndarray:
    """Return the size of the largest group of equal numbers in each row of ``(R, k)``."""
    size: np.ndarray = _equals(np.ascontiguousarray(ids.T)).max(0)
    return size


def _equals(columns: np.ndarray) -> np.ndarray:
    """Return how many entries of its column equal each one, ``uint8``, shape ``(k, R)``.

    Comparing all with all is faster than sorting up to the largest k there is.
    """
    number = np.zeros(columns.shape, np.uint8)
    rows = max(1, _COMPARED // max(columns.size, 1))
    for start in range(0, len(columns), rows):
        same = columns[start : start + rows, None] == columns
        number += same.view(np.uint8).sum(0, dtype=np.uint8)
    return number


def _process(drawn: Paths, posed: Posed) -> tuple[np.ndarray, np.ndarray]:
    """Return the process agreement and the variety of each chain set."""
    rows, k = drawn.codes.shape
    lined = np.ascontiguousarray(np.sort(drawn.codes, axis=1).T)
    # The exponent of a path as a float tells its first wrong step, that of two paths' difference
    # the first step where they part; paths have 24 bits, as many as a float holds exactly.
    both = np.concatenate((lined, lined[1:] ^ lined[:-1])).astype(np.float32)
    size = (both.view(np.uint32) >> np.uint32(23)).astype(np.uint8)[:, None]
    wrong = (size[:k] >= _SIZES).view(np.uint8)
    same = (size[k:] < _SIZES).view(np.uint8)
    run = wrong[0].copy()
    largest = run.copy()
    for i in range(1, k):
        run *= same[i - 1]
        run += wrong[i]
        np.maximum(largest, run, out=largest)
    right = k - wrong.sum(0, dtype=np.uint8)
    kinds = k - same.sum(0, dtype=np.uint8)
    last = posed.steps - 2
    modal = np.maximum(largest, right)
    ways = kinds[last, np.arange(rows)]
    turned = np.flatnonzero((drawn.other > 0) & (posed.swap >= 0) & (posed.swap <= last))
    other = drawn.other[turned].astype(np.uint8)
    there = (posed.swap[turned], turned)
    modal[there] = np.maximum(np.maximum(largest[there], right[there] - other), other)
    ways[turned] += other < right[last[turned], turned]
    modal *= last >= _INNER
    total = modal.sum(0, dtype=np.int64)
    process = np.where(last >= 0, total / (k * np.maximum(last + 1, 1)), 1.0)
    variety = np.where(last >= 0, ways, 1) / k
    if drawn.false.size:
        process[drawn.false], variety[drawn.false] = _split(drawn.sums)
    return process, variety


def _split(sums: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the process agreement of confabulated chains, whose ways all differ."""
    parts, m, k = sums.shape
    return largest(sums.reshape(-1, k)).reshape(parts, m).mean(0) / k, 1.0
