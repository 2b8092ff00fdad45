"""Kind ``parts_total``, in lists: ``20 balls: 8 red, 7 blue and 9 green``."""

import re
from collections.abc import Iterator
from math import prod

from argus_gym.premise.claims import MAX_CLAIMS, Claim, asserted
from argus_gym.premise.numerals import Value
from argus_gym.premise.reading import Reading

__all__ = ["CUES", "listed_parts"]

CUES = frozenset((":", "consisting", "made", "composed", "of", "total", "all", "altogether"))
"""No such list is made without one of these words."""

_WORD = r"(?:(?!and )[a-z'-]+ )"
_PART = rf"# {_WORD}{{1,4}}"
_PARTS = rf"(?P<parts>{_PART}(?:(?:, (?:and )?|and ){_PART}){{1,9}})"
_LEADS = (
    re.compile(
        rf" # {_WORD}{{1,8}}(?:: |(?:, )?(?:consisting of|made up of|composed of) ){_PARTS}"
        rf"(?=[.;?!)])"
    ),
)
_ENDS = (
    re.compile(
        rf" {_PARTS}(?:[,;(] )?(?:and )?(?:for|making|which makes|giving|that makes)(?: up)? "
        rf"(?:a (?:grand )?total of )?(?P<total>#) (?:{_WORD}{{0,3}}?)(?P<mark>[a-z.,;?!)]+) "
    ),
    re.compile(
        rf" {_PARTS}(?:[,;(] )(?:or )?(?P<total>#) {_WORD}{{0,3}}?"
        rf"(?P<mark>altogether|in all|in total|all together|total) "
    ),
)
_OUT_OF = re.compile(r" # (?:out )?of (?:the|his|her|their|its|these|those|my|our) # ")
_LOOSE = frozenset(
    "each per every of than times more less fewer cost costs at day week month year hour".split()
)


def listed_parts(reading: Reading) -> Iterator[Claim]:
    """Yield the lists that do not add up to their total and the subsets above their whole."""
    yield from _subsets(reading)
    for pattern in _LEADS:
        for _, match in zip(range(MAX_CLAIMS), pattern.finditer(reading.shape)):
            first = reading.index(match.start() + 1)
            last = first + match.group().strip().count(" ")
            yield from _compared(reading, match, reading.values[first], first, last)
    for pattern in _ENDS:
        for _, match in zip(range(MAX_CLAIMS), pattern.finditer(reading.shape)):
            first = reading.index(match.start() + 1)
            total = reading.index(match.start("total"))
            yield from _compared(reading, match, reading.values[total], first, total)


def _compared(
    reading: Reading, match: re.Match[str], total: Value, first: int, last: int
) -> Iterator[Claim]:
    begin = reading.index(match.start("parts"))
    end = begin + match.group("parts").strip().count(" ")
    parts = [reading.values[i] for i in range(begin, end + 1) if i in reading.values]
    if not _LOOSE.isdisjoint(reading.words[begin : end + 1]):
        return
    if sum(parts) != total and prod(parts) != total and asserted(reading, first):
        reason = f"the parts add up to {sum(parts)}, not {total}"
        yield Claim("parts_total", first, last, reason)


def _subsets(reading: Reading) -> Iterator[Claim]:
    """``25 of the 20 students``."""
    for _, match in zip(range(MAX_CLAIMS), _OUT_OF.finditer(reading.shape)):
        first = reading.index(match.start() + 1)
        last = first + match.group().strip().count(" ")
        part, whole = reading.values[first], reading.values[last]
        if part > whole and asserted(reading, first):
            yield Claim("parts_total", first, last, f"{part} is more than {whole}")
