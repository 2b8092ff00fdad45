"""Steps a second of the numeric environments, against Gymnasium's CartPole in the same run.

CartPole and the environment take turns on one core, and CPU time is counted, so that what else the
machine does hits both. Part of ``argus-gym bench throughput``.
"""

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

import gymnasium as gym
import numpy as np

import argus_gym  # noqa: F401
from argus_gym.wrappers.vector import VectorERCVGate, VectorLieDetectors

__all__ = ["SWEEPS", "plot", "rates", "run", "slope", "sweep", "watching"]

ID, RIVAL = "ArgusCurriculum-v0", "CartPole-v1"
ROUND = 64
SWEEPS: dict[str, tuple[int, ...]] = {
    "k": (4, 8, 14, 32, 64),
    "families": (6, 12, 24, 48),
    "num_envs": (64, 256, 1024, 4096),
}
"""Values of each size whose cost is swept; the others stay at k = 14, 12 families, 1,024 copies."""

Step = Callable[[], object]


def _vector(seed: int, copies: int, **settings: Any) -> Step:
    """Return a function that takes one step with all copies, actions drawn beforehand."""
    env = gym.make_vec(ID, copies, **settings)
    return _stepper(env, seed)


def _stepper(env: gym.vector.VectorEnv[Any, Any, Any], seed: int) -> Step:
    env.reset(seed=seed)
    env.action_space.seed(seed)
    actions = [env.action_space.sample() for _ in range(ROUND)]
    turn = 0

    def step() -> None:
        nonlocal turn
        env.step(actions[turn % ROUND])
        turn += 1

    return step


def _single(name: str, seed: int) -> Step:
    """Return a function that takes one step of an environment as ``gym.make`` gives it."""
    env = gym.make(name)
    env.reset(seed=seed)
    env.action_space.seed(seed)
    actions = [env.action_space.sample() for _ in range(4096)]
    turn = 0

    def step() -> None:
        nonlocal turn
        *_, terminated, truncated, _ = env.step(actions[turn % 4096])
        turn += 1
        if terminated or truncated:
            env.reset()

    return step


def _timed(step: Step, times: int) -> float:
    start = time.process_time()
    for _ in range(times):
        step()
    return (time.process_time() - start) / times


def rates(seed: int = 0, repeats: int = 9, copies: int = 1024) -> dict[str, dict[str, float]]:
    """Return steps a second and their ratio to CartPole's, vectorised and single.

    Args:
        seed: Seed of environments and actions.
        repeats: Turns of each, >= 1; medians are returned.
        copies: Copies of the vector environments, >= 1.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}")
    rival = gym.make_vec(RIVAL, copies, vectorization_mode="vector_entry_point")
    pairs = {
        "vector": (_vector(seed, copies), _stepper(rival, seed), 2 * ROUND, 20 * ROUND, copies),
        "single": (_single(ID, seed), _single(RIVAL, seed), 16 * ROUND, 160 * ROUND, 1),
    }
    out = {}
    for name, (ours, theirs, our_steps, their_steps, each) in pairs.items():
        # A whole round first: the first one allocates.
        _timed(ours, ROUND)
        turns = [(_timed(ours, our_steps), _timed(theirs, their_steps)) for _ in range(repeats)]
        out[name] = {
            "steps_per_second": each / median(own for own, _ in turns),
            "best_steps_per_second": each / min(own for own, _ in turns),
            "cartpole_steps_per_second": each / median(other for _, other in turns),
            "ratio": median(other / own for own, other in turns),
            "best_ratio": max(other / own for own, other in turns),
        }
    return out


def sweep(seed: int = 0, repeats: int = 5) -> dict[str, list[tuple[int, float]]]:
    """Return the CPU seconds of one step of the whole batch for each value in ``SWEEPS``.

    The values of one size take turns within a repeat; medians are returned.
    """
    out = {}
    for name, values in SWEEPS.items():
        given = [{"copies": 1024} | {"copies" if name == "num_envs" else name: v} for v in values]
        steps = [_vector(seed, **arguments) for arguments in given]
        for step in steps:
            _timed(step, ROUND)
        turns = [[_timed(step, ROUND) for step in steps] for _ in range(repeats)]
        out[name] = [(v, median(c)) for v, c in zip(values, zip(*turns, strict=True), strict=True)]
    return out


def slope(costs: list[tuple[int, float]]) -> float:
    """Return the steepest growth between neighbouring sizes on log axes; 1 is linear."""
    sizes, seconds = np.log(np.array(costs, float)).T
    return float((np.diff(seconds) / np.diff(sizes)).max())


def watching(seed: int = 0, copies: int = 64, rounds: int = 8) -> dict[str, float]:
    """Return CPU seconds of a copy's round bare, with all detectors, and with the gate as well.

    Args:
        seed: Seed.
        copies: Copies, >= 1.
        rounds: Rounds of the run: detectors read the whole history, >= 1.
    """
    out = {}
    for name in ("bare", "detectors", "gate"):
        env: gym.vector.VectorEnv[Any, Any, Any] = gym.make_vec(ID, copies, rounds=rounds)
        if name == "gate":
            env = VectorERCVGate(env)
        if name != "bare":
            env = VectorLieDetectors(env, defend=False)
        seconds = _timed(_stepper(env, seed), rounds * ROUND)
        out[name] = seconds * ROUND / copies
    return out


def run(seed: int = 0, repeats: int = 9) -> dict[str, Any]:
    """Measure everything; JSON-ready."""
    costs = sweep(seed, repeats)
    return {
        "seed": seed,
        "repeats": repeats,
        "rates": rates(seed, repeats),
        "sweep": costs,
        "slopes": {name: slope(points) for name, points in costs.items()},
        "watching": watching(seed),
    }


def plot(costs: Mapping[str, list[tuple[int, float]]]) -> Any:
    """Return a Matplotlib figure: the cost of a step over each size, with a line of slope 1."""
    from matplotlib.figure import Figure

    labels = {"k": "chains k", "families": "families K", "num_envs": "copies"}
    figure = Figure(figsize=(9, 3), layout="constrained")
    axes = figure.subplots(1, len(costs), sharey=True)
    for axis, (name, points) in zip(axes, costs.items(), strict=True):
        sizes, seconds = np.array(points, float).T
        axis.loglog(sizes, 1e3 * seconds, "o-", color="#3b6ea5", label="measured")
        linear = 1e3 * seconds[-1] * sizes / sizes[-1]
        axis.loglog(sizes, linear, "--", color="#999999", label="linear")
        axis.set_xticks(sizes, [f"{int(size):,}" for size in sizes])
        axis.minorticks_off()
        axis.set_xlabel(labels[name])
    axes[0].set_ylabel("CPU ms a step of the batch")
    axes[0].legend(frameon=False)
    return figure
