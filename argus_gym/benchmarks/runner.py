"""Many independent jobs: in parallel, with progress, resumed where they stopped, none lost.

A job is a call of one module-level function with JSON-ready arguments, and its result is
JSON-ready. One that raises, hangs or takes its process down is reported as ``{"failed": reason}``;
the others finish. Results do not depend on the number of workers.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import argus_gym
from argus_gym.benchmarks.limit import TooSlow
from argus_gym.benchmarks.results import Results
from argus_gym.run_data import InputError

__all__ = ["Progress", "run_jobs", "sources"]

Work = Callable[..., Any]
Job = tuple[str, tuple[Any, ...]]
Progress = Callable[[int, int], None]

DIED = "the process died"
CODE = (
    ".",
    "agents",
    "curriculum",
    "wrappers",
    "premise",
    "problems",
    "benchmarks",
    "benchmarks/worlds",
)


def run_jobs(
    work: Work,
    jobs: Mapping[str, tuple[Any, ...]],
    plan: Mapping[str, Any],
    *,
    out: Path | None = None,
    workers: int = 2,
    ray: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Do every job that is not done yet; return all results by key, in the order of ``jobs``.

    Args:
        work: The function; it has to be importable by name.
        jobs: Its arguments, by key.
        plan: What was asked for, JSON-ready; a results folder belongs to one plan.
        out: Results folder to write or to continue; nothing is kept where ``None``.
        workers: Processes, >= 1; with 1 the jobs run in this one.
        ray: Address of a Ray cluster to use instead (``local`` starts one here).
        progress: Called with the numbers of jobs done and of all.

    Raises:
        InputError: If ``out`` cannot be used, or Ray is wanted and not installed.
        ValueError: If ``workers`` is below 1.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    results = Results(out, plan)
    todo = [(key, args) for key, args in jobs.items() if key not in results.done]
    if ray is not None:
        finished = _on_ray(work, todo, ray)
    elif workers == 1:
        finished = ((key, attempt(work, args)) for key, args in todo)
    else:
        finished = _in_processes(work, todo, workers)
    count = len(jobs) - len(todo)
    try:
        for key, result in finished:
            results.add(key, result)
            count += 1
            if progress is not None:
                progress(count, len(jobs))
    finally:
        results.close()
    return {key: results.done[key] for key in jobs}


def sources(plugins: Sequence[str] = ()) -> str:
    """Return a digest of the code that jobs run: results of two digests do not belong together.

    Args:
        plugins: References of worlds; those that are files count.
    """
    root = Path(argus_gym.__file__).parent
    files = [path for folder in CODE for path in sorted((root / folder).glob("*.py"))]
    files += [Path(name) for name in plugins if name.endswith(".py")]
    total = hashlib.sha256()
    for path in files:
        total.update(path.read_bytes())
    return total.hexdigest()[:16]


def attempt(work: Work, args: tuple[Any, ...]) -> Any:
    """Return the result of one job, or why there is none."""
    try:
        return work(*args)
    except (Exception, TooSlow) as error:
        reason = " ".join(str(error).split())[:300]
        return {"failed": f"{type(error).__name__}: {reason}"}


def _in_processes(work: Work, jobs: Iterable[Job], workers: int) -> Iterator[tuple[str, Any]]:
    """Yield results as they come; a process that dies costs the jobs in flight a second try."""
    waiting = list(reversed(list(jobs)))
    while waiting:
        flying: dict[Future[Any], Job] = {}
        with ProcessPoolExecutor(workers) as pool:
            try:
                while waiting or flying:
                    while waiting and len(flying) < 2 * workers:
                        job = waiting.pop()
                        flying[pool.submit(attempt, work, job[1])] = job
                    done, _ = wait(flying, return_when=FIRST_COMPLETED)
                    for future in done:
                        result = future.result()
                        yield flying.pop(future)[0], result
            except BrokenProcessPool:
                pass
        for key, args in flying.values():
            yield key, _alone(work, args)


def _alone(work: Work, args: tuple[Any, ...]) -> Any:
    with ProcessPoolExecutor(1) as pool:
        try:
            return pool.submit(attempt, work, args).result()
        except BrokenProcessPool:
            return {"failed": DIED}


def _on_ray(work: Work, jobs: Iterable[Job], address: str) -> Iterator[tuple[str, Any]]:
    try:
        import ray
    except ModuleNotFoundError:
        raise InputError('--ray needs Ray: pip install "argus-gym[ray]"') from None
    ray.init(
        address=None if address == "local" else address,
        ignore_reinit_error=True,
        include_dashboard=False if address == "local" else None,
        log_to_driver=False,
    )
    remote = ray.remote(attempt)
    waiting = list(reversed(list(jobs)))
    flying: dict[Any, Job] = {}
    slots = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))
    try:
        while waiting or flying:
            while waiting and len(flying) < slots:
                job = waiting.pop()
                flying[remote.remote(work, job[1])] = job
            (first, *_), _ = ray.wait(list(flying))
            key, _args = flying.pop(first)
            try:
                yield key, ray.get(first)
            except ray.exceptions.RayTaskError as error:
                yield key, {"failed": f"Ray: {' '.join(str(error.cause).split())[:300]}"}
            except ray.exceptions.RayError:
                yield key, {"failed": DIED}
    finally:
        ray.shutdown()
