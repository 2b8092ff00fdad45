"""What a reader of claims returns, and who asserts what."""

from typing import NamedTuple

from argus_gym.premise.reading import Reading
from argus_gym.premise.words import wordset

__all__ = ["MAX_CLAIMS", "Claim", "asserted", "sentence"]

MAX_CLAIMS = 64
"""Each reader checks at most this many claims of a problem."""
_REACH = 60
_ENDS = frozenset((".", "?", "!"))
_ASKS = wordset("is are was were do does did can could will would has have whether")
_REPORTED = wordset(
    "thinks thought believes believed claims claimed guesses guessed insists insisted wrong "
    "wrongly incorrect incorrectly mistake mistakenly mistaken whether false untrue"
)


class Claim(NamedTuple):
    """A claim that is false: its kind, its first and last entry, and why it is false."""

    kind: str
    first: int
    last: int
    reason: str


def sentence(words: list[str], at: int) -> tuple[int, int]:
    """Return the bounds of the sentence around entry ``at``, at most 60 entries to either side."""
    first, last, n = at, at, len(words)
    while first > 0 and at - first < _REACH and words[first - 1] not in _ENDS:
        first -= 1
    while last < n and last - at < _REACH and words[last] not in _ENDS:
        last += 1
    return first, last


def asserted(reading: Reading, at: int) -> bool:
    """Whether the text itself claims what entry ``at`` says.

    A yes-or-no question claims nothing, and neither does what is said to be somebody's belief or a
    mistake. "How many ... after -30 minutes?" claims that there are such.
    """
    words = reading.words
    first, last = sentence(words, at)
    if last < len(words) and words[last] == "?" and words[first] in _ASKS:
        return False
    return _REPORTED.isdisjoint(words[first:at])
