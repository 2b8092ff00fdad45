"""How the learning rate of ``grpo`` in ``bench llm`` was chosen, and what others do to the rest.

Short runs on tuning seeds. ``grpo`` has the smallest rate at which held-out pass@1 falls by 5
points, the largest tried where it never does. The other arms have that of ``tiny_agent``, ``sft,
fast`` three times it; ``truth`` is played at all three for what right chains teach at each.
"""

from collections.abc import Mapping
from typing import Any

from argus_gym.benchmarks.llm import from_start
from argus_gym.benchmarks.llm_play import START, Size, play
from argus_gym.benchmarks.llm_tables import FALL, student
from argus_gym.benchmarks.runner import run_jobs

__all__ = ["PILOT", "chosen", "pilot"]

PILOT = Size(rounds=8, problems=32, every=8, kinds=2)
FIRST_SEED = 1000
RATES = {"truth": (3e-4, 1e-3, 3e-3), "grpo": (3e-4, 1e-3, 3e-3)}
SEEDS = {"truth": 2, "grpo": 2}


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


def chosen(changes: Mapping[str, Mapping[str, Any]]) -> float:
    """Return the rate of ``grpo`` that :func:`pilot`'s figures lead to."""
    falls = [rate for rate in RATES["grpo"] if changes[f"grpo {rate:g}"]["pass_1"]["mean"] <= -FALL]
    return min(falls, default=max(RATES["grpo"]))
