import math
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import prime

from argus_gym.problems import (
    FALSE_KINDS,
    FAMILIES,
    FalseProblem,
    Problem,
    falsify,
    generate,
    read,
    truthful,
)

cases = st.tuples(
    st.sampled_from(FAMILIES),
    st.sampled_from(FALSE_KINDS),
    st.integers(1, 8),
    st.integers(0, 2**32 - 1),
)
many = settings(max_examples=300, deadline=None)

ORDINALS = (
    "zeroth",
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
)


def twins(family: str, kind: str, steps: int, seed: int) -> tuple[Problem, FalseProblem, str]:
    problem = generate(family, steps, np.random.default_rng(seed))
    false = falsify(problem, kind, np.random.default_rng(seed))
    return problem, false, truthful(problem, kind, np.random.default_rng(seed))


def claim_of(problem: Problem, text: str) -> str:
    """Return what was worked in: the text less the problem's own sentences."""
    own, sentences = re.split(r"(?<=[.?]) ", problem.text), re.split(r"(?<=[.?]) ", text)
    before = next((i for i, (a, b) in enumerate(zip(own, sentences)) if a != b), len(own))
    return " ".join(sentences[before : before + len(sentences) - len(own)])


def numbers_of(claim: str) -> list[Fraction]:
    return [Fraction(x) for x in re.findall(r"-?\d+(?:\.\d+|/\d+)?", claim)]


def is_equation_true(claim: str) -> bool:
    a, b, c = numbers_of(claim.replace(" - ", " minus "))
    if re.search(r"\+|plus|sum", claim):
        return a + b == c
    if re.search(r" - |minus|difference", claim):
        return a - b == c
    if re.search(r"\*|×|times|product", claim):
        return a * b == c
    assert re.search("/|÷|divided|quotient", claim)
    return a / b == c


def is_nth_prime_true(claim: str) -> bool:
    claim = claim.replace("Counting 2 as the first prime, ", "")
    short = re.search(r"(\d+)(?:st|nd|rd|th)", claim)
    k = (
        int(short.group(1))
        if short
        else next(i for i, w in enumerate(ORDINALS) if re.search(rf"\b{w}\b", claim))
    )
    (p,) = numbers_of(re.sub(r"\d+(?:st|nd|rd|th)", "", claim))
    return prime(k) == p


def is_divisible(claim: str) -> bool:
    n, d = sorted(numbers_of(claim.replace("remainder is 0", "")), reverse=True)
    return n % d == 0


def is_factor_true(claim: str) -> bool:
    if "greatest" in claim:
        n, m, g = (int(x) for x in numbers_of(claim))
        return math.gcd(n, m) == g
    return is_divisible(claim)


def is_square_true(claim: str) -> bool:
    n, *rest = sorted(numbers_of(claim), reverse=True)
    root = math.isqrt(int(n))
    return root * root == n and rest in ([], [root])


def is_percentage_true(claim: str) -> bool:
    return sum(int(x) for x in re.findall(r"(\d+)%", claim)) <= 100


def is_fraction_true(claim: str) -> bool:
    return sum(Fraction(x) for x in re.findall(r"\d+/\d+", claim)) <= 1


def is_parts_total_true(claim: str) -> bool:
    numbers = numbers_of(claim)
    return 2 * max(numbers) == sum(numbers)


def is_overdraw_true(claim: str) -> bool:
    had, taken = numbers_of(claim)
    return taken <= had


def is_indivisible_true(claim: str) -> bool:
    numbers = numbers_of(claim)
    return len(numbers) == 1 and numbers[0].denominator == 1 and numbers[0] > 0


TRUTH = {
    "equation": is_equation_true,
    "nth_prime": is_nth_prime_true,
    "divisibility": is_divisible,
    "factor": is_factor_true,
    "square": is_square_true,
    "percentage": is_percentage_true,
    "fraction": is_fraction_true,
    "parts_total": is_parts_total_true,
    "overdraw": is_overdraw_true,
    "indivisible": is_indivisible_true,
}


def is_true(problem: Problem, kind: str, claim: str) -> bool:
    if kind != "contradiction":
        return TRUTH[kind](claim)
    stated = numbers_of(claim)
    if re.match("Remember|In the beg|At the very|As ment|Originally|At first", claim):
        return stated == numbers_of(problem.text.split(". ")[0])
    assert len(stated) == 2
    return stated[0] == stated[1]


@many
@given(cases)
def test_one_false_sentence_is_worked_in_where_the_span_says(case):
    family, kind, steps, seed = case
    problem, false, _ = twins(family, kind, steps, seed)
    start, end = false.span
    assert 0 <= start < end <= len(false.text)
    claim = false.text[start:end]
    assert claim.endswith(".")
    assert false.text[:start] + false.text[end + 1 :] == problem.text
    assert false.text.endswith("?")
    assert false.kind == kind
    assert read(false.text) is None
    assert not re.search(r"[\[\]{}#@~]", false.text)


@pytest.mark.parametrize("kind", FALSE_KINDS)
def test_false_claims_are_false_and_true_ones_true(kind):
    for seed in range(600):
        problem, false, true = twins(FAMILIES[seed % len(FAMILIES)], kind, 1 + seed % 8, seed)
        claim = claim_of(problem, true)
        assert is_true(problem, kind, claim), claim
        lie = false.text[slice(*false.span)]
        assert not is_true(problem, kind, lie), lie


@many
@given(cases)
def test_twins_differ_in_numbers_only(case):
    family, kind, steps, seed = case
    _, false, true = twins(family, kind, steps, seed)

    def words(text: str) -> str:
        return re.sub(r"-?\d+(?:\.\d+| \d/\d)?", "0", text)

    assert false.text != true
    assert words(false.text) == words(true)


@pytest.mark.parametrize("kind", FALSE_KINDS)
def test_every_kind_has_many_wordings_and_places(kind):
    wordings, places = set(), set()
    for seed in range(500):
        problem, false, _ = twins("shopping", kind, 4, seed)
        claim = false.text[slice(*false.span)]
        claim = re.sub(r"\b(?:[A-Z][a-z]+|school|museum|camp|hotel|factory|club)\b", "", claim)
        wordings.add(re.sub(r"\d+\S*|\b\w+(?:th|st|nd|rd)\b", "0", claim))
        places.add(problem.text.count(". ") - false.text[false.span[1] :].count(". "))
    assert len(wordings) >= 6
    assert len(places) >= 4


@pytest.mark.parametrize("kind", FALSE_KINDS)
def test_falsify_is_deterministic_and_fits_every_family(kind):
    for family in FAMILIES:
        for steps in (1, 8):
            assert twins(family, kind, steps, 4) == twins(family, kind, steps, 4)


def test_half_of_the_contradictions_concern_the_problem_itself():
    own = 0
    for seed in range(300):
        problem, false, _ = twins(FAMILIES[seed % 12], "contradiction", 3, seed)
        claim = false.text[slice(*false.span)]
        start = numbers_of(problem.text.split(". ")[0])
        own += bool(re.match("Remember|In the beg|At the very|As ment|Originally|At first", claim))
        assert numbers_of(claim) != start
    assert 110 <= own <= 190


def test_a_foreign_problem_can_be_falsified():
    foreign = Problem("Two cats nap. How many naps are there?", "shopping", 1, (), ())
    for kind in FALSE_KINDS:
        false = falsify(foreign, kind, np.random.default_rng(1))
        assert not is_true(foreign, kind, false.text[slice(*false.span)])


def test_an_unknown_kind_is_named():
    problem = generate("ages", 2, np.random.default_rng(0))
    for function in (falsify, truthful):
        with pytest.raises(ValueError, match=r"kind must be one of .* got 'rumour'"):
            function(problem, "rumour", np.random.default_rng(0))


def test_the_page_shows_what_is_worked_in():
    page = (Path(__file__).parents[1] / "docs" / "problems.md").read_text("utf-8")
    for family, kind in zip(FAMILIES, FALSE_KINDS):
        problem, false, true = twins(family, kind, 2, 7)
        lie = false.text[slice(*false.span)]
        assert f"| `{kind}` | {lie} | {claim_of(problem, true)} |" in page
