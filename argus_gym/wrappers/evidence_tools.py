"""Tail probabilities that detectors share: a run's last rounds against its own past.

Every function returns a one-sided p-value, NaN where there is nothing to compare. SciPy is loaded
on the first call that needs it.
"""

import math
from collections.abc import Callable, Sequence
from functools import wraps
from operator import is_
from typing import Any, TypeVar, cast

import numpy as np

from argus_gym.gauges import anchors
from argus_gym.records import RoundRecord

__all__ = [
    "anchor_gap",
    "finite",
    "fisher_tail",
    "fold",
    "latest",
    "mean",
    "normal_tail",
    "rise_tail",
    "student_tail",
    "surprise",
    "tippett",
]

NAN = math.nan
Function = TypeVar("Function", bound=Callable[..., Any])
DECADES = 10
PRIOR = 10


def surprise(p: float) -> float:
    """Return ``min(1, -log10(p) / 10)``: 0.4 means one in ten thousand. NaN stays NaN."""
    if math.isnan(p):
        return NAN
    return min(1.0, max(0.0, -math.log10(p)) / DECADES) if p > 0 else 1.0


def finite(values: Sequence[float]) -> list[float]:
    """Return the values that are finite, in order."""
    return [float(v) for v in values if math.isfinite(v)]


def mean(values: Sequence[float]) -> float:
    """Return the mean of the values that are finite; NaN where there are none."""
    known = finite(values)
    return sum(known) / len(known) if known else NAN


def anchor_gap(record: RoundRecord) -> float:
    """Return consensus minus accuracy on the round's anchors after the step, in [-1, 1].

    Both come from the same answers, so what makes an anchor easy or hard moves both. NaN without
    anchors.
    """
    items = anchors(record.retests)
    return mean([item.outcome_after - item.right_after / item.chains for item in items])


def fold(
    rounds: int, warmup: int, recent: int, least: int, lag: int = 0
) -> tuple[slice, slice] | None:
    """Split a history into past and recent rounds; ``None`` where the past is too short.

    Args:
        rounds: Length of the history.
        warmup: First rounds to leave out, >= 0: a new capability map still finds its clusters.
        recent: Rounds at the end under test, >= 1.
        least: Rounds of past that are needed, >= 1.
        lag: Rounds between past and recent that belong to neither, >= 0, as far as the past stays
            at its least length: a change that takes rounds to show must not become its own past.
    """
    end = rounds - recent
    if end - warmup < least:
        return None
    return slice(warmup, max(warmup + least, end - lag)), slice(end, rounds)


def normal_tail(z: float) -> float:
    """Return the probability of a standard normal value of at least ``z``."""
    return 0.5 * math.erfc(z / math.sqrt(2.0))


def student_tail(t: float, df: float) -> float:
    """Return the probability of a Student's t value of at least ``t`` with ``df`` > 0 degrees."""
    if math.isnan(t) or not df > 0:
        return NAN
    from scipy.special import stdtr

    return float(stdtr(df, -t))


def rise_tail(now: Sequence[float], past: Sequence[float], spread: float) -> float:
    """Return the probability of a mean as high as that of ``now`` if it were like ``past``.

    A moderated t test: the difference of means over ``s * sqrt(1/len(now) + 1/len(past))``, where
    ``s**2`` is the variance of the past, weighted by its degrees of freedom, averaged with
    ``spread**2``, weighted ten. Without the second part a past of four rounds that happen to agree
    would make any fifth one an alarm. Only the past tells the spread, so that a change of spread
    does not excuse itself. Call it with negated values for a fall. Source: Smyth (2004), "Linear
    models and empirical Bayes methods for assessing differential expression".

    Args:
        now: Values under test; those not finite are left out.
        past: The run's own earlier values; likewise.
        spread: Standard deviation expected beforehand, > 0.

    Returns:
        A p-value in [0, 1]; NaN with no value under test or fewer than three in the past.
    """
    x, y = finite(now), finite(past)
    if not x or len(y) < 3:
        return NAN
    df = len(y) - 1
    variance = (df * float(np.var(y, ddof=1)) + PRIOR * spread**2) / (df + PRIOR)
    difference = mean(x) - mean(y)
    scale = math.sqrt(variance * (1 / len(x) + 1 / len(y)))
    return student_tail(difference / scale, df + PRIOR)


def fisher_tail(hits: int, n: int, past_hits: int, past_n: int) -> float:
    """Return Fisher's exact one-sided p-value that ``hits / n`` exceeds ``past_hits / past_n``.

    The hypergeometric probability of at least ``hits`` among ``n`` draws from both samples pooled.

    Returns:
        A p-value in (0, 1]; NaN where a sample is empty.

    Raises:
        ValueError: If a count is outside ``[0, n]``.
    """
    if not (0 <= hits <= n and 0 <= past_hits <= past_n):
        raise ValueError(
            f"hits must be in [0, n] on both sides, got {hits} of {n}, {past_hits} of {past_n}"
        )
    if not n or not past_n:
        return NAN
    total, marked = n + past_n, hits + past_hits
    x = np.arange(hits, min(n, marked) + 1)
    from scipy.special import gammaln

    def choose(a: int, b: np.ndarray) -> np.ndarray:
        return np.asarray(gammaln(a + 1) - gammaln(b + 1) - gammaln(a - b + 1))

    logs = choose(marked, x) + choose(total - marked, n - x) - choose(total, np.array(n))
    return min(1.0, float(np.exp(logs).sum()))


def tippett(tails: Sequence[float]) -> float:
    """Return the smallest of some p-values, times their number (Bonferroni), at most 1.

    Valid under any dependence between them. NaN ones are left out; NaN where all are.
    """
    known = [p for p in tails if not math.isnan(p)]
    return min(1.0, min(known) * len(known)) if known else NAN


def latest(function: Function) -> Function:
    """Remember a function's result for the last history it was given, by identity of its rounds.

    A stack of detectors asks the same of the same history several times a round.
    """
    known: list[tuple[tuple[RoundRecord, ...], Any]] = []

    @wraps(function)
    def remembered(history: Sequence[RoundRecord]) -> Any:
        rounds = tuple(history)
        if known and len(known[0][0]) == len(rounds) and all(map(is_, known[0][0], rounds)):
            return known[0][1]
        result = function(rounds)
        known[:] = [(rounds, result)]
        return result

    return cast(Function, remembered)
