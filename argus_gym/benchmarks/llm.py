"""``argus-gym bench llm``: the whole loop with a real language model, and what its signals say.

Every arm is the same loop on the same seeds, with one thing changed: what decides on learning
steps, what is learnt from, or who proposes. Accuracy is measured on held-out problems; all
detectors watch, and nothing but the arm's own gate or stack acts. The rate of
``grpo`` was chosen on seeds of 1,000 and more.
"""

from collections.abc import Mapping
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import argus_gym
from argus_gym.agents.tiny import TINY
from argus_gym.benchmarks.llm_play import RATE, START, Size, play
from argus_gym.benchmarks.llm_plots import plots
from argus_gym.benchmarks.llm_tables import figures, tables
from argus_gym.benchmarks.runner import Progress, run_jobs, sources
from argus_gym.run_data import InputError, weights_digest
from argus_gym.wrappers.rules import RULES

__all__ = ["ARMS", "figures", "from_start", "plots", "run", "tables"]

ARMS = {
    "sft": "the best chain of each frontier problem, no gate",
    "placebo": "the same chains, shuffled among the problems",
    "truth": "the worked solution in place of a wrong chain",
    "grpo": "majority vote as reward, group-relative policy gradient",
    "grpo, placebo": "the same rewards, shuffled within each group",
    "grpo, truth": "the known answer as reward, on the problems that can be read",
    "grpo, late": "sft at first, grpo from the fifth round on",
    "grpo, gate certified": "grpo with the gate certified",
    "false premises": "from the third round on half of the problems get a false premise",
    **{f"gate {rule}": f"sft with the gate {rule}" for rule in RULES if rule != "never"},
    "stack v4": "sft with the v4 stack: certified gate, detectors and their defences",
    "sft, fast": "sft at three times the learning rate",
}
"""What is compared. The gate ``never`` changes nothing and is ``sft``."""

FAST_RATE, GRPO_RATE = 3 * RATE, 3e-3
"""Learning rates: three times that of the other arms, and what ``llm_pilot`` chose."""

FULL, QUICK = Size(8, 32, 4, 2), Size(3, 4, 3, 0)
SEEDS = {False: 5, True: 2}


def run(
    seed: int = 0,
    *,
    quick: bool = False,
    model: str | None = None,
    out: Path | None = None,
    workers: int = 2,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Return every arm's figures, JSON-ready.

    Runs are independent, each on one thread; those of the first seed are done first, in all arms.

    Args:
        seed: First seed; the others follow, the same in every arm.
        quick: A small form, for a first look.
        model: Local path or hub name of a language model; argus-tiny where ``None``.
        out: Results folder to write or to continue.
        workers: Processes; on a CPU the result does not depend on it.
        progress: Called with the numbers of runs done and of all.

    Raises:
        InputError: If the model or what it needs is not there, or ``out`` cannot be used.
    """
    for need in ("torch", "transformers", "peft"):
        if find_spec(need) is None:
            raise InputError(f'llm needs {need}: expected after pip install "argus-gym[llm]"')
    where = str(TINY) if model is None else model
    size, seeds = QUICK if quick else FULL, range(seed, seed + SEEDS[quick])
    rates = {
        arm: FAST_RATE if arm == "sft, fast" else GRPO_RATE if arm.startswith("grpo") else RATE
        for arm in ARMS
    }
    jobs = {
        f"{arm} {at}": (where, arm, at, rates.get(arm, RATE), size)
        for at in seeds
        for arm in (START, *ARMS)
    }
    asked = {"suite": "llm", "seed": seed, "quick": quick, **_identity(where)}
    asked |= {"size": asdict(size), "rates": rates, "sources": sources()}
    found = run_jobs(play, jobs, asked, out=out, workers=workers, progress=progress)
    shown = figures(from_start(found), ARMS, seeds)
    return {**asked, "version": argus_gym.__version__, **shown}


def from_start(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return runs with their seed's first accuracy put before their own."""
    out: dict[str, Any] = {}
    for key, run in found.items():
        arm, seed = key.rsplit(" ", 1)
        start = found.get(f"{START} {seed}", {"failed": "no first accuracy"})
        if arm == START:
            continue
        if "failed" in start or "failed" in run:
            out[key] = {"failed": run.get("failed", start.get("failed"))}
        else:
            joined = {name: [*start[name], *run[name]] for name in start}
            out[key] = {**run, **joined}
    return out


def _identity(model: str) -> dict[str, str]:
    """Return a model's name and, of a local one, a digest of its weights."""
    path = Path(model)
    if path.is_dir() and any(path.glob("*.safetensors")):
        return {"model": path.name, "weights": weights_digest(path)[:16]}
    if model == str(TINY) or path.exists():
        raise InputError(f"--model must be a folder with weights or a hub name, got {model}")
    return {"model": model, "weights": ""}
