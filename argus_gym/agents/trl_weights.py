"""The weights a trainer trains: copies of them, the way back, and the certified ones on disk."""

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from argus_gym.checkpoint import sync

__all__ = ["Keeper", "Weights", "blend", "finite", "trainable"]

Weights = dict[str, torch.Tensor]
KEPT = 2
FILE = "trainable.safetensors"


def trainable(model: Any) -> Weights:
    """Return copies, on the CPU, of the weights that require a gradient, by name."""
    return {
        name: weight.detach().to("cpu", copy=True).contiguous()
        for name, weight in model.named_parameters()
        if weight.requires_grad
    }


def finite(model: Any) -> bool:
    """Return whether every weight that requires a gradient is a finite number."""
    weights = [weight.detach() for weight in model.parameters() if weight.requires_grad]
    return bool(torch.stack([weight.isfinite().all() for weight in weights]).all())


def blend(model: Any, weights: Mapping[str, torch.Tensor], share: float = 1.0) -> None:
    """Move a model's weights to ``weights`` by ``share`` in [0, 1]; at 1 bit by bit."""
    with torch.no_grad():
        for name, own in model.named_parameters():
            if name in weights:
                kept = weights[name].to(own)
                own.copy_(kept if share == 1 else torch.lerp(own, kept, share))


class Keeper:
    """The folder of a gate: its ledger, and certified weights that are whole or not there.

    Args:
        folder: Made where it does not exist.
        kept: Names that a resumed run has there, oldest first.
        pinned: The one that its checkpoint names; it stays.

    Attributes:
        kept: Names of the weights that this run has there, oldest first.
    """

    def __init__(self, folder: Path, kept: Iterable[str] = (), pinned: str = "") -> None:
        self.folder, self.kept, self.pinned = folder, list(kept), pinned

    def name(self, step: int) -> str:
        """Return the name of the weights certified at a step."""
        return f"certified-{step:08d}"

    def save(self, name: str, model: Any, weights: Weights) -> None:
        """Write the model as its ``save_pretrained`` does, and its trained weights as they are.

        All is written beside its place, flushed to disk and renamed. Of this run's the last two are
        kept, and the one that is pinned; what others left is not touched.
        """
        place = self.folder / name
        temp = self.folder / f".{name}.tmp"
        shutil.rmtree(temp, ignore_errors=True)
        temp.mkdir(parents=True)
        model.save_pretrained(temp)
        save_file(weights, temp / FILE)
        for file in sorted(temp.rglob("*")):
            sync(file)
        sync(temp)
        shutil.rmtree(place, ignore_errors=True)
        os.rename(temp, place)
        sync(self.folder)
        self.kept = [*(one for one in self.kept if one != name), name]
        for old in [one for one in self.kept[:-KEPT] if one != self.pinned]:
            shutil.rmtree(self.folder / old, ignore_errors=True)
            self.kept.remove(old)

    def clear(self) -> None:
        """Remove the ledger and the weights that an earlier run left."""
        (self.folder / "ledger.jsonl").unlink(missing_ok=True)
        for found in [*self.folder.glob("certified-*"), *self.folder.glob(".certified-*.tmp")]:
            if found.name not in self.kept:
                shutil.rmtree(found)

    def load(self, name: str, like: Weights) -> Weights:
        """Return certified weights.

        Raises:
            ValueError: If they are not there, or fit another model.
        """
        path = self.folder / name / FILE
        try:
            weights: Weights = load_file(path)
        except OSError as error:
            raise ValueError(f"{path}: expected the certified weights of this run") from error
        if {n: w.shape for n, w in weights.items()} != {n: w.shape for n, w in like.items()}:
            raise ValueError(
                f"{path}: expected the weights of this model, got other names or shapes"
            )
        return weights

    def append(self, lines: str) -> None:
        """Append lines to the ledger."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "ledger.jsonl").open("a", encoding="ascii") as file:
            file.write(lines)
