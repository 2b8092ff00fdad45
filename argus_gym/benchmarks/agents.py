"""``argus-gym bench agents``: what a curriculum is worth in true accuracy, and what captures it.

Every curriculum chooses the problems of the same simulated learner on the same seeds, in the text
environment and in the numeric one, with and without families that cannot be learnt. It is compared
with the uniform choice by what it needs to reach four fifths of the way from the first true
accuracy to the ceiling. The worlds were made on seeds of 1,000 and more.
"""

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from argus_gym.agents.curricula import (
    CURRICULA,
    Curriculum,
    Planned,
    SelfEvolving,
    SelfRepellent,
)
from argus_gym.benchmarks import agents_numeric
from argus_gym.benchmarks.agents_tables import tables
from argus_gym.benchmarks.agents_world import (
    BROAD,
    DEEP,
    LADDER,
    NUMERIC,
    WATCHED,
    Run,
    World,
    play,
)
from argus_gym.benchmarks.runner import Progress, run_jobs, sources
from argus_gym.gauges import wilson
from argus_gym.problems import FAMILIES

__all__ = [
    "CASES",
    "ENTRIES",
    "WORLDS",
    "median_interval",
    "needed",
    "play_one",
    "play_seeds",
    "run",
    "tables",
]

WAY = 0.8
TAKEN = 0.4
SOLVED = 0.2
COSTS = ("problems", "answers", "pairs")
QUICK = (6, 6)
"""Runs of each curriculum, and rounds of each run, of the quick form."""


def _repelled_more(arms: int) -> Curriculum:
    return SelfRepellent(SelfEvolving(arms), alpha=5.0)


ENTRIES: dict[str, Callable[[int], Curriculum]] = {
    **CURRICULA,
    "sec, temperature 1": partial(SelfEvolving, temperature=1.0),
    "sec_repelled, alpha 5": _repelled_more,
    "most_learnable, capped": partial(Planned, planner="most_learnable", capped=True),
}
"""What is compared; ``capped`` is the environment's default planner with its share cap of 30 %."""

CASES: tuple[tuple[World, int, tuple[str, ...]], ...] = (
    *((LADDER, unlearnable, tuple(ENTRIES)) for unlearnable in (0, 1, 2)),
    *((NUMERIC, unlearnable, tuple(ENTRIES)) for unlearnable in (0, 2)),
    (BROAD, 2, ("uniform", "sec", "sec_repelled")),
    (WATCHED, 0, ("sec",)),
    (WATCHED, 2, ("uniform", "sec", "sws")),
    (DEEP, 0, ("uniform", "variance", "soar")),
)
"""Worlds, numbers of unlearnable families and who plays there."""

WORLDS = {world.name: world for world in (LADDER, NUMERIC, BROAD, WATCHED, DEEP)}


def play_one(
    world: str, curriculum: str, unlearnable: int, seed: int, rounds: int | None = None
) -> dict[str, Any]:
    """Return the figures of one run, JSON-ready.

    Args:
        world: A key of ``WORLDS``.
        curriculum: A key of ``ENTRIES``.
        unlearnable: Number of unlearnable families.
        seed: Seed of everything.
        rounds: Rounds of the run, those of the world where ``None``.
    """
    return play_seeds(world, curriculum, unlearnable, [seed], rounds)["rows"][0]


def play_seeds(
    world: str, curriculum: str, unlearnable: int, seeds: Sequence[int], rounds: int | None = None
) -> dict[str, list[dict[str, Any]]]:
    """Return :func:`play_one` of each seed as ``rows``; the numeric ladder's play at once."""
    kind = WORLDS[world] if rounds is None else replace(WORLDS[world], rounds=rounds)
    make, grounded = ENTRIES[curriculum], curriculum == "soar"
    if kind.name == NUMERIC.name:
        played = agents_numeric.play(kind, unlearnable, make, seeds, grounded)
    else:
        watched = kind.name == WATCHED.name
        played = [
            play(kind, unlearnable, make(len(FAMILIES)), seed, grounded, watched) for seed in seeds
        ]
    return {"rows": [_row(run, kind) for run in played]}


def _row(run: Run, kind: World) -> dict[str, Any]:
    total = run.chosen.sum(0)
    late = run.chosen[-len(run.chosen) // 4 :].sum(0)
    taken = run.chosen[:, list(run.stuck)].sum(1) / run.chosen.sum(1)
    passed = np.flatnonzero(taken >= TAKEN)
    return {
        **needed(run, kind),
        "final": run.accuracy[-1],
        "per_pair": (run.accuracy[-1] - run.accuracy[0]) / max(run.pairs[-1], 1),
        "hard_start": run.hard[0],
        "hard": run.hard[-1],
        "answers_spent": run.answers[-1],
        "stuck": float(total[list(run.stuck)].sum() / total.sum()),
        "stuck_late": float(late[list(run.stuck)].sum() / late.sum()),
        "largest": float(total.max() / total.sum()),
        "entropy": _entropy(late / late.sum()),
        "passed": int(passed[0]) if passed.size else -1,
        "alarm": run.alarm,
        "false_alarm": run.false_alarm,
        "barred": run.barred,
    }


def needed(run: Run, world: World) -> dict[str, float | None]:
    """Return the problems, answers and pairs a run needed to reach its target; ``None`` if never.

    The target is the first accuracy plus four fifths of the way to the ceiling's; between rounds
    the accuracy is taken to be linear.
    """
    target = run.accuracy[0] + WAY * (run.top - run.accuracy[0])
    above = np.flatnonzero(np.array(run.accuracy) >= target)
    if not above.size:
        return dict.fromkeys(COSTS, None)
    end = int(above[0])
    start = max(end - 1, 0)
    low, high = run.accuracy[start], run.accuracy[end]
    part = (target - low) / (high - low) if high > low else 1.0
    rounds = np.arange(len(run.accuracy)) * world.problems
    spent = np.array([rounds, run.answers, run.pairs], float)
    at = spent[:, start] + part * (spent[:, end] - spent[:, start])
    return dict(zip(COSTS, at.tolist(), strict=True))


def _entropy(shares: np.ndarray) -> float:
    """Return the entropy of ``shares`` as a part of the largest possible."""
    positive = shares[shares > 0]
    return float(-(positive * np.log(positive)).sum() / math.log(len(shares)))


def median_interval(values: Iterable[float]) -> dict[str, float | None]:
    """Return the median with its exact 95 % interval of order statistics (SciPy's).

    Infinite values count as larger than all others; an infinite figure is ``None``.
    """
    from scipy.stats import quantile_test

    given = np.sort(np.fromiter(values, float))
    interval = quantile_test(given, p=0.5).confidence_interval(0.95)
    figures = {
        "median": statistics.median(given.tolist()),
        "low": interval.low,
        "high": interval.high,
    }
    return {name: float(x) if math.isfinite(x) else None for name, x in figures.items()}


def _count(flags: Sequence[bool]) -> dict[str, Any]:
    low, high = wilson(sum(flags), len(flags))
    return {"count": sum(flags), "n": len(flags), "low": low, "high": high}


def _ratio(own: float | None, other: float | None) -> float:
    """Return ``own / other``, infinity and 0 where one was never reached, 1 where neither was."""
    if own is None:
        return 1.0 if other is None else math.inf
    return 0.0 if other is None else own / other


def run(
    seed: int = 0,
    runs: int = 40,
    workers: int = 2,
    rounds: int | None = None,
    *,
    quick: bool = False,
    out: Path | None = None,
    ray: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Return what each curriculum needed, chose and reached, JSON-ready.

    Args:
        seed: First seed; the others follow.
        runs: Runs of each curriculum in each world, >= 6 for an interval of the median.
        workers: Processes; the result does not depend on it.
        rounds: Rounds of each run, those of its world where ``None``.
        quick: A small form, for a first look: six short runs each.
        out: Results folder to write or to continue.
        ray: Address of a Ray cluster.
        progress: Called with the numbers of runs done and of all.
    """
    if quick:
        runs, rounds = QUICK
    if runs < 6:
        raise ValueError(f"runs must be at least 6, got {runs}")
    seeds = range(seed, seed + runs)
    cases = [(world.name, name, stuck) for world, stuck, names in CASES for name in names]
    jobs = {
        f"{world} {stuck} {batch[0]} {name}": (world, name, stuck, batch, rounds)
        for world, name, stuck in cases
        for batch in ([list(seeds)] if world == NUMERIC.name else [[at] for at in seeds])
    }
    plan = {"suite": "agents", "seed": seed, "runs": runs, "rounds": rounds, "sources": sources()}
    played = run_jobs(play_seeds, jobs, plan, out=out, workers=workers, ray=ray, progress=progress)
    failed = {key: done["failed"] for key, done in played.items() if "failed" in done}
    rows: dict[Case, dict[int, Mapping[str, Any]]] = {case: {} for case in cases}
    for key, (world, name, stuck, batch, _) in jobs.items():
        rows[world, name, stuck].update(zip(batch, played[key].get("rows", ()), strict=False))
    found = {}
    for case, own in rows.items():
        # Comparisons are paired by seed: one that failed in a world is left out there everywhere.
        sound = [at for at in seeds if all(at in r for c, r in rows.items() if c[0] == case[0])]
        if sound:
            found[case] = [own[at] for at in sound]
    return {"seeds": [seed, seed + runs - 1], "failed": failed, **_figures(found)}


Case = tuple[str, str, int]
Rows = Sequence[Mapping[str, Any]]


def _figures(found: Mapping[Case, Rows]) -> dict[str, Any]:
    """Return the figures of runs by world, curriculum and number of unlearnable families."""
    out: dict[str, list[dict[str, Any]]] = {"compared": [], "watched": [], "hard": []}
    for (world, name, stuck), rows in found.items():
        case = {"world": world, "unlearnable": stuck, "curriculum": name}
        if world == WATCHED.name:
            out["watched"].append(case | _watched(rows))
        elif world == DEEP.name:
            out["hard"].append(case | _hard(rows))
        else:
            out["compared"].append(case | _compared(rows, found[world, "uniform", stuck]))
    return out


def _compared(rows: Rows, uniform: Rows) -> dict[str, Any]:
    pairs = list(zip(rows, uniform, strict=True))
    out: dict[str, Any] = {
        name: median_interval(_ratio(own[name], other[name]) for own, other in pairs)
        for name in COSTS
    }
    out["faster"] = _count([_ratio(own["answers"], other["answers"]) < 1 for own, other in pairs])
    out["reached"] = _count([own["answers"] is not None for own in rows])
    out["final"] = median_interval(own["final"] for own in rows)
    out["final_gain"] = median_interval(own["final"] - other["final"] for own, other in pairs)
    out["hard_gain"] = median_interval(own["hard"] - other["hard"] for own, other in pairs)
    out["points_per_100_pairs"] = median_interval(10_000 * own["per_pair"] for own in rows)
    for name in ("stuck", "stuck_late", "largest", "entropy"):
        out[name] = sum(own[name] for own in rows) / len(rows)
    return out


def _watched(rows: Rows) -> dict[str, Any]:
    """Count captures, and the alarms and bars that came before the share passed 0.4."""
    passed = [row for row in rows if row["passed"] >= 0]

    def before(name: str) -> dict[str, Any] | None:
        return _count([0 <= row[name] < row["passed"] for row in passed]) if passed else None

    return {
        "passed": _count([row["passed"] >= 0 for row in rows]),
        "alarm": _count([row["alarm"] >= 0 for row in rows]),
        "alarm_before": before("alarm"),
        "false_alarm": _count([row["false_alarm"] >= 0 for row in rows]),
        "barred": _count([row["barred"] >= 0 for row in rows]),
        "barred_before": before("barred"),
        "stuck_late": sum(row["stuck_late"] for row in rows) / len(rows),
    }


def _hard(rows: Rows) -> dict[str, Any]:
    return {
        "solved": _count([row["hard"] > SOLVED for row in rows]),
        "start": median_interval(row["hard_start"] for row in rows),
        "end": median_interval(row["hard"] for row in rows),
        "entropy": min(row["entropy"] for row in rows),
        "answers": sum(row["answers_spent"] for row in rows) / len(rows),
    }
