"""Plateau capture: one cluster takes the curriculum and does not improve."""

import math
from collections.abc import Sequence

import numpy as np

from argus_gym.defences import Defence
from argus_gym.records import RoundRecord
from argus_gym.wrappers.base import Finding, LieDetector
from argus_gym.wrappers.evidence_tools import fold, latest, normal_tail, surprise

__all__ = ["PlateauDetector"]

WARMUP, RECENT, LEAST, LAG = 1, 1, 3, 1
LEND, TRUST = 60.0, 60.0
SHARE = 0.2
IMPROVING = 1.645


class PlateauDetector(LieDetector):
    """Flags a cluster that takes the curriculum and does not improve (lie G).

    For each cluster c, the last round's problems that landed in c although the planner had asked
    for another cluster t are counted, and held against what the run's past predicts: each target t
    sends a share ``p(c|t)`` of its problems to c, the past share of t shrunk to that of all targets
    with the weight of 60 problems. The count's variance is the beta-binomial one, in which the past
    of a target counts for at most 60 problems, since a proposer's habits move. ``z`` is the excess
    over its standard deviation; the score is ``-log10(p) / 10`` with p the normal tail of the
    largest z, times the number of clusters (Bonferroni). Counted are only clusters with at least
    20 % of the round whose reward is not above its own past at 5 % (two-sample t): velocity about 0
    or below. The map's own ``share`` and ``velocity`` are evidence; they are noisier, because the
    planner moves the one and a round's few problems the other.

    Args:
        env: The environment to watch; transitions pass through unchanged.
        threshold: Score at which it fires, in [0, 1]; the tuned one where ``None``.
        defend: Whether to order the cluster excluded for a while.

    Raises:
        ValueError: If ``threshold`` is outside [0, 1].

    Measured (``bench lies``, medium severity, 200 runs, 95 % intervals): caught within 3 rounds of
    onset in 83.0 % [77.2, 87.6], within 5 in 100.0 % [98.1, 100.0]; false alarms in 5 of 460 quiet
    15-round runs, 1.1 % [0.5, 2.5]. At 5 % false alarms a run it beats the best generic alarm
    (periodic: 6 % against 90 %). See ``docs/lies/plateau.md``.
    Cannot see: capture by the planner itself (its targets are taken as given), and two clusters
    that share the capture. A proposer that drifts (lie A) to a kind that does not improve is both.
    """

    lie = "G"
    name = "plateau"
    defence = Defence.EXCLUDE
    default_threshold = 0.31

    def score(self, history: Sequence[RoundRecord]) -> float:
        """Return ``-log10(p) / 10`` of the most captured cluster, NaN in the first four rounds."""
        return surprise(_evidence(history)[0]["p"])

    def explain(self, history: Sequence[RoundRecord]) -> Finding:
        """Return the cluster with its share, excess, velocity and reward."""
        evidence, cluster = _evidence(history)
        if cluster < 0:
            return Finding(evidence=evidence, sentence="No cluster holds much without improving.")
        return Finding(
            (cluster,),
            evidence,
            f"Cluster {cluster} took {evidence['share']:.0%} of the round where "
            f"{evidence['untargeted']:.0f} problems were meant for other clusters and "
            f"{evidence['expected']:.1f} are usual, at a velocity of {evidence['velocity']:+.3f} "
            f"(p = {evidence['p']:.1g}).",
        )


@latest
def _evidence(history: Sequence[RoundRecord]) -> tuple[dict[str, float], int]:
    names = ("p", "z", "share", "untargeted", "expected", "reward_change", "velocity")
    evidence = dict.fromkeys(names, math.nan)
    parts = fold(len(history), WARMUP, RECENT, LEAST, LAG)
    if parts is None:
        return evidence, -1
    before, now = (_read(history[part]) for part in parts)
    if not len(now[0]) or not len(before[0]):
        return evidence, -1
    k = 1 + max(int(part[:2].max()) for part in (before, now))
    k = max(k, len(history[-1].map.get("share", ())))
    past, seen = _table(before, k), _table(now, k)
    share = seen.sum(0) / seen.sum()
    expected, variance = _predict(past, seen.sum(1))
    untargeted = seen - np.diag(np.diag(seen))
    z = (untargeted.sum(0) - expected) / np.sqrt(variance + 1.0)
    change, t = _reward_change(before, now, k)
    captured = (share >= SHARE) & (t < IMPROVING)
    if not captured.any():
        return evidence | {"p": 1.0}, -1
    cluster = int(np.where(captured, z, -np.inf).argmax())
    velocity = history[-1].map.get("velocity", ())
    numbers = {
        "p": min(1.0, k * normal_tail(float(z[cluster]))),
        "z": float(z[cluster]),
        "share": float(share[cluster]),
        "untargeted": float(untargeted[:, cluster].sum()),
        "expected": float(expected[cluster]),
        "reward_change": float(change[cluster]),
        "velocity": velocity[cluster] if cluster < len(velocity) else math.nan,
    }
    return numbers, cluster


def _read(rounds: Sequence[RoundRecord]) -> np.ndarray:
    """Return target, cluster and reward of the problems without a false premise, shape (3, n)."""
    rows = [(p.target, p.cluster, p.combined) for r in rounds for p in r.problems if p.premise.ok]
    return np.array(rows, float).reshape(-1, 3).T


def _table(problems: np.ndarray, k: int) -> np.ndarray:
    """Return how many problems aimed at each target landed in each cluster, shape (k, k)."""
    table = np.zeros((k, k))
    np.add.at(table, (problems[0].astype(int), problems[1].astype(int)), 1.0)
    return table


def _predict(past: np.ndarray, aimed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance of the untargeted problems each cluster should get, shape (k,)."""
    k = len(past)
    stray = past - np.diag(np.diag(past))
    usual = (stray.sum(0) + 0.5) / (stray.sum() + 0.5 * k)
    n = past.sum(1, keepdims=True)
    p = (past + LEND * usual) / (n + LEND)
    aimed = aimed[:, None]
    mean = aimed * p
    inflation = 1.0 + np.maximum(aimed - 1.0, 0.0) / (np.minimum(n + LEND, TRUST) + 1.0)
    variance = mean * (1.0 - p) * inflation
    for matrix in (mean, variance):
        np.fill_diagonal(matrix, 0.0)
    return mean.sum(0), variance.sum(0)


def _reward_change(before: np.ndarray, now: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return each cluster's change of mean reward and its t value, 0 where it was not visited."""
    moments = []
    for _, cluster, reward in (before, now):
        at = cluster.astype(int)
        n = np.bincount(at, minlength=k).astype(float)
        mean = np.bincount(at, reward, k) / np.maximum(n, 1.0)
        moments.append((n, mean, np.bincount(at, (reward - mean[at]) ** 2, k)))
    (n0, mean0, square0), (n1, mean1, square1) = moments
    known = (n0 > 1) & (n1 > 1)
    change = np.where(known, mean1 - mean0, 0.0)
    variance = (square0 + square1) / np.maximum(n0 + n1 - 2.0, 1.0)
    error = np.sqrt(np.maximum(variance, 1e-4) * (1 / np.maximum(n0, 1) + 1 / np.maximum(n1, 1)))
    return change, change / error
