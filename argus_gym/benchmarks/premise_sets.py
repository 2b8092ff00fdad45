"""The real problems the premise validator is measured on, read as they were published.

Every set is split in two halves by a hash of the problem, or of the original it was made from: the
rules were made looking at the tuning half, and of the report half only counts were ever seen.
"""

import gzip
import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["SETS", "Item", "half", "load"]

UMWP = {
    1: "key information missing",
    2: "ambiguous",
    3: "unrealistic numbers",
    4: "unrelated object",
    5: "question missing",
}


class Item(NamedTuple):
    """One problem: the group it is counted in, its text, and the text that decides its half."""

    group: str
    text: str
    source: str


def half(text: str) -> str:
    """Return the half, ``tuning`` or ``report``, of a problem or of what was made from it."""
    key = "".join(c for c in text.lower() if c.isalnum())[:40]
    return "tuning" if sha256(key.encode()).digest()[0] < 128 else "report"


def _read(path: Path) -> Any:
    """Return parsed JSON, or a list of the parsed lines of a ``.jsonl`` file; gzipped or not."""
    for candidate in (path, path.with_name(f"{path.name}.gz")):
        if candidate.exists():
            with (gzip.open if candidate.suffix == ".gz" else open)(candidate, "rb") as file:
                text = file.read().decode()
            try:
                if ".jsonl" in candidate.name:
                    return [json.loads(line) for line in text.splitlines() if line]
                return json.loads(text)
            except ValueError as error:
                raise ValueError(f"{candidate}: expected JSON, {error}") from error
    raise FileNotFoundError(f"{path} is missing")


def _gsm8k(data: Path) -> Iterator[Item]:
    for part in ("train", "test"):
        for row in _read(data / f"gsm8k/{part}.jsonl"):
            yield Item("GSM8K", row["question"], row["question"])


def _svamp(data: Path) -> Iterator[Item]:
    for row in _read(data / "premises/svamp.json"):
        body = row["Body"].rstrip()
        text = f"{body}{'' if body.endswith(('.', '?')) else '.'} {row['Question']}"
        yield Item("SVAMP", text, text)


def _gsm_ic(data: Path) -> Iterator[Item]:
    for row in _read(data / "premises/gsm_ic/GSM-IC2.json"):
        yield Item("GSM-IC", row["problem"], row["problem"])


def _umwp(data: Path) -> Iterator[Item]:
    rows = _read(data / "premises/umwp/umwp_half.jsonl")
    by_id = {row["id"]: row for row in rows}
    unrealistic = {row["relevant_ids"][0] for row in rows if row["category"] == 3}
    for row in rows:
        if row["answerable"]:
            twin = ", twin of 3" if row["id"] in unrealistic else ", other"
            yield Item(f"UMWP answerable{twin}", row["question"], row["question"])
        else:
            original = by_id[row["relevant_ids"][0]]["question"]
            name = f"UMWP {row['category']}, {UMWP[row['category']]}"
            yield Item(name, row["question"], original)


def _valimath(data: Path) -> Iterator[Item]:
    for row in _read(data / "premises/valimath/ValiMath.jsonl"):
        if row["gt"]:
            group = "valid"
        elif row["contradiction_check"] is False:
            group = "contradiction"
        elif row["min_Pi_check"] is False:
            group = "impossible values"
        elif row["condition_complete_check"] is False:
            group = "incomplete"
        else:
            group = "no problem at all"
        yield Item(f"ValiMath {group}", row["question"], row["question"])


def _mathtrap(data: Path) -> Iterator[Item]:
    for row in _read(data / "premises/mathtrap/MathTrap_Public.json"):
        original = row["original_problem"]
        yield Item("MathTrap trap", row["trap_problem"], original)
        yield Item("MathTrap original", original, original)


def _mip(data: Path) -> Iterator[Item]:
    for part in ("gsm8k", "svamp"):
        for row in _read(data / f"premises/mip/{part}.json"):
            text = row["insufficient_question"]
            yield Item(f"MiP {part}, premise removed", text, row.get("question", text))


SETS: dict[str, Callable[[Path], Iterator[Item]]] = {
    "GSM8K": _gsm8k,
    "SVAMP": _svamp,
    "GSM-IC": _gsm_ic,
    "UMWP": _umwp,
    "ValiMath": _valimath,
    "MathTrap": _mathtrap,
    "MiP": _mip,
}
"""By name, what reads a set under a data folder."""


def load(name: str, data: Path) -> list[Item]:
    """Return the problems of one of :data:`SETS`.

    Raises:
        FileNotFoundError: If its file is not under ``data``.
        ValueError: If the file is not what it should be.
    """
    try:
        return list(SETS[name](data))
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"{data}: the rows of {name} lack {error}") from error
