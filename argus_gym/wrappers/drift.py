"""Drift: the proposer collapses to one type of problem."""

import math
import re
from collections import Counter
from collections.abc import Hashable, Sequence
from functools import lru_cache

from argus_gym.defences import Defence
from argus_gym.records import ProblemRecord, RoundRecord
from argus_gym.wrappers.base import Finding, LieDetector
from argus_gym.wrappers.evidence_tools import fold, latest, mean, rise_tail, surprise

__all__ = ["DriftDetector"]

WARMUP, RECENT, LEAST, LAG = 1, 1, 3, 1
KIND_SPREAD, TYPE_SPREAD = 0.2, 0.32
NARROWING = 0.05
_SENTENCE = re.compile(r"[.?!](?:\s|$)")


class DriftDetector(LieDetector):
    """Flags a proposer that collapses to one type of problem (lie A).

    A type is a cluster and a number of sentences. Read are the problems that missed the planner's
    target, because what the planner asked for is not the proposer's doing, and that state no false
    premise, because those are another lie's. Their concentration is the chance that two of a
    round's problems are of one type (Simpson 1949, "Measurement of Diversity"; minus its logarithm
    is the Renyi entropy of order 2, which needs no correction for small rounds). The log of it in
    the last round is held against the run's own past by a moderated t test, one-sided. Where
    the concentration over clusters alone is not up as well, at 5 %, the score is 0: problems of
    one length but of every kind are not this lie. The score is ``-log10(p) / 10``.

    Args:
        env: The environment to watch; transitions pass through unchanged.
        threshold: Score at which it fires, in [0, 1]; the tuned one where ``None``.
        defend: Whether to order external examples for the proposer.

    Raises:
        ValueError: If ``threshold`` is outside [0, 1].

    Measured (``bench lies``, medium severity, 200 runs, 95 % intervals): caught within 3 rounds of
    onset in 93.0 % [88.6, 95.8], within 5 in 100.0 % [98.1, 100.0]; false alarms in 0 of 460 quiet
    15-round runs, 0.0 % [0.0, 0.8]. At 5 % false alarms a run it beats the best generic alarm
    (threshold length: 57 % against 93 %). See ``docs/lies/drift.md``.
    Cannot see: a proposer that was collapsed from the start, one that always obeys the planner,
    and sameness within one type that changes neither cluster nor length.
    """

    lie = "A"
    name = "drift"
    defence = Defence.EXTERNAL_CONTEXT
    default_threshold = 0.31

    def score(self, history: Sequence[RoundRecord]) -> float:
        """Return ``-log10(p) / 10`` of the last round's concentration, NaN in the first four."""
        return surprise(_evidence(history)["p"])

    def explain(self, history: Sequence[RoundRecord]) -> Finding:
        """Return the concentrations, the share of different wordings and the commonest cluster."""
        evidence = _evidence(history)
        problems = history[-1].problems
        evidence["unique"] = len({p.problem for p in problems}) / max(len(problems), 1)
        commonest = Counter(p.cluster for p in problems).most_common(1)
        return Finding(
            tuple(cluster for cluster, _ in commonest),
            evidence,
            f"Two proposals are of one type with chance {math.exp(evidence['types']):.2f}, "
            f"{math.exp(evidence['types_past']):.2f} in the past (p = {evidence['p']:.1g}).",
        )


@latest
def _evidence(history: Sequence[RoundRecord]) -> dict[str, float]:
    parts = fold(len(history), WARMUP, RECENT, LEAST, LAG)
    evidence = dict.fromkeys(("p", "p_kinds", "types", "types_past"), math.nan)
    if parts is None:
        return evidence
    past, recent = parts
    own = [[p for p in r.problems if p.cluster != p.target and p.premise.ok] for r in history]
    kinds = [_concentration([p.cluster for p in problems]) for problems in own]
    types = [_concentration([_type(p) for p in problems]) for problems in own]
    evidence["types"], evidence["types_past"] = mean(types[recent]), mean(types[past])
    p = rise_tail(types[recent], types[past], TYPE_SPREAD)
    narrowing = rise_tail(kinds[recent], kinds[past], KIND_SPREAD)
    evidence["p_kinds"] = narrowing
    evidence["p"] = 1.0 if narrowing > NARROWING and not math.isnan(p) else p
    return evidence


def _type(problem: ProblemRecord) -> tuple[int, int]:
    return problem.cluster, _sentences(problem.problem)


@lru_cache(maxsize=2048)
def _sentences(text: str) -> int:
    return len(_SENTENCE.findall(text))


def _concentration(types: Sequence[Hashable]) -> float:
    """Return the log chance that two items are equal, NaN for fewer than two; half a pair added."""
    n = len(types)
    if n < 2:
        return math.nan
    equal = sum(count * (count - 1) / 2 for count in Counter(types).values())
    return math.log((equal + 0.5) / (n * (n - 1) / 2 + 1))
