"""The capability map: which kinds of problems there are, and how well each one goes.

Kinds are clusters of an online k-means over embeddings (or over hashed words where the solver has
no embedding). A cluster keeps its number for the whole run.
"""

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from zlib import crc32

import numpy as np

from argus_gym.records import Zone

__all__ = ["COLUMNS", "SHARE_CAP", "CapabilityMap", "hashed_words"]

COLUMNS = (
    "n",
    "share",
    "consensus",
    "frontier_rate",
    "velocity",
    "retest_delta",
    "eligible",
)
"""The map's columns, in the order of :meth:`CapabilityMap.arrays`."""

SHARE_CAP = 0.30
"""A cluster with this share of the recent problems, or more, is not eligible."""

RATE_FLOOR = 0.05
CENTROID_FLOOR = 0.02
PATIENCE = 256
SAME = 1e-9
MAX_CHARS = 4_000

_N, _SHARE, _CONSENSUS, _FRONTIER, _VELOCITY, _RETEST, _ELIGIBLE = range(len(COLUMNS))

# Longer runs of letters are cut, so that the word cache is bounded in bytes and not only in words.
_WORD = re.compile(r"[^\W\d_]{2,24}")
_STOP_WORDS = frozenset(
    _WORD.findall(
        "about all also an and any are as at be been before but by can could did do does each every"
        " for from get gets had has have he her him his how if in into is it its left less many"
        " more much of off on one only or other out over she so some than that the their them then"
        " there they this to total two up was were what when which while who will with would you"
    )
)


def hashed_words(text: str, dim: int = 64) -> np.ndarray:
    """Return the words of a text as one unit vector: a hashed bag of words.

    Words are lower-cased runs of at least two letters. Numbers and common words are left out, so
    that two problems of one kind with other quantities lie together. Each word counts at index
    ``crc32(word) % dim``. Only the first 4,000 characters are read.

    Args:
        text: Any text.
        dim: Length of the vector, >= 1.

    Returns:
        A ``float32`` vector of shape ``(dim,)`` with Euclidean length 1; all zeros where the text
        has no words.

    Raises:
        ValueError: If ``dim`` is below 1.
    """
    if dim < 1:
        raise ValueError(f"dim must be at least 1, got {dim}")
    hashes = [h for h in map(_hash, _WORD.findall(text[:MAX_CHARS].lower())) if h >= 0]
    if not hashes:
        return np.zeros(dim, np.float32)
    counts = np.bincount(np.array(hashes) % dim, minlength=dim).astype(np.float32)
    counts /= math.sqrt(counts @ counts)
    return counts


@lru_cache(maxsize=1 << 14)
def _hash(word: str) -> int:
    return -1 if word in _STOP_WORDS else crc32(word.encode())


class CapabilityMap:
    """Online k-means over problems, with what was measured in each cluster.

    *Clusters.* Embeddings are scaled to unit length. An embedding goes where it adds least to the
    sum of squares within clusters: to the smallest ``n / (n + 1) * distance**2``, with ``n`` the
    cluster's embeddings so far (Hartigan 1975, "Clustering Algorithms"). The nearest centroid alone
    will not do: a mean of many is nearer to everything than a mean of few, and one cluster would
    swallow the rest. The centroid then moves by ``max(1 / n, 0.02)`` of the way: the plain mean at
    first, an exponential one later, which can follow drift. While clusters are empty, an embedding
    that would add more than ``v / (1 + t / 256)`` starts the next empty one, ``v`` being the
    variance of the ``t`` embeddings so far. The bar falls with time, so that no cluster stays empty
    while another holds two kinds. Clusters are never merged, split or renumbered.

    *Columns* (:meth:`arrays`), each of length K:

    * ``n``: problems scored so far.
    * ``share``: share of the problems scored in this round and the one before, in [0, 1].
    * ``consensus``: mean of ``combined``; the weight of the newest problem is ``max(1/n, 0.05)``.
    * ``frontier_rate``: share of problems in the frontier, weighted likewise.
    * ``velocity``: change of ``consensus`` per round, between the ends of the last two rounds that
      visited the cluster; 0 before the second visit.
    * ``retest_delta``: mean paired difference in the last round that retested the cluster, in
      [-1, 1]; 0 where none did.
    * ``eligible``: 1 where a planner may choose the cluster: not excluded, and ``share`` below
      ``SHARE_CAP``. A cluster nobody has seen yet is eligible.

    Args:
        k: Number of clusters, >= 1.

    Raises:
        ValueError: If ``k`` is below 1.
    """

    def __init__(self, k: int = 10) -> None:
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        self.k = k
        self._centroids = np.zeros((0, 0))
        self._norms = np.zeros(0)
        self._factor = np.ones(k)
        self._assigned = [0] * k
        self._mean = np.zeros(0)
        self._seen = 0
        self._table = np.zeros((len(COLUMNS), k))
        self._counts = np.zeros((2, k))
        self._outcomes = [0.0] * k
        self._barred = np.zeros(k, np.int64)
        self._visits = np.full((2, k), np.nan)
        self._round = 0
        self._retests = np.zeros(k, np.int64)
        self._deltas = np.zeros((2, k))
        self._last_delta = np.full(k, np.nan)

    def assign(self, embedding: np.ndarray) -> int:
        """Return the cluster of an embedding, and move its centroid.

        Args:
            embedding: Shape ``(d,)``, finite; the first one of a run sets ``d``.

        Raises:
            ValueError: If ``embedding`` has another dimension or a value that is not finite.
        """
        e = self._unit(embedding)
        if not self._seen:
            self._centroids = np.zeros((self.k, e.size))
            self._norms = np.full(self.k, np.inf)
            self._mean = np.zeros(e.size)
        self._seen += 1
        self._mean += (e - self._mean) / self._seen
        cluster, cost = self._nearest(e)
        if 0 in self._assigned:
            variance = 1.0 - float(self._mean @ self._mean)
            if cost > max(variance / (1.0 + self._seen / PATIENCE), SAME):
                cluster = self._assigned.index(0)
        self._assigned[cluster] += 1
        rate = max(1 / self._assigned[cluster], CENTROID_FLOOR)
        centroid = self._centroids[cluster]
        centroid += rate * (e - centroid)
        self._norms[cluster] = centroid @ centroid
        self._factor[cluster] = self._assigned[cluster] / (self._assigned[cluster] + 1)
        return cluster

    def locate(self, embedding: np.ndarray) -> int:
        """Return the cluster an embedding belongs to and change nothing; 0 on an empty map.

        Raises:
            ValueError: As :meth:`assign`.
        """
        e = self._unit(embedding)
        return self._nearest(e)[0] if self._seen else 0

    def _unit(self, embedding: np.ndarray) -> np.ndarray:
        e = np.asarray(embedding, np.float64)
        if e.ndim != 1 or not e.size or (self._seen and e.size != self._mean.size):
            expected = f"({self._mean.size},)" if self._seen else "(d,) with d >= 1"
            raise ValueError(f"embedding must have the shape {expected}, got {e.shape}")
        # Scaled by its largest entry first, so that the square neither overflows nor vanishes.
        largest = float(np.abs(e).max())
        if not math.isfinite(largest):
            raise ValueError("embedding must be finite, got NaN or infinity")
        if largest == 0.0:
            return e
        e = e / largest
        e /= math.sqrt(e @ e)
        return e

    def _nearest(self, e: np.ndarray) -> tuple[int, float]:
        costs = self._factor * (self._norms - 2.0 * (self._centroids @ e) + e @ e)
        cluster = int(costs.argmin())
        return cluster, float(costs[cluster])

    def scored(self, cluster: int, outcome: float, combined: float, zone: Zone) -> None:
        """Record a scored problem.

        Args:
            cluster: What :meth:`assign` returned for it.
            outcome: Share of chains with the modal answer, in [0, 1].
            combined: The reward, in [0, 1].
            zone: Where ``combined`` fell.
        """
        table = self._table
        n = table[_N, cluster] + 1.0
        table[_N, cluster] = n
        rate = max(1.0 / n, RATE_FLOOR)
        table[_CONSENSUS, cluster] += rate * (combined - table[_CONSENSUS, cluster])
        frontier = 1.0 if zone == "frontier" else 0.0
        table[_FRONTIER, cluster] += rate * (frontier - table[_FRONTIER, cluster])
        self._counts[1, cluster] += 1.0
        self._outcomes[cluster] += outcome

    def retested(self, cluster: int, delta: float) -> None:
        """Record a paired retest: ``delta`` is after minus before, in [-1, 1]."""
        self._retests[cluster] += 1
        self._deltas[0, cluster] += delta
        self._deltas[1, cluster] += 1
        mean = self._deltas[0, cluster] / self._deltas[1, cluster]
        self._last_delta[cluster] = self._table[_RETEST, cluster] = mean

    def skill(self) -> float:
        """Return the mean outcome of the round so far, each visited cluster weighing the same.

        In [0, 1]; NaN before the round's first problem.
        """
        means = [o / n for o, n in zip(self._outcomes, self._counts[1].tolist()) if n]
        return sum(means) / len(means) if means else math.nan

    def end_round(self) -> None:
        """Close the round: velocities, shares, exclusions and sums move on."""
        self._round += 1
        visited = self._counts[1] > 0
        consensus = self._table[_CONSENSUS]
        since = self._round - self._visits[1]
        velocity = (consensus - self._visits[0]) / since
        again = visited & ~np.isnan(since)
        self._table[_VELOCITY, again] = velocity[again]
        self._visits[0, visited] = consensus[visited]
        self._visits[1, visited] = self._round
        self._counts[0] = self._counts[1]
        self._counts[1] = 0.0
        self._outcomes = [0.0] * self.k
        self._deltas[:] = 0.0
        np.maximum(self._barred - 1, 0, out=self._barred)

    def exclude(self, cluster: int, rounds: int) -> None:
        """Make a cluster ineligible until ``rounds`` rounds have ended; 0 lifts an exclusion.

        Raises:
            ValueError: If ``cluster`` is outside ``[0, K)`` or ``rounds`` below 0.
        """
        if not 0 <= cluster < self.k:
            raise ValueError(f"cluster must be in [0, {self.k}), got {cluster}")
        if rounds < 0:
            raise ValueError(f"rounds must be at least 0, got {rounds}")
        self._barred[cluster] = rounds

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the columns in order, as fresh ``float32`` arrays of shape ``(K,)``."""
        table = self._table
        recent = self._counts[0] + self._counts[1]
        total = recent.sum()
        np.divide(recent, total if total else 1.0, out=table[_SHARE])
        table[_ELIGIBLE] = (table[_SHARE] < SHARE_CAP) & (self._barred == 0)
        return dict(zip(COLUMNS, table.astype(np.float32)))

    @property
    def last_retest_delta(self) -> np.ndarray:
        """``retest_delta`` with NaN where a cluster was never retested, shape ``(K,)``."""
        return self._last_delta.copy()

    @property
    def retests(self) -> np.ndarray:
        """Number of paired retests so far by cluster, shape ``(K,)``."""
        return self._retests.copy()

    def state(self) -> dict[str, Any]:
        """Return everything the map holds, JSON-ready (NaN and infinity as ``None``)."""
        return {
            "seen": self._seen,
            "round": self._round,
            "assigned": list(self._assigned),
            "outcomes": list(self._outcomes),
            **{name: _nested(getattr(self, f"_{name}")) for name in _ARRAYS},
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state` returned, bit for bit.

        Raises:
            ValueError: If ``state`` is not the state of a map with this ``k``.
        """
        shapes = {name: getattr(self, f"_{name}").shape for name in _ARRAYS}
        try:
            seen, round_ = int(state["seen"]), int(state["round"])
            assigned = [int(n) for n in state["assigned"]]
            outcomes = [float(o) for o in state["outcomes"]]
            arrays = {name: np.array(state[name], float) for name in _ARRAYS}
            dim = arrays["mean"].size
            # `mean` has no entries before the first embedding, when there are no centroids either.
            rows = self.k if seen else 0
            shapes |= {"mean": (dim,), "norms": (rows,), "centroids": (rows, dim)}
            arrays["centroids"] = arrays["centroids"].reshape(rows, dim)
            if len(assigned) != self.k or len(outcomes) != self.k:
                raise ValueError("the number of clusters")
            for name, array in arrays.items():
                if array.shape != shapes[name]:
                    raise ValueError(f"the shape of {name}")
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"state is not that of a map with k={self.k}: {error}") from error
        for name in ("barred", "retests"):
            arrays[name] = arrays[name].astype(np.int64)
        arrays["norms"][np.isnan(arrays["norms"])] = np.inf
        for name, array in arrays.items():
            setattr(self, f"_{name}", array)
        self._seen, self._round = seen, round_
        self._assigned, self._outcomes = assigned, outcomes


_ARRAYS = (
    "centroids",
    "norms",
    "factor",
    "mean",
    "table",
    "counts",
    "barred",
    "visits",
    "retests",
    "deltas",
    "last_delta",
)


def _nested(array: np.ndarray) -> Any:
    if np.isfinite(array).all():
        return array.tolist()
    if array.ndim == 1:
        return [x if math.isfinite(x) else None for x in array.tolist()]
    return [_nested(row) for row in array]
