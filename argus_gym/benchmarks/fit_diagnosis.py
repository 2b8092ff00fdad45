"""Fit the diagnosis: ``python -m argus_gym.benchmarks.fit_diagnosis`` writes its coefficients."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import argus_gym.wrappers.diagnosis as diagnosis
from argus_gym.benchmarks.alarms import Run, first_alarm, scores_by_lie
from argus_gym.benchmarks.runner import run_jobs
from argus_gym.benchmarks.watch import watch
from argus_gym.benchmarks.worlds import SEVERITIES, WORLDS
from argus_gym.checkpoint import dumps

__all__ = ["examples", "fit", "main"]

SEEDS = range(20_000, 20_014)
ROUNDS_AFTER = 2
PENALTY = 1.0


def examples(run: Run) -> list[tuple[dict[str, float], dict[str, float]]]:
    """Return scores and trends of the first alarm's round and the two after it."""
    alarm = first_alarm(run)
    if alarm is None:
        return []
    rounds = range(alarm, min(alarm + ROUNDS_AFTER + 1, len(run["signals"]["reward"])))
    return [
        (scores_by_lie(run, at), {name: values[at] for name, values in run["slopes"].items()})
        for at in rounds
    ]


def fit(runs: Mapping[str, list[Run]]) -> dict[str, Any]:
    """Return the coefficients of a ridge multinomial logistic regression (scikit-learn's).

    Args:
        runs: Watched runs with a planted failure, by the letter of its lie.
    """
    from sklearn.linear_model import LogisticRegression

    lies = sorted(runs)
    features = [*lies, *diagnosis.SLOPES]
    rows, names = [], []
    for lie in lies:
        for run in runs[lie]:
            for scores, trends in examples(run):
                rows.append(diagnosis.signature(features, scores, trends))
                names.append(lie)
    x = np.array(rows)
    scale = np.maximum(x.std(0), 1e-9)
    model = LogisticRegression(C=PENALTY, max_iter=2_000).fit(x / scale, names)
    assert list(model.classes_) == lies
    return {
        "lies": lies,
        "features": features,
        "scale": scale.round(6).tolist(),
        "weights": model.coef_.round(4).tolist(),
        "bias": model.intercept_.round(4).tolist(),
    }


def main() -> None:
    """Watch every planted world on tuning seeds, fit, and write the coefficients."""
    jobs = {
        f"{name} {severity} {seed}": (name, seed, value, "cliff")
        for name, world in WORLDS.items()
        if world.kind == "planted"
        for severity, value in SEVERITIES.items()
        for seed in SEEDS
    }
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    found = run_jobs(watch, jobs, {"fit": "diagnosis"}, out=out)
    runs: dict[str, list[Run]] = {}
    for key, run in found.items():
        runs.setdefault(WORLDS[key.split()[0]].lie, []).append(run)
    path = Path(diagnosis.__file__).with_name(diagnosis.FILE)
    path.write_text(dumps(fit(runs), indent=1), "utf-8")


if __name__ == "__main__":
    main()
