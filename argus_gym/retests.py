"""Retests: the same items answered before and after a learning step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from argus_gym.evidence import Wanted
from argus_gym.records import RetestItem, Value

__all__ = ["Answered", "Item", "RetestBlock", "Side", "draw_items", "draw_more"]

Side = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Item:
    """A problem that is retested.

    Attributes:
        problem: Its text.
        answer: What counts as right: the known answer of an anchor, else the first consensus.
        cluster: Capability-map cluster; -1 where it is found when the item is answered.
        anchor: Whether the answer is known.
    """

    problem: str
    answer: Value | None
    cluster: int
    anchor: bool


@dataclass(frozen=True, slots=True)
class Answered:
    """How one item was answered: the chains that were right, the share of the modal answer."""

    right: int
    outcome: float


def draw_items(
    rng: np.random.Generator,
    anchors: Sequence[tuple[str, Value]],
    past: Sequence[Item],
    counts: tuple[int, int],
) -> list[Item]:
    """Draw a block without replacement: ``counts[0]`` anchors, then ``counts[1]`` past problems."""
    drawn = [anchors[i] for i in rng.permutation(len(anchors))[: counts[0]]]
    chosen = [Item(problem, answer, -1, True) for problem, answer in drawn]
    return chosen + [past[i] for i in rng.permutation(len(past))[: counts[1]]]


def draw_more(rng: np.random.Generator, fresh: Sequence[Item], wanted: Wanted) -> list[Item]:
    """Return the items a gate wants of ``fresh``: those it names, then as many others."""
    named = set(wanted.problems)
    rest = [item for item in fresh if item.problem not in named]
    drawn = [rest[i] for i in rng.permutation(len(rest))[: wanted.items]]
    return [item for item in fresh if item.problem in named] + drawn


class RetestBlock:
    """A round's items and their answers on both sides of the learning step.

    Args:
        items: The items, each problem once.
        chains: Chains for each item and side, >= 1.
        known: Answers already given by the weights before the step, by problem.
    """

    def __init__(self, items: Sequence[Item], chains: int, known: Mapping[str, Answered]) -> None:
        self.items = list(items)
        self.chains = chains
        self.located: dict[str, int] = {}
        self._answers: dict[Side, dict[str, Answered]] = {
            "before": {i.problem: known[i.problem] for i in items if i.problem in known},
            "after": {},
        }

    def open(self, side: Side) -> list[Item]:
        """Return the items this side has not answered yet."""
        return [item for item in self.items if item.problem not in self._answers[side]]

    def extend(self, items: Sequence[Item]) -> None:
        """Add items that neither side has answered."""
        self.items += items

    def answer(self, side: Side, item: Item, answered: Answered) -> None:
        """Record one side's answer to an item."""
        self._answers[side][item.problem] = answered

    def answers(self, side: Side) -> dict[str, Answered]:
        """Return what one side answered, by problem."""
        return dict(self._answers[side])

    def compared(self) -> tuple[RetestItem, ...]:
        """Return the paired items, in order."""
        return tuple(self._compared(item) for item in self.items)

    def _compared(self, item: Item) -> RetestItem:
        before = self._answers["before"][item.problem]
        after = self._answers["after"][item.problem]
        return RetestItem(
            problem=item.problem,
            cluster=self.located[item.problem] if item.cluster < 0 else item.cluster,
            anchor=item.anchor,
            chains=self.chains,
            right_before=before.right,
            right_after=after.right,
            outcome_before=before.outcome,
            outcome_after=after.outcome,
        )
