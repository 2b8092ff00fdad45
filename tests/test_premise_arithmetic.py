"""Property tests of the exact claims: what is true passes, what is changed is caught."""

from fractions import Fraction
from math import gcd

import sympy
from hypothesis import given
from hypothesis import strategies as st

from argus_gym.premise import check

WHOLE = st.integers(0, 999)
OFF = st.integers(-20, 20).filter(bool)


def kind_of(text: str) -> str:
    return check(text).kind


@st.composite
def expressions(draw, depth=0):
    """Return an expression of our grammar as text, and its exact value from Python's fractions."""
    shape = draw(st.sampled_from(["number", "number", "sum", "product", "bracket", "power"]))
    if depth > 2 or shape == "number":
        n = draw(st.integers(1, 60))
        return str(n), Fraction(n), 3
    left, a, la = draw(expressions(depth + 1))
    if shape == "bracket":
        return f"({left})", a, 3
    if shape == "power":
        exponent = draw(st.integers(1, 3))
        base = left if la == 3 else f"({left})"
        return f"{base}^{exponent}", a**exponent, 2
    right, b, lb = draw(expressions(depth + 1))
    if shape == "sum":
        sign = draw(st.sampled_from("+-"))
        right = f"({right})" if lb == 0 else right
        return f"{left} {sign} {right}", a + b if sign == "+" else a - b, 0
    sign = draw(st.sampled_from("*/x×÷"))
    if sign in "/÷" and b == 0:
        sign = "*"
    left = f"({left})" if la == 0 else left
    right = f"({right})" if lb < 2 else right
    return f"{left} {sign} {right}", a / b if sign in "/÷" else a * b, 1


@given(expressions(), OFF)
def test_expressions_agree_with_exact_fractions(expression, off):
    text, value, _ = expression
    if text.isdecimal() or abs(value) > 10**9 or value.denominator > 1 or value < 0:
        return
    assert kind_of(f"Note that {text} = {value}.") == ""
    assert kind_of(f"Note that {text} = {value + abs(off)}.") == "equation"


@given(WHOLE, WHOLE, OFF, st.sampled_from(["plus", "+", "minus", "-", "times", "x", "*"]))
def test_equations(a, b, off, sign):
    truth = {"plus": a + b, "+": a + b, "minus": a - b, "-": a - b}.get(sign, a * b)
    assert kind_of(f"Note that {a} {sign} {b} = {truth}.") == ""
    assert kind_of(f"Note that {a} {sign} {b} = {truth + off}.") == "equation"


@given(st.lists(WHOLE, min_size=2, max_size=8), OFF)
def test_sums_in_words(numbers, off):
    listed = f"{', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"
    assert kind_of(f"The sum of {listed} is {sum(numbers)}.") == ""
    assert kind_of(f"The sum of {listed} is {sum(numbers) + off}.") == "equation"


@given(st.integers(1, 300), st.integers(1, 40), st.integers(1, 4))
def test_quotients_may_be_rounded_to_the_places_shown(a, b, places):
    stated = f"{a / b:.{places}f}"
    assert kind_of(f"Note that {a} / {b} = {stated}.") == ""
    wrong = f"{float(stated) + 3 * 10**-places:.{places}f}"
    assert kind_of(f"Note that {a} / {b} = {wrong}.") == "equation"


@given(st.integers(1, 200), st.integers(-300, 300).filter(bool))
def test_ranks_of_primes(rank, off):
    prime = sympy.prime(rank)
    teen = rank % 100 in (11, 12, 13)
    ordinal = f"{rank}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(rank % 10, 'th')}"
    assert kind_of(f"The {ordinal} prime number is {prime}.") == ""
    if prime + off > 0:
        assert kind_of(f"The {ordinal} prime number is {prime + off}.") == "nth_prime"


@given(st.integers(2, 10**6))
def test_primes(n):
    prime = sympy.isprime(n)
    assert kind_of(f"The number {n} is prime.") == ("" if prime else "nth_prime")
    assert kind_of(f"The number {n} is not a prime number.") == ("nth_prime" if prime else "")


@given(st.integers(1, 10**6), st.integers(2, 500))
def test_divisors(n, d):
    divides = n % d == 0
    assert kind_of(f"The number {n} is divisible by {d}.") == ("" if divides else "divisibility")
    assert kind_of(f"The number {n} is a multiple of {d}.") == ("" if divides else "divisibility")
    assert kind_of(f"The number {d} is a factor of {n}.") == ("" if divides else "factor")
    assert kind_of(f"The number {n * d} is divisible by {d}.") == ""
    assert kind_of(f"{n} divided by {d} leaves a remainder of {n % d}.") == ""
    assert kind_of(f"{n} divided by {d} leaves a remainder of {n % d + 1}.") == "divisibility"


@given(st.integers(1, 5000), st.integers(1, 5000), OFF)
def test_common_divisors(a, b, off):
    truth = gcd(a, b)
    assert kind_of(f"The greatest common factor of {a} and {b} is {truth}.") == ""
    if truth + off > 0:
        assert kind_of(f"The greatest common factor of {a} and {b} is {truth + off}.") == "factor"


@given(st.integers(2, 900), OFF)
def test_squares_and_roots(n, off):
    assert kind_of(f"The square of {n} is {n * n}.") == ""
    assert kind_of(f"The square of {n} is {n * n + off}.") == "square"
    assert kind_of(f"The square root of {n * n} is {n}.") == ""
    assert kind_of(f"The square root of {n * n} is {n + abs(off)}.") == "square"
    assert kind_of(f"The number {n * n} is a perfect square.") == ""
    assert kind_of(f"The number {n * n + 1} is a perfect square.") == "square"


@given(st.integers(1, 99), st.integers(1, 99), st.integers(1, 40))
def test_parts_of_a_listed_total(a, b, off):
    text = "There are {} balls: {} red and {} blue."
    assert kind_of(text.format(a + b, a, b)) == ""
    assert kind_of(text.format(a + b + off, a, b)) == "parts_total"


@given(st.integers(2, 900), st.integers(1, 900))
def test_overdraws(n, m):
    text = f"Ida had {n} beads. She gave away {m} beads. How many beads are left?"
    assert kind_of(text) == ("overdraw" if m > n else "")


@given(st.integers(1, 400))
def test_shares_of_a_whole(percent):
    kind = "percentage" if percent > 100 else ""
    assert kind_of(f"In a park {percent}% of the trees are oaks.") == kind


@given(st.integers(1, 40), st.integers(1, 40))
def test_fractions_of_a_whole(p, q):
    assert kind_of(f"{p}/{q} of the trees are oaks.") == ("fraction" if p > q else "")
