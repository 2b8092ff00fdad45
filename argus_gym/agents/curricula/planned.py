"""The environment's planners as curricula: uniform, weakest, learning progress, most learnable."""

from collections.abc import Sequence

import numpy as np

from argus_gym.agents.curricula.base import Curriculum
from argus_gym.capability_map import CapabilityMap
from argus_gym.planner import make

__all__ = ["Planned"]


class Planned(Curriculum):
    """A planner of :mod:`argus_gym.planner` over arms, with the columns of a capability map.

    The map is the environment's own (:class:`~argus_gym.capability_map.CapabilityMap`): consensus
    is the running mean of a problem's mean reward, velocity its change between rounds.

    Args:
        arms: Number of arms, >= 1.
        planner: A key of ``argus_gym.planner.PLANNERS``.
        capped: Whether an arm with 30 % of the recent problems has to wait, as in the environment.
            The papers have no such cap.

    Raises:
        ValueError: If ``arms`` is below 1 or ``planner`` unknown.
    """

    def __init__(self, arms: int, planner: str = "uniform", capped: bool = False) -> None:
        super().__init__(arms)
        self.capped = capped
        self._planner = make(planner)
        self._map = CapabilityMap(arms)

    def _columns(self) -> dict[str, np.ndarray]:
        columns = self._map.arrays()
        if not self.capped:
            columns["eligible"] = np.ones(self.arms, np.float32)
        return columns

    def choose(self, rng: np.random.Generator) -> int:
        """Return the planner's choice."""
        return self._planner.choose(self._columns(), rng)

    def update(self, arm: int, rewards: Sequence[float]) -> None:
        """Record the mean reward of one problem."""
        mean = sum(rewards) / len(rewards)
        self._map.scored(arm, mean, mean, "hard")

    def end_round(self) -> None:
        """Let the map measure velocities and shares."""
        self._map.end_round()
