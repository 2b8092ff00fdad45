"""Observation and action spaces of the numeric environments."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

from argus_gym.capability_map import COLUMNS
from argus_gym.curriculum.settings import Settings
from argus_gym.defences import Defence
from argus_gym.gauges import GAUGE_LIMIT, GAUGES
from argus_gym.problems import MAX_STEPS

__all__ = ["DEFENCES", "PROGRESS", "action_space", "heads", "layout", "observation_space"]

DEFENCES = tuple(Defence)
"""Defences in the order of the observation and of the control head."""

PROGRESS = ("run", "round", "anchor_budget")
"""Shares in [0, 1]: of the run and of the round that are done, of the budget that is left."""


def heads(settings: Settings) -> tuple[int, ...]:
    """Return the number of choices of each head of an action."""
    control = (2, 1 + len(DEFENCES)) if settings.control else ()
    return (settings.families, MAX_STEPS, *control)


def action_space(settings: Settings) -> spaces.Space[Any]:
    """Return the action space: a ``MultiDiscrete``, or one number for all heads together."""
    sizes = heads(settings)
    if settings.actions == "discrete":
        return spaces.Discrete(int(np.prod(sizes)))
    return spaces.MultiDiscrete(list(sizes))


def layout(families: int) -> Mapping[str, slice]:
    """Return where each entry of an observation lies in its flat form."""
    sizes = dict.fromkeys(COLUMNS, families) | {
        "gauges": len(GAUGES),
        "measured": len(GAUGES),
        "progress": len(PROGRESS),
        "defences": len(DEFENCES),
    }
    ends = np.cumsum([0, *sizes.values()]).tolist()
    return {
        name: slice(start, end) for name, start, end in zip(sizes, ends[:-1], ends[1:], strict=True)
    }


def observation_space(settings: Settings) -> spaces.Dict:
    """Return the observation space: one-dimensional ``float32`` boxes by name."""
    total = float(settings.rounds * settings.problems_per_round)
    bounds = {
        "n": (0.0, total),
        "velocity": (-1.0, 1.0),
        "retest_delta": (-1.0, 1.0),
        "gauges": (-GAUGE_LIMIT, GAUGE_LIMIT),
    }
    return spaces.Dict(
        {
            name: spaces.Box(*bounds.get(name, (0.0, 1.0)), (at.stop - at.start,), np.float32)
            for name, at in layout(settings.families).items()
        }
    )
