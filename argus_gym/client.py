"""Clients of ``argus-gym serve``: the environment, reached over a WebSocket.

:class:`ArgusClient` stands wherever :func:`argus_gym.agents.rollout` takes an environment;
:class:`AsyncArgusClient` is the same for ``asyncio``. Both need ``websockets`` and nothing else of
the extra ``serve``.
"""

from contextlib import AsyncExitStack, ExitStack, suppress
from types import TracebackType
from typing import Any, Self

import gymnasium as gym

from argus_gym.records import TrainingPair, encode
from argus_gym.spaces import ActionSpace, observation_space
from argus_gym.wire import (
    Result,
    ServiceError,
    SessionState,
    pack,
    pairs_of,
    reset_message,
    result,
    state_of,
    step_message,
    unpack,
)

__all__ = ["ArgusClient", "AsyncArgusClient", "ServiceError", "SessionState"]


class ArgusClient(gym.Env[dict[str, Any], Any]):
    """``ArgusSelfImprove-v0`` on a server, as if it were here.

    Observations, actions and ``info`` are those of the environment itself. Three things differ. A
    ``Proposal`` is sent as its text, and the server checks the premise itself. Characters that
    UTF-8 cannot carry (lone surrogates) arrive as question marks. A message larger than the server
    takes is refused here.

    A request that gets no answer in time raises ``TimeoutError`` and ends the session: connect
    again, and resume the run where the server keeps runs.

    Args:
        url: Where the server is, ``http://host:port``.
        token: Its bearer token, if it has one.
        timeout: Seconds to wait for an answer, > 0.
        stack: Detectors, gate and monitors: a name in :data:`argus_gym.wrappers.STACKS`.
        **options: The environment's arguments (:class:`argus_gym.env.ArgusSelfImprove`).

    Raises:
        ServiceError: If there is no such server, or it is full.
    """

    metadata = {"render_modes": []}  # noqa: RUF012

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        timeout: float = 60.0,
        stack: str = "v4",
        **options: Any,
    ) -> None:
        from websockets.sync.client import connect

        self._options, self._timeout = {"stack": stack, **encode(options)}, timeout
        self.observation_space = observation_space(options.get("clusters", 10))
        self.action_space = ActionSpace()
        self._open = ExitStack()
        with _Told():
            connection = connect(_address(url), ping_interval=None, **_settings(token, timeout))
            self._socket = self._open.enter_context(connection)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Start a new run.

        Args:
            seed: Seed of every draw in the run; the server draws one where ``None``.
            options: The environment's arguments, over those given to the client. ``episode_id``
                names the run.
        """
        super().reset(seed=seed)
        obs, _, _, _, info = result(self._ask(reset_message(self._options, seed, options)))
        return obs, info

    def resume(self, episode_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Continue a run from its folder on the server, as its last finished round left it.

        Returns:
            What ``rollout(start=...)`` takes. ``info["round"]`` is the last finished round, absent
            where there is none. The agent has to be as it was then.
        """
        data = {"episode_id": episode_id, "resume": True}
        obs, _, _, _, info = result(self._ask({"type": "reset", "data": data}))
        return obs, info

    def step(self, action: Any) -> Result:
        """Take one action of the phase the last observation named.

        Raises:
            TypeError: If the action has none of the accepted types.
            ResetNeeded: If there is no run, or it is over.
        """
        return result(self._ask(step_message(action)))

    def state(self) -> SessionState:
        """Return where the session is."""
        return state_of(self._ask({"type": "state"}))

    def buffer(self) -> tuple[TrainingPair, ...]:
        """Return the weighted pairs a trainer may use now; none right after a refusal."""
        return pairs_of(self._ask({"type": "buffer"}))

    def clear_buffer(self) -> int:
        """Forget the pairs that :meth:`buffer` shows; return how many there were."""
        return int(self._ask({"type": "clear_buffer"})["pairs"])

    def close(self) -> None:
        """End the session."""
        self._open.close()

    def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        text = pack(message)
        from websockets.exceptions import ConnectionClosed

        with _Told():
            # A server that closed the connection may have left a message that says why.
            with suppress(ConnectionClosed):
                self._socket.send(text, text=True)
            try:
                reply = self._socket.recv(self._timeout)
            except BaseException:
                self.close()  # An answer that comes late would be taken for the next one's.
                raise
        return unpack(reply)


class AsyncArgusClient:
    """:class:`ArgusClient` for ``asyncio``: ``async with AsyncArgusClient(url) as env``.

    Keep the event loop free while a model trains, for instance in a thread: the server drops a
    connection that answers no ping for 60 s.

    Args:
        url: Where the server is, ``http://host:port``.
        token: Its bearer token, if it has one.
        timeout: Seconds to wait for an answer, > 0.
        stack: Detectors, gate and monitors.
        **options: The environment's arguments.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        timeout: float = 60.0,
        stack: str = "v4",
        **options: Any,
    ) -> None:
        self._url, self._token, self._timeout = _address(url), token, timeout
        self._options = {"stack": stack, **encode(options)}
        self._open = AsyncExitStack()
        self._socket: Any = None

    async def __aenter__(self) -> Self:
        """Connect."""
        from websockets.asyncio.client import connect

        settings = _settings(self._token, self._timeout)
        with _Told():
            connection = connect(self._url, ping_interval=None, **settings)
            self._socket = await self._open.enter_async_context(connection)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the session."""
        await self._open.aclose()

    async def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Start a new run; see :meth:`ArgusClient.reset`."""
        obs, _, _, _, info = result(await self._ask(reset_message(self._options, seed, options)))
        return obs, info

    async def resume(self, episode_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Continue a run from its folder on the server; see :meth:`ArgusClient.resume`."""
        data = {"episode_id": episode_id, "resume": True}
        obs, _, _, _, info = result(await self._ask({"type": "reset", "data": data}))
        return obs, info

    async def step(self, action: Any) -> Result:
        """Take one action; see :meth:`ArgusClient.step`."""
        return result(await self._ask(step_message(action)))

    async def state(self) -> SessionState:
        """Return where the session is."""
        return state_of(await self._ask({"type": "state"}))

    async def buffer(self) -> tuple[TrainingPair, ...]:
        """Return the weighted pairs a trainer may use now."""
        return pairs_of(await self._ask({"type": "buffer"}))

    async def clear_buffer(self) -> int:
        """Forget the pairs that :meth:`buffer` shows; return how many there were."""
        return int((await self._ask({"type": "clear_buffer"}))["pairs"])

    async def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        import asyncio

        from websockets.exceptions import ConnectionClosed

        text = pack(message)
        with _Told():
            with suppress(ConnectionClosed):
                await self._socket.send(text, text=True)
            try:
                async with asyncio.timeout(self._timeout):
                    reply = await self._socket.recv()
            except BaseException:
                await self._open.aclose()  # As in ArgusClient.
                raise
        return unpack(reply)


class _Told:
    """Turns what goes wrong with a connection into a :class:`ServiceError`."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        from websockets.exceptions import WebSocketException

        if isinstance(error, WebSocketException | OSError) and not isinstance(error, TimeoutError):
            raise ServiceError(f"the connection to the server is gone: {error}") from error


def _address(url: str) -> str:
    scheme, found, rest = url.rstrip("/").partition("://")
    if not found or scheme not in ("http", "https"):
        raise ValueError(f"url must be http://host:port or https://..., got {url!r}")
    return f"{'wss' if scheme == 'https' else 'ws'}://{rest}/ws"


def _settings(token: str | None, timeout: float) -> dict[str, Any]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return {
        "additional_headers": headers,
        "open_timeout": timeout,
        "max_size": None,
        "compression": None,
    }
