"""The GPU benchmark's bound on training: what an update must compute and move, on any device."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from argus_gym.benchmarks.gpu_parts import Bench
from argus_gym.benchmarks.gpu_shape import training_flops
from argus_gym.benchmarks.gpu_training import rows_of

__all__ = ["DEVICES", "Traffic", "bound"]

DEVICES = {"H100": (790e12, 3.35e12), "H200": (790e12, 4.8e12)}
"""bf16 operations a second, as measured on an H200, and bytes a second of the data sheets."""

ROWS = 2
"""Rows that are counted; activations grow with the rows of an update, weights do not."""
TOP = 12
VIEWS = {"_unsafe_view", "alias", "as_strided", "detach", "expand", "lift_fresh", "permute"}
VIEWS |= {"select", "slice", "split", "squeeze", "t", "transpose", "unbind", "unsqueeze", "view"}
LOOKUPS = {"embedding", "gather", "index", "nll_loss_backward", "nll_loss_forward"}
"""They read no more than they write."""

Kernel = tuple[str, str, float, float]


class Traffic(TorchDispatchMode):  # type: ignore[misc]
    """Counts operations and bytes of every kernel that runs inside it, as if none were fused.

    Args:
        weights: Addresses of the tensors that do not grow with the rows of a batch.
        scale: What operations, and the bytes of all other tensors, are multiplied by.

    Attributes:
        kernels: Calls by name, type of the numbers written, operations and bytes of one call.
    """

    def __init__(self, weights: frozenset[int] = frozenset(), scale: float = 1.0) -> None:
        super().__init__()
        self.weights, self.scale = weights, scale
        self.kernels: Counter[Kernel] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run a kernel and count it."""
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        packet = func.overloadpacket
        name = packet.__name__
        written = [t for t in tree_leaves(out) if isinstance(t, torch.Tensor)]
        if name in VIEWS or not written:
            return out
        read = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
        moved = sum(map(self._bytes, written + (written if name in LOOKUPS else read)))
        count = flop_registry.get(packet)
        done = self.scale * count(*args, **kwargs, out_val=out) if count else 0.0
        self.kernels[name, str(written[0].dtype).removeprefix("torch."), done, moved] += 1
        return out

    def _bytes(self, tensor: torch.Tensor) -> float:
        size: float = tensor.numel() * tensor.element_size()
        fixed = tensor.untyped_storage().data_ptr() in self.weights
        return size if fixed else size * self.scale


def bound(bench: Bench) -> dict[str, Any]:
    """Return the least time of one update on known devices, and the kernels it goes to.

    Forward and backward are counted with one and with two layers; what a layer adds is the
    difference. A kernel takes the longer of its operations at the device's peak and its bytes at
    the device's bandwidth; nothing else takes time, and nothing stays in a cache.
    """
    (one, _), (two, needed) = (_kernels(bench, layers) for layers in (1, 2))
    layers = bench.shape.config["num_hidden_layers"]
    calls = {key: one[key] + (layers - 1) * (two[key] - one[key]) for key in {**one, **two}}
    found: dict[str, Any] = {}
    for device, (peak, bandwidth) in DEVICES.items():
        seconds = {key: n * max(key[2] / peak, key[3] / bandwidth) for key, n in calls.items()}
        total = sum(seconds.values())
        found[device] = {
            "seconds": total,
            "mfu": needed / total / peak,
            "kernels": _largest(calls, seconds),
        }
    return {"calls": sum(calls.values()), "needed_tflop": needed / 1e12, "devices": found}


def _kernels(bench: Bench, layers: int) -> tuple[Counter[Kernel], float]:
    """Return what an update with so many layers runs, and what one with all of them needs."""
    shape = replace(bench.shape, config={**bench.shape.config, "num_hidden_layers": layers})
    with TemporaryDirectory() as folder:
        small = Bench(shape, Path(folder), bench.device, bench.seed, bench.deadline)
        lm = small.model("bfloat16")
    rows, lengths = rows_of(small, lm, ROWS)
    weights = frozenset(p.untyped_storage().data_ptr() for p in lm.peft.parameters())
    scale = shape.rows / ROWS
    counted = Traffic(weights, scale)
    with lm.role("solver", train=True), counted:
        losses, _ = lm.losses([row.prompt for row in rows], [row.completion for row in rows])
        losses.mean().backward()
    config = lm.peft.get_base_model().config
    config.num_hidden_layers = bench.shape.config["num_hidden_layers"]
    return counted.kernels, scale * training_flops(config, shape.rank, lengths)


def _largest(calls: Mapping[Kernel, int], seconds: Mapping[Kernel, float]) -> list[dict[str, Any]]:
    """Return the kernels that take most time, by name and type."""
    total, number, moved = Counter[str](), Counter[str](), Counter[str]()
    for key, n in calls.items():
        name = f"{key[0]} {key[1]}"
        number[name] += n
        total[name] += seconds[key]  # type: ignore[assignment]
        moved[name] += n * key[3]  # type: ignore[assignment]
    whole = sum(total.values())
    return [
        {"name": k, "calls": number[k], "ms": 1e3 * s, "share": s / whole, "gb": moved[k] / 1e9}
        for k, s in total.most_common(TOP)
    ]
