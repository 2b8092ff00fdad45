"""A log file of any known form, as the series an audit can use."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from argus_gym.audit.events import event_rows, is_events
from argus_gym.audit.rows import Row, rows
from argus_gym.audit.series import Series
from argus_gym.audit.signals import KINDS, MANY, STEPS, recognise
from argus_gym.run_data import InputError

__all__ = ["Log", "one_line", "read"]

MAX_SERIES = 64
MAX_STEP = 2.0**53
SEARCHED = 50
SHOWN = 8
WANDB = re.compile(r"(?P<run>.+) - (?P<name>.+?)(?P<side>__MIN|__MAX|__step)?")


@dataclass(frozen=True, eq=False)
class Log:
    """What one run's log holds that an audit can use.

    Attributes:
        name: The file, and the run where the file holds several.
        format: ``CSV``, ``JSON``, ``JSON-lines``, ``W&B CSV`` or ``TensorBoard``.
        rows: Rows read.
        step: The column that counts steps, ``row`` where there is none.
        series: The recognised signals.
        unused: Columns that were recognised as no signal, or not needed.
        ignored: What could not be used, by reason.
    """

    name: str
    format: str
    rows: int
    step: str
    series: tuple[Series, ...]
    unused: tuple[str, ...]
    ignored: Mapping[str, int]

    def of(self, kind: str) -> tuple[Series, ...]:
        """Return the series of one kind."""
        return tuple(s for s in self.series if s.kind == kind)


def read(path: Path, mapping: Mapping[str, str] | None = None) -> list[Log]:
    """Read a log; a W&B export of several runs gives one log a run.

    Of several runs, those that hold no signal are left out and noted with the others.

    Args:
        path: A ``trainer_state.json``, JSON-lines, JSON or CSV file, any of them with ``.gz``, a
            TensorBoard event file, or a folder of those.
        mapping: The signal by column, where the names are not recognised; the columns named so
            are the only ones of their signal. ``step`` names the step column.

    Raises:
        InputError: If the file cannot be read, holds no rows or no signal, or lacks a column that
            ``mapping`` names.
    """
    mapping = dict(mapping or {})
    if not path.exists():
        raise InputError(f"{path} does not exist: expected a log file")
    ignored: Counter[str] = Counter()
    if is_events(path):
        form, found = "TensorBoard", event_rows(path, ignored)
    elif path.is_dir():
        inside = [str(sub) for sub in sorted(path.iterdir()) if sub.is_dir() and is_events(sub)]
        hint = f"one or more of {', '.join(inside[:SHOWN])}" if inside else "a log file"
        raise InputError(f"{path} is a folder without event files: expected {hint}")
    else:
        form, found = rows(path, ignored)
    first = list(islice(found, SEARCHED))
    if not first:
        raise InputError(f"{path} holds no rows: {_counts(ignored) or 'expected a log'}")
    runs = _wandb_runs(first[0]) if form == "CSV" else {}
    everything = chain(first, found)
    if not runs:
        reader = _Reader(str(path), first, mapping, ignored)
        for row in everything:
            reader.add(row)
        return [reader.log(form)]
    readers = {}
    for run, columns in runs.items():
        part = [{columns[c]: v for c, v in row.items() if c in columns} for row in first]
        name = str(path) if len(runs) == 1 else f"{path} [{one_line(run)}]"
        readers[run] = _Reader(name, part, mapping, ignored)
    for row in everything:
        for run, columns in runs.items():
            readers[run].add({columns[c]: v for c, v in row.items() if c in columns})
    logs = []
    for reader in readers.values():
        try:
            logs.append(reader.log("W&B CSV"))
        except InputError as error:
            ignored[f"run left out: {error}"] = 1
            why = error
    if not logs:
        raise why
    return [replace(log, ignored=dict(ignored)) for log in logs]


def _wandb_runs(row: Row) -> dict[str, dict[str, str]]:
    """Return the columns of each run of a W&B export, with the names they had in the run."""
    runs: dict[str, dict[str, str]] = {}
    shared: dict[str, str] = {}
    for column in row:
        match = WANDB.fullmatch(column)
        if not match:
            shared[column] = column
        elif not match["side"]:
            runs.setdefault(match["run"], {})[column] = match["name"]
    return {run: shared | columns for run, columns in runs.items()}


@dataclass
class _Reader:
    """Sorts the cells of rows into series."""

    name: str
    first: list[Row]
    mapping: dict[str, str]
    ignored: Counter[str]
    count: int = 0
    series: dict[str, Series | None] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        wanted = [column for column, kind in self.mapping.items() if kind == "step"]
        lower = {c: c.lower().strip() for row in self.first for c in row}
        known = [c for name in STEPS for c, low in lower.items() if low == name]
        self.steps = wanted or known[:1]
        # An evaluation may be logged with a step of another name than the training rows have.
        self.others = [] if wanted else [c for c in known[1:] if lower[c] != "epoch"]

    def add(self, row: Row) -> None:
        """Take in one row."""
        self.count += 1
        step: float | None = float(self.count) if not self.steps else None
        for column in (*self.steps, *self.others):
            if step is None and column in row:
                step = _number(row[column])
                self.seen.add(column)
        if step is None or not abs(step) <= MAX_STEP:
            self.ignored["row without a step"] += 1
            return
        for column, cell in row.items():
            if column in self.steps or column in self.others:
                continue
            series = self._series(column)
            if series is None:
                continue
            value = _number(cell)
            if value is not None:
                series.add(step, value)
            elif not isinstance(cell, str) or cell.strip():
                self.ignored["cell that is no number"] += 1

    def _series(self, column: str) -> Series | None:
        if column not in self.series:
            kind = self.mapping.get(column)
            if kind is None:
                kind = recognise(column)
                if kind in self.mapping.values():
                    kind = None
            if len(self.series) >= 4_096:
                return None
            full = sum(s is not None for s in self.series.values()) >= MAX_SERIES
            if full and kind is not None and column not in self.mapping:
                self.ignored[f"signal beyond the first {MAX_SERIES}"] += 1
                kind = None
            self.series[column] = Series(column, kind) if kind else None
        return self.series[column]

    def log(self, form: str) -> Log:
        """Return what was read."""
        columns = {*self.series, *self.seen}
        for column in self.mapping:
            if column not in columns:
                some = _list(columns)
                raise InputError(f"{self.name} has no column {column!r}: it has {some}")
        held = [s for s in self.series.values() if s is not None and (len(s) or s.nonfinite)]
        kept = _choose(held)
        if not kept:
            some = _list(columns) or _counts(self.ignored)
            raise InputError(
                f"{self.name} holds no signal that is known by its name ({some}): "
                "name one with --map, as in --map reward=COLUMN"
            )
        chosen = {s.column for s in kept}
        unused = tuple(sorted(c for c in self.series if c not in chosen))
        step = self.steps[0] if self.steps else "row"
        return Log(self.name, form, self.count, step, tuple(kept), unused, dict(self.ignored))


def _choose(found: Iterable[Series]) -> list[Series]:
    """Return the series to use: all where a log may have several, else the plainest name."""
    kept: list[Series] = []
    for kind in KINDS:
        ours = [s for s in found if s.kind == kind]
        if kind not in MANY:
            ours.sort(key=lambda s: (len(s) < 2, len(s.column), s.column))
            ours = ours[:1]
        kept.extend(ours)
    return kept


def _number(cell: Any) -> float | None:
    """Return a cell as a float, ``None`` where it is empty or no number."""
    try:
        return float(cell)
    except OverflowError:
        return math.inf
    except (TypeError, ValueError):
        return None


def one_line(text: str, longest: int = 160) -> str:
    """Return foreign text without control characters, shortened."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    return plain if len(plain) <= longest else f"{plain[:longest]}..."


def _list(columns: Iterable[str]) -> str:
    """Return some columns on one line, whatever their names hold."""
    return ", ".join(one_line(c, 40) for c in sorted(columns)[:12])


def _counts(ignored: Mapping[str, int]) -> str:
    return ", ".join(f"{n:,} x {reason}" for reason, n in sorted(ignored.items()))
