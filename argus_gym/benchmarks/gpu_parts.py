"""The GPU benchmark's sampling: the agent's, plain ``generate`` and TRL's."""

import gc
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from argus_gym.agents.prompts import solver_messages
from argus_gym.benchmarks.gpu_shape import Shape, build, problems
from argus_gym.records import Chain

__all__ = ["Bench", "peak", "sampling", "sampling_static", "trl"]

CHAINS = 14
REPEATS = 3


@dataclass
class Bench:
    """What all parts share.

    Attributes:
        shape: The model's shape and how much is asked of it.
        folder: Where it is saved once a part needs it.
        device: ``cuda`` or ``cpu``.
        seed: Seed of problems and draws.
        deadline: Monotonic time at which all should have ended.
        peak: Measured operations a second of a bf16 matrix product, 0 until measured.
    """

    shape: Shape
    folder: Path
    device: str
    seed: int
    deadline: float
    peak: float = 0.0
    _held: dict[str, Any] = field(default_factory=dict)

    def left(self) -> float:
        """Return the seconds left."""
        return self.deadline - time.monotonic()

    def model(self, precision: str) -> Any:
        """Return the language model; one precision is held at a time."""
        from argus_gym.agents.language_model import LanguageModel

        if precision not in self._held:
            self.drop()
            if not any(self.folder.iterdir()):
                build(self.shape, self.folder, self.device, self.seed)
            self._held[precision] = LanguageModel.load(
                self.folder,
                precision=precision,  # type: ignore[arg-type]
                device=self.device,
                rank=self.shape.rank,
                seed=self.seed,
            )
        return self._held[precision]

    def drop(self) -> None:
        """Free the model that is held."""
        import torch

        self._held.clear()
        gc.collect()
        if self.device == "cuda":
            torch.cuda.empty_cache()

    def timed(self, call: Callable[[], Any]) -> float:
        """Return the seconds of a call, the device's work included."""
        import torch

        if self.device == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        call()
        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start


def peak(bench: Bench) -> dict[str, Any]:
    """Time the product of two square bf16 matrices of random numbers."""
    import torch

    side = bench.shape.matmul
    a, b = (torch.randn(side, side, device=bench.device).to(torch.bfloat16) for _ in range(2))

    def ten() -> None:
        for _ in range(10):
            a @ b

    ten()
    seconds = [bench.timed(ten) / 10 for _ in range(5)]
    bench.peak = 2 * side**3 / median(seconds)
    return {"side": side, "tflops": bench.peak / 1e12, "seconds": seconds}


# Sampling


def sampling(bench: Bench) -> dict[str, Any]:
    """Time the agent's sampling and plain ``generate`` with the default cache, in turn."""
    lm = bench.model("bfloat16")
    calls = {
        "plain generate": lambda: _plain(bench, lm),
        "LanguageModel.sample": lambda: _sample(bench, lm),
        "HFAgent.solve": lambda: _solve(bench, lm),
        "plain generate without adapters (information)": lambda: _plain(bench, lm, adapters=False),
    }
    for adapters in (True, False):
        _plain(bench, lm, new_tokens=4, adapters=adapters)
    _sample(bench, lm, new_tokens=4)
    repeats = {name: 1 if "information" in name else REPEATS for name in calls}
    timed = _in_turn(bench, calls, repeats)
    return {"timed": timed, "ratios": _ratios(timed, "plain generate")}


def sampling_static(bench: Bench) -> dict[str, Any]:
    """Time the same with a static cache, which ``generate`` compiles on a GPU."""
    lm = bench.model("bfloat16")
    lm.cache = "static"
    calls = {
        "plain generate, static cache": lambda: _plain(bench, lm, "static"),
        "LanguageModel.sample, static cache": lambda: _sample(bench, lm),
        "HFAgent.solve, static cache": lambda: _solve(bench, lm),
    }
    try:
        first = bench.timed(lambda: _sample(bench, lm))
        _plain(bench, lm, "static")
        timed = _in_turn(bench, calls, dict.fromkeys(calls, REPEATS))
        compiled = {"first_call": first}
        if bench.left() > 2 * first or bench.device != "cuda":
            compiled["other_length"] = bench.timed(lambda: _sample(bench, lm, prompts=3))
    finally:
        lm.cache = None
    return {
        "timed": timed,
        "ratios": _ratios(timed, "plain generate, static cache"),
        "compile_s": compiled,
    }


def _in_turn(
    bench: Bench, calls: Mapping[str, Callable[[], int]], repeats: Mapping[str, int]
) -> dict[str, Any]:
    """Time every call in turn, so that a drift of the device meets all alike."""
    out: dict[str, Any] = {name: {"seconds": [], "chains": CHAINS} for name in calls}
    for repeat in range(max(repeats.values())):
        for name, call in calls.items():
            if repeat >= repeats[name] or (repeat and bench.left() < 0):
                continue
            tokens: list[int] = []
            out[name]["seconds"].append(bench.timed(lambda c=call, t=tokens: t.append(c())))  # type: ignore[misc]
            out[name]["tokens"] = tokens[0]
    return out


def _ratios(timed: Mapping[str, Any], base: str) -> dict[str, float]:
    """Return each agent's call's speed over that of the best plain call, by medians."""

    def rate(name: str) -> float:
        return float(timed[name]["tokens"] / median(timed[name]["seconds"]))

    return {f"{name} / {base}": rate(name) / rate(base) for name in timed if "plain" not in name}


def _prompt(bench: Bench, lm: Any, paragraphs: int = 1) -> str:
    texts = [problem.text for problem in problems(paragraphs, bench.seed)]
    return str(lm.render(solver_messages("\n".join(texts))))


def _plain(
    bench: Bench,
    lm: Any,
    cache: str | None = None,
    new_tokens: int | None = None,
    adapters: bool = True,
) -> int:
    """Call ``generate`` on the same batch with the same adapter; return the tokens it sampled."""
    import torch

    batch = lm.tokenizer(
        [_prompt(bench, lm)] * CHAINS,
        add_special_tokens=False,
        padding=True,
        return_tensors="pt",
    ).to(bench.device)
    off = nullcontext() if adapters else lm.peft.disable_adapter()
    with lm.role("solver"), off, torch.no_grad():
        rows = lm.peft.generate(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            max_new_tokens=new_tokens or bench.shape.new_tokens,
            pad_token_id=lm.tokenizer.pad_token_id,
            eos_token_id=lm.tokenizer.eos_token_id,
            cache_implementation=cache,
        )
    new = rows[:, batch["input_ids"].shape[1] :]
    return int((new != lm.tokenizer.pad_token_id).sum())


def _sample(bench: Bench, lm: Any, new_tokens: int | None = None, prompts: int = 1) -> int:
    found = lm.sample(
        [_prompt(bench, lm, prompts)],
        CHAINS,
        role="solver",
        max_new_tokens=new_tokens or bench.shape.new_tokens,
        seed=bench.seed,
    )
    return sum(one.tokens for one in found[0])


def _solve(bench: Bench, lm: Any) -> int:
    from argus_gym.agents.hf import HFAgent

    agent = HFAgent(lm, seed=bench.seed, max_new_tokens=bench.shape.new_tokens)
    found = agent.solve(problems(1, bench.seed)[0].text, CHAINS)
    return sum(chain.tokens for chain in found.chains if isinstance(chain, Chain))


def trl(bench: Bench) -> dict[str, Any]:
    """Time the generation of TRL's ``GRPOTrainer`` on the same group, without vLLM.

    From the begin of a step to the call of the reward function: generation, and what the trainer
    does to prompts and completions.
    """
    import torch
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    bench.drop()
    lm = bench.model("bfloat16")
    lm.peft.set_adapter("solver")
    began: list[float] = []
    seconds: list[float] = []
    tokens: list[int] = []

    def now() -> float:
        if bench.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    class Began(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
            began.append(now())

    def reward(completion_ids: list[list[int]], **kwargs: Any) -> list[float]:
        seconds.append(now() - began[-1])
        tokens.append(sum(map(len, completion_ids)))
        return [float(len(set(ids))) for ids in completion_ids]

    with tempfile.TemporaryDirectory() as folder:
        trainer = GRPOTrainer(
            model=lm.peft,
            reward_funcs=reward,
            args=GRPOConfig(
                output_dir=folder,
                per_device_train_batch_size=CHAINS,
                num_generations=CHAINS,
                max_completion_length=bench.shape.new_tokens,
                max_steps=3,
                beta=0.0,
                bf16=bench.device == "cuda",
                use_cpu=bench.device == "cpu",
                gradient_checkpointing=False,
                report_to="none",
                save_strategy="no",
                logging_strategy="no",
                disable_tqdm=True,
                seed=bench.seed,
            ),
            train_dataset=Dataset.from_list([{"prompt": _prompt(bench, lm)}] * 8),
            processing_class=lm.tokenizer,
            callbacks=[Began()],
        )
        trainer.train()
    bench.drop()
    timed = {"chains": CHAINS, "tokens": round(median(tokens)), "seconds": seconds}
    return {"timed": {"TRL's GRPOTrainer, without vLLM": timed}}
