"""The premise validator: each kind fires on several phrasings and stays quiet on near misses."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argus_gym.premise import KINDS, Premise, check
from argus_gym.problems import FAMILIES, generate
from argus_gym.problems.falsify import FALSE_KINDS, falsify, truthful

# kind, text, a piece of the claim that the span must touch
FALSE = [
    ("equation", "Since 7 x 8 = 54, Ida buys 54 pens. How many pens does she have?", "7 x 8 = 54"),
    ("equation", "A note says that 12 plus 9 is 25. Ida reads it.", "12 plus 9 is 25"),
    ("equation", "If the sum of 14 and 9 is 25, how many pens are there?", "14 and 9 is 25"),
    ("equation", "Knowing that 100 / 4 = 20, Ann packs 20 boxes.", "100 / 4 = 20"),
    ("equation", "Half of 18 is 8, so each child gets 8 stickers.", "Half of 18 is 8"),
    ("equation", "Twice 15 equals 35.", "15 equals 35"),
    ("equation", "Forty minus twelve equals twenty-six.", "minus twelve"),
    ("equation", "The difference of 30 and 12 is 20.", "30 and 12 is 20"),
    ("equation", "The quotient of 20 and 5 is 3.", "20 and 5 is 3"),
    ("equation", "The average of 4, 6 and 8 is 7.", "4, 6 and 8 is 7"),
    ("equation", "20% of 50 is 15.", "20% of 50 is 15"),
    ("equation", "We use (2 + 3) * 4 = 24 here.", "* 4 = 24"),
    ("equation", "Then 2^5 = 30.", "2^5 = 30"),
    ("equation", "It is known that 3 + 4 = 7 = 8.", "7 = 8"),
    ("equation", "As 1/2 + 1/3 = 2/5, the jug is not full.", "1/3 = 2/5"),
    ("equation", "As −3 + 5 = 3, the lift goes up.", "5 = 3"),
    ("nth_prime", "The 5th prime number is 13.", "5th prime number is 13"),
    ("nth_prime", "The third prime is 7.", "third prime is 7"),
    ("nth_prime", "His locker has number 20, the eighth prime number.", "eighth prime"),
    ("nth_prime", "Since 15 is a prime number, it cannot be split.", "15 is a prime"),
    ("nth_prime", "Choose a prime number such as 21.", "prime number such as 21"),
    ("nth_prime", "Both 9 and 11 are prime numbers.", "9 and 11 are prime"),
    ("nth_prime", "There are 7 primes less than 20.", "7 primes less than 20"),
    ("nth_prime", "The largest prime less than 20 is 17.", "less than 20 is 17"),
    ("nth_prime", "7 is not a prime number.", "7 is not a prime"),
    ("divisibility", "17 is divisible by 5.", "17 is divisible by 5"),
    ("divisibility", "27 is a multiple of 4, so the boxes are full.", "27 is a multiple"),
    ("divisibility", "Pick an even number such as 7.", "even number such as 7"),
    ("divisibility", "The number 9 is an even number.", "9 is an even"),
    ("divisibility", "5 divides 17.", "5 divides 17"),
    ("divisibility", "When 17 is divided by 5, the remainder is 3.", "remainder is 3"),
    ("divisibility", "The least common multiple of 4 and 6 is 24.", "4 and 6 is 24"),
    ("divisibility", "20 is not divisible by 5.", "20 is not divisible"),
    ("factor", "6 is a factor of 20.", "6 is a factor of 20"),
    ("factor", "The greatest common divisor of 12 and 18 is 4.", "12 and 18 is 4"),
    ("factor", "The factors of 10 are 1, 2, 4, 5 and 10.", "factors of 10"),
    ("factor", "The factors of 12 are 1, 2, 3, 4 and 12.", "factors of 12"),
    ("factor", "One of the divisors of 20 is 6.", "divisors of 20 is 6"),
    ("factor", "The largest prime factor of 12 is 2.", "prime factor of 12 is 2"),
    ("square", "The square root of 50 is 7.", "square root of 50 is 7"),
    ("square", "30 is a perfect square.", "30 is a perfect square"),
    ("square", "The square of 6 is 35.", "square of 6 is 35"),
    ("square", "9 squared is 80.", "9 squared is 80"),
    ("square", "The cube root of 27 is 4.", "cube root of 27 is 4"),
    ("square", "Note that √50 = 7.", "√50 = 7"),
    ("percentage", "At a school 120% of the students are girls.", "120% of the students"),
    ("percentage", "Ben spent 130% of the cookies on his friends.", "130% of the cookies"),
    ("percentage", "Tom gave 125 percent of his marbles to Ann.", "125 percent of his"),
    ("percentage", "A jar holds balls: 60% red, 30% blue and 20% green.", "60% red, 30%"),
    ("percentage", "60% of the balls are red, 30% are blue, and 20% are green.", "30% are"),
    ("percentage", "A coat has a 130% discount.", "130%"),
    ("percentage", "The probability of rain is 140%.", "140%"),
    ("percentage", "There was -20% of the cake left.", "-20%"),
    ("fraction", "5/4 of the apples were eaten.", "5/4 of the apples"),
    ("fraction", "He gave away three halves of his coins.", "three halves of his"),
    ("fraction", "Mia ate 7/5 of the pizza.", "7/5 of the"),
    ("fraction", "Nine eighths of the students are left-handed.", "Nine eighths"),
    ("fraction", "1/2 of the balls are red, 1/3 are blue and 1/4 are green.", "1/3 are"),
    ("parts_total", "There are 20 balls: 8 red, 7 blue and 9 green.", "8 red, 7 blue"),
    ("parts_total", "There are 20 students. 12 are boys and 10 are girls.", "12 are boys"),
    ("parts_total", "A class of 30 students has 18 girls and 15 boys.", "18 girls"),
    ("parts_total", "Of the 20 marbles, 25 are red.", "20 marbles, 25"),
    ("parts_total", "25 of the 20 students wear glasses.", "25 of the 20"),
    (
        "parts_total",
        "There are 14 shells on a table. Each bowl holds 12 large shells and 5 small shells.",
        "12 large shells and 5",
    ),
    (
        "parts_total",
        "There were 12 birds on a wire. Some flew away and 15 birds are left.",
        "15 birds",
    ),
    ("parts_total", "He packs 5 mugs and 7 plates, for a total of 13 things.", "total of 13"),
    ("overdraw", "Tom has 12 figs. He eats 15 figs. How many figs are left?", "15 figs"),
    ("overdraw", "There were 8 ducks on a pond. 11 of them flew away.", "11"),
    (
        "overdraw",
        "Sara had 30 stickers. She gave 35 to her brother. How many stickers does she have now?",
        "gave 35",
    ),
    ("overdraw", "A cook made 40 rolls and sold 55 of them.", "sold 55"),
    ("overdraw", "Ben has $20. He spends $35 on a game. How much money is left?", "$35"),
    ("indivisible", "She has 3.5 dogs.", "3.5 dogs"),
    ("indivisible", "There were -8 visitors in the hall.", "-8 visitors"),
    ("indivisible", "Half of the 7 children left.", "Half of the 7 children"),
    ("indivisible", "25% of the 30 students are absent.", "25% of the 30"),
    ("indivisible", "Rob ate -7 slices of bread.", "-7 slices"),
    ("indivisible", "Each lamp costs -$14.", "-$14"),
    ("indivisible", "Each lamp costs -14 dollars.", "-14 dollars"),
    ("indivisible", "She bought -6 bags of flour.", "-6 bags"),
    ("indivisible", "Negative four students were late.", "Negative four"),
    ("indivisible", "How far does he walk in -3 hours?", "-3 hours"),
    ("indivisible", "He shares 12 cookies among 0 friends.", "0 friends"),
    ("contradiction", "They took a 3-day trip lasting 5 days.", "3-day trip lasting 5 days"),
    (
        "contradiction",
        "Tom has 12 marbles. He likes games. Tom's 15 marbles are red.",
        "15 marbles",
    ),
    ("contradiction", "Lena has 8 cats. Lena has 11 cats. How many cats has she?", "11 cats"),
    ("contradiction", "Rob is 12 years old. The age of Rob is 14 years.", "age of Rob is 14"),
    ("contradiction", "A pen costs $3. The price of a pen is $4.", "price of a pen is $4"),
    ("contradiction", "Ann has 5 hats. Remember that Ann started with 9 hats.", "9 hats"),
]

TRUE = [
    "Since 7 x 8 = 56, Ida buys 56 pens.",
    "Twelve plus nine is twenty-one, and 10 / 3 = 3.33.",
    "The sum of two numbers is 20 and their difference is 4.",
    "Twelve plus 9 is 25 less than a number. A number plus 9 is 25.",
    "Solve 2x + 3 = 7 and x - 3 = 5, where f(3) = 5 and log(100) = 3.",
    "Is it true that 2 + 2 = 5?",
    "Lea wrongly wrote that 7 x 8 = 54. By how much is she off?",
    "3 times as many as 5 is more than 12 inches = 1 foot.",
    "The fifth prime number is 11. Choose a prime number such as 23.",
    "91 is not a prime number. One is odd. 7 is even more than 5.",
    "12 is a multiple of 4. Pick an even number such as 8 or an odd number like 9.",
    "6 is a factor of 24. The greatest common factor of 12 and 18 is 6.",
    "The square root of 49 is 7. The square root of 2 is about 1.41.",
    "A square yard has sides of 3 feet. A square of side 6 is 36 square inches.",
    "His income is 120% of last year's income. The price increased by 120%.",
    "She earns 150% of her regular pay on Sundays and gives 110% effort.",
    "60% of the pupils play chess and 55% play soccer.",
    "50% of the balls are red and 50% are blue.",
    "Kim scored 70% on a quiz, 85% on a test, and 90% on an exam.",
    "The recipe needs 5/4 of a cup of milk. Her rope is 3/2 of the length of his rope.",
    "1/2 of the balls are red, 1/3 are blue and 1/6 are green.",
    "There are 24 balls: 8 red, 7 blue and 9 green.",
    "There are 20 students. 12 are boys and 8 are girls.",
    "There are 30 students. 20 are taking maths and 15 are taking art.",
    "A recipe has 3 things: 2 cups of flour and 4 eggs.",
    "Tom has 12 figs. He buys 10 figs. He eats 15 figs. How many figs are left?",
    "Tom has 3 boxes of 12 figs each. He eats 15 figs. How many figs are left?",
    "Mia has 5 pens. Ann has 20 pens and gives 10 pens to Mia. How many has Mia now?",
    "Mia has 5 pens. Ann gives her 20 more pens. How many pens does Mia have now?",
    "Ann pays with a $20 bill for a pen that costs $3. How much is left?",
    "The temperature was -5 degrees. The diver is at an elevation of -30 meters.",
    "Her account balance is -$50. A loss shows as a profit of -$300.",
    "There are on average 2.5 children per family. She bought 2.5 pounds of beef.",
    "Half of the 8 children left. 3.5 million people live there.",
    "The sum of the numbers is -7. From 4 pm - 6 pm they won 3-2.",
    "Tom has 12 marbles. He gets 3 marbles. Tom's 15 marbles are all red.",
    "They took a 3-day trip lasting 3 days.",
    "Rob is 12 years old. In 2 years Rob will be 14 years old.",
    "A pen costs $3. A ruler costs $4. On Sunday a pen costs $5.",
    "The first class has 20 students. The second class has 25 students.",
    "",
    " \n\t",
]


@pytest.mark.parametrize(("kind", "text", "piece"), FALSE, ids=lambda x: str(x)[:40])
def test_names_kind_span_and_reason(kind, text, piece):
    verdict = check(text)
    assert (verdict.ok, verdict.kind) == (False, kind), verdict
    start, end = verdict.span
    at = text.index(piece)
    assert start < at + len(piece) and at < end, text[start:end]
    assert verdict.reason and "\n" not in verdict.reason


@pytest.mark.parametrize("text", TRUE, ids=lambda x: x[:40])
def test_near_misses_pass(text):
    assert check(text) == Premise(True)


def test_every_kind_is_tried():
    assert {kind for kind, _, _ in FALSE} == set(KINDS) == set(FALSE_KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_catches_the_generators_false_variants_and_passes_their_true_twins(kind):
    rng = np.random.default_rng(KINDS.index(kind))
    named = passed = n = 0
    for family in FAMILIES:
        for steps in (1, 3, 6):
            problem = generate(family, steps, rng)
            key = int(rng.integers(2**62))
            false = falsify(problem, kind, np.random.default_rng(key))
            verdict = check(false.text)
            here = verdict.span[0] < false.span[1] and false.span[0] < verdict.span[1]
            named += verdict.kind == kind and here
            passed += check(truthful(problem, kind, np.random.default_rng(key))).ok
            n += 1
    assert named >= 0.98 * n
    assert passed == n


def test_passes_the_generators_problems():
    rng = np.random.default_rng(11)
    for family in FAMILIES:
        for steps in range(1, 9):
            for _ in range(10):
                text = generate(family, steps, rng).text
                assert check(text).ok, text


# the first claim of arithmetic imports SymPy, which takes longer than any deadline
@settings(deadline=None)
@given(st.text(max_size=300))
def test_any_text_gets_a_verdict_inside_it(text):
    verdict = check(text)
    assert 0 <= verdict.span[0] <= verdict.span[1] <= len(text)
    assert verdict.ok == (verdict.kind == "") == (verdict.span == (0, 0)) == (verdict.reason == "")
    assert verdict.ok or verdict.kind in KINDS


PIECES = sorted(
    {word for _, text, _ in FALSE for word in text.split()}
    | {"½", "٣", "²", "İ", "\x00", "🙂", "9" * 40, "2^", "((", "\\frac{1}{2}", "1/0", "$", "-", "%"}
)


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=60).map(" ".join))
def test_any_order_of_suspicious_words_gets_a_verdict_inside_it(text):
    verdict = check(text)
    assert 0 <= verdict.span[0] <= verdict.span[1] <= len(text)
    assert verdict == check(text)


@pytest.mark.parametrize(
    "text",
    [
        "7 x " + "8" * 60 + " = 54",
        "9" * 10**6 + " is a prime number.",
        "2^99999999 = 3",
        "2^2^2^2^2^2^2 = 3",
        "(" * 40 + "1" + ")" * 40 + " + 1 = 3",
        " + ".join(["1"] * 200) + " = 3",
        "The 999999th prime number is 13.",
        "10 / 0 = 3",
        "x" * 5_000 + " Since 7 x 8 = 54, Ida buys 54 pens.",
    ],
    ids=lambda text: text[:30],
)
def test_what_passes_a_bound_is_not_checked(text):
    assert check(text).ok


def test_a_false_claim_is_found_beside_an_unreadable_one():
    assert check("9" * 40 + " = 3, 2^99999999 = 3 and 7 x 8 = 54.").kind == "equation"


@pytest.mark.parametrize(
    "unit",
    [
        "7 x 8 = ",
        "1" * 50,
        "half of 9 ",
        "-3 ",
        "2^",
        "((",
        "½",
        "a 3-day trip of ",
        "has has ",
        "he ate 9 of the 12 figs ",
        "3 red, ",
        "the number of ",
        "5 is even ",
        "é ",
        "# % $ ",
    ],
)
def test_a_megabyte_is_read_in_bounded_time(unit):
    text = unit * (1_000_000 // len(unit))
    check(text)
    times = []
    for _ in range(3):
        started = time.perf_counter()
        check(text)
        times.append(time.perf_counter() - started)
    assert min(times) < 0.05


def test_only_text_is_accepted():
    with pytest.raises(TypeError, match="problem must be a str, got int"):
        check(7)


def test_sympy_is_imported_only_for_a_claim_that_needs_it():
    code = (
        "import sys; from argus_gym.premise import check\n"
        "check('Tom has 12 figs and eats 5 of them. There are 2 square feet. How many are left?')\n"
        "assert 'sympy' not in sys.modules\n"
        "assert not check('Since 7 x 8 = 54, it rains.').ok and 'sympy' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_page_shows_what_the_validator_says():
    page = Path(__file__).parents[1] / "docs" / "premises.md"
    rows = [
        [cell.strip() for cell in line.strip("|\n ").split("|")]
        for line in page.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `")
    ]
    shown = [(row[0].strip("`"), row[2], row[3]) for row in rows if len(row) == 4]
    assert [kind for kind, _, _ in shown] == list(KINDS)
    for kind, true, false in shown:
        assert check(true).ok, true
        assert check(false).kind == kind, false
