"""``argus-gym bench gates``: which gate leaves the model better off, over the worlds of ``lies``.

Every arm plays the whole loop with rollback on the same seeds: each rule alone, the known stacks
with their detectors and defences (metacognition), and nothing at all.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

import argus_gym
from argus_gym.agents import rollout
from argus_gym.agents.mechanisms import Shape
from argus_gym.benchmarks.alarms import rate
from argus_gym.benchmarks.figures import interval
from argus_gym.benchmarks.lies_tables import new_table, percent
from argus_gym.benchmarks.limit import time_limit
from argus_gym.benchmarks.runner import Progress, run_jobs, sources
from argus_gym.benchmarks.watch import ROUND_LIMIT, checked_truth, made
from argus_gym.benchmarks.worlds import WORLDS, plan
from argus_gym.benchmarks.worlds.load import load_world
from argus_gym.records import RoundRecord
from argus_gym.wrappers import ERCVGate, stack
from argus_gym.wrappers.rules import RULES

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["ARMS", "play", "run", "tables"]

STACKS = ("v3.4", "v3.5", "v4")

ARMS = ("nothing", *(rule for rule in RULES if rule != "never"), *(f"stack {s}" for s in STACKS))
"""What decides: a rule alone, or a stack with its detectors and defences."""

HARM = {"5 points": 0.05, "10 points": 0.10}
FULL, QUICK = 6, 1


def play(reference: str, seed: int, severity: float, shape: Shape, arm: str) -> dict[str, Any]:
    """Play one run of a world under one arm; JSON-ready.

    Args:
        reference: As for :func:`~argus_gym.benchmarks.worlds.load.load_world`.
        seed: Seed of plan, environment and learner.
        severity: 1 is medium.
        shape: How the failure sets in.
        arm: One of ``ARMS``.

    Returns:
        ``accuracy`` before the run and after each round, ``steps`` with the accuracy before and
        after each learning step and the decision on it, and the retests' ``answers``.
    """
    world, what = load_world(reference), plan(seed, severity, shape)
    with time_limit(ROUND_LIMIT) as alive:
        env, agent = made(world, what)
        if arm.startswith("stack "):
            env = stack(env, arm.removeprefix("stack "))
        elif arm != "nothing":
            env = ERCVGate(env, rule=arm)
        start = env.reset(seed=seed)
        base: Any = env.unwrapped
        problems = tuple(text for text, _ in base.report_pool)

        def accuracy() -> float:
            return round(checked_truth(world, agent, problems)["accuracy"], 6)

        levels, steps, decisions, learn = [accuracy()], [], [], agent.learn

        def watched(pairs: Any) -> Any:
            before = accuracy()
            report = learn(pairs)
            steps.append((before, accuracy()))
            return report

        agent.learn = watched  # type: ignore[method-assign]

        def on_round(record: RoundRecord) -> None:
            alive()
            levels.append(accuracy())
            decisions.append("" if record.verdict is None else record.verdict.decision)
            world.on_round(env, record, what)

        result = rollout(env, agent, start=start, on_round=on_round)
    return {
        "onset": what.onset,
        "accuracy": levels,
        "steps": [[*step, word] for step, word in zip(steps, decisions)],
        "answers": sum(r.answers.get("retest", 0) for r in result.rounds),
        "tokens": sum(r.tokens.get("retest", 0) for r in result.rounds),
    }


def run(
    seed: int = 0,
    *,
    quick: bool = False,
    worlds: Sequence[str] = (),
    out: Path | None = None,
    workers: int = 2,
    ray: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Return every arm's figures in every world, JSON-ready.

    Args:
        seed: First seed; the others follow, the same in every arm.
        quick: A small form, for a first look.
        worlds: References of worlds; all that come with the package where empty.
        out: Results folder to write or to continue.
        workers: Processes; the result does not depend on it.
        ray: Address of a Ray cluster.
        progress: Called with the numbers of runs done and of all.

    Raises:
        InputError: If a world cannot be loaded or ``out`` cannot be used.
    """
    chosen = {reference: load_world(reference) for reference in worlds or WORLDS}
    runs = QUICK if quick else FULL
    jobs = {
        f"{world} {arm} {at}": (world, at, 1.0, "cliff", arm)
        for world in chosen
        for arm in ARMS
        for at in range(seed, seed + runs)
    }
    asked = {"suite": "gates", "seed": seed, "quick": quick, "worlds": list(chosen)}
    asked["sources"] = sources(list(chosen))
    found = run_jobs(play, jobs, asked, out=out, workers=workers, ray=ray, progress=progress)

    def arm_runs(world: str, arm: str) -> list[Mapping[str, Any]]:
        return [found[f"{world} {arm} {at}"] for at in range(seed, seed + runs)]

    figures = [
        {
            "world": name,
            "kind": world.kind,
            "arm": arm,
            **_figures(arm_runs(name, arm), arm_runs(name, "nothing")),
        }
        for name, world in chosen.items()
        for arm in ARMS
    ]
    return {
        **asked,
        "version": argus_gym.__version__,
        "runs": runs,
        "figures": figures,
        "steps": [{"arm": arm, **_steps(found, arm)} for arm in ARMS],
        "placebo": [
            {
                "arm": arm,
                **_steps({k: v for k, v in found.items() if k.startswith("placebo ")}, arm),
            }
            for arm in ARMS
            if "placebo" in chosen
        ],
    }


def _figures(
    runs: Sequence[Mapping[str, Any]], bare: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return an arm's changes of true accuracy, and what they gain over the bare loop."""
    pairs = [(r, b) for r, b in zip(runs, bare, strict=True) if "failed" not in {*r, *b}]
    final = [r["accuracy"][-1] - r["accuracy"][0] for r, _ in pairs]
    area = [mean(r["accuracy"]) - r["accuracy"][0] for r, _ in pairs]
    gained = [r["accuracy"][-1] - b["accuracy"][-1] for r, b in pairs]
    return {
        "n": len(pairs),
        "failed": len(runs) - len(pairs),
        "final": interval(final),
        "area": interval(area),
        "gained": interval(gained),
        "refusals": mean([sum(s[2] == "REFUSE" for s in r["steps"]) for r, _ in pairs] or [0]),
        "answers": mean([r["answers"] for r, _ in pairs] or [0]),
        "tokens": mean([r["tokens"] for r, _ in pairs] or [0]),
    }


def _steps(found: Mapping[str, Mapping[str, Any]], arm: str) -> dict[str, Any]:
    """Return refusals of learning steps by what the step did to the truth, over all worlds."""
    steps = [
        step
        for key, run in found.items()
        if key.rsplit(" ", 1)[0].split(" ", 1)[1] == arm and "failed" not in run
        for step in run["steps"]
    ]
    harmless = [word for before, after, word in steps if after >= before]
    out: dict[str, Any] = {"false": rate(sum(w == "REFUSE" for w in harmless), len(harmless))}
    for name, limit in HARM.items():
        harmful = [word for before, after, word in steps if before - after >= limit]
        out[name] = rate(sum(word == "REFUSE" for word in harmful), len(harmful))
    return out


def tables(result: Mapping[str, Any]) -> "list[Table]":
    """Return final true accuracy by world and arm, and refusals by what a step did."""
    arms = [arm for arm in ARMS if any(f["arm"] == arm for f in result["figures"])]
    final = new_table(
        f"Change of true accuracy over the run, in points, {result['runs']} runs a cell", "world"
    )
    for arm in arms:
        final.add_column(arm, justify="right")
    worlds = dict.fromkeys((f["world"], f["kind"]) for f in result["figures"])
    found = {(f["world"], f["arm"]): f for f in result["figures"]}
    for world, kind in worlds:
        final.add_row(f"{world} ({kind})", *(_points(found[world, a]["final"]) for a in arms))
    totals = new_table(
        "Over all worlds",
        *("arm", "final", "area", "over the bare loop", "refusals a run", "answers a run"),
    )
    for arm in arms:
        cells = [found[world, arm] for world, _ in worlds]
        totals.add_row(
            arm,
            *(
                f"{100 * mean(c[w]['mean'] for c in cells):+.1f}"
                for w in ("final", "area", "gained")
            ),
            f"{mean(c['refusals'] for c in cells):.1f}",
            f"{mean(c['answers'] for c in cells):.0f}",
        )
    return [final, totals, _refused("Learning steps refused, over all worlds", result["steps"])] + (
        [_refused("Learning steps refused, placebo arm", result["placebo"])]
        if result["placebo"]
        else []
    )


def _refused(title: str, rows: Sequence[Mapping[str, Any]]) -> "Table":
    out = new_table(title, "arm", "that did no harm", *(f"that cost {n} or more" for n in HARM))
    for row in rows:
        out.add_row(row["arm"], *(_rate(row[name]) for name in ("false", *HARM)))
    return out


def _rate(found: Mapping[str, float]) -> str:
    if not found["n"]:
        return "none"
    low, high = percent(found["low"]), percent(found["high"])
    return f"{percent(found['share'])} % [{low}, {high}] of {found['n']:.0f}"


def _points(found: Mapping[str, float]) -> str:
    half = 50 * (found["high"] - found["low"])
    return f"{100 * found['mean']:+.1f} ± {half:.1f}"
