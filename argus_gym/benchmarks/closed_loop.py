"""``argus-gym bench gates``: every gate rule in the closed loop it is meant for."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from argus_gym.benchmarks.closed_world import (
    CHAINS,
    POOL,
    ROUNDS,
    WORLDS,
    Play,
    Scale,
    World,
    draw_logits,
    item,
    play,
    sigmoid,
)
from argus_gym.gauges import paired, wilson
from argus_gym.wrappers.rule import Rule
from argus_gym.wrappers.rules import RULES, make

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["TARGETS", "WORLDS", "play", "power", "run", "table"]

TARGETS = {"bad steps of -5": 6.5, "bad steps of -10": 11.5, "honest": 14.4}
"""Final change, in points, that ``certified`` is held to."""


def power(seed: int = 0, rounds: int = 2_000) -> list[dict[str, Any]]:
    """Return how often one round's retests refuse a true change of 0, -5 or -10 points.

    Args:
        seed: Seed of the rounds.
        rounds: Rounds simulated for each figure, >= 1.
    """
    scale, rows = Scale(), []
    rng = np.random.default_rng(np.random.SeedSequence((seed, 0x90)))
    for drop in (0.0, -0.05, -0.10):
        counts = dict.fromkeys(("128 x 1", "16 x 8", "64 x 8", "certified, one round"), 0)
        for _ in range(rounds):
            logits = draw_logits(rng, 128)
            before, after = (sigmoid(logits + scale.shift(a)) for a in (0.5, 0.5 + drop))
            single = [rng.binomial(1, rate).tolist() for rate in (before, after)]
            many = [rng.binomial(CHAINS, rate[:POOL]).tolist() for rate in (before, after)]
            items = [item("", 0, True, b, a) for b, a in zip(*many, strict=True)]
            first, pooled = paired(items[:16]).p_down, paired(items).p_down
            pairs = [item("", 0, True, b, a, 1) for b, a in zip(*single, strict=True)]
            counts["128 x 1"] += paired(pairs).p_down <= 0.05
            counts["16 x 8"] += first <= 0.05
            counts["64 x 8"] += pooled <= 0.05
            counts["certified, one round"] += first <= 0.30 and pooled <= 0.05
        for name, count in counts.items():
            rows.append({"drop": 100 * drop, "test": name, **_share(int(count), rounds)})
    return rows


def run(seed: int = 0, runs: int = 400) -> dict[str, Any]:
    """Play every rule in the three worlds of the targets, and ``certified`` in all; JSON-ready.

    Args:
        seed: Seed of the first run; the others follow. Thresholds were tuned on seeds from 100,000.
        runs: Runs of each rule in each world, >= 2.
    """
    if runs < 2:
        raise ValueError(f"runs must be at least 2, got {runs}")
    figures = []
    for name, world in WORLDS.items():
        rules = [*RULES, "oracle"] if name in TARGETS else ["never", "certified"]
        for rule in rules:
            maker = None if rule == "oracle" else _maker(rule)
            plays = play(world, maker, seed, runs)
            figures.append({"world": name, "rule": rule, **_figures(plays, world)})
    return {"seeds": [seed, seed + runs - 1], "figures": figures, "power": power(seed, 5 * runs)}


def _maker(rule: str) -> Callable[[], Rule]:
    return lambda: make(rule)


def _figures(plays: Sequence[Play], world: World) -> dict[str, Any]:
    from scipy.special import stdtrit

    n = len(plays)
    changes = np.array([p.change for p in plays])
    half = float(stdtrit(n - 1, 0.975)) * changes.std(ddof=1) / math.sqrt(n)
    refused = [[v for v in p.verdicts if v.decision == "REFUSE"] for p in plays]
    drifts = [sum(v.target == "certified" for v in verdicts) for verdicts in refused]
    out = {
        "change": float(changes.mean()),
        "change_low": float(changes.mean() - half),
        "change_high": float(changes.mean() + half),
        "refusals": sum(len(verdicts) for verdicts in refused) / n,
        "refused": _share(sum(bool(verdicts) for verdicts in refused), n),
        "drift": _share(sum(bool(d) for d in drifts), n),
        "certificates": sum(v.decision == "COMMIT_CERTIFIED" for p in plays for v in p.verdicts)
        / n,
        "answers_a_round": sum(p.answers for p in plays) / n / ROUNDS,
    }
    if world.loss:
        delays = np.array([p.undone - world.onset for p in plays])
        delays[np.isnan(delays)] = math.inf
        median = float(np.median(delays))
        out["undone"] = _share(int(np.isfinite(delays).sum()), n)
        out["median_delay"] = median if math.isfinite(median) else None
    return out


def _share(count: int, n: int) -> dict[str, Any]:
    low, high = wilson(count, n)
    return {"share": count / n, "low": low, "high": high, "n": n}


def table(result: dict[str, Any]) -> "Table":
    """Return the figures as a table with the targets they are held to."""
    from rich.table import Table

    first, last = result["seeds"]
    out = Table(title=f"gate rules in the closed loop, {ROUNDS} rounds, seeds {first} to {last}")
    for column in (
        "world",
        "rule",
        "change, points",
        "target",
        "refused at all",
        "drift",
        "answers",
    ):
        out.add_column(column, justify="left" if column in ("world", "rule") else "right")
    for row in result["figures"]:
        target = TARGETS.get(row["world"]) if row["rule"] == "certified" else None
        out.add_row(
            row["world"],
            row["rule"],
            f"{row['change']:+.1f} [{row['change_low']:+.1f}, {row['change_high']:+.1f}]",
            "" if target is None else f">= {target:+.1f}",
            _percent(row["refused"]),
            _percent(row["drift"]),
            f"{row['answers_a_round']:.0f}",
        )
    for row in result["power"]:
        out.add_row(f"one round, change {row['drop']:+.0f}", row["test"], "", "", _percent(row))
    return out


def _percent(share: dict[str, Any]) -> str:
    return f"{share['share']:.1%} [{share['low']:.1%}, {share['high']:.1%}]"
