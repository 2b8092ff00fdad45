"""Candidate signals for a right modal answer, beside those that were kept in ``chain_score``."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import combinations

from argus_gym.chain_score import Signals, numbers, signals
from argus_gym.consensus import Consensus, groups
from argus_gym.numerals import FREE, clean, number
from argus_gym.premise.equations import equations
from argus_gym.premise.reading import MAX_CHARS, Reading, fold, tokens
from argus_gym.records import Chain, Value

__all__ = ["FEATURES", "features"]

FEATURES = (
    *Signals._fields,
    "margin", "entropy", "answers", "process_start", "process_end", "process_jaccard",
    "modal_end", "modal_jaccard", "modal_last", "support", "rival_support", "answer_as_step",
    "weighted_vote", "false_equations", "clean_share", "steps", "more_steps", "longer",
    "length_cv", "numbers_used", "magnitude", "echo", "negative_steps", "problem_numbers",
    "problem_words",
)  # fmt: skip
"""Names of what :func:`features` returns, in order."""

_MARK = re.compile(r"[$£€]?<<([^<>\n]{0,120})>>")
_PAIRS = 66


def features(result: Consensus, problem: str, jaccard: float) -> tuple[float, ...]:
    """Return :data:`FEATURES` of scored chains; *modal* ones are those with the modal answer.

    Args:
        result: What :func:`argus_gym.consensus.score` returned.
        problem: The problem's text.
        jaccard: Process ``jaccard`` of the same chains.
    """
    chains, answer, k = result.chains, result.answer, len(result.chains)
    of = groups(chains)
    inside = [group is not None and group == answer for group in of]
    modal = [c for c, yes in zip(chains, inside, strict=True) if yes] or list(chains)
    others = [c for c, yes in zip(chains, inside, strict=True) if not yes]
    votes = sorted(Counter(group for group in of if group is not None).values(), reverse=True)
    steps = [c.steps for c in chains]
    modal_steps = [c.steps for c in modal]
    known = [{v for v in (*c.steps, c.answer) if v is not None} for c in chains]
    seen = Counter(value for values in known for value in values)
    shared = {id(c): _shared(set(c.steps), seen, k) for c in chains}
    weights = [_shared(values, seen, k) for values in known]
    wrong = {id(c): _false(c.text) for c in chains}
    sound = sum(not wrong[id(c)] for c in chains)
    last = Counter(s[-1] for s in modal_steps if s)
    lengths = math.log1p(result.length_mean)
    stated = numbers(problem)
    largest = max((abs(float(n)) for n in stated), default=0.0)
    real = answer if isinstance(answer, int | Fraction) else None
    mean_steps = _mean(map(len, steps))
    return (
        *signals(result, problem),
        (votes[0] - (votes[1] if len(votes) > 1 else 0)) / k if votes else 0.0,
        -sum(n / k * math.log(n / k) for n in votes),
        len(votes) / k,
        result.process,
        _end(steps, chains),
        jaccard,
        _end(modal_steps, modal),
        _jaccard(modal_steps) if len(modal) > 1 else jaccard,
        max(last.values(), default=0) / k,
        _mean(shared[id(c)] for c in modal),
        max((shared[id(c)] for c in others), default=0.0),
        sum(answer in c.steps for c in others) / k,
        sum(w for w, yes in zip(weights, inside, strict=True) if yes) / (sum(weights) or 1.0),
        _mean(wrong[id(c)] for c in modal),
        sum(not wrong[id(c)] for c in modal) / max(sound, 1),
        math.log1p(mean_steps),
        _mean(map(len, modal_steps)) - mean_steps,
        math.log1p(_mean(c.tokens for c in modal)) - lengths,
        result.length_sd / max(result.length_mean, 1.0),
        _mean(_used(c.text, stated) for c in modal),
        0.0 if real is None else math.log1p(min(abs(float(real)), 1e12)) - math.log1p(largest),
        float(real is not None and real in stated),
        _mean(any(not isinstance(s, str) and s < 0 for s in own) for own in modal_steps),
        float(len(stated)),
        math.log1p(len(problem.split())),
    )  # fmt: skip


def _mean(values: Iterable[float]) -> float:
    items = list(values)
    return sum(items) / len(items)


def _shared(values: set[Value], seen: Counter[Value], k: int) -> float:
    """Return the mean share of the other chains that state a value too."""
    if not values or k == 1:
        return 0.0
    return sum(seen[v] - 1 for v in values) / (len(values) * (k - 1))


def _end(steps: Sequence[tuple[Value, ...]], chains: Sequence[Chain]) -> float:
    """Return the process agreement with the last steps put beside each other."""
    positions = sorted(map(len, steps))[len(steps) // 2]
    if positions == 0:
        return _mean(c.worked for c in chains)
    modal = 0
    for j in range(1, positions + 1):
        modal += max(Counter(s[-j] for s in steps if len(s) >= j).values())
    return modal / (positions * len(steps))


def _jaccard(steps: Sequence[tuple[Value, ...]]) -> float:
    """Return the mean multiset Jaccard index over the pairs of the first chains."""
    bags = [Counter(s) for s in steps[: 1 + math.isqrt(2 * _PAIRS)]]
    pairs = [((a & b).total(), (a | b).total()) for a, b in combinations(bags, 2)]
    return _mean(both / either if either else 1.0 for both, either in pairs)


def _false(text: str) -> bool:
    """Return whether a chain states an equation that is false, checked exactly."""
    # the readers of problems know neither calculator marks nor answers on a line of their own
    plain = _MARK.sub(r" \1 . ", clean(text)).replace("$", "").replace("####", "")
    low = fold(plain.replace("\n", " . ")[:MAX_CHARS])
    return next(equations(Reading(low, tokens(low))), None) is not None


def _used(text: str, stated: set[int | Fraction]) -> float:
    """Return the share of the problem's numbers that a chain writes down."""
    if not stated:
        return 1.0
    return len(stated & {number(match) for match in FREE.findall(clean(text))}) / len(stated)
