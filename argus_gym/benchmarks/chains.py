"""Answers and consensus on chains that real models wrote.

Reported: how often final answers are read right, and how well outcome, process and combined predict
that the modal answer is right. Intervals come from resampling problems, never chains. Vote ties are
broken at random under the seed, many times over.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from argus_gym.answers import final_answer, right
from argus_gym.chain_sets import ChainSet, load
from argus_gym.consensus import Consensus, parse, score
from argus_gym.intervals import wilson

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["run", "table"]

SCORES = ("outcome", "process", "process_jaccard", "combined", "combined_jaccard")
RESAMPLES = 2000
TURNS = 20
SOURCES = {
    "train": "gsm8k/train.jsonl",
    "test": "gsm8k/test.jsonl",
    "models": "gsm8k/example_model_solutions.jsonl",
    "phi3": "chains/phi3_k40",
    "panel": "chains/zeroeval_gsm",
    "qwen": "chains/qwen_math_k8",
}


def run(data: str | Path, seed: int = 0) -> dict[str, Any]:
    """Measure on the recorded chains under ``data`` and return a JSON-ready result.

    Args:
        data: Folder with ``gsm8k/`` and ``chains/``, as listed in ``docs/measured.md``.
        seed: Seed of the ties, the subsamples and the bootstrap.

    Raises:
        FileNotFoundError: If a folder is missing; the message is one line and says which.
        ValueError: If a file is not what it should be.
    """
    sets = {name: load(_find(Path(data), where)) for name, where in SOURCES.items()}
    references = sets["train"] + sets["test"]
    groups: list[tuple[str, list[ChainSet], int | None]] = [
        ("GSM8K, 4 graded fine-tuned models", sets["models"], None),
        ("GSM8K, panel of 12 models", sets["panel"], None),
        ("GSM8K, Phi-3-mini k=40", sets["phi3"], None),
        ("GSM8K, Phi-3-mini k=14 subsamples", sets["phi3"], 14),
        ("GSM8K, Phi-3-mini k=10 subsamples", sets["phi3"], 10),
        ("MATH, Qwen2.5-Math k=8", sets["qwen"], None),
    ]
    return {
        "seed": seed,
        "reference": _reading(references, cut=False),
        "reference_unmarked": _reading(references, cut=True),
        "graded": [
            {"set": name, **_grading(sets[key])}
            for name, key in (("GSM8K, 4 fine-tuned models", "models"), ("MATH, Qwen", "qwen"))
        ],
        "resamples": RESAMPLES,
        "turns": TURNS,
        "consensus": [
            {"set": name, **_prediction(group, k, np.random.SeedSequence((seed, index)))}
            for index, (name, group, k) in enumerate(groups)
        ],
    }


def _find(data: Path, where: str) -> Path:
    for path in (data / where, data / f"{where}.gz"):
        if path.exists():
            return path
    raise FileNotFoundError(
        f"{data / where} is missing; give the folder that holds it with --data DIR or ARGUS_DATA"
    )


def _share(hits: int, n: int) -> dict[str, Any]:
    low, high = wilson(hits, n)
    return {"share": hits / n, "low": low, "high": high, "n": n}


def _reading(sets: Sequence[ChainSet], *, cut: bool) -> dict[str, Any]:
    """Compare what is read from reference solutions, whole or without the ``####`` line."""
    hits = 0
    for item in sets:
        text = item.chains[0]
        value, _ = final_answer(text.rpartition("####")[0] if cut else text)
        hits += value == item.answer
    return _share(hits, len(sets))


def _grading(sets: Sequence[ChainSet]) -> dict[str, Any]:
    """Compare our reading with the recorded grades, chain by chain."""
    kinds: Counter[str] = Counter()
    n = 0
    for item in sets:
        for text, grade in zip(item.chains, item.grades or (), strict=True):
            chain = parse(text)
            n += 1
            if right(chain, item.answer) != grade:
                reading = "none" if chain.answer is None else type(chain.answer).__name__
                kinds[f"graded {'right' if grade else 'wrong'}, read {reading}"] += 1
    return {**_share(n - kinds.total(), n), "disagreements": dict(sorted(kinds.items()))}


def _prediction(
    sets: Sequence[ChainSet], k: int | None, seed: np.random.SeedSequence
) -> dict[str, Any]:
    """Return the AUROC of each score for "the modal answer is right", with intervals.

    Each problem is scored ``TURNS`` times, with ties broken anew and, where ``k`` is given, a new
    random subsample of k of its chains, so that no figure hangs on one way of breaking ties.
    """
    draw, resample, ties = seed.spawn(3)
    rng = np.random.default_rng(draw)
    words = [int(word) for word in ties.generate_state(2)]
    rows, majority, problem = [], [], []
    for index, item in enumerate(sets):
        chains = [parse(text) for text in item.chains]
        for turn in range(TURNS):
            picks = rng.choice(len(chains), k, replace=False) if k else range(len(chains))
            drawn = [chains[i] for i in picks]
            tie = (*words, index, turn)
            result = score(drawn, seed=tie)
            other = score(drawn, process="jaccard", seed=tie)
            parts = (result.outcome, result.process, other.process)
            rows.append((*parts, result.combined, other.combined))
            majority.append(_majority_right(result, item))
            problem.append(index)
    values, labels, group = np.array(rows), np.array(majority), np.array(problem)
    n = len(sets)
    resampler = np.random.default_rng(resample)
    counts = resampler.multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    counts = np.vstack([np.ones(n, int), counts])
    areas = {s: auroc(values[:, i], labels, group, counts) for i, s in enumerate(SCORES)}
    return {
        "problems": n,
        "majority_right": float(labels.mean()),
        "unanimous_wrong": float((labels < (values[:, 0] == 1.0)).sum() / TURNS),
        "auroc": {name: _interval(area) for name, area in areas.items()},
        "minus_outcome": {
            name: _interval(areas[name] - areas["outcome"]) for name in SCORES if name != "outcome"
        },
    }


def _majority_right(result: Consensus, item: ChainSet) -> bool:
    """Judge the modal answer by the known answer; by its recorded grade where there is one."""
    if item.grades is not None:
        texts = dict(zip(item.chains, item.grades, strict=True))
        return result.answer is not None and texts[result.chains[result.best].text]
    return right(result.chains[result.best], item.answer)


def auroc(
    values: npt.NDArray[np.float64],
    labels: npt.NDArray[np.bool_],
    group: npt.NDArray[np.int64],
    counts: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """Return areas under the ROC curve with whole groups counted several times, ties half.

    Args:
        values: The predictor, shape ``(rows,)``; differences below 1e-9 are ties.
        labels: What it should predict, shape ``(rows,)``.
        group: Group of each row, in ``[0, groups)``, shape ``(rows,)``.
        counts: How often each group counts, one draw a line, shape ``(draws, groups)``.

    Returns:
        One area a draw, shape ``(draws,)``; NaN where only one label is drawn.
    """
    levels, place = np.unique(np.round(values, 9), return_inverse=True)
    groups, cells = counts.shape[1], group * len(levels) + place
    shape = (groups, len(levels))
    right, wrong = (
        counts @ np.bincount(cells, which, groups * len(levels)).reshape(shape)
        for which in (labels, ~labels)
    )
    above = (right * (np.cumsum(wrong, axis=1) - wrong / 2)).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray(above / (right.sum(axis=1) * wrong.sum(axis=1)))


def _interval(draws: npt.NDArray[np.float64]) -> dict[str, float]:
    """Return the figure, which comes first, and the middle 95 % of its bootstrap draws."""
    low, high = np.nanquantile(draws[1:], [0.025, 0.975])
    return {"value": float(draws[0]), "low": float(low), "high": float(high)}


def table(result: dict[str, Any]) -> "Table":
    """Return the result of :func:`run` as a table to print."""
    from rich.table import Table

    out = Table(title="Real chains: answers read, and AUROC for 'the modal answer is right'")
    for heading in ("measure", "n", "value", "95 % interval"):
        out.add_column(heading, justify="left" if heading == "measure" else "right")
    shares = [
        ("GSM8K solutions read right", result["reference"]),
        ("the same without the #### line", result["reference_unmarked"]),
        *((f"agreement with grades: {g['set']}", g) for g in result["graded"]),
    ]
    for name, cell in shares:
        limits = f"{cell['low']:.2%} to {cell['high']:.2%}"
        out.add_row(name, f"{cell['n']:,}", f"{cell['share']:.2%}", limits)
    for group in result["consensus"]:
        out.add_section()
        n, share = f"{group['problems']:,}", f"{group['majority_right']:.1%}"
        out.add_row(f"{group['set']}: majority right", n, share, "")
        out.add_row("  problems unanimous and wrong", "", f"{group['unanimous_wrong']:g}", "")
        for name, cell in group["auroc"].items():
            limits = f"{cell['low']:.3f} to {cell['high']:.3f}"
            out.add_row(f"  AUROC {name}", "", f"{cell['value']:.3f}", limits)
        for name in ("combined", "combined_jaccard"):
            cell = group["minus_outcome"][name]
            limits = f"{cell['low']:+.3f} to {cell['high']:+.3f}"
            out.add_row(f"  {name} minus outcome", "", f"{cell['value']:+.3f}", limits)
    return out
