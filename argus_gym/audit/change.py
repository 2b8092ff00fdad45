"""When did a series first change for the worse? Every answer uses the values up to then alone.

Each function returns the first :class:`Change` or ``None``. The two tests share an error rate
``alpha`` over a whole run of any length: look j may spend ``alpha / (j (j + 1))``, which sums to
``alpha``.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from argus_gym.wrappers.evidence_tools import fisher_tail, rise_tail, tippett

__all__ = [
    "FEWEST_ROWS",
    "WINDOW",
    "Change",
    "first_drop",
    "first_fall",
    "first_jump",
    "first_still",
    "items",
    "p_fall",
]

WINDOW = 10
"""Rows of a window, the unit in which training signals are read."""

PAST = 3
"""Windows of past that are needed before the first look."""

FEWEST_ROWS = WINDOW * (PAST + 1)
MOST_ITEMS = 1_000
LEAST_EFFECT = 0.5
LEAST_SPREAD = 0.02
STRONGEST = 0.95
EXACT, LOOSE = 1e-9, 0.1


@dataclass(frozen=True, slots=True)
class Change:
    """A change for the worse.

    Attributes:
        at: Index of the value at which it was seen.
        since: Index of the first value it was compared with.
        evidence: The numbers behind it.
    """

    at: int
    since: int
    evidence: dict[str, float] = field(default_factory=dict)


def items(values: Sequence[float] | np.ndarray) -> list[int]:
    """Return the smallest number of items whose shares the rates so far can be, 0 above 1,000.

    A rate printed with four or more decimals may have been rounded, one with fewer is taken as
    exact. The true number can only be larger, so that a test which uses this one errs on the
    quiet side; above 1,000, checkpoints differ by more than the sampling of items.

    Args:
        values: Rates in [0, 1].

    Returns:
        One number a value, from the values up to it.
    """
    rates = np.asarray(values, float)
    n = np.arange(2, MOST_ITEMS + 1)
    found, decimals = [], -1
    fits = np.ones(len(n), bool)
    for at, rate in enumerate(rates.tolist()):
        shown = len(f"{rate:.12f}".rstrip("0").partition(".")[2])
        checked = rates[at : at + 1]
        if shown > decimals:
            # What had seemed exact may have been rounded after all.
            decimals, checked, fits = shown, rates[: at + 1], np.ones(len(n), bool)
        slack = 0.5 * 10.0**-decimals * n if 4 <= decimals < 9 else EXACT * n
        off = np.abs(checked[:, None] * n - np.rint(checked[:, None] * n))
        fits &= (off <= slack + EXACT).all(0) & (slack < LOOSE)
        found.append(int(n[fits.argmax()]) if fits.any() else 0)
    return found


def first_drop(
    values: np.ndarray, alpha: float, rates: np.ndarray | None = None, n: int | None = None
) -> Change | None:
    """Return the first evaluation whose score is below what came before.

    Rates of a known number of items: Fisher's exact test of the last evaluation against the 1, 2,
    4, ... evaluations right before it and against all of them, the smallest p-value times their
    number. Evaluations on the same items are positively correlated, which makes it err on the
    quiet side. Any other score: the moderated t test
    (:func:`argus_gym.wrappers.evidence_tools.rise_tail`) against the last 3, 6, 12, ... and all;
    the spread expected beforehand is that of successive differences.

    Args:
        values: One score an evaluation, higher is better.
        alpha: Chance of an alarm in a run whose true score never falls.
        rates: The same as shares in [0, 1], where they are shares of items.
        n: Items of an evaluation; read off the rates so far where ``None`` (see :func:`items`).
    """
    known = 0 if rates is None else n
    sizes = items(rates) if rates is not None and known is None else [known or 0] * len(values)
    for at in range(1, len(values)):
        size = sizes[at]
        spans = _spans(at, least=1 if size else PAST)
        if not spans:
            continue
        if rates is not None and size:
            wrong = np.rint((1.0 - rates[: at + 1]) * size).astype(int)
            past = [(int(wrong[at - s : at].sum()), s * size) for s in spans]
            tails = [fisher_tail(int(wrong[at]), size, hits, of) for hits, of in past]
        else:
            tails = _t_tails(values[: at + 1], spans)
        p = tippett(tails)
        if p <= _spend(alpha, at):
            span = spans[int(np.argmin(tails))]
            before = float(values[at - span : at].mean())
            evidence = {"p": p, "before": before, "now": float(values[at]), "items": float(size)}
            return Change(at, at - span, evidence)
    return None


def _t_tails(values: np.ndarray, spans: Sequence[int]) -> list[float]:
    past = values[:-1]
    noise = math.sqrt(float(np.mean(np.diff(past) ** 2)) / 2)
    spread = max(noise, LEAST_SPREAD * _scale(past))
    return [rise_tail([-values[-1]], (-past[-s:]).tolist(), spread) for s in spans]


def first_fall(values: np.ndarray, alpha: float) -> Change | None:
    """Return the first window in which a training signal's mean is below its past.

    The means of ten rows each are compared: the last 1, 2 or 4 of them with all earlier ones, their
    last half and their last quarter, by the moderated t test of
    :func:`argus_gym.wrappers.evidence_tools.rise_tail`. The spread expected beforehand is that of
    the past rows, widened for their lag-1 correlation. A fall of less than half a row's standard
    deviation is not called one.

    Args:
        values: One number a row, higher is better.
        alpha: Chance of an alarm in a run whose mean never falls.
    """
    n = len(values) // WINDOW
    means = values[: n * WINDOW].reshape(n, WINDOW).mean(1)
    for look, at in enumerate(range(PAST, n), 1):
        spans = [(now, past) for now in (1, 2, 4) for past in _parts(at + 1 - now)]
        tails = []
        for now, past in spans:
            end = at + 1 - now
            drop = float(means[end - past : end].mean() - means[end : at + 1].mean())
            p = 1.0
            if drop > 0:
                spread, deviation = _spread(values[(end - past) * WINDOW : end * WINDOW])
                if drop >= LEAST_EFFECT * deviation:
                    now_, past_ = -means[end : at + 1], -means[end - past : end]
                    p = rise_tail(now_.tolist(), past_.tolist(), spread)
            tails.append(p)
        p = tippett(tails)
        if p <= _spend(alpha, look):
            now, past = spans[int(np.argmin(tails))]
            end = at + 1 - now
            evidence = {
                "p": p,
                "before": float(means[end - past : end].mean()),
                "now": float(means[end : at + 1].mean()),
            }
            return Change((at + 1) * WINDOW - 1, (end - past) * WINDOW, evidence)
    return None


def first_jump(
    values: np.ndarray, factor: float, bound: float = math.nan, down: bool = False
) -> Change | None:
    """Return the first window whose median is ``factor`` times the median of all rows before it.

    A curve that grows like ``t**a`` is ``2**a`` times its past median, whatever its scale: 4 means
    faster than the square of time, 8 faster than its cube.

    Args:
        values: One number a row.
        factor: How many times, > 1.
        bound: Where finite, the median must also be at least (``down``: at most) this.
        down: Look for a fall to ``1 / factor`` instead.
    """
    for end in range(FEWEST_ROWS, len(values) + 1, WINDOW):
        past = float(np.median(values[: end - WINDOW]))
        now = float(np.median(values[end - WINDOW : end]))
        far = now * factor <= past if down else now >= past * factor
        beyond = math.isnan(bound) or (now <= bound if down else now >= bound)
        if far and beyond and now != past:
            return Change(end - 1, 0, {"before": past, "now": now, "factor": factor})
    return None


def first_still(values: np.ndarray, limit: float, rows: int) -> Change | None:
    """Return where ``rows`` values in a row are first at most ``limit``."""
    length = 0
    for at, low in enumerate((values <= limit).tolist()):
        length = length + 1 if low else 0
        if length == rows:
            return Change(at, at - rows + 1, {"rows": float(rows)})
    return None


def p_fall(before: np.ndarray, after: np.ndarray) -> float:
    """Return the one-sided p-value that rows ``after`` have a lower mean than rows ``before``.

    The moderated t test of window means, NaN where either side is too short.
    """
    sides = [v[len(v) % WINDOW :].reshape(-1, WINDOW).mean(1) for v in (before, after)]
    spread, _ = _spread(before) if len(before) > 1 else (math.nan, math.nan)
    return rise_tail((-sides[1]).tolist(), (-sides[0]).tolist(), spread)


def _spend(alpha: float, look: int) -> float:
    return alpha / (look * (look + 1))


def _spans(available: int, least: int) -> list[int]:
    """Return ``least``, twice that, ..., and all that is available, as far as it reaches."""
    spans = [available] if available >= least else []
    while least < available:
        spans.append(least)
        least *= 2
    return sorted(spans)


def _parts(available: int) -> list[int]:
    return sorted({part for part in (available, available // 2, available // 4) if part >= PAST})


def _spread(rows: np.ndarray) -> tuple[float, float]:
    """Return the standard deviation expected of a window's mean, and that of a row."""
    centred = rows - rows.mean()
    variance = float(np.mean(centred**2))
    deviation = math.sqrt(variance)
    lag = float(np.mean(centred[1:] * centred[:-1])) / variance if variance > 0 else 0.0
    lag = min(max(lag, 0.0), STRONGEST)
    widened = deviation * math.sqrt((1 + lag) / (1 - lag) / WINDOW)
    return max(widened, LEAST_SPREAD * _scale(rows)), deviation


def _scale(values: np.ndarray) -> float:
    """Return the size of the values' differences, else of the values, else 1."""
    return float(np.ptp(values)) or float(np.abs(values).max()) or 1.0
