"""The training buffer: pairs that wait, pairs to replay, pairs in quarantine."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from argus_gym.records import TrainingPair, decode, encode

__all__ = ["Buffer"]


class Buffer:
    """Holds the frontier's training pairs from their first score to replay or quarantine.

    A pair waits in the buffer until the round's learning step. A random half of the round's new
    pairs is held out of that step, only to be scored, and joins the next one, so that every pair
    is trained on once and the held-out gauge never reads what was trained on.

    Args:
        capacity: Number of pairs kept for replay; the oldest leave first.
        replay_share: Replayed pairs as a share of a step's training pairs, in [0, 1).
    """

    def __init__(self, capacity: int = 512, replay_share: float = 0.25) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        if not 0 <= replay_share < 1:
            raise ValueError(f"replay_share must be in [0, 1), got {replay_share}")
        self.capacity = capacity
        self.replay_share = replay_share
        self.waiting: list[TrainingPair] = []
        self.delayed: list[TrainingPair] = []
        self.replay: list[TrainingPair] = []
        self.newest: list[TrainingPair] = []
        self.quarantined: list[TrainingPair] = []

    def add(self, pair: TrainingPair) -> None:
        """Append a new pair of this round."""
        self.waiting.append(pair)

    def batch(self, rng: np.random.Generator, epi: bool = False) -> tuple[TrainingPair, ...]:
        """Return the pairs of the coming step with their roles.

        Args:
            rng: Draws the held-out half and the replayed pairs.
            epi: Weigh each pair by its chain's likelihood loss before the update as well, as a
                share of the largest of the batch; pairs without one keep their weight.
        """
        order = rng.permutation(len(self.waiting)).tolist()
        held = order[: len(order) // 2]
        heldout = [replace(self.waiting[i], role="heldout") for i in held]
        train = [replace(p, role="train") for p in self.delayed]
        train += [self.waiting[i] for i in sorted(order[len(held) :])]
        wanted = round(len(train) * self.replay_share / (1 - self.replay_share))
        drawn = rng.permutation(len(self.replay))[:wanted].tolist()
        pairs = [*train, *(replace(self.replay[i], role="replay") for i in drawn), *heldout]
        return tuple(_epi_weighted(pairs) if epi else pairs)

    def commit(self, pairs: Sequence[TrainingPair]) -> None:
        """Keep a step's pairs: trained ones for replay, held-out ones for the next step."""
        self.waiting = []
        self.newest = [p for p in pairs if p.role == "train"]
        self.replay = (self.replay + self.newest)[-self.capacity :]
        self.delayed = [p for p in pairs if p.role == "heldout"]

    def quarantine(self, pairs: Sequence[TrainingPair]) -> None:
        """Keep a refused step's pairs out of replay; its held-out half joins the next step."""
        self.waiting, self.newest = [], []
        trained = [p for p in pairs if p.role == "train"]
        self.quarantined = (self.quarantined + trained)[-self.capacity :]
        self.delayed = [p for p in pairs if p.role == "heldout"]

    def retract(self) -> None:
        """Move what the last committed step trained on from replay to quarantine."""
        kept = len(self.replay) - len(self.newest)
        self.quarantined = (self.quarantined + self.newest)[-self.capacity :]
        self.replay, self.newest = self.replay[: max(kept, 0)], []

    def decay(self, keep: float = 0.5) -> int:
        """Drop all but the newest ``keep`` share of the replay pairs; return how many went."""
        if not 0 <= keep <= 1:
            raise ValueError(f"keep must be in [0, 1], got {keep}")
        before = len(self.replay)
        self.replay = self.replay[before - round(before * keep) :]
        return before - len(self.replay)

    def state(self) -> dict[str, Any]:
        """Return a JSON-ready copy."""
        names = ("waiting", "delayed", "replay", "newest", "quarantined")
        return {name: encode(getattr(self, name)) for name in names}

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state` returned."""
        for name, pairs in state.items():
            setattr(self, name, [decode(TrainingPair, p) for p in pairs])


def _epi_weighted(pairs: Sequence[TrainingPair]) -> list[TrainingPair]:
    losses = np.array([p.chain.nll for p in pairs])
    top = np.nanmax(losses, initial=0.0, where=~np.isnan(losses)) if len(pairs) else 0.0
    if not top > 0:
        return list(pairs)
    return [
        p if np.isnan(nll) else replace(p, weight=p.weight * float(nll) / float(top))
        for p, nll in zip(pairs, losses, strict=True)
    ]
