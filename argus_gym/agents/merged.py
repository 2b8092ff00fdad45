"""Sampling from small models at half the price: from a copy with the adapter merged in."""

import copy
from typing import Any

import torch
from transformers import DynamicCache

from argus_gym.agents.generation import positions
from argus_gym.agents.language_model import LanguageModel, Sampled

__all__ = ["MergedModel"]

CROWD = 0.75
"""Rows that are done leave the batch once no more than this share of it is left."""


class MergedModel(LanguageModel):
    """A language model that samples from a copy of its base with the adapter added to the weights.

    The texts come from the same distribution as those of
    :class:`~argus_gym.agents.language_model.LanguageModel`. What a small model spends on a token is
    mostly not arithmetic: here there are no adapter layers, no general-purpose loop, and no rows
    that have ended. Full precision only.

    Args:
        model: The base.
        tokenizer: Its tokenizer.
        options: Further arguments of the base class.

    Raises:
        ValueError: If the base is not in ``float32``, or for what the base class does not accept.
    """

    def __init__(self, model: Any, tokenizer: Any, **options: Any) -> None:
        found = {p.dtype for p in model.parameters()}
        if found != {torch.float32}:
            names = ", ".join(sorted(str(dtype).removeprefix("torch.") for dtype in found))
            raise ValueError(
                f"precision must be float32 to sample from merged weights, got {names}"
            )
        plain = copy.deepcopy(model).eval()
        super().__init__(model, tokenizer, **options)
        self._plain = plain

    def _merge(self) -> None:
        """Copy the base's weights with those of the adapter in use added."""
        adapter = str(self.peft.active_adapter)
        for name, layer in self.peft.base_model.model.named_modules():
            if hasattr(layer, "get_delta_weight"):
                total = layer.get_base_layer().weight + layer.get_delta_weight(adapter)
                self._plain.get_submodule(name).weight.copy_(total)

    def _generate(self, prompts: list[str], limit: int, temperature: float) -> list[Sampled]:
        self._merge()
        batch = self._encode(prompts, self.window - limit)
        mask = batch["attention_mask"]
        places = positions(mask)
        feed, cache = batch["input_ids"], DynamicCache(config=self._plain.config)
        ends = torch.tensor(self._end, device=self.device)
        alive = torch.arange(len(prompts), device=self.device)
        done = torch.zeros(len(prompts), dtype=torch.bool, device=self.device)
        tokens = torch.zeros(len(prompts), limit, dtype=torch.long, device=self.device)
        losses = torch.zeros(len(prompts), limit, device=self.device)
        sizes = torch.full((len(prompts),), limit, device=self.device)
        for step in range(limit):
            logits = self._plain(
                input_ids=feed,
                attention_mask=mask,
                position_ids=places,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            ).logits[:, -1]
            drawn = _draw(logits, temperature)
            open_rows = alive[~done]
            tokens[open_rows, step] = drawn[~done]
            taken = logits.gather(1, drawn[:, None])[:, 0]
            losses[open_rows, step] = (logits.logsumexp(1) - taken)[~done]
            ended = torch.isin(drawn, ends) & ~done
            sizes[alive[ended]] = step + 1
            done = done | ended
            left = int((~done).sum())
            if left == 0:
                break
            places, feed = places[:, -1:] + 1, drawn[:, None]
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], 1)
            if left <= CROWD * len(done):
                kept = (~done).nonzero()[:, 0]
                cache.batch_select_indices(kept)
                mask, places, feed, alive = mask[kept], places[kept], feed[kept], alive[kept]
                done = done[kept]
        means = (losses.sum(1) / sizes).tolist()
        rows = [r[:n] for r, n in zip(tokens.tolist(), sizes.tolist(), strict=True)]
        texts = self.tokenizer.batch_decode(rows, skip_special_tokens=True)
        return [Sampled(*one) for one in zip(texts, sizes.tolist(), means, strict=True)]


def _draw(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return one token a row; the likeliest at temperature 0."""
    if temperature == 0:
        return logits.argmax(1)
    return torch.multinomial(torch.softmax(logits.float() / temperature, 1), 1)[:, 0]
