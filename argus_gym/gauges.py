"""Learning gauges, paired retests and what an observation holds of them.

``docs/gauges.md`` has every formula in one place. A number that was not measured is NaN.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from argus_gym.intervals import (
    check_confidence,
    newcombe,
    noise_band,
    paired_difference_interval,
    pass_at_k,
    wilson,
)
from argus_gym.records import LearnReport, ProblemRecord, RetestItem, RoundRecord

__all__ = [
    "GAUGES",
    "GAUGE_LIMIT",
    "Paired",
    "anchors",
    "learning",
    "measure",
    "newcombe",
    "noise_band",
    "observe",
    "paired",
    "paired_difference_interval",
    "pass_at_k",
    "past",
    "prequential_bits",
    "wilson",
]

GAUGES = (
    "progress",
    "mean_reward",
    "skill",
    "frontier_share",
    "easy_share",
    "hard_share",
    "epi_train",
    "epi_heldout",
    "epi_replay",
    "epi_preq",
    "memorisation",
    "anchor_accuracy",
    "anchor_delta",
    "past_delta",
    "replay_share",
)
"""The run-level numbers of an observation, in order; all but ``progress`` are in every record."""

GAUGE_LIMIT = 1e4
"""Observed gauges are clipped to ``[-GAUGE_LIMIT, GAUGE_LIMIT]``."""

NAN = math.nan
GRID = 1_000


def learning(report: LearnReport) -> dict[str, float]:
    """Return the learning gauges of one learning step, NaN where the report measured nothing.

    ``epi_train``, ``epi_heldout`` and ``epi_replay`` are the mean negative log-likelihood before
    minus after the step, in nats per token, over the pairs of one role: positive where the step
    made them likelier. ``memorisation`` is ``epi_train - epi_heldout``: what was gained on trained
    pairs only. ``epi_preq`` is the report's prequential code length above the final loss, in bits.
    """
    train, heldout, replay = (_gain(p) for p in (report.train, report.heldout, report.replay))
    return {
        "epi_train": train,
        "epi_heldout": heldout,
        "epi_replay": replay,
        "epi_preq": report.preq_bits if math.isfinite(report.preq_bits) else NAN,
        "memorisation": train - heldout,
    }


def _gain(pair: tuple[float, float]) -> float:
    gain = pair[0] - pair[1]
    return gain if math.isfinite(gain) else NAN


def prequential_bits(losses: Sequence[float], tokens: Sequence[int]) -> float:
    """Return the area between a learning curve and its last loss: ``sum t_i (l_i - l_n) / ln 2``.

    Each minibatch is scored first and trained on afterwards, so the curve is the code length of the
    data under a learner that starts from scratch on it; what lies above the final loss is what the
    learner took in. Source: prequential coding (Dawid 1984; Blier and Ollivier 2018, "The
    Description Length of Deep Learning Models").

    Args:
        losses: Mean negative log-likelihood of each minibatch before it was trained on, in nats per
            token, in training order.
        tokens: Number of tokens of each minibatch, >= 0.

    Returns:
        Bits, negative where losses rose; NaN with fewer than two minibatches.

    Raises:
        ValueError: If the lengths differ or a count is negative.
    """
    loss, count = np.asarray(losses, float), np.asarray(tokens, float)
    if loss.ndim != 1 or loss.shape != count.shape:
        raise ValueError(f"losses and tokens must match, got shapes {loss.shape} and {count.shape}")
    if (count < 0).any():
        raise ValueError(f"tokens must be at least 0, got {count.min():g}")
    return float(count @ (loss - loss[-1])) / math.log(2) if loss.size > 1 else NAN


def anchors(items: Iterable[RetestItem]) -> tuple[RetestItem, ...]:
    """Return the items whose answer is known."""
    return tuple(item for item in items if item.anchor)


def past(items: Iterable[RetestItem]) -> tuple[RetestItem, ...]:
    """Return the earlier problems, whose "right" answer is their first consensus."""
    return tuple(item for item in items if not item.anchor)


@dataclass(frozen=True, slots=True)
class Paired:
    """A paired comparison of the same items before and after a learning step.

    Attributes:
        delta: Mean over items of the share of right chains, after minus before, in [-1, 1].
        low: Lower end of the interval.
        high: Upper end of the interval.
        n: Number of items.
        answers: Number of answers on both sides together.
        p_down: One-sided p-value of "no change" against "worse", in (0, 1].
    """

    delta: float
    low: float
    high: float
    n: int
    answers: int
    p_down: float


def paired(items: Sequence[RetestItem], confidence: float = 0.95) -> Paired:
    """Compare the same items before and after a learning step.

    The interval is Student's t over the items' differences. Items are the unit, because the chains
    of one item are not independent. Where all differences equal ``d`` the t interval would have
    width zero; instead, with ``q = 1 - ((1 - confidence) / 2)**(1/n)`` the largest share of
    differing items that n equal ones leave open (Clopper-Pearson), it is ``d - q (1 + d)`` to
    ``d + q (1 - d)``. With fewer than two items there is no interval.

    ``p_down`` is exact: the share of all sign patterns of the differences whose sum is at most the
    observed one. With one chain an item this is the exact one-sided McNemar test. Where items have
    different numbers of chains with a common denominator above 1,000, differences are rounded to
    thousandths for it.

    Args:
        items: Retested items, each with its own number of chains.
        confidence: Coverage of the interval, in (0, 1).

    Returns:
        The comparison; every float is NaN without items.

    Raises:
        ValueError: If ``confidence`` is outside (0, 1).
    """
    check_confidence(confidence)
    n = len(items)
    answers = 2 * sum(item.chains for item in items)
    if not n:
        return Paired(NAN, NAN, NAN, 0, 0, NAN)
    deltas = np.array([item.delta for item in items])
    delta = float(deltas.mean())
    if n == 1:
        low = high = NAN
    elif np.ptp(deltas) == 0.0:
        q = 1.0 - ((1.0 - confidence) / 2) ** (1 / n)
        low, high = delta - q * (1.0 + delta), delta + q * (1.0 - delta)
    else:
        # scipy.stats would add half a second to every command that prints an interval.
        from scipy.special import stdtrit

        half = float(stdtrit(n - 1, (1.0 + confidence) / 2)) * deltas.std(ddof=1) / math.sqrt(n)
        low, high = max(delta - half, -1.0), min(delta + half, 1.0)
    return Paired(delta, float(low), float(high), n, answers, _p_down(items))


def _p_down(items: Sequence[RetestItem]) -> float:
    grid = math.lcm(*(item.chains for item in items))
    grid = grid if grid <= GRID else GRID
    steps = [round((i.right_after - i.right_before) * grid / i.chains) for i in items]
    sizes = [abs(step) for step in steps if step]
    # Distribution of the sum of gains when every difference keeps its size and draws its sign.
    chance = np.zeros(sum(sizes) + 1)
    chance[0] = 1.0
    top = 1
    for size in sizes:
        half = 0.5 * chance[:top]
        chance[:top] = half
        chance[size : size + top] += half
        top += size
    gains = sum(step for step in steps if step > 0)
    return min(float(chance[: gains + 1].sum()), 1.0)


def measure(
    problems: Sequence[ProblemRecord],
    retests: Sequence[RetestItem],
    report: LearnReport,
    trained: int,
    replayed: int,
) -> dict[str, float]:
    """Return every gauge of one round by name: ``GAUGES`` without ``progress``.

    Args:
        problems: The round's scored problems.
        retests: The round's paired retests.
        report: The learner's report.
        trained: Number of pairs trained on for the first time.
        replayed: Number of replayed pairs trained on.
    """
    n = len(problems)
    zones = [p.zone for p in problems]
    outcomes: dict[int, list[float]] = {}
    for problem in problems:
        outcomes.setdefault(problem.cluster, []).append(problem.outcome)
    known, earlier = anchors(retests), past(retests)
    return {
        "mean_reward": _mean([p.combined for p in problems]),
        "skill": _mean([sum(values) / len(values) for values in outcomes.values()]),
        "frontier_share": zones.count("frontier") / n if n else NAN,
        "easy_share": zones.count("easy") / n if n else NAN,
        "hard_share": zones.count("hard") / n if n else NAN,
        **learning(report),
        "anchor_accuracy": _mean([item.right_after / item.chains for item in known]),
        "anchor_delta": _mean([item.delta for item in known]),
        "past_delta": _mean([item.delta for item in earlier]),
        "replay_share": replayed / (trained + replayed) if trained + replayed else NAN,
    }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else NAN


def observe(record: RoundRecord | None, round_: int, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the gauges as an observation, and which of them were measured.

    Args:
        record: The last finished round, ``None`` before there is one.
        round_: Rounds finished so far, >= 0.
        rounds: Rounds of the run, >= 1.

    Returns:
        Two ``float32`` arrays in the order ``GAUGES``: the values, 0 where not measured and clipped
        to ``[-GAUGE_LIMIT, GAUGE_LIMIT]``, and 1 or 0 for measured or not.
    """
    gauges = {} if record is None else record.gauges
    values = np.array([gauges.get(name, NAN) for name in GAUGES], np.float64)
    values[0] = round_ / rounds
    measured = np.isfinite(values)
    clipped = np.clip(np.where(measured, values, 0.0), -GAUGE_LIMIT, GAUGE_LIMIT)
    return clipped.astype(np.float32), measured.astype(np.float32)
