"""What the loop makes of a scored problem: the proposer's reward and the training pair's chain."""

from collections import Counter

from argus_gym.consensus import Consensus
from argus_gym.records import Chain, Solve
from argus_gym.spaces import MAX_CHAIN_CHARS

__all__ = ["proposer_reward", "rarest_agreed", "unfit_chains"]

FALSE_PREMISE = 0.05
"""What is left of the reward for a problem with a false premise."""


def proposer_reward(factual: bool, scored: Consensus, edges: tuple[float, float]) -> float:
    """Return factuality times difficulty times frontier fit, in [0, 1].

    Difficulty is ``(s + 1) / (s + 4)`` for an upper median of s intermediate steps: the work a
    problem takes, whatever came out. The fit is 1 in the frontier and falls linearly outside it,
    to 0 at the far end of the longer side.

    Args:
        factual: Whether no false premise was found.
        scored: The problem's consensus.
        edges: Lower and upper edge of the frontier, ``0 <= low <= high <= 1``.
    """
    low, high = edges
    steps = sorted(len(chain.steps) for chain in scored.chains)[len(scored.chains) // 2]
    outside = max(low - scored.combined, scored.combined - high, 0.0)
    room = max(low, 1 - high)
    fit = 1 - outside / room if room else 1.0
    return (1.0 if factual else FALSE_PREMISE) * (steps + 1) / (steps + 4) * fit


def rarest_agreed(scored: Consensus) -> Chain:
    """Return the chain with the modal answer whose way to it the fewest others took."""
    agreed = [chain for chain in scored.chains if chain.answer == scored.answer]
    ways = Counter(chain.steps for chain in agreed)
    return min(agreed, key=lambda chain: ways[chain.steps], default=scored.chains[scored.best])


def unfit_chains(value: object, k: int) -> str:
    """Return why ``value`` is not a set of ``k`` chains of bounded length; empty where it is."""
    if not isinstance(value, Solve):
        return f"expected {k} chains, got {type(value).__name__}"
    if len(value.chains) != k:
        return f"expected {k} chains, got {len(value.chains)}"
    for chain in value.chains:
        size = len(chain) if isinstance(chain, str) else len(chain.text)
        if size > MAX_CHAIN_CHARS:
            return f"a chain has {size} characters, {MAX_CHAIN_CHARS} fit"
    return ""
