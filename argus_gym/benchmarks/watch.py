"""One run of a world: what the loop said, what was true, what every detector scored."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import gymnasium as gym

from argus_gym.agents import Agent, Oracle, rollout
from argus_gym.agents.mechanisms import Shape
from argus_gym.benchmarks.limit import time_limit
from argus_gym.benchmarks.worlds import Plan, World, plan
from argus_gym.benchmarks.worlds.load import load_world
from argus_gym.gauges import anchors
from argus_gym.records import RoundRecord, encode
from argus_gym.wrappers import DETECTORS
from argus_gym.wrappers.diagnosis import slopes
from argus_gym.wrappers.evidence_tools import mean

__all__ = ["ROUND_LIMIT", "WorldError", "checked_truth", "made", "signals", "watch"]

ROUND_LIMIT = 60.0
"""Seconds a round may take."""

DIGITS = 6
LEAKS = 2


class WorldError(Exception):
    """A world broke its contract."""


def signals(record: RoundRecord) -> dict[str, float]:
    """Return the plain numbers of a round that a generic monitor would watch, NaN where none."""
    count = max(len(record.problems), 1)
    known = anchors(record.retests)
    return {
        "reward": record.mean_reward,
        "agreement": mean([p.outcome for p in record.problems]),
        "frontier": record.zone_count("frontier") / count,
        "easy": record.zone_count("easy") / count,
        "epi_train": record.gauges.get("epi_train", math.nan),
        "epi_heldout": record.gauges.get("epi_heldout", math.nan),
        "anchors": mean([item.right_after / item.chains for item in known]),
        "length": mean([p.length_mean for p in record.problems]),
    }


def watch(reference: str, seed: int, severity: float, shape: Shape) -> dict[str, Any]:
    """Run a world once, defending nothing; JSON-ready, NaN as ``None``.

    Args:
        reference: As for :func:`~argus_gym.benchmarks.worlds.load.load_world`.
        seed: Seed of plan, environment and learner.
        severity: 1 is medium; 0 gives the run's twin, with nothing planted.
        shape: How the failure sets in.

    Raises:
        WorldError: If the world breaks its contract, or lets the truth out.
        TooSlow: If a round takes longer than ``ROUND_LIMIT``.
    """
    world, what = load_world(reference), plan(seed, severity, shape)
    with time_limit(ROUND_LIMIT) as alive:
        env, agent = made(world, what)
        start = env.reset(seed=seed)
        base: Any = env.unwrapped
        problems = tuple(text for text, _ in base.report_pool)
        truths = [checked_truth(world, agent, problems)]

        def on_round(record: RoundRecord) -> None:
            alive()
            truths.append(checked_truth(world, agent, problems))
            world.on_round(env, record, what)

        history = rollout(env, agent, start=start, on_round=on_round).rounds
    _check_leaks(env, history, truths)
    judges = [cls(env, defend=False) for _, cls in sorted(DETECTORS.items())]
    series = [signals(record) for record in history]
    so_far = [history[: at + 1] for at in range(len(history))]
    trends = [slopes(rounds) for rounds in so_far]
    return {
        "onset": what.onset,
        "truth": {name: _column(truths, name) for name in truths[0]},
        "signals": {name: _column(series, name) for name in series[0]},
        "scores": {
            judge.name: [_plain(judge.score(rounds)) for rounds in so_far] for judge in judges
        },
        "slopes": {name: _column(trends, name) for name in trends[0]},
    }


def made(world: World, what: Plan) -> tuple[gym.Env[Any, Any], Agent]:
    """Return a world's environment and learner.

    Raises:
        WorldError: If they are not what they should be.
    """
    agent, env = world.agent(what), world.env(what)
    if not isinstance(agent, Agent):
        raise WorldError(f"agent() must return an Agent, got {type(agent).__name__}")
    if not isinstance(env, gym.Env) or not hasattr(type(env.unwrapped), "report_pool"):
        raise WorldError(f"env() must return ArgusSelfImprove-v0, got {type(env).__name__}")
    return env, agent


def checked_truth(world: World, agent: Agent, problems: tuple[str, ...]) -> dict[str, float]:
    """Return what is true of a world's learner.

    Raises:
        WorldError: If it is not what :meth:`World.truth` should return.
    """
    truth = world.truth(agent, problems)
    if not isinstance(truth, Mapping) or "accuracy" not in truth:
        raise WorldError(f"truth() must return a mapping with accuracy, got {truth!r:.100}")
    for name, value in truth.items():
        if not isinstance(value, float) or not math.isfinite(value):
            raise WorldError(f"truth() must return finite floats, got {name}={value!r:.100}")
    if not 0 <= truth["accuracy"] <= 1:
        raise WorldError(f"accuracy must be in [0, 1], got {truth['accuracy']}")
    return dict(truth)


def _check_leaks(
    env: gym.Env[Any, Any], history: tuple[RoundRecord, ...], truths: list[dict[str, float]]
) -> None:
    """Fail a world whose oracle, or what it says, is where detectors look."""
    layer: Any = env
    while layer is not None:
        for name, value in vars(layer).items():
            if isinstance(value, Oracle):
                raise WorldError(f"the oracle is in the environment, as {name}")
        layer = getattr(layer, "env", None)
    seen = 0
    for record, truth in zip(history, truths[1:]):
        telling = {v for v in truth.values() if abs(v - round(v, 3)) > 1e-9}
        seen += not telling.isdisjoint(_floats(encode(record)))
    if seen >= LEAKS:
        raise WorldError(f"the truth is in the records of {seen} rounds")


def _floats(data: Any) -> Iterator[float]:
    if isinstance(data, float):
        yield data
    elif isinstance(data, dict):
        for value in data.values():
            yield from _floats(value)
    elif isinstance(data, list):
        for value in data:
            yield from _floats(value)


def _column(rows: list[dict[str, float]], name: str) -> list[float | None]:
    return [_plain(row.get(name, math.nan)) for row in rows]


def _plain(value: float) -> float | None:
    return round(float(value), DIGITS) if math.isfinite(value) else None
