"""Which lie it is: detectors overlap, because what one lie does another does as well."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils import RecordConstructorArgs

from argus_gym.records import LieReport, RoundRecord
from argus_gym.wrappers.diversity_collapse import solved
from argus_gym.wrappers.item_trend import ItemValue, item_trend, right_share

__all__ = ["SLOPES", "Diagnosis", "diagnose", "signature", "slopes"]

FILE = "diagnosis.json"
STEEPEST = 6.0


def modal_share(right: np.ndarray, chains: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """Return the share of the modal answer."""
    return outcome


SLOPES: dict[str, ItemValue] = {
    "right": right_share,
    "modal": modal_share,
    "solved": solved,
}
"""What is followed on the anchors, by name."""


def slopes(history: Sequence[RoundRecord]) -> dict[str, float]:
    """Return the anchors' trends over the last three learning steps, as t values in [-6, 6].

    0 where there is no trend to be had.
    """
    trends = {name: item_trend(history, value) for name, value in SLOPES.items()}
    return {
        name: 0.0 if trend is None else min(max(trend.t, -STEEPEST), STEEPEST)
        for name, trend in trends.items()
    }


@cache
def _model() -> dict[str, Any]:
    text = resources.files("argus_gym.wrappers").joinpath(FILE).read_text("utf-8")
    model: dict[str, Any] = json.loads(text)
    return model


def signature(
    features: Sequence[str], scores: Mapping[str, float], trends: Mapping[str, float]
) -> np.ndarray:
    """Return what a round looks like to the diagnosis: the detectors' scores, then the trends.

    Args:
        features: Letters of lies, then names of ``SLOPES``.
        scores: Scores by letter; one that is missing or NaN counts as 0.
        trends: As :func:`slopes` returns them.
    """
    known = {**scores, **trends}
    row = np.array([known.get(name, 0.0) for name in features], float)
    return np.where(np.isnan(row), 0.0, row)


def diagnose(scores: Mapping[str, float], trends: Mapping[str, float]) -> dict[str, float]:
    """Return the probability of each lie, given that one is being told; they sum to 1.

    A multinomial logistic regression on :func:`signature`, fitted by ``benchmarks.fit_diagnosis``
    on planted failures with tuning seeds.

    Args:
        scores: The detectors' scores in the round, by letter of the lie.
        trends: The anchors' trends, by name.
    """
    model = _model()
    row = signature(model["features"], scores, trends) / np.array(model["scale"])
    logits = np.array(model["weights"]) @ row + np.array(model["bias"])
    odds = np.exp(logits - logits.max())
    shares = odds / odds.sum()
    return dict(zip(model["lies"], map(float, shares), strict=True))


class Diagnosis(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Names the lie in rounds in which a detector inside it fired.

    Adds ``info["diagnosis"]``, a dict of ``lie``, ``probability`` and ``all``, and enters it in the
    ledger. Detectors overlap: a solver that narrows loses variety, agrees more, and may lose
    accuracy, so several fire at once. See ``docs/monitors.md`` for how often the name is right.

    Args:
        env: The environment to watch; transitions pass through unchanged.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        RecordConstructorArgs.__init__(self)
        gym.Wrapper.__init__(self, env)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the environment; name the lie where one was found."""
        obs, reward, terminated, truncated, info = self.env.step(action)
        lies: Mapping[str, LieReport] = info.get("lies", {})
        if any(report.fired for report in lies.values()):
            base: Any = self.unwrapped
            scores = {report.lie: report.score for report in lies.values()}
            shares = diagnose(scores, slopes(base.history))
            named = max(shares, key=lambda lie: shares[lie])
            info["diagnosis"] = {"lie": named, "probability": shares[named], "all": shares}
            base.ledger.add(
                info["round"].round, "diagnosis", {"lie": named, "probability": shares[named]}
            )
        return obs, reward, terminated, truncated, info
