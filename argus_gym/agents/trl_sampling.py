"""Sampling and scoring with any causal model in the middle of its training."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from argus_gym.agents.generation import NEUTRAL, end_tokens, render, seeded
from argus_gym.agents.language_model import ADVICE
from argus_gym.agents.prompts import Messages

__all__ = ["likelihood", "sample"]


def sample(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Messages | str],
    k: int,
    *,
    max_new_tokens: int,
    temperature: float,
    batch_size: int,
    seed: int,
) -> list[list[tuple[str, int]]]:
    """Sample ``k`` completions of each prompt; the global generators stay as they are.

    A text is read with the special tokens that its tokenizer adds, such as a BOS, as TRL's trainers
    read one; a chat template adds its own.

    Args:
        model: A causal language model with ``generate``.
        tokenizer: Its tokenizer.
        prompts: Messages, or texts where there is no chat template.
        k: Completions for each, >= 1.
        max_new_tokens: Longest completion, >= 1.
        temperature: Above 0.
        batch_size: Completions sampled together, >= 1; halved where they do not fit.
        seed: Seed of the draws.

    Returns:
        For each prompt its texts with their numbers of tokens.

    Raises:
        MemoryError: If not even one completion fits.
    """
    ids = [_ids(tokenizer, prompt) for prompt in prompts for _ in range(k)]
    found: list[tuple[str, int]] = []
    with _evaluating(model), seeded(seed):
        while len(found) < len(ids):
            part = ids[len(found) : len(found) + batch_size]
            try:
                found += _generate(model, tokenizer, part, max_new_tokens, temperature)
            except torch.OutOfMemoryError:
                if batch_size == 1:
                    raise
                batch_size //= 2
    return [found[i : i + k] for i in range(0, len(found), k)]


def likelihood(model: Any, tokenizer: Any, pairs: Sequence[tuple[str, str]]) -> float:
    """Return the mean negative log-likelihood of completions after their prompts.

    Returns:
        Nats per token, the end of sequence counted as one, each pair weighing the same; NaN
        without pairs.

    Raises:
        MemoryError: If a pair does not fit.
    """
    device = next(model.parameters()).device
    losses: list[float] = []
    with _evaluating(model):
        for prompt, completion in pairs:
            head = _ids(tokenizer, prompt)
            tail = tokenizer(completion, add_special_tokens=False)["input_ids"]
            ids = torch.tensor([[*head, *tail, tokenizer.eos_token_id]], device=device)
            labels = ids.clone()
            labels[:, : len(head)] = -100
            losses.append(float(model(input_ids=ids, labels=labels, use_cache=False).loss))
    return sum(losses) / len(losses) if losses else math.nan


def _ids(tokenizer: Any, prompt: Messages | str) -> list[int]:
    if isinstance(prompt, str):
        plain: list[int] = tokenizer(prompt)["input_ids"]
        return plain
    text = render(tokenizer, prompt)
    if tokenizer.chat_template is None:
        return _ids(tokenizer, text)
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def _generate(
    model: Any, tokenizer: Any, prompts: list[list[int]], limit: int, temperature: float
) -> list[tuple[str, int]]:
    ends = end_tokens(model, tokenizer)
    pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    width = max(map(len, prompts))
    device = next(model.parameters()).device
    # Padded by hand: a tokenizer in training may pad on the right.
    ids = torch.tensor([[pad] * (width - len(p)) + p for p in prompts], device=device)
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=device)
    rows = model.generate(
        input_ids=ids,
        attention_mask=mask,
        **NEUTRAL,
        do_sample=True,
        temperature=temperature,
        max_new_tokens=limit,
        pad_token_id=pad,
        eos_token_id=ends or None,
    )[:, width:].tolist()
    cut = [next((i + 1 for i, t in enumerate(row) if t in ends), len(row)) for row in rows]
    texts = tokenizer.batch_decode(
        [row[:n] for row, n in zip(rows, cut, strict=True)], skip_special_tokens=True
    )
    return list(zip(texts, cut, strict=True))


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """Switch dropout and gradients off in the block; say what helps where memory ran out."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    except torch.OutOfMemoryError as error:
        raise MemoryError(ADVICE) from error
    finally:
        model.train(training)
