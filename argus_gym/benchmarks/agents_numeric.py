"""The ladder of :mod:`argus_gym.benchmarks.agents_world` in the numeric environment."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import gymnasium as gym
import numpy as np

import argus_gym  # noqa: F401
from argus_gym.agents.curricula import Curriculum
from argus_gym.agents.latent import Dynamics
from argus_gym.benchmarks.agents_world import HARD, POOL, STUCK_AT, Run, World, draw_ladder
from argus_gym.curriculum.batch import ROLES, Pairs
from argus_gym.curriculum.draws import Stream, place
from argus_gym.curriculum.measures import oracle
from argus_gym.curriculum.posed import pose
from argus_gym.curriculum.retesting import Block
from argus_gym.curriculum.runs import Runs
from argus_gym.curriculum.settings import Settings
from argus_gym.problems import FAMILIES
from argus_gym.records import Verdict

__all__ = ["LadderRuns", "play"]

COUNT = len(FAMILIES)
ANCHORS = 2 * COUNT
"""Retested anchors a round where progress is measured for the curriculum: two of each family."""

# Numbers of the report's problems that ``true_accuracy`` does not use.
_FIRST_ITEM = 1 << 12


class LadderRuns(Runs):
    """Runs whose learners stand on ladders; their unlearnable families stay where they are.

    Args:
        settings: Of the environment.
        world: The world.
        stuck: Number of unlearnable families, in [0, 12).
        seeds: A seed of each ladder's order, which is that of the text environment's.
    """

    def __init__(self, settings: Settings, world: World, stuck: int, seeds: Sequence[int]) -> None:
        super().__init__(len(seeds), settings)
        self.world, self.every = world, np.arange(len(seeds))
        rngs = [np.random.default_rng(np.random.SeedSequence((seed, 0x92))) for seed in seeds]
        ladders = [draw_ladder(world, stuck, rng) for rng in rngs]
        self.rungs = np.array([skill for skill, _ in ladders])
        self.stuck = np.array([families for _, families in ladders], np.int64)
        self.pinned = np.zeros(self.stuck.shape)
        self.learnt = np.zeros(len(seeds), np.int64)
        self.gains: list[dict[int, float]] = [{} for _ in seeds]

    def reset(self, rows: np.ndarray, key: np.ndarray) -> None:
        """Start new runs, of all copies, on the ladders."""
        super().reset(rows, key)
        self.latent.skill[:], self.latent.ceiling[:] = self.rungs, self.world.ceiling
        self.pinned = self._levels()
        self._pin()
        self.learnt[:] = 0

    def end_round(self, rows: np.ndarray) -> tuple[Pairs, Block, list[Verdict | None], np.ndarray]:
        """Retest and learn; keep what the curricula may be told."""
        ended = super().end_round(rows)
        pairs, block = ended[:2]
        self.learnt += pairs.counts[[ROLES.index("train"), ROLES.index("replay")]].sum(0)
        new = pairs.role == ROLES.index("train")
        trained = self._by_family(pairs.run[new], pairs.posed.family[new])
        asked = self._by_family(block.rows, block.family)
        with np.errstate(invalid="ignore", divide="ignore"):
            gain = self._by_family(block.rows, block.family, self.delta(block)) / asked / trained
        self.gains = [
            {int(f): float(row[f]) for f in np.flatnonzero(np.isfinite(row))} for row in gain
        ]
        return ended

    def _by_family(
        self, run: np.ndarray, family: np.ndarray, weights: np.ndarray | None = None
    ) -> np.ndarray:
        counts = np.bincount(run * COUNT + family, weights, self.count * COUNT)
        return np.asarray(counts).reshape(self.count, COUNT)

    def begin_round(self, rows: np.ndarray) -> None:
        """Go on to the next round."""
        super().begin_round(rows)
        self._pin()

    def _pin(self) -> None:
        for levels in (self.latent.skill, self.latent.ceiling):
            np.put_along_axis(levels, self.stuck, self.pinned, 1)

    def truth(self) -> np.ndarray:
        """Return accuracies by family on problems of the world's lengths, shape ``(n, 12)``."""
        number = COUNT * POOL
        item, rows = np.tile(np.arange(number), self.count), np.repeat(self.every, number)
        lengths = np.array(self.world.steps)[item // COUNT % len(self.world.steps)]
        at = place(Stream.REPORT, 0, _FIRST_ITEM + item)
        posed = pose(self.key[rows], at, item % COUNT, lengths, self.spread)
        found: np.ndarray = oracle(posed, self.latent, rows).reshape(-1, POOL, COUNT).mean(1)
        return found

    def _levels(self) -> np.ndarray:
        """Return the skills at which unlearnable families have their accuracy, by bisection."""
        low, high = np.full(self.stuck.shape, -10.0), np.full(self.stuck.shape, 15.0)
        middle: np.ndarray = low
        for _ in range(24):
            middle = (low + high) / 2
            np.put_along_axis(self.latent.skill, self.stuck, middle, 1)
            below = np.take_along_axis(self.truth(), self.stuck, 1) < STUCK_AT
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return middle


def play(
    world: World,
    stuck: int,
    make: Callable[[int], Curriculum],
    seeds: Sequence[int],
    grounded: bool = False,
) -> list[Run]:
    """Run a loop in ``ArgusCurriculum-v0`` for each seed, families chosen by a curriculum.

    Args:
        world: Kind of learner and loop.
        stuck: Number of unlearnable families.
        make: Makes a curriculum with so many arms, one for each family.
        seeds: Seeds of everything, one a run.
        grounded: Whether the anchors' changes are measured for the curricula.
    """
    dynamics = {f.name: getattr(world.dynamics, f.name) for f in fields(Dynamics)}
    del dynamics["skill_spread"], dynamics["adherence"]
    env: Any = gym.make_vec(
        "ArgusCurriculum-v0",
        len(seeds),
        autoreset_mode="Disabled",
        rounds=world.rounds,
        problems_per_round=world.problems,
        anchor_items=ANCHORS if grounded else 0,
        past_items=0,
        dynamics=dynamics,
    )
    runs = env.runs = LadderRuns(env.settings, world, stuck, seeds)
    env.reset(seed=list(seeds))
    curricula = [make(COUNT) for _ in seeds]
    rngs = [np.random.default_rng(np.random.SeedSequence((seed, 0x57))) for seed in seeds]
    k = env.settings.k
    accuracy, pairs = [runs.truth()], [runs.learnt.copy()]
    chosen = np.zeros((world.rounds, len(seeds), COUNT), np.int64)
    for step in range(world.rounds * world.problems):
        arms = [c.choose(rng) for c, rng in zip(curricula, rngs, strict=True)]
        chosen[step // world.problems, runs.every, arms] += 1
        steps = [world.steps[int(rng.integers(len(world.steps)))] for rng in rngs]
        infos = env.step(np.array([arms, steps]).T - (0, 1))[-1]
        for curriculum, arm, outcome in zip(curricula, arms, infos["outcome"], strict=True):
            agreed = round(float(outcome) * k)
            curriculum.update(arm, [1.0] * agreed + [0.0] * (k - agreed))
        if "round_ended" not in infos:
            continue
        for at, curriculum in enumerate(curricula):
            if grounded:
                met = chosen[step // world.problems, at]
                curriculum.improved({a: g for a, g in runs.gains[at].items() if met[a]})
            curriculum.end_round()
        accuracy.append(runs.truth())
        pairs.append(runs.learnt.copy())
    runs.latent.skill[:] = runs.latent.ceiling
    top, answers = runs.truth(), world.problems * k + env.settings.spend
    by_family, learnt = np.array(accuracy), np.array(pairs)
    out = []
    for at in runs.every.tolist():
        families = runs.stuck[at].tolist()
        learnable = [f for f in range(COUNT) if f not in families]
        hard = sorted(learnable, key=lambda f: float(runs.rungs[at, f]))[:HARD]
        out.append(
            Run(
                accuracy=tuple(by_family[:, at, learnable].mean(1).tolist()),
                hard=tuple(by_family[:, at, hard].mean(1).tolist()),
                top=float(top[at, learnable].mean()),
                pairs=tuple(learnt[:, at].tolist()),
                answers=tuple(answers * n for n in range(len(by_family))),
                chosen=chosen[:, at],
                stuck=tuple(families),
                alarm=-1,
                false_alarm=-1,
                barred=-1,
            )
        )
    return out
