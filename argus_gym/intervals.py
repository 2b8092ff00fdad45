"""Estimates and intervals for proportions: one, two, paired, pass@k."""

import math
from statistics import NormalDist

import numpy as np

__all__ = [
    "check_confidence",
    "newcombe",
    "noise_band",
    "paired_difference_interval",
    "pass_at_k",
    "wilson",
]


def pass_at_k(n: np.ndarray | int, c: np.ndarray | int, k: np.ndarray | int) -> np.ndarray:
    """Return the unbiased estimate of pass@k: ``1 - C(n - c, k) / C(n, k)``, in [0, 1].

    Source: Chen et al. (2021), "Evaluating Large Language Models Trained on Code". The arguments
    broadcast; the result has their common shape.

    Args:
        n: Chains of each item.
        c: Right chains of each item, in ``[0, n]``.
        k: Chains drawn, in ``[1, n]``.

    Raises:
        ValueError: If a value is outside its range.
    """
    n, c, k = np.broadcast_arrays(*(np.asarray(x) for x in (n, c, k)))
    if not all(np.issubdtype(x.dtype, np.integer) for x in (n, c, k)):
        raise ValueError("n, c and k must be integers")
    if ((c < 0) | (c > n)).any():
        raise ValueError("c must be in [0, n]")
    if ((k < 1) | (k > n)).any():
        raise ValueError("k must be in [1, n]")
    fail = np.zeros(n.shape)
    with np.errstate(divide="ignore"):
        for j in range(int(k.max(initial=0))):
            drawn = j < k
            share = np.where(drawn, c / np.where(drawn, n - j, 1), 0.0)
            fail += np.log1p(-np.minimum(share, 1.0))
    return 0.0 - np.expm1(fail)


def wilson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return Wilson's interval for one proportion (SciPy's implementation).

    Raises:
        ValueError: If ``n`` is below 1, ``successes`` outside ``[0, n]`` or ``confidence`` outside
            (0, 1).
    """
    check_confidence(confidence)
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"successes must be in [0, n] with n >= 1, got {successes} of {n}")
    from scipy.stats import binomtest

    interval = binomtest(successes, n).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def newcombe(c1: int, n1: int, c2: int, n2: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval for ``c2/n2 - c1/n1``, two proportions of different items.

    Newcombe (1998), "Interval estimation for the difference between independent proportions",
    method 10: the square-and-add combination of the two Wilson intervals. Called with before and
    after, it bounds after minus before.

    Raises:
        ValueError: As :func:`wilson`.
    """
    p1, (l1, u1) = c1 / max(n1, 1), wilson(c1, n1, confidence)
    p2, (l2, u2) = c2 / max(n2, 1), wilson(c2, n2, confidence)
    delta = p2 - p1
    return delta - math.hypot(p2 - l2, u1 - p1), delta + math.hypot(u2 - p2, p1 - l1)


def paired_difference_interval(
    both: int, lost: int, gained: int, neither: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Return the interval for after minus before, two proportions of the same items.

    Newcombe (1998), "Improved confidence intervals for the difference between binomial proportions
    based on paired data", method 10: Wilson intervals combined with the correlation of the two
    sides, its numerator lowered by n/2 where positive.

    Args:
        both: Items right before and after.
        lost: Items right before only.
        gained: Items right after only.
        neither: Items wrong on both sides.
        confidence: Coverage, in (0, 1).

    Raises:
        ValueError: If a count is negative, all are zero, or ``confidence`` is outside (0, 1).
    """
    if min(both, lost, gained, neither) < 0:
        raise ValueError(f"counts must be >= 0, got {both}, {lost}, {gained}, {neither}")
    n = both + lost + gained + neither
    p1, (l1, u1) = (both + lost) / max(n, 1), wilson(both + lost, n, confidence)
    p2, (l2, u2) = (both + gained) / n, wilson(both + gained, n, confidence)
    margins = (both + lost) * (gained + neither) * (both + gained) * (lost + neither)
    excess = float(both * neither - lost * gained)
    if excess > 0:
        excess = max(excess - n / 2, 0.0)
    phi = excess / math.sqrt(margins) if margins else 0.0
    delta = p2 - p1

    def reach(a: float, b: float) -> float:
        return math.sqrt(max(a * a - 2 * phi * a * b + b * b, 0.0))

    return delta - reach(p2 - l2, u1 - p1), delta + reach(u2 - p2, p1 - l1)


def noise_band(p: float, n: int, confidence: float = 0.95) -> float:
    """Return how far two measurements of one unchanged pass rate differ by chance.

    The half-width ``z sqrt(2 p (1 - p) / n)`` for two independent samples of ``n`` items.

    Args:
        p: The pass rate, in [0, 1].
        n: Items in each sample, >= 1.
        confidence: Coverage, in (0, 1).

    Raises:
        ValueError: If an argument is outside its range.
    """
    check_confidence(confidence)
    if not 0 <= p <= 1 or n < 1:
        raise ValueError(f"p must be in [0, 1] and n at least 1, got p={p} and n={n}")
    return NormalDist().inv_cdf((1 + confidence) / 2) * math.sqrt(2 * p * (1 - p) / n)


def check_confidence(confidence: float) -> None:
    """Raise ValueError where ``confidence`` is outside (0, 1)."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be in (0, 1), got {confidence}")
