"""How actions, results and errors travel between the service and its clients."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

from argus_gym.records import (
    Chain,
    LearnReport,
    LieReport,
    Premise,
    ProblemRecord,
    Proposal,
    RoundRecord,
    TrainingPair,
    Verdict,
    decode,
    encode,
)
from argus_gym.spaces import read_action
from argus_gym.wrappers.attribution import Cause

__all__ = [
    "MAX_MESSAGE",
    "ServiceError",
    "SessionState",
    "pack",
    "pairs_of",
    "reset_message",
    "result",
    "state_of",
    "step_message",
    "unpack",
]

Result = tuple[dict[str, Any], float, bool, bool, dict[str, Any]]
MAX_MESSAGE = 8 * 2**20
"""Bytes of a request: 64 chains of 16,384 characters fit, escaped as JSON may be."""
NO_RUN = ("reset first", "reset to start another")
"""How the server's refusals end where there is no run to act on."""
INFO = {
    "premise": Premise,
    "scored": ProblemRecord,
    "training_pairs": tuple[TrainingPair, ...],
    "round": RoundRecord,
    "verdict": Verdict,
    "lies": Mapping[str, LieReport],
    "causes": tuple[Cause, ...],
    "spsi": Mapping[str, float],
}
"""What the entries of ``info`` are; those not named here are plain numbers and texts."""


class ServiceError(RuntimeError):
    """The server refused a request, and said why.

    Attributes:
        code: OpenEnv's code of the error, ``CLOSED`` where the connection is gone.
        status: What HTTP would call it, 0 where the connection is gone.
    """

    def __init__(self, message: str, code: str = "CLOSED", status: int = 0) -> None:
        super().__init__(message)
        self.code, self.status = code, status


@dataclass(frozen=True, slots=True)
class SessionState:
    """Where a session is.

    Attributes:
        episode_id: The run's name, to resume it by.
        step_count: Steps since the reset.
        session_id: The session's name, for plain HTTP requests.
        seed: Seed of the run.
        stack: Its detectors, gate and monitors.
        phase: What it waits for (:class:`argus_gym.spaces.Phase`).
        round: Finished rounds.
        rounds: Rounds of the run.
        waiting: Pairs that wait to be trained on.
        replay: Pairs kept for replay.
        quarantined: Pairs of refused steps.
        terminated: Whether it could not go on.
        truncated: Whether the last round is over.
        kept: Whether it has a run folder.
    """

    episode_id: str | None
    step_count: int
    session_id: str | None
    seed: int | None
    stack: str | None
    phase: int | None
    round: int
    rounds: int | None
    waiting: int
    replay: int
    quarantined: int
    terminated: bool
    truncated: bool
    kept: bool


def reset_message(
    given: Mapping[str, Any], seed: int | None, options: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the message that starts a run; ``options`` go before what was ``given`` earlier."""
    return {"type": "reset", "data": {**given, "seed": seed, **encode(options or {})}}


def step_message(action: Any) -> dict[str, Any]:
    """Return the message that takes an action; a proposal is sent as its text.

    Raises:
        TypeError: If the action has none of the accepted types.
        ValueError: If an embedding is not one-dimensional.
    """
    action = read_action(action)
    data: dict[str, Any]
    if isinstance(action, str | Proposal):
        data = {"problem": action if isinstance(action, str) else action.text}
    elif isinstance(action, LearnReport):
        data = {"report": encode(action)}
    else:
        data = {"chains": [c if isinstance(c, str) else _chain(c) for c in action.chains]}
        if action.embedding is not None:
            known = np.asarray(action.embedding, np.float64)
            if known.ndim != 1:
                raise ValueError(f"embedding must have the shape (d,), got {known.shape}")
            finite = np.isfinite(known).all()
            data["embedding"] = known.tolist() if finite else encode(known)
    return {"type": "step", "data": data}


def _chain(chain: Chain) -> dict[str, Any]:
    """Return what :func:`encode` returns, without looking up the fields of each of k chains."""
    return {
        "text": chain.text,
        "answer": encode(chain.answer),
        "steps": encode(chain.steps),
        "worked": chain.worked,
        "percent": chain.percent,
        "tokens": chain.tokens,
        "nll": encode(chain.nll),
    }


def pack(message: dict[str, Any]) -> bytes:
    """Return a message as UTF-8; lone surrogates become question marks.

    Raises:
        ServiceError: If it is larger than the server takes.
    """
    text = json.dumps(message, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
    if len(text) > MAX_MESSAGE:
        raise ServiceError(
            f"the message has {len(text)} bytes, {MAX_MESSAGE} fit", "VALIDATION_ERROR", 413
        )
    return text


def unpack(reply: str | bytes) -> dict[str, Any]:
    """Return what a reply holds.

    Raises:
        ResetNeeded: If there is no run, or it is over.
        ServiceError: If the server refused for another reason.
    """
    message = json.loads(reply)
    data: dict[str, Any] = message["data"]
    if message["type"] == "error":
        if data["status"] == 409 and data["message"].endswith(NO_RUN):
            raise gym.error.ResetNeeded(data["message"])
        raise ServiceError(data["message"], data["code"], data["status"])
    return data


def result(data: dict[str, Any]) -> Result:
    """Return what ``step`` returned on the server."""
    seen = data["observation"]
    columns = seen["capability_map"]
    obs = {
        "phase": seen["phase"],
        "problem": seen["problem"],
        "context": seen["context"],
        "target": seen["target"],
        "capability_map": {name: np.array(c, np.float32) for name, c in columns.items()},
        "request": np.array(seen["request"], np.float32),
        "gauges": np.array(seen["gauges"], np.float32),
        "measured": np.array(seen["measured"], np.float32),
    }
    info = {name: _entry(name, entry) for name, entry in (seen["info"] | seen["judged"]).items()}
    return obs, float(data["reward"] or 0.0), seen["terminated"], seen["truncated"], info


def _entry(name: str, data: Any) -> Any:
    if name == "warning":
        return {**data, "value": decode(float, data["value"])}
    if name == "retest" and "problems" in data:
        return {**data, "problems": tuple(data["problems"])}
    return decode(INFO[name], data) if name in INFO else data


def state_of(data: dict[str, Any]) -> SessionState:
    """Return where a session is."""
    state: SessionState = decode(SessionState, data)
    return state


def pairs_of(data: dict[str, Any]) -> tuple[TrainingPair, ...]:
    """Return the training pairs of a reply."""
    pairs: tuple[TrainingPair, ...] = decode(tuple[TrainingPair, ...], data["pairs"])
    return pairs
