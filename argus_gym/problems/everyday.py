"""Families about people: shopping, sharing, ages, time."""

from argus_gym.problems.clauses import NEXT, Each, Span, Start, Table, shares
from argus_gym.problems.scenes import FRIENDS, PEOPLE, Family, Slots

__all__ = ["AGES", "SHARING", "SHOPPING", "TIME"]

_SHOP: Slots = {
    "goods": ("notebooks", "pens", "sandwiches", "candles", "mugs", "posters"),
    "crafts": ("bracelets", "postcards", "cupcakes", "paintings"),
    "treat": ("a bus ticket", "a warm hat", "lunch", "a board game", "a haircut"),
    "thing": ("a broken lamp", "a torn shirt", "a faulty phone case"),
}

SHOPPING = Family(
    name="shopping",
    scenes=tuple({**_SHOP, **person} for person in PEOPLE),
    start=Start(24, 480),
    openings=(
        "[N] has ${v}.",
        "[N] goes to the market with ${v}.",
        "[N] starts the day with ${v} in [his] wallet.",
        "There is ${v} in [N]'s wallet.",
    ),
    clauses=(
        Each(
            "subtract_each",
            2,
            40,
            "[He] buys {b} [goods] at ${a} each.",
            "[He] pays ${a} each for {b} [goods].",
            "Then [he] picks up {b} [goods] that cost ${a} apiece.",
        ),
        Span(
            "subtract",
            2,
            150,
            "[He] spends ${a} on [treat].",
            "[He] pays ${a} for [treat].",
            "After that, [he] hands over ${a} for [treat].",
        ),
        Span(
            "add",
            2,
            150,
            "[He] returns [thing] and gets ${a} back.",
            "The store refunds [him] ${a} for [thing].",
            "[friend] pays back ${a} that [he] had lent out last week.",
            cap=20_000,
        ),
        Each(
            "add_each",
            2,
            30,
            "[He] sells {b} [crafts] for ${a} each.",
            "At a stall, [he] earns ${a} apiece for {b} [crafts].",
            cap=20_000,
        ),
        Table(
            "fraction_off",
            shares(3, 4, 5, 6, 8),
            "[He] spends {p}/{q} of [his] money on [treat].",
            "[He] gives {p}/{q} of the money [he] still has to charity.",
        ),
        Table(
            "percent_spent",
            (5, 10, 20, 25, 30, 40, 60, 75),
            "[He] donates {a}% of [his] money to an animal shelter.",
            "A new bicycle costs [him] {a}% of the money [he] still has.",
        ),
        Table(
            "times",
            (2,),
            "A lucky prize doubles [his] money.",
            "[His] grandmother doubles the money [he] has.",
        ),
    ),
    questions={
        0: (
            "How much money does [N] have left?",
            "How many dollars does [N] have in the end?",
            "How much money does [N] have now?",
        )
    },
    restatements=(
        "Remember that [N] started with ${v}.",
        "At the very beginning, [N] had ${v}.",
        "As mentioned, [N] had ${v} to begin with.",
    ),
    cap=40_000,
)

SHARING = Family(
    name="sharing",
    scenes=tuple(
        {**person, "items": items}
        for person in PEOPLE
        for items in (
            "apples",
            "marbles",
            "stickers",
            "cookies",
            "shells",
            "pencils",
            "walnuts",
            "stamps",
        )
    ),
    start=Start(12, 240),
    openings=(
        "[N] has {v} [items].",
        "[N] collects {v} [items].",
        "There are {v} [items] in [N]'s basket.",
    ),
    clauses=(
        Span(
            "subtract",
            2,
            60,
            "[He] gives {a} [items] to [friend].",
            "[He] hands {a} of the [items] to [friend].",
            "Then [friend] takes {a} of [his] [items].",
        ),
        Span(
            "add",
            2,
            60,
            "[friend] gives [him] {a} more [items].",
            "[He] finds {a} more [items] at home.",
            cap=9_000,
        ),
        Table(
            "share_with",
            range(2, 12),
            "[He] shares all [his] [items] equally among [himself] and {a} friends, "
            "and keeps one share.",
            "[He] splits [his] [items] into equal shares for [himself] and {a} classmates.",
        ),
        Each(
            "add_each",
            2,
            20,
            "[He] opens {b} bags with {a} [items] in each.",
            "[He] gets {b} boxes of {a} [items] each.",
            cap=9_000,
        ),
        Each(
            "subtract_each",
            2,
            20,
            "[He] gives {a} [items] to each of {b} neighbors.",
            "[He] fills {b} gift bags with {a} [items] each and gives them away.",
        ),
        Table(
            "fraction_off",
            shares(3, 4, 5, 6, 8),
            "[He] gives {p}/{q} of [his] [items] to [friend].",
            "[friend] wins {p}/{q} of [his] [items] in a game.",
        ),
        Table(
            "times",
            (2,),
            "[His] uncle doubles the number of [items] [he] has.",
            "By evening [he] has twice as many [items].",
        ),
    ),
    questions={
        0: (
            "How many [items] does [N] have in the end?",
            "How many [items] does [N] have now?",
        )
    },
    restatements=(
        "Remember that [N] started with {v} [items].",
        "At the very beginning, [N] had {v} [items].",
    ),
    cap=20_000,
)

AGES = Family(
    name="ages",
    scenes=tuple(
        {**person, "who": (person["N"], *FRIENDS[k:], *FRIENDS[:k])[:9], "when": when}
        for person in PEOPLE
        for k, when in enumerate(("today", "this year", "this spring", "this month"))
    ),
    start=Start(4, 40, grid=6),
    openings=(
        "[N] is {v} years old [when].",
        "[N] turns {v} years old [when].",
        "The age of [N] [when] is {v}.",
    ),
    clauses=(
        Span(
            "add",
            2,
            30,
            "[next] is {a} years older than [this].",
            "[this] is {a} years younger than [next].",
            cap=95,
            grid=6,
            then=NEXT,
        ),
        Span(
            "subtract",
            2,
            30,
            "[next] is {a} years younger than [this].",
            "[this] is {a} years older than [next].",
            grid=6,
            then=NEXT,
        ),
        Table(
            "times",
            (2, 3, 4, 5),
            "[next] is {a} times as old as [this].",
            "The age of [next] is {a} times the age of [this].",
            then=NEXT,
        ),
        Table(
            "half_as",
            (2,),
            "[next] is half as old as [this].",
            "[this] is twice as old as [next].",
            then=NEXT,
        ),
        Table(
            "fraction_of",
            shares(3, 4, 5),
            "The age of [next] is {p}/{q} of the age of [this].",
            "[next] is {p}/{q} as old as [this].",
            then=NEXT,
        ),
        Span(
            "years",
            2,
            12,
            "Then {a} years go by.",
            "After that, {a} years pass.",
            cap=95,
            grid=6,
        ),
    ),
    questions={0: ("How old is [this] now?", "What is the age of [this] now?")},
    restatements=(
        "Remember that [N] was {v} years old at the start.",
        "In the beginning, [N] was {v} years old.",
    ),
    cap=95,
    chain="who",
)

TIME = Family(
    name="time",
    scenes=tuple(
        {"trip": trip}
        for trip in (
            "train ride",
            "bus tour",
            "boat trip",
            "ferry crossing",
            "mountain hike",
            "car trip",
        )
    ),
    start=Start(30, 400),
    openings=(
        "A [trip] normally takes {v} minutes.",
        "The timetable gives {v} minutes for a [trip].",
        "A [trip] is planned to last {v} minutes.",
    ),
    clauses=(
        Span(
            "add",
            2,
            90,
            "A delay adds {a} minutes.",
            "Bad weather makes the [trip] {a} minutes longer.",
            "Because of road works the [trip] lasts {a} minutes longer.",
            cap=4_000,
        ),
        Span(
            "subtract",
            2,
            90,
            "A shortcut saves {a} minutes.",
            "Skipping one stop makes the [trip] {a} minutes shorter.",
        ),
        Each(
            "add_each",
            2,
            20,
            "There are {b} extra stops of {a} minutes each.",
            "The guide adds {b} breaks of {a} minutes each.",
            cap=4_000,
        ),
        Each(
            "subtract_each",
            2,
            20,
            "To save time, {b} breaks of {a} minutes each are dropped.",
            "The guide leaves out {b} stops of {a} minutes each.",
        ),
        Table("hours", (2, 3), "A detour adds {a} hours.", "A storm adds {a} hours to the [trip]."),
        Table("hours", (1,), "A detour adds an hour.", "A storm adds an hour to the [trip]."),
        Table(
            "times",
            (3, 4),
            "With heavy luggage the [trip] takes {a} times as long.",
            "In deep snow the [trip] takes {a} times as long.",
        ),
        Table(
            "times",
            (2,),
            "In thick fog the [trip] takes twice as long.",
            "A strike doubles the travel time.",
        ),
        Table(
            "halve_time",
            (2,),
            "A new route cuts the travel time in half.",
            "After the repairs the [trip] takes half as long.",
        ),
        Table(
            "fraction_off",
            shares(3, 4, 5, 6),
            "A faster engine cuts the travel time by {p}/{q}.",
            "On a quiet day the [trip] takes {p}/{q} less time.",
        ),
    ),
    questions={
        0: (
            "How many minutes does the [trip] take now?",
            "How long does the [trip] take in the end, in minutes?",
        )
    },
    restatements=(
        "Remember that the [trip] was planned to take {v} minutes at first.",
        "Originally, the [trip] took {v} minutes.",
    ),
    cap=10_000,
)
