"""Which chain score predicts a right modal answer better than the share of votes?

Every candidate is a ridge logistic regression on a few of ``chain_features.FEATURES``. Problems are
split in two by a hash of their text, whatever set they are in. On the tuning half a candidate is
judged leave-one-source-out and by folds of problems: neither the chains nor the problems it is
tested on were fitted. The report half is for the table only; there the weights are those of the
whole tuning half, or of its other sources.
"""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from argus_gym.benchmarks.chain_features import FEATURES, features
from argus_gym.benchmarks.chain_sources import SOURCES, RealSet, find_sets
from argus_gym.benchmarks.chains import auroc, interval, judged
from argus_gym.benchmarks.premise_sets import half
from argus_gym.chain_score import WEIGHTS, Signals
from argus_gym.consensus import parse, score

if TYPE_CHECKING:
    from rich.console import Group

__all__ = ["CANDIDATES", "CHOSEN", "fit", "run", "table"]

RESAMPLES = 2000
TURNS = 4
FOLDS = 5
RIDGE = 10.0
CHOSEN = "share, lead, work, fractions, odd"
_FIVE = Signals._fields
CANDIDATES: dict[str, tuple[str, ...]] = {
    **{f"share, {name}": ("share", name) for name in FEATURES if name != "share"},
    "share, work, fractions": ("share", "work", "fractions"),
    "share, lead, work, fractions": ("share", "lead", "work", "fractions"),
    CHOSEN: _FIVE,
    **{
        f"{CHOSEN}, {name}": (*_FIVE, name)
        for name in ("false_equations", "modal_jaccard", "modal_end", "modal_last", "numbers_used")
    },
    "all": FEATURES,
}
"""What was tried: names of features by name of the candidate."""


class Rows(NamedTuple):
    """Scored problems of one half of one set, ``TURNS`` rows each, with the problem's fold."""

    source: str
    values: npt.NDArray[np.float64]
    right: npt.NDArray[np.bool_]
    outcome: npt.NDArray[np.float64]
    group: npt.NDArray[np.int64]
    fold: npt.NDArray[np.int64]


def run(data: str | Path, seed: int = 0) -> dict[str, Any]:
    """Fit and test every candidate on the recorded chains under ``data``.

    Args:
        data: Folder as for ``bench chains``.
        seed: Seed of the ties, the subsamples and the bootstrap.

    Returns:
        JSON-ready: for each candidate its weights and, by set, the differences of its AUROC from
        that of the vote share on the tuning half (``tuning``), on the report half (``report``), and
        there with the set's own source left out of the fit (``transfer``).

    Raises:
        FileNotFoundError: If there is no chain set.
        ValueError: If a file is not what it should be.
    """
    real = [r for r in find_sets(data)[1] if r.source in SOURCES]
    seeds = np.random.SeedSequence(seed).spawn(2 * len(real))
    names = [r.name for r in real]
    several = [n for n, r in zip(names, real, strict=True) if r.k or len(r.sets[0].chains) > 1]
    halves = {
        part: {r.name: _rows(r, part, seeds[2 * i + j]) for i, r in enumerate(real)}
        for j, part in enumerate(("tuning", "report"))
    }
    fitted = {name: halves["tuning"][name] for name in several}
    draws = {
        (part, name): _draws(rows, np.random.default_rng((seed, i, j)))
        for j, (part, sets) in enumerate(halves.items())
        for i, (name, rows) in enumerate(sets.items())
    }
    candidates = []
    for name, columns in CANDIDATES.items():
        at = [FEATURES.index(c) for c in columns]
        weights = fit(list(fitted.values()), at)
        row: dict[str, Any] = {
            "candidate": name,
            "weights": dict(zip(columns, map(float, weights), strict=True)),
            "tuning": {}, "report": {}, "transfer": {},
        }  # fmt: skip
        for of in several:
            tuned, kept = halves["tuning"][of], halves["report"][of]
            others = [rows for rows in fitted.values() if rows.source != tuned.source]
            row["tuning"][of] = _gap(tuned, _crossed(tuned, others, at), draws["tuning", of])
            values = kept.values[:, at]
            row["report"][of] = _gap(kept, values @ weights, draws["report", of])
            if others:
                transferred = values @ fit(others, at)
                row["transfer"][of] = _gap(kept, transferred, draws["report", of])
        candidates.append(row)
    shipped = np.array(WEIGHTS)
    at = [FEATURES.index(c) for c in _FIVE]
    return {
        "seed": seed,
        "resamples": RESAMPLES,
        "turns": TURNS,
        "problems": {name: {part: _size(halves[part][name]) for part in halves} for name in names},
        "candidates": candidates,
        "chosen": CHOSEN,
        "single": {
            name: {
                part: _gap(rows[name], rows[name].values[:, at] @ shipped, draws[part, name])
                for part, rows in halves.items()
            }
            for name in names
            if name not in several
        },
    }


def _rows(real: RealSet, part: str, seed: np.random.SeedSequence) -> Rows:
    draw, ties = seed.spawn(2)
    rng = np.random.default_rng(draw)
    words = [int(word) for word in ties.generate_state(2)]
    values, right, outcome, group, folds = [], [], [], [], []
    items = [item for item in real.sets if half(item.problem) == part]
    for index, item in enumerate(items):
        chains = [parse(text) for text in item.chains]
        done: dict[tuple[Any, ...], tuple[float, ...]] = {}
        for turn in range(TURNS):
            picks = rng.choice(len(chains), real.k, replace=False) if real.k else range(len(chains))
            drawn = [chains[i] for i in picks]
            result = score(drawn, seed=(*words, index, turn))
            key = (result.answer, *picks)
            if key not in done:
                jaccard = score(drawn, process="jaccard").process
                done[key] = features(result, item.problem, jaccard)
            values.append(done[key])
            right.append(judged(result, item))
            outcome.append(result.outcome)
            group.append(index)
            folds.append(_fold(item.problem))
    empty = np.empty((0, len(FEATURES)))
    return Rows(
        real.source, np.array(values) if values else empty, np.array(right, bool),
        np.array(outcome), np.array(group, int), np.array(folds, int),
    )  # fmt: skip


def _fold(text: str) -> int:
    key = "fold" + "".join(c for c in text.lower() if c.isalnum())[:40]
    return sha256(key.encode()).digest()[0] % FOLDS


def _size(rows: Rows) -> dict[str, Any]:
    n = int(rows.group.max(initial=-1)) + 1
    return {"n": n, "right": float(rows.right.mean()) if n else None}


def fit(
    sets: Sequence[Rows], columns: Sequence[int], fold: int | None = None
) -> npt.NDArray[np.float64]:
    """Return the weights of a ridge logistic regression, each set with its own intercept.

    Every problem weighs the same; features are scaled to unit variance for the penalty of
    ``RIDGE / 2`` times the squared weights, and intercepts are free.

    Args:
        sets: Rows to fit on.
        columns: Features used.
        fold: Fold of the problems that are left out.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    keep = [rows.fold != fold for rows in sets]
    x = np.vstack([rows.values[m][:, columns] for rows, m in zip(sets, keep, strict=True)])
    y = np.concatenate([rows.right[m] for rows, m in zip(sets, keep, strict=True)]).astype(float)
    own = np.repeat(np.arange(len(sets)), [int(m.sum()) for m in keep])
    mean = x.mean(axis=0)
    spread = x.std(axis=0)
    spread[spread == 0] = 1.0
    design = np.hstack([(x - mean) / spread, np.eye(len(sets))[own]])
    penalty = np.repeat([RIDGE, 1e-3], [len(columns), len(sets)])

    def loss(b: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        margin = design @ b
        value = (np.logaddexp(0.0, margin) - y * margin).sum() / TURNS
        slope = design.T @ (expit(margin) - y) / TURNS
        return float(value + (penalty * b * b).sum() / 2), slope + penalty * b

    found = minimize(loss, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B")
    return np.asarray(found.x[: len(columns)] / spread)


def _crossed(
    rows: Rows, others: Sequence[Rows], columns: Sequence[int]
) -> npt.NDArray[np.float64] | None:
    """Score each fold of problems with weights fitted on the other folds of the other sources."""
    if not others:
        return None
    scores = np.zeros(len(rows.group))
    for fold in range(FOLDS):
        here = rows.fold == fold
        scores[here] = rows.values[here][:, columns] @ fit(others, columns, fold)
    return scores


class Draws(NamedTuple):
    """Bootstrap counts of the problems, and the areas of the vote share under them."""

    counts: npt.NDArray[np.int64]
    outcome: npt.NDArray[np.float64]


def _draws(rows: Rows, rng: np.random.Generator) -> Draws | None:
    n = int(rows.group.max(initial=-1)) + 1
    if n == 0:
        return None
    counts = np.vstack([np.ones(n, int), rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES)])
    return Draws(counts, auroc(rows.outcome, rows.right, rows.group, counts))


def _gap(
    rows: Rows, scores: npt.NDArray[np.float64] | None, draws: Draws | None
) -> dict[str, float] | None:
    """Return the AUROC of ``scores`` minus that of the vote share, with its interval."""
    if scores is None or draws is None:
        return None
    area = auroc(scores, rows.right, rows.group, draws.counts)
    return {**interval(area - draws.outcome), "auroc": float(area[0])}


def table(result: dict[str, Any]) -> "Group":
    """Return the result of :func:`run` as two tables to print, one for each half."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table

    sets = list(result["candidates"][0]["report"])
    tables = []
    for part in ("tuning", "report"):
        out = Table(
            title=f"AUROC minus that of the vote share, {part} half (* interval above 0, - below)",
            box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False,
        )  # fmt: skip
        out.add_column("features", no_wrap=True)
        for number in range(1, len(sets) + 1):
            out.add_column(str(number), justify="right", no_wrap=True)
        for row in result["candidates"]:
            name = row["candidate"].replace(f"{CHOSEN}, ", "chosen, ")
            out.add_row(name, *(_cell(row[part][of]) for of in sets))
        tables.append(out)
    tables[-1].caption = "; ".join(
        [f"chosen on the tuning half: {result['chosen']}"]
        + [f"{number} {name}" for number, name in enumerate(sets, 1)]
    )
    return Group(*tables)


def _cell(cell: dict[str, float] | None) -> str:
    if cell is None:
        return ""
    mark = "*" if cell["low"] > 0 else "-" if cell["high"] < 0 else " "
    return f"{cell['value']:+.3f}{mark}"
