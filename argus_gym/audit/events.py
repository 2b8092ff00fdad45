"""Scalars of TensorBoard event files, through the ``tensorboard`` package."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from argus_gym.run_data import InputError

__all__ = ["event_files", "event_rows", "is_events"]

MARK = "tfevents"


def is_events(path: Path) -> bool:
    """Return whether ``path`` is an event file by its name, or a folder that holds one."""
    return MARK in path.name if not path.is_dir() else bool(event_files(path))


def event_files(folder: Path) -> list[Path]:
    """Return the event files of a folder, by name; its own subfolders are other runs."""
    return sorted(p for p in folder.iterdir() if MARK in p.name and p.is_file())


def event_rows(path: Path, ignored: Counter[str]) -> Iterator[dict[str, Any]]:
    """Yield one row an event: its ``step`` and its scalars by tag.

    Args:
        path: An event file, or a folder with several of one run.
        ignored: Counts of what could not be read, by reason.

    Raises:
        InputError: If the ``tensorboard`` package is missing or a file cannot be opened.
    """
    try:
        from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
        from tensorboard.util.tensor_util import make_ndarray
    except ModuleNotFoundError:
        raise InputError(
            f'{path}: event files need tensorboard: pip install "argus-gym[loggers]"'
        ) from None
    for file in event_files(path) if path.is_dir() else [path]:
        if file.stat().st_size == 0:
            ignored["empty event file"] += 1
            continue
        try:
            for event in LegacyEventFileLoader(str(file)).Load():
                row: dict[str, Any] = {}
                for value in event.summary.value:
                    if value.HasField("simple_value"):
                        row[value.tag] = value.simple_value
                    elif value.HasField("tensor"):
                        cell = make_ndarray(value.tensor)
                        if cell.size == 1 and cell.dtype.kind in "fiu":
                            row[value.tag] = float(cell.reshape(-1)[0])
                if row:
                    # An event's step is not one of its tags; a run may well log a tag "step".
                    yield {**row, "step": event.step}
        except OSError as error:
            raise InputError(f"{file} cannot be read: {error.strerror}") from None
        except Exception:  # The parser's own error types are private and differ by version.
            ignored["unreadable end of the file"] += 1
