"""Rows of a text log: CSV, JSON-lines, or a JSON file that holds a list of objects.

Reads as a stream with bounded lines and objects. What cannot be read is counted, by reason.
"""

import csv
import gzip
import io
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from argus_gym.run_data import InputError

__all__ = ["MAX_CHARACTERS", "MAX_ROW", "rows"]

MAX_ROW = 1 << 20
"""Characters of one line or one JSON object; a longer one is ignored."""

MAX_CHARACTERS = 1 << 30
"""Characters read of one file; what follows is ignored."""

MAX_CELLS = 4_096
MAX_DEPTH = 4
CHUNK = 1 << 16
SPACE = " \t\r\n,"

Row = dict[str, Any]


def rows(path: Path, ignored: Counter[str]) -> tuple[str, Iterator[Row]]:
    """Return the file's format and its rows as flat mappings from column to cell.

    Nested objects are flattened with ``/`` between the names, and verl's outer ``data`` is
    dropped. A file that ends in ``.gz`` is decompressed on the way.

    Args:
        path: The file.
        ignored: Counts of what could not be read, by reason, filled in while the rows are taken.

    Raises:
        InputError: If the file cannot be opened, is empty or is not text.
    """
    text = _Text(path, ignored)
    head = text.peek.lstrip()
    if not head or "\0" in text.peek:
        text.close()
    if not head:
        raise InputError(f"{path} is empty: expected a log")
    if "\0" in text.peek:
        raise InputError(f"{path} is not text: expected a JSON, JSON-lines, CSV or event file")
    if head[0] == "[" or (head[0] == "{" and '"log_history"' in text.peek):
        return "JSON", _json(text, ignored)
    if head[0] != "{":
        return "CSV", _csv(path, text, ignored)
    # A trainer state may name its history late; only its first line, alone on it, is a brace.
    if head[1:].lstrip(" \t")[:1] == "\n":
        return "JSON", _json(text, ignored)
    return "JSON-lines", _json_lines(text, ignored)


class _Text:
    """A text file read in bounded pieces; a broken end of a compressed file is its end."""

    def __init__(self, path: Path, ignored: Counter[str]) -> None:
        self._ignored, self._left = ignored, MAX_CHARACTERS
        try:
            # Stays open for the generators that read it, which close it at their end.
            raw: Any = gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # noqa: SIM115
            start = raw.read(4)
            raw.seek(0)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{path} cannot be read: {_reason(error)}") from None
        wide = start[:2] in (b"\xff\xfe", b"\xfe\xff")
        encoding = "utf-16" if wide else "utf-8-sig"
        self._file = io.TextIOWrapper(raw, encoding, errors="replace")
        self.peek = self.read()
        self._first = self.peek

    def read(self) -> str:
        """Return the next piece, empty at the end."""
        if self._left <= 0:
            return ""
        try:
            piece = self._file.read(CHUNK)
        except (OSError, EOFError, zlib.error, UnicodeError):
            self._ignored["unreadable end of the file"] += 1
            piece = ""
        self._left -= len(piece)
        if self._left <= 0 and piece:
            self._ignored[f"end of the file, after {MAX_CHARACTERS:,} characters"] += 1
        return piece

    def pieces(self) -> Iterator[str]:
        """Yield the whole text from its start, once."""
        piece, self._first = self._first, ""
        try:
            while piece:
                yield piece
                piece = self.read()
        finally:
            self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def lines(self) -> Iterator[str]:
        """Yield the lines with their ends; those over ``MAX_ROW`` are ignored."""
        rest, skipping = "", False
        for piece in self.pieces():
            *whole, rest = (rest + piece).split("\n")
            for line in whole:
                if not skipping:
                    yield line + "\n"
                skipping = False
            if len(rest) > MAX_ROW:
                if not skipping:
                    self._ignored["line too long"] += 1
                rest, skipping = "", True
        if rest and not skipping:
            yield rest


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _csv(path: Path, text: _Text, ignored: Counter[str]) -> Iterator[Row]:
    head = text.peek.lstrip().splitlines()[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(text.lines(), delimiter=delimiter)
    header: list[str] = []
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            ignored["malformed row"] += 1
            continue
        if not cells:
            continue
        if not header:
            header = [cell.strip() for cell in cells[:MAX_CELLS]]
            if len(set(header)) < 2 and delimiter not in head:
                text.close()
                raise InputError(f"{path} is no log: expected columns, got {header[0][:40]!r}")
        elif len(cells) != len(header):
            ignored["row with another number of cells"] += 1
        else:
            yield dict(zip(header, cells, strict=True))


def _json_lines(text: _Text, ignored: Counter[str]) -> Iterator[Row]:
    for line in text.lines():
        if line.strip():
            row = _parse(line)
            if row is None:
                ignored["malformed row"] += 1
            else:
                yield row


def _parse(text: str) -> Row | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return _flat(value) if isinstance(value, dict) else None


def _json(text: _Text, ignored: Counter[str]) -> Iterator[Row]:
    """Yield the objects of the list in a JSON text: the whole text, or under ``log_history``."""
    buffer, inside, decoder, ended = "", False, json.JSONDecoder(), False
    pieces = text.pieces()
    while True:
        piece = next(pieces, "")
        ended = not piece
        buffer += piece
        if not inside:
            start = _list_start(buffer)
            if start < 0:
                if ended:
                    ignored["file without a list of rows"] += 1
                    return
                buffer = buffer if buffer.lstrip()[:1] == "[" else buffer[-64:]
                continue
            buffer, inside = buffer[start:], True
        at = 0
        while True:
            while at < len(buffer) and buffer[at] in SPACE:
                at += 1
            if at == len(buffer) or buffer[at] == "]":
                break
            try:
                value, at = decoder.raw_decode(buffer, at)
            except (ValueError, RecursionError):
                break
            if isinstance(value, dict):
                yield _flat(value)
            else:
                ignored["malformed row"] += 1
        if buffer[at : at + 1] == "]":
            return
        buffer = buffer[at:]
        if ended:
            if buffer:
                ignored["malformed row"] += 1
            return
        if len(buffer) > MAX_ROW:
            ignored["row too long, and all after it"] += 1
            return


def _list_start(text: str) -> int:
    if text.lstrip()[:1] == "[":
        return text.index("[") + 1
    name = text.find('"log_history"')
    bracket = text.find("[", name)
    return bracket + 1 if name >= 0 and bracket >= 0 else -1


def _flat(value: Mapping[str, Any], prefix: str = "", depth: int = MAX_DEPTH) -> Row:
    out: Row = {}
    for name, cell in value.items():
        if len(out) >= MAX_CELLS:
            break
        if isinstance(cell, dict):
            if depth:
                outer = "" if name == "data" and not prefix else f"{prefix}{name}/"
                out |= _flat(cell, outer, depth - 1)
        elif isinstance(cell, int | float | str) and not isinstance(cell, bool):
            out[prefix + name] = cell
    return out
