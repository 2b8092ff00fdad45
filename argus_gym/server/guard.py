"""What a request has to pass before it reaches a session: address, token, size and time."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

import h11
from pydantic_core import to_json
from uvicorn.protocols.http.h11_impl import H11Protocol

from argus_gym.wire import MAX_MESSAGE

__all__ = ["LOOPBACK", "Guard", "patient"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
OPEN = frozenset({"/healthz", "/health"})
"""Paths that need no token."""


class Guard:
    """Refuses what should not reach the application, with a reason.

    A page of another site may not talk to the server through its visitor's browser: an ``Origin``
    has to be the address asked, and on loopback that address has to be a name of this machine,
    since a foreign name can be made to resolve to it.

    Args:
        app: The application.
        token: What ``Authorization: Bearer`` has to carry; anyone may come in where ``None``.
        hosts: Names the server answers to; any where ``None``.
        open_paths: Paths that need no token.
        max_body: Bytes a request's body may have.
    """

    def __init__(
        self,
        app: Callable[[Any, Receive, Send], Awaitable[None]],
        token: str | None = None,
        hosts: frozenset[str] | None = None,
        open_paths: frozenset[str] = OPEN,
        max_body: int = MAX_MESSAGE,
    ) -> None:
        self._app, self._hosts = app, hosts
        self._token = None if token is None else f"Bearer {token}".encode()
        self._open, self._max = open_paths, max_body

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        status, why = self._check(scope, headers)
        if status:
            await _refuse(scope, send, status, why)
        elif scope["type"] == "websocket":
            await self._app(scope, receive, send)
        else:
            await self._bounded(scope, headers, receive, send)

    def _check(self, scope: Any, headers: dict[bytes, bytes]) -> tuple[int, str]:
        host = headers.get(b"host", b"").decode("latin-1")
        origin = headers.get(b"origin", b"").decode("latin-1")
        if self._hosts is not None and _name(f"//{host}") not in self._hosts:
            return 403, "this server answers on loopback only: use 127.0.0.1 or localhost"
        if origin and _address(origin) != _address(f"//{host}"):
            return 403, "requests from another site's page are refused"
        if self._token is not None and scope["path"] not in self._open:
            given = headers.get(b"authorization", b"")
            if not hmac.compare_digest(given, self._token):
                return 401, "expected Authorization: Bearer with the server's token"
        return 0, ""

    async def _bounded(
        self, scope: Any, headers: dict[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        too_large = f"the body may have {self._max} bytes"
        declared = headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared[:20]) > self._max:
            await _refuse(scope, send, 413, too_large)
            return
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._max:
                await _refuse(scope, send, 413, too_large)
                return
        whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def replay() -> Message:
            return whole.pop() if whole else await receive()

        await self._app(scope, replay, send)


def _address(url: str) -> str:
    """Return host and port of a URL, lower case, without a port that its scheme implies."""
    try:
        parts = urlsplit(url)
        port = None if parts.port in (80, 443) else parts.port
    except ValueError:
        return ""
    return f"{parts.hostname}:{port}"


def _name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


async def _refuse(scope: Any, send: Send, status: int, why: str) -> None:
    prefix = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
    body = to_json({"detail": why})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": f"{prefix}.start", "status": status, "headers": headers})
    await send({"type": f"{prefix}.body", "body": body})


def patient(seconds: float, connections: int) -> type[H11Protocol]:
    """Return an HTTP protocol for uvicorn that gives up on slow clients, and on too many.

    Args:
        seconds: How long a request may take to arrive, head and body, and how long an answer may
            wait for its reader, > 0.
        connections: Most connections at once; one more is told 503.
    """

    class Patient(H11Protocol):
        _timer: asyncio.TimerHandle | None = None
        _unread: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if len(self.connections) > connections:
                self._refuse(503, b"the server has too many connections: try again later")
            else:
                self._timer = self.loop.call_later(seconds, self._late)

        def data_received(self, data: bytes) -> None:
            if self.transport.is_closing():
                return
            super().data_received(data)
            upgraded = self.transport.get_protocol() is not self
            arriving = self.conn.their_state in (h11.IDLE, h11.SEND_BODY)
            if upgraded or not arriving:
                self._rest()
            elif self._timer is None:
                self._timer = self.loop.call_later(seconds, self._late)

        def pause_writing(self) -> None:
            super().pause_writing()
            self._unread = self.loop.call_later(seconds, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            if self._unread is not None:
                self._unread.cancel()

        def connection_lost(self, exc: Exception | None) -> None:
            self._rest()
            if self._unread is not None:
                self._unread.cancel()
            super().connection_lost(exc)

        def _rest(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _late(self) -> None:
            self._timer = None
            if self.transport.is_closing():
                return
            if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                self._refuse(408, b"the request took too long to arrive")
            else:
                self.transport.close()

        def _refuse(self, status: int, why: bytes) -> None:
            body = b'{"detail":"%b"}' % why
            head = (
                b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
                b"retry-after: 30\r\nconnection: close\r\n\r\n"
            )
            phrase = b"Service Unavailable" if status == 503 else b"Request Timeout"
            self.transport.write(head % (status, phrase, len(body)) + body)
            self.transport.close()

    return Patient
