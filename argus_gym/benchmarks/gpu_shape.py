"""A language model built from a config alone: shape, a tokenizer made in code, arithmetic."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from argus_gym.agents.prompts import PROPOSER, SOLVER
from argus_gym.problems import FAMILIES, Problem, generate

__all__ = ["SHAPES", "Shape", "build", "problems", "training_flops"]

MERGED = 2_000
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


@dataclass(frozen=True)
class Shape:
    """What is built and how much it is asked.

    Attributes:
        config: Arguments of ``Qwen3Config``.
        new_tokens: Longest chain.
        rank: Rank of the adapters.
        rows: Rows an update of the training that is timed.
        updates: Updates in one timed call.
        matmul: Side of the square matrices whose product gives the peak.
        round: Arguments of the environment for the round that is timed.
        default_round: Arguments for the rounds whose steps alone are timed.
    """

    config: dict[str, Any]
    new_tokens: int
    rank: int
    rows: int
    updates: int
    matmul: int
    round: dict[str, Any]
    default_round: dict[str, Any] = field(default_factory=dict)


SHAPES = {
    "qwen3-1.7b": Shape(
        {
            "vocab_size": 151_936,
            "hidden_size": 2_048,
            "intermediate_size": 6_144,
            "num_hidden_layers": 28,
            "num_attention_heads": 16,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "max_position_embeddings": 40_960,
            "rope_theta": 1_000_000.0,
            "tie_word_embeddings": True,
        },
        new_tokens=352,
        rank=16,
        rows=16,
        updates=8,
        matmul=8_192,
        round={"rounds": 1, "problems_per_round": 4},
    ),
    "toy": Shape(
        {
            "vocab_size": 2_100,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 32,
            "max_position_embeddings": 2_048,
            "tie_word_embeddings": True,
        },
        new_tokens=6,
        rank=2,
        rows=4,
        updates=2,
        matmul=128,
        round={
            "rounds": 1,
            "problems_per_round": 4,
            "k": 4,
            "anchor_items": 2,
            "past_items": 0,
            "retest_chains": 2,
        },
        default_round={"problems_per_round": 4, "k": 4, "retest_chains": 2},
    ),
}
"""Shapes by name: that of Qwen3-1.7B, and one to try the script with."""


def problems(n: int, seed: int) -> list[Problem]:
    """Return ``n`` generated problems of one to six steps, all families in turn."""
    rng = np.random.default_rng(np.random.SeedSequence((seed, 0x67)))
    return [generate(FAMILIES[i % len(FAMILIES)], 1 + i % 6, rng) for i in range(n)]


def build(shape: Shape, folder: Path, device: str, seed: int) -> None:
    """Write a model of random weights in bfloat16 and its tokenizer to ``folder``.

    Args:
        shape: Its shape.
        folder: Where to, created.
        device: Where the weights are drawn.
        seed: Seed of the weights.
    """
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    tokenizer = _tokenizer(shape.config["vocab_size"])
    config = Qwen3Config(
        **shape.config,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    with torch.random.fork_rng(), torch.device(device):
        torch.manual_seed(seed)
        model = Qwen3ForCausalLM(config).to(torch.bfloat16)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _tokenizer(size: int) -> Any:
    """Return byte-pair encoding learnt on the loop's texts, filled up to ``size`` tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    texts = [SOLVER, PROPOSER, *(problem.text for problem in problems(600, 0))]
    trainer = trainers.BpeTrainer(
        vocab_size=MERGED,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=list(SPECIAL),
        show_progress=False,
    )
    raw.train_from_iterator(texts, trainer)
    state = json.loads(raw.to_str())
    vocab = state["model"]["vocab"]
    vocab |= {f"\u0120w{i}": i for i in range(len(vocab), size)}
    filled = Tokenizer.from_str(json.dumps(state))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=filled, eos_token=SPECIAL[2], pad_token=SPECIAL[0]
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def training_flops(
    config: Any, rank: int, lengths: Iterable[tuple[int, int]], frozen: int = 4
) -> float:
    """Return the floating-point operations that training adapters on sequences needs.

    A matrix of ``n`` weights costs ``2n`` a token forward, ``2n`` for the gradient of its input and
    ``2n`` for its own: frozen ones need the first two, adapters all three. Causal attention adds
    ``2 * heads * head_dim * T**2`` forward and twice that backward, a layer. The head counts for
    the tokens whose loss is taken. Padding, embedding, norms and activations count nothing.

    Args:
        config: The model's configuration.
        rank: Rank of the adapters, on every linear map of a layer.
        lengths: Tokens of each sequence, and those of them whose loss is taken.
        frozen: Operations a frozen weight and token: 4, or 6 to compare with full training.
    """
    heads = config.num_attention_heads * config.head_dim
    keys = config.num_key_value_heads * config.head_dim
    wide, narrow = config.intermediate_size, config.hidden_size
    maps = [(narrow, heads), (narrow, keys), (narrow, keys), (heads, narrow)]
    maps += [(narrow, wide), (narrow, wide), (wide, narrow)]
    weights = config.num_hidden_layers * sum(a * b for a, b in maps)
    adapters = config.num_hidden_layers * rank * sum(a + b for a, b in maps)
    head = config.vocab_size * narrow
    total = 0.0
    for length, scored in lengths:
        total += length * (frozen * weights + 6 * adapters) + scored * frozen * head
        total += 6 * config.num_hidden_layers * heads * length**2
    return total
