"""What sampling with ``generate`` takes: neutral settings, seeding, prompts, likelihoods."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jinja2 import TemplateError
from transformers import GenerationConfig, LogitsProcessor

from argus_gym.agents.prompts import Messages

__all__ = ["NEUTRAL", "Recorder", "end_tokens", "positions", "render", "seeded"]

_NEUTRAL: dict[str, Any] = {
    "assistant_early_exit": None,
    "bad_words_ids": None,
    "begin_suppress_tokens": None,
    "constraints": None,
    "diversity_penalty": 0.0,
    "dola_layers": None,
    "early_stopping": False,
    "encoder_no_repeat_ngram_size": 0,
    "encoder_repetition_penalty": 1.0,
    "epsilon_cutoff": 0.0,
    "eta_cutoff": 0.0,
    "exponential_decay_length_penalty": None,
    "force_words_ids": None,
    "forced_bos_token_id": None,
    "forced_eos_token_id": None,
    "guidance_scale": 1.0,
    "is_assistant": False,
    "length_penalty": 1.0,
    "max_time": None,
    "min_length": 0,
    "min_new_tokens": None,
    "min_p": None,
    "no_repeat_ngram_size": 0,
    "num_beam_groups": 1,
    "num_beams": 1,
    "num_return_sequences": 1,
    "output_attentions": False,
    "output_hidden_states": False,
    "output_logits": False,
    "output_scores": False,
    "penalty_alpha": None,
    "prefill_chunk_size": None,
    "prompt_lookup_num_tokens": None,
    "remove_invalid_values": False,
    "renormalize_logits": False,
    "repetition_penalty": 1.0,
    "return_dict_in_generate": False,
    "sequence_bias": None,
    "stop_strings": None,
    "suppress_tokens": None,
    "token_healing": False,
    "top_h": None,
    "top_k": 0,
    "top_p": 1.0,
    "typical_p": 1.0,
    "use_cache": True,
    "use_mtp": None,
    "watermarking_config": None,
}
NEUTRAL: dict[str, Any] = {n: v for n, v in _NEUTRAL.items() if hasattr(GenerationConfig(), n)}
"""Arguments of ``generate`` that keep the model's own ``generation_config`` from changing what is
sampled: with them only the temperature does. As arguments, ``None`` overrules the model; inside a
``GenerationConfig`` it would leave the choice to the model. Values that would need work at every
token are ``None``."""


class Recorder(LogitsProcessor):  # type: ignore[misc]
    """Notes the log-likelihood of every sampled token, before temperature is applied.

    Args:
        width: Tokens of the prompts, padding included.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._scores: torch.Tensor | None = None
        self._found: list[torch.Tensor] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Note the token drawn last, and keep the scores of the next."""
        self._note(input_ids[:, -1])
        self._scores = scores.float()
        return scores

    def finish(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the negative log-likelihoods, shape ``(rows, new tokens)``."""
        new = rows.shape[1] - self._width
        if len(self._found) < new:
            self._note(rows[:, -1])
        return torch.stack(self._found[:new], 1)

    def _note(self, tokens: torch.Tensor) -> None:
        if self._scores is not None:
            taken = self._scores.gather(1, tokens[:, None])[:, 0]
            self._found.append(self._scores.logsumexp(1) - taken)


def render(tokenizer: Any, messages: Messages) -> str:
    """Return messages as the prompt of one answer, by the tokenizer's chat template.

    Where the template refuses a system role, its text opens the first user's turn. A tokenizer
    without a chat template gets the contents, one a paragraph.

    Raises:
        jinja2.TemplateError: If the template refuses the messages for another reason.
    """
    if tokenizer.chat_template is None:
        return "\n\n".join(m["content"] for m in messages) + "\n\n"
    try:
        text: str = tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )
    except TemplateError:
        if [m["role"] for m in messages[:2]] != ["system", "user"]:
            raise
        system, user = messages[:2]
        opening = user | {"content": f"{system['content']}\n\n{user['content']}"}
        return render(tokenizer, [opening, *messages[2:]])
    return text


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's generators in the block; after it those of all devices are as they were."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count()), device_type="cuda"):
        torch.manual_seed(seed)
        yield


def end_tokens(model: Any, tokenizer: Any) -> list[int]:
    """Return what ends a completion: the tokenizer's end of sequence and the model's own."""
    own = model.generation_config.eos_token_id
    return sorted({tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])} - {None})


def positions(mask: torch.Tensor) -> torch.Tensor:
    """Return each token's place in its row without the padding; 0 for padding."""
    return (mask.cumsum(1) - 1).clamp(min=0)
