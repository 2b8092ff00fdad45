"""The ``argus-gym`` command."""

import inspect
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

import argus_gym
from argus_gym.run_data import InputError, RunData, load_run

if TYPE_CHECKING:
    from argus_gym.records import RoundRecord

__all__ = ["SUITES", "main"]

SUITES = {
    "throughput": "speed, import cost and memory",
    "chains": "consensus and final answers on chains that real models wrote",
    "premises": "the premise validator on real and on made problems",
    "calibration": "the simulated agent against the published runs",
    "lies": "the detectors on planted failures and on quiet runs",
    "closed_loop": "the gate's rules in closed loop",
}
"""Suites by name: a module of ``argus_gym.benchmarks`` each, and what it measures."""

PIPE_WIDTH = 120
"""Columns of tables where the output is not a terminal."""

# typer keeps its usage errors private; BadParameter is public and is one of them.
USAGE_ERRORS: type[Any] = typer.BadParameter.__mro__[1]

app = typer.Typer(
    help="Tell real self-improvement of language models from self-deception.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

JSON = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")]


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 2 bad option or input, 130 interrupted.

    Args:
        args: The arguments, those of the process where ``None``.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    words = list(sys.argv[1:] if args is None else args)
    try:
        code = app(args=words, prog_name="argus-gym", standalone_mode=False)
    except USAGE_ERRORS as error:
        _stop(_usage(error, words), 2, error.ctx.info_name if error.ctx else "")
    sys.exit(code or 0)


@app.callback(invoke_without_command=True)
def _root(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(f"argus-gym {argus_gym.__version__}")
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())


@app.command(
    "run",
    help="Watch one self-improvement run, from its first round to its receipt.\n\n"
    "Example: argus-gym run --seed 1 --rounds 5 --out runs/first",
)
def _run(
    seed: Annotated[int | None, typer.Option(help="Seed of everything. [default: 0]")] = None,
    rounds: Annotated[int | None, typer.Option(help="Rounds. [default: 15]")] = None,
    problems: Annotated[int | None, typer.Option(help="Problems a round. [default: 64]")] = None,
    k: Annotated[int | None, typer.Option(help="Chains a problem. [default: 14]")] = None,
    agent: Annotated[
        str | None, typer.Option(help="simulated, or replay with --chains. [default: simulated]")
    ] = None,
    chains: Annotated[
        Path | None, typer.Option(help="File or folder of recorded chain sets, for replay.")
    ] = None,
    planner: Annotated[
        str | None,
        typer.Option(
            help="uniform, weakest, learning_progress or most_learnable. [default: most_learnable]"
        ),
    ] = None,
    stack: Annotated[
        str | None, typer.Option(help="v4, v3.5, v3.4 or no-metacognition. [default: v4]")
    ] = None,
    compare: Annotated[
        str | None, typer.Option(help="Run this stack as well and print both side by side.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="New folder that keeps the run.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Continue the run in this folder.")] = None,
    as_json: JSON = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    from argus_gym import run as runs

    options = {
        "seed": seed,
        "rounds": rounds,
        "problems": problems,
        "k": k,
        "agent": agent,
        "chains": None if chains is None else str(chains),
        "planner": planner,
        "stack": stack,
    }
    given: dict[str, Any] = {name: v for name, v in options.items() if v is not None}
    folder = resume or out
    try:
        if resume is None:
            config, past = runs.RunConfig(**given), None
        elif out is None:
            config, past = runs.stored_config(resume), load_run(resume)
        else:
            raise InputError(f"--out {out} and --resume {resume}: expected one of the two")
        second = None if compare is None else replace(config, stack=compare)
        finished = past is not None and past.summary is not None
        done = len(past.rounds) if past else 0
        with _progress(done, config.rounds, quiet or finished) as on_round:
            if resume is None:
                result = runs.run(config, out=out, on_round=on_round)
            else:
                result = runs.resume(resume, given=given, on_round=on_round)
        other = None
        if second is not None:
            with _progress(0, config.rounds, quiet) as on_round:
                other = runs.run(second, on_round=on_round)
    except InputError as error:
        _stop(str(error), 2, "run")
    except KeyboardInterrupt:
        kept = folder is not None and folder.is_dir()
        again = f"continue with: argus-gym run --resume {shlex.quote(str(folder))}"
        _stop(f"interrupted; {again if kept else 'nothing was kept'}", 130, "run")
    if finished:
        print(f"{resume} is finished: nothing to continue", file=sys.stderr)
    if other is None:
        _report(result, as_json)
    elif as_json:
        _print_json({config.stack: result.summary, str(compare): other.summary})
    else:
        from argus_gym.comparison import side_by_side

        _report(result, as_json)
        pair = {config.stack: result, str(compare): other}
        _console(sys.stdout).print(side_by_side(pair))


@app.command(
    "bench",
    help="Measure one suite and print its table.\n\n"
    + "\n\n".join(f"{name}: {what}." for name, what in SUITES.items())
    + "\n\nExample: argus-gym bench chains --data data --json",
)
def _bench(
    suite: Annotated[str, typer.Argument(metavar="SUITE", help=f"One of {', '.join(SUITES)}.")],
    data: Annotated[
        Path | None, typer.Option(envvar="ARGUS_DATA", help="Folder with the real data.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of every draw.")] = 0,
    as_json: JSON = False,
) -> None:
    try:
        module, options = _suite(suite, data, seed)
        result = module.run(**options)
    except InputError as error:
        _stop(str(error), 2, "bench")
    except (OSError, ValueError) as error:
        # An error that names the data is about the data; any other is ours, and keeps its trace.
        if data is None or str(data) not in str(error):
            raise
        _stop(str(error), 2, "bench")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "argus_gym":
            raise
        needs = f'needs {error.name}: expected after pip install "argus-gym[dev]"'
        _stop(f"{suite} {needs}", 2, "bench")
    if as_json:
        _print_json(result)
    else:
        _console(sys.stdout).print(module.table(result))


def _suite(name: str, data: Path | None, seed: int) -> tuple[Any, dict[str, Any]]:
    """Return a suite's module and the options of its ``run``."""
    if name not in SUITES:
        raise InputError(f"SUITE must be one of {', '.join(SUITES)}, got {name!r}")
    if seed < 0:
        raise InputError(f"--seed must be at least 0, got {seed}")
    module = import_module(f"argus_gym.benchmarks.{name}")
    options: dict[str, Any] = {"seed": seed}
    wanted = inspect.signature(module.run).parameters.get("data")
    if wanted is not None:
        if data is None and wanted.default is inspect.Parameter.empty:
            raise InputError(f"{name} reads real data: expected its folder, --data DIR")
        if data is not None and not data.is_dir():
            raise InputError(f"--data must be a folder, got {data}")
        options["data"] = data
    elif data is not None and "ARGUS_DATA" not in os.environ:
        raise InputError(f"{name} reads no data: expected no --data, got {data}")
    return module, options


@contextmanager
def _progress(
    done: int, total: int, silent: bool
) -> Iterator[Callable[["RoundRecord"], None] | None]:
    """Show a bar on a terminal and one line for each finished round, on stderr."""
    if silent:
        yield None
        return
    if not sys.stderr.isatty():
        yield lambda record: print(_line(record), file=sys.stderr, flush=True)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (TextColumn("rounds"), BarColumn(), MofNCompleteColumn(), Remaining())
    with Progress(*columns, console=_console(sys.stderr), transient=True) as bar:
        task = bar.add_task("rounds", total=total, completed=done)

        def on_round(record: "RoundRecord") -> None:
            bar.console.print(_line(record), highlight=False, markup=False)
            bar.advance(task)

        yield on_round


def _line(record: "RoundRecord") -> str:
    zones = "  ".join(f"{z} {record.zone_count(z):>3}" for z in ("hard", "frontier", "easy"))
    return (
        f"round {record.round:>3}  reward {record.mean_reward:.3f}  {zones}  "
        f"trained {record.trained:>3}  replayed {record.replayed:>3}"
    )


def _report(result: RunData, as_json: bool) -> None:
    summary = result.summary
    assert summary is not None
    if as_json:
        _print_json(summary)
        return
    from argus_gym.receipt import receipt

    _console(sys.stdout).print(receipt(result.rounds, summary, result.ledger))


def _print_json(data: Any) -> None:
    from argus_gym.checkpoint import dumps
    from argus_gym.records import encode

    print(dumps(encode(data), indent=2), end="")


def _console(stream: Any) -> Any:
    from rich.console import Console

    return Console(file=stream, width=None if stream.isatty() else PIPE_WIDTH)


def _usage(error: Any, words: Sequence[str]) -> str:
    """Return a usage error's message with the value it is about, which typer may leave out."""
    message = str(error.format_message())
    for name in getattr(getattr(error, "param", None), "opts", ()):
        for word, following in zip(words, [*words[1:], ""], strict=True):
            value = following if word == name else word.removeprefix(f"{name}=")
            if value != word and repr(value) not in message:
                return f"{message}, got {value!r}"
    return message


def _stop(message: str, code: int, command: str = "") -> NoReturn:
    name = "argus-gym" if command in ("", "argus-gym") else f"argus-gym {command}"
    print(f"{name}: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)
