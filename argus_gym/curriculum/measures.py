"""A round's gauges for m runs at once, and the truth about their learners."""

from typing import TYPE_CHECKING

import numpy as np

from argus_gym.curriculum import chains, likelihood
from argus_gym.gauges import GAUGES

if TYPE_CHECKING:
    from argus_gym.curriculum.batch import Pairs
    from argus_gym.curriculum.learner import Latent
    from argus_gym.curriculum.posed import Posed
    from argus_gym.curriculum.retesting import Block
    from argus_gym.curriculum.runs import Runs

__all__ = ["measures", "oracle", "zones"]


def zones(combined: np.ndarray, low: np.ndarray, high: float) -> np.ndarray:
    """Return 0 where ``combined`` is below the frontier, 1 inside it, 2 above."""
    zone: np.ndarray = (combined >= low).astype(np.int8) + (combined > high)
    return zone


def measures(runs: "Runs", rows: np.ndarray, pairs: "Pairs", block: "Block") -> np.ndarray:
    """Return what :func:`argus_gym.gauges.measure` returns, NaN if unmeasured, shape ``(m, 15)``.

    Args:
        runs: The runs.
        rows: Those whose round is full, shape ``(m,)``.
        pairs: Their learning steps.
        block: Their retested items.
    """
    s = runs.settings
    combined = runs.scores[2][:, rows]
    zone = zones(combined, runs.low[rows], s.frontier[1])
    train, held, replay = pairs.means[:, 0] - pairs.means[:, 1]
    position = np.zeros(runs.count, np.int64)
    position[rows] = np.arange(len(rows))
    run, chains_ = position[block.rows], s.retest_chains
    anchor, share = block.anchor, block.right / chains_
    trained = pairs.counts[0] + pairs.counts[2]

    def mean(values: np.ndarray, some: np.ndarray) -> np.ndarray:
        total = np.bincount(run[some], values[some], len(rows))
        return total / np.bincount(run[some], minlength=len(rows))

    with np.errstate(invalid="ignore"):
        named = {
            "progress": np.full(len(rows), np.nan),
            "mean_reward": combined.mean(0),
            "skill": runs.map.skill(rows),
            "frontier_share": (zone == 1).mean(0),
            "easy_share": (zone == 2).mean(0),
            "hard_share": (zone == 0).mean(0),
            "epi_train": train,
            "epi_heldout": held,
            "epi_replay": replay,
            "epi_preq": pairs.bits,
            "memorisation": train - held,
            "anchor_accuracy": mean(share[1], anchor),
            "anchor_delta": mean(share[1] - share[0], anchor),
            "past_delta": mean(share[1] - share[0], ~anchor),
            "replay_share": pairs.counts[2] / trained,
        }
    out = np.empty((len(rows), len(GAUGES)))
    for at, name in enumerate(GAUGES):
        out[:, at] = named[name]
    return out


def oracle(posed: "Posed", latent: "Latent", rows: np.ndarray) -> np.ndarray:
    """Return the chance that one chain of the learners ``rows`` is right, problem by problem."""
    family = posed.family
    seen = chains.chances(posed, latent.skill[rows, family], latent.bias[rows, family])
    return likelihood.accuracy(seen, latent.diversity[rows])
