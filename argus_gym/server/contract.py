"""The hosted contract of the published system: plain HTTP, in sessions that persist.

OpenEnv's own POST /reset and /step make a new environment for each request, so a second request
finds nothing of the first. These stand in their place, in OpenEnv's envelope, with the session's
name in the reply.
"""

import json
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request, Response
from fastapi.routing import APIRoute
from openenv.core.env_server.types import (
    EnvironmentMetadata,
    HealthResponse,
    SchemaResponse,
)
from pydantic import Field
from pydantic_core import from_json, to_json

import argus_gym
from argus_gym.server.environment import ArgusEnvironment, Refused
from argus_gym.server.mcp import answer_text
from argus_gym.server.models import (
    ArgusAction,
    ArgusObservation,
    ArgusState,
    PairModel,
    ResetOptions,
    Strict,
    expected,
)
from argus_gym.server.sessions import Session, Sessions
from argus_gym.server.websocket import serialise
from argus_gym.spaces import MAX_CHAIN_CHARS, MAX_PROBLEM_CHARS

__all__ = ["router"]


class Problem(Strict):
    """Why a request was refused."""

    detail: str


class SessionRequest(Strict):
    """Names a session."""

    session_id: str = Field(max_length=64)


class ResetRequest(ResetOptions):
    """Starts a run, in a new session or in the one named."""

    session_id: str | None = Field(default=None, max_length=64)


class StepRequest(SessionRequest):
    """Takes one action."""

    action: ArgusAction


class Seen(ArgusObservation):
    """An observation as it stands in a reply, reward and done beside it."""

    done: bool = Field(default=False, exclude=True)
    reward: float | None = Field(default=None, exclude=True)


class Result(Strict):
    """What a reset or a step led to."""

    session_id: str
    observation: Seen
    reward: float | None
    done: bool


class InvalidAction(Result):
    """An action that did not fit: the run stays as it is, at the price of the penalty."""

    detail: str


class BufferReply(Strict):
    """The weighted pairs a trainer may use now."""

    session_id: str
    pairs: list[PairModel]


class Cleared(Strict):
    """How many pairs were forgotten."""

    session_id: str
    cleared: int


class Closed(Strict):
    """The session that ended."""

    session_id: str
    closed: bool = True


class Health(Strict):
    """That the server is up, and how full it is."""

    status: str
    version: str
    sessions: int
    capacity: int
    opened: int
    steps: int


class StrictJSON(Request):
    """A request whose JSON has no lone surrogate, which no reply could repeat, and no NaN."""

    async def json(self) -> Any:
        """Return the body's content."""
        try:
            return from_json(await self.body(), allow_inf_nan=False)
        except ValueError as error:
            raise json.JSONDecodeError(str(error)[:200], "", 0) from None


class Route(APIRoute):
    """A route that reads its body as :class:`StrictJSON`."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        """Return the handler."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Any:
            return await handler(StrictJSON(request.scope, request.receive))

        return handle


def _problems(*codes: int) -> dict[int | str, dict[str, Any]]:
    why = {
        400: "malformed JSON",
        401: "no or another token",
        403: "another site's page",
        404: "unknown session or run",
        408: "the request took too long to arrive",
        409: "not what the session waits for",
        413: "too large",
        422: "a value is not what it should be",
        503: "the server is full",
    }
    return {
        code: {"model": Problem, "description": why[code]}
        for code in (400, 401, 403, 408, 413, 422, *codes)
    }


REFUSED_STEP: dict[int | str, dict[str, Any]] = {
    code: {"model": Problem | InvalidAction} for code in (409, 413, 422)
}
Named = Annotated[str, Query(max_length=64, description="the session")]


def _reply(data: Any, status: int = 200) -> Response:
    return Response(to_json(data), status, media_type="application/json")


def router(sessions: Sessions) -> APIRouter:
    """Return the routes over a store of sessions."""
    api = APIRouter(route_class=Route)

    def result(session: Session, observation: ArgusObservation) -> dict[str, Any]:
        return {"session_id": session.env.session_id, **serialise(observation)}

    @api.post("/reset", response_model=Result, responses=_problems(404, 409, 503))
    async def reset(request: Annotated[ResetRequest, Body()] = ResetRequest()) -> Response:  # noqa: B008
        """Start a run, or continue one from its folder."""
        new = request.session_id is None
        session = sessions.open() if new else sessions.get(str(request.session_id))
        try:
            return _reply(result(session, await sessions.run(session, session.env.start, request)))
        except BaseException:
            if new:
                await sessions.close(session)
            raise

    @api.post("/step", response_model=Result, responses=_problems(404, 409) | REFUSED_STEP)
    async def step(request: StepRequest) -> Response:
        """Take one action; one that does not fit costs the penalty and is answered with 4xx."""
        session = sessions.get(request.session_id)

        def take() -> tuple[int, ArgusObservation]:
            status = _unfit(session.env.phase, request.action)
            return status, session.env.step(request.action)

        status, observation = await sessions.run(session, take)
        sessions.steps += 1
        reply = result(session, observation)
        invalid = observation.info.get("invalid")
        return _reply(reply) if invalid is None else _reply({"detail": invalid, **reply}, status)

    @api.get("/state", response_model=ArgusState, responses=_problems(404))
    async def state(session_id: Named) -> Response:
        """Where the session is."""
        session = sessions.get(session_id)
        found = await sessions.run(session, lambda: session.env.state)
        return _reply(found.model_dump())

    @api.get("/buffer", response_model=BufferReply, responses=_problems(404, 409))
    async def buffer(session_id: Named) -> Response:
        """The weighted pairs a trainer may use now; none right after a refusal."""
        session = sessions.get(session_id)
        pairs = await sessions.run(session, session.env.buffer)
        return _reply({"session_id": session_id, "pairs": pairs})

    @api.post("/clear_buffer", response_model=Cleared, responses=_problems(404, 409))
    async def clear_buffer(request: SessionRequest) -> Response:
        """Forget the pairs that GET /buffer shows."""
        session = sessions.get(request.session_id)
        count = await sessions.run(session, session.env.clear_buffer)
        return _reply({"session_id": request.session_id, "cleared": count})

    @api.post("/close", response_model=Closed, responses=_problems(404))
    async def close(request: SessionRequest) -> Response:
        """End a session; a kept run can be resumed."""
        await sessions.close(sessions.get(request.session_id))
        return _reply({"session_id": request.session_id, "closed": True})

    @api.get("/healthz", response_model=Health)
    async def healthz() -> Response:
        """That the server is up, and how full it is."""
        version = argus_gym.__version__
        return _reply({"status": "ok", "version": version, **sessions.counts()})

    @api.get("/health", response_model=HealthResponse)
    async def health() -> Response:
        """That the server is up, as OpenEnv asks for it."""
        return _reply({"status": "healthy"})

    @api.get("/metadata", response_model=EnvironmentMetadata)
    async def metadata() -> EnvironmentMetadata:
        """What the environment is."""
        return ArgusEnvironment().get_metadata()

    @api.get("/schema", response_model=SchemaResponse)
    async def schema() -> SchemaResponse:
        """The messages' JSON schemas."""
        observation = ArgusObservation.model_json_schema()
        return SchemaResponse(
            action=ArgusAction.model_json_schema(),
            observation=observation,
            reset_observation=observation,
            state=ArgusState.model_json_schema(),
        )

    @api.post("/mcp")
    async def mcp(request: Request) -> Response:
        """The tools an agent may call: none."""
        return _reply(answer_text(await request.body()))

    return api


def _unfit(phase: int, action: ArgusAction) -> int:
    """Return the status an action gets where the environment finds it invalid."""
    if getattr(action, expected(phase)) is None:
        return 409
    texts = [c if isinstance(c, str) else c.text for c in action.chains or ()]
    long = any(len(text) > MAX_CHAIN_CHARS for text in texts)
    return 413 if long or len(action.problem or "") > MAX_PROBLEM_CHARS else 422


async def refused(request: Request, error: Exception) -> Response:
    """Answer a :class:`~argus_gym.server.environment.Refused`."""
    assert isinstance(error, Refused)
    headers = {"Retry-After": "30"} if error.status == 503 else None
    content = to_json({"detail": str(error)})
    return Response(content, error.status, headers, "application/json")
