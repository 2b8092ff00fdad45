"""Kind ``contradiction``: one quantity stated twice, differently."""

import re
from collections.abc import Iterator

from argus_gym.premise.claims import MAX_CLAIMS, Claim, asserted, sentence
from argus_gym.premise.reading import Reading
from argus_gym.premise.statements import Statement, derived
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
    "tomorrow additional extra other before ago becomes become when once per each every monday "
    "tuesday wednesday thursday friday saturday sunday weekend weekday morning afternoon evening "
    "night week month year day first second third next last another finally new old same different "
    "some until week hour later again"
)


def contradictions(reading: Reading, found: list[Statement]) -> Iterator[Claim]:
    """Yield the things that are counted twice with different results.

    Only things that had one number so far: with more, the new number may be of any of them.
    """
    words = reading.words
    first: dict[str, Statement] = {}
    several: set[str] = set()
    for k, s in enumerate(found):
        noun = s.noun
        if noun in _UNCOUNTED or noun in MEASURES:
            continue
        earlier = first.setdefault(noun, s)
        if earlier is s or noun in several:
            continue
        plain = not (s.unsure or s.rate or s.of or earlier.unsure or earlier.rate or earlier.of)
        if plain and s.modifiers == earlier.modifiers and s.value != earlier.value:
            after = words[s.last + 1] if s.last + 1 < len(words) else ""
            if (
                earlier.verb in ("have", "gain")
                and not earlier.definite
                and _same(s, earlier)
                and after not in _NARROWS
                and _settled(words, earlier, s)
                and not derived(s.value, found[:k])
                and asserted(reading, s.at)
            ):
                reason = f"it was {earlier.value} before"
                yield Claim("contradiction", s.at, s.last, reason)
        several.add(noun)


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


def _settled(words: list[str], earlier: Statement, s: Statement) -> bool:
    """Whether nothing around two statements can have changed the quantity."""
    between = words[earlier.last + 1 : s.at]
    around = words[sentence(words, earlier.at)[0] : sentence(words, s.at)[1]]
    return GAIN.isdisjoint(between) and LOSE.isdisjoint(between) and _MOVES.isdisjoint(around)
