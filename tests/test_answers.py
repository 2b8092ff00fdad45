from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from argus_gym.answers import (
    MAX_RESULTS,
    final_answer,
    read,
    read_value,
    right,
    same,
    stated_results,
)
from argus_gym.numerals import MAX_CHARS, MAX_DIGITS, number
from argus_gym.records import Chain

HALF = Fraction(1, 2)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 + 2 = 4\n#### 42", 42),
        ("#### $1,410.00", 1410),
        ("#### -3", -3),
        ("#### 12 apples", 12),
        ("#### Step 1\nadd\n#### 7", 7),
        ("#### Step 1: add\nThe answer is 9.", 9),
        (r"so \boxed{18}.", 18),
        (r"\boxed{\frac{1}{2}}", HALF),
        (r"\boxed{\dfrac12}", HALF),
        (r"\boxed{-\frac{1}{2}}", -HALF),
        (r"\boxed{\frac{-1}{2}}", -HALF),
        (r"\boxed{12\frac{3}{5}}", Fraction(63, 5)),
        (r"\boxed{12 \frac{3}{5}}", Fraction(63, 5)),
        (r"\boxed{\$32{,}348}", 32348),
        (r"\boxed{5^\circ}", 5),
        (r"\boxed{12\text{ cm}^2}", 12),
        (r"\boxed{x=5}", 5),
        (r"first \boxed{3}, then \boxed{4}", 4),
        (r"\boxed{4} and an empty \boxed{\phantom{2}}", 4),
        (r"\boxed 7", 7),
        ("The answer is 42.", 42),
        ("the final answer is: $72.", 72),
        ("The answer is **7 1/2**", Fraction(15, 2)),
        ("The answer is ½ cup", HALF),
        ("The answer is 7½", Fraction(15, 2)),
        ("The answer is 0.50", HALF),
        ("The answer is .5", HALF),
        ("Answer: 3/4", Fraction(3, 4)),
        ("The answer is −3", -3),
        ("the answer is 1e3", 1000),
        ("The answer is 2 million dollars", 2_000_000),
        ("The answer is 9 * 2 = 18", 18),
        ("The answer to this question is 5 days.", 5),
        ("The final answer is:\n\n59 minutes", 59),
        ("It is 3 + 4 = 7\nA: 18", 18),
        ("A: 18\nOn reflection, the answer is 20", 20),
        ("The answer is 20\nA: 18", 18),
        ('{"reasoning": "3 + 4 = 7", "answer": "42"}', 42),
        ('{"reasoning": "3 + 4 = 7", "answer": 42\n}', 42),
        ('{"answer": "30 * 4 = $120.00"}', 120),
        ('{"answer": "She has 9 books."}', 9),
        ("To find the answer as a percentage: 6 / 10 * 100% = 60%", 60),
        ("She has 3 and 4. In the end 7 are left.", 7),
        ("He makes 6 * 2 = $12 every 3 days.", 12),
        ("It takes **4 days** to pass the 20 foot wall", 4),
        ("It was -12 degrees", -12),
    ],
)
def test_final_answers_are_read_exactly(text, value):
    assert final_answer(text)[0] == value
    assert type(final_answer(text)[0]) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"\boxed{4a-2}", "4a-2"),
        (r"\boxed{4t}", "4t"),
        (r"\boxed{(1, 2)}", "(1,2)"),
        (r"\boxed{\text{Monday}}", "monday"),
        (r"\boxed{3\pi}", r"3\pi"),
        ("The answer is Monday.", "monday"),
        ("The answer is 2:30 pm", "2:30pm"),
        ('{"answer": "27 red and 18 blue"}', "27redand18blue"),
    ],
)
def test_answers_that_are_no_numbers_become_normalised_text(text, value):
    assert final_answer(text) == (value, False)


@pytest.mark.parametrize(
    "text", ["", " \n\t", "I do not know.", "####", r"\boxed{}", '"answer": ""']
)
def test_texts_without_an_answer_give_none(text):
    assert final_answer(text) == (None, False)


@pytest.mark.parametrize("text", ["#### 50%", r"\boxed{50\%}", "The answer is 50 percent."])
def test_percent_signs_are_kept_apart_from_the_value(text):
    assert final_answer(text) == (50, True)


def test_percentages_agree_with_both_readings_and_these_not_with_each_other():
    assert same(50, 50, True) and same(50, HALF, True) and same(HALF, 50, False, True)
    assert not same(50, HALF) and not same(HALF, 50, True, False)
    assert same(50, 50, True, True) and not same(50, HALF, True, True)
    assert same("monday", "monday") and not same("monday", 50, False, True)


def test_right_compares_a_chain_with_the_known_answer():
    assert right(Chain("", 50, percent=True), HALF)
    assert right(Chain("", "monday"), "monday")
    assert not right(Chain("", None), 3) and not right(Chain("", 3), None)


@pytest.mark.parametrize(
    ("text", "results"),
    [
        ("16 - 3 = <<16-3=13>>13 eggs\n13 * 2 = $<<13*2=26>>26\n#### 26", (13, 26)),
        ("total = 3 * 4 = 12, and 12 * 2 = 24. The answer is 24", (12, 24)),
        ("cost = 200 apples * 3 = 600 cents", (600,)),
        ("3 + 4 = 7 eggs and 7 * 2 = 14", (7, 14)),
        ("3 x 4 = 12 x 2 = 24", (24,)),
        ("x = 2y + 3 and then y = 5", (5,)),
        ("x <= 5 while 2 + 1 = 3", (3,)),
        ("30 / 60 = 1/2 hour, 1 + 2 = **$3**", (HALF, 3)),
        ("5 * 1.5 =\n7 1/2 days", (Fraction(15, 2),)),
        (r"\[ \frac{2}{3} \cdot 3 = \frac{6}{3} = 2 \]", (2,)),
        (r"\(2 \times 3 = 6\) and $6 \div 2 = \boxed{3}$", (6, 3)),
        ('"reasoning": "1 + 2 = 3\\n2. 3 * 4 = 12", "answer": "12"', (3, 12)),
        ("40% of 50 = 20", (20,)),
        ("7 / 3 ≈ 2.33", (Fraction(233, 100),)),
        ("She has 3. Then 4 more come. The answer is 7", (3, 4)),
        ("1. She has 3.\n2. He has 4.\nThe answer is 7", (3, 4)),
        ("The answer is 18", ()),
        ("18", ()),
        ("", ()),
    ],
)
def test_stated_results(text, results):
    assert stated_results(text) == results


@given(st.integers(0, 10**12), st.sampled_from("-+ "), st.sampled_from(["", "$", "€"]))
def test_formatting_does_not_change_a_value(n, sign, currency):
    value = -n if sign == "-" else n
    forms = [f"{n}", f"{n:,}", f"{n}.00", f"{n:,}.0", f"{n}.", f"{n} apples"]
    texts = [f"{sign.strip()}{currency}{form}" for form in forms]
    assert {read_value(text) for text in texts} == {(value, False)}
    assert {final_answer(f"The answer is {text}")[0] for text in texts} == {value}
    assert {final_answer(f"1 + 1 = 2\n#### {text}")[0] for text in texts} == {value}


@given(st.fractions(-(10**6), 10**6, max_denominator=10**6))
def test_fractions_and_decimals_are_exact(q):
    assert read_value(f"{q.numerator}/{q.denominator}")[0] == q
    assert read_value(rf"\frac{{{q.numerator}}}{{{q.denominator}}}")[0] == q
    tenth = Fraction(round(q * 1000), 1000)
    assert read_value(f"{'-' * (tenth < 0)}{float(abs(tenth)):.3f}")[0] == tenth


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.integers(1, 10**9))
def test_values_are_integers_wherever_they_can_be(a, b, c):
    value, _ = read_value(f"{a} {b}/{c}")
    assert value == a + Fraction(b, c)
    assert isinstance(value, int) == (b % c == 0)


@given(st.text(max_size=400))
@example("\ud800 #### \x00")
@example("#### 1/0")
@example(r"\frac{1}{0} = \boxed{\boxed{")
@example("answer is answer is = = = $")
def test_any_text_is_read_without_an_error(text):
    value, percent, results = read(text)
    assert value is None or isinstance(value, int | Fraction | str)
    assert isinstance(percent, bool)
    assert all(isinstance(r, int | Fraction | str) for r in results)
    assert final_answer(text) == (value, percent) and stated_results(text) == results


WORDS = ["=", "1", "9,", "1/2 ", "-", "x", " x ", "\\", "\\frac{1}{2}", "{", "}", "answer", " is "]
WORDS += ["####", "\n", "\nA:", '"answer": "', "**", "$", "%", "½", "≈", ". ", "e9", "\\boxed{"]


@given(st.lists(st.sampled_from(WORDS), max_size=60).map("".join))
def test_texts_made_of_marks_are_read_without_an_error(text):
    read(text)


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map("".join))
def test_long_texts_are_read_up_to_the_bound(unit):
    text = unit * (4 * MAX_CHARS // len(unit))
    half = MAX_CHARS // 2
    assert read(text) == read(text[:half] + "\n" + text[-half:])
    assert len(read(text)[2]) <= MAX_RESULTS


def test_long_texts_keep_their_end_and_their_first_results():
    text = "1 + 1 = 2. " * 100_000 + "#### 77"
    value, _, results = read(text)
    assert value == 77 and results == (2,) * MAX_RESULTS


@pytest.mark.parametrize(
    "digits", ["9" * 10**6, "1" * (MAX_DIGITS + 1), "0." + "3" * 10**6, "1/" + "7" * 10**6]
)
def test_numbers_with_too_many_digits_become_bounded_texts(digits):
    for text in (f"#### {digits}", f"The answer is {digits}", f"5 * 5 = {digits} #### 3", digits):
        value, _, results = read(text)
        assert all(isinstance(v, str) and len(v) <= MAX_DIGITS + 1 for v in results)
        assert value == 3 or (isinstance(value, str) and len(value) <= MAX_DIGITS + 1)


def test_the_last_number_within_the_bound_is_exact():
    assert read_value("7" * MAX_DIGITS)[0] == int("7" * MAX_DIGITS)
    assert read_value("1e63")[0] == 10**63
    assert read_value("1e64")[0] == "1e64…"
    assert read_value("1e9999")[0] == "1e9999…"
    assert read_value("3/0")[0] == "3/0…"


def test_number_refuses_what_is_no_number():
    with pytest.raises(ValueError, match="must match NUMBER"):
        number("x")
