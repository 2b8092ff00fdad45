"""The runs of a report: whole ones, unfinished ones and what is whole of damaged ones."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from argus_gym.capability_map import COLUMNS
from argus_gym.receipt import compare, summarise
from argus_gym.records import RoundRecord, decode
from argus_gym.report.markup import plain
from argus_gym.run_data import (
    CHECKPOINTS,
    LOGS,
    InputError,
    RunData,
    digest,
    last_checkpoint,
    load_run,
    manifest,
    read_config,
    read_object,
)

__all__ = ["Items", "ReportRun", "read_run"]

EXTERNAL = "external.json"
MOST = 10**6
"""Bound on counts and gauges; beyond it a file is not a run's, and figures cannot hold it."""

EVENT = {"round": int, "event": str, "action": str}


@dataclass(frozen=True)
class Items:
    """The same problems answered before and after the run.

    Attributes:
        problems: Their texts.
        before: Right answers before the run, in ``[0, samples]``.
        after: Right answers after it.
        samples: Answers to each problem on each side, >= 1.
    """

    problems: tuple[str, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    samples: int


@dataclass(frozen=True)
class ReportRun:
    """A run as a report shows it.

    Attributes:
        name: What it is called in figures and tables.
        data: Its rounds, ledger and settings.
        items: The external report item by item, ``None`` where there is none.
        left_out: What the folder holds that is not shown, and why; one sentence each.
        damaged: Whether the folder is not what the run wrote; then these are its first rounds.
    """

    name: str
    data: RunData
    items: Items | None = None
    left_out: tuple[str, ...] = ()
    damaged: bool = False

    @property
    def rounds(self) -> tuple[RoundRecord, ...]:
        """The finished rounds."""
        return self.data.rounds

    @property
    def status(self) -> str:
        """Whether the run came to its end, and after which round it stopped otherwise."""
        last, planned = len(self.rounds) - 1, self.data.config.get("rounds")
        if self.damaged:
            return f"damaged; whole up to round {last}"
        if self.data.summary is not None:
            return "finished"
        return f"unfinished after round {last}, {len(self.rounds)} of {plain(planned, 20)} rounds"

    @cached_property
    def external(self) -> Mapping[str, Any] | None:
        """What :func:`argus_gym.receipt.compare` says of the items; ``None`` where not measured."""
        if self.items is None:
            return (self.data.summary or {}).get("external")
        return compare(self.items.before, self.items.after, self.items.samples)

    @cached_property
    def summary(self) -> Mapping[str, Any]:
        """What :func:`argus_gym.receipt.summarise` says of the rounds there are."""
        return summarise(self.rounds, self.external)


def read_run(path: Path, name: str | None = None) -> ReportRun:
    """Read a run folder without changing it.

    A run that stopped, or a folder that was copied in part, gives the rounds up to the last point
    at which both logs are what the run wrote.

    Args:
        path: The run folder.
        name: What the run is called, the folder's name where ``None``.

    Raises:
        InputError: If it is not a run folder, holds no finished round, or was changed by hand.
    """
    try:
        damage = None
        try:
            data = load_run(path)
        except InputError as error:
            data, damage = _whole_part(path), error
            if not data.rounds:
                raise
        left_out = [f"Damaged: {damage}."] if damage else []
        if not data.rounds and last_checkpoint(path) is None:
            data = _whole_lines(path, data.config)
            left_out = ["There is no checkpoint to hold the logs against: not checked."]
        if data.summary is None:
            left_out += _beyond(path, data)
        items = _items(path, data)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    _check(path, data)
    name = name or path.resolve().name
    return ReportRun(name, data, items, tuple(left_out), damage is not None)


def _whole_part(path: Path) -> RunData:
    """Return a damaged folder's data up to the last checkpoint that both logs still fit."""
    config = read_config(path)
    logs = {name: _bytes(path / name) for name in LOGS}
    found = (p for p in (path / CHECKPOINTS).glob("*") if re.fullmatch("[0-9]{1,9}", p.name))
    for checkpoint in sorted(found, key=lambda p: int(p.name), reverse=True):
        try:
            noted = manifest(checkpoint)["run"]
        except InputError:
            continue
        kept = {name: logs[name][: noted[name]["bytes"]] for name in LOGS}
        if kept[LOGS[0]] and all(digest(kept[name]) == dict(noted[name]) for name in LOGS):
            return _parse(path, kept, config)
    return RunData((), (), None, config)


def _whole_lines(path: Path, config: dict[str, Any]) -> RunData:
    """Return what the logs' whole lines say of finished rounds, where no checkpoint vouches."""
    logs = {name: _bytes(path / name) for name in LOGS}
    data = _parse(path, {n: text[: text.rfind(b"\n") + 1] for n, text in logs.items()}, config)
    last = len(data.rounds) - 1
    events = [
        e for e in data.ledger if isinstance(e, dict) and e.get("round", last) in range(last + 1)
    ]
    return replace(data, ledger=tuple(events))


def _beyond(path: Path, data: RunData) -> list[str]:
    """Say how much of the round log lies beyond the rounds that are reported."""
    lines = _bytes(path / LOGS[0]).splitlines(keepends=True)[len(data.rounds) :]
    if not lines:
        return []
    cut = "" if lines[-1].endswith(b"\n") else ", the last one cut off"
    count = f"{len(lines)} line{'s' * (len(lines) > 1)}"
    return [f"{LOGS[0]}: {count} after the last whole checkpoint{cut}."]


def _parse(path: Path, logs: Mapping[str, bytes], config: dict[str, Any]) -> RunData:
    read: dict[str, list[Any]] = {}
    for name, data in logs.items():
        try:
            read[name] = [json.loads(line) for line in data.splitlines()]
            if name == LOGS[0]:
                read[name] = [decode(RoundRecord, line) for line in read[name]]
        except (ValueError, TypeError, RecursionError) as error:
            raise InputError(f"{path / name}: {error}") from error
    return RunData(tuple(read[LOGS[0]]), tuple(read[LOGS[1]]), None, config)


def _items(path: Path, data: RunData) -> Items | None:
    """Return the external report item by item, ``None`` where there is none."""
    if data.summary is None or data.summary.get("external") is None:
        return None
    got = read_object(path / EXTERNAL)
    try:
        problems = decode(tuple[str, ...], got["problems"])
        before = decode(tuple[int, ...], got["before"])
        after = decode(tuple[int, ...], got["after"])
        samples = decode(int, got["samples"])
        compare(before, after, samples)
        if len(problems) != len(before):
            raise ValueError(f"expected {len(before)} problems, got {len(problems)}")
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path / EXTERNAL}: {error}") from error
    return Items(problems, before, after, samples)


def _check(path: Path, data: RunData) -> None:
    """Raise where records that decode are not those of a run."""
    if not data.rounds:
        raise InputError(f"{path} holds no finished round: expected at least one to report on")
    clusters = len(data.rounds[0].map.get("n", ()))
    for index, record in enumerate(data.rounds):
        where = f"{path / LOGS[0]}, line {index + 1}"
        if record.round != index:
            raise InputError(f"{where}: expected round {index}, got {record.round}")
        if not clusters or any(len(record.map.get(name, ())) != clusters for name in COLUMNS):
            raise InputError(f"{where}: expected the map's columns, of length {clusters} each")
        for item in record.retests:
            right = (item.right_before, item.right_after)
            if not 1 <= item.chains <= MOST or not all(0 <= r <= item.chains for r in right):
                raise InputError(f"{where}: expected right answers in [0, chains], chains >= 1")
        shares = [record.mean_reward, record.skill, *(p.combined for p in record.problems)]
        shares += [v for name in ("share", "consensus") for v in record.map[name]]
        if any(not 0 <= v <= 1 for v in shares if not math.isnan(v)):
            raise InputError(f"{where}: expected rewards, skill, shares and consensus in [0, 1]")
        gains = [*record.gauges.values(), *record.map["n"]]
        if any(abs(v) > MOST for v in gains if not math.isnan(v)):
            raise InputError(f"{where}: expected gauges and counts of at most {MOST:,}")
    for number, event in enumerate(data.ledger, 1):
        if not all(isinstance(event.get(key), kind) for key, kind in EVENT.items()):
            raise InputError(
                f"{path / LOGS[1]}, line {number}: expected a round and words for event and action"
            )


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""
