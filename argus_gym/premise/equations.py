"""Kind ``equation``: stated results of arithmetic, in symbols or in words."""

import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

from argus_gym.premise.arithmetic import OPERATORS, Unreadable, evaluate, exact
from argus_gym.premise.claims import MAX_CLAIMS, Claim, asserted
from argus_gym.premise.numerals import Value
from argus_gym.premise.reading import Reading
from argus_gym.premise.words import wordset

__all__ = ["equations"]

_EQUALS = frozenset(("=", "is", "equals", "makes", "gives", "yields"))
_FILLERS = frozenset(("equal", "to", "exactly"))
_RUN = OPERATORS | _EQUALS | frozenset(("#", "$", "(", ")", "by"))
_RUN_FILL = _EQUALS | _FILLERS
_MAX_RUN = 96
_OPEN_LEFT = wordset(
    "of than by from to root log ln sin cos tan gcd lcm max min floor ceil sqrt abs exp det mod "
    "base number between _ ^ { } \\ < > | ! √ ~ % @ / :"
)
_OPEN_RIGHT = wordset(
    "more less fewer times of greater larger smaller older younger higher longer shorter "
    "taller heavier lighter remainder r mod modulo base with { \\ ^ _ % ~ ! + - * / < > x or"
)
_STOPS = wordset(". , ; : ? ! as so if")
_STATES = re.compile(
    r" [#$)] (?:together |exactly )?(?:=|is|equals|makes|gives|yields|was|squared|cubed) "
)
_AND = r"(?: ,)?(?: and)? "
_LIST = rf"([#$](?:{_AND}[#$]){{1,11}})"
_IS = (
    r"(?: exactly)?(?: is| equals| =| gives| makes| yields| was)(?: equal to)?(?: exactly)? ([#$])"
)

_PHRASES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (rf" (?:sum|total) of {_LIST}{_IS} ", "sum"),
        (rf" (?:adding|add) {_LIST} (?:together )?{_IS.replace(' ', '', 1)} ", "sum"),
        (rf" product of {_LIST}{_IS} ", "product"),
        (rf" multiplying {_LIST}{_IS} ", "product"),
        (rf" difference (?:of|between) {_LIST}{_IS} ", "difference"),
        (rf" quotient of {_LIST}{_IS} ", "quotient"),
        (rf" (?:average|mean) of {_LIST}{_IS} ", "average"),
        (rf" ([#$] added to [#$]){_IS} ", "sum"),
        (rf" ([#$] subtracted from [#$]){_IS} ", "from"),
        (rf" (?:subtracting|taking) ([#$] from [#$]){_IS} ", "from"),
        (rf" multiplying ([#$] by [#$]){_IS} ", "product"),
        (rf" dividing ([#$] by [#$]){_IS} ", "quotient"),
        (rf" (?:twice|double) ([#$]){_IS} ", "twice"),
        (rf" triple ([#$]){_IS} ", "thrice"),
        (rf" ([#%] of [#$]){_IS} ", "part"),
    )
)  # fmt: skip


def _quotient(v: list[Any]) -> Any:
    if v[1] == 0:
        raise Unreadable
    return v[0] / v[1]


def _product(v: list[Any]) -> Any:
    result = v[0]
    for factor in v[1:]:
        result *= factor
        if max(abs(int(result.p)), int(result.q)) > 10**60:
            raise Unreadable
    return result


_RESULTS: dict[str, Callable[[list[Any]], Any]] = {
    "sum": lambda v: sum(v[1:], v[0]),
    "product": _product,
    "difference": lambda v: v[0] - v[1],
    "quotient": _quotient,
    "average": lambda v: sum(v[1:], v[0]) / len(v),
    "from": lambda v: v[1] - v[0],
    "twice": lambda v: 2 * v[0],
    "thrice": lambda v: 3 * v[0],
    "part": lambda v: v[0] * v[1],
}
_PAIRS = frozenset(("difference", "quotient"))


def equations(reading: Reading) -> Iterator[Claim]:
    """Yield the stated results that are false."""
    if _STATES.search(reading.shape):
        yield from _phrases(reading)
        yield from _runs(reading)


def _phrases(reading: Reading) -> Iterator[Claim]:
    words, values = reading.words, reading.values
    for pattern, name in _PHRASES:
        for _, match in zip(range(MAX_CLAIMS), pattern.finditer(reading.shape)):
            first = reading.index(match.start() + 1)
            stated = reading.index(match.start(2))
            operands = [
                exact(values[i]) / (100 if words[i] == "%" else 1)
                for i in range(first, stated)
                if i in values
            ]
            if name in _PAIRS and len(operands) != 2:
                continue
            if _continued(words, stated + 1) or not asserted(reading, first):
                continue
            try:
                result = _RESULTS[name](operands)
            except Unreadable:
                continue
            said, places = exact(values[stated]), reading.places.get(stated, 0)
            # the difference of 3 and 5 is 2 as well as -2
            either = name == "difference" and _agrees(-result, said, places)
            if not either and not _agrees(result, said, places):
                reason = f"the result is {_show(result)}, not {_show(values[stated])}"
                yield Claim("equation", first, stated, reason)


def _runs(reading: Reading) -> Iterator[Claim]:
    words, n = reading.words, len(reading.words)
    i = checked = 0
    while i < n and checked < MAX_CLAIMS:
        if words[i] not in _RUN:
            i += 1
            continue
        first = i
        while i < n and (words[i] in _RUN or (words[i] in _FILLERS and words[i - 1] in _RUN_FILL)):
            i += 1
        run = words[first:i]
        if len(run) <= _MAX_RUN and not _EQUALS.isdisjoint(run):
            checked += 1
            yield from _chain(reading, first, i)


def _chain(reading: Reading, first: int, end: int) -> Iterator[Claim]:
    """Yield the first false link of ``a = b = c`` in the entries ``first`` to ``end``."""
    words = reading.words
    sides: list[tuple[int, int]] = []
    left = first
    for i in range(first, end + 1):
        if i == end or words[i] in _EQUALS:
            sides.append((left, i - 1))
            left = i + 1
        elif words[i] in _FILLERS:
            left = i + 1
    before: tuple[int, int, Any, bool] | None = None
    for k, (a, b) in enumerate(sides):
        a, b = _trim(words, a, b)
        if (
            b < a
            or (k == 0 and _opened(words, a))
            or (k + 1 == len(sides) and _continued(words, b + 1))
        ):
            before = None
            continue
        try:
            value = evaluate(reading, a, b)
        except Unreadable:
            before = None
            continue
        worked = b > a or _written_as_fraction(reading, a) or (before is not None and before[3])
        if before is not None and worked:
            places = reading.places.get(b, 0) if b == a else 0
            if not _agrees(before[2], value, places) and asserted(reading, before[0]):
                reason = f"the left side is {_show(before[2])}, not {_show(value)}"
                yield Claim("equation", before[0], b, reason)
                return
        before = (a, b, value, worked)


def _trim(words: list[str], a: int, b: int) -> tuple[int, int]:
    """Drop brackets around the claim that do not belong to the expression."""
    inside = words[a : b + 1]
    opens, closes = inside.count("("), inside.count(")")
    while a <= b and opens > closes and words[a] == "(":
        a, opens = a + 1, opens - 1
    while a <= b and closes > opens and words[b] == ")":
        b, closes = b - 1, closes - 1
    return a, b


def _opened(words: list[str], a: int) -> bool:
    """Whether what stands before entry ``a`` may belong to the expression."""
    if a == 0:
        return False
    before = words[a - 1]
    if words[a] == "(" and not (before in _STOPS or (len(before) > 2 and before.isalpha())):
        return True
    if before.isalpha() and words[a] in OPERATORS:
        return True
    return before in _OPEN_LEFT or before in OPERATORS or (len(before) == 1 and before.isalnum())


def _continued(words: list[str], i: int) -> bool:
    """Whether the expression may go on at entry ``i``."""
    if i >= len(words):
        return False
    word = words[i]
    return word in _OPEN_RIGHT or (len(word) == 1 and word.isalpha())


def _written_as_fraction(reading: Reading, i: int) -> bool:
    return isinstance(reading.values[i], Fraction) and i not in reading.places


def _agrees(result: Any, stated: Any, places: int) -> bool:
    """Whether ``stated`` is ``result``, exactly or as a decimal rounded to its last place."""
    gap = abs(result - stated)
    return bool(gap == 0) or bool(places and gap * 10**places < 1)


def _show(value: Value | Any) -> str:
    text = str(value)
    return text if len(text) <= 24 else f"{text[:20]}..."
