"""The page's live runs: the simulated agent on the real environment, a round at a time.

Nobody has to prove anything to press a button, so what the button can cost is bounded: one run for
each address, few in all, a size and a time for each cycle, and one thread for all of this, which
rests as long as it works.
"""

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, perf_counter, sleep
from typing import Any, TypeVar

import gymnasium as gym
from pydantic import Field

from argus_gym.agents import SimulatedAgent, rollout
from argus_gym.agents.mechanisms import MECHANISMS, PlantedAgent
from argus_gym.server.environment import ID, Refused
from argus_gym.server.frames import Watched
from argus_gym.server.models import Strict
from argus_gym.wrappers import stack

__all__ = ["CycleRequest", "Demo", "Demos"]

STACK, ROUNDS, ONSET, SEVERITY = "v4", 15, 2, 2.0
DEMOS, WAITING = 8, 16
IDLE, CYCLE = 600.0, 20.0
"""Seconds without a cycle after which a run is forgotten, and seconds a cycle may take."""

T = TypeVar("T")


class CycleRequest(Strict):
    """The next cycle of a run, or the first of a new one."""

    demo: str | None = Field(default=None, max_length=64)
    seed: int = Field(default=0, ge=0, lt=2**32)
    problems: int = Field(default=16, ge=4, le=64)
    failure: str | None = Field(default=None, max_length=1)


class Demo:
    """One simulated run on the real environment, a round at a time.

    Args:
        client: The address it belongs to.
        seed: Seed of environment and learner.
        problems: Problems a round.
        failure: The learner's planted failure, a key of ``MECHANISMS``; none where ``None``.
    """

    def __init__(self, client: str, seed: int, problems: int, failure: str | None) -> None:
        self.client, self.seed, self.problems, self.failure = client, seed, problems, failure
        self.name = secrets.token_hex(16)
        self.used, self.busy = 0.0, False
        self._env: Watched | None = None

    @property
    def over(self) -> bool:
        """Whether the run has ended."""
        return self._env is not None and self._env.over

    def cycle(self) -> dict[str, Any]:
        """Make one round; return its frames and the milliseconds it took.

        Raises:
            Refused: If it takes too long.
        """
        start = perf_counter()
        env = self._env or self._start()
        env.frames = []
        rollout(_Timed(env), self._agent, start=env.now, points=self._points)
        spent = round(1_000 * (perf_counter() - start))
        return {"demo": self.name, "over": self.over, "ms": spent, "frames": env.frames}

    def _start(self) -> Watched:
        made = gym.make(
            f"argus_gym:{ID}",
            disable_env_checker=True,
            rounds=ROUNDS,
            problems_per_round=self.problems,
        )
        self._env = Watched(stack(made, STACK))
        self._env.reset(seed=self.seed)
        self._agent: SimulatedAgent
        if self.failure is None:
            self._agent = SimulatedAgent(self.seed)
        else:
            self._agent = PlantedAgent(self.seed, self.failure, ONSET, SEVERITY, parsed=False)
        self._points: dict[str, Any] = {}
        return self._env


class _Timed(gym.Wrapper[Any, Any, Any, Any]):
    """Stops a cycle that takes too long."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        self._end = monotonic() + CYCLE

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        if monotonic() > self._end:
            raise Refused(503, f"the cycle took more than {CYCLE:g} s: ask for fewer problems")
        return self.env.step(action)


class Demos:
    """The runs that pages are watching.

    Args:
        clock: Seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._demos: dict[str, Demo] = {}
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "argus-page")
        self._waiting = 0
        self._rested = 0.0

    def __len__(self) -> int:
        return len(self._demos)

    async def cycle(self, client: str, request: CycleRequest) -> dict[str, Any]:
        """Make the next cycle of a run, or the first of a new one in place of the client's last.

        Raises:
            Refused: If the run is unknown, over or busy, or the server has too many.
        """
        self._admit()
        demo = self._find(client, request)
        demo.busy = True
        try:
            return await self.work(demo.cycle)
        except BaseException:
            self._demos.pop(demo.name, None)
            raise
        finally:
            demo.busy, demo.used = False, self._clock()

    async def work(self, do: Callable[[], T]) -> T:
        """Do something in the page's thread, after what waits for it already.

        Raises:
            Refused: If too much waits for it.
        """
        self._admit()
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._paced, do)
        finally:
            self._waiting -= 1

    def _admit(self) -> None:
        if self._waiting >= WAITING:
            raise Refused(503, "too many pages ask at once: try again later")

    def _paced(self, do: Callable[[], T]) -> T:
        sleep(max(0.0, self._rested - monotonic()))
        start = monotonic()
        try:
            return do()
        finally:
            self._rested = 2 * monotonic() - start

    def _find(self, client: str, request: CycleRequest) -> Demo:
        late = self._clock() - IDLE
        for old in [d for d in self._demos.values() if d.used < late and not d.busy]:
            del self._demos[old.name]
        own = next((d for d in self._demos.values() if d.client == client), None)
        if own is not None and own.busy:
            raise Refused(409, "a cycle for your address is under way: one at a time")
        if request.demo is not None:
            if own is None or own.name != request.demo:
                raise Refused(404, "unknown run: it idled out, or your address began another")
            if own.over:
                raise Refused(409, "the run is over: start another")
            return own
        if request.failure is not None and request.failure not in MECHANISMS:
            raise Refused(422, f"failure: expected one of {', '.join(MECHANISMS)} or null")
        if own is not None:
            del self._demos[own.name]
        if len(self._demos) >= DEMOS:
            raise Refused(503, f"{DEMOS} pages are watching runs already: try again later")
        demo = Demo(client, request.seed, request.problems, request.failure)
        demo.used = self._clock()
        self._demos[demo.name] = demo
        return demo
