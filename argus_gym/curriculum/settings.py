"""What the numeric environments can be told, checked in one place."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, cast

from argus_gym.agents.latent import Dynamics
from argus_gym.agents.mechanisms import MECHANISMS, QUIET
from argus_gym.problems import FAMILIES
from argus_gym.spaces import MAX_K

__all__ = ["ACTIONS", "LEARNERS", "REWARDS", "Settings", "make_settings"]

REWARDS = ("consensus", "retest", "anchor", "oracle")
ACTIONS = ("multidiscrete", "discrete")
LEARNERS = {"default": Dynamics(), "quiet": QUIET}


@dataclass(frozen=True, slots=True)
class Settings:
    """The arguments of ``ArgusCurriculum-v0``, single and vectorised.

    Attributes:
        reward_mode: ``consensus``, ``retest``, ``anchor`` or ``oracle``; see ``docs/
            curriculum_env.md``.
        actions: ``multidiscrete`` for [family, steps - 1], ``discrete`` for one number.
        control: Add the heads that keep or refuse the last learning step and order a defence.
        rounds: Rounds a run, in [1, 4096].
        problems_per_round: Problems a round, in [1, 4096].
        k: Chains a problem, in [1, 64].
        families: Families of problems, each a cluster of the capability map, in [4, 64].
        frontier: Lower and upper edge of the frontier in ``combined``.
        verifier_strength: How far the lower edge slides up with skill, in [0, 1].
        weight: Weight of the outcome in ``combined``, in [0, 1].
        anchor_items: Anchors in a retest block, in ``[0, 6 * families]``.
        past_items: Earlier problems in a retest block, in ``[0, problems_per_round]``.
        retest_chains: Chains for each retested item, in [1, 64].
        anchor_budget: Answers on anchors that the reward ``anchor`` may read in a run, >= 0; all
            that are given where ``None``.
        replay_share: Replayed pairs as a share of a learning step, in [0, 1).
        adherence: Chance that the proposer writes what the action asks for; else it writes from
            its own distribution, which training shifts. In [0, 1].
        learner: ``default``, or ``quiet`` for one that deceives nobody.
        dynamics: Changed numbers of its :class:`~argus_gym.agents.latent.Dynamics`.
        mechanism: A planted failure, a key of :data:`argus_gym.agents.mechanisms.MECHANISMS`.
        onset: The round from which it acts, >= 0.
        severity: How strongly, > 0; 1 is medium.
    """

    reward_mode: str = "consensus"
    actions: str = "multidiscrete"
    control: bool = False
    rounds: int = 15
    problems_per_round: int = 64
    k: int = 14
    families: int = len(FAMILIES)
    frontier: tuple[float, float] = (0.4, 0.8)
    verifier_strength: float = 0.2
    weight: float = 0.5
    anchor_items: int = 8
    past_items: int = 8
    retest_chains: int = 8
    anchor_budget: int | None = None
    replay_share: float = 0.25
    adherence: float = 1.0
    learner: str = "default"
    dynamics: Mapping[str, float] = field(default_factory=dict)
    mechanism: str | None = None
    onset: int = 6
    severity: float = 1.0

    def __post_init__(self) -> None:
        low, high = self.frontier
        known = [f.name for f in fields(Dynamics) if f.name not in ("skill_spread", "adherence")]
        odd = [name for name in self.dynamics if name not in known]
        if odd:
            raise ValueError(f"dynamics must have keys of {known}, got {odd[0]!r}")
        choices = {
            "reward_mode": REWARDS,
            "actions": ACTIONS,
            "learner": tuple(LEARNERS),
            "mechanism": (None, *sorted(MECHANISMS)),
        }
        for name, options in choices.items():
            if getattr(self, name) not in options:
                raise ValueError(f"{name} must be one of {options}, got {getattr(self, name)!r}")
        ranges = {
            "rounds": (1, 4096),
            "problems_per_round": (1, 4096),
            "k": (1, MAX_K),
            "families": (4, 64),
            "anchor_items": (0, 6 * self.families),
            "past_items": (0, self.problems_per_round),
            "retest_chains": (1, MAX_K),
            "onset": (0, 4096),
            "verifier_strength": (0.0, 1.0),
            "weight": (0.0, 1.0),
            "adherence": (0.0, 1.0),
        }
        for name, (least, most) in ranges.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(
                    f"{name} must be in [{least}, {most}], got {getattr(self, name)!r}"
                )
        if not 0 <= low < high <= 1:
            raise ValueError(
                f"frontier must be a pair with 0 <= low < high <= 1, got {self.frontier!r}"
            )
        if not 0 <= self.replay_share < 1:
            raise ValueError(f"replay_share must be in [0, 1), got {self.replay_share!r}")
        if not self.severity > 0:
            raise ValueError(f"severity must be above 0, got {self.severity!r}")
        self._check_conflicts()

    def _check_conflicts(self) -> None:
        if self.mechanism is not None and self.families != len(FAMILIES):
            raise ValueError(
                f"mechanism needs families={len(FAMILIES)}, got families={self.families}"
            )
        if self.anchor_budget is not None and self.reward_mode != "anchor":
            raise ValueError(
                f"anchor_budget needs reward_mode='anchor', got reward_mode={self.reward_mode!r}"
            )
        if self.anchor_budget is not None and self.anchor_budget < 0:
            raise ValueError(f"anchor_budget must be at least 0, got {self.anchor_budget!r}")
        for mode, items in (("anchor", "anchor_items"), ("retest", "past_items")):
            if self.reward_mode == mode and not getattr(self, items):
                raise ValueError(f"reward_mode={mode!r} needs {items} of at least 1, got 0")

    @property
    def start(self) -> Dynamics:
        """The learners' dynamics."""
        changes: dict[str, Any] = {**self.dynamics, "adherence": self.adherence}
        return replace(LEARNERS[self.learner], **changes)

    @property
    def budget(self) -> int:
        """Answers on anchors that the reward may read in a run."""
        return self.spend * self.rounds if self.anchor_budget is None else self.anchor_budget

    @property
    def spend(self) -> int:
        """Answers on anchors in one round's block, both sides of the step."""
        return 2 * self.anchor_items * self.retest_chains


def make_settings(given: Mapping[str, Any]) -> Settings:
    """Return the settings, frontier as a tuple.

    Raises:
        TypeError: If there is no such argument; names the nearest one.
        ValueError: If one is outside its range or two conflict.
    """
    known = [f.name for f in fields(Settings)]
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"ArgusCurriculum has no argument {name!r}{hint}")
    values = dict(given)
    if "frontier" in values:
        values["frontier"] = cast(tuple[float, float], tuple(values["frontier"]))
    return Settings(**values)
