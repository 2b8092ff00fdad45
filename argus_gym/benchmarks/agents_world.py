"""Worlds in which curricula can be compared: a ladder of families, some of them unlearnable."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import gymnasium as gym
import numpy as np

from argus_gym import problems
from argus_gym.agents import Dynamics, Oracle, SimulatedAgent, rollout
from argus_gym.agents.curricula import Curriculum
from argus_gym.agents.steered import Cell, Steered
from argus_gym.problems import FAMILIES
from argus_gym.records import LearnReport, RoundRecord, TrainingPair, Value
from argus_gym.wrappers import PlateauDetector

__all__ = [
    "BROAD",
    "DEEP",
    "HARD",
    "LADDER",
    "NUMERIC",
    "POOL",
    "STUCK_AT",
    "WATCHED",
    "Ladder",
    "Run",
    "World",
    "draw_ladder",
    "play",
]

STUCK_AT = 0.45
HARD = 3
POOL = 16
PROBE = 16
JITTER = 0.3


@dataclass(frozen=True, slots=True)
class World:
    """A kind of learner and the loop it runs in.

    The families' skills form a ladder of even rungs from ``bottom`` to ``top``, in an order around
    the ring of families that the seed draws; every learnable family can reach ``ceiling``.

    Attributes:
        name: Of the world.
        steps: Lengths of its problems.
        dynamics: The learner's rates.
        bottom: Skill of the lowest rung, in logits.
        top: Skill of the highest rung.
        ceiling: Skill that every learnable family can reach.
        rounds: Rounds of a run.
        problems: Problems a round.
    """

    name: str
    steps: tuple[int, ...]
    dynamics: Dynamics
    bottom: float = -1.0
    top: float = 2.0
    ceiling: float = 3.5
    rounds: int = 80
    problems: int = 16

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The arms of this world: one for each family."""
        steps = self.steps[0] if len(self.steps) == 1 else None
        return tuple(Cell(family, steps) for family in FAMILIES)


_HONEST = Dynamics(
    difficulty_spread=0.5,
    learning=0.4,
    unlearning=0.005,
    transfer=0.8,
    interference=0.0,
    bias=0.15,
    bias_gain=0.0,
    sharpening=0.0,
    shift=0.0,
    false_premises=0.0,
    rate_spread=0.2,
)

LADDER = World("ladder", (2,), _HONEST)
"""Problems of a family are alike: two steps each, difficulty spread 0.5 logits."""

BROAD = World("broad", tuple(range(1, 7)), replace(_HONEST, difficulty_spread=2.4))
"""Problems of a family differ as they do for the calibrated learner: 1 to 6 steps, 2.4 logits."""

DEEP = replace(LADDER, name="deep", bottom=-3.0, rounds=200)
"""A ladder whose three lowest families are solved less than once in a hundred times at first."""

WATCHED = replace(LADDER, name="watched", rounds=30, problems=64)
"""The ladder in rounds of 64 problems, as the detectors expect them."""

NUMERIC = replace(LADDER, name="numeric ladder")
"""The same learners in ``ArgusCurriculum-v0``; see :mod:`argus_gym.benchmarks.agents_numeric`."""


class Ladder(SimulatedAgent):
    """A learner of a :class:`World`, some of whose families stay at an accuracy of 0.45.

    Args:
        world: The world.
        stuck: Number of unlearnable families, in [0, 12).
        seed: Seed of the ladder's order, of the pools and of everything it samples.
    """

    def __init__(self, world: World, stuck: int, seed: int) -> None:
        super().__init__(seed, world.dynamics, parsed=True)
        rng = np.random.default_rng(np.random.SeedSequence((seed, 0x92)))
        count = len(FAMILIES)
        skill, self.stuck = draw_ladder(world, stuck, rng)
        self.latent.skill = skill.tolist()
        self.latent.ceiling = [world.ceiling] * count
        self.pools = [_draw(family, world.steps, POOL, rng) for family in FAMILIES]
        oracle = Oracle(self)
        self._pins: dict[int, float] = {}
        for family in self.stuck:
            texts = [text for text, _ in self.pools[family]]
            self._pins[family] = self._level(oracle, family, texts)
        self._pin()
        learnable = [f for f in range(count) if f not in self._pins]
        self.hard: list[int] = sorted(learnable, key=lambda f: self.latent.skill[f])[:HARD]
        drawn = [p for f in self.hard for p in _draw(FAMILIES[f], world.steps, PROBE, rng)]
        self.probe = tuple(drawn[int(i)] for i in rng.permutation(len(drawn))[:PROBE])
        self.learnable = learnable

    def learn(self, pairs: Sequence[TrainingPair]) -> LearnReport:
        """Learn; the unlearnable families stay where they are."""
        report = super().learn(pairs)
        self._pin()
        return report

    def _pin(self) -> None:
        for family, level in self._pins.items():
            self.latent.skill[family] = self.latent.ceiling[family] = level

    def _level(self, oracle: Oracle, family: int, texts: Sequence[str]) -> float:
        """Return the skill at which the family's accuracy is ``STUCK_AT``, by bisection."""
        low, high = -10.0, 15.0
        for _ in range(24):
            self.latent.skill[family] = middle = (low + high) / 2
            if oracle.true_accuracy(texts) < STUCK_AT:
                low = middle
            else:
                high = middle
        return middle


def draw_ladder(world: World, stuck: int, rng: np.random.Generator) -> tuple[np.ndarray, list[int]]:
    """Return the families' first skills in logits, and which families cannot be learnt."""
    count = len(FAMILIES)
    rungs = np.linspace(world.top, world.bottom, count)
    skill = np.roll(rungs, int(rng.integers(count))) + JITTER * rng.standard_normal(count)
    return skill, sorted(rng.permutation(count)[:stuck].tolist())


def _draw(
    family: str, steps: Sequence[int], count: int, rng: np.random.Generator
) -> list[tuple[str, Value]]:
    drawn = (problems.generate(family, steps[i % len(steps)], rng) for i in range(count))
    return [(problem.text, problem.answer) for problem in drawn]


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What one run left; series have an entry for the start and one for each round's end.

    Attributes:
        accuracy: True accuracy on the learnable families, in [0, 1].
        hard: The same on the three of them that were weakest at first.
        top: True accuracy on the learnable families with every skill at its ceiling.
        pairs: Pairs trained on so far, replayed and inner ones included.
        answers: Answers sampled so far, for problems and probe.
        chosen: Problems of each round by family, shape ``(rounds, 12)``.
        stuck: The unlearnable families.
        alarm: Round, from 0, in which lie G first named a cluster of mostly unlearnable families,
            or -1.
        false_alarm: Round in which it first named another cluster, or -1.
        barred: Round after which the map's share cap first barred such a cluster, or -1; it and the
            alarms are only looked for in a watched run.
    """

    accuracy: tuple[float, ...]
    hard: tuple[float, ...]
    top: float
    pairs: tuple[int, ...]
    answers: tuple[int, ...]
    chosen: np.ndarray
    stuck: tuple[int, ...]
    alarm: int
    false_alarm: int
    barred: int


def play(
    world: World,
    stuck: int,
    curriculum: Curriculum,
    seed: int,
    grounded: bool = False,
    watched: bool = False,
) -> Run:
    """Run one loop whose problems the curriculum chooses.

    Args:
        world: Kind of learner and loop.
        stuck: Number of unlearnable families.
        curriculum: A fresh one with an arm for each family.
        seed: Seed of everything.
        grounded: Whether the hard families' probe is measured for the curriculum.
        watched: Whether the detector of lie G watches.
    """
    env: gym.Env[Any, Any] = gym.make(
        "ArgusSelfImprove-v0",
        rounds=world.rounds,
        problems_per_round=world.problems,
        clusters=len(FAMILIES),
        anchor_items=0,
        past_items=0,
    )
    if watched:
        env = PlateauDetector(env, defend=False)
    agent = Ladder(world, stuck, seed)
    probe = agent.probe if grounded else ()
    steered = Steered(agent, curriculum, world.cells, seed=seed, probe=probe)
    oracle = Oracle(agent)
    pools = [[text for text, _ in pool] for pool in agent.pools]

    def truth() -> list[float]:
        return [oracle.true_accuracy(pool) for pool in pools]

    accuracy = [truth()]
    spent, chosen = [(0, 0)], [np.zeros(len(FAMILIES), np.int64)]
    trained = 0

    def on_round(record: RoundRecord) -> None:
        nonlocal trained
        accuracy.append(truth())
        trained += record.trained + record.replayed
        solved = (record.round + 1) * record.answers["solve"]
        inner = steered.spent
        spent.append((trained + inner["inner_pairs"], solved + inner["probe_answers"]))
        chosen.append(steered.chosen.copy())

    result = rollout(env, steered, seed=seed, on_round=on_round)
    alarms = {True: -1, False: -1}
    for report in result.lies:
        if report.fired and report.clusters:
            true = _mostly(agent.stuck, result.rounds[report.round], report.clusters)
            if alarms[true] < 0:
                alarms[true] = report.round
    barred = -1
    if watched and agent.stuck:
        for record in reversed(result.rounds):
            full = [c for c, eligible in enumerate(record.map["eligible"]) if not eligible]
            if full and _mostly(agent.stuck, record, full):
                barred = record.round
    agent.latent.skill = list(agent.latent.ceiling)
    top = truth()
    by_family = np.array(accuracy)
    pairs, answers = np.array(spent).T.tolist()
    return Run(
        accuracy=tuple(by_family[:, agent.learnable].mean(1).tolist()),
        hard=tuple(by_family[:, agent.hard].mean(1).tolist()),
        top=sum(top[family] for family in agent.learnable) / len(agent.learnable),
        pairs=tuple(pairs),
        answers=tuple(answers),
        chosen=np.diff(chosen, axis=0),
        stuck=tuple(agent.stuck),
        alarm=alarms[True],
        false_alarm=alarms[False],
        barred=barred,
    )


def _mostly(stuck: Sequence[int], record: RoundRecord, clusters: Sequence[int]) -> bool:
    """Return whether most of the round's problems in ``clusters`` are of unlearnable families."""
    families = [_family(p.problem) for p in record.problems if p.cluster in clusters]
    return 2 * sum(family in stuck for family in families) > len(families)


def _family(text: str) -> int:
    problem = problems.read(text)
    return -1 if problem is None else FAMILIES.index(problem.family)
