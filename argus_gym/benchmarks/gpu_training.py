"""The GPU benchmark's training: speed, share of the device's peak, and where the time goes."""

from statistics import median
from typing import Any

from argus_gym.agents.prompts import solver_messages
from argus_gym.benchmarks.gpu_parts import REPEATS, Bench
from argus_gym.benchmarks.gpu_shape import problems, training_flops
from argus_gym.problems import solution

__all__ = ["profile", "rows_of", "sft_bfloat16", "sft_compiled", "sft_int8", "sft_nf4"]

TOP = 16


def sft_bfloat16(bench: Bench) -> dict[str, Any]:
    """Time the plain back end on a bf16 base."""
    return _train(bench, "bfloat16")


def sft_int8(bench: Bench) -> dict[str, Any]:
    """Time it on a base of 8 bits."""
    return _train(bench, "int8")


def sft_nf4(bench: Bench) -> dict[str, Any]:
    """Time it on a base of 4 bits."""
    return _train(bench, "nf4")


def sft_compiled(bench: Bench) -> dict[str, Any]:
    """Time it on a bf16 base whose layers are compiled; the first updates, which compile, apart."""
    lm = bench.model("bfloat16")
    lm.compiled = True
    try:
        return _train(bench, "bfloat16")
    finally:
        lm.compiled = False


def _train(bench: Bench, precision: str) -> dict[str, Any]:
    from argus_gym.agents.sft import SFTConfig, sft

    lm = bench.model(precision)
    rows, lengths = rows_of(bench, lm, bench.shape.rows * bench.shape.updates)
    config = SFTConfig(batch_size=bench.shape.rows)

    def train(n: int) -> None:
        sft(lm, rows[:n], role="solver", config=config, seed=bench.seed)

    first = bench.timed(lambda: train(2 * config.batch_size))
    seconds = [bench.timed(lambda: train(len(rows)))]
    while len(seconds) < REPEATS and bench.left() > 2 * seconds[0]:
        seconds.append(bench.timed(lambda: train(len(rows))))
    tokens = sum(length for length, _ in lengths)
    found: dict[str, Any] = {
        "first_updates_s": first,
        "seconds_a_call": seconds,
        "updates": bench.shape.updates,
        "rows_an_update": bench.shape.rows,
        "tokens": tokens,
        "scored_tokens": sum(scored for _, scored in lengths),
        "tokens_per_s": tokens / median(seconds),
    }
    config_ = lm.peft.get_base_model().config
    for name, frozen in (("mfu", 4), ("mfu_6n", 6)):
        needed = training_flops(config_, bench.shape.rank, lengths, frozen)
        rate = needed / median(seconds)
        if frozen == 4:
            found["tflops"] = rate / 1e12
        if bench.peak:
            found[name] = rate / bench.peak
    return found


def rows_of(bench: Bench, lm: Any, n: int) -> tuple[list[Any], list[tuple[int, int]]]:
    """Return rows with completions of full length, and the tokens of each: all, and scored."""
    from argus_gym.agents.sft import Row

    rows, lengths = [], []
    working = "\n".join(solution(problem) for problem in problems(60, bench.seed + 1))
    for at, problem in enumerate(problems(n, bench.seed)):
        ids = lm.tokenizer(working[at:], add_special_tokens=False)["input_ids"]
        row = Row(
            lm.render(solver_messages(problem.text)),
            lm.tokenizer.decode(ids[: bench.shape.new_tokens]),
        )
        prompt, completion = (
            len(lm.tokenizer(text, add_special_tokens=False)["input_ids"])
            for text in (row.prompt, row.completion)
        )
        rows.append(row)
        lengths.append((prompt + completion + 1, completion + 1))
    return rows, lengths


def profile(bench: Bench) -> dict[str, Any]:
    """Return the kernels of one training update, largest first, and the share of time they fill."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiler

    from argus_gym.agents.sft import SFTConfig, sft

    lm = bench.model("bfloat16")
    rows, _ = rows_of(bench, lm, bench.shape.rows)
    config = SFTConfig(batch_size=bench.shape.rows)
    cuda = bench.device == "cuda"
    activity = ProfilerActivity.CUDA if cuda else ProfilerActivity.CPU

    def train() -> None:
        sft(lm, rows, role="solver", config=config, seed=bench.seed)

    train()
    with profiler(activities=[activity]) as watched:
        wall = bench.timed(train)
    kind = "self_device_time_total" if cuda else "self_cpu_time_total"
    found = sorted(watched.key_averages(), key=lambda e: -getattr(e, kind))
    total = sum(getattr(e, kind) for e in found) or 1
    return {
        "wall_s": wall,
        "kernels_s": total / 1e6,
        "kernels": [
            {
                "name": e.key[:80],
                "calls": e.count,
                "ms": getattr(e, kind) / 1e3,
                "share": getattr(e, kind) / total,
            }
            for e in found[:TOP]
        ],
    }
