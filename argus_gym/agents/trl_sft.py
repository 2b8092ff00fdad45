"""Supervised fine-tuning on weighted pairs with TRL's ``SFTTrainer``: the reference back end."""

import math
import random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

try:
    import torch
    import trl
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    from argus_gym.agents.generation import seeded
    from argus_gym.agents.language_model import ADVICE, LanguageModel
    from argus_gym.agents.sft import DivergedError, Row, SFTConfig, Trained, batches
except ModuleNotFoundError as error:
    raise ImportError(
        f'needs {error.name}: pip install "argus-gym[llm]"', name=error.name
    ) from error

__all__ = ["OneGPU", "common", "fit", "session", "trl_sft"]


class OneGPU:
    """Keeps a trainer from spreading the model over all GPUs, which TRL refuses."""

    n_gpu = 1


class _Config(OneGPU, trl.SFTConfig):
    """TRL's own, on the model's GPU."""


class _Collator(DataCollatorForLanguageModeling):
    """TRL's own, which would drop the weights."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch: dict[str, Any] = super().torch_call(examples)
        batch["weight"] = torch.tensor([example["weight"] for example in examples])
        return batch


class _Trainer(trl.SFTTrainer):
    """Weighs each row's loss, and takes the minibatches it is told to."""

    # The loss is a mean over the minibatch already.
    loss_is_scaled_for_ga = False
    order: list[list[int]]

    def get_train_dataloader(self) -> Any:
        self.losses: list[float] = []
        self.tokens: list[int] = []
        return torch.utils.data.DataLoader(
            self.train_dataset, batch_sampler=self.order, collate_fn=self.data_collator
        )

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        weight = inputs.pop("weight")
        out = model(**inputs, use_cache=False, fused_lm_head=True)
        tokens = out.label_mask.sum(-1)
        nll = -out.log_probs.sum(-1) / tokens.clamp(min=1)
        loss: torch.Tensor = (weight * nll).sum() / weight.sum()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise DivergedError(f"the loss was {value}: the adapter is as it was before")
        self.losses.append(value)
        self.tokens.append(int(tokens.sum()))
        return loss


def trl_sft(
    lm: LanguageModel, rows: Sequence[Row], *, role: str, config: SFTConfig, seed: int
) -> Trained:
    """Train one role's adapter on weighted rows: :func:`argus_gym.agents.sft.sft` through TRL.

    Loss, order of the minibatches and optimiser are the same. A minibatch is not split where it
    does not fit in memory.

    Args:
        lm: The model.
        rows: What to learn; those of weight 0 are left out.
        role: Whose adapter learns.
        config: Learning rate, epochs, batch size, clipping.
        seed: Seed of the order, >= 0.

    Raises:
        DivergedError: If a loss or a weight is not finite. The adapter is restored first.
        MemoryError: If a minibatch does not fit. The adapter is restored first.
    """
    rows = [row for row in rows if row.weight > 0]
    if not rows:
        return Trained()
    read = lm.tokenizer
    end = [read.eos_token_id]
    heads = read([row.prompt for row in rows], add_special_tokens=False)["input_ids"]
    tails = read([row.completion for row in rows], add_special_tokens=False)["input_ids"]
    # What does not fit the window is left out as `LanguageModel.losses` does.
    tails = [ids[: lm.window - 2] + end for ids in tails]
    ids = [((h or end) + t)[-lm.window :] for h, t in zip(heads, tails, strict=True)]
    data = Dataset.from_dict(
        {
            "input_ids": ids,
            "labels": [[-100] * (len(a) - len(t)) + t for a, t in zip(ids, tails, strict=True)],
            "weight": [row.weight for row in rows],
        }
    )
    order = list(batches(len(rows), config.batch_size, config.epochs, seed))
    with session(lm, role) as folder:
        trainer = _Trainer(
            model=lm.peft,
            args=_Config(
                **common(lm, config, folder, seed),
                per_device_train_batch_size=config.batch_size,
                max_steps=len(order),
                max_length=None,
                dataset_kwargs={"skip_prepare_dataset": True},
            ),
            train_dataset=data,
            processing_class=read,
            data_collator=_Collator(pad_token_id=read.pad_token_id),
        )
        trainer.order = order
        fit(lm, trainer, config)
    return Trained(sum(trainer.tokens), tuple(trainer.losses), tuple(trainer.tokens))


def common(lm: LanguageModel, config: SFTConfig, folder: str, seed: int) -> dict[str, Any]:
    """Return the settings that every TRL trainer of the loop has."""
    return {
        "output_dir": folder,
        "seed": seed % 2**32,
        "use_cpu": lm.device.type == "cpu",
        "bf16": lm.mixed,
        "gradient_checkpointing": False,
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": "constant",
        "max_grad_norm": config.grad_clip,
        "save_strategy": "no",
        "logging_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }


def fit(lm: LanguageModel, trainer: Any, config: SFTConfig) -> None:
    """Train with the plain loop's optimiser, and say nothing."""
    # TRL turns the adapters of a quantised base to bfloat16; the loop keeps them in float32.
    learning = [p for p in lm.peft.parameters() if p.requires_grad]
    for parameter in learning:
        parameter.data = parameter.data.float()
    trainer.optimizer = torch.optim.AdamW(learning, lr=config.learning_rate, weight_decay=0.0)
    trainer.remove_callback(PrinterCallback)
    trainer.train()


@contextmanager
def session(lm: LanguageModel, role: str) -> Iterator[str]:
    """Let ``role`` learn in the block, in a scratch folder, and undo the rest of what TRL does.

    TRL seeds the global generators and replaces the model's forward; both are put back, and so is
    the adapter where the block raises.

    Raises:
        ValueError: If the model is on another GPU than the first, on which TRL trains.
        DivergedError: If a weight is not finite at the end.
        MemoryError: If the device ran out of memory.
    """
    if lm.device.index:
        raise ValueError(
            f"TRL trains on the first GPU, the model is on {lm.device}: "
            "let CUDA_VISIBLE_DEVICES make it the first"
        )
    before = lm.weights(role)
    base = lm.peft.get_base_model()
    forward = base.__dict__.get("forward")
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            seeded(0),
            lm.role(role, train=True),
        ):
            yield folder
        if not lm.finite(role):
            raise DivergedError("a weight was not finite: the adapter is as it was before")
    except torch.OutOfMemoryError as error:
        lm.set_weights(role, before)
        raise MemoryError(f"TRL splits no batch: use a smaller batch_size, or, {ADVICE}") from error
    except BaseException:
        lm.set_weights(role, before)
        raise
    finally:
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002
        base.__dict__.pop("forward", None)
        if forward is not None:
            base.forward = forward
        lm.peft.zero_grad()
        lm.peft.eval()
