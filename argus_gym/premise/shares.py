"""Kinds ``percentage`` and ``fraction``: parts of a whole that exceed it."""

from collections.abc import Iterator
from fractions import Fraction

from argus_gym.premise.claims import MAX_CLAIMS, Claim, asserted, sentence
from argus_gym.premise.numerals import Value
from argus_gym.premise.reading import Reading
from argus_gym.premise.words import DETERMINERS, LOSE, singular, wordset

__all__ = ["shares"]

_COPULA = wordset("are is were was be been am")
_AUXILIARY = _COPULA | wordset("has have had do did does can will")
_CLAUSE = wordset(
    ". , ; : ( ? ! and but that if when where while which since because as so then suppose"
)
_ADVERBS = wordset("about exactly only nearly over almost approximately roughly just")
_BEYOND = wordset(
    "price cost costs salary wage wages income pay rate value goal target quota effort "
    "capacity average normal usual recommended requirement requirements daily budget last "
    "previous original former regular year month week yesterday today amount number size "
    "weight height length speed distance age time profit profits revenue sales earnings bill "
    "strength limit minimum need needs score past estimate forecast plan volume area same "
    "energy intake allowance"
)
_CUT = wordset(
    "decreased decreases dropped drops fell falls reduced reduces declined declines shrank "
    "shrunk shrinks cut lowered lowers discounted"
)
_SINKS = wordset("profit profits earnings income temperature balance growth returns")
_WITHIN = wordset("off discount reduction chance probability likelihood full complete")
_CHANCE = wordset("discount reduction probability chance likelihood")
_WHOLE = wordset("them which whom these those all")
_CHANGE = wordset(
    "more less off increase increased decrease decreased discount tax tip interest faster "
    "higher lower chance likely than each every per rest remaining remainder left other "
    "others who if while after then profit raise bonus commission"
)
_SCENE = wordset("at in on by during among within this last")
_RATED = wordset(
    "scored scores score got gets earned earns received receives averaged graded rated"
)
_JOINTS = frozenset((",", ";", ":", "and", "also"))
_OTHERS = frozenset(("other", "remaining"))
_REST = frozenset(("rest", "remaining", "remainder", "others"))
_PLACES = wordset("on to by for in from with as at")
_COLOURS = wordset(
    "red blue green yellow white black brown orange purple pink grey gray gold silver"
)
_PEOPLE = wordset("male female boys girls men women males females adults children teenagers")


def shares(reading: Reading) -> Iterator[Claim]:
    """Yield the percentages and fractions of a whole that cannot be parts of it."""
    words, values = reading.words, reading.values
    listed: list[int] = []
    checked = 0
    for i, value in values.items():
        kind = _kind(reading, i, value)
        if not kind:
            continue
        checked += 1
        if checked > MAX_CLAIMS:
            break
        part = Fraction(value) / 100 if kind == "percentage" else value
        if 0 < part <= 1:
            listed.append(i)
            continue
        reason = ""
        if kind == "percentage" and part < 0 and i + 1 < len(words):
            if words[i + 1] in _WITHIN or (words[i + 1] == "of" and _determined(words, i + 2)):
                reason = "a part of a whole cannot be negative"
        elif part > 1 and _is_part(reading, i):
            reason = "a part of a whole cannot be more than the whole"
        if reason and asserted(reading, i):
            yield Claim(kind, i, _phrase_end(words, i), reason)
    if len(listed) > 1:
        yield from _lists(reading, listed)


def _kind(reading: Reading, i: int, value: Value) -> str:
    word = reading.words[i]
    if word == "%":
        return "percentage"
    if word == "#" and isinstance(value, Fraction) and value > 0 and i not in reading.places:
        return "fraction"
    return ""


def _determined(words: list[str], i: int) -> bool:
    return i < len(words) and (words[i] in DETERMINERS or words[i] in _WHOLE)


def _phrase_end(words: list[str], i: int) -> int:
    """Return the last entry of the phrase ``P of the ...`` that begins at ``i``."""
    j = i + 1
    while j < len(words) and j - i <= 6 and words[j].isalpha() and words[j] not in _AUXILIARY:
        j += 1
    return j - 1


def _is_part(reading: Reading, i: int) -> bool:
    """Whether the share at ``i``, which is above one, is used as a part of a whole."""
    words, n = reading.words, len(reading.words)
    percent = words[i] == "%"
    after = words[i + 1] if i + 1 < n else ""
    before = i - 1
    while before >= 0 and words[before] in _ADVERBS:
        before -= 1
    if after in ("probability", "chance") or (percent and after in _WITHIN):
        return True
    if percent and _cut(words, before):
        return True
    if after != "of" or not (_determined(words, i + 2) or (percent and _plural(words, i + 2))):
        return False
    end = _phrase_end(words, i)
    if not _BEYOND.isdisjoint(words[i + 2 : end + 1]):
        return False
    if not LOSE.isdisjoint(words[max(0, before - 2) : before + 1]) or _done(words, before):
        return True
    opens = before < 0 or words[before] in _CLAUSE or _set_scene(words, before)
    follows = words[end + 1] if end + 1 < n else ""
    if opens and follows in _AUXILIARY:
        predicate = words[end + 2] if end + 2 < n else ""
        return predicate not in ("$", "#", "~", "more", "less", "equal", "a", "the")
    return opens and (percent or words[i + 2] in DETERMINERS) and _has_verb(words, i + 3, end)


def _set_scene(words: list[str], before: int) -> bool:
    """Whether only a place or a time stands before the share: ``At a school 120% of``."""
    first = before
    while first > 0 and before - first < 6 and words[first - 1] not in _CLAUSE:
        first -= 1
    return words[first] in _SCENE and _AUXILIARY.isdisjoint(words[first : before + 1])


def _done(words: list[str], before: int) -> bool:
    """Whether a completed action leads to the share: ``has painted 6/5 of the fence``."""
    return (
        before > 0 and words[before].endswith("ed") and words[before - 1] in ("has", "have", "had")
    )


def _plural(words: list[str], i: int) -> bool:
    return i < len(words) and bool(singular(words[i]))


def _has_verb(words: list[str], first: int, last: int) -> bool:
    """Whether a verb seems to follow a plural noun: ``120% of the students like tea``."""
    return any(singular(words[j]) and not singular(words[j + 1]) for j in range(first, last))


def _cut(words: list[str], before: int) -> bool:
    """Whether the words up to ``before`` lead to a share that can be at most the whole."""
    if before < 1:
        return False
    lead = words[before]
    if lead == "by":
        window = words[max(0, before - 8) : before]
        return not _CUT.isdisjoint(window[-3:]) and _SINKS.isdisjoint(window)
    if lead == "of":
        return words[before - 1] in _CHANCE
    return lead in ("is", "was") and not _CHANCE.isdisjoint(words[max(0, before - 5) : before])


def _lists(reading: Reading, listed: list[int]) -> Iterator[Claim]:
    """Yield the lists of exclusive parts that add up to more than one."""
    words = reading.words
    done = -1
    for k, i in enumerate(listed):
        if i <= done:
            continue
        last = sentence(words, i)[1]
        group = [j for j in listed[k : k + 12] if j < last]
        done = group[-1]
        if len(group) < 2:
            continue
        total = sum(
            (Fraction(reading.values[j]) / (100 if words[j] == "%" else 1) for j in group),
            Fraction(0),
        )
        if total > 1 and _exclusive(words, group, last) and asserted(reading, i):
            kind = "percentage" if any(words[j] == "%" for j in group) else "fraction"
            yield Claim(kind, i, group[-1], f"the parts add up to {total} of the whole")


def _exclusive(words: list[str], group: list[int], last: int) -> bool:
    """Whether the shares of ``group`` are parts of one whole that do not overlap."""
    if not _RATED.isdisjoint(words[max(0, group[0] - 3) : group[0]]):
        return False
    predicates: list[list[str]] = []
    whole: list[str] | None = None
    linked = others = False
    for a, b in zip(group, [*group[1:], last]):
        segment = [w for w in words[a + 1 : b] if w not in _JOINTS]
        if b != last and segment[-1:] and segment[-1] in _OTHERS:
            others = True
            segment.pop()
        if b == last and not _REST.isdisjoint(segment):
            others = True
            segment = segment[: next(k for k, w in enumerate(segment) if w in _REST)]
        if len(segment) > 10 or not _CHANGE.isdisjoint(segment):
            return False
        if segment[:1] == ["of"]:
            cut = next((k for k, w in enumerate(segment) if w in _COPULA or w in _PLACES), 0)
            base = [w for w in segment[1:cut] if w not in DETERMINERS and w not in _WHOLE]
            if not cut or (base and whole is not None and base != whole):
                return False
            whole = base or whole
            while cut < len(segment) and segment[cut] in ("in", "at"):
                # where the whole is, up to what is said of the part
                cut = next((k for k, w in enumerate(segment) if k > cut and w in _COPULA), 99)
            segment = segment[cut:]
        if segment[:1] and segment[0] in _COPULA:
            linked = True
            segment = segment[1:]
        predicates.append([w for w in segment if w not in DETERMINERS and w not in ("a", "an")])
    if not all(predicates) or len({tuple(p) for p in predicates}) < len(predicates):
        return False
    heads = {p[-1] for p in predicates}
    if others or heads <= _COLOURS or heads <= _PEOPLE:
        return True
    if linked and len(heads) == 1 and all(len(p) == 2 for p in predicates):
        return True
    later = predicates[1:]
    gapped = all(p[0] in _PLACES for p in later) or all(len(p) <= 2 for p in later)
    return len(group) > 2 and gapped
