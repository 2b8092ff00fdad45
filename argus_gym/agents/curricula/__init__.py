"""Curricula from the literature: which arm the next problem comes from; no Gymnasium in here."""

import difflib
from collections.abc import Callable
from functools import partial

from argus_gym.agents.curricula.base import Curriculum, Sampled, Scored
from argus_gym.agents.curricula.grounded import GroundedTeacher
from argus_gym.agents.curricula.level_replay import LevelReplay
from argus_gym.agents.curricula.planned import Planned
from argus_gym.agents.curricula.repellent import SelfRepellent, repelled
from argus_gym.agents.curricula.sec import SelfEvolving
from argus_gym.agents.curricula.spread import BestMinusMean, RewardSpread, Variance
from argus_gym.agents.curricula.weakness import WeaknessDriven

__all__ = [
    "CURRICULA",
    "BestMinusMean",
    "Curriculum",
    "GroundedTeacher",
    "LevelReplay",
    "Planned",
    "RewardSpread",
    "Sampled",
    "Scored",
    "SelfEvolving",
    "SelfRepellent",
    "Variance",
    "WeaknessDriven",
    "make_curriculum",
    "repelled",
]


def _sec_repelled(arms: int) -> Curriculum:
    return SelfRepellent(SelfEvolving(arms))


CURRICULA: dict[str, Callable[[int], Curriculum]] = {
    "uniform": partial(Planned, planner="uniform"),
    "weakest": partial(Planned, planner="weakest"),
    "learning_progress": partial(Planned, planner="learning_progress"),
    "most_learnable": partial(Planned, planner="most_learnable"),
    "variance": Variance,
    "sec": SelfEvolving,
    "sec_repelled": _sec_repelled,
    "eva": RewardSpread,
    "paired": BestMinusMean,
    "sws": WeaknessDriven,
    "soar": GroundedTeacher,
    "plr": LevelReplay,
}
"""Makers of curricula by name: the number of arms in, a curriculum with its defaults out."""


def make_curriculum(name: str, arms: int) -> Curriculum:
    """Return a new curriculum.

    Args:
        name: A key of ``CURRICULA``.
        arms: Number of arms, >= 1.

    Raises:
        ValueError: If there is no such curriculum; names the nearest one.
    """
    if name not in CURRICULA:
        near = difflib.get_close_matches(str(name), CURRICULA, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"curriculum must be one of {sorted(CURRICULA)}, got {name!r}{hint}")
    return CURRICULA[name](arms)
