"""Families about output and prices: rates, percentages."""

from argus_gym.problems.clauses import Each, Span, Start, Table
from argus_gym.problems.scenes import Family

__all__ = ["PERCENTAGES", "RATES"]

_RATE, _AMOUNT, _PACKS, _MONEY = range(4)

RATES = Family(
    name="rates",
    scenes=tuple(
        dict(zip(("maker", "parts", "pack", "packs"), words))
        for words in (
            ("machine", "parts", "box", "boxes"),
            ("bakery", "loaves", "crate", "crates"),
            ("bottling line", "bottles", "case", "cases"),
            ("printing press", "books", "carton", "cartons"),
            ("candle workshop", "candles", "packet", "packets"),
        )
    ),
    start=Start(12, 120),
    openings=(
        "A [maker] makes {v} [parts] an hour.",
        "A [maker] turns out {v} [parts] every hour.",
        "The output of a [maker] is {v} [parts] per hour.",
    ),
    clauses=(
        Table(
            "times",
            (2, 3, 4),
            "New equipment lets it make {a} times as many [parts] an hour.",
            "After an upgrade the [maker] works {a} times as fast.",
        ),
        Span(
            "add",
            2,
            60,
            "Better tools raise its output by {a} [parts] an hour.",
            "Extra staff lets it make {a} more [parts] an hour.",
            cap=2_000,
        ),
        Span(
            "subtract",
            2,
            60,
            "Wear lowers its output by {a} [parts] an hour.",
            "A power cut means {a} fewer [parts] an hour.",
        ),
        Table(
            "rate_time",
            range(2, 13),
            "It runs at this rate for {a} hours.",
            "At this rate the [maker] works for {a} hours without a break.",
            then=_AMOUNT,
        ),
        Span(
            "subtract",
            2,
            90,
            "Inspectors reject {a} of the [parts].",
            "A customer picks up {a} of the [parts].",
            when=_AMOUNT,
        ),
        Each(
            "add_each",
            2,
            60,
            "A second [maker] adds {a} [parts] an hour for {b} hours.",
            "For {b} hours, trucks bring in another {a} [parts] an hour.",
            cap=20_000,
            when=_AMOUNT,
        ),
        Each(
            "subtract_each",
            2,
            60,
            "Over the next {b} hours, {a} [parts] an hour are shipped away.",
            "For {b} hours, a shop sells {a} [parts] an hour.",
            when=_AMOUNT,
        ),
        Table(
            "divide",
            range(2, 13),
            "All the [parts] are packed in [packs] of {a}.",
            "Workers pack the [parts] into [packs] with {a} in each.",
            when=_AMOUNT,
            then=_PACKS,
        ),
        Span(
            "add",
            2,
            60,
            "Another {a} [packs] arrive.",
            "The next shift fills {a} more [packs].",
            cap=2_000,
            when=_PACKS,
        ),
        Span(
            "subtract",
            2,
            60,
            "A store takes {a} [packs].",
            "Rain ruins {a} of the [packs].",
            when=_PACKS,
        ),
        Table(
            "times",
            range(2, 21),
            "The [packs] are all sold for ${a} each.",
            "Every [pack] is then sold for ${a}.",
            when=_PACKS,
            then=_MONEY,
        ),
        Each(
            "subtract_each",
            2,
            40,
            "Out of this money, rent takes ${a} a day for {b} days.",
            "A helper is paid ${a} an hour for {b} hours from this money.",
            when=_MONEY,
        ),
        Span(
            "add",
            2,
            200,
            "A regular client tips ${a} on top.",
            "A bonus of ${a} is added to this money.",
            cap=50_000,
            when=_MONEY,
        ),
        Span(
            "subtract",
            2,
            200,
            "Delivery costs ${a} of this money.",
            "A fee of ${a} is paid from this money.",
            when=_MONEY,
        ),
    ),
    questions={
        _RATE: ("How many [parts] does the [maker] make per hour now?",),
        _AMOUNT: ("How many [parts] are there in the end?", "How many [parts] are there now?"),
        _PACKS: ("How many [packs] are there in the end?", "How many [packs] are there now?"),
        _MONEY: ("How many dollars are left from the sale?", "How much money is left?"),
    },
    restatements=(
        "Remember that the [maker] made {v} [parts] an hour at first.",
        "Originally, the output of the [maker] was {v} [parts] per hour.",
    ),
)

PERCENTAGES = Family(
    name="percentages",
    scenes=tuple(
        {"lamp": lamp}
        for lamp in ("lamp", "jacket", "bicycle", "tent", "guitar", "sofa", "camera", "bookcase")
    ),
    start=Start(40, 1200, grid=20),
    openings=(
        "A [lamp] costs ${v}.",
        "The price of a [lamp] is ${v}.",
        "A shop asks ${v} for a [lamp].",
    ),
    clauses=(
        Table(
            "percent_off",
            (5, 10, 15, 20, 25, 30, 35, 40, 60, 70, 75, 80),
            "The price is cut by {a}%.",
            "In a sale, the [lamp] is {a}% off.",
            "A discount of {a}% is taken off the price.",
        ),
        Table(
            "percent_up",
            (5, 10, 15, 20, 25, 30, 40, 50, 60, 75),
            "Then the price goes up by {a}%.",
            "The shop raises the price by {a}%.",
            "A tax of {a}% is added to the price.",
        ),
        Table(
            "percent_of",
            (5, 15, 20, 25, 30, 40, 60, 70, 75, 80, 90),
            "The new price is {a}% of the old price.",
            "The shop now asks only {a}% of the old price.",
        ),
        Span(
            "subtract",
            2,
            120,
            "A coupon takes ${a} off the price.",
            "The seller lowers the price by ${a}.",
            grid=20,
        ),
        Span(
            "add",
            2,
            120,
            "Delivery adds ${a} to the price.",
            "The seller raises the price by ${a}.",
            cap=20_000,
            grid=20,
        ),
        Table("times", (2,), "A shortage doubles the price.", "Then the price doubles."),
    ),
    questions={
        0: (
            "What is the price of the [lamp] now?",
            "How many dollars does the [lamp] cost in the end?",
        )
    },
    restatements=(
        "Remember that the original price of the [lamp] was ${v}.",
        "At first, the [lamp] cost ${v}.",
    ),
)
