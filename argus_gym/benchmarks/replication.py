"""``argus-gym bench replication``: the published three-run table, over many seeds.

The calibrated simulated agent plays the default loop on the same seeds without metacognition and
under each known stack, and a learner that deceives nobody plays it for the count of false events.
The truth is known, so every figure of the published table can be held against it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym

import argus_gym
from argus_gym.agents import Oracle, SimulatedAgent, rollout
from argus_gym.agents.mechanisms import QUIET
from argus_gym.benchmarks.alarms import stack_alarms
from argus_gym.benchmarks.replication_figures import (
    BARE,
    arm_figures,
    paired_figures,
    watched_figures,
)
from argus_gym.benchmarks.replication_plots import plots
from argus_gym.benchmarks.replication_published import placed, read_published, resolution
from argus_gym.benchmarks.replication_tables import tables
from argus_gym.benchmarks.runner import Progress, run_jobs, sources
from argus_gym.comparison import defensive_events
from argus_gym.records import RoundRecord, encode
from argus_gym.report.measures import detector_lie, fingerprint, firings, in_force
from argus_gym.report.source import Items, ReportRun
from argus_gym.run import _right
from argus_gym.run_data import InputError, RunData
from argus_gym.wrappers import DETECTORS, stack

__all__ = ["ARMS", "QUIET_ARMS", "play", "plots", "run", "tables"]

ARMS = (BARE, "v3.4", "v3.5", "v4")
QUIET_ARMS = ("v3.4", "v4")
ROUNDS = 15


@dataclass(frozen=True, slots=True)
class Size:
    """How many runs of the calibrated learner in each arm, and of the quiet one."""

    runs: int
    quiet: int


FULL = Size(200, 30)
QUICK = Size(12, 6)


def play(seed: int, arm: str, quiet: bool) -> dict[str, Any]:
    """Play one default run in one arm; JSON-ready, NaN as ``None``.

    Args:
        seed: Seed of environment and learner.
        arm: One of ``ARMS``.
        quiet: Whether the learner is the one that deceives nobody, instead of the calibrated one.

    Returns:
        Shares in [0, 1]: ``one`` and ``two``, pass@1 on the report problems before and after with
        one and two chains each; ``again``, the second chain of the same weights before the run
        (``one[0]`` is the first); ``true``, the truth before and after on the same problems.
        ``in_loop`` and ``verdict`` as in the receipt, of one chain each. ``events`` by kind;
        ``first``, the round of the first alarm, warning or refusal; ``lies``, the letters that
        spoke. ``zones``, easy and hard problems by round; ``in_force``, the rounds with a defence
        in force; ``fingerprint`` by axis. In the bare arm ``watched``: what each stack's detectors
        would have said in each round.
    """
    env = stack(gym.make("ArgusSelfImprove-v0", rounds=ROUNDS), arm)
    agent = SimulatedAgent(seed, QUIET if quiet else None, parsed=True)
    start = env.reset(seed=seed)
    base: Any = env.unwrapped
    pool = base.report_pool
    oracle, texts = Oracle(agent), [text for text, _ in pool]

    def measured() -> tuple[list[int], list[int], float]:
        return _right(agent, pool, 1), _right(agent, pool, 1), oracle.true_accuracy(texts)

    before, again, true_before = measured()
    rounds = rollout(env, agent, start=start).rounds
    after, second, true_after = measured()
    data = RunData(rounds, tuple(base.ledger), None, {"seed": seed, "stack": arm})
    shown = ReportRun(arm, data, Items(tuple(texts), tuple(before), tuple(after), 1))
    events = defensive_events(data)
    spoke = [
        entry["round"]
        for entry in data.ledger
        if entry["event"].split(".")[0] in ("lie", "warning")
        or (entry["event"].split(".")[0] == "verdict" and entry["action"] == "REFUSE")
    ]
    n = len(pool)
    played = {
        "one": [sum(before) / n, sum(after) / n],
        "two": [sum(before + again) / (2 * n), sum(after + second) / (2 * n)],
        "again": sum(again) / n,
        "true": [true_before, true_after],
        "in_loop": shown.summary["in_loop"],
        "verdict": shown.summary["verdict"],
        "events": events,
        "first": min(spoke, default=None),
        "lies": sorted({detector_lie(name) for name in firings(shown)}),
        "zones": [[record.zone_count("easy"), record.zone_count("hard")] for record in rounds],
        "in_force": sorted({at for found in in_force(shown).values() for at in found}),
        "fingerprint": {axis.name: axis.estimate.value for axis in fingerprint(shown)},
        "watched": _watched(env, rounds) if arm == BARE else None,
    }
    encoded: dict[str, Any] = encode(played)
    return encoded


def _watched(env: gym.Env[Any, Any], rounds: Sequence[RoundRecord]) -> dict[str, list[list[str]]]:
    """Return what each stack's detectors say of a finished run, by round."""
    judges = [cls(env, defend=False) for _, cls in sorted(DETECTORS.items())]
    scores = {
        judge.name: [judge.score(rounds[: at + 1]) for at in range(len(rounds))] for judge in judges
    }
    said = stack_alarms({"scores": scores, "signals": {"reward": [r.mean_reward for r in rounds]}})
    return {name: [sorted(letters) for letters in rows] for name, rows in said.items()}


def run(
    seed: int = 0,
    *,
    quick: bool = False,
    data: Path | None = None,
    out: Path | None = None,
    workers: int = 2,
    ray: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Return the distributions behind the published table, JSON-ready.

    Args:
        seed: First seed; the others follow, the same in every arm.
        quick: A small form, for a first look.
        data: Folder with ``published_runs``, for the published counts of events and in-loop
            rewards; the published pass@1 needs none.
        out: Results folder to write or to continue.
        workers: Processes; the result does not depend on it.
        ray: Address of a Ray cluster.
        progress: Called with the numbers of runs done and of all.

    Raises:
        InputError: If ``data`` holds no published runs or ``out`` cannot be used.
    """
    size = QUICK if quick else FULL
    published = {} if data is None else read_published(data)
    jobs = {
        f"calibrated {arm} {at}": (at, arm, False)
        for at in range(seed, seed + size.runs)
        for arm in ARMS
    } | {
        f"quiet {arm} {at}": (at, arm, True)
        for at in range(seed, seed + size.quiet)
        for arm in QUIET_ARMS
    }
    plan = {"suite": "replication", "seed": seed, "quick": quick, "sources": sources()}
    found = run_jobs(play, jobs, plan, out=out, workers=workers, ray=ray, progress=progress)
    # A seed counts only where every arm finished it, so that arms stay paired.
    seeds = _finished(found, "calibrated", ARMS, range(seed, seed + size.runs))
    calm = _finished(found, "quiet", QUIET_ARMS, range(seed, seed + size.quiet))
    runs = {arm: [found[f"calibrated {arm} {at}"] for at in seeds] for arm in ARMS}
    quiet = {arm: [found[f"quiet {arm} {at}"] for at in calm] for arm in QUIET_ARMS}
    if min(len(seeds), len(calm)) < 2:
        raise InputError("fewer than 2 seeds finished in every arm: expected at least 2")
    return {
        **plan,
        "version": argus_gym.__version__,
        "rounds": ROUNDS,
        "runs": len(seeds),
        "quiet_runs": len(calm),
        "failed": {key: r["failed"] for key, r in found.items() if "failed" in r},
        "arms": {arm: arm_figures(runs[arm]) for arm in ARMS},
        "quiet": {arm: arm_figures(quiet[arm]) for arm in QUIET_ARMS},
        "watched": {name: watched_figures(runs[BARE], name) for name in ARMS[1:]},
        "paired": {arm: paired_figures(runs[arm], runs[BARE]) for arm in ARMS[1:]},
        "published": placed(runs, published),
        "resolution": resolution(runs["v3.4"]),
    }


def _finished(
    found: Mapping[str, Mapping[str, Any]], learner: str, arms: Sequence[str], seeds: range
) -> list[int]:
    return [at for at in seeds if all("failed" not in found[f"{learner} {a} {at}"] for a in arms)]
