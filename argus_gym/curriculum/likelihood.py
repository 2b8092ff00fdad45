"""How likely a learner's chains are, and how often they are right, in closed form."""

import numpy as np

from argus_gym.agents.simulated import SLIPS
from argus_gym.curriculum.chains import (
    DIGITS,
    LARGEST,
    Chances,
    chances,
    path_ids,
    right_chances,
)
from argus_gym.curriculum.posed import Posed

__all__ = ["accuracy", "losses"]


def losses(
    posed: Posed,
    path: np.ndarray,
    false: np.ndarray,
    skill: np.ndarray,
    bias: np.ndarray,
    diversity: np.ndarray,
    wording: np.ndarray,
    heart: np.ndarray,
    tokens: np.ndarray,
) -> np.ndarray:
    """Return the mean negative log-likelihood of R chains, in nats per token, >= 0.

    Args:
        posed: The problems.
        path: The chains, shape ``(R,)``.
        false: Whether the premise is false: such a chain is one of six.
        skill: Skill in the problems' families, shape ``(R,)``.
        bias: Share of errors that are the misconception, shape ``(R,)``.
        diversity: Chance that a chain goes its own way, shape ``(R,)``.
        wording: Loss of the wording, shape ``(R,)``.
        heart: How far the pair is learnt by heart, in [0, 1), shape ``(R,)``.
        tokens: Length of the chains, shape ``(R,)``.
    """
    right = right_chances(posed, skill)
    digits = (path >> DIGITS) & np.uint32(7)
    at = (digits > 0).argmax(0)
    across = np.arange(len(path))
    all_right = np.prod(right, axis=0, dtype=np.float64)
    step = right[at, across].astype(np.float64)
    kind = np.where(digits[at, across] == 1, bias, (1.0 - bias) / len(SLIPS))
    others = all_right / np.maximum(step, 1e-30)
    own = np.where(path == 0, all_right, others * (1.0 - step) * kind)
    agrees = _modal(posed, right, path, skill, bias)
    share = np.where(false, 1.0 / len(SLIPS), diversity * own + (1.0 - diversity) * agrees)
    share = heart + (1.0 - heart) * share
    loss: np.ndarray = wording - np.log(np.maximum(share, 1e-12)) / np.maximum(tokens, 1)
    return loss


def _modal(
    posed: Posed, right: np.ndarray, path: np.ndarray, skill: np.ndarray, bias: np.ndarray
) -> np.ndarray:
    """Return whether the model's mode leads to the same answer."""
    agrees: np.ndarray = np.all(posed.mode <= (right * LARGEST).astype(np.uint16), axis=0)
    wrong = np.flatnonzero(path)
    if wrong.size:
        mode = chances(posed.take(wrong), skill[wrong], bias[wrong]).mode
        agrees[wrong] = path_ids(mode) == path_ids(path[wrong])
    return agrees


def accuracy(seen: Chances, diversity: np.ndarray) -> np.ndarray:
    """Return the chance that one chain is right, in closed form, shape ``(R,)``."""
    own = np.prod(seen.right, axis=0, dtype=np.float64)
    right: np.ndarray = diversity * own + (1.0 - diversity) * (seen.mode == 0)
    return right
