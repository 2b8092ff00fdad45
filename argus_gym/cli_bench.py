"""``argus-gym bench``: a module of ``argus_gym.benchmarks`` by its name."""

import inspect
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from argus_gym.cli_output import JSON, console, print_json, stop
from argus_gym.run_data import InputError

__all__ = ["HELP", "SUITES", "bench"]

SUITES = {
    "throughput": "speed, import cost and memory",
    "chains": "consensus and final answers on chains that real models wrote",
    "chain_scores": "the search for the chain score, on the same chains",
    "premises": "the premise validator on real and on made problems",
    "calibration": "the simulated agent against the published runs",
    "audit": "the log audit on quiet logs, planted failures and real logs",
    "lies": "the detectors on planted failures and on quiet runs",
    "gates": "every gate in closed loop over the worlds of lies",
    "replication": "the published three-run table over many seeds of the simulated agent",
    "closed_loop": "the gate's rules in closed loop",
    "service": "the server on loopback, alone and with many sessions",
    "agents": "curricula by true accuracy, with and without unlearnable families",
    "llm": "the whole loop with a real language model: gates, placebo, collapse, truth",
    "goodhart": "PPO on each reward: what it is paid and what becomes of true accuracy",
}
"""Suites by name: a module of ``argus_gym.benchmarks`` each, and what it measures."""

HELP = (
    "Measure one suite and print its table.\n\n"
    + "\n\n".join(f"{name}: {what}." for name, what in SUITES.items())
    + "\n\nExample: argus-gym bench chains --data data --json"
)


def bench(
    suite: Annotated[str, typer.Argument(metavar="SUITE", help=f"One of {', '.join(SUITES)}.")],
    data: Annotated[
        Path | None, typer.Option(envvar="ARGUS_DATA", help="Folder with the real data.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of every draw.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="A small form, in minutes.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Results folder: written as runs end, continued where it stopped."),
    ] = None,
    world: Annotated[
        list[str] | None,
        typer.Option(help="A world: its name, module:Class or a .py file. Can be repeated."),
    ] = None,
    stack: Annotated[str | None, typer.Option(help="v4, v3.5, v3.4 or all. [default: all]")] = None,
    model: Annotated[
        str | None,
        typer.Option(help="A language model: local path or hub name. [default: argus-tiny]"),
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes. [default: 2]")] = None,
    ray: Annotated[
        str | None, typer.Option(help="Address of a Ray cluster to run on, or local.")
    ] = None,
    as_json: JSON = False,
) -> None:
    """Measure one suite and print its table."""
    given = {
        "data": data,
        "quick": quick or None,
        "out": out,
        "worlds": world,
        "stack": stack,
        "model": model,
        "workers": workers,
        "ray": ray,
    }
    try:
        module, options = _suite(suite, seed, {k: v for k, v in given.items() if v is not None})
        with _jobs(as_json) as progress:
            if "progress" in inspect.signature(module.run).parameters:
                options["progress"] = progress
            result = module.run(**options)
        tables = module.tables(result) if hasattr(module, "tables") else [module.table(result)]
        if out is not None:
            _keep(out, result, tables, getattr(module, "plots", None))
    except InputError as error:
        stop(str(error), 2, "bench")
    except KeyboardInterrupt:
        kept = "nothing was kept" if out is None else f"--out {out} goes on from here"
        stop(f"interrupted; {kept}", 130, "bench")
    except (OSError, ValueError) as error:
        # An error that names the data is about the data; any other is ours, and keeps its trace.
        if data is None or str(data) not in str(error):
            raise
        stop(str(error), 2, "bench")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "argus_gym":
            raise
        needs = f'needs {error.name}: expected after pip install "argus-gym[dev]"'
        stop(f"{suite} {needs}", 2, "bench")
    if as_json:
        print_json(result)
    else:
        for table in tables:
            console(sys.stdout).print(table)


def _suite(name: str, seed: int, given: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return a suite's module and the options of its ``run``."""
    if name not in SUITES:
        raise InputError(f"SUITE must be one of {', '.join(SUITES)}, got {name!r}")
    if seed < 0:
        raise InputError(f"--seed must be at least 0, got {seed}")
    if given.get("workers", 1) < 1:
        raise InputError(f"--workers must be at least 1, got {given['workers']}")
    module = import_module(f"argus_gym.benchmarks.{name}")
    known = inspect.signature(module.run).parameters
    wanted = known.get("data")
    if wanted is not None:
        data = given.get("data")
        if data is None and wanted.default is inspect.Parameter.empty:
            raise InputError(f"{name} reads real data: expected its folder, --data DIR")
        if data is not None and not data.is_dir():
            raise InputError(f"--data must be a folder, got {data}")
        given["data"] = data
    elif "data" in given:
        data = given.pop("data")
        if "ARGUS_DATA" not in os.environ:
            raise InputError(f"{name} reads no data: expected no --data, got {data}")
    for option in given:
        if option not in known:
            flag = "world" if option == "worlds" else option
            raise InputError(f"{name} has no --{flag}: expected no such option")
    return module, {"seed": seed, **given}


def _keep(
    out: Path, result: Any, tables: Sequence[Any], plots: Callable[[Any], Any] | None
) -> None:
    """Write a suite's result, its tables and, with matplotlib, its plots."""
    from argus_gym.benchmarks.markdown import markdown
    from argus_gym.checkpoint import dumps
    from argus_gym.records import encode

    (out / "result.json").write_text(dumps(encode(result), indent=1), "utf-8")
    (out / "tables.md").write_text("\n".join(map(markdown, tables)), "utf-8")
    if plots is None:
        return
    try:
        figures = plots(result)
    except ModuleNotFoundError as error:
        needs = 'expected after pip install "argus-gym[report]"'
        print(f"no plots: they need {error.name}, {needs}", file=sys.stderr)
        return
    for name, figure in figures.items():
        figure.savefig(out / f"{name}.png", dpi=110)


@contextmanager
def _jobs(silent: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Show a bar for the jobs of a suite on a terminal, a line for each tenth elsewhere."""
    if silent:
        yield None
        return
    if not sys.stderr.isatty():
        tenths = {0}

        def tenth(done: int, total: int) -> None:
            if 10 * done // total not in tenths:
                tenths.add(10 * done // total)
                print(f"{done} of {total} runs", file=sys.stderr, flush=True)

        yield tenth
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (TextColumn("runs"), BarColumn(), MofNCompleteColumn(), Remaining())
    with Progress(*columns, console=console(sys.stderr), transient=True) as bar:
        task = bar.add_task("runs", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
