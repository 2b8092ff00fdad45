"""Families about time: ages in years, journeys in minutes."""

from argus_gym.problems.clauses import NEXT, Each, Span, Start, Table, shares
from argus_gym.problems.scenes import FRIENDS, PEOPLE, Family

__all__ = ["AGES", "TIME"]

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
