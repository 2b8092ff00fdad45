"""Families about parts of amounts: ratios, fractions, mixtures."""

from argus_gym.problems.clauses import (
    NEXT,
    Clause,
    Each,
    FractionStart,
    Span,
    Start,
    Table,
    ratios,
    shares,
)
from argus_gym.problems.scenes import Family

__all__ = ["FRACTIONS", "MIXTURES", "RATIOS"]

_COLORS = ("red", "blue", "green", "yellow", "white", "black", "orange", "purple", "pink")

RATIOS = Family(
    name="ratios",
    scenes=tuple(
        {"jar": jar, "beads": beads, "colors": _COLORS[k:] + _COLORS[:k]}
        for k, (jar, beads) in enumerate(
            (
                ("jar", "beads"),
                ("box", "buttons"),
                ("bag", "counters"),
                ("drawer", "ribbons"),
                ("chest", "tokens"),
                ("bin", "blocks"),
            )
        )
    ),
    start=Start(12, 120),
    openings=(
        "A [jar] contains {v} [this] [beads].",
        "There are {v} [this] [beads] in a [jar].",
        "Someone puts {v} [this] [beads] in a [jar].",
    ),
    clauses=(
        Table(
            "ratio",
            ratios(7),
            "For every {q} [this] [beads] there are {p} [next] [beads] in the [jar].",
            "The ratio of [this] [beads] to [next] [beads] is {q}:{p}.",
            then=NEXT,
        ),
        Table(
            "times",
            (2, 3, 4, 5),
            "The [jar] contains {a} times as many [next] [beads] as [this] [beads].",
            "There are {a} times as many [next] [beads] as [this] [beads].",
            then=NEXT,
        ),
        Span(
            "add",
            2,
            40,
            "There are {a} more [next] [beads] than [this] [beads].",
            "There are {a} fewer [this] [beads] than [next] [beads].",
            cap=5_000,
            then=NEXT,
        ),
        Span(
            "subtract",
            2,
            40,
            "There are {a} fewer [next] [beads] than [this] [beads].",
            "There are {a} more [this] [beads] than [next] [beads].",
            then=NEXT,
        ),
        Table(
            "half_as",
            (2,),
            "There are half as many [next] [beads] as [this] [beads].",
            "There are twice as many [this] [beads] as [next] [beads].",
            then=NEXT,
        ),
        Span(
            "add",
            2,
            40,
            "Then {a} more [this] [beads] are put in the [jar].",
            "A child adds {a} [this] [beads].",
            cap=5_000,
        ),
        Span(
            "subtract",
            2,
            40,
            "Then {a} [this] [beads] are taken out of the [jar].",
            "A child takes out {a} [this] [beads].",
        ),
    ),
    questions={
        0: (
            "How many [this] [beads] are in the [jar] now?",
            "How many [this] [beads] does the [jar] contain in the end?",
        )
    },
    restatements=(
        "Remember that the [jar] held {v} [this] [beads] at the start.",
        "In the beginning, the [jar] contained {v} [this] [beads].",
    ),
    cap=20_000,
    chain="colors",
)

_PARTS = shares(2, 3, 4, 5, 6, 8, 10, 12)

FRACTIONS = Family(
    name="fractions",
    scenes=tuple(
        dict(zip(("jug", "jugs", "juice", "liter", "liters"), words))
        for words in (
            ("jug", "jugs", "juice", "liter", "liters"),
            ("bag", "bags", "flour", "kilogram", "kilograms"),
            ("can", "cans", "paint", "gallon", "gallons"),
            ("pot", "pots", "soup", "quart", "quarts"),
            ("bowl", "bowls", "rice", "cup", "cups"),
            ("sack", "sacks", "sand", "pound", "pounds"),
        )
    ),
    start=FractionStart(_PARTS),
    openings=(
        "A [jug] contains {p}/{q} [liter] of [juice].",
        "There is {p}/{q} [liter] of [juice] in a [jug].",
        "Someone puts {p}/{q} [liter] of [juice] in a [jug].",
    ),
    clauses=(
        Table(
            "fraction_plus",
            _PARTS,
            "Then {p}/{q} [liter] of [juice] is added.",
            "Another {p}/{q} [liter] of [juice] goes into the [jug].",
        ),
        Table(
            "subtract",
            _PARTS,
            "Then {p}/{q} [liter] of [juice] is taken out.",
            "Someone removes {p}/{q} [liter] of [juice] from the [jug].",
        ),
        Table(
            "fraction_used",
            shares(2, 3, 4, 5, 6, 8),
            "Then {p}/{q} of the [juice] in the [jug] is used up.",
            "Someone uses {p}/{q} of all the [juice] in the [jug].",
            whole=False,
        ),
        Table(
            "times",
            (2,),
            "The amount of [juice] in the [jug] is doubled.",
            "The [jug] is refilled until it contains twice as much [juice].",
        ),
        Table(
            "times",
            (3,),
            "The amount of [juice] in the [jug] is tripled.",
            "The [jug] is refilled until it contains three times as much [juice].",
        ),
        Table(
            "divide",
            (2, 3, 4, 5, 6),
            "The [juice] is split equally among {a} [jugs], and only one of them is kept.",
            "The [juice] is shared out evenly to {a} [jugs], and all but one are given away.",
            whole=False,
        ),
    ),
    questions={
        0: (
            "How much [juice] is in the [jug] now, in [liters]?",
            "How many [liters] of [juice] are in the [jug] in the end?",
        )
    },
    restatements=(
        "Remember that the [jug] held {p}/{q} [liter] of [juice] at the start.",
        "In the beginning, the [jug] contained {p}/{q} [liter] of [juice].",
    ),
    cap=40,
    fractional=True,
)

_MIX, _PURE, _BATCH = range(3)


def _amount(what: str, when: int) -> tuple[Clause, ...]:
    """Return the clauses that change an amount of something without changing what it is."""
    return (
        Span(
            "add",
            2,
            120,
            f"Another {{a}} [grams] of {what} are added.",
            f"Then {{a}} more [grams] of {what} are brought in.",
            cap=20_000,
            grid=60,
            when=when,
        ),
        Span(
            "subtract",
            2,
            120,
            f"A buyer takes {{a}} [grams] of the {what}.",
            f"Then {{a}} [grams] of the {what} are spilled.",
            grid=60,
            when=when,
        ),
        Each(
            "subtract_each",
            2,
            60,
            f"The owner fills {{b}} [bowls] with {{a}} [grams] of the {what} each and sells them.",
            f"Each of {{b}} visitors receives {{a}} [grams] of the {what}.",
            when=when,
        ),
        Table(
            "divide",
            range(2, 9),
            f"The {what} is divided equally among {{a}} [bowls], and only one of them is kept.",
            f"The {what} goes in equal parts into {{a}} [bowls], and all but one are given away.",
            when=when,
        ),
    )


MIXTURES = Family(
    name="mixtures",
    scenes=tuple(
        dict(zip(("mix", "nuts", "oats", "grams", "bowl", "bowls"), words))
        for words in (
            ("trail mix", "granola", "dried fruit", "grams", "bowl", "bowls"),
            ("bird feed", "barley", "corn", "kilograms", "barrel", "barrels"),
            ("concrete mix", "cement", "sand", "pounds", "bucket", "buckets"),
            ("herbal tea", "dried mint", "dried sage", "ounces", "tin", "tins"),
            ("party candy", "licorice", "chocolate", "grams", "tray", "trays"),
        )
    ),
    start=Start(40, 1000, grid=60),
    openings=(
        "A [bowl] contains {v} [grams] of [mix].",
        "A worker is given {v} [grams] of [mix].",
        "There are {v} [grams] of [mix] in a [bowl].",
    ),
    clauses=(
        *_amount("[mix]", _MIX),
        Table(
            "percent_part",
            (5, 10, 15, 20, 25, 30, 35, 40, 45, 55, 60, 65, 70, 75, 80, 90),
            "Exactly {a}% of the [mix] is [nuts], and only the [nuts] is kept.",
            "The [nuts] makes up {a}% of the [mix] and is sorted out.",
            then=_PURE,
        ),
        Table(
            "ratio_part",
            ratios(7),
            "The [mix] is made of [nuts] and [oats] in the ratio {p}:{q}, "
            "and only the [nuts] is kept.",
            "The [nuts] is sorted out of the [mix], which has {p} parts of [nuts] "
            "for every {q} parts of [oats].",
            then=_PURE,
        ),
        *_amount("[nuts]", _PURE),
        Table(
            "percent_back",
            (5, 10, 20, 25, 30, 40, 50, 60, 75, 80, 90),
            "All this [nuts] goes into a new batch of [mix] and makes up {a}% of it.",
            "The [nuts] is used for a new batch of [mix] that is {a}% [nuts].",
            when=_PURE,
            then=_BATCH,
        ),
        Table(
            "ratio_total",
            ratios(7),
            "All this [nuts] is mixed with [oats] into a new batch of [mix], "
            "{p} [grams] of [oats] for every {q} [grams] of [nuts].",
            "The [nuts] is used for a new batch of [mix] that has {p} parts of [oats] "
            "for every {q} parts of [nuts].",
            when=_PURE,
            then=_BATCH,
        ),
        *_amount("[mix]", _BATCH),
    ),
    questions={
        state: (
            f"How many [grams] of {what} are there in the end?",
            f"How many [grams] of {what} are left?",
        )
        for state, what in ((_MIX, "[mix]"), (_PURE, "[nuts]"), (_BATCH, "[mix]"))
    },
    restatements=(
        "Remember that there were {v} [grams] of [mix] at the start.",
        "In the beginning, there were {v} [grams] of [mix].",
    ),
)
