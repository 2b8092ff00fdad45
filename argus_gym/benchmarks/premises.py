"""The premise validator on problems with known premises, made and real.

Made: our own generator's problems must pass, its false variants must be caught with the right kind
named, and the true twins of those variants must pass. Real: how many problems of each set are
rejected, in the half the rules were made on and in the half of which only counts were seen.
"""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from argus_gym.benchmarks.premise_sets import SETS, half, load
from argus_gym.intervals import wilson
from argus_gym.premise import KINDS, check
from argus_gym.problems import FAMILIES, generate
from argus_gym.problems.core import MAX_STEPS
from argus_gym.problems.falsify import falsify, truthful

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["run", "table"]

TRUE_EACH = 100
"""True problems of each family and number of steps."""
FALSE_EACH = 4
"""False variants of each kind, family and number of steps, and as many true twins."""
REPEATS = 3
"""A problem's time is the best of so many."""
HOSTILE = (
    "7 x 8 = ",
    "half of 9 ",
    "-3 ",
    "2^",
    "a 3-day trip of ",
    "((",
    "1,",
    "\u00bd",
    "3 red, ",
)


def run(data: str | Path | None = None, seed: int = 0) -> dict[str, Any]:
    """Measure the validator and return a JSON-ready result.

    Args:
        data: Folder with the real sets, as listed in ``docs/measured.md``; without it, only made
            problems are measured, and ``missing`` says so.
        seed: Seed of the made problems.

    Raises:
        ValueError: If a file of the data is not what it should be.
    """
    made = [problem.text for problem in _problems(TRUE_EACH, np.random.default_rng((seed, 0)))]
    sets, missing, texts = _real(None if data is None else Path(data))
    speed = [{"set": "made", **_speed(made)}]
    if texts:
        speed.append({"set": "GSM8K", **_speed(texts)})
    return {
        "seed": seed,
        "true": _rejected(made),
        "false": [_variants(kind, seed) for kind in KINDS],
        "sets": sets,
        "missing": missing,
        "speed": speed,
        "hostile_ms": max(_milliseconds(text * (1_000_000 // len(text))) for text in HOSTILE),
    }


def _problems(each: int, rng: np.random.Generator) -> Iterable[Any]:
    for family in FAMILIES:
        for steps in range(1, MAX_STEPS + 1):
            for _ in range(each):
                yield generate(family, steps, rng)


def _share(hits: int, n: int) -> dict[str, Any]:
    low, high = wilson(hits, n)
    return {"hits": hits, "n": n, "share": hits / n, "low": low, "high": high}


def _rejected(texts: Sequence[str]) -> dict[str, Any]:
    kinds = Counter(check(text).kind for text in texts)
    passed = kinds.pop("", 0)
    return {**_share(len(texts) - passed, len(texts)), "kinds": dict(sorted(kinds.items()))}


def _variants(kind: str, seed: int) -> dict[str, Any]:
    """Count the false variants of one kind that are caught, and their true twins that are."""
    rng = np.random.default_rng((seed, 1, KINDS.index(kind)))
    kinds: Counter[str] = Counter()
    n = inside = twins = 0
    for problem in _problems(FALSE_EACH, rng):
        key = int(rng.integers(2**63))
        false = falsify(problem, kind, np.random.default_rng(key))
        verdict = check(false.text)
        n += 1
        kinds[verdict.kind] += 1
        here = verdict.span[0] < false.span[1] and false.span[0] < verdict.span[1]
        inside += verdict.kind == kind and here
        twins += not check(truthful(problem, kind, np.random.default_rng(key))).ok
    return {
        "kind": kind,
        "caught": _share(n - kinds[""], n),
        "named": _share(kinds[kind], n),
        "located": _share(inside, n),
        "twins_rejected": _share(twins, n),
        "said": dict(sorted(kinds.items())),
    }


def _real(data: Path | None) -> tuple[list[dict[str, Any]], list[str], list[str]]:
    """Return the counts by set and half, what is missing, and the texts of GSM8K."""
    if data is None:
        return [], ["the real sets; give their folder with --data DIR or ARGUS_DATA"], []
    rows: list[dict[str, Any]] = []
    missing, gsm8k = [], []
    for name in SETS:
        try:
            items = load(name, data)
        except FileNotFoundError as error:
            missing.append(str(error))
            continue
        groups: dict[str, dict[str, list[str]]] = {}
        for item in items:
            halves = groups.setdefault(item.group, {"tuning": [], "report": []})
            halves[half(item.source)].append(item.text)
        for group, halves in sorted(groups.items()):
            row: dict[str, Any] = {"set": group}
            everything = halves["tuning"] + halves["report"]
            for part, texts in (*halves.items(), ("all", everything)):
                row[part] = _rejected(texts) if texts else None
            rows.append(row)
        if name == "GSM8K":
            gsm8k = [item.text for item in items]
    return rows, missing, gsm8k


def _speed(texts: Sequence[str]) -> dict[str, Any]:
    """Return problems a second of processor time, and the time of one problem."""
    best = np.full(len(texts), np.inf)
    rate = 0.0
    for _ in range(REPEATS):
        started = time.process_time()
        for text in texts:
            check(text)
        rate = max(rate, len(texts) / max(time.process_time() - started, 1e-9))
        for i, text in enumerate(texts):
            started = time.perf_counter()
            check(text)
            best[i] = min(best[i], time.perf_counter() - started)
    return {
        "n": len(texts),
        "chars": float(np.mean([len(text) for text in texts])),
        "per_second": rate,
        "median_us": float(np.median(best) * 1e6),
        "p99_us": float(np.quantile(best, 0.99) * 1e6),
    }


def _milliseconds(text: str) -> float:
    check(text)
    started = time.perf_counter()
    check(text)
    return (time.perf_counter() - started) * 1e3


def table(result: dict[str, Any]) -> "Table":
    """Return the result of :func:`run` as a table to print."""
    from rich.table import Table

    out = Table(title="Premise validator: share of problems with a false claim found")
    for heading in ("measure", "n", "share", "95 % interval"):
        out.add_column(heading, justify="left" if heading == "measure" else "right")

    def row(name: str, cell: dict[str, Any] | None) -> None:
        if cell is not None:
            limits = f"{cell['low']:.2%} to {cell['high']:.2%}"
            out.add_row(name, f"{cell['n']:,}", f"{cell['share']:.2%}", limits)

    row("made, true: rejected", result["true"])
    for kind in result["false"]:
        row(f"made, {kind['kind']}: right kind named", kind["named"])
        row("  true twins: rejected", kind["twins_rejected"])
    for group in result["sets"]:
        out.add_section()
        row(f"{group['set']}: rejected", group["all"])
        row("  tuning half", group["tuning"])
        row("  report half", group["report"])
    out.add_section()
    for cell in result["speed"]:
        name = f"{cell['set']} ({cell['chars']:.0f} characters)"
        out.add_row(f"speed, {name}", f"{cell['n']:,}", f"{cell['per_second']:,.0f}/s", "")
        out.add_row("  median, p99", "", f"{cell['median_us']:.0f} us", f"{cell['p99_us']:.0f} us")
    out.add_row(
        "slowest hostile text of 1 MB", f"{len(HOSTILE)}", f"{result['hostile_ms']:.1f} ms", ""
    )
    if result["missing"]:
        out.caption = "Not measured: " + "; ".join(result["missing"])
    return out
