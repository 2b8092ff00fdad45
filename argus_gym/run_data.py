"""Reading a run folder: every file is checked against what the run noted of it."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argus_gym.records import RoundRecord, decode

__all__ = ["InputError", "RunData", "load_run"]

FORMAT = 1
CONFIG, SUMMARY, CHECKPOINTS = "config.json", "summary.json", "checkpoints"
MANIFEST = "checkpoint.json"
LOGS = ("rounds.jsonl", "ledger.jsonl")
EVENT_KEYS = {"round", "event", "because", "action"}


class InputError(ValueError):
    """Something a user gave is not what it should be; the message is one line and says what is."""


@dataclass(frozen=True)
class RunData:
    """What a run left: all of it where it is finished, else what there is up to its checkpoint.

    Attributes:
        rounds: One record a round.
        ledger: The ledger's entries.
        summary: The summary, ``None`` where the run is not finished.
        config: The settings it was started with.
    """

    rounds: tuple[RoundRecord, ...]
    ledger: tuple[dict[str, Any], ...]
    summary: dict[str, Any] | None
    config: dict[str, Any]


def load_run(path: Path) -> RunData:
    """Read a run folder without changing it.

    Raises:
        InputError: If it is not a run folder or one of its files is corrupted.
    """
    config = read_config(path)
    if (path / SUMMARY).exists():
        summary = read_object(path / SUMMARY)
        files = summary.pop("files", None)
        _check_digests(path / SUMMARY, files, (CONFIG, *LOGS))
    else:
        summary, last = None, last_checkpoint(path)
        if last is None:
            return RunData((), (), None, config)
        files = manifest(last)["run"]
        verify(last)
    text = {name: _prefix(path, name, entry) for name, entry in files.items()}
    rounds, ledger = LOGS
    return RunData(
        rounds=tuple(_lines(path / rounds, text[rounds], lambda d: decode(RoundRecord, d))),
        ledger=tuple(_lines(path / ledger, text[ledger], _event)),
        summary=summary,
        config=config,
    )


def digest(data: bytes) -> dict[str, Any]:
    """Return length and SHA-256 of ``data``, as manifests note them."""
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def weights_digest(folder: Path) -> str:
    """Return one SHA-256 of a model's weight files, by name."""
    total = hashlib.sha256()
    for file in sorted((*folder.glob("*.safetensors"), *folder.glob("*.bin"))):
        with file.open("rb") as opened:
            total.update(hashlib.file_digest(opened, "sha256").digest())
    return total.hexdigest()


def read_config(path: Path) -> dict[str, Any]:
    """Return the settings in a run folder's ``config.json``.

    Raises:
        InputError: If ``path`` is not a run folder.
    """
    if not path.is_dir():
        raise InputError(f"{path} is not a folder: expected a run folder, as --out makes one")
    if not (path / CONFIG).is_file():
        raise InputError(f"{path} is not a run folder: expected it to hold {CONFIG}")
    config = read_object(path / CONFIG)
    if config.pop("format", None) != FORMAT:
        raise InputError(f'{path / CONFIG}: expected "format": {FORMAT}')
    return config


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file.

    Raises:
        InputError: If there is none; names the line where there is one to name.
    """
    try:
        data = _parse(path.read_bytes().decode("ascii"))
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing: expected a JSON object") from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}, line {error.lineno}: expected a JSON object ({error.msg})"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: expected a JSON object ({error})") from error
    if not isinstance(data, dict):
        raise InputError(f"{path}: expected a JSON object, got {type(data).__name__}")
    return data


def last_checkpoint(path: Path) -> Path | None:
    """Return the folder of a run's last checkpoint, ``None`` where it has none."""
    return max(_checkpoints(path), key=_number, default=None)


def manifest(checkpoint: Path) -> dict[str, Any]:
    """Return what a checkpoint notes: ``files`` of its own, and those of the ``run`` at the time.

    Raises:
        InputError: If its ``checkpoint.json`` is corrupted.
    """
    path = checkpoint / MANIFEST
    noted = read_object(path)
    _check_digests(path, noted.get("run"), (CONFIG, *LOGS))
    _check_digests(path, noted.get("files"), ("env.json",))
    return noted


def verify(checkpoint: Path) -> None:
    """Check a checkpoint's files.

    Raises:
        InputError: If one is not what was written.
    """
    for name, expected in manifest(checkpoint)["files"].items():
        file = checkpoint / name
        if not file.is_file() or digest(file.read_bytes()) != expected:
            raise InputError(
                f"{file}: expected {expected['bytes']} bytes with SHA-256 {expected['sha256']}; "
                f"remove {checkpoint} to fall back on the checkpoint before"
            )


def _checkpoints(path: Path) -> list[Path]:
    found = (p for p in (path / CHECKPOINTS).glob("*") if p.is_dir() and p.name.isdecimal())
    return sorted(found, key=_number)


def _number(checkpoint: Path) -> int:
    return int(checkpoint.name)


def _check_digests(path: Path, noted: Any, names: tuple[str, ...]) -> None:
    fits = isinstance(noted, dict) and noted.keys() >= set(names)
    if not fits or not all(
        isinstance(entry, dict)
        and isinstance(entry.get("bytes"), int)
        and isinstance(entry.get("sha256"), str)
        for entry in noted.values()
    ):
        raise InputError(f"{path}: expected bytes and sha256 of {', '.join(names)}")


def _parse(text: str) -> Any:
    def refuse(name: str) -> None:
        raise ValueError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def _event(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict) or set(data) != EVENT_KEYS:
        raise ValueError(f"expected an object with the keys {sorted(EVENT_KEYS)}")
    return data


def _lines(path: Path, data: bytes, read: Callable[[Any], Any]) -> list[Any]:
    out = []
    for number, line in enumerate(data.splitlines(), 1):
        try:
            out.append(read(_parse(line.decode("ascii"))))
        except (ValueError, TypeError, RecursionError) as error:
            raise InputError(f"{path}, line {number}: {error}") from error
    return out


def _prefix(path: Path, name: str, expected: Mapping[str, Any]) -> bytes:
    """Return the part of a file that was noted.

    Where it is not what it was then, the checkpoints tell which line is the first wrong one.
    """
    file = path / name
    data = file.read_bytes() if file.is_file() else b""
    kept = data[: expected["bytes"]]
    if digest(kept) == dict(expected):
        return kept
    good = 0
    for checkpoint in _checkpoints(path):
        entry = manifest(checkpoint)["run"].get(name, expected)
        if digest(data[: entry["bytes"]]) != entry:
            break
        good = entry["bytes"]
    line = data[:good].count(b"\n") + 1
    raise InputError(
        f"{file}, line {line}: not what the run wrote; expected {expected['bytes']} bytes with "
        f"SHA-256 {expected['sha256']}"
    )
