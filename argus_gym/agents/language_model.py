"""A causal language model in two roles: one LoRA adapter each for proposer and solver on one base.

Needs the extra ``[llm]``: torch, transformers, peft, and bitsandbytes for 8 and 4 bits.
"""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from peft import (
    LoraConfig,
    PeftModel,
    get_peft_model,
    get_peft_model_state_dict,
    set_peft_model_state_dict,
)
from peft.helpers import disable_input_dtype_casting
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    LogitsProcessorList,
)

from argus_gym.agents.generation import (
    NEUTRAL,
    Recorder,
    end_tokens,
    positions,
    render,
    seeded,
)
from argus_gym.agents.prompts import Messages

__all__ = ["ROLES", "LanguageModel", "Precision", "Sampled", "Weights"]

ROLES = ("proposer", "solver")

Precision = Literal["float32", "bfloat16", "int8", "nf4"]
Weights = dict[str, torch.Tensor]

ADVICE = (
    "out of memory with a single sequence: use a smaller model, precision nf4, fewer new tokens, "
    "or a device with more memory"
)


@dataclass(frozen=True, slots=True)
class Sampled:
    """One sampled completion.

    Attributes:
        text: The text, without the end of sequence.
        tokens: Tokens sampled, the end of sequence included, >= 1.
        nll: Mean negative log-likelihood in nats per sampled token at temperature 1.
    """

    text: str
    tokens: int
    nll: float


class LanguageModel:
    """A pretrained or config-built causal model with a LoRA adapter for each role.

    Only the adapter of the role in use ever changes; the base never does.

    Args:
        model: The base, on its device; its weights are frozen.
        tokenizer: Its tokenizer; padding is set to the left, a missing pad token to the end of
            sequence.
        rank: Rank of both adapters, >= 1; their scale (alpha) is twice that.
        seed: Seed of the adapters' first weights, >= 0.

    Attributes:
        peft: The model with its adapters.
        tokenizer: The tokenizer.
        device: Where the model is.
        window: Longest prompt and completion together, in tokens; longer prompts lose their start.
        rows: Most sequences in one batch, for ``sampling`` and for ``scoring`` (losses and
            embeddings); halved for good when the device runs out of memory there.
        cache: Cache of ``generate``: ``None`` for its default, ``static`` to compile on a GPU.
        compiled: Whether the layers' passes in training are compiled, so that a GPU runs fewer and
            larger kernels; the first updates then take longer.
        mixed: Whether losses are computed in mixed precision: the base is in bfloat16, and so is
            the adapters' arithmetic; their weights and gradients are in float32.

    Raises:
        ValueError: If ``rank`` is below 1, or the tokenizer has no end of sequence.
    """

    def __init__(self, model: Any, tokenizer: Any, *, rank: int = 16, seed: int = 0) -> None:
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        if tokenizer.eos_token_id is None:
            raise ValueError("tokenizer must have an end-of-sequence token, it has none")
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        tokenizer.padding_side = tokenizer.truncation_side = "left"
        self.tokenizer = tokenizer
        config = LoraConfig(
            r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM"
        )
        with seeded(seed), warnings.catch_warnings():
            # peft asks transformers for an attribute by its old name.
            warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)
            self.peft: PeftModel = get_peft_model(model, config, adapter_name=ROLES[0])
            self.peft.add_adapter(ROLES[1], config)
        self.peft.eval()
        self.device = next(model.parameters()).device
        self.rows = {"sampling": 256, "scoring": 256}
        self.window = int(getattr(model.config, "max_position_embeddings", 0)) or 1 << 20
        self.cache: Literal["static"] | None = None
        self.compiled = False
        self._compiled: list[tuple[torch.nn.Module, Any]] = []
        self.mixed = bool(model.dtype == torch.bfloat16)
        self._end = end_tokens(model, tokenizer)
        for role in ROLES:
            self.peft.set_adapter(role, inference_mode=True)

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        precision: Precision = "float32",
        device: str | None = None,
        rank: int = 16,
        seed: int = 0,
    ) -> "LanguageModel":
        """Load a base by local path or hub name.

        Args:
            path: Folder of ``save_pretrained``, or a name on the hub.
            precision: Of the base: ``float32``, ``bfloat16``, ``int8`` or ``nf4`` (4 bits). The
                adapters are kept in ``float32``.
            device: Torch device; the GPU where there is one, else the CPU, where ``None``.
            rank: Rank of the adapters, >= 1.
            seed: Seed of the adapters' first weights, >= 0.

        Raises:
            ValueError: If ``path`` holds no causal language model with a tokenizer, or
                ``precision`` is none of the four.
        """
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        options = _precision(precision, device)
        try:
            AutoConfig.from_pretrained(path)
            tokenizer = AutoTokenizer.from_pretrained(path)
            model = AutoModelForCausalLM.from_pretrained(path, **options)
        except torch.OutOfMemoryError:
            raise
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ValueError(f"{path} is not a causal language model: {said}") from error
        if "quantization_config" not in options:
            model = model.to(device)
        return cls(model, tokenizer, rank=rank, seed=seed)

    @contextmanager
    def role(self, name: str, *, train: bool = False) -> Iterator[None]:
        """Use one role's adapter inside the block, and let it learn where ``train``."""
        self.peft.set_adapter(name, inference_mode=not train)
        try:
            yield
        finally:
            self.peft.set_adapter(name, inference_mode=True)

    def render(self, messages: Messages) -> str:
        """Return messages as the prompt of one answer; see :func:`render`."""
        return render(self.tokenizer, messages)

    def sample(
        self,
        prompts: Sequence[str],
        k: int,
        *,
        role: str,
        max_new_tokens: int,
        temperature: float = 1.0,
        seed: int,
    ) -> list[list[Sampled]]:
        """Sample ``k`` completions of each prompt, in batches; global generators stay as they are.

        Args:
            prompts: Rendered prompts.
            k: Completions for each, >= 1.
            role: Whose adapter writes.
            max_new_tokens: Longest completion, >= 1; one token of the prompt always fits beside it
                into the window.
            temperature: Above 0; 0 is greedy.
            seed: Seed of the draws: the same call gives the same texts on the same device.

        Raises:
            MemoryError: If not even one sequence fits.
        """
        out: list[list[Sampled]] = []
        limit = min(max_new_tokens, self.window - 1)
        with self.role(role), torch.no_grad(), seeded(seed):
            copies = [prompt for prompt in prompts for _ in range(k)]
            flat: list[Sampled] = []
            while len(flat) < len(copies):
                batch = copies[len(flat) : len(flat) + self._batch(k)]
                try:
                    flat += self._generate(batch, limit, temperature)
                except torch.OutOfMemoryError:
                    self.shrink("sampling")
            out = [flat[i : i + k] for i in range(0, len(flat), k)]
        return out

    def shrink(self, what: Literal["sampling", "scoring"]) -> None:
        """Halve ``rows[what]`` after the device ran out of memory.

        Raises:
            MemoryError: If it is 1 already.
        """
        if self.rows[what] <= 1:
            raise MemoryError(ADVICE)
        self.rows[what] //= 2
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def nll(self, prompts: Sequence[str], completions: Sequence[str], *, role: str) -> np.ndarray:
        """Return the mean negative log-likelihood of each completion after its prompt.

        Returns:
            Shape ``(n,)``, in nats per token, the end of sequence counted as a token.
        """
        found: list[float] = []
        with self.role(role), torch.no_grad():
            while len(found) < len(prompts):
                part = slice(len(found), len(found) + self.rows["scoring"])
                try:
                    means, _ = self.losses(prompts[part], completions[part])
                    found += means.tolist()
                except torch.OutOfMemoryError:
                    self.shrink("scoring")
        return np.array(found)

    def losses(
        self, prompts: Sequence[str], completions: Sequence[str]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return each completion's mean loss under the adapter in use, and its tokens.

        Returns:
            Two tensors of shape ``(n,)``: nats per token, differentiable, and token counts.
        """
        end = [self.tokenizer.eos_token_id]
        tails = [ids[: self.window - 2] + end for ids in self._ids(completions)]
        heads = [ids or end for ids in self._ids(prompts)]
        kept = max(map(len, tails))
        # Padded on the left, so that all completions end together and only their logits are made.
        batch = self._pad([(a + b)[-self.window :] for a, b in zip(heads, tails, strict=True)])
        scored = torch.tensor([[0] * (kept - len(b)) + [1] * len(b) for b in tails])
        scored = scored.to(self.device)
        # Autocast alone would not do: the adapters' layers turn what comes in to float32 first.
        with (
            torch.autocast(self.device.type, torch.bfloat16, enabled=self.mixed),
            disable_input_dtype_casting(self.peft, active=self.mixed),
            self._layers_compiled(),
        ):
            logits = self.peft(
                **batch,
                position_ids=positions(batch["attention_mask"]),
                logits_to_keep=kept + 1,
                use_cache=False,
            ).logits[:, :-1]
        each = torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1), batch["input_ids"][:, -kept:].flatten(), reduction="none"
        ).view_as(scored)
        tokens = scored.sum(1)
        return (each * scored).sum(1) / tokens, tokens

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return the base's representation of texts: its last hidden state, mean over tokens.

        The adapters are off, so that a text keeps its place in the capability map as they learn.

        Returns:
            ``float32``, shape ``(n, d)``.
        """
        found: list[torch.Tensor] = []
        with self.peft.disable_adapter(), torch.no_grad():
            while sum(map(len, found)) < len(texts):
                done = sum(map(len, found))
                batch = self._encode(texts[done : done + self.rows["scoring"]], self.window)
                try:
                    hidden = self.peft(
                        **batch,
                        position_ids=positions(batch["attention_mask"]),
                        output_hidden_states=True,
                        logits_to_keep=1,
                        use_cache=False,
                    ).hidden_states[-1]
                except torch.OutOfMemoryError:
                    self.shrink("scoring")
                    continue
                mask = batch["attention_mask"][:, :, None]
                found.append((hidden.float() * mask).sum(1) / mask.sum(1))
        pooled: np.ndarray = torch.cat(found).cpu().numpy()
        return pooled

    def weights(self, role: str) -> Weights:
        """Return a copy of one adapter, on the CPU."""
        state = get_peft_model_state_dict(self.peft, adapter_name=role)
        return {name: tensor.detach().cpu().clone() for name, tensor in state.items()}

    def set_weights(self, role: str, weights: Mapping[str, torch.Tensor], blend: float = 1) -> None:
        """Move one adapter to ``weights`` by the share ``blend``, in [0, 1].

        At 1 the weights are taken as they are, bit for bit. The factors of the adapter are mixed,
        not their product.

        Raises:
            ValueError: If ``blend`` is outside [0, 1] or the weights do not fit the adapter.
        """
        if not 0 <= blend <= 1:
            raise ValueError(f"blend must be in [0, 1], got {blend}")
        own = self.weights(role)
        if {n: t.shape for n, t in own.items()} != {n: t.shape for n, t in weights.items()}:
            raise ValueError(f"weights must fit the adapter {role}: other names or shapes")
        if blend == 0:
            return
        mixed = (
            dict(weights)
            if blend == 1
            else {name: torch.lerp(t, weights[name].to(t), blend) for name, t in own.items()}
        )
        set_peft_model_state_dict(self.peft, mixed, adapter_name=role)

    def finite(self, role: str) -> bool:
        """Return whether every weight of one adapter is a finite number."""
        return all(bool(tensor.isfinite().all()) for tensor in self.weights(role).values())

    @contextmanager
    def _layers_compiled(self) -> Iterator[None]:
        """Train on compiled layers in the block, where asked for."""
        if not (self.compiled and torch.is_grad_enabled()):
            yield
            return
        if not self._compiled:
            base = self.peft.get_base_model()
            kinds = set(base._no_split_modules or ())
            layers = [m for m in base.modules() if type(m).__name__ in kinds]
            self._compiled = [(m, torch.compile(m.forward, dynamic=True)) for m in layers]
        own = [vars(layer).get("forward") for layer, _ in self._compiled]
        for layer, forward in self._compiled:
            layer.forward = forward
        try:
            yield
        finally:
            for (layer, _), forward in zip(self._compiled, own, strict=True):
                del layer.forward
                if forward is not None:
                    layer.forward = forward

    def _batch(self, k: int) -> int:
        """Return how many sequences to sample together: whole prompts where they fit."""
        rows = self.rows["sampling"]
        return max(rows // k * k, min(rows, k))

    def _generate(self, prompts: list[str], limit: int, temperature: float) -> list[Sampled]:
        batch = self._encode(prompts, self.window - limit)
        width = batch["input_ids"].shape[1]
        recorder = Recorder(width)
        drawn = {"do_sample": True, "temperature": temperature}
        greedy = {"do_sample": False, "temperature": None, "top_k": None, "top_p": None}
        rows = self.peft.generate(
            **batch,
            **(NEUTRAL | (drawn if temperature > 0 else greedy)),
            max_new_tokens=limit,
            logits_processor=LogitsProcessorList([recorder]),
            pad_token_id=self.tokenizer.pad_token_id,
            eos_token_id=self._end,
            cache_implementation=self.cache,
        )
        nlls = recorder.finish(rows)
        ends = torch.isin(rows[:, width:], torch.tensor(self._end, device=rows.device))
        # The place of the first end of sequence; all of the row where there is none.
        sizes = torch.where(ends.any(1), ends.int().argmax(1) + 1, ends.shape[1])
        inside = torch.arange(ends.shape[1], device=rows.device)[None] < sizes[:, None]
        means = (nlls * inside).sum(1) / sizes
        texts = self.tokenizer.batch_decode(
            [row[:n] for row, n in zip(rows[:, width:].tolist(), sizes.tolist(), strict=True)],
            skip_special_tokens=True,
        )
        return [Sampled(*one) for one in zip(texts, sizes.tolist(), means.tolist(), strict=True)]

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        ids: list[list[int]] = self.tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return ids

    def _encode(self, texts: Sequence[str], limit: int) -> dict[str, torch.Tensor]:
        """Return the last ``limit`` tokens of each text; an empty one is an end of sequence."""
        end = [self.tokenizer.eos_token_id]
        return self._pad([(ids or end)[-limit:] for ids in self._ids(texts)])

    def _pad(self, rows: list[list[int]]) -> dict[str, torch.Tensor]:
        """Return rows padded on the left to the longest, with their mask, on the device."""
        width, pad = max(map(len, rows)), self.tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
        return {"input_ids": ids.to(self.device), "attention_mask": mask.to(self.device)}


def _precision(precision: Precision, device: str) -> dict[str, Any]:
    if precision in ("float32", "bfloat16"):
        return {"dtype": getattr(torch, precision)}
    if device == "cpu":
        compute = torch.float32
    else:
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        compute = torch.bfloat16 if native else torch.float16
    if precision == "int8":
        # It says for every layer and call that it casts its input.
        logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
        config = BitsAndBytesConfig(load_in_8bit=True)
    elif precision == "nf4":
        config = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=device != "cpu",
            bnb_4bit_compute_dtype=compute,
        )
    else:
        raise ValueError(f"precision must be float32, bfloat16, int8 or nf4, got {precision!r}")
    return {"quantization_config": config, "dtype": compute, "device_map": {"": device}}
