"""``python -m argus_gym.benchmarks.gpu``: sampling, training and the loop's own share on one GPU.

The model has the shape of Qwen3-1.7B and random weights, so that nothing is downloaded. Every part
stands alone: one that fails or no longer fits into the time is named in the result.
"""

import gc
import json
import platform
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import typer

from argus_gym.benchmarks import gpu_loop, gpu_parts, gpu_training
from argus_gym.benchmarks.gpu_shape import SHAPES
from argus_gym.benchmarks.markdown import markdown

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["run", "table", "tables"]


def _bound(bench: gpu_parts.Bench) -> dict[str, Any]:
    from argus_gym.benchmarks.gpu_bound import bound

    return bound(bench)


PARTS: dict[str, tuple[Callable[[gpu_parts.Bench], dict[str, Any]], float]] = {
    "peak": (gpu_parts.peak, 5),
    "sampling": (gpu_parts.sampling, 60),
    "sft bfloat16": (gpu_training.sft_bfloat16, 30),
    "profile": (gpu_training.profile, 20),
    "bound": (_bound, 20),
    "steps": (gpu_loop.steps, 10),
    "trl": (gpu_parts.trl, 45),
    "sft int8": (gpu_training.sft_int8, 35),
    "sft nf4": (gpu_training.sft_nf4, 30),
    "round": (gpu_loop.loop, 140),
    "sft compiled": (gpu_training.sft_compiled, 100),
    "static cache": (gpu_parts.sampling_static, 90),
}
"""Parts in order: what measures one, and the seconds below which it is not begun on a GPU."""

LIBRARIES = ("torch", "transformers", "peft", "trl", "bitsandbytes", "gymnasium", "numpy")


def run(
    shape: str = "qwen3-1.7b",
    minutes: float = 8,
    seed: int = 0,
    parts: tuple[str, ...] = tuple(PARTS),
    save: Callable[[dict[str, Any]], None] = lambda result: None,
) -> dict[str, Any]:
    """Measure every part and return the figures, JSON-ready.

    Args:
        shape: A key of ``SHAPES``.
        minutes: Time for all; a part that would not fit is left out and named.
        seed: Seed of weights, problems and draws.
        parts: Keys of ``PARTS``.
        save: Called with the result after each part.

    Raises:
        ValueError: If ``shape`` or a part is not known, or ``minutes`` is not above 0.
    """
    for name, given, known in (("shape", (shape,), SHAPES), ("parts", parts, PARTS)):
        if not set(given) <= set(known):
            raise ValueError(f"{name} must be of {', '.join(known)}, got {', '.join(given)}")
    if minutes <= 0:
        raise ValueError(f"minutes must be above 0, got {minutes}")
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    result: dict[str, Any] = _header(shape, device, seed)
    deadline = time.monotonic() + 60 * minutes
    with tempfile.TemporaryDirectory() as folder:
        bench = gpu_parts.Bench(SHAPES[shape], Path(folder), device, seed, deadline)
        for name in parts:
            measure, least = PARTS[name]
            result["parts"][name] = _guarded(measure, least if device == "cuda" else 0, bench)
            save(result)
    return result


def _guarded(
    measure: Callable[[gpu_parts.Bench], dict[str, Any]], least: float, bench: gpu_parts.Bench
) -> dict[str, Any]:
    """Return a part's figures, its time and its peak memory, or why there are none."""
    import torch

    if bench.left() < least:
        return {"left_out": f"{bench.left():.0f} s were left, {least:.0f} s are needed"}
    cuda = bench.device == "cuda"
    gc.collect()
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    try:
        found = measure(bench)
    except Exception as error:  # One part that fails must not lose the others.
        bench.drop()
        said = str(error).strip().splitlines() or [""]
        found = {"failed": f"{type(error).__name__}: {said[0]}"[:300]}
    found["seconds"] = time.perf_counter() - start
    if cuda:
        found["peak_gb"] = torch.cuda.max_memory_allocated() / 1e9
    return found


def _header(shape: str, device: str, seed: int) -> dict[str, Any]:
    import torch

    libraries = {}
    for name in LIBRARIES:
        try:
            libraries[name] = version(name)
        except PackageNotFoundError:
            libraries[name] = "not installed"
    return {
        "shape": shape,
        "config": SHAPES[shape].config,
        "seed": seed,
        "device": torch.cuda.get_device_name() if device == "cuda" else "CPU",
        "cuda": torch.version.cuda or "",
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "libraries": libraries,
        "parts": {},
    }


def table(result: Mapping[str, Any]) -> "Table":
    """Return the figures with their targets."""
    from rich.table import Table

    parts = result["parts"]
    out = Table(title=f"{result['shape']}, random weights, on {result['device']}, {result['date']}")
    for column in ("figure", "measured", "range", "peak GB", "target"):
        out.add_column(column, justify="left" if column == "figure" else "right")
    for name, part in parts.items():
        for reason in ("failed", "left_out"):
            if reason in part:
                out.add_row(f"{name}: {part[reason]}", "", "", "", "")
    if "tflops" in parts.get("peak", {}):
        out.add_row("8192 x 8192 matrix product, bf16 (TFLOP/s)", f"{parts['peak']['tflops']:.0f}")
    for name in ("sampling", "static cache", "trl"):
        for label, timed in parts.get(name, {}).get("timed", {}).items():
            rates = [timed["tokens"] / s for s in timed["seconds"]]
            chains = f"{timed['chains'] / median(timed['seconds']):.2f} chains/s"
            out.add_row(
                f"{label}: tokens/s",
                f"{median(rates):,.0f} ({chains})",
                f"{min(rates):,.0f} to {max(rates):,.0f} (n = {len(rates)})",
                _memory(parts[name]),
            )
        for label, ratio in parts.get(name, {}).get("ratios", {}).items():
            out.add_row(f"  {label}", f"{ratio:.3f}", "", "", ">= 0.95")
        if "compile_s" in parts.get(name, {}):
            costs = ", ".join(f"{s:.0f} s" for s in parts[name]["compile_s"].values())
            out.add_row("  first call, then with another length of prompt", costs)
    agent, trl = (parts.get(name, {}).get("timed", {}) for name in ("sampling", "trl"))
    if agent and trl:
        ours, theirs = (
            median(timed["tokens"] / s for s in timed["seconds"])
            for timed in (agent["LanguageModel.sample"], *trl.values())
        )
        out.add_row("  LanguageModel.sample / TRL's generation", f"{ours / theirs:.3f}")
    if "rounds" in parts.get("steps", {}):
        each = parts["steps"]["seconds_a_round"]
        out.add_row(
            f"environment, wrappers, gate: s a round of {parts['steps']['problems']:.0f} problems",
            f"{median(each):.3f}",
            f"{min(each):.3f} to {max(each):.3f} (n = {len(each)})",
        )
    loop = parts.get("round", {})
    if "share" in loop:
        out.add_row(
            "environment, wrappers, gate: share of a round",
            f"{100 * loop['share']:.3f} %",
            f"{loop['step_s']:.2f} of {loop['wall_s']:.0f} s",
            _memory(loop),
            "<= 1 %",
        )
    for name, part in parts.items():
        if "mfu" in part:
            out.add_row(f"{name}: tokens/s", f"{part['tokens_per_s']:,.0f}", "", _memory(part), "")
            out.add_row(
                "  of the measured peak, 4 operations a frozen weight (6)",
                f"{100 * part['mfu']:.1f} % ({100 * part['mfu_6n']:.1f} %)",
                "",
                "",
                ">= 40 %" if "bfloat16" in name else "",
            )
    for device, least in parts.get("bound", {}).get("devices", {}).items():
        out.add_row(
            f"sft bfloat16, at best on an {device}: s an update (computed)",
            f"{least['seconds']:.3f}",
        )
        out.add_row("  share of the peak", f"{100 * least['mfu']:.1f} %")
    return out


def _memory(part: Mapping[str, Any]) -> str:
    return f"{part['peak_gb']:.1f}" if "peak_gb" in part else ""


def _kernel_table(title: str, kernels: Iterable[Mapping[str, Any]]) -> "Table":
    """Return where the time of one training update goes."""
    from rich.table import Table

    out = Table(title=title)
    for column in ("kernel", "calls", "ms", "share %"):
        out.add_column(column, justify="left" if column == "kernel" else "right")
    for row in kernels:
        out.add_row(row["name"], str(row["calls"]), f"{row['ms']:.1f}", f"{100 * row['share']:.1f}")
    return out


def tables(result: Mapping[str, Any]) -> "list[Table]":
    """Return the table of figures, and those of kernels where there are any."""
    profile = result["parts"].get("profile", {})
    made = [table(result)]
    if "kernels" in profile:
        busy = 100 * profile["kernels_s"] / profile["wall_s"]
        title = f"one update: {profile['wall_s']:.3f} s, kernels {busy:.0f} % of it"
        made.append(_kernel_table(title, profile["kernels"]))
    for device, least in result["parts"].get("bound", {}).get("devices", {}).items():
        title = f"one update, at best on an {device}, computed: {least['seconds']:.3f} s"
        made.append(_kernel_table(title, least["kernels"]))
    return made


def main(
    out: Annotated[Path, typer.Option(help="Folder for result.json and result.md.")],
    minutes: Annotated[float, typer.Option(help="Time for everything.")] = 8,
    shape: Annotated[str, typer.Option(help=f"One of {', '.join(SHAPES)}.")] = "qwen3-1.7b",
    parts: Annotated[str, typer.Option(help="Parts, by comma. [default: all]")] = ",".join(PARTS),
    seed: Annotated[int, typer.Option(help="Seed of weights, problems and draws.")] = 0,
) -> None:
    """Measure sampling, training and the loop's own share on one GPU.

    Example: python -m argus_gym.benchmarks.gpu --out gpu
    """
    from rich.console import Console

    def save(result: dict[str, Any]) -> None:
        text = json.dumps(result, indent=2, allow_nan=False)
        (out / "result.json").write_text(text + "\n", "utf-8")
        (out / "result.md").write_text("\n".join(map(markdown, tables(result))), "utf-8")

    out.mkdir(parents=True, exist_ok=True)
    try:
        result = run(shape, minutes, seed, tuple(parts.split(",")), save)
    except ModuleNotFoundError as error:
        raise typer.BadParameter(f'needs {error.name}: pip install "argus-gym[llm]"') from None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    console = Console()
    for one in tables(result):
        console.print(one)


if __name__ == "__main__":
    typer.run(main)
