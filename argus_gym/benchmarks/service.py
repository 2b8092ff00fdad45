"""``argus-gym bench service``: the server on loopback, alone and with many sessions."""

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np

from argus_gym.agents import RunResult, SimulatedAgent, rollout
from argus_gym.client import ArgusClient, ServiceError
from argus_gym.records import encode
from argus_gym.wrappers import stack

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["run", "table"]

SHORT: dict[str, Any] = {"rounds": 3, "problems_per_round": 16}
"""Runs of the many sessions: several fit into the time."""
WARM = 15.0
"""Seconds after which memory is expected not to grow."""
FLOOD = 10_000


def run(
    seed: int = 0, repeats: int = 5, sessions: int = 32, seconds: float = 60.0
) -> dict[str, Any]:
    """Measure and return rates, errors and memory, JSON-ready.

    Args:
        seed: Seed of the first run.
        repeats: Default runs timed on one session, served and here, >= 1.
        sessions: Sessions at the same time, >= 1.
        seconds: How long they go on, > 0.

    Raises:
        ValueError: If an argument is out of range.
        ModuleNotFoundError: If the extra ``serve`` is not installed.
    """
    if repeats < 1 or sessions < 1 or not seconds > 0:
        raise ValueError(
            "repeats and sessions must be at least 1 and seconds positive, "
            f"got {repeats}, {sessions} and {seconds}"
        )
    import_module("openenv")
    with _server(sessions + 1) as (served, url):
        one = [_ratio(url, served.pid, seed + i) for i in range(repeats)]
        many = _many(url, served.pid, seed, sessions, seconds)
    with _server(sessions) as (_, url):
        flood = _flood(url, sessions)
    return {
        "one": {name: median(pair[name] for pair in one) for name in one[0]},
        "many": many,
        "flood": flood,
        "repeats": repeats,
        "seed": seed,
        "python": sys.version.split()[0],
    }


@contextmanager
def _server(sessions: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "argus_gym", "serve", "--port", "0", "--json"]
    served = subprocess.Popen(
        [*command, "--sessions", str(sessions)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert served.stdout is not None
        lines = ""
        while not lines.endswith("}\n"):
            line = served.stdout.readline()
            if not line:
                raise RuntimeError("the server did not start")
            lines += line
        yield served, json.loads(lines)["url"]
    finally:
        served.terminate()
        served.communicate()


def _ratio(url: str, pid: int, seed: int) -> dict[str, float]:
    """Time one default run with parsed chains, served and here.

    Returns:
        Steps a second of wall time and milliseconds of processor time a step, the agent's work
        included, by door; and how much more of both a served step takes.
    """
    figures = {}
    client = ArgusClient(url)
    doors = {"served": client, "here": stack(gym.make("argus_gym:ArgusSelfImprove-v0"), "v4")}
    for name, env in doors.items():
        agent = SimulatedAgent(seed, parsed=True)
        start, spent = time.perf_counter(), time.process_time() + _spent(pid)
        steps = rollout(env, agent, seed=seed).summary["steps"]
        figures[name] = steps / (time.perf_counter() - start)
        figures[f"{name}_cpu_ms"] = 1e3 * (time.process_time() + _spent(pid) - spent) / steps
    client.close()
    return {
        **figures,
        "ratio": figures["here"] / figures["served"],
        "cpu_ratio": figures["served_cpu_ms"] / figures["here_cpu_ms"],
    }


def _many(url: str, pid: int, seed: int, sessions: int, seconds: float) -> dict[str, Any]:
    """Run many sessions at once; compare each finished run with the same run made here."""
    end = time.monotonic() + seconds
    runs: dict[int, str] = {}
    steps, errors = [0] * sessions, []

    def one(index: int) -> None:
        try:
            client = ArgusClient(url, **SHORT)
            for number in range(1_000_000):
                if time.monotonic() > end:
                    break
                own = seed + index + number * sessions
                result = rollout(client, SimulatedAgent(own, parsed=True), seed=own)
                runs[own] = _digest(result)
                steps[index] += int(result.summary["steps"])
            client.close()
        except (ServiceError, OSError, ValueError, gym.error.Error) as error:
            errors.append(str(error))

    threads = [threading.Thread(target=one, args=(i,)) for i in range(sessions)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    memory: list[tuple[float, float]] = []
    while any(thread.is_alive() for thread in threads):
        memory.append((time.monotonic() - start, _resident(pid)))
        time.sleep(0.5)
    took = time.monotonic() - start
    wrong = sum(_digest(_here(own)) != digest for own, digest in runs.items())
    settled = np.array([m for m in memory if m[0] >= min(WARM, seconds / 4)])
    slope = float(np.polyfit(settled[:, 0] / 60, settled[:, 1], 1)[0]) if len(settled) > 2 else None
    return {
        "sessions": sessions,
        "seconds": took,
        "runs": len(runs),
        "steps": sum(steps),
        "steps_per_second": sum(steps) / took,
        "errors": len(errors),
        "first_error": errors[0] if errors else None,
        "runs_unlike_those_made_here": wrong,
        "resident_mb": [float(settled[0, 1]), float(settled[-1, 1])],
        "resident_mb_per_minute": slope,
    }


def _here(seed: int) -> RunResult:
    env = stack(gym.make("argus_gym:ArgusSelfImprove-v0", **SHORT), "v4")
    return rollout(env, SimulatedAgent(seed, parsed=True), seed=seed)


def _digest(result: RunResult) -> str:
    content = json.dumps(encode([result.rounds, result.lies, result.verdicts]))
    return hashlib.sha256(content.encode()).hexdigest()


def _resident(pid: int) -> float:
    """Return a process's resident memory in MB, NaN where the system does not tell."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return float("nan")


def _spent(pid: int) -> float:
    """Return a process's processor time in seconds, NaN where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError):
        return float("nan")


def _flood(url: str, sessions: int) -> dict[str, Any]:
    """Open many more sessions than there is room for; count the answers."""
    from http.client import HTTPConnection

    connection = HTTPConnection(url.removeprefix("http://"), timeout=60)
    statuses: dict[int, int] = {}
    start = time.monotonic()
    for _ in range(FLOOD):
        connection.request("POST", "/reset", b'{"seed": 0}', {"content-type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        statuses[answer.status] = statuses.get(answer.status, 0) + 1
    took = time.monotonic() - start
    connection.request("GET", "/healthz")
    health = json.loads(connection.getresponse().read())
    connection.close()
    return {
        "opened": FLOOD,
        "statuses": {str(status): n for status, n in sorted(statuses.items())},
        "per_second": FLOOD / took,
        "sessions": health["sessions"],
        "capacity": sessions,
    }


def table(result: dict[str, Any]) -> "Table":
    """Return the figures as a table with the targets they are held to."""
    from rich.table import Table

    out = Table(title=f"service on loopback (wall time, median of {result['repeats']} runs)")
    for column in ("figure", "measured", "target"):
        out.add_column(column, justify="left" if column == "figure" else "right")
    one, many, flood = result["one"], result["many"], result["flood"]
    out.add_row("one session, parsed chains, v4: steps/s", f"{one['served']:,.0f}", ">= 500")
    out.add_row("  the same here: steps/s", f"{one['here']:,.0f}", "")
    out.add_row("  here / served", f"{one['ratio']:.1f}", "")
    for name, label in (("served", "server and client"), ("here", "here")):
        out.add_row(f"  processor time a step, {label}", f"{one[f'{name}_cpu_ms']:.2f} ms", "")
    name = f"{many['sessions']} sessions for {many['seconds']:.0f} s"
    out.add_row(f"{name}: steps/s in all", f"{many['steps_per_second']:,.0f}", "")
    out.add_row("  runs, steps", f"{many['runs']:,}, {many['steps']:,}", "")
    out.add_row("  errors", str(many["errors"]), "0")
    out.add_row("  runs unlike those made here", str(many["runs_unlike_those_made_here"]), "0")
    first, last = many["resident_mb"]
    slope = many["resident_mb_per_minute"]
    told = "–" if slope is None else f"{slope:+.1f}"
    out.add_row("  server memory, MB", f"{first:.0f} to {last:.0f}", "")
    out.add_row("  its slope, MB a minute", told, "flat")
    answers = ", ".join(f"{n:,} × {status}" for status, n in flood["statuses"].items())
    out.add_row(f"{flood['opened']:,} sessions opened, room for {flood['capacity']}", answers, "")
    out.add_row("  answers/s", f"{flood['per_second']:,.0f}", "")
    return out
