"""An audit's report for a terminal, and as plain data."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from argus_gym.audit.auditing import Audit, Outcome, Signal
from argus_gym.audit.readers import one_line
from argus_gym.audit.signals import KINDS
from argus_gym.records import encode

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

__all__ = ["as_data", "report"]

LIES = {
    "B": "B novelty collapse",
    "D": "D forgetting",
    "E": "E saturation",
    "I": "I proxy gaming",
    "J": "J confident wrong",
    "K": "K diversity collapse",
}
SHOWN = 12
MARKS = "▁▂▃▄▅▆▇█"


def as_data(audits: Sequence[Audit]) -> list[dict[str, Any]]:
    """Return the reports as JSON-ready data, without the points that are only for drawing."""
    out = []
    for one in audits:
        data: dict[str, Any] = encode(one)
        for signal in data["signals"]:
            del signal["values"]
        data["fired"] = [outcome.check for outcome in one.fired]
        out.append(data)
    return out


def report(one: Audit) -> "Group":
    """Return one report: the signals, the checks, and what would say more."""
    from rich.console import Group
    from rich.text import Text

    fired = one.fired
    parts: list[Any] = [
        Text.assemble((one_line(one.name), "bold"), f"   {one_line(_source(one))}"),
        Text(_verdict(fired), style="bold red" if fired else "bold green"),
        _checks(one),
        _signals(one),
    ]
    notes = [f"ignored: {n:,} x {reason}" for reason, n in sorted(one.ignored.items())]
    if one.restarts:
        times = "once" if one.restarts == 1 else f"{one.restarts} times"
        notes.append(f"the step fell back {times}: what was logged again replaces the older values")
    grain = max(s.grain for s in one.signals)
    if grain > 1:
        notes.append(f"long log: up to {grain} neighbouring rows are averaged to one point")
    if one.unused:
        more = ", ..." if len(one.unused) > SHOWN else ""
        notes.append(f"not read: {', '.join(one.unused[:SHOWN])}{more}")
    parts += [Text(one_line(note), style="dim") for note in notes]
    parts += [Text("To say more:"), *(Text(f"- {text}") for text in one.more), Text("")]
    return Group(*parts)


def _source(one: Audit) -> str:
    first, last = one.steps
    span = f"{one.step_column} {first:g} to {last:g}" if math.isfinite(first) else "no steps"
    return f"{one.format}, {one.rows:,} rows, {span}"


def _verdict(fired: Sequence[Outcome]) -> str:
    if not fired or fired[0].alarm is None:
        return "quiet: no check fired"
    times = "1 check" if len(fired) == 1 else f"{len(fired)} checks"
    return f"{times} fired, first at {fired[0].alarm.step:g}: {fired[0].check}"


def _checks(one: Audit) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Checks", title_justify="left", expand=True)
    table.add_column("check", no_wrap=True)
    table.add_column("outcome", no_wrap=True)
    table.add_column("looks like", no_wrap=True)
    table.add_column("evidence", ratio=1)
    order = {"fired": 0, "quiet": 1, "not run": 2}
    rows = [*one.fired, *(o for o in one.outcomes if o.alarm is None)]
    for outcome in sorted(rows, key=lambda o: order[o.status]):
        alarm = outcome.alarm
        if alarm is not None:
            words = Text(f"fired at {alarm.step:g}", style="bold red")
            evidence = f"{one_line(alarm.column)}: {one_line(alarm.sentence)}"
            table.add_row(outcome.check, words, LIES.get(alarm.lie, ""), Text(evidence))
        elif outcome.status == "quiet":
            table.add_row(
                outcome.check, Text("quiet", style="green"), "", Text(_names(outcome.reads))
            )
        else:
            words = Text("not run", style="dim")
            table.add_row(
                outcome.check, words, "", Text(f"needs {one_line(outcome.needs)}", style="dim")
            )
    return table


def _names(columns: Sequence[str]) -> str:
    shown = ", ".join(one_line(c) for c in columns[:4])
    return f"read {shown}{', ...' if len(columns) > 4 else ''}"


def _signals(one: Audit) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Signals", title_justify="left", expand=True)
    for name in ("signal", "column"):
        table.add_column(name, no_wrap=True)
    for name in ("values", "first", "last"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("course, oldest first", no_wrap=True)
    for signal in one.signals[:SHOWN]:
        table.add_row(
            signal.kind,
            Text(one_line(signal.column)),
            _count(signal),
            *(f"{v:.4g}" for v in (signal.first, signal.last)),
            _course(signal.values),
        )
    if len(one.signals) > SHOWN:
        table.add_row("...", f"{len(one.signals) - SHOWN} more", "", "", "", "")
    missing = [kind for kind in KINDS if all(s.kind != kind for s in one.signals)]
    table.caption = f"not in the log: {', '.join(missing)}" if missing else None
    table.caption_justify = "left"
    return table


def _count(signal: Signal) -> str:
    bad = f" + {signal.nonfinite:,} not finite" if signal.nonfinite else ""
    return f"{signal.points:,}{bad}"


def _course(values: Sequence[float]) -> str:
    if not values:
        return ""
    low, high = min(values), max(values)
    # Halves, so that the difference of two huge numbers stays finite.
    reach = (high / 2 - low / 2) or 1.0
    levels = [(v / 2 - low / 2) / reach if high > low else 0.5 for v in values]
    return "".join(MARKS[min(int(len(MARKS) * level), len(MARKS) - 1)] for level in levels)
