"""Worlds with a known truth, and one run of a gate's rule in one of them.

A world is a model whose true accuracy moves by a known amount at each learning step. The rules are
the ones the gate runs, fed with the evidence the environment would give them: a pool of 64 anchors,
8 of them a round by 8 chains, more where a rule asks. Refused steps are rolled back, so that a
rule's errors have the consequences they would have.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from argus_gym.evidence import Evidence, Wanted
from argus_gym.records import LearnReport, RetestItem, RoundRecord, Verdict
from argus_gym.wrappers.rule import Rule

__all__ = [
    "CHAINS",
    "POOL",
    "ROUNDS",
    "WORLDS",
    "Play",
    "Scale",
    "World",
    "draw_logits",
    "item",
    "play",
    "sigmoid",
]

ROUNDS, CLUSTERS, POOL, BLOCK, CHAINS, PAST = 30, 10, 64, 8, 8, 16
SPREAD = 0.75
"""Rates are Beta(0.75, 0.75): two answers to one item then differ with probability 0.30."""

EPI = (0.02, 0.01)
"""The learning gauge of every step, honest or not: mean and standard deviation, nats per token."""

QUANTILES = 2_001


@dataclass(frozen=True)
class World:
    """How the true accuracy moves.

    Attributes:
        honest: Change of an ordinary step, as a share.
        bad: Change of a bad step.
        rate: How often a step is bad.
        slide: Change of every step on top.
        loss: What one cluster loses at the step of round ``onset``.
        onset: Round of that loss.
        shuffle: Standard deviation of what a step does to single items, in logits; it moves items
            up and down and leaves the mean about where it is.
    """

    honest: float = 0.005
    bad: float = 0.0
    rate: float = 0.0
    slide: float = 0.0
    loss: float = 0.0
    onset: int = 0
    shuffle: float = 0.0


WORLDS: dict[str, World] = {
    "bad steps of -5": World(bad=-0.05, rate=0.1),
    "bad steps of -10": World(bad=-0.10, rate=0.1),
    "honest": World(),
    "unchanged": World(honest=0.0),
    "honest, items shuffled": World(shuffle=0.1),
    "slide of -1 a round": World(honest=0.0, slide=-0.01),
    "-30 in one of ten clusters": World(honest=0.0, loss=-0.30, onset=5),
}


@dataclass
class Weights:
    """A model's true state: accuracy, clusters' own changes and items' own logits."""

    accuracy: float
    cluster: np.ndarray
    items: np.ndarray


@dataclass
class Play:
    """What one run in a world left.

    Attributes:
        change: Final true accuracy minus the first, in points.
        verdicts: One a round.
        answers: Answers spent on retests, both sides.
        undone: The round after which a cluster's loss was out of the weights; NaN if never.
    """

    change: float
    verdicts: list[Verdict] = field(default_factory=list)
    answers: int = 0
    undone: float = math.nan


def _logits(shares: np.ndarray) -> np.ndarray:
    """Return the quantiles of the items' rates at these shares, in logits."""
    from scipy.special import betaincinv, logit

    return np.asarray(logit(betaincinv(SPREAD, SPREAD, shares)))


def draw_logits(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return the rates of ``count`` items of a model that is right half the time, in logits."""
    return _logits(rng.random(count))


class Scale:
    """Turns a mean accuracy into the shift of all items' logits that gives it."""

    def __init__(self) -> None:
        self._shifts = np.linspace(-12, 12, 961)
        logits = _logits((np.arange(QUANTILES) + 0.5) / QUANTILES)
        self._means = np.array([sigmoid(logits + s).mean() for s in self._shifts])

    def shift(self, accuracy: float | np.ndarray) -> np.ndarray:
        """Return the shift, in logits, for an accuracy in (0, 1)."""
        return np.asarray(np.interp(accuracy, self._means, self._shifts))


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Return the logistic function."""
    return 0.5 * (1.0 + np.tanh(0.5 * x))


class _Loop:
    """One run of one rule in one world."""

    def __init__(self, world: World, rule: Rule | None, scale: Scale, seed: int) -> None:
        self.world, self.rule, self.scale = world, rule, scale
        steps, items, self.rng = (
            np.random.default_rng(s) for s in np.random.SeedSequence((seed, 0x6A)).spawn(3)
        )
        self.logits = draw_logits(items, POOL)
        self.clusters = items.permutation(POOL) % CLUSTERS
        self.names = [f"anchor {i}" for i in range(POOL)]
        self.bad = steps.random(ROUNDS) < world.rate
        self.hit = int(steps.integers(CLUSTERS))
        self.steps = steps
        self.weights = Weights(0.5, np.zeros(CLUSTERS), np.zeros(POOL))
        self.certified = self.weights
        self.history: list[RoundRecord] = []

    def rates(self, weights: Weights, at: np.ndarray) -> np.ndarray:
        level = weights.accuracy + weights.cluster[self.clusters[at]]
        return sigmoid(self.logits[at] + self.scale.shift(level) + weights.items[at])

    def after(self, index: int) -> Weights:
        now, world = self.weights, self.world
        change = world.slide + (world.bad if self.bad[index] else world.honest)
        cluster = now.cluster.copy()
        if world.loss and index == world.onset:
            cluster[self.hit] += world.loss
        moved = now.items + world.shuffle * self.steps.standard_normal(POOL)
        return Weights(min(max(now.accuracy + change, 0.01), 0.99), cluster, moved)

    def asked(self, before: Weights, after: Weights, at: np.ndarray) -> list[RetestItem]:
        rights = [self.rng.binomial(CHAINS, self.rates(w, at)).tolist() for w in (before, after)]
        return [
            item(self.names[i], int(self.clusters[i]), True, *pair)
            for i, pair in zip(at.tolist(), zip(*rights, strict=True), strict=True)
        ]

    def past(self, before: Weights, after: Weights) -> list[RetestItem]:
        """Return past problems, new ones each round: the model agrees with itself where right."""
        at = self.rng.permutation(POOL)[:PAST]
        return [replace(test, anchor=False) for test in self.asked(before, after, at)]

    def judged(self, index: int, before: Weights, after: Weights) -> tuple[Verdict, int]:
        """Ask the rule until it decides; return its verdict and the answers on both sides."""
        assert self.rule is not None
        order = self.rng.permutation(POOL)
        gauge = float(self.rng.normal(*EPI))
        if self.rule.evidence == "anchors":
            retests = self.asked(before, after, order[:BLOCK])
        else:
            retests = self.past(before, after)
        open_ = order[BLOCK:]
        while True:
            spent = 2 * CHAINS * len(retests)
            evidence = Evidence(
                round=index,
                retests=tuple(retests),
                gauges={"epi_train": gauge, "epi_heldout": gauge},
                history=self.history,
                fresh=tuple(self.names[i] for i in open_.tolist()),
                answers=spent,
                tokens=0,
            )
            answer = self.rule.decide(evidence)
            if isinstance(answer, Verdict):
                self.history.append(_record(evidence, answer))
                return answer, spent
            taken = _taken(answer, open_, self.names)
            retests += self.asked(before, after, taken)
            open_ = open_[~np.isin(open_, taken)]

    def play(self) -> Play:
        world, start, out = self.world, self.weights.accuracy, Play(0.0)
        if self.rule is not None:
            self.rule.start(ROUNDS)
        for index in range(ROUNDS):
            before, after = self.weights, self.after(index)
            if self.rule is None:
                self.weights = before if after.accuracy < before.accuracy else after
                continue
            verdict, spent = self.judged(index, before, after)
            out.verdicts.append(verdict)
            out.answers += spent
            self.weights = after
            if verdict.decision == "REFUSE":
                back = before if verdict.target == "before" else self.certified
                self.weights = _blend(after, back, verdict.severity)
            elif verdict.decision == "COMMIT_CERTIFIED":
                self.certified = after
            if math.isnan(out.undone) and index >= world.onset and not self.weights.cluster.any():
                out.undone = float(index)
        out.change = 100 * (self.weights.accuracy + float(self.weights.cluster.mean()) - start)
        return out


def item(
    problem: str, cluster: int, anchor: bool, before: int, after: int, chains: int = CHAINS
) -> RetestItem:
    """Return a retested item; ``before`` and ``after`` are right chains."""
    return RetestItem(
        problem, cluster, anchor, chains, before, after, before / chains, after / chains
    )


def _record(evidence: Evidence, verdict: Verdict) -> RoundRecord:
    return RoundRecord(
        round=evidence.round,
        problems=(),
        retests=evidence.retests,
        report=LearnReport(),
        trained=0,
        replayed=0,
        heldout=0,
        mean_reward=math.nan,
        skill=math.nan,
        gauges=evidence.gauges,
        map={},
        request=(CHAINS, 1.0),
        answers={"retest": evidence.answers},
        tokens={},
        verdict=verdict,
    )


def _taken(wanted: Wanted, open_: np.ndarray, names: Sequence[str]) -> np.ndarray:
    named = np.array([names[i] in set(wanted.problems) for i in open_.tolist()], bool)
    return np.concatenate((open_[named], open_[~named][: wanted.items]))


def _blend(now: Weights, then: Weights, share: float) -> Weights:
    def mix(a: Any, b: Any) -> Any:
        return (1 - share) * a + share * b

    return Weights(
        mix(now.accuracy, then.accuracy),
        mix(now.cluster, then.cluster),
        mix(now.items, then.items),
    )


def play(
    world: World, rule: Callable[[], Rule] | None, seed: int = 0, runs: int = 400
) -> list[Play]:
    """Run a rule in a world, each run on its own seed.

    Args:
        world: The world.
        rule: Makes the rule; the oracle, which knows the truth, where ``None``.
        seed: Seed of the first run; the steps of run i are the same for every rule.
        runs: Number of runs, >= 1.
    """
    scale = Scale()
    return [
        _Loop(world, None if rule is None else rule(), scale, seed + i).play() for i in range(runs)
    ]
