"""What n runs show: their observations, kept flat."""

import numpy as np

from argus_gym.capability_map import COLUMNS
from argus_gym.curriculum.runs import Runs
from argus_gym.curriculum.settings import Settings
from argus_gym.curriculum.spaces import DEFENCES, layout
from argus_gym.gauges import GAUGE_LIMIT

__all__ = ["Board"]


class Board:
    """Writes observations of n runs, every one a fresh array.

    Args:
        count: Number of runs.
        settings: What they have in common.
    """

    def __init__(self, count: int, settings: Settings) -> None:
        self.settings = settings
        self.layout = layout(settings.families)
        self.flat = np.zeros((count, self.layout["defences"].stop), np.float32)

    @property
    def map(self) -> np.ndarray:
        """The map's columns side by side, shape ``(n, 7 K)``."""
        return self.flat[:, : len(COLUMNS) * self.settings.families]

    def show_map(self, runs: Runs) -> None:
        """Bring the map's columns up to date."""
        runs.map.write(self.map)

    def refresh(self, runs: Runs, rows: np.ndarray) -> None:
        """Bring up to date what changes where a round or a run begins."""
        s, at = self.settings, self.layout
        gauges = runs.gauges[rows].copy()
        gauges[:, 0] = runs.round[rows] / s.rounds
        measured = np.isfinite(gauges)
        shown = np.clip(np.where(measured, gauges, 0.0), -GAUGE_LIMIT, GAUGE_LIMIT)
        self.flat[rows, at["gauges"]] = shown
        self.flat[rows, at["measured"]] = measured
        self.flat[rows, at["progress"].start] = gauges[:, 0]
        left = 1.0 - runs.spent[rows] / max(s.budget, 1)
        self.flat[rows, at["progress"].start + 2] = left if s.reward_mode == "anchor" else 0.0
        self.show_defences(runs, rows)

    def show_defences(self, runs: Runs, rows: np.ndarray) -> None:
        """Bring the defences in force up to date."""
        start = self.layout["defences"].start
        for at, defence in enumerate(DEFENCES):
            self.flat[rows, start + at] = runs.steering.active[defence][rows]

    def observe(self, runs: Runs) -> dict[str, np.ndarray]:
        """Return the observations of all runs."""
        self.show_map(runs)
        step = self.layout["progress"].start + 1
        np.divide(runs.pos, self.settings.problems_per_round, out=self.flat[:, step])
        flat = self.flat.copy()
        return {name: flat[:, at] for name, at in self.layout.items()}
