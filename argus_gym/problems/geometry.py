"""The family about shapes: a square, a wire and a sheet of paper."""

from argus_gym.problems.clauses import Span, Start, Table
from argus_gym.problems.scenes import Family

__all__ = ["GEOMETRY"]

_SIDE, _WIRE, _SHEET = range(3)

_POLYGONS = (
    (3, "an equilateral triangle"),
    (5, "a regular pentagon"),
    (6, "a regular hexagon"),
    (8, "a regular octagon"),
)

GEOMETRY = Family(
    name="geometry",
    scenes=tuple({"cm": unit} for unit in ("centimeters", "inches", "feet", "meters", "yards")),
    start=Start(4, 40, grid=4),
    openings=(
        "Each side of a square is {v} [cm] long.",
        "A square has sides of {v} [cm].",
        "Someone draws a square with a side length of {v} [cm].",
    ),
    clauses=(
        Span(
            "add",
            2,
            30,
            "Each side of the square is made {a} [cm] longer.",
            "The sides of the square all grow by {a} [cm].",
            cap=500,
            grid=4,
        ),
        Span(
            "subtract",
            2,
            30,
            "Each side of the square is made {a} [cm] shorter.",
            "The sides of the square all shrink by {a} [cm].",
            grid=4,
        ),
        Table(
            "times",
            (2, 3),
            "The square is enlarged so that its sides are {a} times as long.",
            "The sides of the square are stretched to {a} times their length.",
        ),
        Table(
            "perimeter",
            (4,),
            "A wire runs exactly once around the square.",
            "A piece of wire is as long as the perimeter of the square.",
            then=_WIRE,
        ),
        *(
            Table(
                "perimeter",
                (sides,),
                f"A wire runs exactly once around {polygon} "
                "with the same side length as the square.",
                f"A piece of wire is as long as the perimeter of {polygon} "
                "whose sides are as long as those of the square.",
                then=_WIRE,
            )
            for sides, polygon in _POLYGONS
        ),
        Table(
            "area",
            (4,),
            "A sheet of paper covers the square exactly.",
            "A sheet of paper has the same area as the square.",
            then=_SHEET,
        ),
        Table(
            "rectangle",
            range(5, 31),
            "A rectangular sheet of paper is as wide as the square and {a} [cm] long.",
            "A rectangular sheet of paper has one side of {a} [cm] "
            "and one side as long as those of the square.",
            then=_SHEET,
        ),
        Span(
            "add",
            2,
            60,
            "A piece of {a} [cm] is joined to the wire.",
            "The wire is made {a} [cm] longer.",
            cap=5_000,
            when=_WIRE,
        ),
        Span(
            "subtract",
            2,
            60,
            "A piece of {a} [cm] is cut off the wire.",
            "The wire is made {a} [cm] shorter.",
            when=_WIRE,
        ),
        Table(
            "divide",
            range(2, 13),
            "The wire is cut into {a} equal pieces, and only one of them is kept.",
            "The wire is cut into {a} pieces of the same length, and all but one are thrown away.",
            when=_WIRE,
        ),
        Table(
            "side",
            (4,),
            "The wire is bent into a new square.",
            "All of the wire is used to form a new square.",
            when=_WIRE,
            then=_SIDE,
        ),
        Span(
            "add",
            2,
            90,
            "A strip of {a} square [cm] is taped to the sheet.",
            "The sheet gains a strip of {a} square [cm].",
            cap=50_000,
            when=_SHEET,
        ),
        Span(
            "subtract",
            2,
            90,
            "A strip of {a} square [cm] is cut off the sheet.",
            "The sheet loses a strip of {a} square [cm].",
            when=_SHEET,
        ),
        Table(
            "divide",
            range(2, 13),
            "The sheet is cut into {a} parts of equal area, and only one of them is kept.",
            "The sheet is cut into {a} equal parts, and all but one are thrown away.",
            when=_SHEET,
        ),
        Table(
            "width",
            range(2, 41),
            "A rectangle with the same area as the sheet is {a} [cm] wide, "
            "and a wire is cut to the length of this rectangle.",
            "A wire is as long as a rectangle that is {a} [cm] wide "
            "and has the same area as the sheet.",
            when=_SHEET,
            then=_WIRE,
        ),
    ),
    questions={
        _SIDE: (
            "How long is each side of the square now, in [cm]?",
            "What is the side length of the square in the end, in [cm]?",
        ),
        _WIRE: (
            "How long is the wire, in [cm]?",
            "What is the length of the wire in the end, in [cm]?",
        ),
        _SHEET: (
            "What is the area of the sheet, in square [cm]?",
            "How many square [cm] does the sheet measure in the end?",
        ),
    },
    restatements=(
        "Remember that the sides of the first square were {v} [cm] long.",
        "In the beginning, the square had sides of {v} [cm].",
    ),
)
