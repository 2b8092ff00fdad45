"""Causal attribution: which training pairs could explain a regression."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils import RecordConstructorArgs

from argus_gym.capability_map import hashed_words
from argus_gym.records import RetestItem, TrainingPair

__all__ = ["CausalAttribution", "Cause", "attribute"]

DIM = 256


@dataclass(frozen=True, slots=True)
class Cause:
    """A training pair that could explain why an item got worse.

    Attributes:
        item: The retested problem.
        pair: The problem trained on.
        score: Similarity times weight times the item's loss, in [0, 1].
    """

    item: str
    pair: str
    score: float


def attribute(
    retests: Sequence[RetestItem], pairs: Sequence[TrainingPair], top: int = 3
) -> tuple[Cause, ...]:
    """Return the ``top`` likeliest pairs for each item that got worse, most likely first.

    A pair's score is the cosine similarity of its problem's hashed words with the item's, times
    the pair's weight, times the item's loss. It is a ranking by resemblance: it finds a cause
    only where the harm comes from problems that read alike.

    Args:
        retests: The round's paired retests.
        pairs: What the round trained on; held-out pairs are left out.
        top: Pairs for each item, >= 1.
    """
    trained = [pair for pair in pairs if pair.role != "heldout"]
    worse = [item for item in retests if item.delta < 0]
    if not trained or not worse:
        return ()
    matrix = np.stack([hashed_words(pair.problem, DIM) for pair in trained])
    weights = np.array([pair.weight for pair in trained])
    causes = []
    for item in worse:
        scores = matrix @ hashed_words(item.problem, DIM) * weights * -item.delta
        for at in np.argsort(-scores, kind="stable")[:top].tolist():
            causes.append(Cause(item.problem, trained[at].problem, float(scores[at])))
    return tuple(sorted(causes, key=lambda cause: -cause.score))


class CausalAttribution(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Adds ``info["causes"]`` to rounds whose retests got worse (see :func:`attribute`).

    Args:
        env: The environment to watch; transitions pass through unchanged.
        top: Pairs named for each item, >= 1.

    Raises:
        ValueError: If ``top`` is below 1.
    """

    def __init__(self, env: gym.Env[Any, Any], *, top: int = 3) -> None:
        RecordConstructorArgs.__init__(self, top=top)
        gym.Wrapper.__init__(self, env)
        if top < 1:
            raise ValueError(f"top must be at least 1, got {top}")
        self.top = top
        self._pairs: Sequence[TrainingPair] = ()

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the environment; remember the pairs, attribute at the end of a round."""
        obs, reward, terminated, truncated, info = self.env.step(action)
        self._pairs = info.get("training_pairs", self._pairs)
        if "round" in info:
            info["causes"] = attribute(info["round"].retests, self._pairs, self.top)
            self._pairs = ()
        return obs, reward, terminated, truncated, info
