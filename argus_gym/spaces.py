"""Observation and action spaces of ``ArgusSelfImprove-v0``, and how an action is read."""

import string
from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces

from argus_gym.capability_map import COLUMNS
from argus_gym.gauges import GAUGE_LIMIT, GAUGES
from argus_gym.records import Chain, LearnReport, Proposal, Solve

__all__ = [
    "MAX_CHAIN_CHARS",
    "MAX_K",
    "MAX_PROBLEM_CHARS",
    "ActionSpace",
    "Phase",
    "UnicodeText",
    "observation_space",
    "read_action",
]

MAX_PROBLEM_CHARS = 4_096
MAX_CHAIN_CHARS = 16_384
MAX_K = 64
MAX_NLL = 1e3


class Phase(IntEnum):
    """What the environment waits for."""

    PROPOSE = 0
    SOLVE = 1
    RETEST = 2
    LEARN = 3


class UnicodeText(spaces.Text):
    """Any text of at most ``max_length`` characters; samples are printable ASCII."""

    def __init__(self, max_length: int, seed: int | None = None) -> None:
        super().__init__(max_length, min_length=0, charset=string.printable, seed=seed)

    def contains(self, x: Any) -> bool:
        """Return whether ``x`` is a string that is not too long."""
        return isinstance(x, str) and len(x) <= self.max_length


if TYPE_CHECKING:
    OneOf = spaces.OneOf[Any]
else:
    # Not generic before Gymnasium 1.3.
    OneOf = spaces.OneOf


class ActionSpace(OneOf):
    """Union of a problem (text), chains (a sequence of texts) and a learning report (array).

    Besides the ``(index, value)`` pairs that :class:`gymnasium.spaces.OneOf` samples, the plain
    values are members too: a ``str`` or :class:`~argus_gym.records.Proposal`, a list of ``str`` or
    :class:`~argus_gym.records.Chain`, a :class:`~argus_gym.records.Solve` and a
    :class:`~argus_gym.records.LearnReport`. The report's
    array form has shape ``(3, 2)``: rows train, heldout, replay; columns before and after.
    """

    def __init__(self, seed: int | None = None) -> None:
        chain = UnicodeText(MAX_CHAIN_CHARS)
        super().__init__(
            [
                UnicodeText(MAX_PROBLEM_CHARS),
                spaces.Sequence(chain),
                spaces.Box(0.0, MAX_NLL, (3, 2), np.float32),
            ],
            seed=seed,
        )

    def contains(self, x: Any) -> bool:
        """Return whether ``x`` is a sample or one of the plain values."""
        if isinstance(x, str | Proposal):
            return bool(self.spaces[0].contains(x if isinstance(x, str) else x.text))
        if isinstance(x, list | Solve):
            chains = x if isinstance(x, list) else x.chains
            return all(
                len(c if isinstance(c, str) else c.text) <= MAX_CHAIN_CHARS
                for c in chains
                if isinstance(c, str | Chain)
            ) and all(isinstance(c, str | Chain) for c in chains)
        if isinstance(x, LearnReport):
            return True
        return bool(super().contains(x))


def observation_space(clusters: int) -> spaces.Dict:
    """Return the observation space for ``clusters`` capability-map clusters."""
    bounds = {"n": (0.0, 1e9), "velocity": (-1.0, 1.0), "retest_delta": (-1.0, 1.0)}
    columns: dict[str, spaces.Space[Any]] = {
        name: spaces.Box(*bounds.get(name, (0.0, 1.0)), (clusters,), np.float32) for name in COLUMNS
    }
    size = (len(GAUGES),)
    return spaces.Dict(
        {
            "phase": spaces.Discrete(len(Phase)),
            "problem": UnicodeText(MAX_PROBLEM_CHARS),
            "context": UnicodeText(MAX_PROBLEM_CHARS),
            "target": spaces.Discrete(clusters),
            "capability_map": spaces.Dict(columns),
            "request": spaces.Box(
                np.zeros(2, np.float32), np.array([MAX_K, 2.0], np.float32), (2,), np.float32
            ),
            "gauges": spaces.Box(-GAUGE_LIMIT, GAUGE_LIMIT, size, np.float32),
            "measured": spaces.Box(0.0, 1.0, size, np.float32),
        }
    )


def read_action(action: Any) -> str | Proposal | Solve | LearnReport:
    """Return the plain value of an action, whatever accepted form it came in.

    Raises:
        TypeError: If ``action`` has none of the accepted types.
    """
    if isinstance(action, str | Proposal | LearnReport):
        return action
    if isinstance(action, tuple) and len(action) == 2 and isinstance(action[0], int | np.integer):
        branch, value = int(action[0]), action[1]
        if branch == 0 and isinstance(value, str):
            return value
        if branch == 1:
            action = value
        if branch == 2 and isinstance(value, np.ndarray) and value.shape == (3, 2):
            rows = [(float(before), float(after)) for before, after in value]
            return LearnReport(train=rows[0], heldout=rows[1], replay=rows[2])
    solve = action if isinstance(action, Solve) else Solve(action)
    chains = solve.chains
    if not isinstance(chains, Sequence) or isinstance(chains, str | bytes):
        raise TypeError(_expected(action))
    for chain in chains:
        if not isinstance(chain, str | Chain):
            raise TypeError(_expected(chain, "a chain must be a str or a Chain"))
    return solve


def _expected(value: Any, rule: str = "") -> str:
    rule = rule or (
        "an action must be a str (problem), a list of chains or Solve (SOLVE and RETEST), "
        "a LearnReport (LEARN), or a sample of the action space"
    )
    return f"{rule}, got {type(value).__name__}"
