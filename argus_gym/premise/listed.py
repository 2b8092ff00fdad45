"""Kind ``parts_total``, in lists: ``20 balls: 8 red, 7 blue and 9 green``."""

import re
from collections.abc import Iterator
from math import prod

from argus_gym.premise.claims import MAX_CLAIMS, Claim, asserted
from argus_gym.premise.reading import Reading
from argus_gym.premise.words import MEASURES, singular, wordset

__all__ = ["CUES", "listed_parts"]

CUES = wordset(": consisting made composed total making makes giving all altogether of")
"""No such list is made without one of these words."""

_WORD = r"(?:(?!and )[a-z'-]+ )"
_PART = rf"# {_WORD}{{1,4}}"
_PARTS = rf"(?P<parts>{_PART}(?:(?:, (?:and )?|and ){_PART}){{1,9}})"
_TOTAL_FIRST = re.compile(
    rf" (?P<total>#) {_WORD}{{1,8}}(?:: |(?:, )?(?:consisting of|made up of|composed of) ){_PARTS}"
    rf"(?=[.;?!)])"
)
_OPENS = frozenset((":", "consisting", "made", "composed"))
_TOTAL_LAST = re.compile(
    rf" {_PARTS}(?:[,;(] )?(?:and )?"
    r"(?:for a (?:grand )?total of|(?:making|giving|which makes|that makes)(?: up)?"
    r"(?: a (?:grand )?total of)?) (?P<total>#) "
)
_CLOSES = frozenset(("total", "making", "makes", "giving"))
_TOTAL_IN_ALL = re.compile(
    rf" {_PARTS}[,;(] (?:or )?(?P<total>#) {_WORD}{{0,3}}?(?:altogether|in all|in total|total) "
)
_IN_ALL = frozenset(("total", "all", "altogether"))
_LISTS = ((_OPENS, _TOTAL_FIRST), (_CLOSES, _TOTAL_LAST), (_IN_ALL, _TOTAL_IN_ALL))
_OUT_OF = re.compile(r" # (?:out )?of (?:the|his|her|their|its|these|those|my|our) # ")
_LOOSE = wordset(
    "each per every of than times more less fewer cost costs at day week month year hour"
)


def listed_parts(reading: Reading, present: set[str]) -> Iterator[Claim]:
    """Yield the lists that do not add up to their total and the subsets above their whole.

    Args:
        reading: The problem.
        present: The words that occur in it.
    """
    if "of" in present:
        yield from _subsets(reading)
    for cues, pattern in _LISTS:
        if cues.isdisjoint(present):
            continue
        for _, match in zip(range(MAX_CLAIMS), pattern.finditer(reading.shape)):
            total = reading.index(match.start("total"))
            begin = reading.index(match.start("parts"))
            end = begin + match.group("parts").strip().count(" ")
            yield from _compared(reading, total, begin, end)


def _compared(reading: Reading, at: int, begin: int, end: int) -> Iterator[Claim]:
    total = reading.values[at]
    parts = [reading.values[i] for i in range(begin, end + 1) if i in reading.values]
    if not _LOOSE.isdisjoint(reading.words[begin : end + 1]):
        return
    if len(parts) == total or not _comparable(reading, at, begin, end):
        return
    # "6 rows and 4 columns, making 24 seats"
    multiplied = at > end and prod(parts) == total
    if sum(parts) != total and not multiplied and asserted(reading, min(at, begin)):
        reason = f"the parts add up to {sum(parts)}, not {total}"
        yield Claim("parts_total", min(at, begin), max(at, end), reason)


def _comparable(reading: Reading, at: int, begin: int, end: int) -> bool:
    """Whether parts and total are counts of things: ``3 things: 2 cups of flour ...`` are not."""
    words = reading.words
    units = {singular(w) for w in words[begin : end + 1]} & MEASURES
    return units <= {singular(w) for w in words[at + 1 : at + 4]}


def _subsets(reading: Reading) -> Iterator[Claim]:
    """``25 of the 20 students``."""
    for _, match in zip(range(MAX_CLAIMS), _OUT_OF.finditer(reading.shape)):
        first = reading.index(match.start() + 1)
        last = first + match.group().strip().count(" ")
        part, whole = reading.values[first], reading.values[last]
        thing = singular(reading.words[last + 1]) if last + 1 < len(reading.words) else ""
        if part > whole and thing and thing not in MEASURES and asserted(reading, first):
            yield Claim("parts_total", first, last, f"{part} is more than {whole}")
