"""Is the modal answer right? Five signals of a chain set, weighed into one score.

Needs the problem and its chains, no known answer. The weights were fitted on recorded chains of
real models by ``argus-gym bench chain_scores``; what they are worth on other problems is in
``docs/measured.md``.
"""

import math
from collections import Counter
from fractions import Fraction
from typing import NamedTuple

from argus_gym.consensus import Consensus, groups
from argus_gym.numerals import clean
from argus_gym.premise.reading import MAX_CHARS, Reading, fold, tokens
from argus_gym.records import Chain, Value

__all__ = ["MAX_EQUATIONS", "WEIGHTS", "Signals", "numbers", "signals", "trust"]

MAX_EQUATIONS = 12
"""Most equations counted in one chain."""


class Signals(NamedTuple):
    """What :func:`trust` weighs; *modal chains* are those with the modal answer, m of k.

    Attributes:
        share: Log odds of a vote for the modal answer, ``log((m + 1/2) / (k - m + 1/2))``.
        lead: ``log((m + 1/2) / (s + 1/2))`` with s the votes of the second answer.
        work: ``log((1 + e) / (1 + n))`` with e the mean number of equations a modal chain states
            and n the number of different numbers in the problem, 1 left out.
        fractions: Mean share of a modal chain's steps that are not whole, in [0, 1].
        odd: 1 where a problem that asks how many has an answer that is not a whole number above
            zero, or one that asks how much an answer that is not a number above zero; else 0.
    """

    share: float
    lead: float
    work: float
    fractions: float
    odd: float


WEIGHTS = Signals(share=1.26, lead=1.06, work=0.65, fractions=-1.43, odd=-3.86)
"""Fitted weights of the signals."""


def trust(result: Consensus, problem: str) -> float:
    """Return how far the modal answer of scored chains is to be trusted, in (0, 1).

    A logistic function of the weighed :class:`Signals`, without intercept: it ranks problems by how
    likely their modal answer is right, and is no probability. Linear in the length of the texts,
    of which bounded parts are read.

    Args:
        result: What :func:`argus_gym.consensus.score` returned for the chains.
        problem: The problem's text.

    Raises:
        ValueError: If there is a single chain: the weights hold for chains that can disagree.
        TypeError: If ``problem`` is not a string.

    Example:
        >>> from argus_gym.consensus import score
        >>> problem = "3 children share 12 figs and 9 nuts. How many pieces does each get?"
        >>> good = score(["12 + 9 = 21, 21 / 3 = 7. The answer is 7."] * 3 + ["#### 4"])
        >>> bare = score(["The answer is 7."] * 3 + ["#### 4"])
        >>> odd = score(["12 + 9 = 21, 21 / 3 = 7.5. The answer is 7.5."] * 3 + ["#### 4"])
        >>> [round(trust(result, problem), 2) for result in (good, bare, odd)]
        [0.86, 0.74, 0.11]
    """
    if len(result.chains) < 2:
        raise ValueError(f"result must hold at least two chains, got {len(result.chains)}")
    total = sum(w * s for w, s in zip(WEIGHTS, signals(result, problem), strict=True))
    return 1.0 / (1.0 + math.exp(-total))


def signals(result: Consensus, problem: str) -> Signals:
    """Return the signals of scored chains.

    Where no chain states an answer, every chain counts as modal and none has voted. A chain given
    in parsed form, without its text, counts its steps and one more as equations.

    Args:
        result: What :func:`argus_gym.consensus.score` returned for the chains.
        problem: The problem's text, read up to 5,000 characters.

    Raises:
        TypeError: If ``problem`` is not a string.
    """
    if not isinstance(problem, str):
        raise TypeError(f"problem must be a str, got {type(problem).__name__}")
    chains, answer = result.chains, result.answer
    k = len(chains)
    modal, votes = chains, 0
    second = 0
    if answer is not None:
        of = groups(chains)
        modal = tuple(c for c, group in zip(chains, of, strict=True) if group == answer)
        votes = len(modal)
        others = Counter(group for group in of if group is not None and group != answer)
        second = max(others.values(), default=0)
    low = fold(problem[:MAX_CHARS])
    return Signals(
        share=math.log((votes + 0.5) / (k - votes + 0.5)),
        lead=math.log((votes + 0.5) / (second + 0.5)),
        work=math.log1p(sum(map(_equations, modal)) / len(modal))
        - math.log1p(len(numbers(problem))),
        fractions=sum(map(_fractions, modal)) / len(modal),
        odd=float(_odd(answer, low)),
    )


def numbers(problem: str) -> set[int | Fraction]:
    """Return the different numbers a problem states, in figures or words, 1 left out."""
    low = fold(problem[:MAX_CHARS])
    return set(Reading(low, tokens(low)).values.values()) - {1}


def _equations(chain: Chain) -> int:
    if not chain.text:
        return min(len(chain.steps) + chain.worked, MAX_EQUATIONS)
    return min(clean(chain.text).count("="), MAX_EQUATIONS)


def _fractions(chain: Chain) -> float:
    return sum(isinstance(s, Fraction) for s in chain.steps) / max(len(chain.steps), 1)


def _odd(answer: Value | None, low: str) -> bool:
    many = "how many" in low
    if not many and "how much" not in low:
        return False
    if answer is None or isinstance(answer, str) or answer <= 0:
        return True
    return many and isinstance(answer, Fraction)
