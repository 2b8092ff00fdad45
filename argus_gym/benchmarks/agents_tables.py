"""What ``argus-gym bench agents`` prints."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["tables"]


def tables(result: Mapping[str, Any]) -> "list[Table]":
    """Return three tables: what was needed, what captured, and what reached the hard families."""
    first, last = result["seeds"]
    seeds = f"seeds {first} to {last}"
    compared = [
        (
            row["world"],
            row["unlearnable"],
            row["curriculum"],
            _shown(row["answers"]),
            _counted(row["faster"]),
            _shown(row["pairs"]),
            _shown(row["final"]),
            *(f"{row[name]:.2f}" for name in ("stuck", "stuck_late", "largest")),
        )
        for row in result["compared"]
    ]
    watched = [
        (
            row["unlearnable"],
            row["curriculum"],
            f"{row['stuck_late']:.2f}",
            *(_counted(row[name]) for name in ("passed", "alarm", "alarm_before", "barred_before")),
            _counted(row["false_alarm"]),
        )
        for row in result["watched"]
    ]
    hard = [
        (
            row["curriculum"],
            _shown(row["start"]),
            _shown(row["end"]),
            _counted(row["solved"]),
            f"{row['answers']:.0f}",
        )
        for row in result["hard"]
    ]
    return [
        _table(
            f"answers and pairs to four fifths of the way, relative to uniform, {seeds}",
            "world unlearnable curriculum answers faster pairs final stuck late largest",
            compared,
        ),
        _table(
            "lie G: runs in which the share on unlearnable families passed 0.4, and warnings",
            "unlearnable curriculum late passed alarm alarm_before cap_before false_alarm",
            watched,
        ),
        _table(
            "the three lowest families of a deep ladder",
            "curriculum start end above_0.2 answers",
            hard,
        ),
    ]


def _table(title: str, columns: str, rows: Sequence[Sequence[object]]) -> "Table":
    from rich.table import Table

    out = Table(title=title)
    for name in columns.split():
        left = name in ("world", "curriculum")
        out.add_column(name.replace("_", " "), justify="left" if left else "right")
    for row in rows:
        out.add_row(*map(str, row))
    return out


def _counted(count: Mapping[str, Any] | None) -> str:
    return "" if count is None else f"{count['count']}/{count['n']}"


def _shown(figure: Mapping[str, float | None]) -> str:
    median, low, high = (
        "never" if figure[name] is None else f"{figure[name]:.2f}"
        for name in ("median", "low", "high")
    )
    return f"{median} [{low}, {high}]"
