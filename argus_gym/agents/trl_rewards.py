"""Reward functions with TRL's signature: agreement of a group, known answers, good problems.

Each function here returns a reward function, which TRL calls with a batch of completions, as texts
or as messages. What a completion says is only read, in bounded time; one that is too long or is no
text at all counts as silent.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Literal

from argus_gym import answers, consensus, premise, scoring
from argus_gym.numerals import exact
from argus_gym.records import Value
from argus_gym.spaces import MAX_CHAIN_CHARS, MAX_PROBLEM_CHARS

__all__ = [
    "Reward",
    "anchor_reward",
    "completion_text",
    "consensus_reward",
    "graded",
    "known_answer",
    "proposer_reward",
]

Reward = Callable[..., list[float | None]]
KINDS = ("modal", "share", "combined")


def completion_text(completion: Any) -> str:
    """Return what a completion says: the text itself, or that of its last assistant message.

    Empty where there is none, and where it has more than 16,384 characters.

    Args:
        completion: A text, or messages with ``role`` and ``content``; a content may be text or a
            list of parts with ``text``.
    """
    text: Any = completion
    if isinstance(completion, Sequence) and not isinstance(completion, str | bytes):
        spoken = [m for m in completion if isinstance(m, Mapping) and m.get("role") == "assistant"]
        text = spoken[-1].get("content") if spoken else ""
    if isinstance(text, list):
        parts = [part.get("text") for part in text if isinstance(part, Mapping)]
        text = "".join(part for part in parts if isinstance(part, str))
    return text if isinstance(text, str) and len(text) <= MAX_CHAIN_CHARS else ""


def known_answer(given: Any) -> Value | None:
    """Return a known answer, given as a number or as text such as ``"$1,410"`` or ``"#### 18"``.

    Raises:
        ValueError: If a text states no answer, or ``given`` is neither number nor text.
    """
    if given is None:
        return None
    if isinstance(given, float) and math.isfinite(given):
        return exact(Fraction(str(given)))
    if isinstance(given, bool) or not isinstance(given, int | Fraction | str):
        raise ValueError(f"an answer must be a number or a text, got {given!r}")
    if not isinstance(given, str):
        return given
    read = answers.final_answer if "####" in given else answers.read_value
    value = read(given)[0]
    if value is None:
        raise ValueError(f"an answer must be a number or a text that states one, got {given!r}")
    return value


def consensus_reward(
    generations: int,
    *,
    kind: Literal["modal", "share", "combined"] = "modal",
    weight: float = 0.5,
    seed: int = 0,
) -> Reward:
    """Return a reward for agreeing with the other completions of the same prompt; needs no truth.

    ``modal``: 1 for the group's most frequent final answer, else 0. ``share``: the share of the
    group that gave the same answer. ``combined``: for the most frequent answer the group's combined
    score, outcome and process (``docs/consensus.md``), else 0; it differs from ``modal`` only where
    TRL does not divide by each group's deviation. A completion without an answer gets 0. Ties are
    broken at random. The mean share of the modal answer is logged as ``vote_share``.

    Args:
        generations: Completions of one prompt, TRL's ``num_generations``, >= 2.
        kind: What is rewarded.
        weight: Weight of the outcome in ``combined``, in [0, 1].
        seed: Seed of the ties, >= 0.

    Raises:
        ValueError: If an argument is outside its range; when called, if a group is not whole.
    """
    if generations < 2:
        raise ValueError(f"generations must be at least 2, got {generations}")
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {KINDS}, got {kind!r}")
    consensus.score([""], weight, seed=seed)
    calls = 0

    def reward(prompts: Sequence[Any], completions: Sequence[Any], **rest: Any) -> list[Any]:
        nonlocal calls
        rewards: list[float | None] = []
        shares: list[float] = []
        for start in _groups(prompts, generations):
            texts = [completion_text(c) for c in completions[start : start + generations]]
            scored = consensus.score(texts, weight, seed=(seed, calls, start))
            voted = consensus.groups(scored.chains)
            worth = scored.combined if kind == "combined" else 1.0
            shares.append(scored.outcome)
            for answer in voted:
                if answer is None:
                    rewards.append(0.0)
                elif kind == "share":
                    rewards.append(voted.count(answer) / generations)
                else:
                    rewards.append(worth * (answer == scored.answer))
        calls += 1
        if "log_metric" in rest and shares:
            rest["log_metric"]("vote_share", sum(shares) / len(shares))
        return rewards

    return _named(reward, "consensus_reward")


def anchor_reward(column: str = "answer") -> Reward:
    """Return a reward for the right answer: 1 or 0, and none where the row's answer is ``None``.

    Args:
        column: The data set's column of known answers, numbers or texts.

    Raises:
        ValueError: When called, if there is no such column or an answer cannot be read.
    """

    def reward(completions: Sequence[Any], **rest: Any) -> list[float | None]:
        if column not in rest:
            raise ValueError(
                f"anchor_reward needs the data set's column {column!r}: add it or name another"
            )
        return graded(completions, [known_answer(given) for given in rest[column]])

    return _named(reward, "anchor_reward")


def graded(completions: Sequence[Any], known: Sequence[Value | None]) -> list[float | None]:
    """Return 1 or 0 for each completion, right or wrong, and ``None`` where no answer is known."""
    chains = [consensus.parse(completion_text(completion)) for completion in completions]
    return [
        None if answer is None else float(answers.right(chain, answer))
        for chain, answer in zip(chains, known, strict=True)
    ]


def proposer_reward(
    solve: Callable[[Sequence[str]], Sequence[Sequence[str]]],
    *,
    edges: tuple[float, float] = (0.4, 0.8),
    weight: float = 0.5,
) -> Reward:
    """Return the loop's reward for a problem: factuality times difficulty times frontier fit.

    The completions are problems. A blank one, or one of more than 4,096 characters, gets 0 and is
    not solved. See :func:`argus_gym.scoring.proposer_reward`.

    Args:
        solve: Returns the chains for each of a batch of different problems, at least one each.
        edges: Lower and upper edge of the frontier, ``0 <= low < high <= 1``.
        weight: Weight of the outcome in the combined score, in [0, 1].

    Raises:
        ValueError: If ``edges`` are out of order; when called, if ``solve`` returns another number
            of chain sets.
    """
    if not 0 <= edges[0] < edges[1] <= 1:
        raise ValueError(f"edges must satisfy 0 <= low < high <= 1, got {edges}")

    def reward(completions: Sequence[Any], **rest: Any) -> list[float | None]:
        texts = [completion_text(completion).strip() for completion in completions]
        asked = list(dict.fromkeys(t for t in texts if t and len(t) <= MAX_PROBLEM_CHARS))
        sets = solve(asked) if asked else []
        if len(sets) != len(asked):
            raise ValueError(f"solve must return {len(asked)} chain sets, got {len(sets)}")
        worth: dict[str, float] = {}
        for problem, chains in zip(asked, sets, strict=True):
            scored = consensus.score([completion_text(chain) for chain in chains], weight)
            factual = premise.check(problem).ok
            worth[problem] = scoring.proposer_reward(factual, scored, edges)
        return [worth.get(text, 0.0) for text in texts]

    return _named(reward, "proposer_reward")


def _groups(prompts: Sequence[Any], size: int) -> range:
    """Return where each group starts."""
    advice = (
        "set per_device_train_batch_size * steps_per_generation, and per_device_eval_batch_size, "
        "to a multiple of num_generations"
    )
    if len(prompts) % size:
        raise ValueError(
            f"completions must be whole groups of {size}, got {len(prompts)}: {advice}"
        )
    starts = range(0, len(prompts), size)
    for start in starts:
        if any(prompt != prompts[start] for prompt in prompts[start : start + size]):
            raise ValueError(f"a group of {size} completions has several prompts: {advice}")
    return starts


def _named(reward: Reward, name: str) -> Reward:
    # TRL logs a reward under its function's name.
    reward.__name__ = name
    return reward
