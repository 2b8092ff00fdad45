"""The published three-run table, and what so few runs can tell."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from argus_gym.benchmarks.alarms import rate
from argus_gym.benchmarks.replication_figures import BARE, Run, points, quantiles, zone_ratio
from argus_gym.run_data import InputError

__all__ = ["PUBLISHED", "placed", "read_published", "resolution"]

NEAR = 1.5
"""How close a measured change is to a published one, in points."""

EFFECTS = (2.0, 5.0, 10.0)
TINY = 1e-6
"""Points that two counts of the same problems cannot lie apart."""


@dataclass(frozen=True, slots=True)
class Published:
    """A run of the published table: its name, the arm here that is like it, its pass@1."""

    run: str
    arm: str
    before: float
    after: float


PUBLISHED = (
    Published("seed0", "v3.4", 0.485, 0.555),
    Published("seed1", "v3.4", 0.550, 0.500),
    Published("no_metacog", BARE, 0.485, 0.510),
)
"""The published runs' pass@1 on 100 GSM8K problems (VP-Vaibhav-Pandey/argus-env)."""


def read_published(data: Path) -> dict[str, dict[str, Any]]:
    """Return what the published runs' files say, by run.

    Returns:
        ``events``; ``first`` and ``last`` in-loop reward; ``ratios``, easy per hard by round,
        ``None`` where it was not published.

    Raises:
        InputError: If ``data`` holds no such files.
    """
    folder = data / "published_runs"
    out: dict[str, dict[str, Any]] = {}
    try:
        with (folder / "summary.csv").open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                out[row["run"]] = {"events": int(row["events_total"]), "ratios": []}
        with (folder / "rounds.csv").open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                reward = float(row["mean_reward"])
                out[row["run"]].setdefault("first", reward)
                out[row["run"]]["last"] = reward
                known = row["n_easy"] and row["n_hard"]
                ratio = zone_ratio(int(row["n_easy"]), int(row["n_hard"])) if known else None
                out[row["run"]]["ratios"].append(ratio)
    except OSError as error:
        raise InputError(f"--data: no published_runs/{Path(error.filename).name}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"--data: expected the published runs in {folder}, got {error}") from error
    return out


def placed(
    runs: Mapping[str, Sequence[Run]], known: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return the published runs with their places among the simulated ones of the same arm.

    Args:
        runs: The simulated runs by arm.
        known: What :func:`read_published` returned; may be empty.
    """
    rows = []
    for one in PUBLISHED:
        changes = [points(run) for run in runs[one.arm]]
        delta = 100 * (one.after - one.before)
        alike = [c["true"] for c in changes if abs(c["one"] - delta) <= NEAR + TINY]
        row: dict[str, Any] = {
            "run": one.run,
            "arm": one.arm,
            "before": one.before,
            "after": one.after,
            "delta": round(delta, 6),
            "percentile": _percentile(delta, [c["one"] for c in changes]),
            "alike": quantiles(alike) | {"n": len(alike)},
            "alike_down": rate(sum(true < 0 for true in alike), len(alike)),
        }
        if one.run in known:
            fact = known[one.run]
            gain = 100 * (fact["last"] - fact["first"])
            row |= {
                **fact,
                "reward": round(gain, 6),
                "reward_percentile": _percentile(gain, [c["reward"] for c in changes]),
            }
        rows.append(row)
    return rows


def resolution(runs: Sequence[Run]) -> dict[str, Any]:
    """Return what a few runs of one arm can tell, from the scatter of their measured changes.

    ``apart`` is the share of disjoint pairs of runs of the same arm that differ by at least as
    much as the two published runs with metacognition; ``contrast`` the published difference
    between arms with the half-width of its 95 % interval under the simulated scatter; ``needed``
    the runs an arm that show a difference between arms with power 0.8 at 5 %, two-sided (normal
    approximation).
    """
    first, second, ablation = (100 * (one.after - one.before) for one in PUBLISHED)
    values = [points(run)["one"] for run in runs]
    gaps = [abs(a - b) for a, b in zip(values[::2], values[1::2])]
    sd = float(np.std(values, ddof=1))
    normal = NormalDist()
    z = normal.inv_cdf(0.975)
    power = (z + normal.inv_cdf(0.8)) ** 2
    return {
        "gap": round(abs(first - second), 6),
        "apart": rate(sum(gap >= abs(first - second) - TINY for gap in gaps), len(gaps)),
        "contrast": round((first + second) / 2 - ablation, 6),
        "half_width": z * sd * math.sqrt(1 / 2 + 1),
        "needed": {f"{d:g}": math.ceil(2 * power * (sd / d) ** 2) for d in EFFECTS},
    }


def _percentile(value: float, among: Sequence[float]) -> float:
    """Return the share of values below, ties counted half, in percent."""
    below = sum(other < value - TINY for other in among)
    ties = sum(abs(other - value) <= TINY for other in among)
    return 100 * (below + ties / 2) / len(among)
