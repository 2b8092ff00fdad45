"""How likely a learner's chains are, and how often they are right, in closed form."""

from dataclasses import dataclass

import numpy as np

from argus_gym.agents.simulated import SLIPS
from argus_gym.curriculum.chains import (
    DIGITS,
    LARGEST,
    Chances,
    limits,
    mode_paths,
    path_ids,
    right_chances,
)
from argus_gym.curriculum.posed import Posed

__all__ = ["Reading", "accuracy", "losses", "read"]


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What of R chains and their problems does not depend on who reads them.

    Attributes:
        magnitudes: Difficulty of each step in logits, shape ``(8, R)``.
        mode: The draws of the model's mode, ``uint16``, shape ``(8, R)``.
        wrong: Whether the chain is wrong, shape ``(R,)``.
        step: Index of its first wrong step, shape ``(R,)``; 0 where there is none.
        shared: Whether it goes wrong by the misconception, shape ``(R,)``.
        answer: Number of its answer, shape ``(R,)``.
        false: Whether the premise is false, shape ``(R,)``.
        tokens: Length of the chain, shape ``(R,)``.
    """

    magnitudes: np.ndarray
    mode: np.ndarray
    wrong: np.ndarray
    step: np.ndarray
    shared: np.ndarray
    answer: np.ndarray
    false: np.ndarray
    tokens: np.ndarray

    def part(self, some: slice | np.ndarray) -> "Reading":
        """Return some of them."""
        return Reading(*(getattr(self, name)[..., some] for name in self.__slots__))


def read(posed: Posed, path: np.ndarray, false: np.ndarray, tokens: np.ndarray) -> Reading:
    """Read R chains.

    Args:
        posed: The problems.
        path: The chains, shape ``(R,)``.
        false: Whether the premise is false: such a chain is one of six.
        tokens: Length of the chains, shape ``(R,)``.
    """
    digits = (path >> DIGITS) & np.uint32(7)
    step = (digits > 0).argmax(0)
    return Reading(
        magnitudes=posed.magnitudes,
        mode=posed.mode,
        wrong=path != 0,
        step=step,
        shared=digits[step, np.arange(len(path))] == 1,
        answer=path_ids(path),
        false=false,
        tokens=tokens,
    )


def losses(
    chains: Reading,
    skill: np.ndarray,
    bias: np.ndarray,
    diversity: np.ndarray,
    wording: np.ndarray,
    heart: np.ndarray,
) -> np.ndarray:
    """Return the mean negative log-likelihood of R chains, in nats per token, >= 0.

    Args:
        chains: The chains.
        skill: Skill in the problems' families, shape ``(R,)``.
        bias: Share of errors that are the misconception, shape ``(R,)``.
        diversity: Chance that a chain goes its own way, shape ``(R,)``.
        wording: Loss of the wording, shape ``(R,)``.
        heart: How far the pair is learnt by heart, in [0, 1), shape ``(R,)``.
    """
    right = right_chances(chains.magnitudes, skill)
    own = right.prod(0, dtype=np.float64)
    clear = np.logical_and.reduce(chains.mode <= (right * LARGEST).astype(np.uint16), axis=0)
    agrees = clear & ~chains.wrong
    wrong = np.flatnonzero(chains.wrong)
    if wrong.size:
        step = right[chains.step[wrong], wrong].astype(np.float64)
        kind = np.where(chains.shared[wrong], bias[wrong], (1.0 - bias[wrong]) / len(SLIPS))
        own[wrong] = own[wrong] / np.maximum(step, 1e-30) * (1.0 - step) * kind
        wrong = wrong[~clear[wrong]]
        mode = mode_paths(chains.mode[:, wrong], limits(right[:, wrong], bias[wrong]))
        agrees[wrong] = path_ids(mode) == chains.answer[wrong]
    share = np.where(chains.false, 1.0 / len(SLIPS), diversity * own + (1.0 - diversity) * agrees)
    share = heart + (1.0 - heart) * share
    loss: np.ndarray = wording - np.log(np.maximum(share, 1e-12)) / np.maximum(chains.tokens, 1)
    return loss


def accuracy(seen: Chances, diversity: np.ndarray) -> np.ndarray:
    """Return the chance that one chain is right, in closed form, shape ``(R,)``."""
    own = np.prod(seen.right, axis=0, dtype=np.float64)
    right: np.ndarray = diversity * own + (1.0 - diversity) * (seen.mode == 0)
    return right
