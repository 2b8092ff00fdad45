"""The training pairs of n runs: which wait, which are trained on, which are replayed."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from argus_gym.curriculum import draws
from argus_gym.curriculum.draws import Stream, place
from argus_gym.curriculum.learner import Lessons, train
from argus_gym.curriculum.likelihood import Reading, losses, read
from argus_gym.curriculum.posed import CONFABULATED_TOKENS, Posed, pose
from argus_gym.problems import MAX_STEPS

if TYPE_CHECKING:
    from argus_gym.curriculum.runs import Runs

__all__ = ["ROLES", "Batch", "Pairs"]

ROLES = ("train", "heldout", "replay")
TRAIN, HELDOUT, REPLAY = range(3)
CAPACITY = 512
MINIBATCH, PIECE = 8, 4_096


@dataclass(slots=True, eq=False)
class Pairs:
    """The pairs of m learning steps, one an entry; arrays of shape ``(P,)``.

    Attributes:
        run: Which of the m steps.
        slot: Place in its training order, -1 where held out.
        problem: Number of the problem in its run.
        role: Index into ``ROLES``.
        posed: The problems.
        weight: Loss weight.
        path: The chain.
        false: Whether the premise is false.
        tokens: Length of the chain.
        means: Loss of the pairs of each role before and after, shape ``(3, 2, m)``.
        bits: Prequential code length above the final loss, shape ``(m,)``.
        counts: Number of pairs of each role, shape ``(3, m)``.
        trained_tokens: Tokens trained on, shape ``(m,)``.
    """

    run: np.ndarray
    slot: np.ndarray
    problem: np.ndarray
    role: np.ndarray
    posed: Posed
    weight: np.ndarray
    path: np.ndarray
    false: np.ndarray
    tokens: np.ndarray
    means: np.ndarray
    bits: np.ndarray
    counts: np.ndarray
    trained_tokens: np.ndarray


class Batch:
    """What :class:`~argus_gym.buffer.Buffer` holds, for n runs, as numbers of problems.

    Args:
        count: Number of runs.
        size: Problems a round.
        total: Problems a run.
        replay_share: Replayed pairs as a share of a step's training pairs.
    """

    def __init__(self, count: int, size: int, total: int, replay_share: float) -> None:
        self.replay_share = replay_share
        self.delayed = np.full((count, size), -1, np.int32)
        self.trained = np.zeros((count, total), np.int32)
        self.certified = self.trained.copy()
        self.start, self.end, self.newest = np.zeros((3, count), np.int64)
        self.certified_window = np.zeros((2, count), np.int64)

    def reset(self, rows: np.ndarray) -> None:
        """Forget some of the runs."""
        self.delayed[rows] = -1
        self.start[rows] = self.end[rows] = self.newest[rows] = 0
        self.certified_window[:, rows] = 0

    def draw(self, runs: "Runs", rows: np.ndarray) -> Pairs:
        """Return the pairs of the coming learning steps of the runs ``rows``."""
        key, round_ = runs.key[rows], runs.round[rows]
        size = runs.settings.problems_per_round
        base = round_ * size
        first = (base[:, None] + np.arange(size)).astype(np.int32)
        waiting = runs.pair_weight[first, rows[:, None]] >= 0.0
        order = draws.words(key, place(Stream.SPLIT, round_, 0), size).T.copy()
        order[~waiting] = np.uint64(2**64 - 1)
        ranked = order.argsort(axis=1, kind="stable")
        held = np.zeros_like(waiting)
        half = waiting.sum(1) // 2
        np.put_along_axis(held, ranked, np.arange(size) < half[:, None], 1)
        fresh = np.concatenate((self.delayed[rows], np.where(waiting & ~held, first, -1)), axis=1)
        share = self.replay_share
        number = (fresh >= 0).sum(1)
        wanted = np.rint(number * share / (1.0 - share)).astype(np.int64)
        kept = self.end[rows] - self.start[rows]
        taken = np.minimum(wanted, kept)
        most = int(taken.max(initial=0))
        u = draws.uniforms(draws.words(key, place(Stream.REPLAY, round_, 0), max(most, 1))).T
        step = (np.arange(most) + u[:, :most]) * (kept / np.maximum(taken, 1))[:, None]
        at = self.start[rows, None] + np.minimum(step.astype(np.int64), kept[:, None] - 1)
        old = np.where(
            np.arange(most) < taken[:, None], self.trained[rows[:, None], np.maximum(at, 0)], -1
        )
        every = np.concatenate((fresh, old, np.where(held, first, -1)), axis=1)
        roles = np.repeat((TRAIN, REPLAY, HELDOUT), (fresh.shape[1], most, size))
        run, column = np.nonzero(every >= 0)
        problem, role = every[run, column], roles[column]
        slot = (every >= 0).cumsum(1)[run, column] - 1
        return self._gathered(runs, rows, run, np.where(role == HELDOUT, -1, slot), problem, role)

    def _gathered(
        self,
        runs: "Runs",
        rows: np.ndarray,
        run: np.ndarray,
        slot: np.ndarray,
        problem: np.ndarray,
        role: np.ndarray,
    ) -> Pairs:
        row, m = rows[run], len(rows)
        cell = runs.cell[problem, row].astype(np.int64)
        at = runs.address(
            problem // runs.settings.problems_per_round, cell, runs.visit[problem, row]
        )
        spread = runs.spread
        posed = pose(runs.key[row], at, cell // MAX_STEPS, cell % MAX_STEPS + 1, spread)
        false = runs.false[problem, row]
        tokens = np.where(false, CONFABULATED_TOKENS, posed.tokens)
        return Pairs(
            run=run,
            slot=slot,
            problem=problem,
            role=role,
            posed=posed,
            weight=runs.pair_weight[problem, row],
            path=runs.path[problem, row],
            false=false,
            tokens=tokens,
            means=np.full((3, 2, m), np.nan),
            bits=np.full(m, np.nan),
            counts=np.bincount(role * m + run, minlength=3 * m).reshape(3, m),
            trained_tokens=np.bincount(run, tokens * (slot >= 0), m).astype(np.int64),
        )

    def learn(self, runs: "Runs", rows: np.ndarray, pairs: Pairs) -> None:
        """Train on the pairs in order; enter what was measured into ``pairs``."""
        m = len(rows)
        if not len(pairs.run):
            return
        slots = int(pairs.slot.max()) + 1
        # Minibatch by minibatch, the held-out pairs last: then each lies in one piece.
        turn = np.where(pairs.slot >= 0, pairs.slot // MINIBATCH, slots).astype(np.int16)
        order = turn.argsort(kind="stable")
        ends = np.searchsorted(turn[order], np.arange(-(-slots // MINIBATCH)), "right").tolist()
        queue, run, tokens = _Queue.of(runs, rows, pairs, order), pairs.run[order], pairs.tokens
        tokens, trained = tokens[order], order[: ends[-1] if ends else 0]
        # Those with most to learn come first, so that the others can stop when they are done.
        number = np.bincount(pairs.run[trained], minlength=m)
        first = np.argsort(-number, kind="stable")
        rank = np.argsort(first)
        lessons = _lessons(pairs, trained, rank[pairs.run[trained]], (slots, m))
        before = queue.losses(runs, 0, len(order))
        last_loss = np.full(m, np.nan)
        curve: list[tuple[np.ndarray, np.ndarray]] = []
        for at, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
            loss = queue.losses(runs, start, end) if start else before[:end]
            now = run[start:end]
            size = np.bincount(now, minlength=m)
            mean = np.bincount(now, loss, m) / np.maximum(size, 1)
            curve.append((mean, np.bincount(now, tokens[start:end], m)))
            last_loss = np.where(size > 0, mean, last_loss)
            part = range(at * MINIBATCH, min((at + 1) * MINIBATCH, slots))
            train(runs.latent, rows[first], runs.rates, lessons, part)
        many = pairs.counts[TRAIN] + pairs.counts[REPLAY] > MINIBATCH
        area = sum(spent * (mean - last_loss) for mean, spent in curve)
        pairs.bits = np.where(many, area / math.log(2), np.nan)
        after = queue.losses(runs, 0, len(order))
        cell = pairs.role[order] * m + run
        for side, loss in enumerate((before, after)):
            with np.errstate(invalid="ignore"):
                pairs.means[:, side] = np.bincount(cell, loss, 3 * m).reshape(3, m) / pairs.counts

    def commit(self, rows: np.ndarray, pairs: Pairs) -> None:
        """Keep the trained pairs for replay and the held-out ones for the next step."""
        new = np.flatnonzero(pairs.role == TRAIN)
        run = pairs.run[new]
        at = self.end[rows][run] + pairs.slot[new]
        self.trained[rows[run], at] = pairs.problem[new]
        self.newest[rows] = pairs.counts[TRAIN]
        self.end[rows] += pairs.counts[TRAIN]
        self.start[rows] = np.maximum(self.start[rows], self.end[rows] - CAPACITY)
        held = np.flatnonzero(pairs.role == HELDOUT)
        run = pairs.run[held]
        place_ = np.arange(len(run)) - np.searchsorted(run, run)
        self.delayed[rows] = -1
        self.delayed[rows[run], place_] = pairs.problem[held]

    def retract(self, row: int) -> None:
        """Take what the last step trained on out of replay."""
        self.end[row] = max(self.end[row] - self.newest[row], self.start[row])
        self.newest[row] = 0

    def decay(self, row: int) -> None:
        """Keep the newer half of the replay pairs."""
        kept = int(self.end[row] - self.start[row])
        self.start[row] = self.end[row] - round(kept * 0.5)

    def certify(self, row: int) -> None:
        """Remember the replay pairs as they are."""
        self.certified[row] = self.trained[row]
        self.certified_window[:, row] = self.start[row], self.end[row]

    def go_back(self, row: int) -> None:
        """Return to the replay pairs that were remembered."""
        self.trained[row] = self.certified[row]
        self.start[row], self.end[row] = self.certified_window[:, row]
        self.newest[row] = 0


@dataclass(frozen=True, slots=True, eq=False)
class _Queue:
    """Pairs in the order they are read; arrays of shape ``(P,)``.

    Attributes:
        row: Whose they are.
        family: Index of the family.
        problem: Number of the problem in its run.
        chains: Their chains.
    """

    row: np.ndarray
    family: np.ndarray
    problem: np.ndarray
    chains: Reading

    @classmethod
    def of(cls, runs: "Runs", rows: np.ndarray, pairs: Pairs, order: np.ndarray) -> "_Queue":
        """Line pairs up."""
        chains = read(pairs.posed, pairs.path, pairs.false, pairs.tokens).part(order)
        return cls(rows[pairs.run[order]], pairs.posed.family[order], pairs.problem[order], chains)

    def losses(self, runs: "Runs", start: int, end: int) -> np.ndarray:
        """Return the losses of some of the pairs as the learners are now."""
        pieces = range(start, end, PIECE)
        return np.concatenate(
            [self._losses(runs, slice(at, min(at + PIECE, end))) for at in pieces]
        )

    def _losses(self, runs: "Runs", piece: slice) -> np.ndarray:
        row, family, latent = self.row[piece], self.family[piece], runs.latent
        exposed = runs.rates.memory[row] * latent.memory[row, self.problem[piece]]
        return losses(
            self.chains.part(piece),
            latent.skill[row, family],
            latent.bias[row, family],
            latent.diversity[row],
            latent.wording[row],
            -np.expm1(-exposed),
        )


def _lessons(
    pairs: Pairs, trained: np.ndarray, rank: np.ndarray, shape: tuple[int, int]
) -> Lessons:
    """Lay the trained pairs out by slot and rank of the run."""
    slots, m = shape
    where = (pairs.slot[trained], rank)
    path = pairs.path[trained]
    digits = path.copy()
    for _ in range(MAX_STEPS - 1):
        digits = np.where(digits > 7, digits >> np.uint32(3), digits)

    def laid(values: np.ndarray, dtype: type) -> np.ndarray:
        out: np.ndarray = np.zeros((slots, m), dtype)
        out[where] = values
        return out

    magnitudes = np.zeros((MAX_STEPS, slots, m), np.float32)
    for row, sizes in zip(magnitudes, pairs.posed.magnitudes, strict=True):
        row[where] = sizes[trained]
    return Lessons(
        problem=laid(pairs.problem[trained], np.int64),
        weight=laid(pairs.weight[trained], np.float64),
        family=laid(pairs.posed.family[trained], np.int64),
        steps=np.maximum(laid(pairs.posed.steps[trained], np.int64), 1),
        right=laid(path == 0, np.bool_),
        misconceived=laid(digits == 1, np.bool_),
        false=laid(pairs.false[trained], np.bool_),
        magnitudes=magnitudes.swapaxes(0, 1),
    )
