"""Round records of numeric runs: the same that the text environment writes."""

from functools import cache
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np

from argus_gym.capability_map import COLUMNS
from argus_gym.curriculum.measures import zones
from argus_gym.curriculum.posed import HOTTER
from argus_gym.defences import Defence
from argus_gym.gauges import GAUGES
from argus_gym.problems import FAMILIES, MAX_STEPS
from argus_gym.records import (
    Chain,
    LearnReport,
    Premise,
    ProblemRecord,
    RetestItem,
    Role,
    RoundRecord,
    TrainingPair,
    Verdict,
    Zone,
)

if TYPE_CHECKING:
    from argus_gym.curriculum.batch import Pairs
    from argus_gym.curriculum.retesting import Block
    from argus_gym.curriculum.runs import Runs

__all__ = ["name", "record", "retest_items", "training_pairs"]

TRUE = Premise(True)
FALSE = Premise(False, "parts_total", (0, 0), "the simulated proposer made a false claim")
ZONES: tuple[Zone, ...] = ("hard", "frontier", "easy")


def name(runs: "Runs", row: int, item: int) -> str:
    """Return the text that stands for a problem: its family, its number, a sentence a step.

    Args:
        runs: The runs.
        row: Which one.
        item: Number of the problem in its run, or minus one minus that of an anchor.
    """
    if item < 0:
        number = -1 - item
        family, steps, kind = number % runs.families, number // runs.families + 1, "Anchor"
    else:
        number, cell = item, int(runs.cell[item, row])
        family, steps, kind = cell // MAX_STEPS, cell % MAX_STEPS + 1, "Problem"
    return _text(kind, number, family, steps)


def _text(kind: str, number: int, family: int, steps: int) -> str:
    return f"{kind} {number}{_ending(family, steps)}"


@cache
def _ending(family: int, steps: int) -> str:
    turn = f" {family // len(FAMILIES) + 1}" if family >= len(FAMILIES) else ""
    return f" on {FAMILIES[family % len(FAMILIES)]}{turn}." + " One step." * steps


def retest_items(runs: "Runs", row: int, block: "Block") -> tuple[RetestItem, ...]:
    """Return one run's paired retests."""
    chains = runs.settings.retest_chains
    columns = (block.item, block.family, *block.right, *block.outcome)
    return tuple(
        RetestItem(name(runs, row, item), family, item < 0, chains, before, after, first, then)
        for item, family, before, after, first, then in zip(
            *(c.tolist() for c in columns), strict=True
        )
    )


def training_pairs(runs: "Runs", row: int, pairs: "Pairs", at: int) -> tuple[TrainingPair, ...]:
    """Return the pairs of one learning step; a chain is its path, written in octal digits.

    Args:
        runs: The runs.
        row: Which one.
        pairs: The pairs of m learning steps.
        at: Which of them is the run's.
    """
    size, own = runs.settings.problems_per_round, np.flatnonzero(pairs.run == at)
    columns = (
        getattr(pairs, name)[own].tolist()
        for name in ("problem", "path", "false", "tokens", "weight", "role")
    )
    return tuple(
        TrainingPair(
            problem=name(runs, row, problem),
            chain=Chain("", None if false else f"{path:08o}", tokens=tokens),
            weight=weight,
            cluster=cluster,
            round=problem // size,
            role=_ROLE_NAMES[role],
        )
        for cluster, problem, path, false, tokens, weight, role in zip(
            pairs.posed.family[own].tolist(), *columns, strict=True
        )
    )


_ROLE_NAMES: tuple[Role, ...] = ("train", "heldout", "replay")


def _report(pairs: "Pairs", at: int) -> LearnReport:
    train, heldout, replay = [(float(b), float(a)) for b, a in pairs.means[:, :, at]]
    return LearnReport(
        train=train,
        heldout=heldout,
        replay=replay,
        preq_bits=float(pairs.bits[at]),
        tokens=int(pairs.trained_tokens[at]),
    )


def record(
    runs: "Runs",
    row: int,
    pairs: "Pairs",
    block: "Block",
    at: int,
    columns: np.ndarray,
    verdict: Verdict | None,
) -> RoundRecord:
    """Return the record of the round that just ended in one run.

    Args:
        runs: The runs, before the next round begins.
        row: Which one.
        pairs: The pairs of m learning steps.
        block: The run's retested items.
        at: Which of the learning steps is the run's.
        columns: The map's columns after the round, ``float32``, shape ``(7 K,)``.
        verdict: The gate's.
    """
    s, size = runs.settings, runs.settings.problems_per_round
    round_ = int(runs.round[row])
    gauges = dict(zip(GAUGES, runs.gauges[row].tolist(), strict=True))
    del gauges["progress"]
    table = columns.reshape(len(COLUMNS), -1).tolist()
    retests = retest_items(runs, row, block)
    hot = bool(runs.steering.active[Defence.RAISE_TEMPERATURE][row])
    return RoundRecord(
        round=round_,
        problems=_problems(runs, row, round_ * size),
        retests=retests,
        report=_report(pairs, at),
        trained=int(pairs.counts[0, at]),
        replayed=int(pairs.counts[2, at]),
        heldout=int(pairs.counts[1, at]),
        mean_reward=gauges["mean_reward"],
        skill=gauges["skill"],
        gauges=gauges,
        map={name: tuple(column) for name, column in zip(COLUMNS, table, strict=True)},
        request=(float(s.k), HOTTER if hot else 1.0),
        answers={"solve": size * s.k, "retest": 2 * s.retest_chains * len(retests)},
        tokens={
            "solve": int(runs.tokens[:, row].sum()) * s.k,
            "retest": 2 * s.retest_chains * int(block.tokens.sum()),
        },
        defences=runs.steering.defences[row].in_force(round_),
        verdict=verdict,
    )


def _problems(runs: "Runs", row: int, base: int) -> tuple[ProblemRecord, ...]:
    size = runs.settings.problems_per_round
    span = slice(base, base + size)
    cells = runs.cell[span, row].tolist()
    outcome, process, combined, variety = runs.scores[:, :, row]
    zone = zones(combined, runs.low[row], runs.settings.frontier[1])
    columns = {
        "problem": [
            _text("Problem", number, cell // MAX_STEPS, cell % MAX_STEPS + 1)
            for number, cell in enumerate(cells, base)
        ],
        "cluster": [cell // MAX_STEPS for cell in cells],
        "target": runs.target[:, row].tolist(),
        "zone": [ZONES[kind] for kind in zone.tolist()],
        "outcome": outcome.tolist(),
        "process": process.tolist(),
        "combined": combined.tolist(),
        "answer": runs.answer[span, row].tolist(),
        "premise": [FALSE if false else TRUE for false in runs.false[span, row].tolist()],
        "length_mean": runs.tokens[:, row].astype(float).tolist(),
        "length_sd": repeat(0.0),
        "variety": variety.tolist(),
        "source": repeat("own"),
    }
    return tuple(map(ProblemRecord, *(columns[f] for f in ProblemRecord.__slots__)))
