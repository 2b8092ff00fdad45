"""The stability index: five run-level signals as one number."""

import math
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils import RecordConstructorArgs

from argus_gym.records import RoundRecord

__all__ = ["StabilityIndex", "spsi"]

WEIGHTS = {
    "epi": 0.30,
    "frontier": 0.20,
    "retest_decay": -0.15,
    "detector_load": -0.15,
    "wasted_share": -0.20,
}
"""Weights of the published SPSI."""


def spsi(record: RoundRecord, detector_load: float) -> dict[str, float]:
    """Return the five parts of a round's SPSI, each in [0, 1], and their weighted sum ``spsi``.

    ``epi`` saturates over [0, 0.04] nats a token of ``epi_train``, ``frontier`` over [0.05, 0.25]
    of the frontier share, ``retest_decay`` over [0, 0.08] of minus the mean paired delta.
    ``wasted_share`` is the share of problems in clusters with a mean reward below 0.50, at least 5
    problems and a last retest delta below +0.05. A part that was not measured is NaN and counts
    as 0 in the sum. Source: the published system's stability panel.

    Args:
        record: The round.
        detector_load: Share of the detectors that fired, in [0, 1].
    """
    deltas = [item.delta for item in record.retests]
    parts = {
        "epi": _ramp(record.gauges["epi_train"], 0.0, 0.04),
        "frontier": _ramp(record.gauges["frontier_share"], 0.05, 0.25),
        "retest_decay": _ramp(-sum(deltas) / len(deltas) if deltas else math.nan, 0.0, 0.08),
        "detector_load": detector_load,
        "wasted_share": _wasted(record),
    }
    total = sum(WEIGHTS[name] * part for name, part in parts.items() if not math.isnan(part))
    return {**parts, "spsi": total}


def _ramp(value: float, low: float, high: float) -> float:
    return min(max((value - low) / (high - low), 0.0), 1.0) if not math.isnan(value) else value


def _wasted(record: RoundRecord) -> float:
    rewards: dict[int, list[float]] = {}
    for problem in record.problems:
        rewards.setdefault(problem.cluster, []).append(problem.combined)
    wasted = sum(
        len(got)
        for cluster, got in rewards.items()
        if record.map["n"][cluster] >= 5
        and np.mean(got) < 0.50
        and record.map["retest_delta"][cluster] < 0.05
    )
    return wasted / len(record.problems)


class StabilityIndex(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Adds the round's stability index (SPSI) and its parts as ``info["spsi"]``.

    Detector load is read from ``info["lies"]``, so it counts the detectors inside this wrapper.

    Args:
        env: The environment to watch; transitions pass through unchanged.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        RecordConstructorArgs.__init__(self)
        gym.Wrapper.__init__(self, env)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the environment; report at the end of a round."""
        obs, reward, terminated, truncated, info = self.env.step(action)
        if "round" in info:
            lies: Mapping[str, Any] = info.get("lies", {})
            load = sum(report.fired for report in lies.values()) / len(lies) if lies else 0.0
            info["spsi"] = spsi(info["round"], load)
        return obs, reward, terminated, truncated, info
