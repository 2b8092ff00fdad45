"""``argus-gym bench calibration``: does the default simulated run look like the published runs?

Runs the default environment and simulated agent over many seeds and compares, round by round, the
5 to 95 % envelopes of what the loop saw with the values of the three published runs, and the
scatter of the measured pass@1 change with its binomial noise.
"""

import csv
import math
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np

from argus_gym import answers, consensus
from argus_gym.agents import Dynamics, Oracle, SimulatedAgent, rollout

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["SERIES", "one_run", "run", "table"]

SERIES = ("mean_reward", "skill", "n_frontier", "n_easy", "n_hard")
ROUNDS = 15
ENVELOPE = (5, 95)


def one_run(seed: int, dynamics: Dynamics | None = None) -> dict[str, Any]:
    """Run the default loop once; return its series, measured and true pass@1 before and after.

    Args:
        seed: Seed of environment and agent.
        dynamics: The learner's dynamics, the default ones where ``None``.
    """
    env = gym.make("ArgusSelfImprove-v0", rounds=ROUNDS)
    agent = SimulatedAgent(seed, dynamics, parsed=True)
    start = env.reset(seed=seed)
    pool = env.unwrapped.report_pool  # type: ignore[attr-defined]
    oracle, texts = Oracle(agent), [text for text, _ in pool]
    true, measured = [oracle.true_accuracy(texts)], [_pass_at_1(agent, pool)]
    result = rollout(env, agent, start=start)
    true.append(oracle.true_accuracy(texts))
    measured.append(_pass_at_1(agent, pool))
    series = {
        "mean_reward": [r.mean_reward for r in result.rounds],
        "skill": [r.skill for r in result.rounds],
        "n_frontier": [r.zone_count("frontier") for r in result.rounds],
        "n_easy": [r.zone_count("easy") for r in result.rounds],
        "n_hard": [r.zone_count("hard") for r in result.rounds],
        "epi_train": [r.gauges["epi_train"] for r in result.rounds],
        "epi_heldout": [r.gauges["epi_heldout"] for r in result.rounds],
    }
    return {"series": series, "true": true, "measured": measured, "n": len(pool)}


def _pass_at_1(agent: SimulatedAgent, pool: Any) -> float:
    right = 0
    for text, answer in pool:
        (chain,) = agent.solve(text, 1).chains
        parsed = consensus.parse(chain) if isinstance(chain, str) else chain
        right += answers.right(parsed, answer)
    return right / len(pool)


def run(
    data: Path | None = None,
    seed: int = 0,
    seeds: int = 200,
    workers: int = 2,
    dynamics: Dynamics | None = None,
) -> dict[str, Any]:
    """Return envelopes, coverage of the published values, and the scatter of pass@1 changes.

    Args:
        data: Folder with ``published_runs/rounds.csv``; coverage is left out without it.
        seed: First seed; the others follow.
        seeds: Number of runs, >= 2.
        workers: Processes; the result does not depend on it.
        dynamics: The learner's dynamics, the default ones where ``None``.
    """
    if seeds < 2:
        raise ValueError(f"seeds must be at least 2, got {seeds}")
    with ProcessPoolExecutor(workers) as pool:
        runs = list(pool.map(one_run, range(seed, seed + seeds), [dynamics] * seeds, chunksize=4))
    envelopes = {}
    for name in (*SERIES, "epi_train", "epi_heldout"):
        values = np.array([r["series"][name] for r in runs], float)
        low, high = np.nanpercentile(values, ENVELOPE, axis=0)
        envelopes[name] = {
            "low": low.tolist(),
            "median": np.nanmedian(values, axis=0).tolist(),
            "high": high.tolist(),
        }
    measured = np.diff([r["measured"] for r in runs], axis=1)[:, 0] * 100
    true = np.diff([r["true"] for r in runs], axis=1)[:, 0] * 100
    ends = np.array([[r["series"]["mean_reward"][i] for i in (0, -1)] for r in runs])
    reward = np.diff(ends, axis=1)[:, 0] * 100
    return {
        "seeds": [seed, seed + seeds - 1],
        "n": runs[0]["n"],
        "before": float(np.mean([r["measured"][0] for r in runs])),
        "measured_delta": _spread(measured),
        "true_delta": _spread(true),
        "reward_delta": _spread(reward),
        "inversions": int(((reward > 0) & (true < 0)).sum()),
        "envelopes": envelopes,
        "coverage": None if data is None else _coverage(envelopes, data),
    }


def _spread(points: np.ndarray) -> dict[str, float]:
    """Return mean and standard deviation with 95 % intervals (t and chi-squared)."""
    from scipy import stats

    n, mean, sd = len(points), float(points.mean()), float(points.std(ddof=1))
    half = float(stats.t.ppf(0.975, n - 1)) * sd / math.sqrt(n)
    low, high = (sd * math.sqrt((n - 1) / stats.chi2.ppf(q, n - 1)) for q in (0.975, 0.025))
    return {
        "n": n,
        "mean": mean,
        "mean_low": mean - half,
        "mean_high": mean + half,
        "sd": sd,
        "sd_low": float(low),
        "sd_high": float(high),
    }


def _coverage(envelopes: dict[str, Any], data: Path) -> dict[str, Any]:
    """Return how many published values lie in the envelopes, by series, and those outside."""
    path = data / "published_runs" / "rounds.csv"
    if not path.is_file():
        raise ValueError(f"--data: no {path.relative_to(data)} in {data}")
    inside, total, outside = dict.fromkeys(SERIES, 0), dict.fromkeys(SERIES, 0), []
    with path.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            at = int(row["round"]) - 1
            for name in SERIES:
                if row[name] == "":
                    continue
                value, band = float(row[name]), envelopes[name]
                total[name] += 1
                if band["low"][at] <= value <= band["high"][at]:
                    inside[name] += 1
                else:
                    outside.append([row["run"], at + 1, name, value])
    return {
        "inside": inside,
        "total": total,
        "share": sum(inside.values()) / sum(total.values()),
        "outside": outside,
    }


def table(result: dict[str, Any]) -> "Table":
    """Return envelopes at four rounds, coverage and scatter as one table."""
    from rich.table import Table

    first, last = result["seeds"]
    out = Table(title=f"calibration of the simulated agent, seeds {first} to {last}")
    out.add_column("series")
    for at in (1, 5, 10, 15):
        out.add_column(f"round {at}", justify="right")
    out.add_column("published inside", justify="right")
    coverage = result["coverage"]
    for name, band in result["envelopes"].items():
        digits = 0 if name.startswith("n_") else 2 if name in SERIES else 3
        cells = [
            f"{band['low'][i]:.{digits}f} – {band['high'][i]:.{digits}f}" for i in (0, 4, 9, 14)
        ]
        share = ""
        if coverage and name in SERIES:
            share = f"{coverage['inside'][name]}/{coverage['total'][name]}"
        out.add_row(name, *cells, share)
    for label, key in (
        ("measured pass@1", "measured_delta"),
        ("true pass@1", "true_delta"),
        ("in-loop reward", "reward_delta"),
    ):
        d = result[key]
        out.add_row(
            f"{label} change, points",
            f"mean {d['mean']:+.1f}",
            f"[{d['mean_low']:+.1f}, {d['mean_high']:+.1f}]",
            f"sd {d['sd']:.1f}",
            f"[{d['sd_low']:.1f}, {d['sd_high']:.1f}]",
            f"n = {d['n']} runs",
        )
    share = f"{result['inversions']} of {result['true_delta']['n']} runs"
    out.add_row("reward up and true pass@1 down", "", "", "", "", share)
    if coverage:
        out.add_row("all published values", "", "", "", "", f"{coverage['share']:.1%}")
    return out
