"""Trains argus-tiny from scratch: ``python -m argus_gym.agents.train_tiny --out DIR``.

Each checkpoint is evaluated on held-out problems and written as one archive, DIR/step_N.tar, with
its model card. Unpacked into ``argus_gym/agents/argus_tiny`` it is the model of the package.
"""

import argparse
import copy
import json
import math
import multiprocessing
import os
import tarfile
import tempfile
import time
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from argus_gym.agents import tiny_data
from argus_gym.agents.tiny_card import card
from argus_gym.agents.tiny_data import Batch

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

__all__ = ["build_model", "build_tokenizer", "main"]

_BATCHES_PER_SHARD = 16
_AHEAD = 3
_LOG_EVERY = 100
_WARMUP = 200
_DECAY = 0.2


def build_tokenizer() -> "PreTrainedTokenizerFast":
    """Return argus-tiny's tokenizer with its chat template."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tiny_data.build_tokenizer(),
        pad_token=tiny_data.PAD,
        eos_token=tiny_data.EOS,
        unk_token=tiny_data.UNK,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_max_length=512,
        model_input_names=["input_ids", "attention_mask"],
    )
    tokenizer.chat_template = tiny_data.CHAT_TEMPLATE
    return tokenizer


def build_model(width: int, layers: int, inner: int, seed: int) -> "PreTrainedModel":
    """Return a Qwen3-type model with random weights, heads of 32 and tied embeddings."""
    import torch
    from transformers import GenerationConfig, Qwen3Config, Qwen3ForCausalLM

    tokens = tiny_data.vocabulary()
    special = {
        "pad_token_id": tokens.index(tiny_data.PAD),
        "eos_token_id": tokens.index(tiny_data.EOS),
    }
    config = Qwen3Config(
        vocab_size=len(tokens),
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        num_key_value_heads=width // 32,
        head_dim=32,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=None,
        **special,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Qwen3ForCausalLM(config)
    model.generation_config = GenerationConfig(
        do_sample=True, top_k=0, max_new_tokens=256, **special
    )
    return model


def _stream(seed: int, rows: int, steps: int, workers: int) -> Generator[Batch, None, None]:
    """Yield the batches in order; the shards after the current one are made meanwhile."""
    shards = -(-steps // _BATCHES_PER_SHARD)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    if workers == 0:
        for shard in range(shards):
            yield from tiny_data.batches(seed, shard, rows, _BATCHES_PER_SHARD)
        return
    waiting: deque[Future[list[Batch]]] = deque()
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        for shard in range(shards):
            waiting.append(pool.submit(tiny_data.batches, seed, shard, rows, _BATCHES_PER_SHARD))
            if len(waiting) > _AHEAD * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _loss(model: "PreTrainedModel", batch: Batch, device: Any) -> Any:
    """Return the mean nll of the answers' tokens; only their logits are computed."""
    import torch

    def put(array: Any) -> Any:
        tensor = torch.from_numpy(array)
        tensor = tensor.pin_memory() if device.type == "cuda" else tensor
        return tensor.to(device, non_blocking=True)

    ids, at, targets = put(batch.ids), put(batch.at), put(batch.targets)
    # Padding is on the right, so the causal mask is enough; a mapping of masks keeps transformers
    # from building one, which would wait for the device at every step.
    mask = {"full_attention": None}
    hidden = model.model(ids.long(), attention_mask=mask, use_cache=False).last_hidden_state
    picked = hidden.flatten(0, 1).index_select(0, at)
    return torch.nn.functional.cross_entropy(model.lm_head(picked).float(), targets.long())


def _rate(step: int, steps: int, peak: float) -> float:
    """Return the learning rate: linear warm-up, constant, linear decay to a twentieth."""
    left = (steps - step) / max(_DECAY * steps, 1)
    return peak * min(step / _WARMUP, 1.0, 0.05 + 0.95 * left)


def _save(
    model: "PreTrainedModel", tokenizer: Any, record: dict[str, Any], precision: str, path: Path
) -> None:
    """Write model, tokenizer, evaluation and card to an archive."""
    import torch

    with tempfile.TemporaryDirectory() as folder:
        small = copy.deepcopy(model).to("cpu", getattr(torch, precision))
        small.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        Path(folder, "evaluation.json").write_text(json.dumps(record, indent=1) + "\n")
        Path(folder, "README.md").write_text(card(record))
        with tarfile.open(path, "w") as archive:
            for file in sorted(Path(folder).iterdir()):
                file.chmod(0o644)
                archive.add(file, file.name)


def _facts(options: argparse.Namespace, model: "PreTrainedModel") -> dict[str, Any]:
    """Return what a model card has to say about how the model is trained."""
    import torch
    import transformers

    cuda = model.device.type == "cuda"
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "precision": "bfloat16 autocast" if cuda or options.bf16 else "float32",
        "weights": options.precision,
        "device": torch.cuda.get_device_name() if cuda else "CPU",
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def train(options: argparse.Namespace) -> None:
    """Train, and evaluate and save at the steps and accuracies asked for."""
    import torch

    from argus_gym.agents.tiny_eval import evaluate, probe

    options.out.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    cuda = device.type == "cuda"
    if not cuda:
        torch.set_num_threads(options.threads)
    tokenizer = build_tokenizer()
    model = build_model(options.width, options.layers, options.inner, options.seed)
    earlier: list[dict[str, Any]] = []
    if options.init is not None:
        model.load_state_dict(type(model).from_pretrained(options.init).state_dict())
        earlier = json.loads((options.init / "evaluation.json").read_text("utf-8"))["history"]
    model = model.to(device)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=0.0, betas=(0.9, 0.98), weight_decay=0.01, fused=cuda
    )
    facts = _facts(options, model)
    told = {"batch": options.batch, "learning_rate": options.lr, "seed": options.seed}
    print(json.dumps(facts), flush=True)
    targets = sorted(options.save_when)
    waits_for_targets = bool(targets)
    started = time.monotonic()
    total, since, mean = torch.zeros((), device=device), 0, math.nan
    stream = _stream(options.seed, options.batch, options.steps, options.workers)
    for step, batch in enumerate(islice(stream, options.steps), 1):
        for group in optimizer.param_groups:
            group["lr"] = _rate(step, options.steps, options.lr)
        model.train()
        with torch.autocast(device.type, torch.bfloat16, enabled=cuda or options.bf16):
            loss = _loss(model, batch, device)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        total += loss.detach()
        since += 1
        late = 0 < options.stop_after < time.monotonic() - started
        last = late or step == options.steps
        due = last or step in options.save_at
        if step % _LOG_EVERY == 0 or due:
            mean, since = float(total) / since, 0
            total.zero_()
            seconds = time.monotonic() - started
            print(f"step {step} loss {mean:.4f} seconds {seconds:.0f}", flush=True)
        if step % options.probe_every == 0 and targets:
            accuracy = probe(model, tokenizer, options.seed)
            print(f"step {step} probe {accuracy:.3f}", flush=True)
            if accuracy >= targets[0]:
                targets = [t for t in targets if t > accuracy]
                due = True
                last = last or not targets
        if due:
            result = evaluate(model, tokenizer, options.per_cell, options.proposals, options.seed)
            stage = {"steps": step, "examples": step * options.batch, **told}
            done = {"history": [*earlier, stage], "loss": mean}
            path = options.out / f"step_{step}.tar"
            _save(model, tokenizer, {**facts, **done, **result}, options.precision, path)
            scores, read = result["solver"]["all"], result["proposer"]["readable"]
            print(
                f"saved {path.name}: pass@1 {scores['pass_at_1']:.3f} "
                f"pass@16 {scores['pass_at_16']:.3f} readable {read['share']:.3f} "
                f"seconds {time.monotonic() - started:.0f}",
                flush=True,
            )
        if last and (late or waits_for_targets):
            break
    stream.close()


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(
        prog="python -m argus_gym.agents.train_tiny", description=__doc__
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the archives")
    parser.add_argument("--init", type=Path, help="folder of a checkpoint to go on from")
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=256, help="examples a step")
    parser.add_argument("--lr", type=float, default=3e-3, help="peak learning rate")
    parser.add_argument(
        "--save-at",
        type=lambda text: {int(s) for s in text.split(",")},
        default=set(),
        help="steps, with commas; the last step is always saved",
    )
    parser.add_argument(
        "--save-when",
        type=lambda text: {float(s) for s in text.split(",")},
        default=set(),
        help="pass@1 in [0, 1], with commas: saves as each is passed, ends with the last",
    )
    parser.add_argument("--probe-every", type=int, default=500, help="steps between looks at it")
    parser.add_argument("--per-cell", type=int, default=20, help="held-out problems a cell")
    parser.add_argument("--proposals", type=int, default=1000)
    parser.add_argument("--width", type=int, default=160)
    parser.add_argument("--layers", type=int, default=5)
    parser.add_argument("--inner", type=int, default=448)
    parser.add_argument(
        "--precision", choices=("float32", "float16", "bfloat16"), default="float32"
    )
    parser.add_argument("--workers", type=int, default=0, help="processes that make examples")
    parser.add_argument("--threads", type=int, default=1, help="on the CPU")
    parser.add_argument("--bf16", action="store_true", help="autocast on the CPU too")
    parser.add_argument("--stop-after", type=float, default=0, help="seconds; saves, then ends")
    parser.add_argument("--seed", type=int, default=0)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
