"""A simulated language model: text in, text out, with the truth exactly known."""

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from argus_gym import consensus, premise, problems
from argus_gym.agents.latent import Dynamics, LatentState, sigmoid
from argus_gym.gauges import prequential_bits
from argus_gym.problems import FAMILIES, MAX_STEPS, Problem, Step
from argus_gym.problems.ops import OPS, Exact
from argus_gym.records import (
    Chain,
    LearnReport,
    Premise,
    ProblemRecord,
    Proposal,
    Solve,
    TrainingPair,
)

__all__ = ["Oracle", "SimulatedAgent"]

SLIPS = (1, -1, 10, -10, 2, 5)
OTHER_WAY = 0.2
READS = 4_096
TRUE = Premise(True)
WORDS = 2.0**64
BATCH = 8
EMBEDDING_DIM = 24


@dataclass(frozen=True, slots=True)
class Read:
    """A problem as the simulated learner sees it; a function of the text alone.

    Attributes:
        problem: The problem.
        family: Index of its family.
        magnitudes: Difficulty of each step, in logits.
        mode: Uniform draws, one a step, that every chain of the model's mode shares.
        tokens: Length of a worked solution, which does not depend on the values reached.
    """

    problem: Problem
    family: int
    magnitudes: tuple[float, ...]
    mode: tuple[float, ...]
    tokens: int


def _uniforms(text: str, count: int) -> list[float]:
    """Return ``count`` fixed uniform numbers for a text (splitmix64 seeded by its checksum)."""
    raw = text.encode("utf-8", "surrogatepass")
    state = zlib.crc32(raw) << 32 | zlib.adler32(raw)
    out = []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        out.append((z ^ (z >> 31)) / WORDS)
    return out


def _seen_as(problem: Problem, spread: float) -> Read:
    first, *mode = _uniforms(problem.text, 1 + len(problem.steps))
    own = spread * _NORMAL.inv_cdf(min(max(first, 1e-9), 1 - 1e-9))
    magnitudes = tuple(
        own + 0.4 * (math.log10(1 + abs(float(value))) - 1.5) for value in problem.values
    )
    tokens = 2 + sum(_line_words(step.op) for step in problem.steps)
    return Read(problem, _INDEX[problem.family], magnitudes, tuple(mode), tokens)


@lru_cache
def _line_words(op: str) -> int:
    """Return the words of an operation's line of working, whatever its numbers."""
    return len(Step(op, 2, 3).show(7, 5).split())


def _tables() -> np.ndarray:
    rng = np.random.default_rng(np.random.SeedSequence(7))
    families = rng.standard_normal((len(FAMILIES) + 1, 1, EMBEDDING_DIM))
    steps = np.linspace(-1, 1, MAX_STEPS)[:, None] * rng.standard_normal(EMBEDDING_DIM)
    table: np.ndarray = (families + 0.5 * steps).astype(np.float32)
    return table


_EMBEDDINGS = _tables()
_INDEX = {family: index for index, family in enumerate(FAMILIES)}
_NORMAL = NormalDist()


class SimulatedAgent:
    """A learner whose failures are mechanisms and whose accuracy is known in closed form.

    Each step of a chain is right with the logistic of skill minus magnitude; an error is the
    family's shared misconception or a slip, and carries through the later steps. With probability
    one minus ``diversity`` a chain follows the model's mode for this problem instead of its own
    draws, so that training which only sharpens raises consensus without raising accuracy. A
    problem it cannot read (a foreign text, or one with a false premise worked in) is answered by
    confabulation: mostly the same number, by different ways.

    Learning from a pair raises skill where its chain is right and lowers it where it is wrong,
    transfers to neighbouring families and interferes with far ones, sharpens, shifts the
    proposals, and always lowers the likelihood loss of what was trained.

    Args:
        seed: Seed of the learner drawn from ``dynamics`` and of everything it samples.
        dynamics: How it starts and changes.
        parsed: Return :class:`~argus_gym.records.Chain` records without text instead of texts:
            the same run, faster.
    """

    def __init__(
        self, seed: int = 0, dynamics: Dynamics | None = None, parsed: bool = False
    ) -> None:
        self.dynamics = dynamics or Dynamics()
        self.parsed, self.temperature = parsed, 1.0
        start, self._rng = (
            np.random.default_rng(s) for s in np.random.SeedSequence((seed, 0x51)).spawn(2)
        )
        self.latent = LatentState.draw(self.dynamics, start)
        self._seen = np.zeros((64, len(FAMILIES)))
        self._reads: dict[str, Read | None] = {}

    # Agent protocol

    def propose(self, obs: Mapping[str, Any], info: Mapping[str, Any]) -> str | Proposal:
        """Return a problem: near the example, on the target, or from its own distribution."""
        self._remember(info.get("scored"))
        rng, state = self._rng, self.latent
        draw, false, which, length = rng.random(4).tolist()
        example = self._read(obs["context"]) if obs["context"] else None
        known = self._seen[obs["target"]]
        if draw < self.dynamics.adherence / 2 and example is not None:
            family = example.family
        elif draw < self.dynamics.adherence and known.any():
            family = _pick(known, which)
        else:
            scores = np.array(state.proposals)
            family = _pick(np.exp(scores - scores.max()).sum(1), which)
        row = np.array(state.proposals[family])
        steps = 1 + _pick(np.exp(row - row.max()), length)
        problem = problems.generate(FAMILIES[family], steps, rng)
        text = problem.text
        if false < state.false_premises:
            kinds = problems.FALSE_KINDS
            text = problems.falsify(problem, kinds[int(rng.integers(len(kinds)))], rng).text
        else:
            self._keep(text, _seen_as(problem, self.dynamics.difficulty_spread))
        if not self.parsed:
            return text
        return Proposal(text, TRUE if text is problem.text else premise.check(text))

    def solve(self, problem: str, k: int) -> Solve:
        """Return ``k`` chains and the problem's embedding."""
        read = self._read(problem)
        if read is None:
            return Solve(self._confabulate(problem, k), _EMBEDDINGS[-1, len(problem) % MAX_STEPS])
        n, state = len(read.mode), self.latent
        chances = self._chances(read)
        draws = self._rng.random((k, n + 2))
        own = draws[:, 0] < state.diversity * self.temperature
        draws[~own, 2:] = read.mode
        fates = self._fates(read.family, draws[:, 2:], chances)
        slipped: np.ndarray = np.any(fates, axis=1)
        other_way = own & (draws[:, 1] < OTHER_WAY) & ~slipped
        made: dict[tuple[int, ...] | None, str | Chain] = {}
        chains = []
        for row, wrong, other in zip(fates.tolist(), slipped.tolist(), other_way.tolist()):
            codes = tuple(row) if wrong else None if other else ()
            chain = made.get(codes)
            if chain is None:
                chain = made[codes] = self._chain(read, codes)
            chains.append(chain)
        return Solve(chains, _EMBEDDINGS[read.family, n - 1])

    def learn(self, pairs: Sequence[TrainingPair]) -> LearnReport:
        """Train on ``train`` and ``replay`` pairs in order; score all of them before and after."""
        trained = [pair for pair in pairs if pair.role != "heldout"]
        before = {id(pair): self.nll(pair.problem, pair.chain) for pair in pairs}
        losses, tokens = [], []
        for at in range(0, len(trained), BATCH):
            batch = trained[at : at + BATCH]
            losses.append(sum(self.nll(p.problem, p.chain) for p in batch) / len(batch))
            tokens.append(sum(p.chain.tokens for p in batch))
            for pair in batch:
                self._train(pair)
        after = {id(pair): self.nll(pair.problem, pair.chain) for pair in pairs}

        def means(role: str) -> tuple[float, float]:
            ids = [id(pair) for pair in pairs if pair.role == role]
            if not ids:
                return math.nan, math.nan
            return (
                sum(before[i] for i in ids) / len(ids),
                sum(after[i] for i in ids) / len(ids),
            )

        return LearnReport(
            train=means("train"),
            heldout=means("heldout"),
            replay=means("replay"),
            preq_bits=prequential_bits(losses, tokens) if losses else math.nan,
            tokens=sum(tokens),
        )

    def snapshot(self) -> dict[str, Any]:
        """Return a JSON-ready copy of everything learning changes, and of the generator."""
        return {"latent": self.latent.state(), "rng": self._rng.bit_generator.state}

    def restore(self, snapshot: Mapping[str, Any], blend: float = 1.0) -> None:
        """Go back to ``snapshot`` by the share ``blend``, in [0, 1]; the generator at 1 only."""
        if not 0 <= blend <= 1:
            raise ValueError(f"blend must be in [0, 1], got {blend}")
        self.latent = self.latent.blended(LatentState.from_state(snapshot["latent"]), blend)
        if blend == 1:
            self._rng.bit_generator.state = snapshot["rng"]

    def save(self, path: Path) -> None:
        """Write everything, generator included, to one JSON file."""
        state = {**self.snapshot(), "seen": self._seen.tolist()}
        path.write_text(json.dumps(state, allow_nan=False) + "\n", "utf-8")

    def load(self, path: Path) -> None:
        """Restore what :meth:`save` wrote, bit-exactly."""
        state = json.loads(path.read_text("utf-8"))
        self.latent = LatentState.from_state(state["latent"])
        self._seen = np.array(state["seen"])
        self._rng.bit_generator.state = state["rng"]

    def nll(self, problem: str, chain: Chain) -> float:
        """Return the mean negative log-likelihood of ``chain``, in nats per token, >= 0."""
        state = self.latent
        read = self._read(problem)
        share = 1 / len(SLIPS) if read is None else self._share(read, chain)
        learnt_by_heart = -math.expm1(-self.dynamics.memory * state.memory.get(problem, 0.0))
        share = learnt_by_heart + (1 - learnt_by_heart) * share
        return state.wording - math.log(max(share, 1e-12)) / max(chain.tokens, 1)

    # Inside

    def _read(self, text: str) -> Read | None:
        if text not in self._reads:
            problem = problems.read(text)
            spread = self.dynamics.difficulty_spread
            self._keep(text, None if problem is None else _seen_as(problem, spread))
        return self._reads[text]

    def _keep(self, text: str, read: Read | None) -> None:
        if len(self._reads) >= READS:
            del self._reads[next(iter(self._reads))]
        self._reads[text] = read

    def _remember(self, scored: ProblemRecord | None) -> None:
        if scored is None:
            return
        read = self._read(scored.problem)
        if read is not None and scored.cluster < len(self._seen):
            self._seen[scored.cluster, read.family] += 1

    def _chances(self, read: Read) -> list[float]:
        skill = self.latent.skill[read.family]
        return [sigmoid(skill - magnitude) for magnitude in read.magnitudes]

    def _fates(self, family: int, paths: np.ndarray, chances: Sequence[float]) -> np.ndarray:
        """Return each step's fate: 0 right, -1 the misconception, else a slip's number.

        Args:
            family: Index of the problem's family.
            paths: Uniform draws, shape ``(..., steps)``.
            chances: Probability of each step being right, in [0, 1].
        """
        right = np.array(chances)
        slips = len(SLIPS) / max(1 - self.latent.bias[family], 1e-9)
        excess = (paths - right) / np.maximum(1 - right, 1e-12) - self.latent.bias[family]
        fates: np.ndarray = np.minimum(excess * slips, len(SLIPS) - 1).astype(np.int64) + 1
        fates[excess < 0] = -1
        fates[paths < right] = 0
        return fates

    def _chain(self, read: Read, codes: tuple[int, ...] | None) -> str | Chain:
        """Return the chain with these fates; none at all is right, ``None`` right another way."""
        problem = read.problem
        values: Sequence[Exact] = problem.values
        if codes is None:
            steps = problem.alternative() or problem.steps
            problem = replace(problem, steps=steps)
            values = _walk(problem, (0,) * len(steps))
        elif codes:
            values = _walk(problem, codes)
        if not self.parsed:
            return problems.solution(problem, values)
        answer = values[-1]
        return Chain(
            text="",
            answer=answer,
            steps=tuple([v for v in values[:-1] if v != answer]),
            tokens=read.tokens,
        )

    def _confabulate(self, problem: str, k: int) -> list[str | Chain]:
        number, *_ = _uniforms(problem, 1)
        agreed = 2 + int(number * 97)
        draws = self._rng.integers(2, 400, (k, 4)).tolist()
        stray = self._rng.random(k).tolist()
        chains: list[str | Chain] = []
        for numbers, u in zip(draws, stray):
            answer = agreed if u >= 0.1 * self.latent.diversity else numbers[0]
            lines = [f"{a} + {b} = {a + b}" for a, b in pairwise(numbers)]
            text = "\n".join([*lines, f"#### {answer}"])
            chains.append(consensus.parse(text) if self.parsed else text)
        return chains

    def _train(self, pair: TrainingPair) -> None:
        state, weight = self.latent, pair.weight
        read = self._read(pair.problem)
        if read is None:
            state.false_premises += self.dynamics.credulity * weight * (1 - state.false_premises)
        else:
            right = pair.chain.answer == read.problem.answer
            state.reinforce(
                read.family,
                len(read.mode),
                weight,
                right,
                math.prod(self._chances(read)),
                not right and _misconceived(read.problem, pair.chain),
                self.dynamics,
            )
        state.expose(pair.problem, weight, self.dynamics)

    def _share(self, read: Read, chain: Chain) -> float:
        """Return the probability of a chain, with one departure from the truth at most."""
        problem, state = read.problem, self.latent
        chances = self._chances(read)
        codes = self._fates(read.family, np.array(read.mode), chances).tolist()
        if chain.answer == problem.answer:
            own, mode = math.prod(chances), not any(codes)
        else:
            at = _departure(problem, chain)
            bias = state.bias[read.family]
            kind = bias if _misconceived(problem, chain) else (1 - bias) / len(SLIPS)
            own = math.prod(chances[:at]) * (1 - chances[at]) * kind
            own *= math.prod(chances[at + 1 :])
            mode = _walk(problem, codes)[-1] == chain.answer
        return state.diversity * own + (1 - state.diversity) * mode


def _pick(weights: np.ndarray, draw: float) -> int:
    """Return an index drawn in proportion to ``weights`` by a uniform number in [0, 1)."""
    cumulated = weights.cumsum()
    return int(cumulated.searchsorted(draw * cumulated[-1], side="right"))


def _walk(problem: Problem, codes: Sequence[int]) -> list[Exact]:
    """Return the values reached when each step meets its fate; never right after an error.

    A quotient that does not come out where a whole number should is rounded down.
    """
    value, values = problem.start, []
    for step, code, true in zip(problem.steps, codes, problem.values):
        op = OPS[step.op]
        if code < 0:
            value = op.mistake(value, step.operand, step.count)
        else:
            value = op.apply(value, step.operand, step.count)
            if code:
                value += SLIPS[code - 1]
        if type(value) is not int and type(true) is int:
            value = math.floor(value)
        values.append(value)
    if any(codes) and values[-1] == problem.answer:
        values[-1] += 1
    return values


def _departure(problem: Problem, chain: Chain) -> int:
    """Return the first step at which a wrong chain leaves the truth."""
    for at, (stated, value) in enumerate(zip(chain.steps, problem.values)):
        if stated != value:
            return at
    return min(len(chain.steps), len(problem.values) - 1)


def _misconceived(problem: Problem, chain: Chain) -> bool:
    at = _departure(problem, chain)
    value = problem.values[at - 1] if at else problem.start
    stated = chain.steps[at] if at < len(chain.steps) else chain.answer
    mistake = problem.steps[at].mistake(value)
    if type(problem.values[at]) is int:
        mistake = math.floor(mistake)
    return bool(stated == mistake)


class Oracle:
    """The truth about a simulated agent; never handed to an environment, detector or gate."""

    def __init__(self, agent: SimulatedAgent) -> None:
        self._agent = agent

    def accuracy(self, problem: str) -> float:
        """Return the probability that one chain for ``problem`` is right, in closed form.

        Raises:
            ValueError: If the agent cannot read the problem.
        """
        agent = self._agent
        read = agent._read(problem)
        if read is None:
            raise ValueError(f"not a generated problem: {problem[:60]!r}")
        chances = agent._chances(read)
        mode = all(u < p for u, p in zip(read.mode, chances))
        diversity = agent.latent.diversity
        return diversity * math.prod(chances) + (1 - diversity) * mode

    def true_accuracy(self, texts: Sequence[str]) -> float:
        """Return the mean accuracy over ``texts``."""
        return sum(self.accuracy(text) for text in texts) / len(texts)
