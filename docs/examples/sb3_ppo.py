"""Train Stable-Baselines3's PPO on the anchor reward; compare true accuracy with other curricula.

Every policy meets the same fresh learners, seeds 0 and up, which no training run has seen. The
truth is read after a run is over. Prints a table and a line of JSON.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from scipy.stats import t as student
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecNormalize

import argus_gym  # noqa: F401
from argus_gym.agents import CURRICULA, make_curriculum
from argus_gym.agents.sb3 import SB3VecEnv

ID = "ArgusCurriculum-v0"
# All anchors, 64 chains each: the reward is a small difference of two measured accuracies.
ANCHORS: dict[str, Any] = {"reward_mode": "anchor", "anchor_items": 72, "retest_chains": 64}
LEARNERS: dict[str, dict[str, Any]] = {
    "default": {},
    # More to learn, learnt faster, and more of it from long problems.
    "open": {"learner": "quiet", "dynamics": {"skill": 0.5, "headroom": 2.5, "learning": 0.4}},
}
# The best of eight on the learners of seeds 5000 to 5039.
FIXED = {"default": 2, "open": 8}
COPIES, RUN = 8, 15
PPO_ARGUMENTS: dict[str, dict[str, Any]] = {
    "round": {"n_steps": RUN, "batch_size": 60, "gamma": 0.9, "gae_lambda": 0.95},
    "problem": {"n_steps": 64 * RUN, "batch_size": 960, "gamma": 1.0, "gae_lambda": 0.99},
}
COMMON = {"n_epochs": 10, "learning_rate": 1e-3, "policy_kwargs": {"net_arch": [32]}}

Choose = Callable[[VectorEnv, dict[str, np.ndarray], dict[str, Any]], np.ndarray]


class RoundLength(VectorWrapper):
    """One decision a round, the length of its problems, while families take turns.

    The reward comes at a round's end and its problems share the credit. One choice for all 64
    changes it 64 times as much as a choice for one does, and the noise stays what it is.
    """

    def __init__(self, env: VectorEnv) -> None:
        super().__init__(env)
        self.families, lengths = (int(n) for n in env.single_action_space.nvec)
        self.single_action_space = gym.spaces.Discrete(lengths)
        self.action_space = gym.vector.utils.batch_space(self.single_action_space, self.num_envs)
        self.problems = env.unwrapped.settings.problems_per_round
        self.turn = 0

    def step(self, actions: np.ndarray) -> tuple:
        """Play one round in every copy."""
        paid = np.zeros(self.num_envs)
        for _ in range(self.problems):
            family = np.full(self.num_envs, self.turn % self.families)
            self.turn += 1
            seen, reward, *rest = self.env.step(np.stack([family, actions], axis=1))
            paid += reward
        return seen, paid, *rest


def make(learner: str, copies: int, decide: str, mode: AutoresetMode) -> VectorEnv:
    """Return copies of a learner, with one decision a round or one a problem."""
    env = gym.make_vec(ID, copies, autoreset_mode=mode, **ANCHORS, **LEARNERS[learner])
    return RoundLength(env) if decide == "round" else env


def train(learner: str, seed: int, steps: int, decide: str) -> PPO:
    """Train on at most ``steps`` problems, in whole batches."""
    given = PPO_ARGUMENTS[decide]
    env = SB3VecEnv(make(learner, COPIES, decide, AutoresetMode.SAME_STEP), terminal=True)
    normal = VecNormalize(env, gamma=given["gamma"], clip_obs=5.0)
    model = PPO("MultiInputPolicy", normal, seed=seed, device="cpu", **given, **COMMON)
    batch = COPIES * given["n_steps"]
    decisions = steps // 64 if decide == "round" else steps
    return model.learn(decisions // batch * batch)


def final(learner: str, seeds: Sequence[int], decide: str, choose: Choose) -> np.ndarray:
    """Return each learner's true accuracy after a run in which ``choose`` chose."""
    env = make(learner, len(seeds), decide, AutoresetMode.DISABLED)
    seen, infos = env.reset(seed=list(seeds))
    over = False
    while not over:
        seen, _, _, truncated, infos = env.step(choose(env, seen, infos))
        over = truncated.all()
    return env.unwrapped.true_accuracy()


def learned(model: PPO, seed: int) -> Choose:
    """Return the policy; it samples, as it did when it was trained."""
    torch.manual_seed(seed)
    normal = model.get_vec_normalize_env()
    return lambda env, seen, infos: model.predict(normal.normalize_obs(seen))[0]


def drawn(seed: int, choices: Sequence[int] | int) -> Choose:
    """Return the uniform choice."""
    rng = np.random.default_rng(seed)
    return lambda env, seen, infos: rng.integers(0, choices, env.action_space.shape)


def steered(name: str, seeds: Sequence[int]) -> Choose:
    """Return a curriculum over families for each copy, told as ``agents.steered.steer`` tells it.

    Lengths of 1 to 6 are drawn. No progress is measured, so that ``soar`` is left out.
    """
    each = [make_curriculum(name, arms=12) for _ in seeds]
    rngs = [np.random.default_rng(np.random.SeedSequence((seed, 0x57))) for seed in seeds]
    arms: list[int] = []

    def choose(env: VectorEnv, seen: dict[str, np.ndarray], infos: dict[str, Any]) -> np.ndarray:
        k = env.unwrapped.settings.k
        for curriculum, arm, outcome in zip(
            each if arms else (), arms, infos.get("outcome", ()), strict=True
        ):
            agreed = round(float(outcome) * k)
            curriculum.update(arm, [1.0] * agreed + [0.0] * (k - agreed))
            if "round_ended" in infos:
                curriculum.end_round()
        arms[:] = [c.choose(rng) for c, rng in zip(each, rngs, strict=True)]
        return np.array([arms, [int(rng.integers(6)) for rng in rngs]]).T

    return choose


def interval(gains: np.ndarray) -> tuple[float, float]:
    """Return mean and half the 95 % interval of gains by training run and learner.

    The variances of the rows' means and of the columns' means add up; both count the rest, so
    that the interval is wide rather than narrow. Student's t with the fewer degrees of freedom.
    """
    runs, learners = gains.shape
    variance = gains.mean(0).var(ddof=1) / learners
    freedom = learners - 1
    if runs > 1:
        variance += gains.mean(1).var(ddof=1) / runs
        freedom = min(freedom, runs - 1)
    return float(gains.mean()), float(student.ppf(0.975, freedom) * variance**0.5)


def main() -> None:
    """Train, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--learner", choices=LEARNERS, default="default")
    parser.add_argument("--decide", choices=PPO_ARGUMENTS, default="round")
    parser.add_argument("--steps", type=int, default=300_000)
    parser.add_argument("--seed", type=int, default=0, help="first training seed")
    parser.add_argument("--runs", type=int, default=5, help="training seeds; 0 for none")
    parser.add_argument("--learners", type=int, default=100, help="evaluation seeds")
    given = parser.parse_args()
    torch.set_num_threads(1)
    who, fresh = given.learner, range(given.learners)
    uniform = final(who, fresh, "problem", drawn(0, [12, 8]))
    print(f"{who}: {given.learners} learners; uniform ends at {uniform.mean():.3f}", flush=True)
    rows: dict[str, tuple[float, float]] = {}

    def tell(name: str, accuracy: np.ndarray) -> None:
        rows[name] = mean, half = interval(np.atleast_2d(accuracy) - uniform)
        print(f"{name:<28} {100 * mean:+6.2f} ± {100 * half:.2f} points", flush=True)

    ends, spent = [], []
    for seed in range(given.seed, given.seed + given.runs):
        start = time.perf_counter()
        model = train(who, seed, given.steps, given.decide)
        spent.append(time.perf_counter() - start)
        ends.append(final(who, fresh, given.decide, learned(model, seed)))
        tell(f"  training seed {seed}", ends[-1])
    if ends:
        tell(f"PPO, one choice a {given.decide}", np.array(ends))
    tell("random length each round", final(who, fresh, "round", drawn(1, 8)))
    fixed = FIXED[who]
    length = lambda env, seen, infos: np.full(env.num_envs, fixed - 1)  # noqa: E731
    tell(f"always length {fixed}", final(who, fresh, "round", length))
    for name in CURRICULA:
        if name != "soar":
            tell(name, final(who, fresh, "problem", steered(name, fresh)))
    print(json.dumps({**vars(given), "wall_s": [round(s) for s in spent], "gains": rows}))


if __name__ == "__main__":
    main()
