"""The GPU benchmark's rounds: what the environment's own steps take of them."""

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

import gymnasium as gym

from argus_gym.agents.base import RunResult, rollout
from argus_gym.agents.simulated import SimulatedAgent
from argus_gym.benchmarks.gpu_parts import Bench
from argus_gym.records import Chain, Proposal, Solve
from argus_gym.wrappers import stack

__all__ = ["loop", "steps"]

ROUNDS = 3
PROSE = (
    "First we look at what the problem gives and at what it asks for, then we go on step by step, "
    "write down every number that we need and check each of them once more before we use it."
).split()


class _Stopwatch(gym.Wrapper[Any, Any, Any, Any]):
    """Sums the time spent in ``step``."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        self.spent, self.steps = 0.0, 0

    def step(self, action: Any) -> Any:
        start = time.perf_counter()
        try:
            return self.env.step(action)
        finally:
            self.spent += time.perf_counter() - start
            self.steps += 1


def loop(bench: Bench) -> dict[str, Any]:
    """Time one round with the v4 stack: what the environment's steps take, and all the rest.

    Random weights write nothing that could agree, so the model does all its work and the
    environment gets a simulated agent's texts: problems that hold, chains that vote, pairs to
    learn from.
    """
    from argus_gym.agents.hf import HFAgent

    words = SimulatedAgent(bench.seed)
    spent: dict[str, float] = {}

    class Worded(HFAgent):
        def propose(self, obs: Mapping[str, Any], info: Mapping[str, Any]) -> str:
            own, said = super().propose(obs, info), words.propose(obs, info)
            text = said.text if isinstance(said, Proposal) else said
            self._asked[text] = self._asked.pop(own)
            return text

        def solve(self, problem: str, k: int) -> Solve:
            own, said = super().solve(problem, k), words.solve(problem, k)
            return Solve(said.chains, own.embedding)

    longest = bench.shape.new_tokens
    agent = Worded(
        bench.model("bfloat16"),
        seed=bench.seed,
        max_new_tokens=longest,
        problem_tokens=min(160, longest),
    )
    for name in ("propose", "solve", "learn", "snapshot", "restore"):
        setattr(agent, name, _summed(getattr(agent, name), name, spent))
    inner = _Stopwatch(gym.make("argus_gym:ArgusSelfImprove-v0", **bench.shape.round))
    outer = _Stopwatch(stack(inner, "v4"))
    results: list[RunResult] = []
    wall = bench.timed(lambda: results.append(rollout(outer, agent, seed=bench.seed)))
    record = results[0].rounds[0]
    solved = len(record.problems)
    return {
        "share": outer.spent / wall,
        "wall_s": wall,
        "step_s": outer.spent,
        "environment_s": inner.spent,
        "wrappers_and_gate_s": outer.spent - inner.spent,
        "agent_s": spent,
        "steps": outer.steps,
        "problems": solved,
        "answers": dict(record.answers),
        "pairs": record.trained,
    }


def _summed(call: Callable[..., Any], name: str, spent: dict[str, float]) -> Callable[..., Any]:
    def timed(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        try:
            return call(*args, **kwargs)
        finally:
            spent[name] = spent.get(name, 0.0) + time.perf_counter() - start

    return timed


class _Wordy(SimulatedAgent):
    """A simulated agent whose chains have as many words as a long answer has tokens."""

    def __init__(self, seed: int, words: int) -> None:
        super().__init__(seed)
        self._words = words

    def solve(self, problem: str, k: int) -> Solve:
        found = super().solve(problem, k)
        return Solve([self._longer(chain) for chain in found.chains], found.embedding)

    def _longer(self, chain: str | Chain) -> str:
        text = chain.text if isinstance(chain, Chain) else chain
        lines, missing = [], self._words - len(text.split())
        while missing > 0:
            lines.append(" ".join(PROSE[:missing]))
            missing -= len(PROSE)
        return "\n".join([*lines, text])


def steps(bench: Bench) -> dict[str, Any]:
    """Time the steps of rounds of default size, without a model: chains as long as the model's.

    The first run is left out: it imports what the steps need.
    """
    settings = {**bench.shape.default_round, "rounds": ROUNDS}
    seconds, inside, problems = [], [], []
    for repeat in range(-1, 5):
        inner = _Stopwatch(gym.make("argus_gym:ArgusSelfImprove-v0", **settings))
        outer = _Stopwatch(stack(inner, "v4"))
        seed = bench.seed + max(repeat, 0)
        found = rollout(outer, _Wordy(seed, bench.shape.new_tokens), seed=seed)
        if repeat >= 0:
            seconds.append(outer.spent / ROUNDS)
            inside.append(inner.spent / ROUNDS)
            problems.append(sum(len(r.problems) for r in found.rounds) / ROUNDS)
    return {
        "seconds_a_round": seconds,
        "environment_s": median(inside),
        "problems": median(problems),
        "rounds": ROUNDS * len(seconds),
    }
