"""The premise check: a cheap look at every problem, the readers where it finds a reason."""

from collections.abc import Iterator

from argus_gym.premise.claims import Claim
from argus_gym.premise.counts import counts
from argus_gym.premise.equations import equations
from argus_gym.premise.facts import FACT_CUES, counted_again, facts, starts
from argus_gym.premise.listed import CUES as LIST_CUES
from argus_gym.premise.listed import listed_parts
from argus_gym.premise.number_theory import CUES as NUMBER_CUES
from argus_gym.premise.number_theory import number_theory
from argus_gym.premise.numerals import Value
from argus_gym.premise.reading import MAX_CHARS, Reading, fold, tokens
from argus_gym.premise.restated import contradictions, durations
from argus_gym.premise.shares import shares
from argus_gym.premise.statements import statements
from argus_gym.premise.totals import leftovers, overdraws, part_sums
from argus_gym.premise.words import DETERMINERS, HAVE, LOSE, wordset
from argus_gym.records import Premise

__all__ = ["KINDS", "check"]

KINDS = (
    "equation",
    "nth_prime",
    "divisibility",
    "factor",
    "square",
    "percentage",
    "fraction",
    "parts_total",
    "overdraw",
    "indivisible",
    "contradiction",
)
"""The kinds of false claims that :func:`check` can name."""

_STARTS = wordset(
    "start started starts beginning outset begin originally original initially remember "
    "recall mentioned stated said"
)
_PREDICATES = wordset("are were boys girls men women adults children males females")
_THEM = wordset("them which these whom those")
_REST = frozenset(("left", "remaining"))
_NEAR = 8
_TRUE = Premise(True)


def check(problem: str) -> Premise:
    """Look for a claim in a problem that is false on its own.

    Reads at most the first 5,000 characters, in time linear in their number; what it cannot read,
    or what passes a bound on digits, exponents, nesting or the number of claims, is not checked.
    Nothing of the text is evaluated: expressions go through our own grammar into SymPy numbers.

    Args:
        problem: The text of the problem, anything at all.

    Returns:
        The first false claim found, in the order of the readers and not of the text; or ``ok``.

    Raises:
        TypeError: If ``problem`` is not a string.

    Example:
        >>> check("Since 7 x 8 = 54, Mia buys 54 beads.").kind
        'equation'
        >>> check("Since 7 x 8 = 56, Mia buys 56 beads.").ok
        True
    """
    if not isinstance(problem, str):
        raise TypeError(f"problem must be a str, got {type(problem).__name__}")
    low = fold(problem[:MAX_CHARS])
    raw = tokens(low)
    present = set(raw)
    reading = Reading(low, raw)
    for claim in _claims(reading, present):
        return Premise(False, claim.kind, reading.span(claim.first, claim.last), claim.reason)
    return _TRUE


def _claims(reading: Reading, present: set[str]) -> Iterator[Claim]:
    """Yield false claims, kind by kind; each reader runs only where its words occur."""
    if not NUMBER_CUES.isdisjoint(present):
        yield from number_theory(reading, present)
    yield from equations(reading)
    yield from shares(reading)
    yield from counts(reading)
    # the words of a formula are no statements
    if len(reading.values) < 2 or "\\" in present:
        return
    if not LIST_CUES.isdisjoint(present):
        yield from listed_parts(reading, present)
    if "-" in present:
        yield from durations(reading)
    if not FACT_CUES.isdisjoint(present):
        yield from facts(reading)
    if "number" in present:
        yield from counted_again(reading)
    parts = _parts_follow(reading, present)
    loses = not LOSE.isdisjoint(present) and _much_is_lost(reading)
    again = _counts_again(reading)
    opened = not _STARTS.isdisjoint(present) or " at first " in reading.shape
    rest = "left" in present or "remaining" in present
    if parts or loses or again or opened or (rest and _grows(reading)):
        found = statements(reading)
        if parts:
            yield from part_sums(reading, found)
        if loses:
            yield from overdraws(reading, found)
        if rest:
            yield from leftovers(reading, found)
        if again:
            yield from contradictions(reading, found)
        if opened:
            yield from starts(reading, found)


def _parts_follow(reading: Reading, present: set[str]) -> bool:
    """Whether a number may be a part of a total."""
    if "out" in present or ("each" in present and "there" in present):
        return True
    words = reading.words
    for i in reading.values:
        follows = words[i + 1 : i + 3]
        if follows and (
            follows[0] in _PREDICATES or (follows[0] == "of" and follows[-1] in _THEM)
        ):  # fmt: skip
            return True
    return False


def _grows(reading: Reading) -> bool:
    """Whether what is said to be left may be more than there was."""
    words, values = reading.words, list(reading.values.items())
    return any(
        value > values[0][1] and not _REST.isdisjoint(words[i + 1 : i + 6])
        for i, value in values[1:]
    )


def _much_is_lost(reading: Reading) -> bool:
    """Whether a number near a verb of losing is larger than some number before it."""
    words = reading.words
    least: Value | None = None
    for i, value in reading.values.items():
        if least is None or value < least:
            least = value
        elif value > least and not LOSE.isdisjoint(words[max(0, i - _NEAR) : i + _NEAR]):
            return True
    return False


def _counts_again(reading: Reading) -> bool:
    """Whether a thing may be counted a second time: ``his 15 marbles``, ``has 15 marbles``."""
    words = reading.words
    seen = set()
    for i in reading.values:
        if i + 1 < len(words):
            thing = words[i + 1]
            if thing in seen and i:
                before = words[i - 1]
                if before in DETERMINERS or before in HAVE or before.endswith("'s"):
                    return True
            seen.add(thing)
    return False
