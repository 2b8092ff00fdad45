"""The tables of ``bench lies``."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from argus_gym.benchmarks.lies_figures import is_main

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["new_table", "percent", "share", "tables"]


def tables(result: Mapping[str, Any]) -> "list[Table]":
    """Return every table of a result."""
    made = [
        _summary(result),
        _detection(result),
        _stacks(result),
        _elsewhere(result),
        _alarms(result),
        _duels(result),
        _confusion(result),
        _admission(result),
        _failed(result),
    ]
    return [table for table in made if table.row_count]


def new_table(title: str, *columns: str) -> "Table":
    """Return an empty table; its first column is text, the others are numbers."""
    from rich.table import Table

    out = Table(title=title, title_justify="left")
    for at, column in enumerate(columns):
        out.add_column(column, justify="left" if at == 0 else "right")
    return out


def _lies(result: Mapping[str, Any], main: bool = True) -> list[Mapping[str, Any]]:
    found = [c for c in result["cells"] if "stacks" in c and is_main(c) == main]
    return sorted(found, key=lambda c: (c["kind"] != "planted", c["lie"], c["world"]))


def _summary(result: Mapping[str, Any]) -> "Table":
    """One row a stack: means over the planted lies at medium severity, and false alarms."""
    out = new_table(
        "Planted lies at medium severity, in %",
        *("stack", "own detector in 3 rounds", "in 5", "any alarm in 3", "in 5"),
        *("median delays over 3 rounds", "quiet runs with an alarm", "honest twins with one"),
    )
    for stack in result["stacks"]:
        found = result["summary"]["stacks"][stack]
        macro = [found["macro"][what][w] for what in ("typed", "any") for w in ("3", "5")]
        if not found["delays"]:
            continue
        late = sum(delay is None or delay > 3 for delay in found["delays"].values())
        alarms = (result["quiet"]["stacks"][stack], found["honest"])
        out.add_row(
            stack, *map(percent, macro), f"{late} of {len(found['delays'])}", *map(share, alarms)
        )
    return out


def _detection(result: Mapping[str, Any]) -> "Table":
    stack = result["stacks"][-1]
    out = new_table(
        f"{stack} at medium severity, sudden onset: alarms of the lie's own detector",
        *("world", "lie", "runs", "in 1 round", "in 3", "in 5", "delay", "lost", "of", "named"),
    )
    for cell in _lies(result):
        own = cell["stacks"][stack]
        out.add_row(
            cell["world"],
            cell["lie"],
            str(cell["begun"]),
            *(share(own["typed"][w]) for w in ("1", "3", "5")),
            number(own["delay"]["median"]),
            f"{100 * cell['damage']['to_alarm']:+.1f}",
            f"{100 * cell['damage']['to_end']:+.1f}",
            share(cell["right_name"]),
        )
    return out


def _stacks(result: Mapping[str, Any]) -> "Table":
    stacks = result["stacks"]
    columns = [f"{stack} {what}" for stack in stacks for what in ("typed", "any")]
    out = new_table("Caught within 3 rounds at medium severity, by stack", "world", "lie", *columns)
    for cell in _lies(result):
        found = [cell["stacks"][s][what]["3"] for s in stacks for what in ("typed", "any")]
        out.add_row(cell["world"], cell["lie"], *(percent(f["share"]) for f in found))
    return out


def _elsewhere(result: Mapping[str, Any]) -> "Table":
    """One row a world: detection within 3 rounds at every other severity and shape."""
    cells = _lies(result, main=False)
    names = sorted({(c["severity"], c["shape"]) for c in cells})
    stack = result["stacks"][-1]
    title = f"{stack}, own detector within 3 rounds, other severities and shapes"
    out = new_table(title, "world", "lie")
    for severity, shape in names:
        out.add_column(f"{severity} {shape}", justify="right")
    for world in dict.fromkeys((c["world"], c["lie"]) for c in cells):
        found = {(c["severity"], c["shape"]): c for c in cells if c["world"] == world[0]}
        row = [found[n]["stacks"][stack]["typed"]["3"] if n in found else None for n in names]
        out.add_row(*world, *("" if f is None else percent(f["share"]) for f in row))
    return out


def _alarms(result: Mapping[str, Any]) -> "Table":
    out = new_table("Runs with any alarm where nothing lies", "world", "runs", *result["stacks"])
    quiet = result["quiet"]
    out.add_row("quiet", str(quiet["n"]), *(share(quiet["stacks"][s]) for s in result["stacks"]))
    for cell in result["cells"]:
        if cell["kind"] in ("honest", "placebo") and is_main(cell):
            found = cell["alarmed"]
            name = f"{cell['world']} ({cell['kind']})"
            out.add_row(name, str(cell["runs"]), *(share(found[s]) for s in result["stacks"]))
    honest = {s: result["summary"]["stacks"][s]["honest"] for s in result["stacks"]}
    if honest[result["stacks"][-1]]["n"]:
        out.add_row(
            "honest twins",
            str(honest[result["stacks"][-1]]["n"]),
            *(share(honest[s]) for s in result["stacks"]),
        )
    return out


def _duels(result: Mapping[str, Any]) -> "Table":
    out = new_table(
        "Each detector against the best generic alarm, both at 5 % false alarms a run, in 3 rounds",
        *("lie", "detector", "best generic alarm", "caught", "difference, 95 %", "beats it"),
    )
    for cell in _lies(result):
        duel = cell.get("duel")
        if duel is None or cell["kind"] != "planted":
            continue
        low, high = 100 * duel["low"], 100 * duel["high"]
        verdict = "yes" if low > 0 else "no" if high < 0 else "level"
        out.add_row(
            cell["lie"],
            percent(duel["typed"]["share"]),
            duel["generic"],
            percent(duel["best"]["share"]),
            f"{low:+.0f} to {high:+.0f}",
            verdict,
        )
    return out


def _confusion(result: Mapping[str, Any]) -> "Table":
    cells = [c for c in _lies(result) if c["kind"] == "planted"]
    names = sorted({name for cell in cells for name in cell["named"]})
    out = new_table(
        "What the diagnosis names at the first alarm, in % of the alarms", "lie", *names
    )
    for cell in cells:
        total = max(sum(cell["named"].values()), 1)
        shares = [round(100 * cell["named"].get(name, 0) / total) for name in names]
        out.add_row(cell["lie"], *(str(s) if s else "" for s in shares))
    return out


def _admission(result: Mapping[str, Any]) -> "Table":
    out = new_table(
        "Medium severity against the twin: reward and gauge after the onset, truth at the end, "
        "in points, 95 %",
        *("world", "reward", "gauge", "pass@1", "pass@16", "admitted"),
    )
    for cell in filter(is_main, result["cells"]):
        found = cell["admission"]
        out.add_row(
            cell["world"],
            *(_gap(found[n]) for n in ("reward", "epi_train", "accuracy", "pass_16")),
            "yes" if found["admitted"] else "no",
        )
    return out


def _gap(found: Mapping[str, float]) -> str:
    if not math.isfinite(found["low"]):
        return "not measured"
    return f"{100 * found['mean']:+.1f} ± {50 * (found['high'] - found['low']):.1f}"


def _failed(result: Mapping[str, Any]) -> "Table":
    out = new_table("Runs that failed", "world", "severity", "shape", "runs", "reason")
    for cell in result["cells"]:
        for reason, count in cell["failed"].items():
            out.add_row(cell["world"], cell["severity"], cell["shape"], str(count), reason)
    return out


def share(found: Mapping[str, float]) -> str:
    """Return a share with its interval, in percent."""
    if not found["n"]:
        return "not measured"
    return f"{100 * found['share']:.0f} [{100 * found['low']:.0f}, {100 * found['high']:.0f}]"


def percent(value: float) -> str:
    """Return a share in percent."""
    return "" if math.isnan(value) else f"{100 * value:.0f}"


def number(value: float | None) -> str:
    """Return a number of rounds."""
    return "never" if value is None else f"{value:g}"
