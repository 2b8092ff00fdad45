"""Turn the text of a problem into words and exact numbers, in linear time.

A :class:`Reading` holds one entry per word, number or mark. Every number is one entry whose word
is a placeholder for what it is (``#`` plain, ``%`` percentage, ``$`` money, ``@`` ordinal, ``~``
unreadable), so that a claim is a short pattern over :attr:`Reading.shape`, the entries joined by
single spaces.
"""

import re
from fractions import Fraction

from argus_gym.premise.numerals import (
    CONTINUES,
    MAX_DIGITS,
    SCALES,
    STARTS,
    VULGAR,
    Number,
    Value,
    parts,
    worded,
)

__all__ = ["MAX_CHARS", "MAX_DIGITS", "Reading", "fold", "tokens"]

MAX_CHARS = 5_000
"""Only this many characters of a problem are read."""

_NUMBER = (
    r"(?:(?<![\w)\]%'\".-])-\$?|\$-?)?(?:[0-9]+(?:,[0-9]+)*(?:\.[0-9]+)?|(?<![\w.])\.[0-9]+)"
    r"(?:(?:st|nd|rd|th)\b)?"
)
_LETTERS = r"[^\W\d_¼½¾⅐-⅞]"
_ASCII = re.compile(rf"[a-z]+(?:'[a-z]+)?|{_NUMBER}|\*\*|!=|[^\s\w]|[^\W_]")
_UNICODE = re.compile(rf"{_LETTERS}+(?:'{_LETTERS}+)?|{_NUMBER}|\*\*|!=|[^\s\w]|[^\W_]")
_FOLD = str.maketrans("−‐‑’‘“”×·∙⋅÷＝，\xa0", "---''\"\"****/=, ")
_DIGITS = frozenset("0123456789")
_MARKS = frozenset("#%$@~")
_PUNCTUATION = frozenset(("-", "."))
_SPECIAL = _DIGITS | _MARKS | frozenset("-.") | frozenset(VULGAR)


def fold(text: str) -> str:
    """Return ``text`` in lower case with plain punctuation, character by character aligned."""
    if text.isascii():
        return text.lower()
    text = text.translate(_FOLD)
    low = text.lower()
    if len(low) == len(text):
        return low
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def tokens(low: str) -> list[str]:
    """Return the words, numbers and marks of folded text, in order."""
    return (_ASCII if low.isascii() else _UNICODE).findall(low)


def _figures(token: str) -> tuple[Value | None, str]:
    """Return value and placeholder of a number in figures."""
    mark = "$" if "$" in token else "#"
    if token[-1] in "htd":
        token, mark = token[:-2], "@"
    digits = token.lstrip("-$")
    if len(digits) > 2 * MAX_DIGITS:
        return None, "~"
    if "," in digits:
        head, *groups = digits.partition(".")[0].split(",")
        if not 1 <= len(head) <= 3 or any(len(g) != 3 for g in groups):
            return None, "~"
        digits = digits.replace(",", "")
    if len(digits) > MAX_DIGITS:
        return None, "~"
    value = Fraction(digits) if "." in digits else int(digits)
    return (-value if "-" in token else value), mark


class Reading:
    """A problem as words and numbers.

    Args:
        low: Folded text (see :func:`fold`).
        raw: Its :func:`tokens`.

    Attributes:
        words: The entries: words in lower case, marks, and placeholders for numbers.
        values: The exact value of each entry that is a readable number, by index.
        places: Digits after the decimal point, by index, where a number has any.
        shape: ``words`` joined by single spaces, one more at each end.
    """

    __slots__ = ("_at", "_low", "_raw", "places", "shape", "values", "words")

    def __init__(self, low: str, raw: list[str]) -> None:
        self._low = low
        self._raw = raw
        self._at: list[int] = []
        self.words: list[str] = []
        self.values: dict[int, Value] = {}
        self.places: dict[int, int] = {}
        self._read(raw)
        self.shape = f" {' '.join(self.words)} "

    def _read(self, raw: list[str]) -> None:
        words, at, values = self.words, self._at, self.values
        special = [
            i
            for i, t in enumerate(raw)
            if (t[0] in _SPECIAL and t not in _PUNCTUATION) or t in STARTS
        ]
        n, done = len(raw), 0
        for i in special:
            if i < done:
                continue
            words += raw[done:i]
            at += range(done, i + 1)
            token = raw[i]
            follows = raw[i + 1] if i + 1 < n else "."
            plain = follows in _PUNCTUATION or (follows.isalpha() and follows not in CONTINUES)
            if plain and token.isdecimal() and len(token) <= MAX_DIGITS and token.isascii():
                values[len(words)] = int(token)
                words.append("#")
                done = i + 1
                continue
            value, mark, done = self._special(raw, i, n)
            if value is not None:
                if mark in "#$":
                    value, mark, done = _scaled(raw, done, value, mark)
                if value is not None:
                    values[len(words)] = value
            words.append(mark)
        words += raw[done:]
        at += range(done, n)

    def _special(self, raw: list[str], i: int, n: int) -> Number:
        """Read what begins at ``raw[i]``: a number, or a word or mark that looks like one."""
        token = raw[i]
        first = token[0]
        if token in STARTS:
            return worded(raw, i)
        if first in _DIGITS or len(token) > 1:
            return self._number(raw, i, token, i + 1)
        if first == "$" and i + 1 < n and raw[i + 1][0] in _DIGITS:
            return self._number(raw, i, "$" + raw[i + 1], i + 2)
        if first in VULGAR:
            return Number(VULGAR[first], "#", i + 1)
        return Number(None, "_" if first in _MARKS else token, i + 1)

    def _number(self, raw: list[str], i: int, token: str, after: int) -> Number:
        value, mark = _figures(token)
        if value is None or mark == "@":
            return Number(value, mark, after)
        if "." in token:
            self.places[len(self.words)] = len(token) - token.index(".") - 1
        before = raw[i - 1] if i else ""
        value, after = _fraction(raw, after, value, before)
        return Number(value, mark, after)

    def span(self, first: int, last: int) -> tuple[int, int]:
        """Return start and end, in the text, of the entries ``first`` to ``last`` inclusive."""
        left = self._at[first]
        right = self._at[last + 1] if last + 1 < len(self._at) else len(self._raw)
        start = end = 0
        pattern = _ASCII if self._low.isascii() else _UNICODE
        for k, match in enumerate(pattern.finditer(self._low)):
            if k == left:
                start = match.start()
            if k == right - 1:
                end = match.end()
                break
        return start, end

    def index(self, offset: int) -> int:
        """Return the entry that begins at ``offset`` of :attr:`shape`."""
        return self.shape.count(" ", 1, offset)


def _scaled(raw: list[str], i: int, value: Value, mark: str) -> tuple[Value | None, str, int]:
    """Read on after a number: ``dozen``, ``million``, a percent sign."""
    n = len(raw)
    while i < n and raw[i] in SCALES:
        value *= SCALES[raw[i]]
        i += 1
        if value > 10**MAX_DIGITS:
            return None, "~", i
    if i < n and raw[i] in ("%", "percent"):
        return value, "%", i + 1
    if raw[i : i + 2] == ["per", "cent"]:
        return value, "%", i + 2
    return value, mark, i


def _fraction(raw: list[str], i: int, value: Value, before: str) -> tuple[Value, int]:
    """Read on after a number in figures: ``/4``, `` 1/2``, ``½``; not inside a longer product."""
    n = len(raw)
    if i >= n:
        return value, i
    if raw[i] == "/":
        if i + 1 < n and _short(raw[i + 1]):
            after = raw[i + 2] if i + 2 < n else ""
            below = int(raw[i + 1])
            if below and before not in ("/", "^", "*", "**", ")") and after not in ("/", "^", "**"):
                return Fraction(value) / below, i + 2
    elif isinstance(value, int) and value >= 0:
        if raw[i][0] in VULGAR:
            return value + VULGAR[raw[i][0]], i + 1
        if i + 2 < n and raw[i + 1] == "/" and _short(raw[i]) and _short(raw[i + 2]):
            above, below = int(raw[i]), int(raw[i + 2])
            if 0 < above < below:
                return value + Fraction(above, below), i + 3
        return parts(raw, i, value)
    return value, i


def _short(token: str) -> bool:
    return len(token) <= 4 and token.isascii() and token.isdecimal()
