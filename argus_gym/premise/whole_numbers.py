"""Checks of claims about whole numbers; each says why a claim is false, or nothing."""

from collections.abc import Callable
from functools import lru_cache
from math import gcd, isqrt, lcm
from typing import Any, NamedTuple

from argus_gym.premise.arithmetic import exact
from argus_gym.premise.numerals import Value

__all__ = [
    "MAX_WHOLE",
    "Check",
    "Found",
    "all_prime",
    "divisible",
    "extreme_factor",
    "extreme_prime",
    "factor",
    "factor_count",
    "factor_list",
    "greatest_common",
    "least_common",
    "none_prime",
    "not_divisible",
    "not_factor",
    "not_parity",
    "not_perfect",
    "nth_prime",
    "parity",
    "perfect",
    "power",
    "prime_count",
    "remainder",
    "rest_first",
    "root",
    "swapped",
]

MAX_RANK = 2_000
"""Claims about primes of a higher rank are not checked."""
MAX_WHOLE = 10**12
"""Claims about larger whole numbers are not checked."""
MAX_FACTORED = 10**9
"""Claims about all the factors of a larger number are not checked."""
MAX_COUNTED = 10**5
"""Claims about how many primes there are up to a larger number are not checked."""


class Found(NamedTuple):
    """What a pattern found.

    Attributes:
        a: The whole numbers of its first group, in order.
        b: Those of its second group.
        c: Those of its third group.
        word: The word that says what is claimed (``even``, ``prime``, ``cube``, ``largest``).
        places: Digits after the decimal point of the most precise number.
        values: All numbers of the claim, in order.
    """

    a: tuple[int, ...]
    b: tuple[int, ...]
    c: tuple[int, ...]
    word: str
    places: int
    values: tuple[Value, ...]


Check = Callable[[Found], str]
"""Returns why the claim is false; nothing where it is true or is not checked."""


@lru_cache(maxsize=1)
def _sympy() -> Any:
    import sympy

    return sympy


def swapped(check: Check) -> Check:
    """Return ``check`` for a phrase that names its numbers in the other order."""
    return lambda f: check(f._replace(a=f.b, b=f.a, values=f.values[::-1]))


def nth_prime(f: Found) -> str:
    """The a-th prime is b."""
    rank, stated = f.a[0], f.b[0]
    truth = int(_sympy().prime(rank)) if 1 <= rank <= MAX_RANK else stated
    return f"prime number {rank} is {truth}" if truth != stated else ""


def all_prime(f: Found) -> str:
    """All of a are prime."""
    wrong = next((n for n in f.a if not _sympy().isprime(n)), None)
    return f"{wrong} is not a prime number" if wrong is not None else ""


def none_prime(f: Found) -> str:
    """None of a is prime."""
    wrong = next((n for n in f.a if _sympy().isprime(n)), None)
    return f"{wrong} is a prime number" if wrong is not None else ""


def prime_count(f: Found) -> str:
    """There are a primes below b, or up to b."""
    limit = f.b[0] - (f.word in ("less than", "below", "under", "smaller than"))
    if limit > MAX_COUNTED:
        return ""
    truth = int(_sympy().primepi(limit))
    return f"there are {truth}" if truth != f.a[0] else ""


def extreme_prime(f: Found) -> str:
    """The largest prime below a, or the smallest above a, is b."""
    if f.word in ("smallest", "least", "lowest"):
        truth = int(_sympy().nextprime(f.a[0]))
    elif f.a[0] > 2:
        truth = int(_sympy().prevprime(f.a[0]))
    else:
        return ""
    return f"it is {truth}" if truth != f.b[0] else ""


def divisible(f: Found) -> str:
    """Each of a is divisible by each of b."""
    wrong = next(((n, d) for n in f.a for d in f.b if d and n % d), None)
    return f"{wrong[0]} is not divisible by {wrong[1]}" if wrong else ""


def not_divisible(f: Found) -> str:
    """No number of a is divisible by all of b."""
    if all(d and n % d == 0 for n in f.a for d in f.b):
        return f"{f.a[0]} is divisible by {f.b[0]}"
    return ""


def parity(f: Found) -> str:
    """All of a are even, or odd."""
    wrong = next((n for n in f.a if n % 2 == (f.word == "even")), None)
    return f"{wrong} is {'odd' if f.word == 'even' else 'even'}" if wrong is not None else ""


def not_parity(f: Found) -> str:
    """None of a is even, or odd."""
    return parity(f._replace(word="odd" if f.word == "even" else "even"))


def remainder(f: Found) -> str:
    """A divided by b leaves c."""
    n, d, rest = f.a[0], f.b[0], f.c[0]
    return f"the remainder is {n % d}" if d and n % d != rest else ""


def rest_first(f: Found) -> str:
    """A leaves b when divided by c."""
    return remainder(f._replace(b=f.c, c=f.b))


def least_common(f: Found) -> str:
    """The least common multiple of a is b."""
    truth = lcm(*f.a)
    return f"it is {truth}" if truth != f.b[0] else ""


def greatest_common(f: Found) -> str:
    """The greatest common divisor of a is b."""
    truth = gcd(*f.a)
    return f"it is {truth}" if truth != f.b[0] else ""


def factor(f: Found) -> str:
    """Each of a is a factor, or a prime factor, of each of b."""
    for d in f.a:
        for n in f.b:
            if n and (d == 0 or n % d):
                return f"{d} does not divide {n}"
            if f.word == "prime" and not _sympy().isprime(d):
                return f"{d} is not prime"
    return ""


def not_factor(f: Found) -> str:
    """None of a is a factor of all of b."""
    if f.word == "prime" or not all(n and d and n % d == 0 for d in f.a for n in f.b):
        return ""
    return f"{f.a[0]} divides {f.b[0]}"


def factor_list(f: Found) -> str:
    """The factors of a are b: all of them where the word ends in "are"."""
    n = f.a[0]
    if not 1 <= n <= MAX_FACTORED:
        return ""
    prime = f.word.startswith("prime")
    truth = set(_sympy().primefactors(n) if prime else _sympy().divisors(n))
    wrong = next((d for d in f.b if d not in truth), None)
    if wrong is not None:
        return f"{wrong} is not among them"
    missing = sorted(truth - set(f.b) - {1, n})
    complete = f.word.endswith("are") and len(f.b) > 1
    return f"{missing[0]} is missing" if complete and missing else ""


def factor_count(f: Found) -> str:
    """A has b factors, or prime factors."""
    n, stated = f.a[0], f.b[0]
    if not 1 <= n <= MAX_FACTORED:
        return ""
    if f.word == "prime":
        powers = _sympy().factorint(n)
        # "12 has 3 prime factors" may count 2 twice
        truth = {len(powers), sum(powers.values())}
    else:
        truth = {int(_sympy().divisor_count(n))}
    return f"it has {min(truth)}" if stated not in truth else ""


def extreme_factor(f: Found) -> str:
    """The largest, or smallest, prime factor of a is b."""
    n = f.a[0]
    if not 2 <= n <= MAX_FACTORED:
        return ""
    factors = _sympy().primefactors(n)
    truth = factors[0] if f.word in ("smallest", "least", "lowest") else factors[-1]
    return f"it is {truth}" if truth != f.b[0] else ""


def root(f: Found) -> str:
    """The square or cube root of the first value is the last, rounded to its places."""
    degree = 3 if f.word.startswith("cube") else 2
    base, stated = f.values[0], f.values[-1]
    size = abs(exact(stated))
    if base < 0 or size**degree == exact(base):
        return ""
    if f.places:
        step = exact(1) / 10**f.places
        if (size - step) ** degree < exact(base) < (size + step) ** degree:
            return ""
    return f"{stated} to the power of {degree} is {size**degree}"


def power(f: Found) -> str:
    """The square or cube of the first value is the last."""
    truth = f.values[0] ** (3 if f.word.startswith("cube") else 2)
    return f"it is {truth}" if truth != f.values[-1] else ""


def _is_power(n: int, word: str) -> bool:
    if word.startswith("cube"):
        near = round(abs(n) ** (1 / 3))
        return any((near + k) ** 3 == abs(n) for k in (-1, 0, 1))
    return n >= 0 and isqrt(n) ** 2 == n


def perfect(f: Found) -> str:
    """All of a are perfect squares, or cubes."""
    wrong = next((n for n in f.a if not _is_power(n, f.word)), None)
    return f"{wrong} is not a perfect {_shape(f)}" if wrong is not None else ""


def not_perfect(f: Found) -> str:
    """None of a is a perfect square, or cube."""
    wrong = next((n for n in f.a if _is_power(n, f.word)), None)
    return f"{wrong} is a perfect {_shape(f)}" if wrong is not None else ""


def _shape(f: Found) -> str:
    return "cube" if f.word.startswith("cube") else "square"
