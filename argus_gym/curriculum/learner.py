"""n simulated learners as arrays: what they know, and how learning changes it.

The dynamics are those of :class:`argus_gym.agents.latent.LatentState`, for all learners at once.
"""

import math
from dataclasses import dataclass, fields, replace
from typing import Any, cast

import numpy as np

from argus_gym.agents.latent import Dynamics, LatentState, sigmoid
from argus_gym.agents.mechanisms import MECHANISMS
from argus_gym.curriculum import draws
from argus_gym.curriculum.draws import Stream
from argus_gym.problems import MAX_STEPS

__all__ = ["Latent", "Lessons", "Rates", "plant", "train"]

_TRAINED = ("skill", "bias", "diversity", "false_premises", "wording")
_PACE = (
    "depth",
    "unlearning",
    "bias_gain",
    "interference",
    "transfer",
    "shift",
    "credulity",
    "style",
    "floor",
)
_NAMES = tuple(f.name for f in fields(Dynamics) if f.name not in ("skill_spread",))


class Rates:
    """The dynamics of n learners, one array of shape ``(n,)`` for each number.

    Args:
        dynamics: What all of them start with.
        count: Number of learners.
    """

    def __init__(self, dynamics: Dynamics, count: int) -> None:
        self.start = dynamics
        self.values = {name: np.full(count, getattr(dynamics, name)) for name in _NAMES}
        self._changed: dict[int, Dynamics] = {}

    def __getattr__(self, name: str) -> np.ndarray:
        if name in _NAMES:
            return cast(np.ndarray, self.values[name])
        raise AttributeError(name)

    def reset(self, rows: np.ndarray) -> None:
        """Go back to the start."""
        for name, column in self.values.items():
            column[rows] = getattr(self.start, name)
        for row in self._changed.keys() & set(rows.tolist()):
            del self._changed[row]

    def one(self, row: int) -> Dynamics:
        """Return one learner's dynamics."""
        return self._changed.get(row, self.start)

    def put(self, row: int, dynamics: Dynamics) -> None:
        """Set one learner's dynamics."""
        for name, column in self.values.items():
            column[row] = getattr(dynamics, name)
        self._changed[row] = dynamics


@dataclass(slots=True, eq=False)
class Latent:
    """What n learners know; see :class:`~argus_gym.agents.latent.LatentState`.

    Attributes:
        skill: Logits, shape ``(n, K)``.
        ceiling: Logits, shape ``(n, K)``; constant in a run.
        bias: Share of errors that are the misconception, shape ``(n, K)``.
        diversity: Chance that a chain goes its own way, shape ``(n,)``.
        proposals: Log-probabilities, not normalised, shape ``(n, K, 8)``.
        false_premises: Rate of false premises, shape ``(n,)``.
        wording: Nats per token, shape ``(n,)``.
        rates: ``learning`` and ``sharpening`` of the run, shape ``(n, 2)``.
        memory: Exposures of each problem of the run, shape ``(n, T)``.
    """

    skill: np.ndarray
    ceiling: np.ndarray
    bias: np.ndarray
    diversity: np.ndarray
    proposals: np.ndarray
    false_premises: np.ndarray
    wording: np.ndarray
    rates: np.ndarray
    memory: np.ndarray

    @classmethod
    def draw(cls, key: np.ndarray, families: int, problems: int, dynamics: Dynamics) -> "Latent":
        """Draw a learner for each run, as :meth:`LatentState.draw` does.

        Args:
            key: Keys of the runs, shape ``(n,)``.
            families: Number of families, K.
            problems: Problems in a run, T.
            dynamics: How learners start.
        """
        d, n = dynamics, len(key)
        w = draws.words(
            key, draws.place(Stream.LEARNER, 0, np.zeros(n, np.int64)), 6 + 3 * families
        )
        normal = draws.normals(w[:3], w[3:6]).T
        own = draws.normals(w[6 : 6 + families], w[6 + families : 6 + 2 * families]).T
        run, family = d.skill_spread
        skill = d.skill + run * normal[:, :1] + family * own
        room = d.headroom * (0.5 + draws.uniforms(w[6 + 2 * families :]).T)
        return cls(
            skill=skill,
            ceiling=skill + room,
            bias=np.full((n, families), d.bias),
            diversity=np.full(n, d.diversity),
            proposals=np.tile(d.reach * np.arange(MAX_STEPS), (n, families, 1)),
            false_premises=np.full(n, d.false_premises),
            wording=np.full(n, d.wording),
            rates=np.array((d.learning, d.sharpening)) * np.exp(d.rate_spread * normal[:, 1:]),
            memory=np.zeros((n, problems)),
        )

    def copy(self) -> "Latent":
        """Return a copy."""
        return Latent(*(getattr(self, name).copy() for name in self.__slots__))

    def put(self, rows: np.ndarray, other: "Latent", there: np.ndarray) -> None:
        """Take over rows ``there`` of another state; both in ascending order."""
        whole = len(rows) == len(self.skill) == len(other.skill)
        for name in self.__slots__:
            mine, theirs = getattr(self, name), getattr(other, name)
            if whole:  # Copied faster than row by row.
                mine[:] = theirs
            else:
                mine[rows] = theirs[there]

    def blend(self, rows: np.ndarray, past: "Latent", share: np.ndarray) -> None:
        """Go back to ``past`` by a share, in (0, 1], shape of ``rows``; exactly at 1."""
        for name in self.__slots__:
            if name in ("ceiling", "rates"):
                continue
            now, then = getattr(self, name), getattr(past, name)[rows]
            s = share.reshape(-1, *[1] * (then.ndim - 1))
            now[rows] = np.where(s == 1.0, then, (1.0 - s) * now[rows] + s * then)
        full = rows[share == 1.0]
        self.ceiling[full], self.rates[full] = past.ceiling[full], past.rates[full]

    def one(self, row: int) -> LatentState:
        """Return one learner's state, without its memory."""
        return LatentState(
            skill=self.skill[row].tolist(),
            ceiling=self.ceiling[row].tolist(),
            bias=self.bias[row].tolist(),
            diversity=float(self.diversity[row]),
            proposals=self.proposals[row].tolist(),
            false_premises=float(self.false_premises[row]),
            wording=float(self.wording[row]),
            rates=(float(self.rates[row, 0]), float(self.rates[row, 1])),
        )

    def set_one(self, row: int, state: LatentState) -> None:
        """Set one learner's state, except its memory."""
        for name in self.__slots__:
            if name != "memory":
                getattr(self, name)[row] = getattr(state, name)


@dataclass(slots=True, eq=False)
class Lessons:
    """What m learners train on, pair by pair; arrays of shape ``(S, m)``.

    Attributes:
        problem: Number of the problem in its run.
        weight: Loss weight, 0 where a learner has no such pair.
        family: Index of the family.
        steps: Number of steps.
        right: Whether the chain is right.
        misconceived: Whether a wrong chain leaves the truth by the misconception.
        false: Whether the premise is false.
        magnitudes: Difficulty of each step, shape ``(S, 8, m)``.
    """

    problem: np.ndarray
    weight: np.ndarray
    family: np.ndarray
    steps: np.ndarray
    right: np.ndarray
    misconceived: np.ndarray
    false: np.ndarray
    magnitudes: np.ndarray

    def count(self, at: int) -> int:
        """Return how many learners have a pair number ``at``: up to the last one that does."""
        some = np.flatnonzero(self.weight[at])
        return int(some[-1]) + 1 if some.size else 0


def train(latent: Latent, rows: np.ndarray, rates: Rates, lessons: Lessons, part: range) -> None:
    """Let the learners ``rows`` train on some of their pairs, in order."""
    if len(rows) == 1:
        _train_one(latent, int(rows[0]), rates, lessons, part)
        return
    _train(latent, rows, rates, lessons, part)


def _train_one(latent: Latent, row: int, rates: Rates, lessons: Lessons, part: range) -> None:
    """Do what :func:`_train` does without arrays, which is faster for one learner."""
    state, dynamics = latent.one(row), rates.one(row)
    span = slice(part.start, part.stop)
    columns = (getattr(lessons, name)[span, ..., 0].tolist() for name in Lessons.__slots__)
    for problem, weight, family, steps, right, misconceived, false, sizes in zip(
        *columns, strict=True
    ):
        if false:
            gain = dynamics.credulity * weight * (1 - state.false_premises)
            state.false_premises += gain
        else:
            skill = state.skill[family]
            chance = math.prod(sigmoid(skill - size) for size in sizes[:steps])
            state.reinforce(family, steps, weight, right, chance, misconceived, dynamics)
        state.expose(str(problem), weight, dynamics)
    for problem, weight in state.memory.items():
        latent.memory[row, int(problem)] += weight
    latent.set_one(row, state)


def _train(latent: Latent, rows: np.ndarray, rates: Rates, lessons: Lessons, part: range) -> None:
    # Taken out once, learners can be cut to those that still have pairs without being copied.
    mine = {name: getattr(latent, name)[rows] for name in _TRAINED}
    pace = {name: getattr(rates, name)[rows] for name in _PACE}
    ceiling, (learning, sharpening) = latent.ceiling[rows].reshape(-1), latent.rates[rows].T
    count = mine["skill"].shape[1]
    starts = np.arange(len(rows)) * count
    every_skill, every_bias = mine["skill"].reshape(-1), mine["bias"].reshape(-1)
    for at in part:
        m = lessons.count(at)
        d = {name: values[:m] for name, values in pace.items()}
        f, w, steps = lessons.family[at, :m], lessons.weight[at, :m], lessons.steps[at, :m]
        row, start, right = rows[:m], starts[:m], lessons.right[at, :m]
        held = w * ~lessons.false[at, :m]
        here = start + f
        skill, bias = every_skill[here], every_bias[here]
        odds = np.exp(lessons.magnitudes[at, :, :m] - skill)
        odds += 1.0
        room = np.clip(ceiling[here] - skill, 0.0, 1.0)
        gain = learning[:m] * held * (1.0 - 1.0 / odds.prod(0)) * room
        if d["depth"].any():
            gain *= (2 * steps / (1 + MAX_STEPS)) ** d["depth"]
        change = np.where(right, gain, -d["unlearning"] * held)
        shared = held * (lessons.misconceived[at, :m] & ~right)
        every_bias[here] = bias + d["bias_gain"] * shared * (1.0 - bias)
        lost = d["interference"] * np.maximum(change, 0.0) / (count - 3)
        # Everyone loses first; the family and its neighbours, which do not, get it back at once.
        mine["skill"][:m] -= lost[:, None]
        every_skill[here] += lost + change
        near = lost + d["transfer"] * change / 2
        every_skill[start + (f - 1) % count] += near
        every_skill[start + (f + 1) % count] += near
        latent.proposals[row, f, steps - 1] += d["shift"] * held
        latent.memory[row, lessons.problem[at, :m]] += w
        false = mine["false_premises"][:m]
        false += d["credulity"] * (w - held) * (1.0 - false)
        mine["wording"][:m] *= np.exp(-d["style"] * w)
        diversity = mine["diversity"][:m]
        diversity[:] = d["floor"] + (diversity - d["floor"]) * np.exp(-sharpening[:m] * w)
    for name, values in mine.items():
        getattr(latent, name)[rows] = values


@dataclass
class _Planted:
    """One learner as a mechanism sees it."""

    latent: LatentState
    dynamics: Dynamics
    force: float
    favourite: int
    drafts: int = 1

    def retune(self, **changes: float) -> None:
        """Change some of the learner's rates."""
        self.dynamics = replace(self.dynamics, **cast(dict[str, Any], changes))


def plant(
    latent: Latent, rates: Rates, row: int, mechanism: str, severity: float, favourite: int
) -> int:
    """Let a mechanism of :data:`argus_gym.agents.mechanisms.MECHANISMS` act on one learner.

    Returns:
        How many problems its proposer writes to keep the one it is surest to solve, >= 1.
    """
    learner = _Planted(latent.one(row), rates.one(row), severity, favourite)
    MECHANISMS[mechanism](cast(Any, learner))
    latent.set_one(row, learner.latent)
    rates.put(row, learner.dynamics)
    return learner.drafts
