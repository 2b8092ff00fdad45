"""Hostile actions by the thousand; ``ARGUS_FUZZ=100000 pytest -s tests/test_fuzz.py`` is long.

Prints the slowest step; there is no wall-clock bound in the test itself.
"""

import json
import os
import time

import gymnasium as gym
import numpy as np
import pytest

import argus_gym  # noqa: F401
from argus_gym import premise, problems
from argus_gym.agents import SimulatedAgent
from argus_gym.records import Chain, LearnReport, Solve, encode
from argus_gym.spaces import Phase

COUNT = int(os.environ.get("ARGUS_FUZZ", "3000"))

PIECES = (
    "12", "3/4", "50%", "-7", "1,410", "$72", "7 1/2", "0.5", ".5", "9" * 400, "1e9999", "=", "==",
    "#### ", "\\boxed{", "{" * 50, "}" * 50, "\\frac{1}{", "the answer is ", "<<3*4=12>>", "\n",
    "\x00", "\x1b[31m", "\u202e", "\ud800", "é√½²", "١٢٣", "🦆", "9^9^9^9", "(" * 80, "2**2**2",
    "the 5th prime is ", "17 is divisible by 0", "120% of the children", "Tom has -3 dogs. ",
    "x", "nan", "inf", "__import__('os')", "{{7*7}}", "%s%n",
    "A: ", '{"answer": ', " " * 30, ". ", ", and ",
    "half of ", "apples", "gives away ", "in total ", "square root of ", " is ", "prime number ",
)  # fmt: skip


def text(rng):
    parts = [PIECES[i] for i in rng.integers(len(PIECES), size=rng.integers(0, 14))]
    kind = rng.random()
    if kind < 0.02:
        return PIECES[rng.integers(len(PIECES))] * int(rng.integers(1, 200_000))
    if kind < 0.1:
        return problems.generate("shopping", int(rng.integers(1, 9)), rng).text + "".join(parts)
    return "".join(parts)


def action(rng, k):
    kind = rng.random()
    if kind < 0.25:
        return text(rng)
    if kind < 0.7:
        return [text(rng) for _ in range(k)]
    if kind < 0.75:
        return [text(rng) for _ in range(rng.integers(0, 20))]
    if kind < 0.8:
        odd = [float("nan"), float("inf"), -1.0, 0.0, 1e300]
        pick = lambda: odd[rng.integers(len(odd))]  # noqa: E731
        return LearnReport(*[(pick(), pick()) for _ in range(3)], preq_bits=pick())
    if kind < 0.9:
        size = int(rng.integers(0, 40))
        return Solve([text(rng) for _ in range(k)], rng.standard_normal(size) * 10.0**size)
    if kind < 0.95:
        return Solve([Chain("", 3, (1, 2)), *[text(rng) for _ in range(k - 1)]])
    return (int(rng.integers(0, 3)), text(rng)) if rng.random() < 0.5 else (0, text(rng))


def state(env):
    e = env.unwrapped
    generators = [generator.bit_generator.state for generator in e._rng.values()]
    parts = [
        generators,
        e.map.state(),
        e.buffer.state(),
        len(e._round.scored),
        e._phase,
        e._problem,
    ]
    return json.dumps(encode(parts))


@pytest.mark.filterwarnings("ignore:overflow")
def test_fuzz():
    premise.check("The 5th prime is 11.")  # pays for the import of SymPy, once a process
    rng = np.random.default_rng(np.random.SeedSequence((2026, COUNT)))
    env = gym.make("ArgusSelfImprove-v0", rounds=3, problems_per_round=6, k=5, retest_chains=3)
    obs, info = env.reset(seed=0)
    agent, slowest, invalid, accepted = SimulatedAgent(0), 0.0, 0, 0
    for _ in range(COUNT):
        k = int(obs["request"][0])
        if rng.random() < 0.3:
            if obs["phase"] == Phase.PROPOSE:
                made = agent.propose(obs, info)
            elif obs["phase"] == Phase.LEARN:
                made = agent.learn(info["training_pairs"])
            else:
                made = agent.solve(obs["problem"], k)
        else:
            made = action(rng, k)
        before = state(env) if rng.random() < 0.02 else None
        start = time.perf_counter()
        try:
            obs, reward, terminated, truncated, info = env.step(made)
        except TypeError as error:
            assert "must be" in str(error)  # noqa: PT017
            continue
        slowest = max(slowest, time.perf_counter() - start)
        assert obs in env.observation_space and np.isfinite(reward)
        if "invalid" in info:
            invalid += 1
            assert reward == env.unwrapped.penalty
            assert before is None or state(env) == before
        else:
            accepted += 1
            assert 0 <= reward <= 1
        if terminated or truncated:
            obs, info = env.reset(seed=int(rng.integers(2**31)))
    print(f"{COUNT} actions: {accepted} accepted, {invalid} invalid, slowest {slowest:.4f} s")
    assert accepted > COUNT / 10 and invalid > COUNT / 10
