"""A time limit for work that may hang."""

import faulthandler
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["TooSlow", "time_limit"]


class TooSlow(BaseException):
    """The time limit has passed; no ``Exception``, so that hostile code does not catch it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[Callable[[], None]]:
    """Raise :class:`TooSlow` in the block once ``seconds`` pass without a sign of life.

    Yields the function that gives the sign. Code that does not return to Python is beyond an
    exception: twice the limit ends the whole process, which a runner of jobs survives. Works in a
    process's main thread where the system has interval timers; elsewhere there is no limit.
    """
    timed = hasattr(signal, "setitimer")
    if not timed or threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return

    def stop(number: int, frame: Any) -> None:
        raise TooSlow(f"no sign of life for {seconds:g} s")

    def alive() -> None:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        faulthandler.dump_traceback_later(2 * seconds, exit=True)

    before = signal.signal(signal.SIGALRM, stop)
    alive()
    try:
        yield alive
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, before)
