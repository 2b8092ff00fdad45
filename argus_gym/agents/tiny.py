"""argus-tiny: the small language model that comes with the package."""

from pathlib import Path
from zlib import crc32

from argus_gym.problems import Problem, solution

__all__ = ["TINY", "held_out"]

TINY = Path(__file__).with_name("argus_tiny")
"""The folder with its weights, tokenizer and model card, for ``from_pretrained``."""

_PARTS = 16


def held_out(problem: Problem) -> bool:
    """Return whether a problem was kept out of the training of argus-tiny.

    One in 16 worked solutions of each family is, told by its CRC-32: no problem with that solution
    was trained on or shown as an example, whatever its wording.
    """
    return crc32(f"{problem.family}\n{solution(problem)}".encode()) % _PARTS == 0
