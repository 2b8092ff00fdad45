"""Figures that suites share."""

import math
from collections.abc import Sequence
from statistics import mean, stdev

__all__ = ["interval"]

Z = 1.959963984540054


def interval(values: Sequence[float]) -> dict[str, float]:
    """Return the mean with its normal 95 % interval; NaN with fewer than two values."""
    if len(values) < 2:
        return {"n": len(values), "mean": math.nan, "low": math.nan, "high": math.nan}
    centre, error = mean(values), Z * stdev(values) / math.sqrt(len(values))
    return {"n": len(values), "mean": centre, "low": centre - error, "high": centre + error}
