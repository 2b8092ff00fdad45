"""One run of ``bench llm``: a loop with real weights, what is true of it and what is said of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np

from argus_gym import answers, consensus
from argus_gym.agents import rollout
from argus_gym.agents.prompts import solver_messages
from argus_gym.agents.tiny import held_out
from argus_gym.benchmarks.watch import signals
from argus_gym.gauges import pass_at_k
from argus_gym.problems import FAMILIES, Problem, generate, read
from argus_gym.records import Chain, RoundRecord, TrainingPair
from argus_gym.wrappers import DETECTORS, ERCVGate, stack
from argus_gym.wrappers.diagnosis import diagnose, slopes
from argus_gym.wrappers.ensemble import ALPHA, average_e

if TYPE_CHECKING:
    from argus_gym.agents.hf import HFAgent

__all__ = ["RATE", "START", "Evaluation", "Size", "held_problems", "play"]

START = "start"
"""The job that measures a seed's model before any learning."""

RATE = 1e-3
"""The learning rate of ``tiny_agent``."""

K = 16
HELD_STEPS = (1, 2, 4, 6)
ANCHORS, PAST = 12, 4
DIGITS = 5


@dataclass(frozen=True, slots=True)
class Size:
    """How large a run is.

    Attributes:
        rounds: Rounds.
        problems: Problems a round.
        every: Learning steps from one evaluation to the next.
        kinds: Held-out problems of each family and length; at 0, of every fourth of these only.
    """

    rounds: int
    problems: int
    every: int
    kinds: int


def held_problems(per_kind: int) -> list[Problem]:
    """Return the held-out problems: of each family, ``per_kind`` with 1, 2, 4 and 6 steps each.

    None of their worked solutions was in the training of argus-tiny.

    Args:
        per_kind: At 0, only every fourth of one each.
    """
    rng = np.random.default_rng(np.random.SeedSequence((0, 0x4E1D)))
    found: dict[str, Problem] = {}
    for family in FAMILIES:
        for steps in HELD_STEPS:
            size = len(found) + max(per_kind, 1)
            while len(found) < size:
                problem = generate(family, steps, rng)
                if held_out(problem):
                    found.setdefault(problem.text, problem)
    return list(found.values())[:: 1 if per_kind else 4]


def play(model: str, arm: str, seed: int, rate: float, size: Size) -> dict[str, Any]:
    """Play one run of an arm; JSON-ready.

    Args:
        model: Local path or hub name.
        arm: A key of ``llm.ARMS``, or ``START``.
        seed: Seed of environment and learner.
        rate: Learning rate.
        size: How large the run is.

    Returns:
        ``evaluated`` (learning steps before each evaluation), ``pass_1`` and ``pass_16`` on the
        held-out problems; with ``START`` nothing else. By round the plain signals, ``right``
        (share of the readable problems whose consensus is right), ``readable``, ``false`` (share
        with a false premise), ``different`` and ``pairs_right`` (share of the readable new pairs
        whose chain is right, before the arm changes them); ``scores`` of every detector, ``fired``
        and ``warned`` (rounds), ``named`` (the diagnosis at the first alarm); ``decisions``,
        ``targets``, ``defences``; ``answers`` and ``tokens`` by use.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _play(model, arm, seed, rate, size)
    finally:
        torch.set_num_threads(threads)


def _play(model: str, arm: str, seed: int, rate: float, size: Size) -> dict[str, Any]:
    from argus_gym.benchmarks.llm_arms import make_agent

    env: gym.Env[Any, Any] = gym.make(
        "argus_gym:ArgusSelfImprove-v0",
        rounds=size.rounds,
        problems_per_round=size.problems,
        anchor_items=ANCHORS,
        past_items=PAST,
    )
    if arm.startswith("stack "):
        env = stack(env, arm.removeprefix("stack "))
    elif "gate " in arm:
        env = ERCVGate(env, rule=arm.partition("gate ")[2])
    agent = make_agent(arm, model, seed, rate)
    start = env.reset(seed=seed)
    base: Any = env.unwrapped
    pools = base._pools
    taken = pools.reserved | set(pools.external)
    held = [p for p in held_problems(size.kinds) if p.text not in taken]
    secret = {p.text for p in held}
    evaluate = Evaluation(agent, held, seed)
    if arm == START:
        evaluate(0)
        return evaluate.found
    learn = agent.learn
    pairs_right: list[float | None] = []
    trained = 0

    def watched(pairs: Sequence[TrainingPair]) -> Any:
        nonlocal trained
        report = learn([pair for pair in pairs if pair.problem not in secret])
        trained += report.tokens
        used = [(read(p.problem), p.chain) for p in pairs if p.role == "train"]
        pairs_right.append(_mean([answers.right(c, q.answer) for q, c in used if q is not None]))
        return report

    agent.learn = watched  # type: ignore[method-assign]

    def on_round(record: RoundRecord) -> None:
        if (record.round + 1) % size.every == 0 or record.round + 1 == size.rounds:
            evaluate(record.round + 1)

    history = rollout(env, agent, start=start, on_round=on_round).rounds
    series = [signals(record) | _truth(record) for record in history]
    return {
        "held": len(held),
        **evaluate.found,
        "by_round": {name: [_plain(row[name]) for row in series] for name in series[0]},
        "pairs_right": pairs_right,
        **_watched(env, history),
        "decisions": [r.verdict.decision if r.verdict else "" for r in history],
        "targets": [r.verdict.target if r.verdict else "" for r in history],
        "defences": [list(r.defences) for r in history],
        "answers": {use: sum(r.answers[use] for r in history) for use in ("solve", "retest")},
        "tokens": {
            **{use: sum(r.tokens[use] for r in history) for use in ("solve", "retest")},
            "train": trained,
        },
    }


class Evaluation:
    """Answers the held-out problems, with the same draws each time: equal weights agree.

    Args:
        agent: Whose solver is measured; its own draws stay as they are.
        held: The problems.
        seed: Seed of the draws.

    Attributes:
        found: ``evaluated``, ``pass_1`` and ``pass_16``, a list each.
    """

    def __init__(self, agent: "HFAgent", held: Sequence[Problem], seed: int) -> None:
        # Sorted, so that a batch does not wait for one long chain.
        self.held = sorted(held, key=lambda p: (len(p.steps), len(p.text)))
        self.agent, self.seed = agent, seed
        self.found: dict[str, list[Any]] = {"evaluated": [], "pass_1": [], "pass_16": []}
        self._known: dict[str, tuple[float, float]] = {}

    def __call__(self, steps: int) -> None:
        """Measure the present weights, after ``steps`` learning steps."""
        key = self.agent.snapshot()["adapters"]
        if key not in self._known:
            self._known[key] = self._measure()
        self.found["evaluated"].append(steps)
        for name, value in zip(("pass_1", "pass_16"), self._known[key], strict=True):
            self.found[name].append(value)

    def _measure(self) -> tuple[float, float]:
        lm = self.agent.lm
        chains = lm.sample(
            [lm.render(solver_messages(p.text)) for p in self.held],
            K,
            role="solver",
            max_new_tokens=self.agent.max_new_tokens,
            temperature=self.agent.heat,
            seed=self.seed,
        )
        right = np.array(
            [
                sum(answers.right(consensus.parse(c.text), p.answer) for c in own)
                for p, own in zip(self.held, chains, strict=True)
            ]
        )
        one, many = (float(pass_at_k(K, right, k).mean()) for k in (1, K))
        return round(one, DIGITS), round(many, DIGITS)


def _truth(record: RoundRecord) -> dict[str, float]:
    """Return what is true of a round's problems; no detector reads it."""
    known = [(read(p.problem), p.answer) for p in record.problems]
    right = [answers.right(Chain("", said), q.answer) for q, said in known if q is not None]
    count = len(record.problems)
    return {
        "right": float(np.mean(right)) if right else np.nan,
        "readable": len(right) / count,
        "false": sum(not p.premise.ok for p in record.problems) / count,
        "different": len({p.problem for p in record.problems}) / count,
    }


def _watched(env: gym.Env[Any, Any], history: Sequence[RoundRecord]) -> dict[str, Any]:
    """Return what the detectors, the warning and the diagnosis say of a run."""
    judges = [cls(env, defend=False) for _, cls in sorted(DETECTORS.items())]
    scores: dict[str, list[float | None]] = {judge.name: [] for judge in judges}
    fired: dict[str, list[int]] = {judge.name: [] for judge in judges}
    warned: list[int] = []
    named = ""
    for at in range(len(history)):
        lies = {judge.name: judge.report(history[: at + 1]) for judge in judges}
        for name, report in lies.items():
            scores[name].append(_plain(report.score))
            if report.fired:
                fired[name].append(at)
        if average_e(lies) >= 1 / ALPHA:
            warned.append(at)
        if not named and any(report.fired for report in lies.values()):
            by_lie = {report.lie: report.score for report in lies.values()}
            shares = diagnose(by_lie, slopes(history[: at + 1]))
            named = max(shares, key=lambda lie: shares[lie])
    return {"scores": scores, "fired": fired, "warned": warned, "named": named}


def _mean(values: Sequence[bool]) -> float | None:
    return round(sum(values) / len(values), DIGITS) if values else None


def _plain(value: float) -> float | None:
    return round(float(value), DIGITS) if np.isfinite(value) else None
