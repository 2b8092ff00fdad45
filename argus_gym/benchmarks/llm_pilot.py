"""How the learning rates of ``bench llm`` were chosen: short runs on tuning seeds.

The rate of all arms but two is the one at which training on right chains only raises held-out
pass@1 most: what learns nothing at it had nothing to learn. ``sft, fast`` has ten times it.
``grpo`` has the smallest rate at which held-out pass@1 falls by 5 points, the largest tried where
it never does.
"""

import math
from collections.abc import Mapping
from typing import Any

from argus_gym.benchmarks.llm import from_start
from argus_gym.benchmarks.llm_play import START, Size, play
from argus_gym.benchmarks.llm_tables import FALL, student
from argus_gym.benchmarks.runner import run_jobs

__all__ = ["PILOT", "chosen", "pilot"]

PILOT = Size(rounds=6, problems=12, every=6, kinds=1)
FIRST_SEED = 1000
RATES = {"truth": (3e-4, 1e-3, 3e-3), "grpo": (1e-3, 3e-3)}
SEEDS = {"truth": 2, "grpo": 1}


def pilot(model: str, *, workers: int = 2, size: Size = PILOT) -> dict[str, dict[str, Any]]:
    """Return the change of held-out accuracy by arm and rate, as ``"arm rate"``.

    Args:
        model: Local path or hub name.
        workers: Processes.
        size: How large a run is.
    """
    jobs = {
        f"{arm} {rate:g} {at}": (model, arm, at, rate, size)
        for arm, rates in RATES.items()
        for rate in rates
        for at in range(FIRST_SEED, FIRST_SEED + SEEDS[arm])
    }
    starts = {
        f"{START} {at}": (model, START, at, 1e-3, size)
        for at in range(FIRST_SEED, FIRST_SEED + max(SEEDS.values()))
    }
    found = from_start(run_jobs(play, jobs | starts, {}, workers=workers))
    out: dict[str, dict[str, Any]] = {}
    for arm, rates in RATES.items():
        for rate in rates:
            runs = [r for k, r in found.items() if k.rsplit(" ", 1)[0] == f"{arm} {rate:g}"]
            good = [r for r in runs if "failed" not in r]
            out[f"{arm} {rate:g}"] = {
                "failed": [r["failed"] for r in runs if "failed" in r],
                **{
                    name: student([r[name][-1] - r[name][0] for r in good])
                    for name in ("pass_1", "pass_16")
                },
            }
    return out


def chosen(changes: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return the rates that :func:`pilot`'s figures lead to: ``sft``, ``fast`` and ``grpo``."""

    def change(arm: str, rate: float) -> float:
        mean = float(changes[f"{arm} {rate:g}"]["pass_1"]["mean"])
        return 0.0 if math.isnan(mean) else mean

    sft = max(RATES["truth"], key=lambda rate: change("truth", rate))
    falls = [rate for rate in RATES["grpo"] if change("grpo", rate) <= -FALL]
    return {"sft": sft, "fast": sft * 10, "grpo": min(falls, default=max(RATES["grpo"]))}
