"""OpenEnv's protocol over a WebSocket: one session for each connection.

OpenEnv's own handler ends the session on a message that is no object and closes the environment
under an idle connection, so this one stands in its place. It knows two more messages, ``buffer``
and ``clear_buffer``.
"""

import asyncio
import logging
from typing import Annotated, Any, Literal

from fastapi import WebSocket, WebSocketDisconnect
from openenv.core.env_server.mcp_types import WSMCPMessage
from openenv.core.env_server.types import (
    BaseMessage,
    WSCloseMessage,
    WSErrorCode,
    WSStateMessage,
)
from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import to_json

from argus_gym.server.environment import Refused, reason
from argus_gym.server.mcp import answer
from argus_gym.server.models import ArgusAction, ArgusObservation, ResetOptions
from argus_gym.server.sessions import Session, Sessions

__all__ = ["serialise", "talk"]

log = logging.getLogger(__name__)

FULL, IDLE = 1013, 1001


class ResetMessage(BaseMessage):
    """Start a run."""

    type: Literal["reset"]
    data: ResetOptions = ResetOptions()


class StepMessage(BaseMessage):
    """Take an action."""

    type: Literal["step"]
    data: ArgusAction


class BufferMessage(BaseMessage):
    """Ask for the training pairs, or to forget them."""

    type: Literal["buffer", "clear_buffer"]


MESSAGE: TypeAdapter[Any] = TypeAdapter(
    Annotated[
        ResetMessage | StepMessage | BufferMessage | WSStateMessage | WSCloseMessage | WSMCPMessage,
        Field(discriminator="type"),
    ]
)


def serialise(observation: ArgusObservation) -> dict[str, Any]:
    """Return an observation in OpenEnv's envelope."""
    fields = dict(observation)
    reward, done = fields.pop("reward"), fields.pop("done")
    return {"observation": fields, "reward": reward, "done": done}


async def talk(websocket: WebSocket, sessions: Sessions) -> None:
    """Serve one connection from its first message to its last."""
    await websocket.accept()
    try:
        session = sessions.open(attached=True)
    except Refused as refused:
        await _end(websocket, _error(WSErrorCode.CAPACITY_REACHED, refused), FULL)
        return
    try:
        while True:
            try:
                async with asyncio.timeout(sessions.idle):
                    message = await websocket.receive()
            except TimeoutError:
                late = Refused(408, f"nothing was asked for {sessions.idle:g} s")
                await _end(websocket, _error(WSErrorCode.SESSION_ERROR, late), IDLE)
                return
            if message["type"] == "websocket.disconnect":
                return
            reply = await _reply(message.get("text"), session, sessions)
            if reply is None:
                await websocket.close()
                return
            await websocket.send_text(reply)
    except WebSocketDisconnect:
        pass
    finally:
        await sessions.close(session)


async def _reply(text: str | None, session: Session, sessions: Sessions) -> str | None:
    """Return the answer to one message; ``None`` ends the connection."""
    if text is None:
        return _error(WSErrorCode.INVALID_JSON, Refused(400, "expected text, got binary data"))
    try:
        message = MESSAGE.validate_json(text)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        code = {
            "json_invalid": WSErrorCode.INVALID_JSON,
            "union_tag_invalid": WSErrorCode.UNKNOWN_TYPE,
            "union_tag_not_found": WSErrorCode.UNKNOWN_TYPE,
        }.get(found[0]["type"], WSErrorCode.VALIDATION_ERROR)
        status = 400 if code is WSErrorCode.INVALID_JSON else 422
        return _error(code, Refused(status, reason(error)))
    env, kind = session.env, message.type
    try:
        if kind == "close":
            return None
        if kind == "mcp":
            return _message("mcp", answer(message.data))
        if kind in ("reset", "step"):
            do = env.step if kind == "step" else env.start
            seen = await sessions.run(session, do, message.data)
            sessions.steps += kind == "step"
            return _message("observation", serialise(seen))
        if kind == "state":
            state = await sessions.run(session, lambda: env.state)
            return _message("state", state.model_dump())
        if kind == "buffer":
            return _message("buffer", {"pairs": await sessions.run(session, env.buffer)})
        return _message("cleared", {"pairs": await sessions.run(session, env.clear_buffer)})
    except Refused as refused:
        invalid = refused.status == 422
        code = WSErrorCode.VALIDATION_ERROR if invalid else WSErrorCode.EXECUTION_ERROR
        return _error(code, refused)
    except Exception:
        log.exception("a %s message failed", kind)
        return _error(WSErrorCode.EXECUTION_ERROR, Refused(500, "internal error, see the log"))


def _message(kind: str, data: Any) -> str:
    return to_json({"type": kind, "data": data}).decode()


def _error(code: WSErrorCode, refused: Refused) -> str:
    data = {"message": str(refused), "code": code.value, "status": refused.status}
    return _message("error", data)


async def _end(websocket: WebSocket, reply: str, code: int) -> None:
    try:
        await websocket.send_text(reply)
        await websocket.close(code)
    except (WebSocketDisconnect, RuntimeError):
        pass
