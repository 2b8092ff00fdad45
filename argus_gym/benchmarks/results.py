"""A results folder: what a suite has measured so far, so that it can stop and go on."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from argus_gym.checkpoint import dumps
from argus_gym.run_data import InputError

__all__ = ["Results"]

PLAN, RUNS = "plan.json", "runs.jsonl"


class Results:
    """Finished jobs by key, in memory and, with a folder, on disk.

    The folder holds ``plan.json``, what was asked for, and ``runs.jsonl``, one line for each
    finished job. A last line without its end is what an interruption leaves; it is dropped, and
    its job done again. Anything else that does not read is an error, and nothing is written.

    Args:
        folder: New folder, or one with the same plan, to continue; ``None`` keeps nothing.
        plan: What was asked for, JSON-ready.

    Raises:
        InputError: If the folder holds something else, another plan, or lines that do not read.
    """

    def __init__(self, folder: Path | None, plan: Mapping[str, Any]) -> None:
        self.done: dict[str, Any] = {}
        self._lines: TextIO | None = None
        if folder is None:
            return
        text = dumps(dict(plan), indent=2)
        try:
            if folder.exists():
                kept = self._read(folder, text)
            else:
                folder.mkdir(parents=True)
                (folder / PLAN).write_text(text, "utf-8")
                kept = 0
            path = folder / RUNS
            if path.exists() and path.stat().st_size != kept:
                os.truncate(path, kept)
            self._lines = path.open("a", encoding="utf-8")
        except OSError as error:
            reason = error.strerror or str(error)
            raise InputError(f"--out {folder}: expected a folder to write to: {reason}") from None

    def _read(self, folder: Path, text: str) -> int:
        """Load the finished jobs; return how many bytes of their file are whole lines."""
        plan = folder / PLAN
        if not plan.is_file():
            raise InputError(f"{folder} is no results folder: expected {PLAN} in it")
        if plan.read_text("utf-8", errors="replace") != text:
            raise InputError(
                f"{plan} is of another plan: expected the same suite, options and package, "
                "or a new folder"
            )
        path = folder / RUNS
        raw = path.read_bytes() if path.is_file() else b""
        whole = raw[: raw.rfind(b"\n") + 1]
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                entry = json.loads(line)
                self.done[entry["key"]] = entry["result"]
            except (ValueError, KeyError, TypeError):
                raise InputError(
                    f"{path} is damaged in line {number}: expected the JSON of one finished job"
                ) from None
        return len(whole)

    def add(self, key: str, result: Any) -> None:
        """Keep one job's result, on disk before this returns."""
        line = dumps({"key": key, "result": result})
        self.done[key] = json.loads(line)["result"]
        if self._lines is not None:
            self._lines.write(line)
            self._lines.flush()

    def close(self) -> None:
        """Close the folder."""
        if self._lines is not None:
            self._lines.close()
