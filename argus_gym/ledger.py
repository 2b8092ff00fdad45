"""The ledger: what happened, because of what, and what was done about it."""

import json
from collections.abc import Iterator
from typing import Any

__all__ = ["Ledger"]


class Ledger:
    """An append-only list of events, written as JSON lines.

    Each entry has ``round`` (from 0), ``event`` (a dotted name), ``because`` (the numbers or words
    that caused it) and ``action`` (what was done, possibly ``none``).
    """

    def __init__(self) -> None:
        self._entries: list[dict[str, Any]] = []

    def add(self, round_: int, event: str, because: Any, action: str = "none") -> None:
        """Append one entry; ``because`` must be JSON-ready."""
        self._entries.append(
            {"round": round_, "event": event, "because": because, "action": action}
        )

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (dict(entry) for entry in self._entries)

    def lines(self, start: int = 0) -> str:
        """Return the entries from ``start`` on as JSON lines, each ended by a newline."""
        return "".join(json.dumps(entry, allow_nan=False) + "\n" for entry in self._entries[start:])

    def state(self) -> list[dict[str, Any]]:
        """Return a JSON-ready copy."""
        return list(self)

    def load_state(self, state: list[dict[str, Any]]) -> None:
        """Replace the entries by those of :meth:`state`."""
        self._entries = [dict(entry) for entry in state]
