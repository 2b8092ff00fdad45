"""What ``argus-gym bench goodhart`` prints."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["tables"]


def tables(result: Mapping[str, Any]) -> "list[Table]":
    """Return the arms on fresh learners, and their differences from plain consensus."""
    first, last = result["seeds"]
    about = f"{result['steps']:,} steps, seeds {first} to {last}, n = {result['n']}, mean [95 %]"
    arms = [
        (
            row["world"],
            row["arm"],
            _shown(row["reward"], 4),
            _shown(row["reward_gain"], 4, "+"),
            _shown(row["change"], 3, "+"),
            _shown(row["uniform_change"], 3, "+"),
            _shown(row["accuracy_gain"], 3, "+"),
            f"{row['harmed']['mean']:.2f}",
            f"{row['uniform_harmed']['mean']:.2f}",
        )
        for row in result["arms"]
    ]
    pairs = [
        (
            row["world"],
            row["arm"],
            _shown(row["accuracy"], 3, "+"),
            _shown(row["harmed"], 2, "+"),
        )
        for row in result["pairs"]
    ]
    return [
        _table(
            f"PPO on fresh learners: {about}",
            "world; paid for; reward a step; over uniform; true accuracy, change; "
            "uniform, change; over uniform; harmed; uniform, harmed",
            arms,
        ),
        _table(
            f"against plain consensus, paired by seed: {about}",
            "world; paid for; true accuracy at the end; harmed",
            pairs,
        ),
    ]


def _table(title: str, heads: str, rows: Sequence[tuple[str, ...]]) -> "Table":
    from rich.table import Table

    table = Table(title=title)
    for at, head in enumerate(heads.split("; ")):
        table.add_column(head, justify="left" if at < 2 else "right")
    for row in rows:
        table.add_row(*row)
    return table


def _shown(found: Mapping[str, float], digits: int, sign: str = "") -> str:
    mean, low, high = (f"{found[name]:{sign}.{digits}f}" for name in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"
