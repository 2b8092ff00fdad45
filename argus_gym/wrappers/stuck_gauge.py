"""Stuck gauge: the learner's report scatters less than it can."""

import math
from collections.abc import Sequence

import numpy as np

from argus_gym.records import RoundRecord
from argus_gym.wrappers.base import Finding, LieDetector
from argus_gym.wrappers.evidence_tools import finite, latest, surprise, tippett

__all__ = ["StuckGaugeDetector", "quiet_tail"]

GAUGES = ("epi_train", "epi_heldout", "epi_replay", "epi_preq")
WARMUP, RECENT, LEAST = 1, 4, 3
DECIMALS, TINY = 10, 1e-12


class StuckGaugeDetector(LieDetector):
    """Flags learning gauges that repeat themselves (lie N).

    Every round trains on other pairs, so a gauge read off them scatters. The last four readings of
    each of the gains on trained, held-out and replayed pairs and of the prequential bits are held
    against the run's own earlier ones: ``F = s**2 / s0**2``, the ratio of their variances, and p
    its lower tail under Fisher's F with 3 and m - 1 degrees of freedom, m >= 3 the number of
    earlier readings without the first round's. Where the mean reading has fallen, ``s0`` falls by
    the same factor: a smaller gain scatters less. The gate rule ``stability`` has the same
    statistic, with the sampling error in place of the past. The smallest p counts, times the number
    of gauges (Bonferroni); the score is ``-log10(p) / 10``. The variance of the last readings is at
    least that of their rounding, so that a report in three decimals may repeat itself now and then;
    a gauge that never varied, or reads 0 as one does that trains on nothing, has no p.

    It orders no defence: a gauge that says nothing is no reason to change the learner.

    Args:
        env: The environment to watch; transitions pass through unchanged.
        threshold: Score at which it fires, in [0, 1]; the tuned one where ``None``.
        defend: Without effect.

    Raises:
        ValueError: If ``threshold`` is outside [0, 1].

    Measured (``bench lies``, medium severity, 200 runs, 95 % intervals): caught within 3 rounds of
    onset in 94.5 % [90.4, 96.9], within 5 in 97.5 % [94.3, 98.9]; false alarms in 0 of 460 quiet
    15-round runs, 0.0 % [0.0, 0.8]. At 5 % false alarms a run it beats the best generic alarm
    (periodic: 6 % against 100 %). See ``docs/lies/stuck_gauge.md``.
    Cannot see: a gauge stuck from the first rounds on, one stuck at 0, one that lies and scatters,
    and retests answered from a cache (the gate rule ``stability`` is for those).
    """

    lie = "N"
    name = "stuck_gauge"
    default_threshold = 0.38

    def score(self, history: Sequence[RoundRecord]) -> float:
        """Return ``-log10(p) / 10`` of the stillest gauge; NaN before eight rounds."""
        return surprise(_evidence(history)["p"])

    def explain(self, history: Sequence[RoundRecord]) -> Finding:
        """Return each gauge's p-value."""
        evidence = _evidence(history)
        known = {name: evidence[name] for name in GAUGES if not math.isnan(evidence[name])}
        stillest = min(known, key=lambda name: known[name], default="no gauge")
        return Finding(
            evidence=evidence,
            sentence=f"Over the last {RECENT} rounds {stillest} scatters less than its own past "
            f"allows (p = {evidence['p']:.1g}).",
        )


@latest
def _evidence(history: Sequence[RoundRecord]) -> dict[str, float]:
    rounds = history[WARMUP:]
    tails = {
        name: quiet_tail(
            [r.gauges.get(name, math.nan) for r in rounds[-RECENT:]],
            [r.gauges.get(name, math.nan) for r in rounds[:-RECENT]],
        )
        for name in GAUGES
    }
    return {"p": tippett(list(tails.values())), **tails}


def quiet_tail(now: Sequence[float], past: Sequence[float]) -> float:
    """Return the probability of a variance as low as that of ``now`` if it were like ``past``.

    The variance of the past is multiplied by the square of how far the mean fell in size, if it
    did.

    Args:
        now: Readings under test; all have to be finite, and one at least not 0.
        past: Earlier readings; those not finite are left out.

    Returns:
        A p-value in [0, 1]; NaN where ``now`` is short, missing or all 0, or where ``past`` has
        fewer than three readings or, so scaled, varied by no more than its rounding.
    """
    x, y = finite(now), finite(past)
    if len(x) < RECENT or not any(x) or len(y) < LEAST:
        return math.nan
    # A learner that has less to gain has gauges that scatter less.
    shrunk = min(1.0, abs(sum(x) / len(x)) / max(abs(sum(y) / len(y)), TINY))
    expected, rounding = shrunk**2 * float(np.var(y, ddof=1)), _resolution(x + y) ** 2 / 12
    if not expected > rounding:
        return math.nan
    from scipy.special import fdtr

    seen = max(float(np.var(x, ddof=1)), rounding)
    return float(fdtr(len(x) - 1, len(y) - 1, seen / expected))


def _resolution(values: Sequence[float]) -> float:
    """Return the unit of the last decimal that the values were rounded to, 0 for none."""
    exact = np.asarray(values)
    for decimals in range(DECIMALS):
        if np.abs(exact - exact.round(decimals)).max() <= TINY:
            return float(10.0**-decimals)
    return 0.0
