"""Numbers written in words: ``twenty-five``, ``two hundred and six``, ``three halves``."""

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

__all__ = [
    "CONTINUES",
    "MAX_DIGITS",
    "SCALES",
    "STARTS",
    "VULGAR",
    "Number",
    "Value",
    "parts",
    "worded",
]

Value = int | Fraction
MAX_DIGITS = 15
"""A number with more digits is unreadable, and a claim about it is not checked."""

VULGAR = {
    c: Fraction(n, d)
    for c, n, d in (
        ("½", 1, 2), ("⅓", 1, 3), ("⅔", 2, 3), ("¼", 1, 4), ("¾", 3, 4), ("⅕", 1, 5),
        ("⅖", 2, 5), ("⅗", 3, 5), ("⅘", 4, 5), ("⅙", 1, 6), ("⅚", 5, 6), ("⅛", 1, 8),
        ("⅜", 3, 8), ("⅝", 5, 8), ("⅞", 7, 8),
    )
}  # fmt: skip
SCALES = {"dozen": 12, "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9}
_UNITS = {
    word: i
    for i, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen".split()
    )
}
_TENS = {
    word: 10 * i
    for i, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)
}
_ORDINALS = {
    word: i
    for i, word in enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
        "thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth "
        "twentieth".split(),
        1,
    )
}
_PARTS = {
    "half": 2, "halves": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6,
    "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10,
}  # fmt: skip
_PARTS |= {word + "s": n for word, n in _PARTS.items() if n > 2}
_PRONOUN_AFTER = frozenset(("is", "was", "has", "another", "can", "will"))
_OF = frozenset(("of", "the", "his", "her", "their", "its"))
STARTS = frozenset(_UNITS) | frozenset(_TENS) | frozenset(_ORDINALS) | frozenset(SCALES)
STARTS |= {"half", "negative"}

CONTINUES = frozenset(_PARTS) | frozenset(SCALES) | {"percent", "per"}
"""The words that may go on with a number in figures."""


class Number(NamedTuple):
    """A number as read: its value where readable, its placeholder, the index after it."""

    value: Value | None
    mark: str
    after: int


def parts(raw: Sequence[str], i: int, value: Value) -> tuple[Value, int]:
    """Read ``halves``, ``-thirds``, ``quarters of`` after the number before ``raw[i]``."""
    hyphen = raw[i] == "-"
    j = i + hyphen
    if j < len(raw) and raw[j] in _PARTS:
        after = raw[j + 1] if j + 1 < len(raw) else ""
        if hyphen or after in _OF:
            return Fraction(value) / _PARTS[raw[j]], j + 1
    return value, i


def worded(raw: Sequence[str], i: int) -> Number:
    """Read the number in words that may begin at ``raw[i]``, which is one of :data:`STARTS`."""
    word, n = raw[i], len(raw)
    before, after = raw[i - 1] if i else "", raw[i + 1] if i + 1 < n else ""
    plain = Number(None, word, i + 1)
    if word == "negative":
        if after in _UNITS or after in _TENS:
            number = _cardinal(raw, i + 1)
            return number._replace(value=-number.value) if number.value else plain
        if after.isascii() and after.isdecimal() and len(after) <= MAX_DIGITS:
            return Number(-int(after), "#", i + 2)
        return plain
    if word in _ORDINALS:
        if before in ("a", "an") and after == "of" and word in _PARTS:
            return Number(Fraction(1, _PARTS[word]), "#", i + 1)
        # "second" and "third" are rarely ranks of a number; the only ranks read are of primes
        return Number(_ORDINALS[word], "@", i + 1) if "prime" in raw[i + 1 : i + 3] else plain
    if word in _TENS and after == "-" and raw[i + 2 : i + 3] and raw[i + 2] in _ORDINALS:
        return Number(_TENS[word] + _ORDINALS[raw[i + 2]], "@", i + 3)
    if word == "half":
        return Number(Fraction(1, 2), "#", i + 1) if after in _OF else plain
    if word in SCALES:
        if before not in ("a", "one"):
            return plain
        halved = i > 1 and raw[i - 2] == "half"
        return Number(SCALES[word] // (2 if halved else 1), "#", i + 1)
    if word == "one" and after in _PRONOUN_AFTER:
        return plain
    return _cardinal(raw, i)


def _cardinal(raw: Sequence[str], i: int) -> Number:
    total = part = 0
    first, n = i, len(raw)
    while i < n and i - first < 10:
        word, before = raw[i], raw[i - 1] if i > first else ""
        after = raw[i + 1] if i + 1 < n else ""
        if word in _UNITS and before not in _UNITS:
            part += _UNITS[word]
        elif word in _TENS and before not in _UNITS and before not in _TENS:
            part += _TENS[word]
        elif word == "hundred" and 0 < part < 100:
            part *= 100
        elif word in SCALES and word not in ("hundred", "dozen") and part:
            total, part = total + part * SCALES[word], 0
        elif not (
            (word == "-" and before in _TENS and after in _UNITS)
            or (word == "and" and before in SCALES and (after in _UNITS or after in _TENS))
        ):
            break
        i += 1
    if i < n:
        value, i = parts(raw, i, total + part)
        return Number(value, "#", i)
    return Number(total + part, "#", i)
