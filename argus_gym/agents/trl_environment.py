"""A problem as a TRL environment: one chain, one answer, by tool calls."""

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import numpy as np

from argus_gym import answers, premise, problems
from argus_gym.agents.trl_rewards import known_answer
from argus_gym.records import Value

__all__ = ["ProblemEnvironment", "environment_factory"]

STEPS = 6
MAX_CHARS = 240


class ProblemEnvironment:
    """One rollout: a problem is served, and answered or rejected by a tool call.

    TRL keeps one environment a rollout, so the loop's own form, k chains as one action, does not
    fit: this is its single-chain form. Get instances from :func:`environment_factory`.
    """

    def __init__(self, draw: Callable[[int], tuple[str, Value, bool]]) -> None:
        self._draw = draw
        self._resets = 0
        self._answer: Value | None = None
        self._false = False
        self._reward: float | None = None

    def reset(self, problem: str | None = None, answer: Any = None, **row: Any) -> str:
        """Serve the row's own problem, or the next generated one, as the end of the prompt."""
        self._reward = None
        if problem is None:
            text, self._answer, self._false = self._draw(self._resets)
            self._resets += 1
            return text
        if answer is None:
            raise ValueError("a data set with a column 'problem' needs a column 'answer'")
        self._answer, self._false = known_answer(answer), not premise.check(problem).ok
        return problem

    def submit_answer(self, answer: str) -> str:
        """Submit the final answer. Only the first submission or rejection counts.

        Args:
            answer: The final number.

        Returns:
            Whether it was received; not whether it is right.
        """
        value, percent = answers.read_value(str(answer)[:MAX_CHARS])
        known = self._answer
        right = None not in (value, known) and answers.same(value, known, percent)  # type: ignore[arg-type]
        return self._close(right and not self._false)

    def reject_problem(self, reason: str) -> str:
        """Reject the problem because it states something false.

        Args:
            reason: What is false in it.

        Returns:
            Whether it was received; not whether it is right.
        """
        return self._close(self._false)

    def get_reward(self) -> float:
        """Return 1 for the right answer, or for rejecting a false problem; else 0."""
        return self._reward or 0.0

    def _close(self, right: bool) -> str:
        if self._reward is not None:
            return "Not received: this problem is closed."
        self._reward = float(right)
        return "Received."


def environment_factory(
    *,
    generations: int,
    false_share: float = 0.2,
    families: Sequence[str] = problems.FAMILIES,
    seed: int = 0,
    process: int = 0,
) -> Callable[[], ProblemEnvironment]:
    """Return what TRL's ``environment_factory`` argument takes.

    A row with the columns ``problem`` and ``answer`` is served as it is, a false premise being what
    :func:`argus_gym.premise.check` finds. Any other row gets a generated problem of 1 to 6 steps,
    the same one in all environments of a group.

    Args:
        generations: Rollouts of one prompt, TRL's ``num_generations``, >= 1.
        false_share: Share of generated problems with a false premise, in [0, 1].
        families: Families of generated problems.
        seed: Seed of the problems, >= 0.
        process: Index of this process, >= 0; each one gets problems of its own.

    Raises:
        ValueError: If an argument is outside its range.
    """
    if generations < 1:
        raise ValueError(f"generations must be at least 1, got {generations}")
    if not 0 <= false_share <= 1:
        raise ValueError(f"false_share must be in [0, 1], got {false_share}")
    unknown = [name for name in families if name not in problems.FAMILIES]
    if unknown or not families:
        raise ValueError(f"families must be of {problems.FAMILIES}, got {tuple(families)}")
    np.random.SeedSequence((seed, process))
    instances = count()

    def make() -> ProblemEnvironment:
        # TRL hands its environments out in order, so that a group is a run of them.
        group = next(instances) // generations

        def draw(reset: int) -> tuple[str, Value, bool]:
            rng = np.random.default_rng(np.random.SeedSequence((seed, process, reset, group)))
            family = families[int(rng.integers(len(families)))]
            problem = problems.generate(family, int(rng.integers(1, STEPS + 1)), rng)
            if rng.random() >= false_share:
                return problem.text, problem.answer, False
            kind = problems.FALSE_KINDS[int(rng.integers(len(problems.FALSE_KINDS)))]
            return problems.falsify(problem, kind, rng).text, problem.answer, True

        return ProblemEnvironment(draw)

    return make
