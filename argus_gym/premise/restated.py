"""Kind ``contradiction``: one quantity stated twice, differently."""

import re
from collections.abc import Iterator

from argus_gym.premise.claims import MAX_CLAIMS, Claim, asserted
from argus_gym.premise.reading import Reading
from argus_gym.premise.statements import Statement
from argus_gym.premise.words import GAIN, LOSE, MEASURES, singular, wordset

__all__ = ["contradictions", "durations"]

_LASTING = re.compile(
    r" # - (?P<unit>[a-z]+) (?:old )?(?:[a-z]+ ){1,3}?(?:[a-z,']+ ){0,6}?"
    r"(?:lasting|lasts|lasted|measuring|measures|weighing|weighs|that is|which is|of) # "
    r"(?P<again>[a-z]+) (?P<after>[^ ]+) "
)
_NARROWS = wordset("that who which with in on left of more less and")
_UNCOUNTED = frozenset(("", "$", "time"))
_MOVES = wordset(
    "now then left after later more also another still total altogether if yesterday today "
    "tomorrow additional extra other before ago becomes become when once per each every"
)


def contradictions(reading: Reading, found: list[Statement]) -> Iterator[Claim]:
    """Yield the things that are counted twice with different results."""
    words = reading.words
    first: dict[tuple[str, ...], Statement] = {}
    for s in found:
        if s.noun in _UNCOUNTED or s.noun in MEASURES or s.unsure or s.rate or s.of:
            continue
        key = (s.noun, *s.modifiers)
        earlier = first.get(key)
        if earlier is None:
            if s.verb in ("have", "gain") and not s.definite:
                first[key] = s
            continue
        between = words[earlier.last + 1 : s.at]
        if s.value != earlier.value and _same(s, earlier) and _settled(between):
            after = words[s.last + 1] if s.last + 1 < len(words) else ""
            if after not in _NARROWS:
                if asserted(reading, s.at):
                    reason = f"it was {earlier.value} before"
                    yield Claim("contradiction", s.at, s.last, reason)
                return


def durations(reading: Reading) -> Iterator[Claim]:
    """``a 3-day trip lasting 5 days``."""
    for _, match in zip(range(MAX_CLAIMS), _LASTING.finditer(reading.shape)):
        first = reading.index(match.start() + 1)
        again = reading.index(match.start("again")) - 1
        unit = match.group("unit")
        if singular(match.group("again")) != unit or match.group("after") in ("a", "per", "each"):
            continue
        one, two = reading.values[first], reading.values[again]
        if one != two and asserted(reading, first):
            yield Claim("contradiction", first, again + 1, f"{one} and {two} differ")


def _same(s: Statement, earlier: Statement) -> bool:
    """Whether ``s`` speaks of the quantity that ``earlier`` stated."""
    if s.definite:
        if s.definite in ("the", "these", "those", "all"):
            # "the two trees" may be two of the three
            return s.definite == "all" or s.value > earlier.value
        return s.owner == earlier.owner or s.definite.removesuffix("'s") == earlier.owner
    if s.sentence == earlier.sentence or s.owner in ("", "there"):
        return False
    return s.verb == earlier.verb == "have" and s.owner == earlier.owner


def _settled(between: list[str]) -> bool:
    """Whether nothing between two statements can have changed the quantity."""
    return GAIN.isdisjoint(between) and LOSE.isdisjoint(between) and _MOVES.isdisjoint(between)
