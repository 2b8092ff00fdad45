"""The checks an audit runs: what each reads, when it fires, and on what evidence."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from argus_gym.audit.change import (
    FEWEST_ROWS,
    WINDOW,
    Change,
    first_drop,
    first_fall,
    first_jump,
    first_still,
    p_fall,
)

__all__ = ["ALPHA", "CHECKS", "Alarm", "Check", "Track", "Tracks"]

ALPHA = {"heldout": 0.02, "pass_at_k": 0.005, "heldout_loss": 0.005, "train": 0.005}
"""Chance of a false alarm in a run, by test; the training signals' two tests have it each."""

STILL_ROWS, STILL = 20, 1e-6
ZERO_SHARE = 0.95


@dataclass(frozen=True, eq=False)
class Track:
    """A signal's values by step.

    Attributes:
        column: Its name in the log.
        steps: Strictly increasing, shape (n,).
        values: Finite, shape (n,).
        nonfinite: Number of values that were not finite.
        first_nonfinite: Step of the first of them.
    """

    column: str
    steps: np.ndarray
    values: np.ndarray
    nonfinite: int = 0
    first_nonfinite: float = math.nan


Tracks = Mapping[str, tuple[Track, ...]]


@dataclass(frozen=True)
class Alarm:
    """A check that fired.

    Attributes:
        step: The last step it had read.
        since: The step of the first value it was compared with.
        column: What fired.
        sentence: The evidence for a person.
        evidence: The numbers behind it.
        lie: The letter of the lie it looks like, empty where there is none.
    """

    step: float
    since: float
    column: str
    sentence: str
    evidence: Mapping[str, float] = field(default_factory=dict)
    lie: str = ""


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: Its name.
        reads: The kinds it can read; one of them is enough.
        least: Points that are needed.
        moves: Whether a signal that never changes counts as not measured.
        run: Returns the first alarm of one track, ``None`` where it stays quiet.
    """

    name: str
    reads: tuple[str, ...]
    least: int
    moves: bool
    run: Callable[[Track, str, Tracks, int | None], Alarm | None]

    def alarm(self, tracks: Tracks, items: int | None) -> Alarm | None:
        """Return the earliest alarm over the tracks it can read.

        Args:
            tracks: Everything that was logged, by kind.
            items: Items of a held-out evaluation, where known.
        """
        alarms = [self.run(track, kind, tracks, items) for kind, track in self.able(tracks)]
        return min((a for a in alarms if a is not None), key=lambda a: a.step, default=None)

    def able(self, tracks: Tracks) -> list[tuple[str, Track]]:
        """Return the tracks that say something."""
        pairs = [(kind, track) for kind in self.reads for track in tracks.get(kind, ())]
        return [(kind, track) for kind, track in pairs if self.lacks(track) == ""]

    def lacks(self, track: Track) -> str:
        """Return what ``track`` lacks for this check, empty where it lacks nothing."""
        n = len(track.values) + track.nonfinite
        if n < self.least:
            return f"{self.least} values of {track.column}, has {n}"
        if self.moves and (track.values == track.values[:1]).all():
            return f"{track.column} that changes: it always has one value"
        return ""


def _alarm(track: Track, change: Change, sentence: str, lie: str = "") -> Alarm:
    step, since = float(track.steps[change.at]), float(track.steps[change.since])
    return Alarm(step, since, track.column, sentence, change.evidence, lie)


def _heldout(track: Track, kind: str, tracks: Tracks, items: int | None) -> Alarm | None:
    scale = _percent(track.values)
    rates = track.values / scale if scale else None
    change = first_drop(track.values, ALPHA[kind] / len(tracks[kind]), rates, items)
    if change is None:
        return None
    step, since = track.steps[change.at], track.steps[change.since]
    lie, besides = _besides(tracks, float(since), float(step))
    sentence = f"{_numbers(change)}{besides}."
    return _alarm(track, change, sentence, "K" if kind == "pass_at_k" else lie)


def _percent(values: np.ndarray) -> float:
    """Return 100 where the values are percentages, 1 where they are shares, 0 else."""
    if not len(values) or values.min() < 0 or values.max() > 100:
        return 0.0
    return 100.0 if values.max() > 1 else 1.0


def _besides(tracks: Tracks, since: float, step: float) -> tuple[str, str]:
    """Return lie and words for what the training reward did while the held-out score fell."""
    for track in tracks.get("reward", ()):
        inside = track.steps <= step
        middle = (since + step) / 2
        before = track.values[inside & (track.steps <= middle)]
        after = track.values[inside & (track.steps > middle)]
        p = p_fall(before, after)
        if math.isnan(p):
            return "", ""
        fell = p < 0.05
        means = f"({before.mean():.3g} to {after.mean():.3g})"
        return (
            ("D", f"; {track.column} fell too {means}")
            if fell
            else (
                "J",
                f"; {track.column} did not fall {means}",
            )
        )
    return "", ""


def _heldout_loss(track: Track, kind: str, tracks: Tracks, items: int | None) -> Alarm | None:
    if tracks.get("reward"):
        return None  # The loss of a policy gradient says nothing about held-out skill.
    change = first_drop(-track.values, ALPHA[kind] / len(tracks[kind]))
    if change is None:
        return None
    flipped = {k: -change.evidence[k] for k in ("before", "now")}
    change = replace(change, evidence=change.evidence | flipped)
    return _alarm(track, change, f"{_numbers(change)}.")


def _reward(track: Track, kind: str, tracks: Tracks, items: int | None) -> Alarm | None:
    change = first_fall(track.values, ALPHA["train"])
    return None if change is None else _alarm(track, change, f"{_numbers(change)}.")


def _correctness(track: Track, kind: str, tracks: Tracks, items: int | None) -> Alarm | None:
    change = first_fall(track.values, ALPHA["train"] / len(tracks[kind]))
    if change is None:
        return None
    step, since = track.steps[change.at], track.steps[change.since]
    lie, besides = _besides(tracks, float(since), float(step))
    return _alarm(track, change, f"{_numbers(change)}{besides}.", "I" if lie == "J" else lie)


def _still(track: Track, kind: str, tracks: Tracks, items: int | None) -> Alarm | None:
    values = 1.0 - track.values if kind == "zero_std" else track.values
    limit = 1.0 - ZERO_SHARE if kind == "zero_std" else STILL
    change = first_still(values, limit, STILL_ROWS)
    if change is None:
        return None
    step, since = float(track.steps[change.at]), float(track.steps[change.since])
    what = f"{STILL_ROWS} rows in a row without a difference inside any group"
    for reward in tracks.get("reward", ()):
        now = reward.values[(reward.steps >= since) & (reward.steps <= step)]
        past = reward.values[reward.steps < since]
        if len(now) and len(past):
            high = float(now.mean()) >= (float(past.min()) + float(past.max())) / 2
            where = "at its ceiling" if high else "at its floor"
            evidence = change.evidence | {"reward": float(now.mean())}
            change = replace(change, evidence=evidence)
            return _alarm(track, change, f"{what}, the reward {where}.", "E" if high else "")
    return _alarm(track, change, f"{what}.", "E")


def _jump(
    factor: float, bound: float = math.nan, down: bool = False, lie: str = ""
) -> Callable[[Track, str, Tracks, int | None], Alarm | None]:
    def run(track: Track, kind: str, tracks: Tracks, items: int | None) -> Alarm | None:
        change = first_jump(track.values, factor, bound, down)
        if change is None:
            return None
        evidence = change.evidence
        words = f"median {evidence['before']:.3g} so far, {evidence['now']:.3g} in {WINDOW} rows."
        return _alarm(track, change, words, lie)

    return run


def _not_a_number(track: Track, kind: str, tracks: Tracks, items: int | None) -> Alarm | None:
    if not track.nonfinite:
        return None
    step = track.first_nonfinite
    words = f"{track.nonfinite} values that are not finite."
    return Alarm(step, step, track.column, words, {"values": float(track.nonfinite)})


def _detector(track: Track, kind: str, tracks: Tracks, items: int | None) -> Alarm | None:
    at = np.flatnonzero(track.values > 0)
    if not len(at):
        return None
    words = f"{len(at)} of {len(track.values)} rounds."
    return _alarm(track, Change(int(at[0]), int(at[0]), {"rounds": float(len(at))}), words)


def _numbers(change: Change) -> str:
    e = change.evidence
    return f"{e['before']:.3g} before, {e['now']:.3g} now (p = {e['p']:.1g})"


CHECKS = (
    Check("held-out score falls", ("heldout",), 2, False, _heldout),
    Check("pass@k falls", ("pass_at_k",), 2, False, _heldout),
    Check("held-out loss rises", ("heldout_loss",), 4, False, _heldout_loss),
    Check("reward falls", ("reward",), FEWEST_ROWS, True, _reward),
    Check("correctness falls", ("correctness",), FEWEST_ROWS, True, _correctness),
    Check("no learning signal", ("reward_std", "zero_std"), STILL_ROWS, False, _still),
    Check("KL blows up", ("kl",), FEWEST_ROWS, True, _jump(8.0, 1.0)),
    Check("entropy collapses", ("entropy",), FEWEST_ROWS, True, _jump(8.0, 0.05, True, "B")),
    Check("entropy explodes", ("entropy",), FEWEST_ROWS, True, _jump(8.0, 2.0)),
    Check("length collapses", ("length",), FEWEST_ROWS, True, _jump(4.0, down=True)),
    Check("length explodes", ("length",), FEWEST_ROWS, True, _jump(4.0)),
    Check("answers are cut", ("clipped",), FEWEST_ROWS, True, _jump(2.0, 0.5)),
    Check("gradient blows up", ("grad_norm",), FEWEST_ROWS, True, _jump(8.0)),
    Check("a detector fired", ("lie",), 1, False, _detector),
    Check("not a number", ("loss", "grad_norm", "reward"), 1, False, _not_a_number),
)
"""Every check, in the order of the report."""
