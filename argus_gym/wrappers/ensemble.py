"""Ensemble warning: many weak alarms as one strong one."""

import math
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from argus_gym.records import LieReport

__all__ = ["ALPHA", "EnsembleWarning", "average_e", "three_of_six"]

DECADES = 10
PUBLISHED = 3
ALPHA = 0.003
"""Chance of a false warning in a round."""


def average_e(lies: Mapping[str, LieReport]) -> float:
    """Return the mean of the detectors' e-values; NaN where none had anything to score.

    A score s stands for a p-value of ``10 ** (-10 s)``, calibrated to the e-value
    ``0.5 / sqrt(p)`` (Vovk & Wang 2021, "E-values: calibration, combination and applications").
    Their mean is an e-value however the detectors depend on each other: with truthful p-values it
    reaches ``1 / alpha`` in a round with probability at most ``alpha``.
    """
    scores = [report.score for report in lies.values() if not math.isnan(report.score)]
    if not scores:
        return math.nan
    return sum(0.5 * 10 ** (DECADES * score / 2) for score in scores) / len(scores)


def three_of_six(lies: Mapping[str, LieReport]) -> float:
    """Return the published warning's evidence: the number of detectors that fired, over three."""
    return sum(report.fired for report in lies.values()) / PUBLISHED


class EnsembleWarning(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Adds ``info["warning"]``, a dict of ``value`` and ``fired``, from the detectors inside it.

    Args:
        env: The environment to watch; transitions pass through unchanged.
        rule: ``average_e`` or, as published, ``three_of_six``.
        alpha: Chance of a false warning in a round for ``average_e``, in (0, 1).

    Raises:
        ValueError: If ``rule`` is unknown or ``alpha`` outside (0, 1).
    """

    def __init__(
        self, env: gym.Env[Any, Any], *, rule: str = "average_e", alpha: float = ALPHA
    ) -> None:
        RecordConstructorArgs.__init__(self, rule=rule, alpha=alpha)
        gym.Wrapper.__init__(self, env)
        if rule not in ("average_e", "three_of_six"):
            raise ValueError(f"rule must be average_e or three_of_six, got {rule!r}")
        if not 0 < alpha < 1:
            raise ValueError(f"alpha must be in (0, 1), got {alpha}")
        self.rule, self.alpha = rule, alpha

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the environment; warn at the end of a round."""
        obs, reward, terminated, truncated, info = self.env.step(action)
        if "round" in info:
            lies = info.get("lies", {})
            published = self.rule == "three_of_six"
            value = three_of_six(lies) if published else average_e(lies)
            fired = value >= (1.0 if published else 1 / self.alpha)
            info["warning"] = {"value": value, "fired": fired}
            if fired:
                base: Any = self.unwrapped
                base.ledger.add(info["round"].round, f"warning.{self.rule}", {"value": value})
        return obs, reward, terminated, truncated, info
