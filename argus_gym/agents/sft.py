"""Supervised fine-tuning on weighted pairs as a plain PyTorch loop."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from argus_gym.agents.language_model import LanguageModel

__all__ = ["DivergedError", "Row", "SFTConfig", "Trained", "batches", "sft"]


class DivergedError(RuntimeError):
    """A loss or a weight was no longer a finite number; the adapter is as before the step."""


@dataclass(frozen=True, slots=True)
class Row:
    """What is trained on.

    Attributes:
        prompt: A rendered prompt; no loss is taken on it.
        completion: The text to learn, without the end of sequence.
        weight: Weight of its loss, >= 0.
    """

    prompt: str
    completion: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class SFTConfig:
    """How a learning step trains.

    Attributes:
        learning_rate: Constant rate of AdamW, > 0.
        epochs: Passes over the rows, >= 1.
        batch_size: Rows an update, >= 1.
        grad_clip: Largest norm of the gradient, > 0.
    """

    learning_rate: float = 1e-4
    epochs: int = 1
    batch_size: int = 16
    grad_clip: float = 1.0


@dataclass(frozen=True, slots=True)
class Trained:
    """What one call trained.

    Attributes:
        tokens: Completion tokens trained on, >= 0.
        losses: Weighted loss of every minibatch before its update, in nats per token.
        batch_tokens: Completion tokens of every minibatch.
    """

    tokens: int = 0
    losses: tuple[float, ...] = ()
    batch_tokens: tuple[int, ...] = ()


def batches(n: int, size: int, epochs: int, seed: int) -> Iterator[list[int]]:
    """Yield the row indices of each minibatch: a new permutation an epoch, drawn from ``seed``."""
    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        order = rng.permutation(n).tolist()
        yield from (order[i : i + size] for i in range(0, n, size))


def sft(
    lm: LanguageModel, rows: Sequence[Row], *, role: str, config: SFTConfig, seed: int
) -> Trained:
    """Train one role's adapter on weighted rows.

    The loss of a minibatch is ``sum(weight * nll) / sum(weight)`` with ``nll`` a row's mean over
    its completion tokens. A minibatch that does not fit in memory is split without changing it.

    Args:
        lm: The model.
        rows: What to learn; those of weight 0 are left out.
        role: Whose adapter learns.
        config: Learning rate, epochs, batch size, clipping.
        seed: Seed of the order, >= 0.

    Raises:
        DivergedError: If a loss or a weight is not finite. The adapter is restored first.
        MemoryError: If not even one row fits.
    """
    rows = [row for row in rows if row.weight > 0]
    before = lm.weights(role)
    losses: list[float] = []
    counts: list[int] = []
    try:
        with lm.role(role, train=True):
            params = [p for p in lm.peft.parameters() if p.requires_grad]
            optimiser = torch.optim.AdamW(params, lr=config.learning_rate, weight_decay=0.0)
            for picked in batches(len(rows), config.batch_size, config.epochs, seed):
                loss, tokens = _backward(lm, [rows[i] for i in picked], optimiser)
                if not math.isfinite(loss):
                    raise DivergedError(f"the loss was {loss}: the adapter is as it was before")
                torch.nn.utils.clip_grad_norm_(params, config.grad_clip)
                optimiser.step()
                losses.append(loss)
                counts.append(tokens)
            optimiser.zero_grad()
        if not lm.finite(role):
            raise DivergedError("a weight was not finite: the adapter is as it was before")
    except (DivergedError, MemoryError):
        lm.set_weights(role, before)
        raise
    return Trained(sum(counts), tuple(losses), tuple(counts))


def _backward(
    lm: LanguageModel, rows: Sequence[Row], optimiser: torch.optim.Optimizer
) -> tuple[float, int]:
    """Leave a minibatch's gradient in the parameters; return its loss and its tokens."""
    total = sum(row.weight for row in rows)
    while True:
        optimiser.zero_grad()
        loss, tokens = 0.0, 0
        try:
            size = lm.rows["scoring"]
            for start in range(0, len(rows), size):
                part = rows[start : start + size]
                weights = torch.tensor([row.weight / total for row in part], device=lm.device)
                nlls, counts = lm.losses([r.prompt for r in part], [r.completion for r in part])
                share = (weights * nlls).sum()
                share.backward()
                loss, tokens = loss + share.item(), tokens + int(counts.sum())
            return loss, tokens
        except torch.OutOfMemoryError:
            lm.shrink("scoring")
