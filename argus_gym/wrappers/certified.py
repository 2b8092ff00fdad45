"""The ``certified`` rule: cliffs against the last weights, drift against certified ones."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from argus_gym.evidence import Evidence, Wanted
from argus_gym.gauges import Paired, paired
from argus_gym.records import RetestItem, Verdict, decode, encode
from argus_gym.wrappers.edetector import EDetector
from argus_gym.wrappers.rule import ANSWERS, Rule, label, undecidable

__all__ = ["Certified", "Rate", "margins"]


@dataclass(frozen=True, slots=True)
class Rate:
    """How the certified weights answered one item.

    Attributes:
        right: Right chains.
        chains: Chains.
        cluster: The item's cluster when it was asked.
        asked: The last round in which the item was asked.
    """

    right: int
    chains: int
    cluster: int
    asked: int


class Certified(Rule):
    """Refuses a step that is worse than the last weights, or than the last certified ones.

    *Cliff*: the exact one-sided paired test of the step on 128 answers a side; where p is at most
    ``screen``, 384 more are drawn; refused at a pooled p of at most ``alpha`` (each round), target
    ``before``.

    *Drift*: an :class:`~argus_gym.wrappers.edetector.EDetector` on the answers after the step
    against the rates of the certified weights on the same items, global and by cluster; refused at
    R / alpha over the run's R rounds, target ``certified``. The rates are measured once, by at
    least 8 chains an item, so they carry an error that every later round shares: losses within
    ``error_units`` standard errors of the rates' mean count as none.

    *Certificate*: every ``every`` rounds all items with a rate are answered again; where their
    mean did not drop and the upper 95 % limit of the drop is under ``tolerance``, the weights are
    certified and these answers are the new rates. The first weights are certified as they are.

    The held-out learning gauge labels the verdict and never decides.

    Args:
        evidence: See :class:`~argus_gym.wrappers.rule.Rule`.
        alpha: Error rate of a cliff in one round, and of a drift in the whole run.
        screen: First p-value up to which more answers are drawn, in [alpha, 1].
        every: Rounds from one attempt to certify to the next, >= 1.
        tolerance: Largest drop a certificate may leave open, in (0, 1].
        error_units: Standard errors of the certified rates that are no drift, >= 0.
    """

    name = "certified"
    safe = True
    extra: ClassVar[int] = 384
    least_chains: ClassVar[int] = 8

    def __init__(
        self,
        *,
        evidence: str | None = None,
        alpha: float = 0.05,
        screen: float = 0.30,
        every: int = 5,
        tolerance: float = 0.05,
        error_units: float = 2.0,
    ) -> None:
        super().__init__(evidence=evidence, alpha=alpha)
        if not self.alpha <= screen <= 1:
            raise ValueError(f"screen must be in [alpha, 1], got {screen!r}")
        if every < 1:
            raise ValueError(f"every must be at least 1, got {every!r}")
        if not 0 < tolerance <= 1:
            raise ValueError(f"tolerance must be in (0, 1], got {tolerance!r}")
        if not 0 <= error_units < math.inf:
            raise ValueError(f"error_units must be at least 0, got {error_units!r}")
        self.screen, self.every = float(screen), every
        self.tolerance, self.error_units = float(tolerance), float(error_units)
        self.start(1)

    def start(self, rounds: int) -> None:
        """Forget the last run."""
        self._rounds = rounds
        self._rates: dict[str, Rate] | None = None
        self._detector = EDetector(np.zeros(1))

    def decide(self, evidence: Evidence) -> Verdict | Wanted:
        """Return the verdict, or ask for the answers that are missing for it."""
        items = self.items(evidence.retests)
        wanted = self._missing(evidence, items)
        if wanted is not None:
            return wanted
        test = paired(items)
        if test.p_down <= self.screen:
            wanted = self.more(evidence, ANSWERS + self.extra)
            if wanted is not None:
                return wanted
        if self._rates is None:
            self._certify(items, evidence.round, after=False)
        numbers = {"p": test.p_down, "epi_heldout": evidence.gauges["epi_heldout"]}
        return self._judge(evidence, items, test, numbers)

    def _missing(self, evidence: Evidence, items: Sequence[RetestItem]) -> Wanted | None:
        """Ask for what this round needs before its first test."""
        if self._rates is None:
            return self.more(evidence, ANSWERS + self.extra)
        open_ = [problem for problem in self.fresh(evidence) if problem in self._rates]
        if not self._due(evidence):
            asked = sum(i.chains for i in items if i.problem in self._rates)
            chains = next((rate.chains for rate in self._rates.values()), 1)
            open_.sort(key=lambda problem: self._rates[problem].asked)  # type: ignore[index]
            open_ = open_[: max(0, math.ceil((ANSWERS - asked) / chains))]
        if open_:
            return Wanted(problems=tuple(open_), anchors=self.evidence == "anchors")
        return self.more(evidence, ANSWERS)

    def _due(self, evidence: Evidence) -> bool:
        return (evidence.round + 1) % self.every == 0

    def _judge(
        self,
        evidence: Evidence,
        items: Sequence[RetestItem],
        test: Paired,
        numbers: dict[str, float],
    ) -> Verdict:
        gauge = numbers["epi_heldout"]
        text = f"step {test.delta:+.3f}, p = {test.p_down:.3f}"
        if test.p_down <= self.alpha:
            text += f"; worse than before the step: {label(gauge, True)}"
            return self.verdict(evidence, "REFUSE", text, numbers, severity=1.0)
        numbers["e"] = self._drift(items, evidence.round)
        numbers["alarm"] = self._rounds / self.alpha
        text += f"; drift e-value {numbers['e']:.3g} of {numbers['alarm']:.3g}"
        if not self._rates:
            text += f" (not watched: no item has {self.least_chains} chains)"
        if numbers["e"] >= numbers["alarm"]:
            self._restart()
            text += f"; worse than the certified weights: {label(gauge, True)}"
            return self.verdict(evidence, "REFUSE", text, numbers, 1.0, "certified")
        reason = undecidable(items)
        if reason:
            return self.verdict(evidence, "UNDECIDED", f"{reason}; {text}", numbers)
        if self._due(evidence) and self._rates:
            drop = self._drop(items)
            numbers |= {"drop": -drop.delta, "drop_high": -drop.low, "drop_n": float(drop.n)}
            text += f"; drop since the certificate {-drop.delta:+.3f}, below {-drop.low:+.3f}"
            if drop.delta >= 0 and -drop.low < self.tolerance:
                self._certify(items, evidence.round, after=True)
                text += f": {label(gauge, False)}"
                return self.verdict(evidence, "COMMIT_CERTIFIED", text, numbers)
        text += f"; not refused, not certified: {label(gauge, False)}"
        return self.verdict(evidence, "COMMIT", text, numbers)

    def _certify(self, items: Sequence[RetestItem], round_: int, *, after: bool) -> None:
        """Take the items' answers on one side as the rates of the certified weights."""
        self._rates = {
            item.problem: Rate(
                item.right_after if after else item.right_before, item.chains, item.cluster, round_
            )
            for item in items
            if item.chains >= self.least_chains
        }
        self._restart()

    def _restart(self) -> None:
        self._detector = EDetector(margins(list((self._rates or {}).values()), self.error_units))

    def _drift(self, items: Sequence[RetestItem], round_: int) -> float:
        """Take in the answers after the step; return the e-detector's statistic."""
        rates = self._rates or {}
        row = {
            cluster: at for at, cluster in enumerate(sorted({r.cluster for r in rates.values()}))
        }
        losses: list[float] = []
        groups: list[int] = []
        for item in items:
            if item.problem not in rates:
                continue
            then = rates[item.problem]
            rate, wrong = then.right / then.chains, item.chains - item.right_after
            losses += [rate - 1] * item.right_after + [rate] * wrong
            groups += [row[then.cluster]] * item.chains
            rates[item.problem] = Rate(then.right, then.chains, then.cluster, round_)
        return min(self._detector.update(np.array(losses), np.array(groups, int)), 1e300)

    def _drop(self, items: Sequence[RetestItem]) -> Paired:
        """Compare the answers after the step with the certified rates; ``low`` is a 95 % limit."""
        rates = self._rates or {}
        return paired(
            [
                RetestItem(
                    problem=item.problem,
                    cluster=item.cluster,
                    anchor=item.anchor,
                    chains=item.chains,
                    right_before=rates[item.problem].right,
                    right_after=item.right_after,
                    outcome_before=math.nan,
                    outcome_after=math.nan,
                )
                for item in items
                if item.problem in rates
            ],
            confidence=0.90,
        )

    def state(self) -> dict[str, Any]:
        """Return a JSON-ready copy of rates and detector."""
        return {
            "rounds": self._rounds,
            "rates": None if self._rates is None else encode(self._rates),
            "detector": self._detector.state(),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state` returned."""
        rates = state["rates"]
        self._rounds = int(state["rounds"])
        self._rates = None if rates is None else {p: decode(Rate, r) for p, r in rates.items()}
        self._detector = EDetector.from_state(state["detector"])


def margins(rates: Sequence[Rate], units: float) -> np.ndarray:
    """Return ``units`` standard errors of the mean rate, over all items and by cluster.

    Args:
        rates: The certified weights' answers.
        units: How many standard errors, >= 0.

    Returns:
        Shape ``(1 + clusters,)``: all items, then each cluster that occurs, in ascending order.
    """
    clusters = np.array([rate.cluster for rate in rates], int)
    right = np.array([rate.right for rate in rates], float)
    chains = np.array([rate.chains for rate in rates], float)
    # Half a right and half a wrong answer more: eight of eight does not mean without error.
    share = (right + 0.5) / (chains + 1)
    variance = share * (1 - share) / chains
    masks = [np.ones(len(rates), bool), *(clusters == c for c in np.unique(clusters))]
    errors = [math.sqrt(float(variance[m].sum())) / max(int(m.sum()), 1) for m in masks]
    return np.minimum(units * np.array(errors), 1.0)
