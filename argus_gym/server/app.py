"""The server: ``argus-gym serve``, or any ASGI server with ``argus_gym.server.app:app``."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.routing import Route

from argus_gym.run_data import InputError
from argus_gym.server.contract import refused, router
from argus_gym.server.environment import ArgusEnvironment, Refused
from argus_gym.server.guard import LOOPBACK, OPEN, Guard, patient
from argus_gym.server.page_routes import PAGE_PATHS, Page, routes
from argus_gym.server.sessions import Sessions
from argus_gym.server.websocket import talk
from argus_gym.wire import MAX_MESSAGE

__all__ = ["PAGE", "create_app", "main", "server"]

log = logging.getLogger(__name__)

PAGE = Path(__file__).parent / "page"
"""Static files of the page at ``/``."""
BACKLOG = 2_048
SPARE = 256
"""Connections beyond the sessions': health checks, the page, plain HTTP."""


def create_app(
    *,
    sessions: int = 64,
    idle: float = 3_600.0,
    runs: Path | None = None,
    token: str | None = None,
    seed: int | None = None,
    hosts: frozenset[str] | None = None,
    data: Path | None = None,
) -> FastAPI:
    """Return the service as an ASGI application.

    Args:
        sessions: Most sessions at once, >= 1.
        idle: Seconds without a request after which a session ends, > 0.
        runs: Folder for the runs' folders; nothing is kept where ``None``.
        token: What clients have to send as a bearer token; anyone may come in where ``None``.
        seed: Seed of the runs whose client gives none, in the order they start; drawn where
            ``None``.
        hosts: Names the server answers to; any where ``None``.
        data: Folder with ``published_runs`` for the page to show; none where ``None``.

    Raises:
        ValueError: If an argument is out of range.
        InputError: If ``runs`` is no folder and cannot be made one.
    """
    if runs is not None:
        try:
            runs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot make the folder {runs}: {error.strerror}") from error
    seeds = None if seed is None else _seeds(seed)
    store = Sessions(partial(ArgusEnvironment, runs, seeds), sessions, idle)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        reaper = asyncio.create_task(store.reap())
        yield
        reaper.cancel()
        await store.shutdown()

    app = FastAPI(
        title="argus-gym",
        version="1.0.0",
        description="ArgusSelfImprove-v0 as an OpenEnv service. One session is one run at a time.",
        # The pages that FastAPI makes of the document load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.sessions = store
    app.include_router(router(store))
    app.include_router(routes(runs, data))

    @app.websocket("/ws")
    async def ws(websocket: WebSocket) -> None:
        await talk(websocket, store)

    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(Exception, _failed)
    app.add_middleware(Guard, token=token, hosts=hosts, open_paths=OPEN | PAGE_PATHS)
    mount_page(app)
    return app


def mount_page(app: FastAPI) -> None:
    """Serve the page's files at ``/``."""
    if PAGE.is_dir():
        files = Page(directory=PAGE, html=True)
        # A mount would answer 404 where a route of the contract answers 405.
        app.router.routes += [Route(path, files, methods=["GET"]) for path in sorted(PAGE_PATHS)]


def server(
    app: FastAPI, *, host: str = "127.0.0.1", port: int = 8000, patience: float = 30.0
) -> tuple[uvicorn.Server, socket.socket]:
    """Return uvicorn with the service's limits, and the socket it listens on.

    Args:
        app: What :func:`create_app` returned.
        host: Address to listen on.
        port: Port, 0 for any free one.
        patience: Seconds a request may take to arrive, > 0.

    Raises:
        OSError: If the address cannot be had.
    """
    config = uvicorn.Config(
        app,
        http=patient(patience, app.state.sessions.capacity + SPARE),
        ws="websockets-sansio",
        ws_max_size=MAX_MESSAGE,
        ws_ping_interval=30.0,
        ws_ping_timeout=60.0,
        ws_per_message_deflate=False,
        backlog=BACKLOG,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delays off only where the protocol is named.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return uvicorn.Server(config), listener


def main(
    host: str = "127.0.0.1",
    port: int = 8000,
    started: Any = None,
    **options: Any,
) -> None:
    """Serve until interrupted.

    Args:
        host: Address to listen on; on loopback only its names are answered to.
        port: Port, 0 for any free one.
        started: Called with the URL before the first request is taken.
        **options: As for :func:`create_app`.
    """
    hosts = LOOPBACK if host in LOOPBACK else None
    if hosts is None and options.get("token") is None:
        log.warning("whoever reaches %s may use the server: give it a token", host)
    serving, listener = server(create_app(hosts=hosts, **options), host=host, port=port)
    with listener:
        bound = listener.getsockname()[1]
        if started is not None:
            started(f"http://{f'[{host}]' if ':' in host else host}:{bound}")
        serving.run([listener])


def _seeds(seed: int) -> Iterator[int]:
    index = 0
    while True:
        yield int(np.random.SeedSequence((seed, index)).generate_state(1)[0])
        index += 1


async def _malformed(request: Request, error: Exception) -> Response:
    """Answer a body or query that is not what the route takes, without repeating it."""
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    broken = [e["ctx"]["error"] for e in found if e["type"] == "json_invalid"]
    if broken:
        return _told(400, f"malformed JSON: {broken[0]}")
    told = [f"{'.'.join(map(str, e['loc'][:6]))}: {e['msg']}" for e in found[:3]]
    more = f" (and {len(found) - 3} more)" if len(found) > 3 else ""
    if request.method == "POST" and "json" not in request.headers.get("content-type", ""):
        more += "; send it with content-type: application/json"
    return _told(422, "; ".join(told)[:600] + more)


async def _plain(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _told(error.status_code, str(error.detail), error.headers)


async def _failed(request: Request, error: Exception) -> Response:
    """Answer what should not happen; the server writes the error itself to its log."""
    return _told(500, "internal error, see the server's log")


def _told(status: int, why: str, headers: Mapping[str, str] | None = None) -> Response:
    return Response(to_json({"detail": why}), status, headers, "application/json")


def __getattr__(name: str) -> Any:
    """Make ``app`` when an ASGI server asks for it."""
    if name == "app":
        return create_app()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if __name__ == "__main__":
    main()
