"""What the tests of the detectors share: records made by hand, and runs on planted failures."""

import gymnasium as gym

import argus_gym  # noqa: F401
from argus_gym.agents import rollout
from argus_gym.agents.mechanisms import PlantedAgent
from argus_gym.benchmarks.worlds import Plan
from argus_gym.records import LearnReport, Premise, ProblemRecord, RetestItem, RoundRecord


def problem(**changes):
    fields = {
        "problem": "Add 1 and 2. What is it?",
        "cluster": 0,
        "target": 1,
        "zone": "frontier",
        "outcome": 0.6,
        "process": 0.5,
        "combined": 0.55,
        "answer": 3,
        "premise": Premise(True),
        "length_mean": 20.0,
        "length_sd": 2.0,
        "variety": 0.5,
        "source": "own",
    }
    return ProblemRecord(**(fields | changes))


def record(index, problems, **changes):
    fields = {
        "round": index,
        "problems": tuple(problems),
        "retests": (),
        "report": LearnReport(),
        "trained": 0,
        "replayed": 0,
        "heldout": 0,
        "mean_reward": 0.5,
        "skill": 0.5,
        "gauges": {},
        "map": {},
        "request": (14.0, 1.0),
        "answers": {},
        "tokens": {},
    }
    return RoundRecord(**(fields | changes))


def detector(cls, **arguments):
    """Return a detector that defends nothing, around a small environment."""
    env = gym.make("ArgusSelfImprove-v0", rounds=10, problems_per_round=32, anchor_items=16)
    return cls(env, defend=False, **arguments)


def first_alarm(cls, mechanism, seed, on_round=None):
    """Return the round of the first alarm on a planted failure, ``None`` without one."""
    env = detector(cls)
    hook = None if on_round is None else on_round(env.unwrapped)
    lies = rollout(env, PlantedAgent(seed, mechanism), seed=seed, on_round=hook).lies
    return next((lie.round for lie in lies if lie.fired), None)


def retested(index, items=(), **changes):
    """Return a record with retests whose learning gauges are up; problems only where given."""
    up = {"epi_train": 0.02, "epi_heldout": 0.01}
    fields = {"problems": (), "retests": tuple(items), "gauges": up} | changes
    return record(index, fields.pop("problems"), **fields)


def item(name, before, after, cluster=0, anchor=True, chains=8, modes=(None, None)):
    """Return a retested item; a modal share not given is the larger of right and wrong."""
    shares = [
        max(right, chains - right) / chains if mode is None else mode
        for right, mode in zip((before, after), modes, strict=True)
    ]
    return RetestItem(f"item {name}", cluster, anchor, chains, before, after, *shares)


def world_alarm(cls, world, seed, severity=1.0):
    """Return the round of the first alarm in a benchmark world, onset in round 6, else ``None``."""
    plan = Plan(seed, onset=6, severity=severity, shape="cliff")
    env = cls(world.env(plan), defend=False)
    lies = rollout(env, world.agent(plan), seed=seed).lies
    return next((lie.round for lie in lies if lie.fired), None)
