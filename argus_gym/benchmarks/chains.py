"""Answers and consensus on chains that real models wrote.

Reported: how often final answers are read right, and how well outcome, process, combined and trust
predict that the modal answer is right. Intervals come from resampling problems, never chains. Vote
ties are broken at random under the seed, many times over. The weights of trust were fitted on one
half of the problems, so of known sets it is reported on the other.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from argus_gym.answers import final_answer, right
from argus_gym.benchmarks.chain_sources import SOURCES, RealSet, find_sets
from argus_gym.benchmarks.premise_sets import half
from argus_gym.chain_score import trust
from argus_gym.chain_sets import ChainSet
from argus_gym.consensus import Consensus, parse, score
from argus_gym.intervals import wilson

if TYPE_CHECKING:
    from rich.console import Group

__all__ = ["auroc", "interval", "judged", "run", "table"]

SCORES = ("outcome", "process", "process_jaccard", "combined", "combined_jaccard")
REPORTED = ("outcome", "combined", "trust")
RESAMPLES = 2000
TURNS = 20
DRAWS = 64
"""Bootstrap draws evaluated at once; a bound on memory."""


def run(data: str | Path, seed: int = 0) -> dict[str, Any]:
    """Measure on the recorded chains under ``data`` and return a JSON-ready result.

    Args:
        data: Folder with ``gsm8k/`` and ``chains/``, as listed in ``docs/measured.md``. What is
            absent is named under ``missing``; any other file or folder of ``chains/`` is measured
            too, if it has known answers.
        seed: Seed of the ties, the subsamples and the bootstrap.

    Raises:
        FileNotFoundError: If there is no chain set at all; the message is one line.
        ValueError: If a file is not what it should be.
    """
    sets, real, missing = find_sets(data)
    references = sets.get("train", []) + sets.get("test", [])
    return {
        "seed": seed,
        "reference": _reading(references, cut=False),
        "reference_unmarked": _reading(references, cut=True),
        "graded": [
            {"set": name, **_grading(sets[key])}
            for name, key in (("GSM8K, 4 fine-tuned models", "models"), ("MATH, Qwen", "qwen"))
            if key in sets
        ],
        "resamples": RESAMPLES,
        "turns": TURNS,
        "missing": missing,
        "consensus": [
            {"set": group.name, **_prediction(group, np.random.SeedSequence((seed, index)))}
            for index, group in enumerate(real)
            if len(group.sets[0].chains) > 1
        ],
    }


def _share(hits: int, n: int) -> dict[str, Any] | None:
    if n == 0:
        return None
    low, high = wilson(hits, n)
    return {"share": hits / n, "low": low, "high": high, "n": n}


def _reading(sets: Sequence[ChainSet], *, cut: bool) -> dict[str, Any] | None:
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
    return {**(_share(n - kinds.total(), n) or {}), "disagreements": dict(sorted(kinds.items()))}


def _prediction(real: RealSet, seed: np.random.SeedSequence) -> dict[str, Any]:
    """Return the AUROC of each score for "the modal answer is right", with intervals.

    Each problem is scored ``TURNS`` times, with ties broken anew and, where ``k`` is given, a new
    random subsample of k of its chains, so that no figure hangs on one way of breaking ties.
    """
    sets, k = real.sets, real.k
    draw, resample, ties = seed.spawn(3)
    rng = np.random.default_rng(draw)
    words = [int(word) for word in ties.generate_state(2)]
    rows, majority, problem = [], [], []
    for index, item in enumerate(sets):
        chains = [parse(text) for text in item.chains]
        trusted: dict[tuple[Any, ...], float] = {}
        for turn in range(TURNS):
            picks = rng.choice(len(chains), k, replace=False) if k else range(len(chains))
            drawn = [chains[i] for i in picks]
            tie = (*words, index, turn)
            result = score(drawn, seed=tie)
            other = score(drawn, process="jaccard", seed=tie)
            key = (result.answer, *picks)
            if key not in trusted:
                trusted[key] = trust(result, item.problem)
            parts = (result.outcome, result.process, other.process)
            rows.append((*parts, result.combined, other.combined, trusted[key]))
            majority.append(judged(result, item))
            problem.append(index)
    values, labels, group = np.array(rows), np.array(majority), np.array(problem)
    columns = {name: values[:, i] for i, name in enumerate((*SCORES, "trust"))}
    resampler = np.random.default_rng(resample)
    everything = {name: columns[name] for name in SCORES}
    report = np.ones(len(labels), bool)
    if real.source in SOURCES:
        report = np.array([half(item.problem) == "report" for item in sets])[group]
    kept = {name: columns[name][report] for name in REPORTED}
    return {
        "chains": k or max(len(item.chains) for item in sets),
        "problems": len(sets),
        "majority_right": float(labels.mean()),
        "unanimous_wrong": float((labels < (values[:, 0] == 1.0)).sum() / TURNS),
        **_areas(everything, labels, group, resampler),
        "unfitted": _areas(kept, labels[report], group[report], resampler),
    }


def _areas(
    columns: dict[str, npt.NDArray[np.float64]],
    labels: npt.NDArray[np.bool_],
    group: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Return the AUROC of each column and its difference from outcome, with intervals."""
    kinds, place = np.unique(group, return_inverse=True)
    n = len(kinds)
    if n == 0:
        return {"problems": 0, "auroc": {}, "minus_outcome": {}}
    counts = np.vstack([np.ones(n, int), rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES)])
    areas = {name: auroc(column, labels, place, counts) for name, column in columns.items()}
    return {
        "problems": n,
        "majority_right": float(labels.mean()),
        "auroc": {name: interval(area) for name, area in areas.items()},
        "minus_outcome": {
            name: interval(area - areas["outcome"])
            for name, area in areas.items()
            if name != "outcome"
        },
    }


def judged(result: Consensus, item: ChainSet) -> bool:
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
    rounded = np.round(values, 9)
    order = np.argsort(rounded, kind="stable")
    levels = np.flatnonzero(np.diff(rounded[order], prepend=-np.inf))
    group, labels = group[order], labels[order]
    areas = []
    for few in np.array_split(counts, -(-len(counts) // DRAWS)):
        times = few[:, group]
        right = np.add.reduceat(times * labels, levels, axis=1)
        wrong = np.add.reduceat(times * ~labels, levels, axis=1)
        above = (right * (np.cumsum(wrong, axis=1) - wrong / 2)).sum(axis=1)
        with np.errstate(invalid="ignore"):
            areas.append(above / (right.sum(axis=1) * wrong.sum(axis=1)))
    return np.concatenate(areas)


def interval(draws: npt.NDArray[np.float64]) -> dict[str, float]:
    """Return the figure, which comes first, and the middle 95 % of its bootstrap draws."""
    low, high = np.nan, np.nan
    if not np.isnan(draws[1:]).all():
        low, high = np.nanquantile(draws[1:], [0.025, 0.975])
    return {"value": float(draws[0]), "low": float(low), "high": float(high)}


def table(result: dict[str, Any]) -> "Group":
    """Return the result of :func:`run` as two tables to print."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
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
        if cell is not None:
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

    unfitted = Table(
        title="AUROC on problems that the weights of trust were not fitted on",
        box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False,
    )  # fmt: skip
    gaps = [f"{name} - outcome" for name in REPORTED[1:]]
    for heading in ("set", "k", "n", "right", *REPORTED, *gaps):
        left = heading == "set"
        unfitted.add_column(heading, justify="left" if left else "right", no_wrap=True)
    for group in result["consensus"]:
        part = group["unfitted"]
        if part["problems"]:
            unfitted.add_row(
                group["set"], str(group["chains"]), f"{part['problems']:,}",
                f"{part['majority_right']:.1%}",
                *(f"{part['auroc'][name]['value']:.3f}" for name in REPORTED),
                *(_signed(part["minus_outcome"][name]) for name in REPORTED[1:]),
            )  # fmt: skip
    if result["missing"]:
        unfitted.caption = "Not measured: " + "; ".join(result["missing"])
    return Group(out, unfitted)


def _signed(cell: dict[str, float]) -> str:
    """Return ``+.011 [+.002, +.019]``."""
    value, low, high = (f"{cell[key]:+.3f}".replace("0.", ".") for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"
