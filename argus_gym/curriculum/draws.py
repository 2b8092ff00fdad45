"""Random numbers by address: every draw is a function of a run's key and a place.

A generator hands out numbers in the order they are asked for, and a batch asks in another order
than the copies it is made of. SplitMix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom
number generators") reaches its i-th output directly, for all copies at once.
"""

from enum import IntEnum

import numpy as np

__all__ = ["Stream", "copy_seeds", "keys", "normals", "place", "uniforms", "words"]

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_STEPS = (np.arange(4096, dtype=np.uint64) * _GAMMA)[:, None]
_MULTIPLY = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))
_ITEM, _ROUND, _STREAM = np.uint64(9), np.uint64(36), np.uint64(58)


class Stream(IntEnum):
    """What the numbers are for; streams never overlap."""

    LEARNER = 0
    ANCHOR = 1
    REPORT = 2
    PROPOSAL = 3
    PROBLEM = 4
    BEFORE = 5
    AFTER = 6
    ANCHORS_ASKED = 7
    PAST_ASKED = 8
    SPLIT = 9
    REPLAY = 10
    MORE = 11


def copy_seeds(seed: int, count: int) -> list[int]:
    """Return the seeds of ``count`` copies: well apart, also for neighbouring ``seed``."""
    return [
        int(np.random.SeedSequence((seed, i)).generate_state(1, np.uint64)[0]) for i in range(count)
    ]


def keys(generator: np.random.Generator, count: int) -> np.ndarray:
    """Draw ``count`` keys of runs, shape ``(count,)``, dtype ``uint64``."""
    return generator.integers(0, 2**64, count, np.uint64)


def place(stream: Stream, round_: np.ndarray | int, item: np.ndarray | int) -> np.ndarray:
    """Return the address of an item's first word; an item owns 512 words.

    Args:
        stream: What the numbers are for.
        round_: Round, in ``[0, 2**22)``.
        item: Number of the item, in ``[0, 2**27)``.
    """
    at: np.ndarray = (
        (np.asarray(stream, np.uint64) << _STREAM)
        + (np.asarray(round_, np.uint64) << _ROUND)
        + (np.asarray(item, np.uint64) << _ITEM)
    )
    return at


def words(key: np.ndarray, at: np.ndarray, count: int) -> np.ndarray:
    """Return ``count`` 64-bit words for each address, shape ``(count, R)``.

    Args:
        key: Keys of the runs, shape ``(R,)``.
        at: Addresses, shape ``(R,)``.
        count: Words, in [1, 4096].
    """
    z: np.ndarray = _STEPS[:count] + (key + at * _GAMMA)
    spare = np.empty_like(z)
    for shift, factor in zip(_SHIFTS, _MULTIPLY, strict=False):
        np.right_shift(z, shift, out=spare)
        z ^= spare
        z *= factor
    np.right_shift(z, _SHIFTS[2], out=spare)
    z ^= spare
    return z


def uniforms(word: np.ndarray) -> np.ndarray:
    """Return numbers in [0, 1) with 53 random bits."""
    u: np.ndarray = (word >> np.uint64(11)) * 2.0**-53
    return u


def normals(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return standard normal numbers from two words each (Box & Muller 1958)."""
    radius = np.sqrt(-2.0 * np.log1p(-uniforms(first)))
    z: np.ndarray = radius * np.cos(2.0 * np.pi * uniforms(second))
    return z
