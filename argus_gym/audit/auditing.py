"""The audit itself: a log in, a report out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from argus_gym.audit.checks import CHECKS, Alarm, Check, Track, Tracks
from argus_gym.audit.readers import Log, read
from argus_gym.audit.series import Series
from argus_gym.audit.signals import KINDS
from argus_gym.run_data import InputError

__all__ = ["Audit", "Outcome", "Signal", "audit", "audit_log"]

DRAWN, FINITE = 30, "not a number"
MISSING = {
    "heldout": "evaluate on problems that are never trained on and log the score: without one, "
    "a reward that is gamed looks like progress",
    "pass_at_k": "log held-out pass@k at a larger k: pass@1 that rises while pass@k falls is "
    "lost diversity (K)",
    "kl": "log the KL divergence from the reference model",
    "entropy": "log the policy's entropy (B)",
}
BEYOND = (
    "answers to known problems before and after each step (anchors) show forgetting (D) and "
    "confident errors (J) item by item",
    "the chain sets themselves show agreement without correctness (B, J), false premises (F) and "
    "a curriculum that narrows (A, G, H)",
)


@dataclass(frozen=True)
class Signal:
    """One recognised column.

    Attributes:
        kind: What it is, a key of :data:`argus_gym.audit.signals.KINDS`.
        column: Its name in the log.
        points: Values used.
        first: The first value, NaN without any.
        last: The last one.
        grain: Rows a point is the mean of; 1 unless the log is very long.
        nonfinite: Values that were not finite.
        superseded: Values replaced after a restart.
        values: At most 30 means over its course, for drawing.
    """

    kind: str
    column: str
    points: int
    first: float
    last: float
    grain: int
    nonfinite: int
    superseded: int
    values: tuple[float, ...]


@dataclass(frozen=True)
class Outcome:
    """What became of one check.

    Attributes:
        check: Its name.
        status: ``fired``, ``quiet`` or ``not run``.
        alarm: The first alarm, where it fired.
        reads: The columns it read.
        needs: What is missing, where it did not run.
    """

    check: str
    status: Literal["fired", "quiet", "not run"]
    alarm: Alarm | None
    reads: tuple[str, ...]
    needs: str


@dataclass(frozen=True)
class Audit:
    """The report on one log.

    Attributes:
        name: The file, and the run where it holds several.
        format: The file's format.
        rows: Rows read.
        steps: First and last step.
        step_column: The column that counts them.
        restarts: How often the step fell back and was logged again.
        signals: What was recognised.
        unused: Columns that were not.
        outcomes: One entry a check.
        ignored: What could not be used, by reason.
        more: What would have to be logged to say more.
    """

    name: str
    format: str
    rows: int
    steps: tuple[float, float]
    step_column: str
    restarts: int
    signals: tuple[Signal, ...]
    unused: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    ignored: Mapping[str, int]
    more: tuple[str, ...]

    @property
    def fired(self) -> tuple[Outcome, ...]:
        """The checks that fired, the earliest first."""
        fired = [o for o in self.outcomes if o.alarm is not None]
        return tuple(sorted(fired, key=lambda o: o.alarm.step if o.alarm else 0.0))


def audit(
    path: Path | str, mapping: Mapping[str, str] | None = None, items: int | None = None
) -> list[Audit]:
    """Audit one log file; a W&B export of several runs gives one report a run.

    Of several runs, those that cannot be used are left out and noted with the others.

    Args:
        path: The file or folder (see :func:`argus_gym.audit.readers.read`).
        mapping: The signal by column, for names that are not recognised.
        items: Number of problems of a held-out evaluation; read off its scores where ``None``.

    Raises:
        InputError: If the file cannot be read, holds no signal, or is too short for every check.
        ValueError: If ``items`` is below 1.
    """
    done, left = [], {}
    for log in read(Path(path), mapping):
        try:
            done.append(audit_log(log, items))
        except InputError as error:
            left[f"run left out: {error}"] = 1
            why = error
    if not done:
        raise why
    return [replace(one, ignored={**one.ignored, **left}) for one in done]


def audit_log(log: Log, items: int | None = None) -> Audit:
    """Audit one log that has been read.

    Raises:
        InputError: If it is too short for every check.
        ValueError: If ``items`` is below 1.
    """
    if items is not None and items < 1:
        raise ValueError(f"items must be at least 1, got {items}")
    tracks: dict[str, tuple[Track, ...]] = {}
    signals = []
    for series in log.series:
        steps, values = series.arrays()
        track = Track(series.column, steps, values, series.nonfinite, series.first_nonfinite)
        tracks[series.kind] = (*tracks.get(series.kind, ()), track)
        signals.append(_signal(series, values))
    outcomes = tuple(_outcome(check, tracks, items) for check in CHECKS)
    # That numbers are finite is no news of the run: alone it would make any file "quiet".
    if all(o.status == "not run" for o in outcomes if o.check != FINITE) and not any(
        o.alarm for o in outcomes
    ):
        raise InputError(
            f"{log.name} is too short to say anything: {log.rows} rows; expected at least "
            "2 held-out scores, or 40 rows of a training signal that changes"
        )
    known = [t.steps for group in tracks.values() for t in group if len(t.steps)]
    ends = (min(float(s[0]) for s in known), max(float(s[-1]) for s in known)) if known else None
    return Audit(
        name=log.name,
        format=log.format,
        rows=log.rows,
        steps=ends or (float("nan"), float("nan")),
        step_column=log.step,
        restarts=max(s.restarts for s in log.series),
        signals=tuple(signals),
        unused=log.unused,
        outcomes=outcomes,
        ignored=dict(log.ignored) | _shuffled(log.series),
        more=tuple(text for kind, text in MISSING.items() if kind not in tracks) + BEYOND,
    )


def _shuffled(series: Sequence[Series]) -> dict[str, int]:
    count = sum(s.sorted for s in series)
    return {"signal out of order, sorted by step": count} if count else {}


def _signal(series: Series, values: np.ndarray) -> Signal:
    parts = np.array_split(values, min(len(values), DRAWN)) if len(values) else []
    return Signal(
        kind=series.kind,
        column=series.column,
        points=len(values),
        first=float(values[0]) if len(values) else float("nan"),
        last=float(values[-1]) if len(values) else float("nan"),
        grain=series.grain,
        nonfinite=series.nonfinite,
        superseded=series.superseded,
        values=tuple(float((part / len(part)).sum()) for part in parts),
    )


def _outcome(check: Check, tracks: Tracks, items: int | None) -> Outcome:
    able = check.able(tracks)
    if able:
        alarm = check.alarm(tracks, items)
        columns = tuple(track.column for _, track in able)
        return Outcome(check.name, "quiet" if alarm is None else "fired", alarm, columns, "")
    present = [t for kind in check.reads for t in tracks.get(kind, ())]
    if present:
        needs = check.lacks(present[0])
    else:
        needs = " or ".join(KINDS[kind].partition(",")[0] for kind in check.reads)
    return Outcome(check.name, "not run", None, (), needs)
