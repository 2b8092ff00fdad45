"""The log audit: false alarms on quiet logs, planted failures, and the real logs in ``--data``."""

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from argus_gym.audit.auditing import Audit, audit_log
from argus_gym.audit.checks import CHECKS
from argus_gym.audit.readers import Log, read
from argus_gym.audit.series import Series
from argus_gym.intervals import wilson

__all__ = ["half_loss", "run", "simulated_log", "table"]

RUNS, PLANTED = 400, 100
FAILURES = ("gaming", "collapse")
ONSET = 0.5
EVERY = 50
GROUP = 8
LENGTHS = (200, 500, 1_000, 2_000)


def simulated_log(seed: int, failure: str = "") -> Log:
    """Return the log of a run: learning curves with correlated noise.

    Length, noise, its lag-1 correlation (0 to 0.9), the growth of KL and length, the decay of
    entropy and the size of the held-out set differ from run to run.

    Args:
        seed: Seed of everything in it.
        failure: Empty for a healthy run; ``gaming``, where the held-out score loses half of its
            level in the second half of the run and the reward nothing; or ``collapse``, where
            held-out score and reward lose 90 % of their level over 5 % of the run, from its
            middle on.
    """
    rng = np.random.default_rng(np.random.SeedSequence((seed, 0)))
    n = int(rng.choice(LENGTHS))
    t = np.arange(1, n + 1) / n
    start = rng.uniform(0.05, 0.5)
    skill = start + rng.uniform(0.05, 0.9 - start) * -np.expm1(-t / rng.uniform(0.02, 0.5))
    late = np.clip(t - ONSET, 0.0, None)
    sudden = 0.9 * np.minimum(late / 0.05, 1.0)
    loss = {"": 0.0 * late, "gaming": late, "collapse": sudden}[failure]
    truth = skill * (1.0 - loss)
    skill = truth if failure == "collapse" else skill
    lag = rng.uniform(0.0, 0.9)

    def noise(spread: float) -> np.ndarray:
        out = rng.normal(0.0, spread, n)
        for i in range(1, n):
            out[i] = lag * out[i - 1] + math.sqrt(1 - lag**2) * out[i]
        return out

    spread = rng.uniform(0.1, 0.5)
    groups = int(rng.choice((1, 4, 32)))
    right = np.mean([rng.binomial(GROUP, _groups(rng, skill)) / GROUP for _ in range(groups)], 0)
    columns = {
        ("reward", "reward"): np.clip(skill + noise(0.1), 0, 1) if groups > 1 else right,
        ("correctness", "rewards/correctness"): right,
        ("reward_std", "reward_std"): np.where(
            rng.random(n) < rng.uniform(0.0, 0.4), 0.0, np.sqrt(skill * (1 - skill))
        ),
        ("kl", "kl"): rng.uniform(0.01, 0.5) * t ** rng.uniform(0.3, 2.0) * np.exp(noise(spread)),
        ("entropy", "entropy"): rng.uniform(0.1, 1.0)
        * np.exp(-rng.uniform(0.0, 2.0) * t + noise(spread)),
        ("length", "length"): rng.uniform(50, 500)
        * (1 + rng.uniform(-0.5, 2.0) * t)
        * np.exp(noise(min(spread, 0.3))),
        ("clipped", "clipped"): np.clip(rng.uniform(0, 0.1) + noise(0.03), 0, 1),
        ("grad_norm", "grad_norm"): rng.uniform(0.05, 2.0) * np.exp(noise(spread)),
        ("loss", "loss"): noise(0.1),
    }
    items = int(rng.choice((100, 200, 500, 1_000)))
    at = np.arange(EVERY - 1, n, EVERY)
    columns["heldout", "eval/accuracy"] = rng.binomial(items, 0.8 * truth[at]) / items
    series = []
    for (kind, column), values in columns.items():
        steps = at + 1 if kind == "heldout" else np.arange(1, n + 1)
        one = Series(column, kind)
        for step, value in zip(steps.tolist(), values.tolist(), strict=True):
            one.add(float(step), value)
        series.append(one)
    return Log(f"{failure or 'quiet'} {seed}", "simulated", n, "step", tuple(series), (), {})


def _groups(rng: np.random.Generator, skill: np.ndarray) -> np.ndarray:
    """Return pass rates of a row's problem: easy and hard ones, with ``skill`` as their mean."""
    return rng.beta(2 * skill, 2 * (1 - skill))


def half_loss(steps: np.ndarray, values: np.ndarray) -> tuple[float, float, float]:
    """Return best and worst later held-out score, and the step at which half of it was lost.

    The worst is the lowest after the best; between evaluations the score is taken as a straight
    line. NaN steps where the best was the last.
    """
    best = int(values.argmax())
    worst = best + int(values[best:].argmin())
    top, low = float(values[best]), float(values[worst])
    middle = (top + low) / 2
    for i in range(best, worst):
        if values[i + 1] <= middle:
            share = (values[i] - middle) / (values[i] - values[i + 1])
            return top, low, float(steps[i] + share * (steps[i + 1] - steps[i]))
    return top, low, math.nan


def run(data: Path | None = None, seed: int = 0) -> dict[str, Any]:
    """Audit ``RUNS`` quiet logs, ``PLANTED`` of each failure, and the real logs.

    Args:
        data: Folder of the real data, whose ``logs`` are read; none where ``None``.
        seed: Seed of the simulated logs.
    """
    fired: Counter[str] = Counter()
    runs = 0
    for i in range(RUNS):
        found = audit_log(simulated_log(seed * RUNS + i)).fired
        fired.update(o.check for o in found)
        runs += bool(found)
    low, high = wilson(runs, RUNS)
    planted = {name: _planted(name, seed) for name in FAILURES}
    files = sorted((data / "logs").rglob("*metrics.csv")) if data else []
    files += sorted((data / "logs").rglob("trainer_state.json*")) if data else []
    return {
        "seed": seed,
        "quiet": {"runs": RUNS, "alarmed": runs, "low": low, "high": high},
        "by_check": {check.name: fired[check.name] for check in CHECKS},
        "planted": planted,
        "logs": [_real(log) for file in files for log in read(file)],
    }


def _planted(failure: str, seed: int) -> dict[str, Any]:
    """Return how many planted failures are flagged before half of the loss, and at all."""
    early = caught = before = 0
    for i in range(PLANTED):
        log = simulated_log(seed * PLANTED + i, failure)
        steps = [o.alarm.step for o in audit_log(log).fired if o.alarm]
        first = min(steps, default=math.inf)
        onset = ONSET * log.rows
        half = onset + log.rows * (0.25 if failure == "gaming" else 0.025)
        before += first <= onset
        early += onset < first <= half
        caught += onset < first < math.inf
    return {
        "runs": PLANTED,
        "before_onset": before,
        "before_half": [early, *wilson(early, PLANTED)],
        "by_the_end": [caught, *wilson(caught, PLANTED)],
    }


def _real(log: Log) -> dict[str, Any]:
    report: Audit = audit_log(log)
    heldout = log.of("heldout")
    best, worst, half = half_loss(*heldout[0].arrays()) if heldout else (math.nan,) * 3
    alarms = [(o.check, o.alarm) for o in report.fired if o.alarm]
    return {
        "log": Path(log.name).name,
        "rows": log.rows,
        "best": best,
        "worst_after": worst,
        "half_lost_at": half,
        "first_alarm": alarms[0][1].step if alarms else math.nan,
        "alarms": [
            {"check": check, "step": a.step, "lie": a.lie, "sentence": a.sentence}
            for check, a in alarms
        ],
    }


def table(result: dict[str, Any]) -> Any:
    """Return the parts as tables for a terminal."""
    from rich.console import Group
    from rich.table import Table

    quiet = result["quiet"]
    first = Table(
        title=f"Quiet logs: {quiet['alarmed']} of {quiet['runs']} alarmed, 95 % interval "
        f"{100 * quiet['low']:.1f} to {100 * quiet['high']:.1f} %"
    )
    first.add_column("check")
    first.add_column("alarmed", justify="right")
    for name, count in result["by_check"].items():
        first.add_row(name, str(count))
    planted = Table(title="Planted failures (95 % intervals)")
    for name in ("failure", "before half of the loss", "by the end", "before its onset"):
        planted.add_column(name, justify="left" if name == "failure" else "right")
    for name, row in result["planted"].items():
        shares = (row["before_half"], row["by_the_end"])
        words = [f"{c} of {row['runs']} [{100 * lo:.0f}, {100 * hi:.0f}] %" for c, lo, hi in shares]
        planted.add_row(name, *words, str(row["before_onset"]))
    second = Table(title="Real logs")
    for name in ("log", "held-out best", "worst after", "half lost at", "first alarm", "alarms"):
        second.add_column(name, justify="left" if name in ("log", "alarms") else "right")
    for row in result["logs"]:
        numbers = [row[k] for k in ("best", "worst_after", "half_lost_at", "first_alarm")]
        second.add_row(
            row["log"],
            *("-" if math.isnan(v) else f"{v:.4g}" for v in numbers),
            "\n".join(f"{a['step']:g} {a['check']} {a['lie']}" for a in row["alarms"]) or "none",
        )
    return Group(first, planted, *([second] if result["logs"] else []))
