"""Speed of the consensus score on text and parsed chains, beside math-verify on the same sets."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from argus_gym.answers import final_answer
from argus_gym.consensus import parse, score
from argus_gym.records import Chain

__all__ = ["sample_sets", "throughput"]

K = 14
STEPS = 6
NAMES = ("Asha", "Bo", "Chidi", "Dana", "Emre", "Farah", "Goran", "Hana")
THINGS = ("pears", "stamps", "candles", "tickets", "bricks", "pages", "shells", "buttons")
LINES = (
    "{name} now has {x} {sign} {y} = {z} {thing}.",
    "That makes {x} {sign} {y} = <<{x}{sign}{y}={z}>>{z} {thing} for {name} in all.",
    "So {name} counts the {thing} again: {x} {sign} {y} = {z}, which is noted down.",
    "After this step there are {x} {sign} {y} = {z} {thing} on the table.",
)
ENDINGS = (
    "#### {x}",
    "The answer is {x:,}.",
    "The final answer is ${x}.00.",
    "**Answer:** {x} {thing}",
    "So the result is $\\boxed{{{x}}}$.",
)


def sample_sets(n: int, seed: int = 0) -> list[list[str]]:
    """Return ``n`` sets of 14 different chains of 6 steps that slip now and then.

    A slip changes a step and what follows from it, so that answers and steps disagree as real ones
    do.
    """
    rng = np.random.default_rng(seed)
    return [_sample_set(rng) for _ in range(n)]


def _sample_set(rng: np.random.Generator) -> list[str]:
    start = int(rng.integers(5, 60))
    plan = [("+*-"[rng.integers(3)], int(rng.integers(2, 9))) for _ in range(STEPS)]
    name, thing = NAMES[rng.integers(len(NAMES))], THINGS[rng.integers(len(THINGS))]
    chains = []
    for _ in range(K):
        x, lines = (
            start,
            [f"{name} starts with {start} {thing}, let us see (try {rng.random():.6f})."],
        )
        for sign, y in plan:
            z = {"+": x + y, "*": x * y, "-": x - y}[sign] + int(rng.random() < 0.05)
            line = LINES[rng.integers(len(LINES))]
            lines.append(line.format(name=name, thing=thing, x=x, y=y, z=z, sign=sign))
            x = z
        lines.append(ENDINGS[rng.integers(len(ENDINGS))].format(x=x, thing=thing))
        chains.append("\n".join(lines))
    return chains


def throughput(seconds: float = 2.0, seed: int = 0) -> dict[str, Any]:
    """Measure consensus beside math-verify on the same sets, in turn, on one core.

    math-verify reads every chain once and compares it with the different answers met before. The
    like-for-like part is ``answers``, which only reads final answers and counts them; ``text`` also
    reads and compares the steps.

    Args:
        seconds: Processor time of each part, > 0.
        seed: Seed of the sets.

    Returns:
        Sets a second by part: ``text``; ``parsed`` (14 different records); ``copies`` (9 of the 14
        are one record); ``answers``; ``math_verify``. ``ratio_answers`` and ``ratio_text`` divide
        by the last. ``chars`` is the mean length of a chain. What needs math-verify is ``None``
        where it is not installed.

    Raises:
        ValueError: If ``seconds`` is not positive.
    """
    if not seconds > 0:
        raise ValueError(f"seconds must be positive, got {seconds}")
    sets = sample_sets(1000, seed)
    parsed = [[parse(text) for text in texts] for texts in sets]
    copies = [[chains[0]] * 9 + chains[1:6] for chains in parsed]
    result: dict[str, Any] = {
        "k": K,
        "steps": STEPS,
        "chars": float(np.mean([len(text) for texts in sets for text in texts])),
        "text": _rate(score, sets, seconds),
        "parsed": _rate(score, parsed, seconds),
        "copies": _rate(score, copies, seconds),
        "answers": _rate(_votes, sets, seconds),
        "math_verify": None,
        "ratio_answers": None,
        "ratio_text": None,
    }
    compare = _math_verify()
    if compare is not None:
        result["math_verify"] = _rate(compare, sets, seconds)
        for part in ("answers", "text"):
            result[f"ratio_{part}"] = result[part] / result["math_verify"]
    return result


def _rate(
    work: Callable[[Any], Any], sets: Sequence[Sequence[str | Chain]], seconds: float
) -> float:
    work(sets[0])
    done, start = 0, time.process_time()
    while (spent := time.process_time() - start) < seconds:
        work(sets[done % len(sets)])
        done += 1
    return done / spent


def _votes(texts: Sequence[str]) -> int:
    return max(Counter(map(final_answer, texts)).values())


def _math_verify() -> Callable[[Sequence[str]], int] | None:
    try:
        from math_verify import parse as read
        from math_verify import verify
    except ImportError:
        return None

    # math-verify warns once, through logging, that its own time limits are off; they would only
    # slow it down here.
    logging.getLogger("math_verify").setLevel(logging.ERROR)

    def modal_votes(texts: Sequence[str]) -> int:
        groups: list[list[Any]] = []
        for text in texts:
            answer = read(text, parsing_timeout=None)
            for group in groups:
                if verify(group[0], answer, timeout_seconds=None):
                    group.append(answer)
                    break
            else:
                groups.append([answer])
        return max(map(len, groups))

    return modal_votes
