"""Gates on numeric runs: evidence for their deciders, and the answers these ask for."""

from typing import TYPE_CHECKING

import numpy as np

from argus_gym.curriculum import draws
from argus_gym.curriculum.draws import Stream, place
from argus_gym.curriculum.posed import PAST_CAPACITY
from argus_gym.curriculum.recording import name, retest_items
from argus_gym.curriculum.retesting import Block, ask
from argus_gym.evidence import Evidence, Wanted
from argus_gym.gauges import GAUGES
from argus_gym.records import Verdict

if TYPE_CHECKING:
    from argus_gym.curriculum.batch import Pairs
    from argus_gym.curriculum.runs import Runs

__all__ = ["judge"]


def judge(
    runs: "Runs",
    rows: np.ndarray,
    pairs: "Pairs",
    block: "Block",
    verdicts: list[Verdict | None],
) -> "Block":
    """Ask each run's gate; have more items answered until all have decided.

    Args:
        runs: The runs, with deciders.
        rows: Those whose round is full, shape ``(m,)``.
        pairs: Their learning steps.
        block: Their retested items.
        verdicts: Filled with the verdicts, m of them.

    Returns:
        The block with the items that were asked for.

    Raises:
        ValueError: If a gate asks for items that do not exist.
    """
    assert runs.deciders is not None
    open_ = list(range(len(rows)))
    while open_:
        asked_rows: list[int] = []
        asked_items: list[int] = []
        undecided = []
        for at in open_:
            row = int(rows[at])
            evidence, fresh = _evidence(runs, row, block.of(row), runs.gauges[row])
            answer = runs.deciders[row](evidence)
            if isinstance(answer, Verdict):
                verdicts[at] = answer
                continue
            items = _more(runs, row, fresh[answer.anchors], answer)
            if not items:
                raise ValueError(f"the gate asked for {answer} and there are no such items left")
            asked_rows += [row] * len(items)
            asked_items += items
            undecided.append(at)
        open_ = undecided
        if asked_rows:
            block = block.joined(ask(runs, np.array(asked_rows), np.array(asked_items)))
    return block


def _evidence(
    runs: "Runs", row: int, block: "Block", gauges: np.ndarray
) -> tuple[Evidence, dict[bool, dict[str, int]]]:
    """Return one run's evidence, and its items not asked yet by name."""
    s, asked = runs.settings, set(block.item.tolist())
    end = (int(runs.round[row]) + 1) * s.problems_per_round
    pools = {
        True: range(-1, -1 - runs.anchors, -1),
        False: range(max(0, end - PAST_CAPACITY), end),
    }
    fresh = {
        known: {name(runs, row, item): item for item in pool if item not in asked}
        for known, pool in pools.items()
    }
    assert runs.histories is not None
    answers = 2 * s.retest_chains * len(asked)
    evidence = Evidence(
        round=int(runs.round[row]),
        retests=retest_items(runs, row, block),
        gauges={n: v for n, v in zip(GAUGES, gauges.tolist(), strict=True) if n != "progress"},
        history=tuple(runs.histories[row]),
        fresh=tuple(fresh[True]),
        answers=answers,
        tokens=2 * s.retest_chains * int(block.tokens.sum()),
        fresh_past=tuple(fresh[False]),
    )
    return evidence, fresh


def _more(runs: "Runs", row: int, fresh: dict[str, int], wanted: Wanted) -> list[int]:
    """Return the items a gate wants: those it names, then as many others as it says."""
    named = [fresh[problem] for problem in wanted.problems if problem in fresh]
    rest = [item for problem, item in fresh.items() if problem not in set(wanted.problems)]
    at = place(Stream.MORE, runs.round[row : row + 1], 0)
    luck = draws.words(runs.key[row : row + 1], at, max(len(rest), 1))[: len(rest), 0]
    return named + [rest[i] for i in luck.argsort(kind="stable")[: wanted.items].tolist()]
