"""How far the chains of one problem agree: on the answer, and on the way to it.

Formulas, one worked example and what the score cannot see are in ``docs/consensus.md``.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import index
from typing import Literal

from argus_gym import answers
from argus_gym.numerals import exact
from argus_gym.records import Chain, Value, Zone

__all__ = ["Consensus", "groups", "parse", "score", "zone"]

_MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Consensus:
    """Agreement of the k chains of one problem.

    Attributes:
        outcome: Share of all k chains with the modal final answer, in [0, 1].
        process: Agreement of the steps on the way, in [0, 1].
        combined: ``weight * outcome + (1 - weight) * process``, in [0, 1].
        answer: The modal final answer; ``None`` where no chain states one.
        best: Index of the best chain, in ``[0, k)``.
        variety: Number of different step sequences divided by k, in (0, 1].
        length_mean: Mean chain length in tokens.
        length_sd: Standard deviation of the k lengths in tokens (divisor k).
        chains: The chains as read, in the order given.
    """

    outcome: float
    process: float
    combined: float
    answer: Value | None
    best: int
    variety: float
    length_mean: float
    length_sd: float
    chains: tuple[Chain, ...]


def parse(text: str) -> Chain:
    """Read one chain: its final answer, and the results stated on the way.

    The steps are the stated results without those that equal the final answer. ``worked`` is
    whether there was any before that. ``tokens`` counts whitespace-separated words.

    Args:
        text: Any text; bounded work, see :mod:`argus_gym.answers`.
    """
    answer, percent, steps = answers.read(text)
    worked = bool(steps)
    if answer in steps:
        steps = tuple([s for s in steps if s != answer])
    if percent and not isinstance(answer, str | None):
        share = Fraction(answer, 100)
        steps = tuple([s for s in steps if s != share])
    return Chain(text, answer, steps, worked, percent, len(text.split()))


def score(
    chains: Sequence[str | Chain],
    weight: float = 0.5,
    process: Literal["aligned", "jaccard"] = "aligned",
    seed: int | Sequence[int] = 0,
) -> Consensus:
    """Score the agreement of the chains of one problem.

    Outcome is the share of all chains with the modal final answer; a chain without an answer votes
    for none. Process ``aligned`` is the mean, over the first J positions (J the upper median of the
    numbers of steps), of the share of all chains whose step there has the modal value; where J is 0
    it is the share of chains that show any working. Process ``jaccard`` is the mean multiset
    Jaccard index of the steps over all pairs of chains; two chains whose only result is the answer
    agree fully, a chain without working agrees with none.

    The best chain is, of those with the modal answer (of all where there is none), the one whose
    steps have the modal value at the largest share of positions. Ties between answers and between
    best chains are broken uniformly at random under ``seed``.

    Args:
        chains: The k >= 1 chains, as texts or already read.
        weight: Weight of the outcome, in [0, 1].
        process: How the steps are compared.
        seed: Non-negative integer, or a sequence of them.

    Raises:
        ValueError: If there is no chain, ``weight`` is outside [0, 1], ``process`` is unknown or
            ``seed`` is empty or negative.
    """
    k = len(chains)
    if k == 0:
        raise ValueError("chains must hold at least one chain, got 0")
    if not 0.0 <= weight <= 1.0:
        raise ValueError(f"weight must be in [0, 1], got {weight}")
    if process not in ("aligned", "jaccard"):
        raise ValueError(f"process must be 'aligned' or 'jaccard', got {process!r}")
    words = tuple(map(index, seed)) if isinstance(seed, Sequence) else (index(seed),)
    if min(words, default=-1) < 0:
        raise ValueError(f"seed must be non-negative, got {seed}")
    read = tuple([parse(c) if isinstance(c, str) else c for c in chains])

    # Chains that are one object, as a simulator's often are, are read once and counted together.
    copies: dict[int, int] = {}
    for chain in read:
        key = id(chain)
        copies[key] = copies.get(key, 0) + 1
    different = read if len(copies) == k else tuple({id(c): c for c in read}.values())
    ways: dict[tuple[Value, ...], int] = {}
    votes: dict[Value, int] = {}
    lengths: list[int] = []
    total = squares = worked = 0
    percents = False
    for chain in different:
        n = copies[id(chain)]
        ways[chain.steps] = ways.get(chain.steps, 0) + n
        if chain.answer is not None and not chain.percent:
            votes[chain.answer] = votes.get(chain.answer, 0) + n
        percents = percents or chain.percent
        lengths.extend([len(chain.steps)] * n)
        total += n * chain.tokens
        squares += n * chain.tokens * chain.tokens
        worked += n * chain.worked
    groups = _percent_groups(different, copies, votes) if percents else {}

    top = max(votes.values(), default=0)
    tied = [value for value, n in votes.items() if n == top]
    answer: Value | None = None
    if tied:
        answer = tied[0] if len(tied) == 1 else _canonical(tied)[_draw(words, 0, len(tied))]
    outcome = top / k

    lengths.sort()
    columns = _columns(ways, lengths[k // 2])
    modal = [max(column.values()) for column in columns]
    if process == "jaccard":
        agreed = _jaccard(different, copies, k)
    else:
        agreed = sum(modal) / (k * len(modal)) if modal else worked / k

    fits: dict[int, float] = {}
    for chain in different:
        own = groups[chain.answer] if chain.percent else chain.answer
        if own == answer:
            fits[id(chain)] = _fit(chain, columns, modal)
    highest = max(fits.values())
    winners = [i for i, chain in enumerate(read) if fits.get(id(chain)) == highest]
    best = winners[0] if len(winners) == 1 else winners[_draw(words, 1, len(winners))]
    mean = total / k
    return Consensus(
        outcome=outcome,
        process=agreed,
        combined=weight * outcome + (1.0 - weight) * agreed,
        answer=answer,
        best=best,
        variety=len(ways) / k,
        length_mean=mean,
        length_sd=math.sqrt(max(0.0, squares / k - mean * mean)),
        chains=read,
    )


def zone(combined: float, low: float = 0.4, high: float = 0.8) -> Zone:
    """Return ``hard`` below ``low``, ``easy`` above ``high``, else ``frontier``.

    Raises:
        ValueError: If not ``0 <= low <= high <= 1``.
    """
    if not 0.0 <= low <= high <= 1.0:
        raise ValueError(f"low and high must satisfy 0 <= low <= high <= 1, got {low} and {high}")
    return "hard" if combined < low else "easy" if combined > high else "frontier"


def groups(chains: Sequence[Chain]) -> list[Value | None]:
    """Return the answer each chain votes for, percentages put with one of their two readings.

    The modal one of these is :attr:`Consensus.answer`; ``None`` is a chain without an answer.

    Args:
        chains: The chains of one problem, already read.
    """
    of = [chain.answer for chain in chains]
    if not any(chain.percent for chain in chains):
        return of
    copies = {id(chain): 1 for chain in chains}
    votes = dict(Counter(c.answer for c in chains if c.answer is not None and not c.percent))
    joined = _percent_groups(chains, copies, votes)
    return [joined[c.answer] if c.percent else c.answer for c in chains]


def _percent_groups(
    chains: Sequence[Chain], copies: dict[int, int], votes: dict[Value, int]
) -> dict[Value | None, Value | None]:
    """Put each percentage x with the plain answers x or x/100, and add its votes there.

    It joins the one with more plain votes, x where they are equal, so that groups stay disjoint.
    """
    groups: dict[Value | None, Value | None] = {None: None}
    plain = votes.copy()
    for chain in chains:
        value = chain.answer
        if not chain.percent or value is None:
            continue
        group = value
        if not isinstance(value, str):
            share = Fraction(value, 100)
            if plain.get(share, 0) > plain.get(value, 0):
                group = exact(share)
        groups[value] = group
        votes[group] = votes.get(group, 0) + copies[id(chain)]
    return groups


def _canonical(values: list[Value]) -> list[Value]:
    """Return ``values`` in an order that does not depend on the order of the chains."""
    numbers = sorted(v for v in values if not isinstance(v, str))
    return [*numbers, *sorted(v for v in values if isinstance(v, str))]


def _columns(ways: dict[tuple[Value, ...], int], positions: int) -> list[dict[Value, int]]:
    """Count the values at each of the first ``positions`` steps, over all chains."""
    columns: list[dict[Value, int]] = [{} for _ in range(positions)]
    for steps, n in ways.items():
        for column, value in zip(columns, steps, strict=False):
            column[value] = column.get(value, 0) + n
    return columns


def _fit(chain: Chain, columns: list[dict[Value, int]], modal: list[int]) -> float:
    """Return the share of positions, missing and surplus ones included, with the modal value."""
    positions = max(len(columns), len(chain.steps))
    if positions == 0:
        return float(chain.worked)
    hits = 0
    for column, n, value in zip(columns, modal, chain.steps, strict=False):
        hits += column[value] == n
    return hits / positions


def _jaccard(chains: Sequence[Chain], copies: dict[int, int], k: int) -> float:
    """Return the mean multiset Jaccard index of the steps over all pairs of the k chains."""
    kinds: dict[tuple[tuple[Value, ...], bool], int] = {}
    for chain in chains:
        kind = (chain.steps, chain.worked)
        kinds[kind] = kinds.get(kind, 0) + copies[id(chain)]
    bags = [(Counter(steps), n) for (steps, worked), n in kinds.items() if worked]
    if k == 1:
        return float(bool(bags))
    agreed = 0.0
    for i, (bag, n) in enumerate(bags):
        agreed += n * (n - 1) / 2
        for other, m in bags[:i]:
            shared = (bag & other).total()
            union = bag.total() + other.total() - shared
            agreed += n * m * shared / union
    return agreed / (k * (k - 1) / 2)


def _draw(words: tuple[int, ...], stream: int, n: int) -> int:
    """Return a uniform index below ``n``: SplitMix64 of the seed's words and the stream.

    A generator object would cost as much to build as the rest of the score.
    """
    state = stream
    for word in words:
        while True:
            state = _mix(state ^ (word & _MASK))
            word >>= 64
            if not word:
                break
    return _mix(state) % n


def _mix(state: int) -> int:
    """Advance SplitMix64 by one step (Steele, Lea & Flood 2014) and return its output."""
    state = (state + 0x9E3779B97F4A7C15) & _MASK
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
    return state ^ (state >> 31)
