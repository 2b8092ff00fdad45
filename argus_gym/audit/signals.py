"""Which column of a log is which signal."""

import re
from collections.abc import Iterable, Sequence

from argus_gym.run_data import InputError

__all__ = ["KINDS", "MANY", "STEPS", "pass_k", "read_map", "recognise"]

KINDS = {
    "heldout": "held-out accuracy, or any score on problems that are not trained on",
    "heldout_loss": "held-out loss, lower is better",
    "pass_at_k": "held-out pass@k with k > 1",
    "reward": "mean training reward",
    "correctness": "a part of the reward that checks the answer, or a training accuracy",
    "component": "another component of the reward",
    "reward_std": "spread of the reward or the advantage within groups",
    "zero_std": "share of groups whose rewards are all equal",
    "kl": "KL divergence from the reference, nats a token",
    "entropy": "entropy of the policy, nats a token",
    "length": "mean length of the answers, tokens",
    "clipped": "share of answers cut at the length limit",
    "lie": "alarms of this package's detectors, 1 where one fired",
    "loss": "training loss",
    "grad_norm": "gradient norm",
    "learning_rate": "learning rate",
}
"""The signals an audit knows, by name."""

MANY = ("heldout", "heldout_loss", "pass_at_k", "correctness", "component", "lie")
"""The signals of which a log may have several."""

STEPS = (
    "step",
    "_step",
    "global_step",
    "train/global_step",
    "training/global_step",
    "trainer/global_step",
    "train_step",
    "iteration",
    "iter",
    "update",
    "round",
    "epoch",
)
"""Columns that count steps, the preferred one first."""

LONGEST_NAME = 200
WORD = re.compile(r"[a-z0-9@]+")
PASS = re.compile(r"(?:pass|best)@?(\d{1,6})")

HELDOUT = {"eval", "val", "valid", "validation", "test", "heldout", "holdout", "dev"}
SCORE = {"acc", "accuracy", "score", "scores", "reward", "rewards", "em", "exact", "f1"} | {
    "correct",
    "correctness",
    "solved",
    "success",
    "mean@1",
}
REWARD = {"reward", "rewards", "score", "scores", "return", "returns"}
NEUTRAL = {"train", "training", "trainer", "critic", "rollout", "objective", "env", "episode"} | {
    *("batch", "avg", "average", "mean", "func", "fn", "rlhf", "total", "sum", "final", "ep"),
    *("mean_reward", "per", "data", "argus", "raw"),
}
CORRECT = {"correct", "correctness", "acc", "accuracy", "exact", "answer", "verifier", "verified"}
SPREAD = {"std", "sd", "stdev"}
ADVANTAGE = {"adv", "advantage", "advantages"}
NOT_A_MEAN = SPREAD | {"min", "max", "var", "variance", "median", "count", "num"}
ANSWER = {"completion", "completions", "response", "responses", "output", "outputs"} | {
    *("generation", "generated", "chain", "episode"),
}
LENGTH = {"length", "lengths", "len"}
CUT = {"clip", "clipped", "truncated", "truncation", "overlong", "trunc", "cut"}
NOT_REFERENCE = {"coef", "coeff", "beta", "ppo", "approx", "penalty", "target", "old"}
NOT_POLICY = {"value", "vf", "critic", "kl", "entropy", "aux", "reward"}


def recognise(column: str) -> str | None:
    """Return the signal a column's name stands for, ``None`` where it stands for none.

    Knows the names that TRL, verl, OpenRLHF and this package write, and plain ones. A name is read
    as its words, so that ``train/rewards/format_reward_func/mean`` is a component of the reward.
    """
    if len(column) > LONGEST_NAME:
        return None
    bag = set(WORD.findall(column.lower()))
    if "lies" in bag:
        return "lie" if "fired" in bag else None
    if pass_k(column) > 1:
        return None if bag & SPREAD else "pass_at_k"
    if pass_k(column) == 1:
        return None if bag & NOT_A_MEAN else "heldout"
    if bag & HELDOUT:
        return _heldout(bag)
    return _training(bag)


def _heldout(bag: set[str]) -> str | None:
    if bag & (NOT_A_MEAN | {"delta", "length", "kl", "entropy", "clip", "clipped"}):
        return None
    if "loss" in bag:
        return "heldout_loss"
    return "heldout" if bag & SCORE or any(w.startswith("mean@") for w in bag) else None


def _training(bag: set[str]) -> str | None:
    if {"grad", "norm"} <= bag or "gradnorm" in bag:
        return "grad_norm"
    if "zero" in bag and bag & (SPREAD | {"variance", "var"}):
        return "zero_std"
    if bag & SPREAD and bag & (REWARD | {"adv", "advantage", "advantages"}):
        return None if bag - NEUTRAL - REWARD - SPREAD - ADVANTAGE else "reward_std"
    if bag & (NOT_A_MEAN | {"prompt", "terminated", "token"}):
        return None
    if bag & CUT and bag & (LENGTH | ANSWER):
        return "clipped"
    if bag & LENGTH and not bag & REWARD and (bag & (ANSWER | {"mean"}) or len(bag) == 1):
        return "length"
    if bag & {"lr"} or {"learning", "rate"} <= bag:
        return "learning_rate"
    if "kl" in bag:
        return None if bag & (NOT_REFERENCE | REWARD) else "kl"
    if "entropy" in bag:
        return None if bag & {"loss", "coef", "coeff", "bonus"} else "entropy"
    if "loss" in bag:
        return None if bag & NOT_POLICY else "loss"
    return _reward(bag)


def _reward(bag: set[str]) -> str | None:
    rest = bag - REWARD - NEUTRAL
    if rest & CORRECT:
        return "correctness"
    if not bag & REWARD:
        return None
    return "component" if rest else "reward"


def pass_k(column: str) -> int:
    """Return the k of a ``pass@k`` column, 0 where it is none."""
    for word in WORD.findall(column[:LONGEST_NAME].lower()):
        match = PASS.fullmatch(word)
        if match:
            return int(match[1])
    return 0


def read_map(entries: Iterable[str]) -> dict[str, str]:
    """Return the signal of each column from texts ``signal=column``.

    Raises:
        InputError: If an entry has another form, names no signal, or names one twice.
    """
    mapping: dict[str, str] = {}
    names: Sequence[str] = ("step", *KINDS)
    for entry in entries:
        kind, equals, column = entry.partition("=")
        if not equals or not column:
            raise InputError(f"--map must be SIGNAL=COLUMN, got {entry!r}")
        if kind not in names:
            raise InputError(f"--map must name one of {', '.join(names)}, got {kind!r}")
        if column in mapping or (kind in mapping.values() and kind not in MANY):
            raise InputError(f"--map must give each signal and column once, got {entry!r}")
        mapping[column] = kind
    return mapping
