"""Generic alarms, to be beaten: controls that know nothing, and change detectors on one signal.

Each scores a run round by round from numbers alone, higher meaning more alarming, and looks at no
round before it has happened. ``None`` stands for a value that was not measured.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

__all__ = ["CONTROLS", "FOLLOWERS", "adwin", "cusum", "generic_scores", "level", "page_hinkley"]

Series = Sequence[float | None]

WARMUP = 4
"""First rounds, from which a change detector learns what is usual."""

SLACK = 0.5
PERIOD = 3
STOP = 8
FLOOR = 1e-3


def _known(series: Series) -> list[float]:
    return [math.nan if value is None else value for value in series]


def _standardised(series: Series) -> list[float]:
    """Return each value less the mean of the warm-up, over its standard deviation; 0 inside it."""
    values = _known(series)
    usual = [v for v in values[:WARMUP] if math.isfinite(v)]
    if len(usual) < 2:
        return [0.0] * len(values)
    centre, spread = float(np.mean(usual)), max(float(np.std(usual, ddof=1)), FLOOR)
    after = [(v - centre) / spread if math.isfinite(v) else 0.0 for v in values[WARMUP:]]
    return [0.0] * min(WARMUP, len(values)) + after


def cusum(series: Series) -> list[float]:
    """Return the two-sided cumulative sum beyond half a standard deviation (Page 1954)."""
    up = down = 0.0
    out = []
    for z in _standardised(series):
        up, down = max(0.0, up + z - SLACK), max(0.0, down - z - SLACK)
        out.append(max(up, down))
    return out


def page_hinkley(series: Series) -> list[float]:
    """Return the two-sided Page-Hinkley statistic.

    How far the sum of deviations from the running mean has moved from its extremes, in standard
    deviations of the warm-up.
    """
    total = low = high = 0.0
    seen: list[float] = []
    out = []
    for value in _known(series):
        score = 0.0
        if math.isfinite(value):
            seen.append(value)
            total += value - float(np.mean(seen))
            low, high = min(low, total), max(high, total)
            if len(seen) > WARMUP:
                spread = max(float(np.std(seen[:WARMUP], ddof=1)), FLOOR)
                score = max(total - low, high - total) / spread
        out.append(score)
    return out


def adwin(series: Series) -> list[float]:
    """Return the statistic that ADWIN cuts its window by (Bifet & Gavalda 2007).

    The largest difference of means over all splits of the values so far, in its standard errors.
    """
    seen: list[float] = []
    out = []
    for value in _known(series):
        if math.isfinite(value):
            seen.append(value)
        best = 0.0
        spread = max(float(np.std(seen)), FLOOR) if len(seen) > WARMUP else math.inf
        for cut in range(2, len(seen) - 1):
            gap = abs(float(np.mean(seen[:cut])) - float(np.mean(seen[cut:])))
            best = max(best, gap / (spread * math.sqrt(1 / cut + 1 / (len(seen) - cut))))
        out.append(best)
    return out


def level(series: Series) -> list[float]:
    """Return the signal itself: what a fixed threshold watches, 0 where it was not measured."""
    return [v if math.isfinite(v) else 0.0 for v in _known(series)]


FOLLOWERS: dict[str, Callable[[Series], list[float]]] = {
    "threshold": level,
    "cusum": cusum,
    "page_hinkley": page_hinkley,
    "adwin": adwin,
}
"""Detectors of change in one signal, by name."""


def _never(u: np.ndarray) -> list[float]:
    return [0.0] * len(u)


def _periodic(u: np.ndarray) -> list[float]:
    return [float(u[0]) if (at + 1) % PERIOD == 0 else 0.0 for at in range(len(u))]


def _random(u: np.ndarray) -> list[float]:
    return [float(v) for v in u]


def _stop(u: np.ndarray) -> list[float]:
    return [float(u[0]) if at == STOP else 0.0 for at in range(len(u))]


CONTROLS: dict[str, Callable[[np.ndarray], list[float]]] = {
    "never": _never,
    "periodic": _periodic,
    "random": _random,
    "stop": _stop,
}
"""Alarms that look at nothing; a draw a run makes any false-alarm rate possible."""


def generic_scores(signals: Mapping[str, Series], seed: int) -> dict[str, list[float]]:
    """Return every generic alarm's scores for a run.

    Args:
        signals: Each signal's values by round; all of one length.
        seed: Seed of the controls' draws.
    """
    rounds = len(next(iter(signals.values())))
    draws = np.random.default_rng(np.random.SeedSequence((seed, 0x6E))).random(rounds)
    out = {name: control(draws) for name, control in CONTROLS.items()}
    for follower, follow in FOLLOWERS.items():
        for name, series in signals.items():
            out[f"{follower} {name}"] = follow(series)
    return out
