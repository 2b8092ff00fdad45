"""The figures and tables of ``bench llm``."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from argus_gym.benchmarks.lies_tables import new_table

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["figures", "student", "tables"]

FALL = 0.05
"""A held-out accuracy this far below the start has fallen."""

Run = Mapping[str, Any]
TOLD = {"pass_1": "pass@1", "pass_16": "pass@16"}


def student(values: Sequence[float]) -> dict[str, float]:
    """Return the mean with Student's 95 % interval over runs; NaN limits with fewer than two."""
    n = len(values)
    centre = mean(values) if n else math.nan
    if n < 2:
        return {"n": n, "mean": centre, "low": math.nan, "high": math.nan}
    from scipy.special import stdtrit

    half = float(stdtrit(n - 1, 0.975)) * stdev(values) / math.sqrt(n)
    return {"n": n, "mean": centre, "low": centre - half, "high": centre + half}


def figures(found: Mapping[str, Run], arms: Mapping[str, str], seeds: range) -> dict[str, Any]:
    """Return the figures of every arm.

    Args:
        found: Runs by key ``"arm seed"``; those that failed or are missing are counted.
        arms: What each arm is, by name.
        seeds: The seeds asked for.
    """
    by_arm: dict[str, dict[int, Run]] = {
        arm: {
            at: found[f"{arm} {at}"]
            for at in seeds
            if f"{arm} {at}" in found and "failed" not in found[f"{arm} {at}"]
        }
        for arm in arms
    }
    bare = by_arm.get("sft", {})
    return {
        "seeds": [seeds.start, seeds.stop - 1],
        "arms": [
            {"arm": arm, "what": what, **_arm(by_arm[arm], bare)}
            for arm, what in arms.items()
            if by_arm[arm]
        ],
        "failed": dict(
            Counter(
                f"{arm}: {run['failed']}"
                for arm in arms
                for at in seeds
                if "failed" in (run := found.get(f"{arm} {at}", {"failed": "not run"}))
            )
        ),
    }


def _arm(runs: Mapping[int, Run], bare: Mapping[int, Run]) -> dict[str, Any]:
    every = list(runs.values())
    both = [(run, bare[at]) for at, run in runs.items() if at in bare]
    steps = every[0]["evaluated"]
    out: dict[str, Any] = {"n": len(every), "held": every[0]["held"], "evaluated": steps}
    for name in TOLD:
        out[name] = [student([run[name][i] for run in every]) for i in range(len(steps))]
        out[f"{name}_change"] = student([run[name][-1] - run[name][0] for run in every])
        out[f"{name}_over_sft"] = student([run[name][-1] - other[name][-1] for run, other in both])
    rounds = range(len(every[0]["decisions"]))
    out["by_round"] = {
        name: [_known([run["by_round"][name][i] for run in every]) for i in rounds]
        for name in every[0]["by_round"]
    }
    out["pairs_right"] = [_known([run["pairs_right"][i] for run in every]) for i in rounds]
    out["reward_change"] = student([_rise(run["by_round"]["reward"]) for run in every])
    out["gauge_positive"] = _share(
        [value > 0 for run in every for value in run["by_round"]["epi_train"] if value is not None]
    )
    out["fired"] = {
        name: [run["fired"][name] for run in every]
        for name in every[0]["fired"]
        if any(run["fired"][name] for run in every)
    }
    out["alarmed"] = sum(any(run["fired"].values()) for run in every)
    out["warned"] = [run["warned"] for run in every]
    out["named"] = dict(Counter(run["named"] for run in every if run["named"]).most_common())
    out["fell"] = [_fell(run) for run in every]
    out["first_alarm"] = [
        min((at for rounds in run["fired"].values() for at in rounds), default=None)
        for run in every
    ]
    out["decisions"] = dict(Counter(word for run in every for word in run["decisions"] if word))
    out["refusals"] = mean(run["decisions"].count("REFUSE") for run in every)
    out["refused"] = [
        [at for at, word in enumerate(run["decisions"]) if word == "REFUSE"] for run in every
    ]
    out["back_to_certified"] = mean(
        sum(
            word == "REFUSE" and target == "certified"
            for word, target in zip(run["decisions"], run["targets"], strict=True)
        )
        for run in every
    )
    out["defences"] = dict(
        Counter(name for run in every for in_force in run["defences"] for name in in_force)
    )
    for what in ("answers", "tokens"):
        out[what] = {use: mean(run[what][use] for run in every) for use in every[0][what]}
    return out


def _rise(values: Sequence[float]) -> float:
    """Return the mean of the last three rounds less that of the first three."""
    return mean(values[-3:]) - mean(values[:3])


def _known(values: Sequence[float | None]) -> dict[str, float]:
    return student([value for value in values if value is not None])


def _share(values: Sequence[bool]) -> float:
    return sum(values) / len(values) if values else math.nan


def _fell(run: Run) -> int | None:
    """Return the learning steps before the first evaluation at which pass@1 had fallen."""
    start = run["pass_1"][0]
    for steps, value in zip(run["evaluated"], run["pass_1"], strict=True):
        if value <= start - FALL:
            return int(steps)
    return None


def tables(result: Mapping[str, Any]) -> "list[Table]":
    """Return held-out accuracy, what the loop said, the alarms, the gates and the spend."""
    made = [
        _accuracy(result),
        _course(result),
        _said(result),
        _alarms(result),
        _gates(result),
        _failed(result),
    ]
    return [table for table in made if table.row_count]


def _accuracy(result: Mapping[str, Any]) -> "Table":
    out = new_table(
        "Held-out accuracy, points; change from the start and difference from sft at the end, "
        "95 % over seeds",
        *("arm", "runs", "pass@1 at the end", "change", "over sft"),
        *("pass@16 at the end", "change", "over sft"),
    )
    for arm in result["arms"]:
        cells = []
        for name in TOLD:
            over = "" if arm["arm"] == "sft" else _points(arm[f"{name}_over_sft"])
            end = f"{100 * arm[name][-1]['mean']:.1f}"
            cells += [end, _points(arm[f"{name}_change"]), over]
        out.add_row(arm["arm"], str(arm["n"]), *cells)
    return out


def _course(result: Mapping[str, Any]) -> "Table":
    steps: list[int] = max((arm["evaluated"] for arm in result["arms"]), key=len, default=[])
    out = new_table("Held-out pass@1 / pass@16 after so many learning steps, points", "arm")
    for count in steps:
        out.add_column(str(count), justify="right")
    for arm in result["arms"]:
        out.add_row(
            arm["arm"],
            *(
                f"{100 * one['mean']:.1f} / {100 * many['mean']:.1f}"
                for one, many in zip(arm["pass_1"], arm["pass_16"], strict=True)
            ),
        )
    return out


def _said(result: Mapping[str, Any]) -> "Table":
    out = new_table(
        "What the loop said, and what was true of its own problems; first and last three rounds, "
        "points",
        *("arm", "reward", "change, 95 %", "epi_train above 0", "consensus right"),
        *("new pairs right", "readable", "false premises"),
    )
    for arm in result["arms"]:
        by = arm["by_round"]
        out.add_row(
            arm["arm"],
            _ends(by["reward"]),
            _points(arm["reward_change"]),
            f"{100 * arm['gauge_positive']:.0f} %",
            _ends(by["right"]),
            _ends(arm["pairs_right"]),
            _ends(by["readable"]),
            _ends(by["false"]),
        )
    return out


def _alarms(result: Mapping[str, Any]) -> "Table":
    out = new_table(
        "Alarms: runs with one, and in brackets the round of the first in each such run (from 1)",
        *("arm", "pass@1 fell 5 points, after steps", "detectors", "ensemble warning", "named"),
    )
    for arm in result["arms"]:
        fired = {name: _firsts(runs) for name, runs in arm["fired"].items()}
        order = sorted(fired, key=lambda name: (-len(fired[name]), name))
        fell = sorted(at for at in arm["fell"] if at is not None)
        named = ", ".join(f"{lie} {n}" for lie, n in arm["named"].items())
        out.add_row(
            arm["arm"],
            _runs(fell, arm["n"]),
            "; ".join(f"{name} {_runs(fired[name], arm['n'])}" for name in order) or "none",
            _runs(_firsts(arm["warned"]), arm["n"]),
            named or "–",
        )
    return out


def _firsts(runs: Sequence[Sequence[int]]) -> list[int]:
    return sorted(rounds[0] + 1 for rounds in runs if rounds)


def _runs(found: Sequence[int], n: int) -> str:
    shown = f"{len(found)} of {n}"
    return f"{shown} ({', '.join(map(str, found))})" if found else shown


def _gates(result: Mapping[str, Any]) -> "Table":
    out = new_table(
        "Decisions and spend a run",
        *("arm", "refused", "to certified", "certified", "undecided", "pass@1 over sft"),
        *("solving answers", "retest answers", "retest tokens", "trained tokens"),
    )
    for arm in result["arms"]:
        decided = arm["decisions"]
        gate = bool(decided)
        words = [
            f"{decided.get(w, 0) / arm['n']:.1f}" if gate else ""
            for w in ("COMMIT_CERTIFIED", "UNDECIDED")
        ]
        out.add_row(
            arm["arm"],
            f"{arm['refusals']:.1f}" if gate else "",
            f"{arm['back_to_certified']:.1f}" if gate else "",
            *words,
            _points(arm["pass_1_over_sft"]) if gate else "",
            *(f"{arm['answers'][use]:,.0f}" for use in ("solve", "retest")),
            *(f"{arm['tokens'][use]:,.0f}" for use in ("retest", "train")),
        )
    return out


def _failed(result: Mapping[str, Any]) -> "Table":
    out = new_table("Runs that failed", "reason", "runs")
    for reason, count in result["failed"].items():
        out.add_row(reason, str(count))
    return out


def _points(found: Mapping[str, float]) -> str:
    if not math.isfinite(found["low"]):
        return "not measured" if math.isnan(found["mean"]) else f"{100 * found['mean']:+.1f}"
    low, high = 100 * found["low"], 100 * found["high"]
    return f"{100 * found['mean']:+.1f} [{low:+.1f}, {high:+.1f}]"


def _ends(series: Sequence[Mapping[str, float]]) -> str:
    """Return the means of the first and the last three rounds."""
    known = [x["mean"] for x in series if not math.isnan(x["mean"])]
    if not known:
        return "not measured"
    return f"{100 * mean(known[:3]):.0f} → {100 * mean(known[-3:]):.0f}"
