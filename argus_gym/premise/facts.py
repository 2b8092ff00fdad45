"""Kind ``contradiction``: an attribute of one thing, or the start of the story, stated twice.

``The bridge is 20 meters long. The length of the bridge is 30 meters.``
``Mia has $20. [...] Remember that Mia started with $30.``
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from argus_gym.premise.claims import MAX_CLAIMS, Claim, asserted, sentence
from argus_gym.premise.numerals import Value
from argus_gym.premise.reading import Reading
from argus_gym.premise.statements import Statement, derived
from argus_gym.premise.words import DETERMINERS, MEASURES, singular, wordset

__all__ = ["FACT_CUES", "counted_again", "facts", "starts"]

_ADJECTIVES = {
    "long": "length", "tall": "height", "high": "height", "wide": "width", "deep": "depth",
    "thick": "thickness", "old": "age", "heavy": "weight",
}  # fmt: skip
_VERBS = {"weighs": "weight", "weighed": "weight", "costs": "price", "cost": "price"}
_NOUNS = {
    "length": "length", "height": "height", "width": "width", "depth": "depth", "age": "age",
    "thickness": "thickness", "weight": "weight", "price": "price", "cost": "price",
}  # fmt: skip
FACT_CUES = frozenset(_ADJECTIVES) | frozenset(_VERBS) | frozenset(_NOUNS)
"""No attribute is stated without one of these words."""

_BE = frozenset(("is", "are", "was", "were", "measures"))
_ADVERBS = wordset("exactly only just currently also about")
_BREAKS = frozenset((".", "?", "!", ",", ";", ":", "that", "and", "but", "if", "when", "where"))
_NEGATES = wordset(
    "now then after before later ago new when will would be if than more less increased "
    "decreased raised average each per not becomes sale discount week year last next usually "
    "normally"
)
_POINTERS = wordset("it he she they one which who whose that there i you we")
_RELATIVE = wordset("times of per each a an for more less off")
_CLOSERS = wordset(", ; : and but so which")
_SCENES = wordset("at in on by during for with without")
_MAX_ENTITY = 7

_START = re.compile(
    r" (?:at the (?:very )?(?:start|beginning|outset)|in the beginning|originally|initially|"
    r"to begin with|at first|started (?:out )?with|starts (?:out )?with|remember|recall|"
    r"as mentioned|as stated|as said|the original [a-z]+) "
)
_CHANGED = wordset(
    "now left after then later gave ate sold lost spent flew donated used died broke paid "
    "threw bought found received"
)
_SUPPOSES = frozenset(("if", "=", "suppose"))
_LABELS = wordset("mean average age number integer")
_SYNONYMS = {"average": "mean", "integer": "number", "age": "year"}
_NUMBER_OF = re.compile(r" number of ([a-z]+) (?:there |here |in it |it has )?(?:is|was|are) # ")


class Fact(NamedTuple):
    """A stated attribute: of what, how much, and which entries say so."""

    attribute: str
    entity: tuple[str, ...]
    value: Value
    first: int
    last: int


def facts(reading: Reading) -> Iterator[Claim]:
    """Yield the attributes of one thing that are stated twice with different values."""
    seen: dict[tuple[str, tuple[str, ...]], Fact] = {}
    words = reading.words
    for i in reading.values:
        fact = _fact(reading, i)
        if fact is None:
            continue
        key = (fact.attribute, fact.entity)
        earlier = seen.setdefault(key, fact)
        if fact.value == earlier.value or not asserted(reading, i):
            continue
        begin = sentence(words, earlier.first)[0]
        end = sentence(words, i)[1]
        if _NEGATES.isdisjoint(words[begin:end]) and _closes(words, earlier, fact):
            reason = f"it was {earlier.value} before"
            yield Claim("contradiction", earlier.first, fact.last, reason)


def _closes(words: list[str], *pair: Fact) -> bool:
    """Whether nothing is added that may tell two statements apart, as ``on Sunday`` would."""
    for fact in pair:
        begin, end = sentence(words, fact.first)
        after = words[fact.last + 1 : end]
        if after and singular(after[0]) in MEASURES:
            del after[0]
        if words[begin] in _SCENES or (after and after[0] not in _CLOSERS):
            return False
    return True


def _fact(reading: Reading, i: int) -> Fact | None:
    """Return what the number at ``i`` says of something, where it states an attribute."""
    words, n = reading.words, len(reading.words)
    k = i - 1
    while k >= 0 and words[k] in _ADVERBS:
        k -= 1
    if k < 1:
        return None
    verb = words[k]
    if verb in _VERBS:
        return _built(reading, i, _VERBS[verb], k, i)
    if verb not in _BE:
        return None
    for j in range(i + 1, min(i + 4, n)):
        if words[j] in _ADJECTIVES:
            return _built(reading, i, _ADJECTIVES[words[j]], k, j)
        if not words[j].isalpha():
            break
    start = k - 1
    while start > 0 and k - start < _MAX_ENTITY + 2 and words[start - 1] not in _BREAKS:
        start -= 1
    inside = words[start:k]
    for j, word in enumerate(inside):
        if word in _NOUNS and inside[j + 1 : j + 2] == ["of"]:
            return _built(reading, i, _NOUNS[word], k, i, start + j + 2)
    if len(inside) > 1 and inside[-1] in _NOUNS and inside[-2].endswith("'s"):
        entity = (*inside[:-2], inside[-2].removesuffix("'s"))
        return _named(reading, i, _NOUNS[inside[-1]], entity, start, i)
    return None


def _built(
    reading: Reading, i: int, attribute: str, verb: int, last: int, begin: int = -1
) -> Fact | None:
    """Return the fact of the number at ``i`` about what stands between ``begin`` and ``verb``."""
    words = reading.words
    if begin < 0:
        begin = verb
        while begin > 0 and verb - begin <= _MAX_ENTITY and words[begin - 1] not in _BREAKS:
            begin -= 1
    return _named(reading, i, attribute, tuple(words[begin:verb]), begin, last)


def _named(
    reading: Reading, i: int, attribute: str, entity: tuple[str, ...], first: int, last: int
) -> Fact | None:
    """Return the fact, ``None`` where the entity has no plain name or more follows the number."""
    words = reading.words
    name = tuple(w for w in entity if w not in DETERMINERS and w not in ("a", "an", "also"))
    if not 0 < len(name) <= _MAX_ENTITY or any(not w.replace("'", "").isalpha() for w in name):
        return None
    after = words[i + 1] if i + 1 < len(words) else ""
    if name[0] in _POINTERS or after in _RELATIVE or (first and words[first - 1] == "and"):
        return None
    if attribute == "price" and words[i] != "$" and after not in ("dollars", "cents"):
        return None
    return Fact(attribute, name, reading.values[i], first, last)


def counted_again(reading: Reading) -> Iterator[Claim]:
    """Yield ``has 12 windows, and the number of windows there is 14``."""
    words, values = reading.words, reading.values
    for _, match in zip(range(MAX_CLAIMS), _NUMBER_OF.finditer(reading.shape)):
        at = reading.index(match.start() + 1)
        i = at + match.group().strip().count(" ")
        noun = singular(match.group(1))
        for j in range(sentence(words, at)[0], at):
            if j in values and noun and singular(words[j + 1]) == noun and asserted(reading, j):
                if values[j] != values[i]:
                    reason = f"it was {values[j]} before"
                    yield Claim("contradiction", j, i, reason)
                break


def starts(reading: Reading, found: list[Statement]) -> Iterator[Claim]:
    """Yield what the story is said to have started with, where it opened with something else."""
    words = reading.words
    if not found or not _START.search(reading.shape):
        return
    opening = [s for s in found if s.sentence == found[0].sentence]
    end = sentence(words, opening[-1].at)[1]
    if not _CHANGED.isdisjoint(words[sentence(words, opening[0].at)[0] : end]):
        return
    for match in _START.finditer(reading.shape):
        first, last = sentence(words, reading.index(match.start() + 1))
        if (
            first < end
            or not _SUPPOSES.isdisjoint(words[first:last])
            or (last < len(words) and words[last] == "?")
        ):
            continue
        if "original" in match.group():
            first = reading.index(match.start() + 1)
        for s in found:
            if first <= s.at < last:
                same = [o for o in opening if _label(words, o) == _label(words, s)]
                if (
                    len(same) != 1
                    or same[0].value == s.value
                    or (s.noun and derived(s.value, opening))
                ):
                    continue
                if _may_be(same[0], s):
                    reason = f"it started with {same[0].value}"
                    yield Claim("contradiction", s.at, s.last, reason)


def _label(words: list[str], s: Statement) -> tuple[str, ...]:
    """Return what the quantity is of: its noun, or for a bare number what it is called."""
    if s.noun:
        return (s.noun, *s.modifiers)
    begin = sentence(words, s.at)[0]
    if words[s.at + 1 : s.at + 2] and words[s.at + 1].isalpha() and len(words[s.at + 1]) == 1:
        return ("", words[s.at + 1])
    names = [_SYNONYMS.get(w, w) for w in words[begin : s.at] if w in _LABELS]
    return tuple(names[:1])


def _may_be(opening: Statement, s: Statement) -> bool:
    """Whether ``s`` may be about the quantity that the opening states."""
    if s.verb == "lose" or (s.rate != opening.rate and s.noun not in MEASURES):
        return False
    if not {s.verb, opening.verb} <= {"have", "gain"}:
        # the subject of other verbs need not be an owner: "the average is", "the timetable gives"
        return True
    owners = {opening.owner, s.owner} - {"", "there"}
    return len(owners) < 2 or any(a in b for a in owners for b in owners - {a})
