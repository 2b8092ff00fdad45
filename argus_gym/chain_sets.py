"""Recorded chain sets: problems with the chains that real models wrote for them.

Published layouts are read as they are, plain or gzipped, and told apart by their keys:

- own: JSON lines with ``problem``, ``chains`` (a list of texts) and, optionally, ``answer``;
- GSM8K ``train`` and ``test``: ``question``, ``answer`` (the reference solution, one chain);
- GSM8K ``example_model_solutions``: ``question``, ``ground_truth`` and one graded solution a model;
- sampled chains: ``question``, ``gold``, ``samples`` (the layout of ``phi3_k40``);
- graded samples: ``question``, ``gt``, ``code``, ``score`` (the layout of Qwen2.5-Math outputs);
- ZeroEval: a folder with one JSON array a model; the models' answers to one problem are one set.
"""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argus_gym.answers import final_answer, read_value
from argus_gym.records import Value

__all__ = ["ChainSet", "load"]

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ChainSet:
    """One problem with its recorded chains.

    Attributes:
        problem: The problem's text.
        chains: The chains, at least one.
        answer: The known answer, ``None`` where none is given.
        grades: Whether each chain was graded right by those who recorded it, ``None`` where not.
    """

    problem: str
    chains: tuple[str, ...]
    answer: Value | None = None
    grades: tuple[bool, ...] | None = None


def load(path: str | Path) -> list[ChainSet]:
    """Read the chain sets of a file or folder.

    Args:
        path: A ``.jsonl`` or ``.jsonl.gz`` file, a folder that holds exactly one, or a folder of
            ZeroEval outputs (``.json`` or ``.json.gz``, one a model).

    Raises:
        FileNotFoundError: If ``path`` does not exist.
        ValueError: If the content is not what it should be; the message names file, line and what
            was expected.
    """
    path = Path(path)
    if not path.is_dir():
        return _load_lines(path)
    arrays = sorted(p for p in path.iterdir() if p.name.endswith((".json", ".json.gz")))
    if arrays:
        return _load_panel(arrays)
    lines = sorted(p for p in path.iterdir() if p.name.endswith((".jsonl", ".jsonl.gz")))
    if len(lines) != 1:
        names = ", ".join(p.name for p in lines) or "none"
        raise ValueError(
            f"{path}: expected one .jsonl file or a folder of .json files, got {names}"
        )
    return _load_lines(lines[0])


def _load_lines(path: Path) -> list[ChainSet]:
    sets = []
    for number, line in _lines(path):
        where = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"{where}: expected a JSON object, got {line[:40]!r}") from error
        sets.append(_read_row(row, where))
    if not sets:
        raise ValueError(f"{path}: expected one JSON object a line, got an empty file")
    return sets


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    number = 0
    opener: Callable[..., Any] = gzip.open if path.name.endswith(".gz") else open
    try:
        with opener(path, "rt", encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line
    except (UnicodeDecodeError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise ValueError(f"{path}, after line {number}: expected UTF-8 text ({error})") from error


def _read_row(row: Any, where: str) -> ChainSet:
    if not isinstance(row, Mapping):
        raise ValueError(f"{where}: expected a JSON object, got {type(row).__name__}")
    for keys, reader in _LAYOUTS:
        if keys <= row.keys():
            return reader(row, where)
    known = "; ".join(", ".join(sorted(keys)) for keys, _ in _LAYOUTS)
    raise ValueError(f"{where}: expected one of the key sets ({known}), got {sorted(row)[:12]}")


def _text(row: Row, key: str, where: str) -> str:
    value = row.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{where}: expected {key!r} to be a text, got {type(value).__name__}")
    return value


def _texts(row: Row, key: str, where: str) -> tuple[str, ...]:
    value = row.get(key)
    if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
        raise ValueError(f"{where}: expected {key!r} to be a list of at least one text")
    return tuple(value)


def _gold(value: Any, where: str) -> Value | None:
    """Return the known answer given as a number or a text, with or without GSM8K's marks."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{where}: expected the answer to be a number or text, got {value!r}")
    return read_value(str(value).replace("#", " "))[0]


def _own(row: Row, where: str) -> ChainSet:
    answer = row.get("answer")
    known = None if answer is None else _gold(answer, where)
    return ChainSet(_text(row, "problem", where), _texts(row, "chains", where), known)


def _sampled(row: Row, where: str) -> ChainSet:
    gold = _gold(row["gold"], where)
    return ChainSet(_text(row, "question", where), _texts(row, "samples", where), gold)


def _graded(row: Row, where: str) -> ChainSet:
    chains, grades = _texts(row, "code", where), row["score"]
    if not isinstance(grades, list) or [type(g) for g in grades] != [bool] * len(chains):
        raise ValueError(f"{where}: expected 'score' to be {len(chains)} booleans")
    gold = _gold(row["gt"], where)
    return ChainSet(_text(row, "question", where), chains, gold, tuple(grades))


def _model_solutions(row: Row, where: str) -> ChainSet:
    models = [v for v in row.values() if isinstance(v, Mapping)]
    if not models or not all(isinstance(m.get("is_correct"), bool) for m in models):
        raise ValueError(f"{where}: expected models' objects with 'is_correct' and 'solution'")
    return ChainSet(
        problem=_text(row, "question", where),
        chains=tuple(_text(m, "solution", where) for m in models),
        answer=final_answer(_text(row, "ground_truth", where))[0],
        grades=tuple(m["is_correct"] for m in models),
    )


def _reference(row: Row, where: str) -> ChainSet:
    solution = _text(row, "answer", where)
    _, mark, gold = solution.rpartition("####")
    if not mark:
        raise ValueError(f"{where}: expected 'answer' to end in '#### <answer>'")
    return ChainSet(_text(row, "question", where), (solution,), _gold(gold, where))


_LAYOUTS: tuple[tuple[frozenset[str], Callable[[Row, str], ChainSet]], ...] = (
    (frozenset({"problem", "chains"}), _own),
    (frozenset({"question", "gold", "samples"}), _sampled),
    (frozenset({"question", "gt", "code", "score"}), _graded),
    (frozenset({"question", "ground_truth"}), _model_solutions),
    (frozenset({"question", "answer"}), _reference),
)


def _load_panel(paths: list[Path]) -> list[ChainSet]:
    """Join the models' answers by session; every model must have answered the same problems."""
    problems: dict[str, tuple[str, Value | None]] = {}
    chains: dict[str, list[str]] = {}
    for path in paths:
        seen: set[str] = set()
        for index, row in enumerate(_array(path)):
            where = f"{path}, item {index}"
            if not isinstance(row, Mapping) or "answer" not in row:
                raise ValueError(
                    f"{where}: expected an object with session_id, question, answer, output"
                )
            session = _text(row, "session_id", where)
            if session in seen or (path != paths[0] and session not in problems):
                raise ValueError(
                    f"{where}: expected the sessions of {paths[0].name}, got {session}"
                )
            seen.add(session)
            if path == paths[0]:
                problems[session] = (_text(row, "question", where), _gold(row["answer"], where))
            chains.setdefault(session, []).append(_texts(row, "output", where)[0])
        if len(seen) != len(problems):
            missing = next(s for s in problems if s not in seen)
            raise ValueError(
                f"{path}: expected the sessions of {paths[0].name}, {missing} is missing"
            )
    return [ChainSet(p, tuple(chains[s]), gold) for s, (p, gold) in problems.items()]


def _array(path: Path) -> list[Any]:
    text = "".join(line for _, line in _lines(path))
    try:
        rows = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: expected a JSON array ({error})") from error
    if not isinstance(rows, list) or not rows:
        raise ValueError(f"{path}: expected a JSON array of at least one object")
    return rows
