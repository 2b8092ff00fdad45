"""``argus-gym bench lies``: which detector catches which lie, how fast, at which price.

Every run is a 15-round loop of a world whose truth is known; all detectors watch and nothing
defends. Generic alarms, and each detector alone, are calibrated to one false-alarm rate on quiet
runs with tuning seeds; the stacks are judged at the thresholds they ship with.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import argus_gym
from argus_gym.agents.mechanisms import SHAPES, Shape
from argus_gym.benchmarks.alarms import STACKED, Run, calibrate
from argus_gym.benchmarks.lies_figures import cell_figures, quiet_figures, summary
from argus_gym.benchmarks.lies_plots import plots
from argus_gym.benchmarks.lies_tables import tables
from argus_gym.benchmarks.runner import Progress, run_jobs, sources
from argus_gym.benchmarks.watch import watch
from argus_gym.benchmarks.worlds import SEVERITIES, WORLDS, World
from argus_gym.benchmarks.worlds.load import load_world
from argus_gym.run_data import InputError

__all__ = ["Cell", "cells", "plots", "run", "tables"]

TUNING = 10_000
"""First tuning seed."""


@dataclass(frozen=True, slots=True)
class Size:
    """How many runs: quiet ones for tuning and for reporting, of a main cell, of every other."""

    tuning: int
    quiet: int
    main: int
    other: int


FULL = Size(300, 460, 200, 60)
QUICK = Size(60, 40, 6, 0)


@dataclass(frozen=True, slots=True)
class Cell:
    """Runs of one world at one severity and shape.

    Attributes:
        world: Reference of the world.
        severity: A key of ``SEVERITIES``, or ``twin`` for severity 0.
        shape: How the failure sets in.
        runs: How many.
    """

    world: str
    severity: str
    shape: Shape
    runs: int

    def jobs(self, seed: int) -> dict[str, tuple[str, int, float, Shape]]:
        """Return the arguments of :func:`watch` for every run, by key."""
        severity = SEVERITIES.get(self.severity, 0.0)
        return {
            f"{self.world} {self.severity} {self.shape} {at}": (
                self.world,
                at,
                severity,
                self.shape,
            )
            for at in range(seed, seed + self.runs)
        }


def cells(worlds: Mapping[str, World], size: Size) -> Iterator[Cell]:
    """Yield every cell: cliffs of three severities, other shapes at medium severity, and a twin.

    Quiet runs have no severity, emergent failures set in as they do, and honest twins at once.
    """
    for reference, world in worlds.items():
        if world.kind == "quiet":
            continue
        shapes = SHAPES if world.kind == "planted" else SHAPES[:1]
        for severity in SEVERITIES:
            for shape in shapes if severity == "medium" else shapes[:1]:
                main = severity == "medium" and shape == "cliff"
                runs = size.main if main else size.other
                if runs:
                    yield Cell(reference, severity, shape, runs)
        yield Cell(reference, "twin", "cliff", size.other // 2 or size.main)


def run(
    seed: int = 0,
    *,
    quick: bool = False,
    worlds: Sequence[str] = (),
    stack: str = "all",
    out: Path | None = None,
    workers: int = 2,
    ray: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Return detection, delay, damage, false alarms, confusion and the diagonal, JSON-ready.

    Args:
        seed: First seed of the reported runs, below the tuning seeds (from 10,000).
        quick: A small form, for a first look.
        worlds: References of worlds (see :func:`~argus_gym.benchmarks.worlds.load.load_world`);
            all that come with the package where empty.
        stack: Stack to report on, or ``all`` of them, on the same runs.
        out: Results folder to write or to continue.
        workers: Processes; the result does not depend on it.
        ray: Address of a Ray cluster.
        progress: Called with the numbers of runs done and of all.

    Raises:
        InputError: If there is no such stack, a world cannot be loaded or ``out`` not be used.
    """
    if stack not in (*STACKED, "all"):
        raise InputError(f"--stack must be one of {', '.join(STACKED)} or all, got {stack!r}")
    size = QUICK if quick else FULL
    chosen = {reference: load_world(reference) for reference in worlds or WORLDS}
    quiet = Cell("quiet", "twin", "cliff", size.quiet)
    tuning = Cell("quiet", "twin", "cliff", size.tuning)
    every = list(cells(chosen, size))
    jobs = tuning.jobs(TUNING) | quiet.jobs(seed)
    for cell in every:
        jobs |= cell.jobs(seed)
    plan = {
        "suite": "lies",
        "seed": seed,
        "quick": quick,
        "worlds": list(chosen),
        "sources": sources(list(chosen)),
    }
    found = run_jobs(watch, jobs, plan, out=out, workers=workers, ray=ray, progress=progress)

    def runs(cell: Cell, first: int) -> dict[int, Run]:
        return {args[1]: found[key] for key, args in cell.jobs(first).items()}

    frozen = calibrate(_finished(runs(tuning, TUNING)))
    calm = _finished(runs(quiet, seed))
    twins = {cell.world: runs(cell, seed) for cell in every if cell.severity == "twin"}
    figures = [
        cell_figures(cell, chosen[cell.world], runs(cell, seed), twins[cell.world], calm, frozen)
        for cell in every
        if cell.severity != "twin"
    ]
    return {
        **plan,
        "stacks": list(STACKED) if stack == "all" else [stack],
        "version": argus_gym.__version__,
        "calibration": frozen,
        "quiet": quiet_figures(calm, frozen),
        "cells": figures,
        "summary": summary(figures),
    }


def _finished(runs: Mapping[int, Run]) -> dict[int, Run]:
    return {seed: run for seed, run in runs.items() if "failed" not in run}
