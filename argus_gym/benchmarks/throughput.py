"""``argus-gym bench throughput``: speed, import cost and memory, compared within one run."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import gymnasium as gym

from argus_gym.agents import SimulatedAgent, rollout
from argus_gym.benchmarks import consensus_speed, curriculum_speed
from argus_gym.run_data import InputError
from argus_gym.wrappers import stack

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["plots", "run", "table"]

WATCHED = {"bare": "bare", "detectors": "all detectors", "gate": "detectors and gate"}
MEMORY = """
import gymnasium as gym
from argus_gym.agents import SimulatedAgent, rollout
rollout(gym.make("argus_gym:ArgusSelfImprove-v0"), SimulatedAgent(0), seed=0)
# Linux. Not getrusage, whose peak counts that of the process it was started from.
for line in open("/proc/self/status"):
    if line.startswith("VmHWM:"):
        print(line.split()[1])
"""


def run(seed: int = 0, repeats: int = 5, *, out: Path | None = None) -> dict[str, Any]:
    """Measure and return medians and ratios, JSON-ready.

    Args:
        seed: Seed of the runs and texts.
        repeats: Measurements of each figure, >= 1.
        out: A new folder for the figures, made here.

    Raises:
        InputError: If there is something at ``out`` already.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}")
    if out is not None:
        try:
            out.mkdir(parents=True)
        except OSError as error:
            raise InputError(f"--out {out}: expected a new folder ({error.strerror})") from error
    return {
        "environment": {
            name: _problems_per_second(parsed, seed, repeats)
            for name, parsed in (("text", False), ("parsed", True))
        },
        "stack": {
            name: _stack_cost(parsed, seed, repeats)
            for name, parsed in (("text", False), ("parsed", True))
        },
        "consensus": consensus_speed.throughput(seconds=float(repeats), seed=seed),
        "numeric": curriculum_speed.run(seed, repeats),
        "import": _import_ratio(repeats),
        "memory_mb": int(_python(MEMORY)) / 1024,
        "python": sys.version.split()[0],
        "repeats": repeats,
        "seed": seed,
    }


def _problems_per_second(parsed: bool, seed: int, repeats: int) -> dict[str, float]:
    """Time default runs: problems proposed and solved, retests and learning included."""
    rates, solved = [], []
    for repeat in range(repeats):
        env, agent = gym.make("ArgusSelfImprove-v0"), SimulatedAgent(seed + repeat, parsed=parsed)
        start = time.process_time()
        result = rollout(env, agent, seed=seed + repeat)
        spent = time.process_time() - start
        proposed = sum(len(r.problems) for r in result.rounds)
        retested = sum(r.answers["retest"] / 8 for r in result.rounds)
        rates.append(proposed / spent)
        solved.append((proposed + retested) / spent)
    return {"problems_per_second": median(rates), "with_retests_per_second": median(solved)}


def _stack_cost(parsed: bool, seed: int, repeats: int) -> dict[str, float]:
    """Compare the v4 stack with the bare loop on the same seeds: time of a step, and of a run."""

    def timed(preset: str, number: int) -> tuple[float, float]:
        env = stack(gym.make("ArgusSelfImprove-v0"), preset)
        agent = SimulatedAgent(number, parsed=parsed)
        start = time.process_time()
        steps = rollout(env, agent, seed=number).summary["steps"]
        spent = time.process_time() - start
        return spent / steps, spent

    timed("v4", seed)
    pairs = [(timed("v4", seed + i), timed("no-metacognition", seed + i)) for i in range(repeats)]
    return {
        "step": median(ours[0] / bare[0] for ours, bare in pairs),
        "run": median(ours[1] / bare[1] for ours, bare in pairs),
    }


def _import_ratio(repeats: int) -> dict[str, float]:
    def timed(module: str) -> float:
        return float(
            _python(
                "import time; t = time.process_time()\n"
                f"import {module}\nprint(time.process_time() - t)"
            )
        )

    pairs = [(timed("argus_gym"), timed("gymnasium")) for _ in range(repeats)]
    return {
        "argus_gym_s": median(ours for ours, _ in pairs),
        "gymnasium_s": median(theirs for _, theirs in pairs),
        "ratio": median(ours / theirs for ours, theirs in pairs),
    }


def _python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    )
    return done.stdout.strip()


def table(result: dict[str, Any]) -> "Table":
    """Return the figures as a table with the targets they are held to."""
    from rich.table import Table

    out = Table(title=f"throughput (CPU time, median of {result['repeats']})")
    for column in ("figure", "measured", "target"):
        out.add_column(column, justify="left" if column == "figure" else "right")
    environment, consensus = result["environment"], result["consensus"]
    show: Callable[..., None] = out.add_row
    for name, least in (("text", 1_000), ("parsed", 8_000)):
        rate = environment[name]
        show(
            f"environment + simulated agent, {name} chains: problems/s",
            f"{rate['problems_per_second']:,.0f}",
            f">= {least:,}",
        )
        show("  counting retested items too", f"{rate['with_retests_per_second']:,.0f}", "")
    for name, label, goal in (
        ("text", "consensus from text: sets/s (k = 14, 6 steps)", ">= 4,000"),
        ("ratio_answers", "  answers only, times math-verify", ">= 100"),
        ("ratio_text", "  full score, times math-verify's answers", ""),
        ("parsed", "consensus, parsed chains: sets/s", ""),
        ("copies", "consensus, parsed, 9 of 14 the same record: sets/s", ""),
    ):
        show(label, f"{consensus[name]:,.0f}", goal)
    for name, cost in result["stack"].items():
        show(f"v4 stack / bare loop, {name} chains: a step", f"{cost['step']:.2f}", "<= 1.15")
        show("  a run (the gate asks for more retests)", f"{cost['run']:.2f}", "")
    numeric = result["numeric"]
    for name, label, goals in (
        ("vector", "numeric environment, 1,024 copies, k = 14", (">= 400,000", ">= 0.25")),
        ("single", "numeric environment, single", ("", ">= 0.3")),
    ):
        rate = numeric["rates"][name]
        show(f"{label}: steps/s", f"{rate['steps_per_second']:,.0f}", goals[0])
        show("  times CartPole's in the same run", f"{rate['ratio']:.3f}", goals[1])
    for name, label in (("k", "k"), ("families", "families"), ("num_envs", "copies")):
        few, many = (curriculum_speed.SWEEPS[name][at] for at in (0, -1))
        show(
            f"  steepest growth of a step's cost, {few:,} to {many:,} {label} (1 is linear)",
            f"{numeric['slopes'][name]:.2f}",
            "<= 1",
        )
    for name in ("bare", "detectors", "gate"):
        show(
            f"  CPU ms a copy's round, {WATCHED[name]}",
            f"{1e3 * numeric['watching'][name]:.2f}",
            "",
        )
    show("import argus_gym / import gymnasium", f"{result['import']['ratio']:.2f}", "<= 1.3")
    show("default run, peak memory (MB)", f"{result['memory_mb']:.0f}", "< 300")
    return out


def plots(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the cost of a numeric step over its sizes, as a Matplotlib figure."""
    return {"curriculum_speed": curriculum_speed.plot(result["numeric"]["sweep"])}
