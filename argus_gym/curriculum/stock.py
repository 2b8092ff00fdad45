"""One run, step by step, at the price of the array code."""

from typing import Any

import numpy as np

from argus_gym.capability_map import COLUMNS, RATE_FLOOR, SHARE_CAP
from argus_gym.curriculum.board import Board
from argus_gym.curriculum.runs import Runs, Solved
from argus_gym.problems import MAX_STEPS

__all__ = ["Stock"]

_ROW = np.zeros(1, np.int64)
_VISITS = 1 << 12
DEPTH = 4
"""Problems of each kind that are solved ahead in a round of 64, fewer in shorter rounds."""


class Stock:
    """Solves the first problems of each kind ahead, and hands them out.

    Within a round the learner does not change, and what becomes of the n-th problem of a kind is a
    function of its address. Solving some of each kind in one call of the array code is faster than
    solving each as it comes.

    Args:
        runs: A single run.
        board: What it shows.
    """

    def __init__(self, runs: Runs, board: Board) -> None:
        self.runs, self.board = runs, board
        self.depth = max(1, round(DEPTH * min(1.0, runs.settings.problems_per_round / 64)))
        self._recent, self._parts = np.zeros(runs.families), np.zeros(runs.families)
        self._bind()
        self.begin()

    def _bind(self) -> None:
        """Look at the arrays of the run and of what it shows."""
        self._visits = self.runs.visits[0]
        columns = self.board.map[0].reshape(len(COLUMNS), -1)
        self._shown_n, self._share, self._shown_consensus, self._shown_frontier = columns[:4]
        self._eligible = columns[6]
        self._round_done = self.board.flat[0, self.board.layout["progress"]][1:2]

    def __getstate__(self) -> dict[str, Any]:
        # A copy must look at its own arrays: views would come back as arrays of their own.
        return {k: v for k, v in vars(self).items() if getattr(v, "base", None) is None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._bind()

    def begin(self) -> None:
        """Forget what was solved ahead: the learner or its round has changed."""
        self._at: dict[int, int] = {}
        self._solved: list[Solved] = []
        self._scores: list[tuple[float, float, float]] = []
        self._entered: list[tuple[int, int, float]] = []
        self._plain = bool(self.runs.rates.adherence[0] >= 1.0)
        self._pos = int(self.runs.pos[0])
        self._round_done[0] = self._pos / self.runs.settings.problems_per_round
        table = self.runs.map
        self._n, self._consensus, self._frontier, self._outcomes = (
            column[0].tolist()
            for column in (table.n, table.consensus, table.frontier, table.outcomes)
        )
        self._recent[:] = table.past[0] + table.now[0]
        self._total = float(self._recent.sum())
        self._low, self._high = float(self.runs.low[0]), self.runs.settings.frontier[1]

    def play(self, family: int, steps: int) -> tuple[float, float, float]:
        """Propose and solve a problem; return outcome, process and combined."""
        runs, target = self.runs, family
        if not self._plain or runs.steering.armed:
            families, lengths = runs.proposed(_ROW, np.array([family]), np.array([steps]))
            family, steps = int(families[0]), int(lengths[0])
        cell = family * MAX_STEPS + steps - 1
        visit = int(self._visits[cell])
        self._visits[cell] = visit + 1
        at = self._at.get(cell * _VISITS + visit)
        if at is None:
            at = self._prepare(cell, visit)
        outcome, _, combined = scores = self._scores[at]
        frontier = self._low <= combined <= self._high
        weight = combined
        if runs.steering.armed:
            weight = float(runs.weighted(_ROW, np.array([family]), np.array([combined]))[0])
        self._entered.append((at, target, weight if frontier else -1.0))
        self._map(family, outcome, combined, frontier)
        self._pos += 1
        runs.pos[0] = self._pos
        self._round_done[0] = self._pos / runs.settings.problems_per_round
        return scores

    def _map(self, family: int, outcome: float, combined: float, frontier: bool) -> None:
        n = self._n[family] + 1.0
        rate = max(1.0 / n, RATE_FLOOR)
        before = self._consensus[family]
        consensus = before + rate * (combined - before)
        before = self._frontier[family]
        share = before + rate * (frontier - before)
        self._n[family] = self._shown_n[family] = n
        self._consensus[family] = self._shown_consensus[family] = consensus
        self._frontier[family] = self._shown_frontier[family] = share
        self._outcomes[family] += outcome
        self._recent[family] += 1.0
        self._total += 1.0
        np.divide(self._recent, self._total, out=self._parts)
        self._share[:] = self._parts
        self._eligible[:] = self._parts < SHARE_CAP
        if self.runs.steering.armed:
            self._eligible *= self.runs.map.barred[0] == 0

    def _prepare(self, cell: int, visit: int) -> int:
        """Solve more problems ahead: a few of each kind, or as many again of this one."""
        if not self._solved:
            cells = np.repeat(np.arange(len(self._visits)), self.depth)
            visits = np.tile(np.arange(self.depth), len(self._visits)) + self._visits[cells]
            visits[cells == cell] -= 1
        else:
            most = min(max(visit, 1), self.runs.settings.problems_per_round)
            cells, visits = np.full(most, cell), np.arange(visit, visit + most)
        solved = self.runs.solve(np.zeros(len(cells), np.int64), cells, visits)
        start = len(self._scores)
        self._at.update(
            zip((cells * _VISITS + visits).tolist(), range(start, start + len(cells)), strict=True)
        )
        self._solved.append(solved)
        columns = (solved.outcome, solved.process, solved.combined)
        self._scores.extend(zip(*(c.tolist() for c in columns), strict=True))
        return self._at[cell * _VISITS + visit]

    def enter(self) -> None:
        """Enter what was handed out in the run's store."""
        if not self._entered:
            return
        runs = self.runs
        at, target, weight = zip(*self._entered, strict=True)
        rows = np.array(at)
        columns = [
            np.concatenate([getattr(solved, name) for solved in self._solved])[rows]
            for name in Solved.__slots__
        ]
        solved = Solved(*columns)
        end = self._pos
        here = slice(end - len(rows), end)
        base = int(runs.round[0]) * runs.settings.problems_per_round
        there = slice(base + here.start, base + here.stop)
        runs.cell[there, 0], runs.visit[there, 0] = solved.cell, solved.visit
        runs.false[there, 0], runs.answer[there, 0] = solved.false, solved.answer
        runs.path[there, 0], runs.pair_weight[there, 0] = solved.path, weight
        runs.write_scores(here, 0, solved, np.array(target))
        table = runs.map
        table.n[0], table.consensus[0], table.frontier[0] = self._n, self._consensus, self._frontier
        table.outcomes[0], table.now[0] = self._outcomes, self._recent - table.past[0]
        self._entered = []
