"""The figures of ``bench lies``, from watched runs."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from statistics import mean
from typing import Any

from argus_gym.benchmarks.alarms import (
    STACKED,
    Run,
    damage,
    delays,
    first_above,
    first_alarm,
    rate,
    scores_by_lie,
    stack_alarms,
    threshold_at,
    within,
)
from argus_gym.benchmarks.figures import interval
from argus_gym.benchmarks.generic import generic_scores
from argus_gym.benchmarks.worlds import World
from argus_gym.intervals import paired_difference_interval
from argus_gym.wrappers import DETECTORS
from argus_gym.wrappers.diagnosis import diagnose

__all__ = ["cell_figures", "is_main", "quiet_figures", "summary"]

BEGUN = 0.02
"""A fall of the truth from its peak by which an emergent failure has begun."""

RATES = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
HORIZON = 6


def cell_figures(
    cell: Any,
    world: World,
    runs: Mapping[int, Run],
    twins: Mapping[int, Run],
    quiet: Mapping[int, Run],
    frozen: Mapping[str, Any],
) -> dict[str, Any]:
    """Return one cell's figures, JSON-ready.

    Args:
        cell: A :class:`~argus_gym.benchmarks.lies.Cell`.
        world: Its world.
        runs: Its runs by seed, failed ones included.
        twins: The twins of some of them, by seed.
        quiet: Quiet runs by seed.
        frozen: The calibration.
    """
    sound = {seed: run for seed, run in runs.items() if "failed" not in run}
    out: dict[str, Any] = {
        "world": cell.world,
        "lie": world.lie,
        "kind": world.kind,
        "severity": cell.severity,
        "shape": cell.shape,
        "runs": cell.runs,
        "failed": dict(Counter(run["failed"] for run in runs.values() if "failed" in run)),
        "admission": _admission(sound, twins, world.kind),
        "alarmed": _alarmed(list(sound.values())),
    }
    begun = {seed: _begun(run, world.kind) for seed, run in sound.items()}
    onsets = {seed: at for seed, at in begun.items() if at is not None}
    if world.lie and onsets:
        caught = {seed: sound[seed] for seed in onsets}
        out |= _detection(world, caught, onsets, frozen)
        if world.kind == "planted" and out["duel"] is not None and is_main(out):
            own = next(name for name, kind in DETECTORS.items() if kind.lie == world.lie)
            names = {"typed": own, "generic": out["duel"]["generic"]}
            out["amoc"] = {who: _amoc(quiet, caught, name) for who, name in names.items()}
    return out


def _begun(run: Run, kind: str) -> int | None:
    """Return the round in which the truth begins to suffer; ``None`` where it never does."""
    if kind != "emergent":
        return int(run["onset"])
    starts = []
    for truth in run["truth"].values():
        peak = -math.inf
        for at, value in enumerate(truth):
            peak = max(peak, value)
            if value < peak - BEGUN:
                starts.append(at - 1)
                break
    return min(starts, default=None)


def _alarmed(runs: Sequence[Run]) -> dict[str, dict[str, float]]:
    """Return the share of runs in which each stack said anything at all."""
    said = [stack_alarms(run) for run in runs]
    return {stack: rate(sum(any(words[stack]) for words in said), len(said)) for stack in STACKED}


def _admission(runs: Mapping[int, Run], twins: Mapping[int, Run], kind: str) -> dict[str, Any]:
    """Return how runs differ from their twins: what the loop says after the onset, what is true.

    A failure is admitted where at the end the truth is worse than the twin's, and one of the
    loop's own two signs of progress, reward and learning gauge, is not; an honest world where the
    truth is no worse at the end than at the onset.
    """
    out: dict[str, Any] = {}
    for group, names in (("signals", ("reward", "epi_train")), ("truth", ("accuracy", "pass_16"))):
        for name in names:
            gaps = []
            for seed in sorted(runs.keys() & twins.keys()):
                run, twin = runs[seed], twins[seed]
                if "failed" in twin or name not in run[group] or name not in twin[group]:
                    continue
                since = 1 if kind == "emergent" else run["onset"] + 1
                late = slice(since if group == "signals" else -1, None)
                pairs = zip(run[group][name][late], twin[group][name][late], strict=True)
                known = [a - b for a, b in pairs if a is not None and b is not None]
                gaps += [mean(known)] if known else []
            out[name] = interval(gaps)
    if kind == "honest":
        changes = [
            r["truth"]["accuracy"][-1] - r["truth"]["accuracy"][r["onset"]] for r in runs.values()
        ]
        out["admitted"] = not interval(changes)["high"] < 0
    else:
        worse = any(out[name]["high"] < 0 for name in ("accuracy", "pass_16"))
        fine = any(out[name]["high"] >= 0 for name in ("reward", "epi_train"))
        out["admitted"] = worse and fine
    return out


def _detection(
    world: World, runs: Mapping[int, Run], onsets: Mapping[int, int], frozen: Mapping[str, Any]
) -> dict[str, Any]:
    # An emergent failure is at work before the truth suffers: an early alarm is a right one.
    begin = {seed: 0 if world.kind == "emergent" else at for seed, at in onsets.items()}
    said = {seed: stack_alarms(run) for seed, run in runs.items()}
    since = list(onsets.values())
    rounds = len(next(iter(runs.values()))["signals"]["reward"])

    def first(stack: str, wanted: Callable[[set[str]], bool]) -> list[int | None]:
        return [
            next((at for at in range(begin[s], rounds) if wanted(said[s][stack][at])), None)
            for s in runs
        ]

    stacks = {}
    for stack in STACKED:
        typed = first(stack, lambda words: world.lie in words)
        late = [None if a is None else max(a, o) for a, o in zip(typed, since, strict=True)]
        stacks[stack] = {
            "typed": within(typed, since),
            "any": within(first(stack, bool), since),
            "delay": delays(late, since, rounds),
        }
    alarms = {seed: first_alarm(run, begin[seed]) for seed, run in runs.items()}
    losses = [damage(run, alarms[seed]) for seed, run in runs.items()]
    named = Counter(_named(runs[s], at) for s, at in alarms.items() if at is not None)
    calibrated = _calibrated(world, runs, begin, frozen)
    return {
        "begun": len(runs),
        "stacks": stacks,
        "damage": {"to_alarm": mean(a for a, _ in losses), "to_end": mean(b for _, b in losses)},
        "named": dict(sorted(named.items())),
        "right_name": rate(named[world.lie], sum(named.values())),
        "calibrated": {name: within(at, since) for name, at in calibrated.items()},
        "duel": _duel(calibrated, since) if "typed" in calibrated else None,
    }


def _named(run: Run, at: int) -> str:
    trends = {name: values[at] for name, values in run["slopes"].items()}
    shares = diagnose(scores_by_lie(run, at), trends)
    return max(shares, key=lambda lie: shares[lie])


def _calibrated(
    world: World, runs: Mapping[int, Run], begin: Mapping[int, int], frozen: Mapping[str, Any]
) -> dict[str, list[int | None]]:
    """Return the first alarms of the world's own detector and of every generic alarm."""
    alarms: dict[str, list[int | None]] = {}
    own = [name for name, kind in DETECTORS.items() if kind.lie == world.lie]
    for seed, run in runs.items():
        for name in own:
            at = first_above(run["scores"][name], frozen["typed"][name], begin[seed])
            alarms.setdefault("typed", []).append(at)
        for name, scores in generic_scores(run["signals"], seed).items():
            at = first_above(scores, frozen["generic"][name], begin[seed])
            alarms.setdefault(name, []).append(at)
    return alarms


def _duel(alarms: Mapping[str, Sequence[int | None]], onsets: Sequence[int]) -> dict[str, Any]:
    """Return the typed detector against the best generic alarm, within three rounds.

    All are calibrated to the same false-alarm rate on the same tuning runs; the interval of the
    difference is Newcombe's for paired proportions.
    """
    caught = {
        name: [a is not None and a - o < 3 for a, o in zip(found, onsets, strict=True)]
        for name, found in alarms.items()
    }
    typed = caught.pop("typed")
    best = max(sorted(caught), key=lambda name: sum(caught[name]))
    pairs = Counter(zip(caught[best], typed, strict=True))
    low, high = paired_difference_interval(
        *(pairs[key] for key in ((True, True), (True, False), (False, True), (False, False)))
    )
    return {
        "typed": rate(sum(typed), len(typed)),
        "generic": best,
        "best": rate(sum(caught[best]), len(typed)),
        "low": low,
        "high": high,
    }


def quiet_figures(runs: Mapping[int, Run], frozen: Mapping[str, Any]) -> dict[str, Any]:
    """Return the false alarms a run of every stack, detector and generic alarm on quiet runs."""
    alone: Counter[str] = Counter()
    generic: Counter[str] = Counter()
    for seed, run in runs.items():
        alone.update(set().union(*stack_alarms(run)["v4"]))
        scores = generic_scores(run["signals"], seed)
        generic.update(
            n for n, s in scores.items() if first_above(s, frozen["generic"][n]) is not None
        )
    n = len(runs)
    return {
        "n": n,
        "stacks": _alarmed(list(runs.values())),
        "alone": {name: rate(alone[name], n) for name in sorted(alone)},
        "generic": {name: rate(generic[name], n) for name in sorted(frozen["generic"])},
    }


def _amoc(quiet: Mapping[int, Run], runs: Mapping[int, Run], name: str) -> list[dict[str, float]]:
    """Return an activity monitoring operating characteristic (Fawcett & Provost 1999).

    Args:
        quiet: Quiet runs by seed, which set the thresholds.
        runs: Runs of one planted world.
        name: A detector, or a generic alarm.

    Returns:
        For each rate of false alarms a run: the rate, the mean delay in rounds with later or no
        alarms counted as six, and the share caught within three rounds.
    """

    def scores(seed: int, run: Run) -> Sequence[float | None]:
        found: Sequence[float | None]
        if name in run["scores"]:
            found = run["scores"][name]
        else:
            found = generic_scores(run["signals"], seed)[name]
        return found

    calm = [scores(seed, run) for seed, run in quiet.items()]
    points = []
    for level in RATES:
        limit = threshold_at(calm, level)
        waits = []
        for seed, run in runs.items():
            at = first_above(scores(seed, run), limit, run["onset"])
            waits.append(HORIZON if at is None else min(at - run["onset"], HORIZON))
        caught = mean(wait < 3 for wait in waits)
        points.append({"rate": level, "delay": mean(waits), "within_3": caught})
    return points


def is_main(cell: Mapping[str, Any]) -> bool:
    """Return whether these are the figures of a medium cliff."""
    return bool(cell["severity"] == "medium" and cell["shape"] == "cliff")


def summary(figures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the suite is held to: means over planted lies at medium severity, and totals."""
    main = [c for c in figures if c["kind"] == "planted" and is_main(c) and "stacks" in c]
    twins = [c for c in figures if c["kind"] == "honest" and is_main(c)]
    spoke = sum(c["right_name"]["n"] for c in main)
    out: dict[str, Any] = {
        "lies": len(main),
        "right_name": rate(sum(c["right_name"]["count"] for c in main), spoke),
        "stacks": {},
    }
    for stack in STACKED:
        alarmed = [c["alarmed"][stack] for c in twins]
        out["stacks"][stack] = {
            "macro": {
                kind: {
                    w: _nan_mean([c["stacks"][stack][kind][w]["share"] for c in main])
                    for w in ("1", "3", "5")
                }
                for kind in ("typed", "any")
            },
            "delays": {c["lie"]: c["stacks"][stack]["delay"]["median"] for c in main},
            "honest": rate(sum(a["count"] for a in alarmed), sum(a["n"] for a in alarmed)),
        }
    return out


def _nan_mean(values: Sequence[float]) -> float:
    return mean(values) if values else math.nan
