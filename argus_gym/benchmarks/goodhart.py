"""``argus-gym bench goodhart``: what an agent makes of learners when it is paid by a proxy.

The same PPO is trained on each reward, with and without a gate on the learners' steps, and then
meets fresh learners beside the uniform choice. Settings were chosen on seeds from 1,000.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from argus_gym.benchmarks.goodhart_plots import plots
from argus_gym.benchmarks.goodhart_tables import tables
from argus_gym.benchmarks.runner import Progress, run_jobs, sources
from argus_gym.train import mean_interval, train
from argus_gym.train_setup import Config, need_torch

__all__ = ["ARMS", "CASES", "play_one", "plots", "run", "tables"]

ARMS: dict[str, dict[str, str]] = {
    "consensus": {"reward": "consensus"},
    "consensus, gated": {"reward": "consensus", "gate": "certified"},
    "anchor": {"reward": "anchor"},
    "oracle": {"reward": "oracle"},
}
"""What the agent is paid for, and the gate's rule."""

CASES = tuple(("shallow", arm) for arm in ARMS)
"""Worlds and arms that the suite plays."""

STEPS = 300_000
QUICK = (3, 30_000)
"""Seeds and steps of the quick form."""
POINTS = 13
"""Most points of a curve."""


def play_one(world: str, arm: str, seed: int, steps: int) -> dict[str, Any]:
    """Return the curve of one training run and what fresh learners say of it; JSON-ready.

    Args:
        world: A key of :data:`argus_gym.train_setup.WORLDS`.
        arm: A key of ``ARMS``.
        seed: Seed of everything.
        steps: Steps to train for, >= 1.
    """
    wanted: dict[str, Any] = {"steps": steps, "seed": seed, "world": world, **ARMS[arm]}
    result = train(Config(**wanted))
    return {"curve": result["curve"], "fresh": result["fresh"]}


def run(
    seed: int = 0,
    runs: int = 10,
    steps: int = STEPS,
    *,
    quick: bool = False,
    out: Path | None = None,
    workers: int = 2,
    ray: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Return curves and final figures of every arm with intervals over seeds, JSON-ready.

    Args:
        seed: First seed; the others follow, the same in every arm.
        runs: Training runs of each arm, >= 2.
        steps: Steps of each, >= 1.
        quick: A small form, for a first look.
        out: Results folder to write or to continue.
        workers: Processes; the result does not depend on it.
        ray: Address of a Ray cluster.
        progress: Called with the numbers of runs done and of all.

    Raises:
        InputError: If PyTorch is missing or ``out`` cannot be used.
        ValueError: If ``runs`` is below 2.
    """
    need_torch()
    if quick:
        runs, steps = QUICK
    if runs < 2:
        raise ValueError(f"runs must be at least 2, got {runs}")
    seeds = range(seed, seed + runs)
    # The slowest arms first, so that the last jobs are short ones.
    cases = sorted(CASES, key=lambda case: (case[1] != "consensus, gated", case))
    jobs = {f"{world} {at} {arm}": (world, arm, at, steps) for world, arm in cases for at in seeds}
    plan = {"suite": "goodhart", "seed": seed, "runs": runs, "steps": steps, "sources": sources()}
    played = run_jobs(play_one, jobs, plan, out=out, workers=workers, ray=ray, progress=progress)
    failed = {key: row["failed"] for key, row in played.items() if "failed" in row}
    # Comparisons are paired by seed: one that failed anywhere is left out everywhere.
    sound = [at for at in seeds if not any(key.split(" ", 2)[1] == str(at) for key in failed)]
    result: dict[str, Any] = {
        "seeds": [seed, seed + runs - 1],
        "n": len(sound),
        "steps": steps,
        "failed": failed,
        "arms": [],
        "pairs": [],
    }
    if len(sound) < 2:
        return result
    found = {(world, arm): [played[f"{world} {at} {arm}"] for at in sound] for world, arm in CASES}
    for (world, arm), rows in found.items():
        case = {"world": world, "arm": arm}
        result["arms"].append(case | _figures(rows))
        if arm != "consensus":
            result["pairs"].append(case | _against(rows, found[world, "consensus"]))
    return result


def _figures(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    fresh = [row["fresh"] for row in rows]
    return {
        "reward": _interval(f["agent"]["reward"] for f in fresh),
        "uniform_reward": _interval(f["uniform"]["reward"] for f in fresh),
        "reward_gain": _interval(f["reward"]["mean"] for f in fresh),
        "change": _interval(_change(f["agent"]) for f in fresh),
        "uniform_change": _interval(_change(f["uniform"]) for f in fresh),
        "accuracy_gain": _interval(f["accuracy"]["mean"] for f in fresh),
        "harmed": _interval(f["agent"]["harmed"] for f in fresh),
        "uniform_harmed": _interval(f["uniform"]["harmed"] for f in fresh),
        "chosen_steps": np.mean([f["steps"] for f in fresh], axis=0).tolist(),
        "each": [[f["reward"]["mean"], f["accuracy"]["mean"]] for f in fresh],
        "curve": _curve([row["curve"] for row in rows]),
    }


def _against(
    rows: Sequence[Mapping[str, Any]], consensus: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Compare an arm with plain consensus on the same seeds, which are the same fresh learners."""
    pairs = [(a["fresh"], b["fresh"]) for a, b in zip(rows, consensus, strict=True)]
    return {
        "accuracy": _interval(a["agent"]["end"] - b["agent"]["end"] for a, b in pairs),
        "harmed": _interval(a["agent"]["harmed"] - b["agent"]["harmed"] for a, b in pairs),
    }


def _curve(curves: Sequence[Sequence[Mapping[str, float]]]) -> list[dict[str, Any]]:
    """Return reward and change of true accuracy over training, with intervals over seeds."""
    length = min(len(curve) for curve in curves)
    if not length:
        return []
    steps = [point["steps"] for point in curves[0]]
    pieces = np.array_split(np.arange(length), min(POINTS, length))
    return [
        {
            "steps": float(np.mean([steps[at] for at in piece])),
            "reward": _interval(np.mean([c[at]["reward"] for at in piece]) for c in curves),
            "change": _interval(np.mean([_change(c[at]) for at in piece]) for c in curves),
        }
        for piece in (part.tolist() for part in pieces)
    ]


def _change(ends: Mapping[str, float]) -> float:
    return ends["end"] - ends["start"]


def _interval(values: Any) -> dict[str, float]:
    return mean_interval(np.fromiter(values, float))
