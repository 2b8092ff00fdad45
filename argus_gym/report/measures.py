"""The numbers behind the figures; the tables beside them print the same."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import Any

from argus_gym.comparison import defensive_events
from argus_gym.gauges import anchors, paired
from argus_gym.records import RoundRecord
from argus_gym.report.source import ReportRun

__all__ = [
    "NOTHING",
    "Axis",
    "Estimate",
    "anchor_accuracy",
    "anchor_change",
    "changes",
    "detector_lie",
    "easy_hard",
    "fingerprint",
    "firings",
    "in_force",
    "mean_change",
    "repeats",
    "reward",
    "spans",
]

NAN = math.nan
Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; NaN where it was not measured.

    Attributes:
        value: The number.
        low: Lower end of the interval.
        high: Upper end.
        n: What it rests on, in the unit the interval takes as independent.
    """

    value: float
    low: float = NAN
    high: float = NAN
    n: int = 0


NOTHING = Estimate(NAN)


@dataclass(frozen=True)
class Axis:
    """One axis of the fingerprint.

    Attributes:
        name: What it is, with its unit.
        estimate: The run's value.
        low: Value at the scale's left end.
        high: Value at its right end.
        form: How values are written.
    """

    name: str
    estimate: Estimate
    low: float
    high: float
    form: str


def reward(record: RoundRecord) -> Estimate:
    """Return the round's mean reward; normal interval over its problems."""
    return _mean([p.combined for p in record.problems])


def anchor_accuracy(record: RoundRecord) -> Estimate:
    """Return the share of right answers to the round's anchors after the step, over items."""
    return _mean([item.right_after / item.chains for item in anchors(record.retests)])


def anchor_change(record: RoundRecord) -> Estimate:
    """Return the paired change of the round's anchors (:func:`argus_gym.gauges.paired`)."""
    test = paired(anchors(record.retests))
    return Estimate(test.delta, test.low, test.high, test.n)


def easy_hard(record: RoundRecord) -> Estimate:
    """Return easy problems per hard one, with half a problem added to both (Haldane-Anscombe).

    The interval is that of the log of the ratio of two counts, z sqrt(1/easy + 1/hard).
    """
    easy, hard = record.zone_count("easy") + 0.5, record.zone_count("hard") + 0.5
    if not record.problems:
        return NOTHING
    factor = math.exp(Z * math.sqrt(1 / easy + 1 / hard))
    ratio = easy / hard
    return Estimate(ratio, ratio / factor, ratio * factor, len(record.problems))


def changes(run: ReportRun) -> tuple[Estimate, Estimate, Estimate]:
    """Return in-loop change, external change, and external minus in-loop, as shares.

    The last interval takes the two as independent: they are measured on different problems.
    """
    inside, outside = run.summary["in_loop"], run.external
    loop = _change(inside, inside["n_last"])
    if outside is None:
        return loop, NOTHING, NOTHING
    truth = _change(outside, outside["n"])
    gap = truth.value - loop.value
    low = math.hypot(truth.value - truth.low, loop.high - loop.value)
    high = math.hypot(truth.high - truth.value, loop.value - loop.low)
    return loop, truth, Estimate(gap, gap - low, gap + high, min(loop.n, truth.n))


def repeats(runs: Sequence[ReportRun]) -> list[list[int]]:
    """Return the indices of the runs whose settings differ in the seed alone, in groups."""
    groups: dict[str, dict[str, int]] = {}
    for index, run in enumerate(runs):
        config = dict(run.data.config)
        seed = str(config.pop("seed", None))
        groups.setdefault(json.dumps(config, sort_keys=True), {}).setdefault(seed, index)
    return [list(group.values()) for group in groups.values()]


def mean_change(runs: Sequence[ReportRun]) -> Estimate:
    """Return the mean external change of repeated runs; Student's t over the runs."""
    values = [changes(run)[1].value for run in runs]
    known = [value for value in values if math.isfinite(value)]
    if len(known) < 2:
        return NOTHING
    from scipy.special import stdtrit

    mean = sum(known) / len(known)
    sd = math.sqrt(sum((v - mean) ** 2 for v in known) / (len(known) - 1))
    half = float(stdtrit(len(known) - 1, 0.975)) * sd / math.sqrt(len(known))
    return Estimate(mean, mean - half, mean + half, len(known))


def fingerprint(run: ReportRun) -> tuple[Axis, ...]:
    """Return the six axes of a run; scales are fixed, so that fingerprints can be compared.

    The axes are those of the published system. Its refusal sensitivity, the largest z of its gate,
    is taken from the anchors here, so that it does not depend on the gate: minus the normal score
    of the smallest exact one-sided p-value of a round's paired anchors, 0 where none fell.
    """
    rounds = run.rounds
    last = rounds[-1].map["n"]
    gains = _known([r.gauges.get("epi_train", NAN) for r in rounds])
    tails = _known([paired(anchors(r.retests)).p_down for r in rounds])
    drop = max(-NormalDist().inv_cdf(min(tails)), 0.0) if tails and min(tails) < 1 else 0.0
    events = sum(defensive_events(run.data).values()) / len(rounds)
    visited = sum(n > 0 for n in last) / len(last)
    truth = changes(run)[1]
    points = Estimate(100 * truth.value, 100 * truth.low, 100 * truth.high, truth.n)
    learnt = Estimate(sum(gains), n=len(gains)) if gains else NOTHING
    worst = Estimate(drop, n=len(tails)) if tails else NOTHING
    return (
        Axis("in-loop skill, last round", Estimate(rounds[-1].skill), 0, 1, ".2f"),
        Axis("learning gauge on trained pairs, summed (nats/token)", learnt, 0, 0.5, "+.3f"),
        Axis("defensive events a round", Estimate(events, n=len(rounds)), 0, 4 / 3, ".2f"),
        Axis("share of clusters visited", Estimate(visited, n=len(last)), 0, 1, ".2f"),
        Axis("largest fall of the anchors in one round (z)", worst, 0, 4, ".2f"),
        Axis("external change (points)", points, -10, 10, "+.1f"),
    )


def firings(run: ReportRun) -> dict[str, list[int]]:
    """Return the rounds in which each detector fired, by its name, in order of the first."""
    fired: dict[str, list[int]] = {}
    for event in run.data.ledger:
        kind, _, name = event["event"].partition(".")
        if kind == "lie":
            fired.setdefault(name, []).append(event["round"])
    return fired


def in_force(run: ReportRun) -> dict[str, list[int]]:
    """Return the rounds in which each defence was in force, in order of the first."""
    active: dict[str, list[int]] = {}
    for record in run.rounds:
        for name in record.defences:
            active.setdefault(name, []).append(record.round)
    return active


def spans(rounds: Sequence[int]) -> list[tuple[int, int]]:
    """Return ascending rounds as runs of neighbours, first and last of each."""
    found: list[tuple[int, int]] = []
    for number in sorted(set(rounds)):
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


@cache
def detector_lie(name: str) -> str:
    """Return the letter of a detector's lie, empty where the package has no such detector."""
    from argus_gym.wrappers import DETECTORS

    return DETECTORS[name].lie if name in DETECTORS else ""


def _mean(values: Sequence[float]) -> Estimate:
    n = len(values)
    if not n:
        return NOTHING
    mean = sum(values) / n
    if n == 1:
        return Estimate(mean, n=1)
    half = Z * math.sqrt(sum((v - mean) ** 2 for v in values) / (n - 1) / n)
    return Estimate(mean, mean - half, mean + half, n)


def _known(values: Sequence[float]) -> list[float]:
    return [v for v in values if math.isfinite(v)]


def _change(found: Mapping[str, Any], n: int) -> Estimate:
    value, low, high = (
        NAN if found[key] is None else float(found[key]) for key in ("delta", "low", "high")
    )
    return Estimate(value, low, high, n)
