"""Retests of n runs: the same items before and after a learning step."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from argus_gym.curriculum import chains, draws
from argus_gym.curriculum.agreement import largest
from argus_gym.curriculum.draws import Stream, place
from argus_gym.curriculum.posed import CONFABULATED_TOKENS, PAST_CAPACITY, pose
from argus_gym.problems import MAX_STEPS

if TYPE_CHECKING:
    from argus_gym.curriculum.runs import Runs

__all__ = ["Block", "ask", "items"]

PIECE = 4_096
"""Items that are answered at a time: more of them take memory and are not faster."""

_ANCHOR_ITEM = 1 << 26


@dataclass(slots=True, eq=False)
class Block:
    """The retested items of one round's end.

    Attributes:
        rows: The run of each, shape ``(R,)``.
        item: Number of a past problem in its run, or minus one minus that of an anchor.
        family: Index of the family.
        tokens: Length of an answer.
        right: Right answers before and after the learning step, shape ``(2, R)``.
        outcome: Share of the modal answer before and after, shape ``(2, R)``.
    """

    rows: np.ndarray
    item: np.ndarray
    family: np.ndarray
    tokens: np.ndarray
    right: np.ndarray
    outcome: np.ndarray

    def of(self, row: int) -> "Block":
        """Return one run's items, in the order they were asked."""
        at = np.flatnonzero(self.rows == row)
        return Block(*(getattr(self, name)[..., at] for name in self.__slots__))

    def joined(self, other: "Block") -> "Block":
        """Return both blocks as one."""
        return Block(
            *(
                np.concatenate((getattr(self, n), getattr(other, n)), axis=-1)
                for n in self.__slots__
            )
        )

    @property
    def anchor(self) -> np.ndarray:
        """Whether an item is an anchor."""
        return self.item < 0


def items(runs: "Runs", rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and items of a block: one from each of equal parts of the pools."""
    s, key = runs.settings, runs.key[rows]
    end = (runs.round[rows] + 1) * s.problems_per_round
    held = np.minimum(end, PAST_CAPACITY)
    parts = []
    for stream, number, size in (
        (Stream.ANCHORS_ASKED, s.anchor_items, np.full(len(rows), runs.anchors)),
        (Stream.PAST_ASKED, s.past_items, held),
    ):
        u = draws.uniforms(draws.words(key, place(stream, runs.round[rows], 0), max(number, 1)))
        at = ((np.arange(number)[:, None] + u[:number]) * size / max(number, 1)).astype(int)
        parts.append(-1 - at if stream is Stream.ANCHORS_ASKED else end - held + at)
    items = np.concatenate(parts)
    return np.tile(rows, len(items)), items.reshape(-1)


def ask(runs: "Runs", rows: np.ndarray, item: np.ndarray) -> Block:
    """Return a block of items, answered by the weights before and after the learning step."""
    past = np.maximum(item, 0)
    family = np.where(item < 0, (-1 - item) % runs.families, runs.cell[past, rows] // MAX_STEPS)
    shape = (2, len(rows))
    tokens = np.zeros(len(rows), np.int64)
    block = Block(rows, item, family, tokens, np.zeros(shape, np.int64), np.zeros(shape))
    for start in range(0, len(rows), PIECE):
        _answer(runs, block, slice(start, start + PIECE))
    return block


def _answer(runs: "Runs", block: Block, piece: slice) -> None:
    """Have some items of ``block`` answered by both."""
    s, rows, item, family = runs.settings, block.rows[piece], block.item[piece], block.family[piece]
    anchor, past, number = item < 0, np.maximum(item, 0), -1 - item
    cell = runs.cell[past, rows].astype(np.int64)
    at = np.where(
        anchor,
        place(Stream.ANCHOR, 0, np.where(anchor, number, 0)),
        runs.address(past // s.problems_per_round, cell, runs.visit[past, rows]),
    )
    steps = np.where(anchor, number // runs.families, cell % MAX_STEPS) + 1
    key = runs.key[rows]
    posed = pose(key, at, family, steps, runs.spread)
    false = runs.false[past, rows] & ~anchor
    block.tokens[piece] = np.where(false, CONFABULATED_TOKENS, posed.tokens)
    asked = np.where(anchor, _ANCHOR_ITEM + number, item)
    own = [place(stream, runs.round[rows], asked) for stream in (Stream.BEFORE, Stream.AFTER)]
    sides = (runs.before, runs.latent)
    seen = chains.chances(
        posed.take(np.tile(np.arange(len(rows)), 2)),
        np.concatenate([side.skill[rows, family] for side in sides]),
        np.concatenate([side.bias[rows, family] for side in sides]),
    )
    diversity = np.concatenate([side.diversity[rows] for side in sides])
    drawn = chains.paths(
        np.tile(key, 2), np.concatenate(own), seen, diversity, np.tile(false, 2), s.retest_chains
    )
    ids = chains.answer_ids(drawn)
    known = np.tile(np.where(anchor, 0, runs.answer[past, rows]), 2)
    block.right[:, piece] = (ids == known[:, None]).sum(1).reshape(2, -1)
    block.outcome[:, piece] = largest(ids).reshape(2, -1) / s.retest_chains
