"""What a trainer must be set to, so that the gate can judge all that it trains."""

from typing import Any

from accelerate import PartialState
from accelerate.utils import DistributedType

__all__ = ["check"]

SHARDED = (DistributedType.FSDP, DistributedType.DEEPSPEED, DistributedType.MEGATRON_LM)


def check(args: Any, model: Any, tokenizer: Any) -> None:
    """Refuse a run that the gate cannot judge, as it starts.

    Args:
        args: The trainer's arguments.
        model: Its model.
        tokenizer: Its ``processing_class``.

    Raises:
        ValueError: If the run saves nothing, trains nothing, shards its weights, would put weights
            in place that the gate has not seen, or has no tokenizer.
    """
    if args.save_strategy not in ("steps", "epoch"):
        raise ValueError(
            "the gate decides at save steps: save_strategy must be 'steps' or 'epoch', "
            f"got {str(args.save_strategy.value)!r}"
        )
    if args.load_best_model_at_end:
        raise ValueError(
            "load_best_model_at_end must be False under the gate: it replaces gated weights, unseen"
        )
    # Where `accelerate launch` set up the sharding, the arguments do not say so.
    sharded = PartialState().distributed_type in SHARDED
    if sharded or getattr(args, "deepspeed", None) or getattr(args, "fsdp", None):
        raise ValueError("the gate needs whole weights on every device: no FSDP, no DeepSpeed")
    if not any(weight.requires_grad for weight in model.parameters()):
        raise ValueError("the gate has nothing to watch: no weight requires a gradient")
    if tokenizer is None:
        raise ValueError("the gate needs a tokenizer: give the trainer its processing_class")
