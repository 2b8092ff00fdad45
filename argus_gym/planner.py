"""Planners: which cluster the next problem should come from.

A planner reads the capability map's columns (see :class:`~argus_gym.capability_map.CapabilityMap`)
and keeps no state. It chooses among the eligible clusters: an excluded one, or one with 30 % of
the recent problems, is never chosen. Where no cluster is eligible at all, every planner chooses
uniformly among all of them.
"""

import difflib
from collections.abc import Mapping
from typing import Protocol

import numpy as np

__all__ = [
    "PLANNERS",
    "LearningProgress",
    "MostLearnable",
    "Planner",
    "Uniform",
    "Weakest",
    "make",
]

EXPLORATION = 0.1
MIN_PROBLEMS = 5

Columns = Mapping[str, np.ndarray]


class Planner(Protocol):
    """Chooses the cluster to aim at."""

    def choose(self, columns: Columns, rng: np.random.Generator) -> int:
        """Return a cluster in ``[0, K)``.

        Args:
            columns: The capability map's columns by name, each of shape ``(K,)``.
            rng: Source of every random draw.
        """
        ...


class Uniform:
    """Every eligible cluster is equally likely."""

    def choose(self, columns: Columns, rng: np.random.Generator) -> int:
        """Return an eligible cluster drawn uniformly."""
        return _draw(_eligible(columns), rng)


class Weakest:
    """An eligible cluster without problems, else the one with the lowest consensus."""

    def choose(self, columns: Columns, rng: np.random.Generator) -> int:
        """Return the weakest cluster; ties break at random."""
        eligible = _eligible(columns)
        consensus = np.where(columns["n"] > 0, columns["consensus"], -1.0)[eligible]
        return _draw(eligible[consensus == consensus.min()], rng)


class LearningProgress:
    """Clusters in proportion to the size of their velocity, with 10 % uniform exploration.

    Falling counts like rising: a cluster that is being forgotten is worth visiting. Source:
    Portelas et al. (2020), "Teacher algorithms for curriculum learning of Deep RL in continuously
    parameterized environments".
    """

    def choose(self, columns: Columns, rng: np.random.Generator) -> int:
        """Return a cluster drawn by absolute learning progress."""
        eligible = _eligible(columns)
        speed = np.abs(columns["velocity"])[eligible].cumsum()
        if rng.random() < EXPLORATION or speed[-1] == 0.0:
            return _draw(eligible, rng)
        return int(eligible[speed.searchsorted(rng.random() * speed[-1], side="right")])


class MostLearnable:
    """The cluster with the highest ``p(1 - p)``, with 10 % uniform exploration.

    ``p`` is the cluster's consensus; ``p(1 - p)``, the variance of a success with that
    probability, is largest where the solver is right half of the time. A cluster competes once it
    has 5 problems; until one has, the choice is uniform. Source: Rutherford et al. (2024), "No
    Regrets: Investigating and Improving Regret Approximations for Curriculum Discovery".
    """

    def choose(self, columns: Columns, rng: np.random.Generator) -> int:
        """Return the most learnable cluster; ties break at random."""
        eligible = _eligible(columns)
        known = eligible[columns["n"][eligible] >= MIN_PROBLEMS]
        if rng.random() < EXPLORATION or not known.size:
            return _draw(eligible, rng)
        p = columns["consensus"][known]
        learnability = p * (1.0 - p)
        return _draw(known[learnability == learnability.max()], rng)


PLANNERS: dict[str, type[Planner]] = {
    "uniform": Uniform,
    "weakest": Weakest,
    "learning_progress": LearningProgress,
    "most_learnable": MostLearnable,
}
"""Planner classes by name; the default of the environment is ``most_learnable``."""


def make(name: str) -> Planner:
    """Return a new planner.

    Args:
        name: A key of ``PLANNERS``.

    Raises:
        ValueError: If there is no such planner; names the nearest one.
    """
    if name not in PLANNERS:
        near = difflib.get_close_matches(str(name), PLANNERS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"planner must be one of {sorted(PLANNERS)}, got {name!r}{hint}")
    return PLANNERS[name]()


def _eligible(columns: Columns) -> np.ndarray:
    eligible = np.flatnonzero(columns["eligible"])
    return eligible if eligible.size else np.arange(len(columns["eligible"]))


def _draw(clusters: np.ndarray, rng: np.random.Generator) -> int:
    return int(clusters[int(rng.random() * len(clusters))])
