"""Kinds ``nth_prime``, ``divisibility``, ``factor`` and ``square``: claims about whole numbers."""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from math import gcd, isqrt, lcm
from typing import Any, NamedTuple

from argus_gym.premise.claims import MAX_CLAIMS, Claim, asserted
from argus_gym.premise.numerals import Value
from argus_gym.premise.reading import Reading

__all__ = ["CUES", "number_theory"]

_CUES = {
    "nth_prime": frozenset("prime primes composite".split()),
    "divisibility": frozenset(
        "divisible multiple multiples divides divide divided remainder dividing goes lcm even odd"
        .split()
    ),
    "factor": frozenset("factor factors divisor divisors gcd gcf hcf".split()),
    "square": frozenset("square squares squared cube cubes cubed root sqrt √".split()),
}
CUES = frozenset().union(*_CUES.values())
"""No claim of these kinds is made without one of these words."""

MAX_RANK = 2_000
"""Claims about primes of a higher rank are not checked."""
MAX_WHOLE = 10**12
"""Claims about larger whole numbers are not checked."""


@lru_cache(maxsize=1)
def _sympy() -> Any:
    import sympy

    return sympy


class Found(NamedTuple):
    """What a pattern found: the whole numbers of each group, in order, and what else it needs."""

    a: tuple[int, ...]
    b: tuple[int, ...]
    c: tuple[int, ...]
    word: str
    places: int
    exact: tuple[Value, ...]


Check = Callable[[Found], str]
"""Returns why the claim is false, or nothing where it is true or cannot be checked."""


def _prime(n: int) -> bool:
    return bool(_sympy().isprime(n))


def _nth(n: int) -> int:
    return int(_sympy().prime(n)) if 1 <= n <= MAX_RANK else 0


def _nth_prime(f: Found) -> str:
    truth = _nth(f.a[0])
    return f"prime number {f.a[0]} is {truth}" if truth and truth != f.b[0] else ""


def _nth_prime_reversed(f: Found) -> str:
    return _nth_prime(f._replace(a=f.b, b=f.a))


def _all_prime(f: Found) -> str:
    wrong = next((n for n in f.a if not _prime(n)), None)
    return f"{wrong} is not a prime number" if wrong is not None else ""


def _none_prime(f: Found) -> str:
    wrong = next((n for n in f.a if _prime(n)), None)
    return f"{wrong} is a prime number" if wrong is not None else ""


def _prime_count(f: Found) -> str:
    if f.b[0] > 10**5:
        return ""
    below = f.b[0] - (f.word in ("less than", "below", "under", "smaller than"))
    truth = int(_sympy().primepi(below))
    return f"there are {truth}" if truth != f.a[0] else ""


def _extreme_prime(f: Found) -> str:
    largest = f.word.startswith("larg") or f.word.startswith("great")
    if f.a[0] < 3 and largest:
        return ""
    truth = int(_sympy().prevprime(f.a[0]) if largest else _sympy().nextprime(f.a[0]))
    return f"it is {truth}" if truth != f.b[0] else ""


def _divisible(f: Found) -> str:
    for n in f.a:
        for d in f.b:
            if d and n % d:
                return f"{n} is not divisible by {d}"
    return ""


def _divides(f: Found) -> str:
    return _divisible(f._replace(a=f.b, b=f.a))


def _not_divisible(f: Found) -> str:
    if all(d and n % d == 0 for n in f.a for d in f.b):
        return f"{f.a[0]} is divisible by {f.b[0]}"
    return ""


def _not_divides(f: Found) -> str:
    return _not_divisible(f._replace(a=f.b, b=f.a))


def _parity(f: Found) -> str:
    wrong = next((n for n in f.a if n % 2 == (f.word == "even")), None)
    return f"{wrong} is {'odd' if f.word == 'even' else 'even'}" if wrong is not None else ""


def _not_parity(f: Found) -> str:
    return _parity(f._replace(word="odd" if f.word == "even" else "even"))


def _remainder(f: Found) -> str:
    n, d, rest = f.a[0], f.b[0], f.c[0]
    return f"the remainder is {n % d}" if d and n % d != rest else ""


def _rest_first(f: Found) -> str:
    return _remainder(f._replace(b=f.c, c=f.b))


def _clean_division(f: Found) -> str:
    return _divisible(f)


def _lcm(f: Found) -> str:
    truth = lcm(*f.a)
    return f"it is {truth}" if truth != f.b[0] else ""


def _gcd(f: Found) -> str:
    truth = gcd(*f.a)
    return f"it is {truth}" if truth != f.b[0] else ""


def _factor(f: Found) -> str:
    for d in f.a:
        for n in f.b:
            if n and (d == 0 or n % d):
                return f"{d} does not divide {n}"
            if f.word == "prime" and not _prime(d):
                return f"{d} is not prime"
    return ""


def _has_factor(f: Found) -> str:
    return _factor(f._replace(a=f.b, b=f.a))


def _not_factor(f: Found) -> str:
    if f.word == "prime" or not all(n and d and n % d == 0 for d in f.a for n in f.b):
        return ""
    return f"{f.a[0]} divides {f.b[0]}"


def _factor_list(f: Found) -> str:
    n = f.a[0]
    if n < 1 or n > 10**9:
        return ""
    prime = f.word.startswith("prime")
    truth = set(_sympy().primefactors(n) if prime else _sympy().divisors(n))
    wrong = next((d for d in f.b if d not in truth), None)
    if wrong is not None:
        return f"{wrong} is not among them"
    complete = f.word.endswith("are") and len(f.b) > 1
    missing = sorted(truth - set(f.b) - {1, n})
    return f"{missing[0]} is missing" if complete and missing else ""


def _factor_count(f: Found) -> str:
    n = f.a[0]
    if n < 1 or n > 10**9:
        return ""
    truth = len(_sympy().primefactors(n)) if f.word == "prime" else _sympy().divisor_count(n)
    if f.word == "prime" and f.b[0] == sum(_sympy().factorint(n).values()):
        return ""
    return f"it has {truth}" if truth != f.b[0] else ""


def _extreme_factor(f: Found) -> str:
    n = f.a[0]
    if n < 2 or n > 10**9:
        return ""
    factors = _sympy().primefactors(n)
    truth = factors[-1] if f.word in ("largest", "greatest", "biggest") else factors[0]
    return f"it is {truth}" if truth != f.b[0] else ""


def _root(f: Found) -> str:
    power = 3 if f.word.startswith("cube") else 2
    base, stated = f.exact[0], f.exact[-1]
    if base < 0 or abs(stated) ** power == base:
        return ""
    if f.places:
        step = type(stated)(1) / 10**f.places
        if (abs(stated) - step) ** power < base < (abs(stated) + step) ** power:
            return ""
    return f"{stated} to the power of {power} is {stated**power}"


def _is_root(f: Found) -> str:
    return _root(f._replace(exact=f.exact[::-1]))


def _is_power(n: int, word: str) -> bool:
    if word.startswith("cube"):
        root = round(abs(n) ** (1 / 3))
        return any((root + k) ** 3 == abs(n) for k in (-1, 0, 1))
    return n >= 0 and isqrt(n) ** 2 == n


def _perfect(f: Found) -> str:
    wrong = next((n for n in f.a if not _is_power(n, f.word)), None)
    return f"{wrong} is not a perfect {f.word.rstrip('s')}" if wrong is not None else ""


def _not_perfect(f: Found) -> str:
    wrong = next((n for n in f.a if _is_power(n, f.word)), None)
    return f"{wrong} is a perfect {f.word.rstrip('s')}" if wrong is not None else ""


def _power(f: Found) -> str:
    truth = f.exact[0] ** (3 if f.word.startswith("cube") else 2)
    return f"it is {truth}" if truth != f.exact[-1] else ""


def _is_power_of(f: Found) -> str:
    return _power(f._replace(exact=f.exact[::-1]))


_N = "(?:numbers?|integers?)"
_LIST = "(#(?:(?: ,)?(?: and| or)? #){0,11})"
_IS = "(?:, )?(?:is|are|was|were|being)"
_BOTH = "(?: both| all| each| also| exactly| evenly| itself)?"
_NOT = "(?: not|n't)"
_THE = "(?: the| a| an)?"
_SUCH = "(?: such as| like| namely| , namely| , such as| , like|)"
_END = r"(?= [.,;:?!)]| and | so | but | since | because | which | that | it )"
_GREAT = "(?:greatest|largest|highest|biggest)"
_SMALL = "(?:smallest|least|lowest)"
_EQUALS = "(?:is|equals|=|was)(?: equal to| exactly)?"

_TABLE: tuple[tuple[str, str, Check], ...] = (
    ("nth_prime", rf" (@) (?:smallest )?prime(?: number)?(?: {_EQUALS}| ,| :| \() (#) ", _nth_prime),
    ("nth_prime", rf" (@) (?:smallest )?prime(?: number)? , (?:which|that) {_EQUALS} (#) ", _nth_prime),
    ("nth_prime", rf" (#)(?: ,)? {_IS} the (@) (?:smallest )?prime(?: number)? ", _nth_prime_reversed),
    ("nth_prime", r" (#) ,? ?(?:(?:because|since|as|and) it is )?the (@) (?:smallest )?prime ",
     _nth_prime_reversed),
    ("nth_prime", rf" prime(?: number)? number (#) {_EQUALS} (#) ", _nth_prime),
    ("nth_prime", rf" {_LIST} {_IS}{_BOTH}{_NOT}{_THE} (?:odd |even )?primes?(?: {_N})?{_END}",
     _none_prime),
    ("nth_prime", rf" {_LIST} {_IS}{_BOTH}{_THE} (?:odd |even )?primes?(?: {_N})?{_END}", _all_prime),
    ("nth_prime", rf" {_LIST} {_IS}{_BOTH}{_THE} composite(?: {_N})?{_END}", _none_prime),
    ("nth_prime", rf"(?<! @)(?<! first) (?:primes|primes? {_N}){_SUCH} {_LIST} ", _all_prime),
    ("nth_prime", rf" composite {_N}{_SUCH} {_LIST} ", _none_prime),
    ("nth_prime", rf" there are(?: exactly)? (#) primes?(?: {_N})? "
     r"(?P<w>less than|below|under|smaller than|up to|not exceeding|at most) (#) ", _prime_count),
    ("nth_prime", rf" (?P<w>{_GREAT}) prime(?: number)? (?:less|smaller|lower) than (#) {_EQUALS} (#) ",
     _extreme_prime),
    ("nth_prime", rf" (?P<w>{_GREAT}) prime(?: number)? (?:below|under) (#) {_EQUALS} (#) ",
     _extreme_prime),
    ("nth_prime", rf" (?P<w>{_SMALL}) prime(?: number)? (?:above|over) (#) {_EQUALS} (#) ",
     _extreme_prime),
    ("nth_prime",
     rf" (?P<w>{_SMALL}) prime(?: number)? (?:greater|larger|more|bigger) than (#) {_EQUALS} (#) ",
     _extreme_prime),
    ("divisibility", rf" {_LIST} {_IS}{_BOTH}{_NOT}(?: evenly| exactly)? divisible by {_LIST} ",
     _not_divisible),
    ("divisibility", rf" {_LIST} {_IS}{_BOTH}(?: evenly| exactly)? divisible by(?: both)? {_LIST} ",
     _divisible),
    ("divisibility", rf" {_LIST} {_IS}{_BOTH}{_NOT}{_THE} multiples? of {_LIST} ", _not_divisible),
    ("divisibility", rf" {_LIST} {_IS}{_BOTH}{_THE} (?:common )?multiples? of(?: both)? {_LIST} ",
     _divisible),
    ("divisibility", rf" {_LIST} can be(?: evenly| exactly)? divided(?: evenly| exactly)? by {_LIST}"
     r"(?: evenly| exactly| without (?:a |any )?remainder) ", _divisible),
    ("divisibility", rf" dividing (#) by (#) (?:leaves|gives|has) no remainder ", _divisible),
    ("divisibility", rf" dividing (#) by (#) (?:leaves|gives|has)(?: a)? remainder(?: of)? (#) ",
     _remainder),
    ("divisibility", rf" {_LIST} can be (?:evenly|exactly) divided by {_LIST} ", _divisible),
    ("divisibility", rf" {_N} divisible by (#){_SUCH} {_LIST} ", _divides),
    ("divisibility", rf" multiples? of (#)(?: such as| like| namely| , namely| , such as) {_LIST} ",
     _divides),
    ("divisibility", rf" (?P<w>even|odd) {_N}{_SUCH} {_LIST} ", _parity),
    ("divisibility", rf" {_LIST} {_IS}{_BOTH}{_NOT}(?: an)? (?P<w>even|odd) {_N} ", _not_parity),
    ("divisibility", rf" {_LIST} {_IS}{_BOTH}(?: an)? (?P<w>even|odd) {_N} ", _parity),
    ("divisibility", rf" {_LIST} is{_NOT} (?P<w>even|odd){_END}", _not_parity),
    ("divisibility", rf" {_LIST} is (?P<w>even|odd){_END}", _parity),
    ("divisibility", rf" {_LIST} are both (?P<w>even|odd){_END}", _parity),
    ("divisibility", rf" (#) (?:evenly |exactly )?divides {_LIST} ", _divides),
    ("divisibility", rf" (#) (?:does not|doesn't) (?:evenly )?divide {_LIST} ", _not_divides),
    ("divisibility", rf" (#) goes (?:evenly |exactly )?into {_LIST} (?:evenly |exactly )?", _divides),
    ("divisibility", r" (#) divided by (#) (?:leaves|gives|has)(?: a)? remainder(?: of)? (#) ",
     _remainder),
    ("divisibility", r" (#) leaves(?: a)? remainder(?: of)? (#) when(?: it is)? divided by (#) ",
     _rest_first),
    ("divisibility", rf" remainder (?:when|of|after)(?: dividing)? (#)(?: is)? (?:divided )?by (#) {_EQUALS} (#) ",
     _remainder),
    ("divisibility", rf" when (#) is divided by (#) ,? ?the remainder {_EQUALS} (#) ", _remainder),
    ("divisibility", r" (#) leaves no remainder when(?: it is)? divided by (#) ", _clean_division),
    ("divisibility", r" (#) divided by (#) (?:leaves|has) no remainder ", _clean_division),
    ("divisibility",
     rf" (?:(?:{_SMALL}|lowest) common multiple|lcm)(?: of| \() {_LIST}(?: \))? {_EQUALS} (#) ", _lcm),
    ("factor", rf" {_LIST} {_IS}{_BOTH}{_NOT}{_THE} (?:common )?(?P<w>prime )?(?:factors?|divisors?)"
     rf" of {_LIST} ", _not_factor),
    ("factor", rf" {_LIST} {_IS}{_BOTH}{_THE} (?:common )?(?P<w>prime )?(?:factors?|divisors?)"
     rf" of(?: both)? {_LIST} ", _factor),
    ("factor", rf" {_LIST} {_IS} # of the (?P<w>prime )?(?:factors|divisors) of (#) ", _factor),
    ("factor", rf" # of the (?P<w>prime )?(?:factors|divisors) of (#) {_EQUALS} (#) ", _has_factor),
    ("factor", r" (#) has (#) as a (?P<w>prime )?(?:factor|divisor) ", _has_factor),
    ("factor", rf" (?P<w>prime )?(?:factors?|divisors?) of (#){_SUCH} {_LIST} ", _factor_list),
    ("factor", rf" (?P<w>(?:prime )?(?:factors|divisors) of (#) (?:are|include)) {_LIST} ", _factor_list),
    ("factor", rf" (?P<w>{_GREAT}|{_SMALL}) prime (?:factor|divisor) of (#) {_EQUALS} (#) ",
     _extreme_factor),
    ("factor", r" (#) has(?: exactly)? (#) (?P<w>prime )?(?:different |distinct )?(?:factors|divisors) ",
     _factor_count),
    ("factor", rf" (?:{_GREAT} common (?:factor|divisor)|gc[df]|hcf)(?: of| \() {_LIST}(?: \))? "
     rf"{_EQUALS} (#) ", _gcd),
    ("square", rf" (?P<w>square|cube) root of (#) {_EQUALS} (#) ", _root),
    ("square", rf" (?:√|sqrt(?: of)?)(?: \()? (#)(?: \))? {_EQUALS} (#) ", _root),
    ("square", rf" (#) {_EQUALS} the (?P<w>square|cube) root of (#) ", _is_root),
    ("square", rf" {_LIST} {_IS}{_BOTH}{_NOT}(?: a)? perfect (?P<w>squares?|cubes?) ", _not_perfect),
    ("square", rf" {_LIST} {_IS}{_BOTH}(?: a)? perfect (?P<w>squares?|cubes?)(?: {_N})? ", _perfect),
    ("square", rf" {_LIST} {_IS}{_BOTH}(?: a)? (?P<w>square|cube) {_N} ", _perfect),
    ("square", rf" (?:perfect|square) (?P<w>squares?|cubes?|{_N}){_SUCH} {_LIST} ", _perfect),
    ("square", rf" (?P<w>square|cube) of (#) {_EQUALS} (#) ", _power),
    ("square", rf" (#) (?P<w>squared|cubed) {_EQUALS} (#) ", _power),
    ("square", rf" (#) {_EQUALS} the (?P<w>square|cube) of (#) ", _is_power_of),
    ("square", r" square (?:[a-z]+ ){0,3}(?:an )?area of (#) (?P<w>square) [a-z]+ (?:[a-z]+ ){0,3}?"
     r"(?:sides|side|side length|length) (?:of|is|are|that are) (#) ", _root),
)  # fmt: skip
_PATTERNS = tuple((kind, re.compile(pattern), check) for kind, pattern, check in _TABLE)
_FRACTIONAL = frozenset((_root, _is_root, _power, _is_power_of))


def number_theory(reading: Reading, present: set[str]) -> Iterator[Claim]:
    """Yield the claims about primes, multiples, factors and squares that are false.

    Args:
        reading: The problem.
        present: The words that occur in it.
    """
    for kind, pattern, check in _PATTERNS:
        if _CUES[kind].isdisjoint(present):
            continue
        for _, match in zip(range(MAX_CLAIMS), pattern.finditer(reading.shape)):
            found, first, last = _found(reading, match)
            if found is None or _more(reading.words, last + 1):
                continue
            if check not in _FRACTIONAL and any(v.denominator != 1 for v in found.exact):
                continue
            reason = check(found)
            if reason and asserted(reading, first):
                yield Claim(kind, first, last, reason)


def _found(reading: Reading, match: re.Match[str]) -> tuple[Found | None, int, int]:
    first = reading.index(match.start() + 1)
    last = first + match.group().strip().count(" ")
    values = reading.values
    exact = tuple(values[i] for i in range(first, last + 1) if i in values)
    if any(abs(v.numerator) > MAX_WHOLE for v in exact):
        return None, first, last
    word = (match.groupdict().get("w") or "").strip()
    named = match.re.groupindex.get("w")
    groups = []
    for g in range(1, match.re.groups + 1):
        if g != named and match.start(g) >= 0:
            at = reading.index(match.start(g))
            groups.append(tuple(
                values[i].numerator
                for i in range(at, at + match.group(g).count(" ") + 1)
                if i in values
            ))  # fmt: skip
    groups += [()] * (3 - len(groups))
    places = max((reading.places.get(i, 0) for i in range(first, last + 1)), default=0)
    return Found(groups[0], groups[1], groups[2], word, places, exact), first, last


_GOES_ON = frozenset("+ - * / ^ = x times more less fewer % { \\".split())


def _more(words: list[str], i: int) -> bool:
    """Whether the number at the end of a claim is only the beginning of an expression."""
    return i < len(words) and words[i] in _GOES_ON
