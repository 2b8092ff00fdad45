"""Sessions that persist between requests, within a capacity and an idle limit."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

from argus_gym.server.environment import ArgusEnvironment, Refused

__all__ = ["Session", "Sessions"]

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(eq=False)
class Session:
    """One environment and when it was last used.

    Attributes:
        env: The environment.
        attached: Whether a WebSocket holds it; it then lives as long as that does.
        last: When it was last used, on the store's clock.
        lock: Held while a request is in the environment.
    """

    env: ArgusEnvironment
    attached: bool
    last: float
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    open: bool = True


class Sessions:
    """The sessions of one server.

    Environments run outside the event loop, so that none keeps the others' requests waiting.

    Args:
        make: Makes a session's environment.
        capacity: Most sessions at once, >= 1.
        idle: Seconds without a request after which a session ends, > 0.
        clock: Seconds that never go back.

    Raises:
        ValueError: If ``capacity`` or ``idle`` is out of range.
    """

    def __init__(
        self,
        make: Callable[[], ArgusEnvironment],
        capacity: int = 64,
        idle: float = 3_600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        if not idle > 0:
            raise ValueError(f"idle must be positive, got {idle}")
        self.capacity, self.idle = capacity, idle
        self.opened = self.steps = 0
        self._make, self._clock = make, clock
        self._sessions: dict[str, Session] = {}
        self._threads = ThreadPoolExecutor(4, "argus")

    def __len__(self) -> int:
        return len(self._sessions)

    def open(self, attached: bool = False) -> Session:
        """Return a new session.

        Raises:
            Refused: If the server is full.
        """
        if len(self._sessions) >= self.capacity:
            raise Refused(503, f"all {self.capacity} sessions are in use: try again later")
        session = Session(self._make(), attached, self._clock())
        self._sessions[session.env.session_id] = session
        self.opened += 1
        return session

    def get(self, session_id: str) -> Session:
        """Return a session.

        Raises:
            Refused: If there is none of this name, or no more.
        """
        try:
            return self._sessions[session_id]
        except KeyError:
            raise Refused(404, "unknown session: it never was, was closed, or idled out") from None

    async def run(
        self, session: Session, do: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do something with a session's environment, one request at a time.

        Raises:
            Refused: If the session ended meanwhile.
        """
        async with session.lock:
            if not session.open:
                raise Refused(404, "unknown session: it was closed")
            session.last = self._clock()
            loop = asyncio.get_running_loop()
            try:
                return await loop.run_in_executor(self._threads, lambda: do(*args, **kwargs))
            finally:
                session.last = self._clock()

    async def close(self, session: Session) -> None:
        """End a session once the request in it, if any, is done."""
        self._sessions.pop(session.env.session_id, None)
        async with session.lock:
            if session.open:
                session.open = False
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(self._threads, session.env.close)

    async def reap(self) -> None:
        """End sessions without a request for too long, forever."""
        while True:
            await asyncio.sleep(min(self.idle / 4, 5.0))
            late = self._clock() - self.idle
            for session in list(self._sessions.values()):
                if session.last < late and not (session.attached or session.lock.locked()):
                    await self.close(session)

    async def shutdown(self) -> None:
        """End all sessions; runs that are kept can be resumed."""
        for session in list(self._sessions.values()):
            await self.close(session)
        self._threads.shutdown()

    def counts(self) -> dict[str, Any]:
        """Return sessions open now, how many there may be, and totals since the start."""
        return {
            "sessions": len(self),
            "capacity": self.capacity,
            "opened": self.opened,
            "steps": self.steps,
        }
