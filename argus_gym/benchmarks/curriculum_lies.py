"""Planted failures on the numeric environment: does each detector catch its own there as well.

``python -m argus_gym.benchmarks.curriculum_lies`` prints one line of JSON. Thresholds are those
tuned on the text environment; actions are random and nothing defends.
"""

import argparse
import json
from typing import Any

import gymnasium as gym
import numpy as np

import argus_gym  # noqa: F401
from argus_gym.agents.mechanisms import MECHANISMS
from argus_gym.defences import Defence, Order
from argus_gym.intervals import wilson
from argus_gym.wrappers import DETECTORS
from argus_gym.wrappers.vector import VectorLieDetectors

__all__ = ["first_alarms", "run"]

ONSET, ROUNDS, SIZE, NEVER = 6, 15, 64, 99


def first_alarms(mechanism: str | None, copies: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Return the round of each detector's first alarm in each copy, ``NEVER`` without one.

    Alarms before the onset are left out where a failure is planted.

    Args:
        mechanism: A key of ``MECHANISMS``, ``None`` for quiet copies.
        copies: Number of copies, >= 1.
        seed: Seed of copies and actions.
    """
    planted = {} if mechanism is None else {"mechanism": mechanism, "onset": ONSET}
    settings: dict[str, Any] = {"learner": "quiet", "anchor_items": 16, "adherence": 0.5, **planted}
    env = VectorLieDetectors(gym.make_vec("ArgusCurriculum-v0", copies, **settings), defend=False)
    base: Any = env.unwrapped
    env.reset(seed=seed)
    env.action_space.seed(seed)
    first = {name: np.full(copies, NEVER) for name in DETECTORS}
    for step in range(ROUNDS * SIZE):
        *_, infos = env.step(env.action_space.sample())
        round_ = step // SIZE
        if "fired" not in infos:
            continue
        if mechanism == "H" and round_ == ONSET - 1:
            # A curriculum can only tip after a defence where there was a defence.
            for copy in range(copies):
                base.order(copy, Order(Defence.DECAY_REPLAY, "planted"))
        if mechanism is None or round_ >= ONSET:
            for name, fired in infos["fired"].items():
                first[name] = np.where(fired, np.minimum(first[name], round_), first[name])
    return first


def run(copies: int = 40, seed: int = 0) -> dict[str, Any]:
    """Return alarms on quiet copies and detections of each planted failure, JSON-ready."""
    quiet = np.min(list(first_alarms(None, copies, seed).values()), axis=0) < NEVER
    out: dict[str, Any] = {"n": copies, "seed": seed, "quiet": _share(quiet)}
    for mechanism in sorted(MECHANISMS):
        first = first_alarms(mechanism, copies, seed)
        own = [at for name, at in first.items() if DETECTORS[name].lie == mechanism]
        out[mechanism] = _share(np.min(own, axis=0) < ONSET + 3)
    return out


def _share(hits: np.ndarray) -> dict[str, Any]:
    count = int(hits.sum())
    return {"count": count, "interval": list(wilson(count, len(hits)))}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(json.dumps(run(arguments.copies, arguments.seed)))


if __name__ == "__main__":
    main()
