"""Kinds ``nth_prime``, ``divisibility``, ``factor`` and ``square``: the phrases that claim them."""

import re
from collections.abc import Iterator

from argus_gym.premise import whole_numbers as check
from argus_gym.premise.claims import MAX_CLAIMS, Claim, asserted
from argus_gym.premise.reading import Reading
from argus_gym.premise.whole_numbers import MAX_WHOLE, Check, Found
from argus_gym.premise.words import wordset

__all__ = ["CUES", "number_theory"]

_KIND_CUES = {
    "nth_prime": wordset("prime primes composite"),
    "divisibility": wordset(
        "divisible multiple multiples divides divide remainder evenly lcm even odd"
    ),
    "factor": wordset("factor factors divisor divisors gcd gcf hcf"),
    "square": wordset("square squares squared cube cubes cubed root sqrt √"),
}
CUES = frozenset().union(*_KIND_CUES.values())
"""No claim of these kinds is made without one of these words."""

# Pieces of the phrases. A list of numbers is one group; the group <w> is the word that decides.
_PIECES = {
    "LIST": "(#(?:(?: ,)?(?: and| or)? #){0,11})",
    "NUMBERS": "(?:numbers?|integers?)",
    "NUMBER": "(?: numbers?| integers?)?",
    "BE": "(?:, )?(?:is|are|was|were|being)",
    "ALL": "(?: both| all| each| also| exactly| evenly| itself)?",
    "NOT": "(?: not|n't)",
    "A": "(?: the| a| an)?",
    "SUCH": "(?: such as| like| namely| , namely| , such as| , like|)",
    "AS": "(?: such as| like| namely| , namely| , such as)",
    "END": r"(?= [.,;:?!)]| and | so | but | since | because | which | that | it )",
    "LARGEST": "(?:greatest|largest|highest|biggest)",
    "SMALLEST": "(?:smallest|least|lowest)",
    "EQUALS": "(?:is|equals|=|was)(?: equal to| exactly)?",
    "EVENLY": "(?: evenly| exactly)?",
    "LEAVES": "(?:leaves|gives|has)",
    "NTH": "(@) (?:smallest )?prime",
    "FACTORS": "(?:factors?|divisors?)",
    "POWER": "(?P<w>square|cube)",
}

_PHRASES: dict[str, tuple[tuple[str, Check], ...]] = {
    "nth_prime": (
        ("NTH(?: number)?(?: EQUALS| ,| :| \\() (#)", check.nth_prime),
        ("NTH(?: number)? , (?:which|that) EQUALS (#)", check.nth_prime),
        ("(#)(?: ,)? BE the NTH", check.swapped(check.nth_prime)),
        ("(#) ,? ?(?:(?:because|since|as|and) it is )?the NTH", check.swapped(check.nth_prime)),
        ("prime(?: number)? number (#) EQUALS (#)", check.nth_prime),
        ("LIST BEALLNOTA (?:odd |even )?primes?NUMBEREND", check.none_prime),
        ("LIST BEALLA (?:odd |even )?primes?NUMBEREND", check.all_prime),
        ("LIST BEALLA compositeNUMBEREND", check.none_prime),
        ("(?<!@ )(?<!first )(?:primes|primes? NUMBERS)SUCH LIST", check.all_prime),
        ("composite NUMBERSSUCH LIST", check.none_prime),
        (
            "there are(?: exactly)? (#) primes?NUMBER "
            "(?P<w>less than|below|under|smaller than|up to|not exceeding|at most) (#)",
            check.prime_count,
        ),
        (
            "(?P<w>LARGEST) prime(?: number)? (?:(?:less|smaller|lower) than|below|under) (#) "
            "EQUALS (#)",
            check.extreme_prime,
        ),
        (
            "(?P<w>SMALLEST) prime(?: number)? (?:(?:greater|larger|more|bigger) than|above|over) "
            "(#) EQUALS (#)",
            check.extreme_prime,
        ),
    ),
    "divisibility": (
        ("LIST BEALLNOTEVENLY divisible by LIST", check.not_divisible),
        ("LIST BEALLEVENLY divisible by(?: both)? LIST", check.divisible),
        ("LIST BEALLNOTA multiples? of LIST", check.not_divisible),
        ("LIST BEALLA (?:common )?multiples? of(?: both)? LIST", check.divisible),
        (
            "LIST can beEVENLY dividedEVENLY by LIST "
            "(?:evenly|exactly|without (?:a |any )?remainder)",
            check.divisible,
        ),
        ("LIST can be evenly divided by LIST", check.divisible),
        ("dividing (#) by (#) LEAVES no remainder", check.divisible),
        ("dividing (#) by (#) LEAVES(?: a)? remainder(?: of)? (#)", check.remainder),
        ("NUMBERS divisible by (#)SUCH LIST", check.swapped(check.divisible)),
        ("multiples? of (#)AS LIST", check.swapped(check.divisible)),
        ("(?P<w>even|odd) NUMBERSSUCH LIST", check.parity),
        ("LIST BEALLNOT(?: an)? (?P<w>even|odd) NUMBERS", check.not_parity),
        ("LIST BEALL(?: an)? (?P<w>even|odd) NUMBERS", check.parity),
        ("LIST isNOT (?P<w>even|odd)END", check.not_parity),
        ("LIST is (?P<w>even|odd)END", check.parity),
        ("LIST are both (?P<w>even|odd)END", check.parity),
        ("(#)EVENLY divides LIST", check.swapped(check.divisible)),
        ("(#) (?:does not|doesn't)EVENLY divide LIST", check.swapped(check.not_divisible)),
        ("(#) goes evenly into LIST", check.swapped(check.divisible)),
        ("(#) divided by (#) LEAVES(?: a)? remainder(?: of)? (#)", check.remainder),
        (
            "(#) leaves(?: a)? remainder(?: of)? (#) when(?: it is)? divided by (#)",
            check.rest_first,
        ),
        (
            "remainder (?:when|of|after)(?: dividing)? (#)(?: is)? (?:divided )?by (#) EQUALS (#)",
            check.remainder,
        ),
        ("when (#) is divided by (#) ,? ?the remainder EQUALS (#)", check.remainder),
        ("(#) leaves no remainder when(?: it is)? divided by (#)", check.divisible),
        ("(#) divided by (#) LEAVES no remainder", check.divisible),
        (
            "(?:SMALLEST common multiple|lcm)(?: of| \\() LIST(?: \\))? EQUALS (#)",
            check.least_common,
        ),
    ),
    "factor": (
        ("LIST BEALLNOTA (?:common )?(?P<w>prime )?FACTORS of LIST", check.not_factor),
        ("LIST BEALLA (?:common )?(?P<w>prime )?FACTORS of(?: both)? LIST", check.factor),
        ("LIST BE # of the (?P<w>prime )?FACTORS of (#)", check.factor),
        ("# of the (?P<w>prime )?FACTORS of (#) EQUALS (#)", check.swapped(check.factor)),
        ("(#) has (#) as a (?P<w>prime )?FACTORS", check.swapped(check.factor)),
        ("(?P<w>prime )?FACTORS of (#)SUCH LIST", check.factor_list),
        ("(?P<w>(?:prime )?FACTORS of (#) (?:are|include)) LIST", check.factor_list),
        ("(?P<w>LARGEST|SMALLEST) prime FACTORS of (#) EQUALS (#)", check.extreme_factor),
        (
            "(#) has(?: exactly)? (#) (?P<w>prime )?(?:different |distinct )?(?:factors|divisors)",
            check.factor_count,
        ),
        (
            "(?:LARGEST common FACTORS|gc[df]|hcf)(?: of| \\() LIST(?: \\))? EQUALS (#)",
            check.greatest_common,
        ),
    ),
    "square": (
        ("POWER root of (#) EQUALS (#)", check.root),
        ("(?:√|sqrt(?: of)?)(?: \\()? (#)(?: \\))? EQUALS (#)", check.root),
        ("(#) EQUALS the POWER root of (#)", check.swapped(check.root)),
        ("LIST BEALLNOT(?: a)? perfect (?P<w>squares?|cubes?)", check.not_perfect),
        ("LIST BEALL(?: a)? perfect (?P<w>squares?|cubes?)NUMBER", check.perfect),
        ("LIST BEALL(?: a)? POWER NUMBERS", check.perfect),
        ("(?:perfect|square) (?P<w>squares?|cubes?|NUMBERS)SUCH LIST", check.perfect),
        ("POWER of (#) EQUALS (#)", check.power),
        ("(#) (?P<w>squared|cubed) EQUALS (#)", check.power),
        ("(#) EQUALS the POWER of (#)", check.swapped(check.power)),
        (
            "square (?:[a-z]+ ){0,3}(?:an )?area of (#) (?P<w>square) [a-z]+ (?:[a-z]+ ){0,3}?"
            "(?:sides|side|side length|length) (?:of|is|are|that are) (#)",
            check.root,
        ),
    ),
}
_PIECE = re.compile("|".join(sorted(_PIECES, key=len, reverse=True)))


def _compiled(phrase: str) -> re.Pattern[str]:
    return re.compile(f" {_PIECE.sub(lambda m: _PIECES[m.group()], phrase)} ")


_PATTERNS = {
    kind: tuple((_compiled(phrase), test) for phrase, test in phrases)
    for kind, phrases in _PHRASES.items()
}
# "square" alone is mostly a shape or a unit
_SQUARE = frozenset(("square",))
_SQUARED = re.compile(r" (?:square (?:of|numbers?|integers?)|perfect square|area of #) ")
_GOES_ON = wordset("+ - * / ^ = x times more less fewer % { \\")


def number_theory(reading: Reading, present: set[str]) -> Iterator[Claim]:
    """Yield the claims about primes, multiples, factors and squares that are false.

    Args:
        reading: The problem.
        present: The words that occur in it.
    """
    for kind, patterns in _PATTERNS.items():
        cues = _KIND_CUES[kind] & present
        if not cues or (cues == _SQUARE and not _SQUARED.search(reading.shape)):
            continue
        for pattern, test in patterns:
            for _, match in zip(range(MAX_CLAIMS), pattern.finditer(reading.shape)):
                first = reading.index(match.start() + 1)
                last = first + match.group().strip().count(" ")
                found = _found(reading, match, first, last)
                if found is None or _goes_on(reading.words, last + 1):
                    continue
                reason = test(found)
                if reason and asserted(reading, first):
                    yield Claim(kind, first, last, reason)


def _found(reading: Reading, match: re.Match[str], first: int, last: int) -> Found | None:
    """Return the numbers of the match, ``None`` where one is too large or should be whole."""
    values = reading.values
    inside = [i for i in range(first, last + 1) if i in values]
    if any(abs(values[i].numerator) > MAX_WHOLE for i in inside):
        return None
    named = match.re.groupindex.get("w")
    word = (match.group("w") or "").strip() if named else ""
    groups: list[tuple[int, ...]] = []
    for g in range(1, match.re.groups + 1):
        if g != named and match.start(g) >= 0:
            at = reading.index(match.start(g))
            end = at + match.group(g).count(" ")
            groups.append(tuple(values[i].numerator for i in inside if at <= i <= end))
    groups += [()] * (3 - len(groups))
    places = max((reading.places.get(i, 0) for i in inside), default=0)
    exact = tuple(values[i] for i in inside)
    if places == 0 and any(v.denominator != 1 for v in exact):
        return None
    if places and not _ROOTED.search(match.group()):
        return None
    return Found(groups[0], groups[1], groups[2], word, places, exact)


_ROOTED = re.compile(r" (?:root|√|sqrt|square|cube|squared|cubed) ")


def _goes_on(words: list[str], i: int) -> bool:
    """Whether the number at the end of a claim is only the beginning of an expression."""
    return i < len(words) and words[i] in _GOES_ON
