"""Run folders: what a run leaves on disk, whole at every moment, and how it is continued.

A file appears complete or not at all: it is written beside its place, flushed to disk and renamed.
The two logs, ``rounds.jsonl`` and ``ledger.jsonl``, only grow; each checkpoint notes how long they
were and their SHA-256, so that whatever was written after the last checkpoint can be cut off.
"""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from argus_gym.records import RoundRecord, encode
from argus_gym.run_data import (
    CHECKPOINTS,
    CONFIG,
    FORMAT,
    LOGS,
    MANIFEST,
    SUMMARY,
    InputError,
    RunData,
    digest,
    last_checkpoint,
    load_run,
    manifest,
    read_config,
    read_object,
)

__all__ = ["InputError", "RunData", "RunFolder", "dumps", "load_run", "sync"]


def dumps(data: Any, indent: int | None = None) -> str:
    """Return ``data`` as ASCII JSON in the given key order, ended by a newline; NaN is refused."""
    return json.dumps(data, ensure_ascii=True, allow_nan=False, indent=indent) + "\n"


class RunFolder:
    """A run folder open for writing, by one process at a time.

    Get one from :meth:`create` or :meth:`resume`; both are context managers.

    Attributes:
        path: The folder.
        data: What it holds up to its last checkpoint.
        checkpoint: The folder of that checkpoint, ``None`` before the first.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = load_run(path)
        self.checkpoint = last_checkpoint(path)
        self._count = len(self.data.rounds)
        self._bytes: dict[str, int] = {}
        self._sha256: dict[str, Any] = {}
        if self.data.summary is None:
            self._cut()

    @classmethod
    @contextmanager
    def create(cls, path: Path, config: Mapping[str, Any]) -> "Iterator[RunFolder]":
        """Start a new run folder.

        Raises:
            InputError: If ``path`` exists already or cannot be made.
        """
        if os.path.lexists(path):
            raise InputError(
                f"{path} exists already: expected a new folder, or --resume {path} to continue it"
            )
        text = dumps({"format": FORMAT, **config}, indent=2)
        temp = path.with_name(f".{path.name}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(temp, ignore_errors=True)
            os.mkdir(temp)
            _write(temp / CONFIG, text.encode("ascii"))
            sync(temp)
            os.rename(temp, path)
            sync(path.parent)
        except OSError as error:
            raise InputError(f"cannot make the folder {path}: {error.strerror}") from error
        with _locked(path):
            yield cls(path)

    @classmethod
    @contextmanager
    def resume(cls, path: Path) -> "Iterator[RunFolder]":
        """Open a run folder as its last checkpoint left it; what came later is cut off.

        Raises:
            InputError: If it is not a run folder, is in use, or one of its files is corrupted.
        """
        read_config(path)
        with _locked(path):
            try:
                folder = cls(path)
            except OSError as error:
                raise InputError(f"cannot continue {path}: {error.strerror}") from error
            yield folder

    def save(
        self,
        rounds: Sequence[RoundRecord],
        ledger: str,
        env: Any,
        save_agent: Callable[[Path], None],
    ) -> None:
        """Append to the logs and write a checkpoint.

        Args:
            rounds: The rounds since the last checkpoint.
            ledger: The ledger's new entries as JSON lines.
            env: JSON-ready state of the environment.
            save_agent: Writes the agent's state to the path it is given.
        """
        self._append(rounds, ledger)
        name = f"{self._count:04d}"
        temp = self.path / CHECKPOINTS / f".{name}.tmp"
        os.mkdir(temp)
        _write(temp / "env.json", dumps(env).encode("ascii"))
        save_agent(temp / "agent.json")
        files = sorted(p for p in temp.rglob("*") if p.is_file())
        for file in files:
            sync(file)
        logs = {n: {"bytes": self._bytes[n], "sha256": self._sha256[n].hexdigest()} for n in LOGS}
        noted = {
            "files": {p.relative_to(temp).as_posix(): digest(p.read_bytes()) for p in files},
            "run": {CONFIG: digest((self.path / CONFIG).read_bytes()), **logs},
        }
        _write(temp / MANIFEST, dumps(noted, indent=2).encode("ascii"))
        sync(temp)
        self.checkpoint = temp.with_name(name)
        os.rename(temp, self.checkpoint)
        sync(self.checkpoint.parent)

    def load_env(self) -> dict[str, Any]:
        """Return the environment's state in the last checkpoint."""
        if self.checkpoint is None:
            raise RuntimeError(f"{self.path} has no checkpoint yet")
        return read_object(self.checkpoint / "env.json")

    def finish(self, ledger: str, external: Mapping[str, Any], summary: Mapping[str, Any]) -> None:
        """End the run: the last events, ``external.json``, and ``summary.json`` as the last file.

        The summary notes the digest of every other file beside it.

        Args:
            ledger: The ledger's new entries as JSON lines.
            external: The external report, item by item.
            summary: The summary.
        """
        self._append((), ledger)
        self._replace("external.json", external)
        files = sorted(p for p in self.path.iterdir() if p.is_file())
        digests = {p.name: digest(p.read_bytes()) for p in files}
        self._replace(SUMMARY, {**summary, "files": digests})

    def _append(self, rounds: Sequence[RoundRecord], ledger: str) -> None:
        lines = "".join(dumps(encode(record)) for record in rounds)
        for log, text in zip(LOGS, (lines, ledger), strict=True):
            data = text.encode("ascii")
            _write(self.path / log, data, os.O_APPEND)
            self._bytes[log] += len(data)
            self._sha256[log].update(data)
        self._count += len(rounds)

    def _replace(self, name: str, data: Any) -> None:
        temp = self.path / f".{name}.tmp"
        _write(temp, dumps(data, indent=2).encode("ascii"))
        os.replace(temp, self.path / name)
        sync(self.path)

    def _cut(self) -> None:
        """Remove everything that came after the last checkpoint."""
        noted = manifest(self.checkpoint)["run"] if self.checkpoint else {}
        for log in LOGS:
            size = noted[log]["bytes"] if noted else 0
            fd = os.open(self.path / log, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                os.ftruncate(fd, size)
                os.fsync(fd)
            finally:
                os.close(fd)
            self._bytes[log] = size
            self._sha256[log] = hashlib.sha256((self.path / log).read_bytes())
        (self.path / CHECKPOINTS).mkdir(exist_ok=True)
        for folder in (self.path, self.path / CHECKPOINTS):
            for temp in folder.glob(".*.tmp"):
                shutil.rmtree(temp) if temp.is_dir() else temp.unlink()
            sync(folder)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    if sys.platform == "win32":
        yield
        return
    import fcntl

    fd = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{path} is in use by another process: wait for its end") from None
        yield
    finally:
        os.close(fd)


def _write(path: Path, data: bytes, how: int = os.O_TRUNC) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o666)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        os.fsync(fd)
    finally:
        os.close(fd)


def sync(path: Path) -> None:
    """Flush a file, or a folder's entries, to disk."""
    if sys.platform == "win32":
        return
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
