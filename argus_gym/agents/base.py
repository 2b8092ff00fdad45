"""The agent protocol and the loop that every agent runs in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import gymnasium as gym

from argus_gym.records import (
    LearnReport,
    LieReport,
    Proposal,
    RoundRecord,
    Solve,
    TrainingPair,
    Verdict,
)
from argus_gym.spaces import Phase

__all__ = ["Agent", "RunResult", "rollout"]

JUDGED = ("round", "lies", "verdict", "warning", "diagnosis", "causes", "spsi")
"""What ``rollout`` keeps from the agent: what it is judged by."""


@runtime_checkable
class Agent(Protocol):
    """A model that proposes problems, solves them and learns from its own chains.

    One with an attribute ``temperature`` is told the sampling temperature asked for before each
    ``solve``; 1 is its own default. One with a method ``expect(problems)`` hears before a block of
    retests which problems come, so that it can solve them in batches. One with a method
    ``hold(snapshot)`` gets each snapshot read from a file and returns what stands for it.
    """

    def propose(self, obs: Mapping[str, Any], info: Mapping[str, Any]) -> str | Proposal:
        """Return a new problem, aimed at ``obs["target"]``, with ``obs["context"]`` as example."""

    def solve(self, problem: str, k: int) -> Solve:
        """Return ``k`` independent chains for ``problem``."""

    def learn(self, pairs: Sequence[TrainingPair]) -> LearnReport:
        """Train on the pairs whose role is ``train`` or ``replay``; score those held out."""

    def snapshot(self) -> Any:
        """Return a copy of everything learning changes."""

    def restore(self, snapshot: Any, blend: float = 1.0) -> None:
        """Go back to ``snapshot``: fully at 1, a mixture with the present below."""


@dataclass(frozen=True)
class RunResult:
    """What one run left behind.

    Attributes:
        rounds: One record a round.
        lies: The detectors' reports, in the order they came.
        verdicts: The gate's verdicts, one a round where there is a gate.
        summary: Sums over the run: ``return``, ``steps``, ``invalid``, ``unrestored`` (refusals
            without a snapshot to return to), ``terminated``.
    """

    rounds: tuple[RoundRecord, ...]
    lies: tuple[LieReport, ...]
    verdicts: tuple[Verdict, ...]
    summary: Mapping[str, float] = field(default_factory=dict)


def rollout(
    env: gym.Env[Any, Any],
    agent: Agent,
    *,
    seed: int | None = None,
    start: tuple[Mapping[str, Any], Mapping[str, Any]] | None = None,
    points: dict[str, Any] | None = None,
    on_round: Callable[[RoundRecord], None] | None = None,
) -> RunResult:
    """Run ``agent`` in ``env`` until the run ends.

    Args:
        env: ``ArgusSelfImprove-v0``, wrapped or not.
        agent: The agent; its weights are changed by the run.
        seed: Seed of the reset.
        start: Observation and info to continue from instead of a reset.
        points: Snapshots to return to, kept up to date here: ``before`` the last learning step,
            ``after`` it, and last ``certified``.
        on_round: Called with each round's record as it ends.
    """
    obs, info = start or env.reset(seed=seed)
    points = {} if points is None else points
    if hasattr(agent, "hold"):
        points.update({name: agent.hold(point) for name, point in points.items()})
    points.setdefault("certified", agent.snapshot())
    weights = "before"
    rounds: list[RoundRecord] = []
    lies: list[LieReport] = []
    verdicts: list[Verdict] = []
    total, steps, invalid, unrestored, over = 0.0, 0, 0, 0, False
    terminated = False
    action: str | Proposal | Solve | LearnReport
    while not over:
        phase = obs["phase"]
        if phase == Phase.PROPOSE:
            action = agent.propose(obs, {k: v for k, v in info.items() if k not in JUDGED})
        elif phase == Phase.LEARN:
            points["before"], weights = agent.snapshot(), "after"
            action = agent.learn(info["training_pairs"])
        else:
            if phase == Phase.RETEST and info["retest"]["weights"] != weights:
                points[weights], weights = agent.snapshot(), info["retest"]["weights"]
                agent.restore(points[weights])
            if phase == Phase.RETEST and "problems" in info["retest"] and hasattr(agent, "expect"):
                agent.expect(info["retest"]["problems"])
            if hasattr(agent, "temperature"):
                agent.temperature = float(obs["request"][1])
            action = agent.solve(obs["problem"], int(obs["request"][0]))
        obs, reward, terminated, truncated, info = env.step(action)
        over = terminated or truncated
        total, steps, invalid = total + float(reward), steps + 1, invalid + ("invalid" in info)
        if "round" in info:
            weights = "before"
            if not _apply(info.get("verdict"), agent, points):
                unrestored += 1
                _note_lost(env, info["verdict"])
            rounds.append(info["round"])
            lies.extend(info.get("lies", {}).values())
            if "verdict" in info:
                verdicts.append(info["verdict"])
            if on_round is not None:
                on_round(info["round"])
    summary = {
        "return": total,
        "steps": steps,
        "invalid": invalid,
        "unrestored": unrestored,
        "terminated": terminated,
    }
    return RunResult(tuple(rounds), tuple(lies), tuple(verdicts), summary)


def _apply(verdict: Verdict | None, agent: Agent, points: dict[str, Any]) -> bool:
    """Roll back after a refusal; remember the weights of a certified step.

    Returns whether that could be done: a snapshot can be missing, or no longer be readable. The
    agent then keeps its weights.
    """
    if verdict is None:
        return True
    if verdict.decision == "REFUSE":
        if verdict.target not in points:
            return False
        try:
            agent.restore(points[verdict.target], verdict.severity)
        except OSError:
            return False
    elif verdict.decision == "COMMIT_CERTIFIED":
        points["certified"] = agent.snapshot()
    return True


def _note_lost(env: gym.Env[Any, Any], verdict: Verdict) -> None:
    """Say in the ledger, where there is one here, that a refused step is still in the weights."""
    ledger = getattr(env.unwrapped, "ledger", None)
    if ledger is not None:
        because = {"rule": verdict.rule, "target": verdict.target, "severity": verdict.severity}
        ledger.add(verdict.round, "rollback.impossible", because, "weights kept")
