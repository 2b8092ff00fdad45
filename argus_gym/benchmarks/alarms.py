"""When alarms come in watched runs: calibration, detection, delay and damage."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

from argus_gym.benchmarks.generic import Series, generic_scores
from argus_gym.checkpoint import dumps
from argus_gym.intervals import wilson
from argus_gym.records import LieReport
from argus_gym.wrappers import DETECTORS
from argus_gym.wrappers.ensemble import ALPHA, average_e, three_of_six
from argus_gym.wrappers.stacks import PUBLISHED

__all__ = [
    "RATE",
    "STACKED",
    "WINDOWS",
    "Run",
    "calibrate",
    "damage",
    "delays",
    "first_above",
    "first_alarm",
    "rate",
    "reports",
    "scores_by_lie",
    "stack_alarms",
    "threshold_at",
    "within",
]

RATE = 0.05
"""False alarms a quiet run that every alarm is calibrated to."""

WINDOWS = (1, 3, 5)
"""Rounds from the onset on within which an alarm counts."""

STACKED = ("v3.4", "v3.5", "v4")
"""The stacks that are compared."""

Run = Mapping[str, Any]
"""What :func:`argus_gym.benchmarks.watch.watch` returns."""


def first_above(scores: Series, threshold: float, since: int = 0) -> int | None:
    """Return the first round from ``since`` on whose score exceeds ``threshold``."""
    for at in range(since, len(scores)):
        score = scores[at]
        if score is not None and score > threshold:
            return at
    return None


def threshold_at(runs: Sequence[Series], rate: float) -> float:
    """Return the lowest threshold that at most a share ``rate`` of the runs ever exceeds."""
    peaks = sorted(max((s for s in run if s is not None), default=0.0) for run in runs)
    return float(peaks[len(peaks) - 1 - int(rate * len(peaks))])


def calibrate(quiet: Mapping[int, Run]) -> dict[str, Any]:
    """Return every alarm's threshold at the common false-alarm rate, and the hash that freezes it.

    Args:
        quiet: Quiet runs on tuning seeds, by seed.
    """
    generic: dict[str, list[Series]] = {}
    typed: dict[str, list[Series]] = {}
    for seed, run in quiet.items():
        for name, scores in generic_scores(run["signals"], seed).items():
            generic.setdefault(name, []).append(scores)
        for name, scores in run["scores"].items():
            typed.setdefault(name, []).append(scores)
    frozen: dict[str, Any] = {
        "rate": RATE,
        "seeds": [min(quiet), max(quiet)],
        "runs": len(quiet),
        "generic": {name: threshold_at(runs, RATE) for name, runs in sorted(generic.items())},
        "typed": {name: threshold_at(runs, RATE) for name, runs in sorted(typed.items())},
        "shipped": {name: DETECTORS[name].default_threshold for name in sorted(typed)},
    }
    return {**frozen, "sha256": hashlib.sha256(dumps(frozen).encode()).hexdigest()}


def reports(run: Run, at: int) -> dict[str, LieReport]:
    """Return the detectors' reports on round ``at``, at their shipped thresholds, by name."""
    out = {}
    for name, series in run["scores"].items():
        kind, score = DETECTORS[name], series[at]
        out[name] = LieReport(
            lie=kind.lie,
            name=name,
            round=at,
            score=math.nan if score is None else score,
            fired=score is not None and score >= kind.default_threshold,
        )
    return out


def scores_by_lie(run: Run, at: int) -> dict[str, float]:
    """Return the detectors' scores in round ``at`` by letter, NaN where there was none."""
    return {report.lie: report.score for report in reports(run, at).values()}


def first_alarm(run: Run, since: int = 0) -> int | None:
    """Return the first round from ``since`` on in which any detector fired."""
    for at in range(since, len(run["signals"]["reward"])):
        if any(report.fired for report in reports(run, at).values()):
            return at
    return None


def stack_alarms(run: Run) -> dict[str, list[set[str]]]:
    """Return for each stack what it says in each round: letters of lies, or ``warning``."""
    said: dict[str, list[set[str]]] = {name: [] for name in STACKED}
    for at in range(len(run["signals"]["reward"])):
        every = reports(run, at)
        old = {name: report for name, report in every.items() if report.lie in PUBLISHED}
        ours = {report.lie for report in every.values() if report.fired}
        theirs = {report.lie for report in old.values() if report.fired}
        warned = {"warning"} if three_of_six(old) >= 1 else set()
        said["v3.4"].append(theirs)
        said["v3.5"].append(theirs | warned)
        said["v4"].append(ours | ({"warning"} if average_e(every) >= 1 / ALPHA else set()))
    return said


def within(alarms: Sequence[int | None], onsets: Sequence[int]) -> dict[str, dict[str, float]]:
    """Return the share of alarms that came within each window of rounds from the onset on."""
    pairs = list(zip(alarms, onsets, strict=True))
    return {
        str(w): rate(sum(a is not None and a - o < w for a, o in pairs), len(pairs))
        for w in WINDOWS
    }


def delays(alarms: Sequence[int | None], onsets: Sequence[int], rounds: int) -> dict[str, Any]:
    """Return the median delay in rounds, runs without an alarm censored at their end.

    Kaplan and Meier's estimate (SciPy's); ``None`` where fewer than half are caught.
    """
    from scipy.stats import CensoredData, ecdf

    pairs = list(zip(alarms, onsets, strict=True))
    seen = [a - o for a, o in pairs if a is not None]
    open_ends = [rounds - o for a, o in pairs if a is None]
    median = None
    if seen:
        curve = ecdf(CensoredData(uncensored=seen, right=open_ends)).sf
        below = [float(q) for q, p in zip(curve.quantiles, curve.probabilities) if p <= 0.5]
        median = min(below, default=None)
    return {"median": median, "censored": len(open_ends), "n": len(pairs)}


def damage(run: Run, alarm: int | None) -> tuple[float, float]:
    """Return how far accuracy fell from the onset to the alarm, and to the end, in [-1, 1]."""
    truth, onset = run["truth"]["accuracy"], run["onset"]
    end = len(truth) - 1
    return truth[onset] - truth[end if alarm is None else alarm + 1], truth[onset] - truth[end]


def rate(count: int, n: int) -> dict[str, float]:
    """Return a share with its Wilson interval, NaN where there is nothing."""
    if not n:
        return {"count": 0, "n": 0, "share": math.nan, "low": math.nan, "high": math.nan}
    low, high = wilson(count, n)
    return {"count": count, "n": n, "share": count / n, "low": low, "high": high}
