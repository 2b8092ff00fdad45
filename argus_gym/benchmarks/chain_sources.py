"""The recorded chain sets that the benchmarks measure on, found under a data folder."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from argus_gym.chain_sets import ChainSet, load

__all__ = ["SOURCES", "RealSet", "find_sets"]

SOURCES = {
    "train": "gsm8k/train.jsonl",
    "test": "gsm8k/test.jsonl",
    "models": "gsm8k/example_model_solutions.jsonl",
    "phi3": "chains/phi3_k40",
    "panel": "chains/zeroeval_gsm",
    "qwen": "chains/qwen_math_k8",
}
"""Where each known source lies, by name."""


class RealSet(NamedTuple):
    """Chain sets measured together: their source, and how many chains are drawn of each."""

    name: str
    source: str
    sets: list[ChainSet]
    k: int | None


def find_sets(
    data: str | Path,
) -> tuple[dict[str, list[ChainSet]], list[RealSet], list[str]]:
    """Load what is under ``data``.

    Returns:
        The sources by name, the sets to measure, and what is missing, one line each. Sets of one
        source share chains or problems: models alone, dealt panels of a third of the models, and
        subsamples are no evidence of their own beside the whole.

    Raises:
        FileNotFoundError: If there is no chain set at all.
        ValueError: If a file is not what it should be.
    """
    data = Path(data)
    sources: dict[str, list[ChainSet]] = {}
    missing = []
    for name, where in SOURCES.items():
        paths = [p for p in (data / where, data / f"{where}.gz") if p.exists()]
        if paths:
            sources[name] = load(paths[0])
        else:
            missing.append(f"{data / where} is missing")
    known = {Path(where).name for where in SOURCES.values()}
    folder = data / "chains"
    others = sorted(p for p in folder.iterdir() if p.name not in known) if folder.is_dir() else []
    own = []
    for path in others:
        if path.is_dir() or path.name.endswith((".jsonl", ".jsonl.gz")):
            items = load(path)
            if any(item.answer is None and item.grades is None for item in items):
                missing.append(f"{path} has problems without a known answer")
            elif min(len(item.chains) for item in items) < 2:
                missing.append(f"{path} has problems with a single chain")
            else:
                own.append(RealSet(path.name, path.name, items, None))
    real = []
    for title, source, k in (
        ("GSM8K, 4 graded fine-tuned models", "models", None),
        ("GSM8K, panel of 12 models", "panel", None),
        ("GSM8K, Phi-3-mini k=40", "phi3", None),
        ("GSM8K, Phi-3-mini k=14 subsamples", "phi3", 14),
        ("GSM8K, Phi-3-mini k=10 subsamples", "phi3", 10),
        ("MATH, Qwen2.5-Math k=8", "qwen", None),
    ):
        if source in sources:
            real.append(RealSet(title, source, sources[source], k))
    for source, title, parts in (("panel", "GSM8K, panel", 3), ("models", "GSM8K, model", 4)):
        for part in range(parts if source in sources else 0):
            dealt = [_dealt(item, part, parts) for item in sources[source]]
            real.append(RealSet(f"{title} {part + 1} of {parts}", source, dealt, None))
    if not real + own:
        raise FileNotFoundError(
            f"{data} holds no chain set: {missing[0]}; "
            "give the folder that holds them with --data DIR or ARGUS_DATA"
        )
    return sources, real + own, missing


def _dealt(item: ChainSet, part: int, parts: int) -> ChainSet:
    """Return the set with every ``parts``-th of its chains, from ``part`` on."""
    grades = None if item.grades is None else item.grades[part::parts]
    return replace(item, chains=item.chains[part::parts], grades=grades)
