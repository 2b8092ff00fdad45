"""What every curriculum is: a chooser of arms that learns from what the arms gave."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np

from argus_gym.planner import EXPLORATION

__all__ = ["Curriculum", "Sampled", "Scored", "mixed"]


class Curriculum(ABC):
    """Chooses which arm the next problem comes from.

    An arm is a number: a family, a (family, difficulty) cell or a cluster; the curriculum does not
    know which. One round is any number of :meth:`choose` and :meth:`update`, then :meth:`improved`
    where somebody measured it, then :meth:`end_round`.

    Args:
        arms: Number of arms, >= 1.

    Raises:
        ValueError: If ``arms`` is below 1.
    """

    def __init__(self, arms: int) -> None:
        if arms < 1:
            raise ValueError(f"arms must be at least 1, got {arms}")
        self.arms = arms

    @abstractmethod
    def choose(self, rng: np.random.Generator) -> int:
        """Return an arm in ``[0, arms)``.

        Args:
            rng: Source of every random draw.
        """

    def update(self, arm: int, rewards: Sequence[float]) -> None:  # noqa: B027
        """Learn from one problem.

        Args:
            arm: Where the problem came from.
            rewards: The reward of each of its k >= 1 chains, in [0, 1]; in a loop without truth, 1
                where the chain's answer is the modal one.
        """

    def improved(self, gains: Mapping[int, float]) -> None:  # noqa: B027
        """Learn from what training on an arm's pairs did to problems with known answers.

        Args:
            gains: By arm, the change of accuracy on the probe for each pair trained on.
        """

    def end_round(self) -> None:  # noqa: B027
        """The learner took a step: what is measured from now on belongs to new weights."""


class Sampled(Curriculum):
    """A curriculum that draws its arms from probabilities it can name."""

    @abstractmethod
    def probabilities(self) -> np.ndarray:
        """Return the probability of each arm now, shape ``(arms,)``, summing to 1."""

    def choose(self, rng: np.random.Generator) -> int:
        """Return an arm drawn by :meth:`probabilities`."""
        cumulated = self.probabilities().cumsum()
        return int(cumulated.searchsorted(rng.random() * cumulated[-1], side="right"))


class Scored(Sampled):
    """Keeps a running mean of one signal for each arm and samples arms by weights made of it.

    The newest problem has the weight ``max(1 / n, rate)``; an arm without problems has the value
    ``start``. One draw in ten is uniform, as for the planners.

    Args:
        arms: Number of arms, >= 1.
        rate: Least weight of the newest problem, in (0, 1].

    Raises:
        ValueError: If an argument is outside its range.
    """

    start = 1.0

    def __init__(self, arms: int, rate: float = 0.1) -> None:
        super().__init__(arms)
        if not 0 < rate <= 1:
            raise ValueError(f"rate must be in (0, 1], got {rate}")
        self.rate = rate
        self.values = np.full(arms, self.start)
        self.seen = np.zeros(arms, np.int64)

    @abstractmethod
    def signal(self, rewards: np.ndarray) -> float:
        """Return what one problem tells, from the rewards of its chains, shape ``(k,)``."""

    def weights(self) -> np.ndarray:
        """Return the unnormalised weights of the arms, shape ``(arms,)``, >= 0."""
        return self.values

    def update(self, arm: int, rewards: Sequence[float]) -> None:
        """Move the arm's value towards the problem's signal."""
        self.seen[arm] += 1
        rate = max(1.0 / self.seen[arm], self.rate)
        self.values[arm] += rate * (self.signal(np.asarray(rewards, float)) - self.values[arm])

    def probabilities(self) -> np.ndarray:
        """Return nine parts of the normalised weights and one part uniform."""
        return mixed(self.weights(), EXPLORATION)


def mixed(weights: np.ndarray, exploration: float) -> np.ndarray:
    """Return ``weights`` normalised, with the share ``exploration`` uniform; all uniform if 0."""
    total = weights.sum()
    if not total > 0:
        return np.full(len(weights), 1.0 / len(weights))
    out: np.ndarray = (1.0 - exploration) * weights / total + exploration / len(weights)
    return out
