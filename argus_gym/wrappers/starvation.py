"""Compute starvation: the learner memorises its pairs and learns nothing that carries over."""

import math
from collections.abc import Sequence

from argus_gym.defences import Defence
from argus_gym.records import LearnReport, RoundRecord
from argus_gym.wrappers.base import Finding, LieDetector
from argus_gym.wrappers.evidence_tools import fold, latest, mean, rise_tail, surprise

__all__ = ["StarvationDetector"]

WARMUP, RECENT, LEAST, LAG = 1, 2, 3, 0
HELDOUT_SPREAD, SHARE_SPREAD = 0.2, 0.2


class StarvationDetector(LieDetector):
    """Flags training that only memorises what it trains on (lie C).

    Read are the learning gauges of the last two rounds: the gain on held-out pairs as a
    multiple of its own past mean, and as a share of the gain on trained pairs. Each is held
    against its past by a moderated t test, one-sided for a fall. The larger p counts, of the
    two readings and of the two rounds, squared for the rounds: a learner that slows down loses
    both gains alike, a pair learnt by heart now and then costs the held-out gain nothing, and
    one odd held-out pair spoils one round and not the next. The score is ``-log10(p) / 10``, 0
    unless trained pairs still gain. How far replayed pairs lie below new ones before the step,
    and the replayed share of the batch, are evidence and not part of the score: the one moves by
    no more than it scatters, the other is the environment's setting.

    Args:
        env: The environment to watch; transitions pass through unchanged.
        threshold: Score at which it fires, in [0, 1]; the tuned one where ``None``.
        defend: Whether to order the older half of the replay pairs dropped.

    Raises:
        ValueError: If ``threshold`` is outside [0, 1].

    Measured (``bench lies``, medium severity, 200 runs, 95 % intervals): caught within 3 rounds of
    onset in 97.5 % [94.3, 98.9], within 5 in 97.5 % [94.3, 98.9]; false alarms in 0 of 460 quiet
    15-round runs, 0.0 % [0.0, 0.8]. At 5 % false alarms a run it beats the best generic alarm
    (cusum epi heldout: 38 % against 100 %). See ``docs/lies/starvation.md``.
    Cannot see: a learner that memorises from its first step, and one whose report has no held-out
    pairs (it scores NaN).
    """

    lie = "C"
    name = "starvation"
    defence = Defence.DECAY_REPLAY
    default_threshold = 0.4

    def score(self, history: Sequence[RoundRecord]) -> float:
        """Return ``-log10(p) / 10`` of the last two rounds' gains, NaN in the first five rounds."""
        return surprise(_evidence(history)["p"])

    def explain(self, history: Sequence[RoundRecord]) -> Finding:
        """Return the gains on trained and held-out pairs and the gap to replayed ones."""
        evidence = _evidence(history)
        return Finding(
            evidence=evidence,
            sentence=f"Trained pairs gained {evidence['train']:.4f} nats per token and held-out "
            f"pairs {evidence['heldout']:.4f}, {evidence['heldout_past']:.4f} in the past "
            f"(p = {evidence['p']:.1g}).",
        )


@latest
def _evidence(history: Sequence[RoundRecord]) -> dict[str, float]:
    report, batch = history[-1].report, history[-1].trained + history[-1].replayed
    train = [_gain(r.report.train) for r in history]
    held = [_gain(r.report.heldout) for r in history]
    evidence = {
        "p": math.nan,
        "p_heldout": math.nan,
        "p_share": math.nan,
        "train": train[-1],
        "heldout": held[-1],
        "heldout_past": math.nan,
        "replay_gap": _gap(report),
        "replay_share": history[-1].replayed / batch if batch else math.nan,
    }
    parts = fold(len(history), WARMUP, RECENT, LEAST, LAG)
    if parts is None:
        return evidence
    past, recent = parts
    evidence["heldout_past"] = usual = mean(held[past])
    # A held-out gain that was never there cannot be lost.
    if not usual > 0:
        return evidence
    fall = [-v / usual for v in held]
    lost = [-h / t if t > 0 else math.nan for h, t in zip(held, train, strict=True)]
    evidence["p_heldout"] = _both(fall[recent], fall[past], HELDOUT_SPREAD)
    evidence["p_share"] = _both(lost[recent], lost[past], SHARE_SPREAD)
    if train[-1] <= 0:
        evidence["p"] = 1.0
    elif not math.isnan(evidence["p_share"] + evidence["p_heldout"]):
        evidence["p"] = max(evidence["p_heldout"], evidence["p_share"])
    return evidence


def _both(now: Sequence[float], past: Sequence[float], spread: float) -> float:
    """Return the p-value that every one of the rounds under test is as high as the lowest of them.

    One odd pair can move a round's mean by ten standard deviations, but not the next round's too.
    """
    tails = [rise_tail([value], past, spread) for value in now]
    known = [p for p in tails if not math.isnan(p)]
    return max(known) ** len(tails) if len(known) == len(tails) else math.nan


def _gain(pair: tuple[float, float]) -> float:
    gain = pair[0] - pair[1]
    return gain if math.isfinite(gain) else math.nan


def _gap(report: LearnReport) -> float:
    """Return how far replayed pairs lay below new ones before the step, in nats per token."""
    gap = report.train[0] - report.replay[0]
    return gap if math.isfinite(gap) else math.nan
