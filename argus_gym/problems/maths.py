"""Families about numbers: averages, number theory."""

from argus_gym.problems.clauses import Each, Mean, MeanStart, Span, Start, Table
from argus_gym.problems.scenes import Family

__all__ = ["AVERAGES", "NUMBER_THEORY"]

_MEAN, _SUM = range(2)

AVERAGES = Family(
    name="averages",
    scenes=tuple(
        dict(zip(("score", "scores"), words))
        for words in (
            ("test score", "test scores"),
            ("quiz result", "quiz results"),
            ("judge's mark", "judge's marks"),
            ("game score", "game scores"),
        )
    ),
    start=MeanStart(20, 99),
    openings=(
        "The mean of {n} [scores] is {v}.",
        "The average of {n} [scores] on a list is {v}.",
        "A list of {n} [scores] has a mean of {v}.",
    ),
    clauses=(
        Mean(
            "mean_add",
            "Another [score] of {a} is added to the list.",
            "Then a [score] of {a} joins the list.",
        ),
        Mean(
            "mean_drop",
            "One [score] of {a} is removed from the list.",
            "Then a [score] of {a} is crossed out on the list.",
        ),
        Mean(
            "mean_shift",
            "Every [score] on the list goes up by {a} points.",
            "A bonus of {a} points is given on each [score] of the list.",
        ),
        Mean(
            "mean_fix",
            "One [score] on the list is corrected and goes up by {a} points.",
            "A recount raises a single [score] on the list by {a} points.",
        ),
        Table(
            "times",
            (2, 3),
            "Every [score] on the list is multiplied by {a}.",
            "A rule change makes each [score] on the list {a} times as large.",
        ),
        Mean(
            "mean_total",
            "All the [scores] on the list are added up to a sum.",
            "The sum of all the [scores] on the list is found.",
            then=_SUM,
        ),
        Span(
            "add",
            2,
            60,
            "A bonus of {a} is added to the sum.",
            "The sum is increased by {a}.",
            cap=20_000,
            when=_SUM,
        ),
        Span(
            "subtract",
            2,
            60,
            "A penalty of {a} is taken off the sum.",
            "The sum is reduced by {a}.",
            when=_SUM,
        ),
        Each(
            "add_each",
            2,
            20,
            "For each of {b} extra tasks, {a} points are added to the sum.",
            "The sum grows by {a} points for each of {b} extra tasks.",
            cap=20_000,
            when=_SUM,
        ),
        Each(
            "subtract_each",
            2,
            20,
            "For each of {b} mistakes, {a} points are taken off the sum.",
            "The sum shrinks by {a} points for each of {b} mistakes.",
            when=_SUM,
        ),
        Table(
            "times", (2,), "For the final, the sum is doubled.", "The sum then doubles.", when=_SUM
        ),
    ),
    questions={
        _MEAN: (
            "What is the mean of the [scores] on the list now?",
            "What is the average of all the [scores] on the list in the end?",
        ),
        _SUM: ("What is the sum now?", "How large is the sum in the end?"),
    },
    restatements=(
        "Remember that the mean of the {n} [scores] was {v} at the start.",
        "In the beginning, the average of the {n} [scores] was {v}.",
    ),
    cap=50_000,
)

NUMBER_THEORY = Family(
    name="number_theory",
    scenes=({},),
    start=Start(10, 400),
    openings=(
        "Start with the number {v}.",
        "Take the number {v}.",
        "Write down the whole number {v}.",
        "Begin with the integer {v}.",
    ),
    clauses=(
        Span("add", 2, 60, "Add {a} to it.", "Increase it by {a}.", cap=20_000),
        Span("subtract", 2, 60, "Subtract {a} from it.", "Decrease it by {a}."),
        Table("times", range(3, 10), "Multiply it by {a}.", "Replace it by {a} times itself."),
        Table("times", (2,), "Double it.", "Replace it by twice its value."),
        Table(
            "divide",
            range(2, 13),
            "Divide it by {a}.",
            "Split it into {a} equal parts and keep one part.",
        ),
        Table("square", (2,), "Square it.", "Multiply it by itself.", "Replace it by its square."),
        Table(
            "remainder",
            range(3, 24),
            "Take the remainder when it is divided by {a}.",
            "Divide it by {a} and keep only the remainder.",
        ),
        Table(
            "quotient",
            range(3, 24),
            "Divide it by {a} and drop the remainder.",
            "Replace it by the number of times {a} fits into it completely.",
        ),
        Table(
            "gcd",
            (6, 8, 10, 12, 15, 18, 20, 24, 30, 36, 40, 42, 48, 60, 72, 84, 90),
            "Take its greatest common divisor with {a}.",
            "Replace it by the greatest common factor of it and {a}.",
        ),
        Table(
            "lcm",
            (4, 6, 8, 9, 10, 12, 15, 18, 20, 24),
            "Take its least common multiple with {a}.",
            "Replace it by the least common multiple of it and {a}.",
        ),
        Table("digit_sum", (1,), "Take the sum of its digits.", "Add up its digits."),
        Table(
            "smallest_prime",
            (1,),
            "Take its smallest prime factor.",
            "Replace it by the smallest prime that divides it.",
        ),
        Table(
            "divisors",
            (1,),
            "Count its positive divisors.",
            "Replace it by the number of its positive divisors.",
        ),
        Table(
            "round_up",
            range(4, 26),
            "Round it up to the next multiple of {a}.",
            "Go up from it to the nearest multiple of {a}.",
        ),
    ),
    questions={
        0: (
            "What is the final number?",
            "Which number do you get in the end?",
            "What number do you end up with?",
        )
    },
    restatements=(
        "Remember that the number at the start was {v}.",
        "In the beginning, the number was {v}.",
    ),
)
