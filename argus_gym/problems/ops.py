"""The operations a step can perform: exact result, shared misconception, and how it is written.

Every function takes the running value, the operand and the count, and is total: errors carried
through a chain may hand it negative numbers and fractions that no generated problem reaches.
"""

from collections.abc import Callable
from fractions import Fraction
from math import gcd, isqrt, prod
from typing import NamedTuple

__all__ = ["OPS", "Exact", "Op", "exact", "over"]

Exact = int | Fraction
"""An exact number; an integral one is always an ``int``."""

_TRIAL_LIMIT = 1000


def exact(x: Exact) -> Exact:
    """Return ``x`` with an integral fraction turned into an ``int``."""
    return x if type(x) is int or x.denominator != 1 else x.numerator


def over(x: Exact, d: Exact) -> Exact:
    """Return ``x / d`` exactly."""
    if type(x) is int and type(d) is int:
        q, r = divmod(x, d)
        return Fraction(x, d) if r else q
    return exact(Fraction(x) / d)


class Op(NamedTuple):
    """One operation.

    Attributes:
        apply: ``(value, operand, count)`` to the exact result.
        mistake: The same arguments to the result of the shared misconception.
        show: ``(value, operand, count)`` to the left side of the written equation.
        group: ``add`` or ``mul`` where neighbours of the same group may be swapped, else empty.
        modulus: Operand to the number the value must be a multiple of for an integral result.
    """

    apply: Callable[[Exact, Exact, int], Exact]
    mistake: Callable[[Exact, Exact, int], Exact]
    show: Callable[[Exact, Exact, int], str]
    group: str = ""
    modulus: Callable[[Exact], int] = lambda a: 1


def _distance(x: Exact, y: Exact) -> Exact:
    return exact(x - y if x >= y else y - x)


def _part(v: Exact, a: Exact) -> Exact:
    return over(v * a.numerator, a.denominator)


def _rest(v: Exact, a: Exact) -> Exact:
    return over(v * (a.denominator - a.numerator), a.denominator)


def _gcd(v: Exact, a: Exact) -> Exact:
    d, e = v.denominator, a.denominator
    return over(gcd(v.numerator * e, a.numerator * d), d * e)


def _lcm(v: Exact, a: Exact) -> Exact:
    g = _gcd(v, a)
    return over(_distance(v * a, 0), g) if g else 0


def _digits(v: Exact) -> list[int]:
    return [int(c) for c in str(abs(int(v)))]


def _smallest_prime(v: Exact) -> int:
    n = abs(int(v))
    bound = min(isqrt(n), _TRIAL_LIMIT)
    return next((d for d in range(2, bound + 1) if n % d == 0), n)


def _divisors(v: Exact) -> int:
    """Count divisors; a factor with no prime below the trial limit counts as prime."""
    n, count, d = abs(int(v)), 1, 2
    while d * d <= n and d <= _TRIAL_LIMIT:
        power = 1
        while n % d == 0:
            n //= d
            power += 1
        count *= power
        d += 1
    return count * 2 if n > 1 else count


def _fraction_plus_mistake(v: Exact, a: Exact, n: int) -> Exact:
    return over(v.numerator + a.numerator, v.denominator + a.denominator)


def _infix(sign: str) -> Callable[[Exact, Exact, int], str]:
    return lambda v, a, n: f"{v} {sign} {a}"


def _each(sign: str) -> Callable[[Exact, Exact, int], str]:
    return lambda v, a, n: f"{v} {sign} {n} * {a}"


def _percent(p: Exact) -> int:
    return 100 // gcd(100, int(p))


OPS: dict[str, Op] = {
    # Sums. Misconceptions: the wrong direction; counting one of several; time in hundreds.
    "add": Op(lambda v, a, n: exact(v + a), lambda v, a, n: _distance(v, a), _infix("+"), "add"),
    "add_each": Op(
        lambda v, a, n: exact(v + a * n), lambda v, a, n: exact(v + a), _each("+"), "add"
    ),
    "subtract": Op(lambda v, a, n: exact(v - a), lambda v, a, n: exact(v + a), _infix("-"), "add"),
    "subtract_each": Op(
        lambda v, a, n: exact(v - a * n), lambda v, a, n: exact(v - a), _each("-"), "add"
    ),
    "years": Op(lambda v, a, n: exact(v + a), lambda v, a, n: exact(v), _infix("+"), "add"),
    "hours": Op(
        lambda v, a, n: exact(v + 60 * a),
        lambda v, a, n: exact(v + 100 * a),
        lambda v, a, n: f"{v} + {a} * 60",
        "add",
    ),
    "fraction_plus": Op(lambda v, a, n: exact(v + a), _fraction_plus_mistake, _infix("+"), "add"),
    # Products. Misconceptions: adding the factor; dividing; forgetting oneself; the wrong share.
    "times": Op(lambda v, a, n: exact(v * a), lambda v, a, n: exact(v + a), _infix("*"), "mul"),
    "rate_time": Op(lambda v, a, n: exact(v * a), lambda v, a, n: over(v, a), _infix("*"), "mul"),
    "divide": Op(
        lambda v, a, n: over(v, a),
        lambda v, a, n: _distance(v, a),
        _infix("/"),
        "mul",
        lambda a: int(a),
    ),
    "half_as": Op(
        lambda v, a, n: over(v, a),
        lambda v, a, n: exact(v * a),
        _infix("/"),
        "mul",
        lambda a: int(a),
    ),
    "halve_time": Op(
        lambda v, a, n: over(v, a),
        lambda v, a, n: _distance(v, 30),
        _infix("/"),
        "mul",
        lambda a: int(a),
    ),
    "share_with": Op(
        lambda v, a, n: over(v, a + 1),
        lambda v, a, n: over(v, a),
        lambda v, a, n: f"{v} / ({a} + 1)",
        "mul",
        lambda a: int(a) + 1,
    ),
    "fraction_of": Op(
        lambda v, a, n: _part(v, a),
        lambda v, a, n: _rest(v, a),
        _infix("*"),
        "mul",
        lambda a: a.denominator,
    ),
    "fraction_off": Op(
        lambda v, a, n: _rest(v, a),
        lambda v, a, n: _part(v, a),
        lambda v, a, n: f"{v} * {1 - a}",
        "mul",
        lambda a: a.denominator,
    ),
    "fraction_used": Op(
        lambda v, a, n: _rest(v, a),
        lambda v, a, n: _distance(v, a),
        lambda v, a, n: f"{v} * {1 - a}",
        "mul",
        lambda a: a.denominator,
    ),
    "percent_of": Op(
        lambda v, a, n: over(v * a, 100),
        lambda v, a, n: over(v, a),
        lambda v, a, n: f"{v} * {a}/100",
        "mul",
        _percent,
    ),
    "percent_part": Op(
        lambda v, a, n: over(v * a, 100),
        lambda v, a, n: over(v * (100 - a), 100),
        lambda v, a, n: f"{v} * {a}/100",
        "mul",
        _percent,
    ),
    "percent_off": Op(
        lambda v, a, n: over(v * (100 - a), 100),
        lambda v, a, n: over(v * a, 100),
        lambda v, a, n: f"{v} * {100 - a}/100",
        "mul",
        _percent,
    ),
    "percent_spent": Op(
        lambda v, a, n: over(v * (100 - a), 100),
        lambda v, a, n: exact(v - a),
        lambda v, a, n: f"{v} * {100 - a}/100",
        "mul",
        _percent,
    ),
    "percent_up": Op(
        lambda v, a, n: over(v * (100 + a), 100),
        lambda v, a, n: exact(v + a),
        lambda v, a, n: f"{v} * {100 + a}/100",
        "mul",
        _percent,
    ),
    "percent_back": Op(
        lambda v, a, n: over(v * 100, a),
        lambda v, a, n: over(v * a, 100),
        lambda v, a, n: f"{v} * 100/{a}",
        "mul",
        lambda a: int(a) // gcd(100, int(a)),
    ),
    "ratio": Op(
        lambda v, a, n: _part(v, a),
        lambda v, a, n: over(v * a.denominator, a.numerator),
        _infix("*"),
        "mul",
        lambda a: a.denominator,
    ),
    "ratio_total": Op(
        lambda v, a, n: over(v * (a.numerator + a.denominator), a.denominator),
        lambda v, a, n: _part(v, a),
        lambda v, a, n: f"{v} * {1 + a}",
        "mul",
        lambda a: a.denominator,
    ),
    "ratio_part": Op(
        lambda v, a, n: over(v * a.numerator, a.numerator + a.denominator),
        lambda v, a, n: _part(v, a),
        lambda v, a, n: f"{v} * {a / (1 + a)}",
        "mul",
        lambda a: a.numerator + a.denominator,
    ),
    # Means over `count` numbers. Misconceptions: the mean of means; the old count; whole for mean.
    "mean_add": Op(
        lambda v, a, n: over(v * n + a, n + 1),
        lambda v, a, n: over(v + a, 2),
        lambda v, a, n: f"({v} * {n} + {a}) / {n + 1}",
    ),
    "mean_drop": Op(
        lambda v, a, n: over(v * n - a, n - 1),
        lambda v, a, n: over(v * n - a, n),
        lambda v, a, n: f"({v} * {n} - {a}) / {n - 1}",
    ),
    "mean_fix": Op(
        lambda v, a, n: exact(v + over(a, n)),
        lambda v, a, n: exact(v + a),
        lambda v, a, n: f"{v} + {a} / {n}",
        "add",
    ),
    "mean_shift": Op(
        lambda v, a, n: exact(v + a), lambda v, a, n: exact(v + a * n), _infix("+"), "add"
    ),
    "mean_total": Op(
        lambda v, a, n: exact(v * a), lambda v, a, n: exact(v + a), _infix("*"), "mul"
    ),
    # Shapes. Misconceptions: area for perimeter and back.
    "perimeter": Op(lambda v, a, n: exact(v * a), lambda v, a, n: exact(v * v), _infix("*"), "mul"),
    "area": Op(
        lambda v, a, n: exact(v * v), lambda v, a, n: exact(4 * v), lambda v, a, n: f"{v} * {v}"
    ),
    "rectangle": Op(
        lambda v, a, n: exact(v * a), lambda v, a, n: exact(2 * (v + a)), _infix("*"), "mul"
    ),
    "side": Op(
        lambda v, a, n: over(v, a),
        lambda v, a, n: over(v, 2),
        _infix("/"),
        "mul",
        lambda a: int(a),
    ),
    "width": Op(
        lambda v, a, n: over(v, a),
        lambda v, a, n: _distance(over(v, 2), a),
        _infix("/"),
        "mul",
        lambda a: int(a),
    ),
    # Whole numbers. Misconceptions: quotient for remainder, multiple for divisor and so on.
    "remainder": Op(
        lambda v, a, n: exact(v % a), lambda v, a, n: v // a, lambda v, a, n: f"{v} mod {a}"
    ),
    "quotient": Op(
        lambda v, a, n: v // a, lambda v, a, n: exact(v % a), lambda v, a, n: f"{v} div {a}"
    ),
    "gcd": Op(
        lambda v, a, n: _gcd(v, a), lambda v, a, n: _lcm(v, a), lambda v, a, n: f"gcd({v}, {a})"
    ),
    "lcm": Op(
        lambda v, a, n: _lcm(v, a), lambda v, a, n: exact(v * a), lambda v, a, n: f"lcm({v}, {a})"
    ),
    "digit_sum": Op(
        lambda v, a, n: sum(_digits(v)),
        lambda v, a, n: prod(_digits(v)),
        lambda v, a, n: f"digit sum of {v}",
    ),
    "smallest_prime": Op(
        lambda v, a, n: _smallest_prime(v),
        lambda v, a, n: 1,
        lambda v, a, n: f"smallest prime factor of {v}",
    ),
    "divisors": Op(
        lambda v, a, n: _divisors(v),
        lambda v, a, n: _divisors(v) - 2,
        lambda v, a, n: f"number of divisors of {v}",
    ),
    "square": Op(
        lambda v, a, n: exact(v * v), lambda v, a, n: exact(2 * v), lambda v, a, n: f"{v} * {v}"
    ),
    "round_up": Op(
        lambda v, a, n: exact(-(-v // a) * a),
        lambda v, a, n: exact(v // a * a),
        lambda v, a, n: f"{v} up to a multiple of {a}",
    ),
}
