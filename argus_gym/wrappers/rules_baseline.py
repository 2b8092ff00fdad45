"""Gate rules to compare with."""

import math
from collections.abc import Sequence

import numpy as np

from argus_gym.evidence import Evidence, Wanted
from argus_gym.gauges import paired
from argus_gym.records import RetestItem, Verdict
from argus_gym.wrappers.edetector import BETS
from argus_gym.wrappers.rule import ANSWERS, Rule, mean_delta, undecidable

__all__ = ["HillClimb", "McNemar", "Never", "Pace", "commit_evidence"]


class Never(Rule):
    """Never refuses: the loop without a gate."""

    name = "never"
    safe = True

    def decide(self, evidence: Evidence) -> Verdict:
        """Return COMMIT."""
        return self.verdict(evidence, "COMMIT", "this rule never refuses", {})


class HillClimb(Rule):
    """Refuses where the retests went down at all: keep it unless the score fell.

    Sideways steps are kept, the usual form of stochastic hill climbing. On one side 128 answers;
    ``alpha`` is not used.
    """

    name = "hill_climb"

    def decide(self, evidence: Evidence) -> Verdict | Wanted:
        """Return the verdict, or ask for the rest of 128 answers."""
        wanted = self.more(evidence, ANSWERS)
        if wanted is not None:
            return wanted
        items = self.items(evidence.retests)
        delta, reason = mean_delta(items), undecidable(items)
        if reason:
            return self.verdict(evidence, "UNDECIDED", reason, {})
        text = f"retests changed by {delta:+.3f}"
        if delta < 0:
            return self.verdict(evidence, "REFUSE", text, {}, severity=1.0)
        return self.verdict(evidence, "COMMIT", text, {})


class McNemar(Rule):
    """Refuses where one round's retests are significantly worse, each round on its own.

    The exact one-sided paired test of :func:`argus_gym.gauges.paired` (with one chain an item the
    exact McNemar test) at ``alpha``, on 128 answers a side.
    """

    name = "mcnemar"
    safe = True

    def decide(self, evidence: Evidence) -> Verdict | Wanted:
        """Return the verdict, or ask for the rest of 128 answers."""
        wanted = self.more(evidence, ANSWERS)
        if wanted is not None:
            return wanted
        items = self.items(evidence.retests)
        test = paired(items)
        numbers = {"p": test.p_down}
        reason = undecidable(items)
        if not reason and 0.5 ** sum(item.delta != 0 for item in items) > self.alpha:
            reason = "too few items were answered differently for this test to refuse"
        if reason:
            return self.verdict(evidence, "UNDECIDED", reason, numbers)
        text = f"retests changed by {test.delta:+.3f}, p = {test.p_down:.3f}"
        if test.p_down <= self.alpha:
            return self.verdict(evidence, "REFUSE", text, numbers, severity=1.0)
        return self.verdict(evidence, "COMMIT", text, numbers)


class Pace(Rule):
    """Commits only where a paired e-process shows the step to be better within the budget.

    PACE (arXiv:2606.08106, "Anytime-Valid Acceptance Tests for Self-Evolving Agents"): before and
    after are compared on the same items until a testing-by-betting e-process against "the change
    is at most ``-slack``" reaches ``1 / alpha``, or the budget of answers is spent and the step is
    refused. The probability to commit a step that is not better is at most ``alpha``, each step
    on its own. Its bets are ours: a mixture over a fixed grid, see :func:`commit_evidence`.

    Args:
        evidence: See :class:`~argus_gym.wrappers.rule.Rule`.
        alpha: Bound on the probability to commit a step that is not better.
        slack: Change that counts as not better, as a loss in [0, 1); 0 as published.
        budget: Answers on each side, >= 1.
    """

    name = "pace"

    def __init__(
        self,
        *,
        evidence: str | None = None,
        alpha: float = 0.05,
        slack: float = 0.0,
        budget: int = 4 * ANSWERS,
    ) -> None:
        super().__init__(evidence=evidence, alpha=alpha)
        if not 0 <= slack < 1:
            raise ValueError(f"slack must be in [0, 1), got {slack!r}")
        if budget < 1:
            raise ValueError(f"budget must be at least 1, got {budget!r}")
        self.slack, self.budget = float(slack), budget

    def decide(self, evidence: Evidence) -> Verdict | Wanted:
        """Return the verdict, or ask for as many answers again while the budget lasts."""
        items = self.items(evidence.retests)
        log_e = commit_evidence(items, self.slack)
        enough = log_e >= -math.log(self.alpha)
        asked = sum(item.chains for item in items)
        wanted = self.more(evidence, min(asked + ANSWERS, self.budget))
        if wanted is not None and not enough:
            return wanted
        numbers = {"e": math.exp(min(log_e, 700.0)), "answers": float(asked)}
        reason = undecidable(items)
        if reason:
            return self.verdict(evidence, "UNDECIDED", reason, numbers)
        text = f"e-value {numbers['e']:.3g} for an improvement, {1 / self.alpha:.3g} needed"
        if enough:
            return self.verdict(evidence, "COMMIT", text, numbers)
        return self.verdict(evidence, "REFUSE", text, numbers, severity=1.0)


def commit_evidence(items: Sequence[RetestItem], slack: float) -> float:
    """Return the logarithm of an e-value against "the mean change is at most ``-slack``".

    Pairs an item's answers before and after at random and bets ``1 + b (D + slack)`` on each pair's
    difference D in {-1, 0, 1}. The logarithm is averaged over all pairings, which by Jensen's
    inequality keeps the mean at most one, and the e-values over a grid of bets.
    """
    if not items:
        return 0.0
    before = np.array([item.right_before for item in items], float)
    after = np.array([item.right_after for item in items], float)
    chains = np.array([item.chains for item in items], float)
    gains = float((after * (chains - before) / chains).sum())
    losses = float((before * (chains - after) / chains).sum())
    ties = float(chains.sum()) - gains - losses
    bets = np.array(BETS) / (1 + slack)
    logs = gains * np.log1p(bets * (1 + slack)) + ties * np.log1p(bets * slack)
    logs += losses * np.log1p(bets * (slack - 1))
    return float(np.logaddexp.reduce(logs) - math.log(len(bets)))
