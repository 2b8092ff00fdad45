"""The gate rules of the published material, each in the form it was published in."""

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from argus_gym.evidence import Evidence
from argus_gym.records import RetestItem, Verdict
from argus_gym.wrappers.rule import Rule, mean_delta, undecidable

__all__ = ["V34", "Published", "Stability", "z_score"]

SHORT = 1e-12
Z = -2.5


def z_score(value: float, past: Sequence[float]) -> float:
    """Return how many standard deviations (of ``past``, n in the denominator) above its mean.

    NaN where ``past`` has fewer than two numbers or never varied.
    """
    if len(past) < 2 or np.ptp(past) <= SHORT:
        return math.nan
    return float((value - np.mean(past)) / np.std(past))


class Published(Rule):
    """Refuses where z(epi gain) < -2.5 and the retest trend is negative: both gauges are bad.

    The code of the published page; its prose refuses where they disagree, see :class:`V34`. Needs
    three earlier rounds with an epi gain; ``alpha`` is not used.
    """

    name = "published"
    own_evidence = "consensus"
    least_rounds: ClassVar[int] = 3

    def decide(self, evidence: Evidence) -> Verdict:
        """Return the verdict; never asks for more."""
        items = self.items(evidence.retests)
        epi, trend = evidence.gauges["epi_train"], mean_delta(items)
        past = [r.gauges["epi_train"] for r in evidence.history]
        past = [value for value in past if math.isfinite(value)]
        z = z_score(epi, past)
        numbers = {"epi": epi, "trend": trend, "z": z}
        reason = undecidable(items)
        if not math.isfinite(epi):
            reason = "the learner reported no epi gain"
        elif not reason and len(past) < self.least_rounds:
            reason = f"{len(past)} earlier rounds, {self.least_rounds} needed"
        elif not reason and math.isnan(z):
            reason = "the epi gain never varied"
        if reason:
            return self.verdict(evidence, "UNDECIDED", reason, numbers)
        text = f"epi gain z = {z:+.1f} (limit {Z}), retest trend {trend:+.3f}"
        if z < Z and trend < 0:
            return self.verdict(evidence, "REFUSE", text, numbers, severity=1.0)
        return self.verdict(evidence, "COMMIT", text, numbers)


class V34(Rule):
    """Refuses where the epi gain is positive and z(retest trend) < -2.5: the gauges disagree.

    Below four earlier rounds with retests, where the trend is below -0.05. Needs four retests.
    The severity is min(1, abs(trend) / epi gain): the rollback mixes the weights before and after
    the step. ``alpha`` is not used.
    """

    name = "v3.4"
    own_evidence = "consensus"
    least_rounds: ClassVar[int] = 4
    least_retests: ClassVar[int] = 4
    early_limit: ClassVar[float] = -0.05

    def decide(self, evidence: Evidence) -> Verdict:
        """Return the verdict; never asks for more."""
        items = self.items(evidence.retests)
        epi, trend = evidence.gauges["epi_train"], mean_delta(items)
        past = self.trends(evidence.history)
        early = len(past) < self.least_rounds
        z = math.nan if early else z_score(trend, past)
        numbers = {"epi": epi, "trend": trend, "z": z}
        reason = undecidable(items)
        if len(items) < self.least_retests:
            reason = f"{len(items)} retests, {self.least_retests} needed"
        elif not math.isfinite(epi):
            reason = "the learner reported no epi gain"
        elif not reason and not early and math.isnan(z):
            reason = "the retest trend never varied"
        if reason:
            return self.verdict(evidence, "UNDECIDED", reason, numbers)
        low = trend < self.early_limit if early else z < Z
        limit = f"limit {self.early_limit}" if early else f"z = {z:+.1f}, limit {Z}"
        text = f"epi gain {epi:+.4f}, retest trend {trend:+.3f} ({limit})"
        if epi > 0 and low:
            severity = min(1.0, abs(trend) / epi)
            return self.verdict(evidence, "REFUSE", text, numbers, severity=severity)
        return self.verdict(evidence, "COMMIT", text, numbers)


class Stability(Rule):
    """Refuses where the retest trend varies less than its own sampling error allows.

    Over the n rounds so far, ``(n - 1) s^2 / s0^2`` below the 1 % quantile of chi-squared with
    n - 1 degrees of freedom, with s^2 the variance of the trends and s0^2 the mean of their squared
    standard errors: a gauge that quiet is leaked, cached or stuck. Needs four rounds with two
    retests each; ``alpha`` is not used.
    """

    name = "stability"
    least_rounds: ClassVar[int] = 4
    quantile: ClassVar[float] = 0.01

    def decide(self, evidence: Evidence) -> Verdict:
        """Return the verdict; never asks for more."""
        items = self.items(evidence.retests)
        rounds = [*(self.items(r.retests) for r in evidence.history), items]
        rounds = [tests for tests in rounds if len(tests) > 1]
        n = len(rounds)
        expected = float(np.mean([_squared_error(tests) for tests in rounds])) if n else math.nan
        reason = undecidable(items)
        if not reason and n < self.least_rounds:
            reason = f"{n} rounds with two retests, {self.least_rounds} needed"
        elif not reason and expected <= SHORT:
            reason = "every item changed alike in every round"
        if reason:
            return self.verdict(evidence, "UNDECIDED", reason, {"rounds": float(n)})
        from scipy.special import chdtr

        seen = float(np.var([mean_delta(tests) for tests in rounds], ddof=1))
        tail = float(chdtr(n - 1, (n - 1) * seen / expected))
        numbers = {"rounds": float(n), "seen": seen, "expected": expected, "p": tail}
        text = f"variance of the retest trend {seen:.2g}, {expected:.2g} expected (p = {tail:.3f})"
        if tail < self.quantile:
            text += ": leaked, cached or stuck"
            return self.verdict(evidence, "REFUSE", text, numbers, severity=1.0)
        return self.verdict(evidence, "COMMIT", text, numbers)


def _squared_error(items: Sequence[RetestItem]) -> float:
    return float(np.var([item.delta for item in items], ddof=1)) / len(items)
