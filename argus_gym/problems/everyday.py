"""Families about what people have: shopping, sharing."""

from argus_gym.problems.clauses import Each, Span, Start, Table, shares
from argus_gym.problems.scenes import PEOPLE, Family, Slots

__all__ = ["SHARING", "SHOPPING"]

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
