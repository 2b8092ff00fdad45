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
    workers: Annotated[int | None, typer.Option(help="Processes. [default: 2]")] = None,
    ray: Annotated[
        str | None, typer.Option(help="Address of a Ray cluster to run on, or local.")
    ] = None,
    as_json: JSON = False,
) -> None:
    given = {
        "data": data,
        "quick": quick or None,
        "out": out,
        "worlds": world,
        "stack": stack,
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
        _stop(str(error), 2, "bench")
    except KeyboardInterrupt:
        kept = "nothing was kept" if out is None else f"--out {out} goes on from here"
        _stop(f"interrupted; {kept}", 130, "bench")
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
        for table in tables:
            _console(sys.stdout).print(table)


@app.command(
    "report",
    help="Write one self-contained page on one or several run folders.\n\n"
    "Example: argus-gym report runs/first runs/second -o report.html",
)
def _report_page(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The page; only an earlier report is replaced.")
    ] = Path("report.html"),
    as_json: JSON = False,
) -> None:
    from argus_gym.report import write_report

    try:
        done = write_report(runs, out)
    except InputError as error:
        _stop(str(error), 2, "report")
    for run in done:
        for sentence in run.left_out:
            print(f"argus-gym report: {run.name}: {sentence}", file=sys.stderr)
    size = out.stat().st_size
    if as_json:
        said = [{"run": r.name, "state": r.status, "left_out": list(r.left_out)} for r in done]
        _print_json({"out": str(out), "bytes": size, "runs": said})
    else:
        print(f"{out}: {len(done)} run{'s' * (len(done) > 1)}, {size / 1e6:.1f} MB")


@app.command(
    "audit",
    help="Check training logs made elsewhere: what went wrong, when, and on what evidence.\n\n"
    "Reads TRL's trainer_state.json, JSON-lines (verl and others), CSV (W&B exports too), "
    "and TensorBoard event files or folders.\n\n"
    "Exit code: 0 quiet, 1 a check fired, 2 a file cannot be used.\n\n"
    "Example: argus-gym audit trainer_state.json --map heldout=eval/gsm8k",
)
def _audit(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Logs to check.")],
    columns: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="SIGNAL=COLUMN", help="Name a column; repeatable."),
    ] = None,
    items: Annotated[
        int | None,
        typer.Option(help="Problems of a held-out evaluation. [default: read off its scores]"),
    ] = None,
    as_json: JSON = False,
) -> int:
    from argus_gym.audit import report as reports
    from argus_gym.audit.auditing import audit
    from argus_gym.audit.signals import read_map

    done, unusable = [], 0
    try:
        mapping = read_map(columns or [])
        if items is not None and items < 1:
            raise InputError(f"--items must be at least 1, got {items}")
    except InputError as error:
        _stop(str(error), 2, "audit")
    for path in files:
        try:
            done += audit(path, mapping, items)
        except InputError as error:
            unusable += 1
            print(f"argus-gym audit: {' '.join(str(error).split())}", file=sys.stderr)
    if as_json:
        _print_json(reports.as_data(done))
    else:
        for one in done:
            _console(sys.stdout).print(reports.report(one))
    return 2 if unusable else int(any(one.fired for one in done))


@app.command(
    "serve",
    help="Serve the environment: OpenEnv, plain HTTP with sessions, and the page at /.\n\n"
    "Example: argus-gym serve --port 8000 --runs runs",
)
def _serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 for any free one.")] = 8000,
    sessions: Annotated[int, typer.Option(help="Most sessions at once.")] = 64,
    idle: Annotated[float, typer.Option(help="Seconds unused until a session ends.")] = 3_600.0,
    runs: Annotated[
        Path | None, typer.Option(help="Folder that keeps each run, to be resumed after a crash.")
    ] = None,
    token: Annotated[
        str | None, typer.Option(envvar="ARGUS_TOKEN", help="Bearer token clients have to send.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the runs whose client gives none.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(envvar="ARGUS_DATA", help="Folder with the published runs, for the page."),
    ] = None,
    as_json: JSON = False,
) -> None:
    def started(url: str) -> None:
        if as_json:
            _print_json({"url": url, "sessions": sessions, "idle": idle})
        else:
            print(f"argus-gym is at {url}; end it with Ctrl-C")
        sys.stdout.flush()

    for name, value, fits, rule in (
        ("port", port, 0 <= port <= 65_535, "in [0, 65535]"),
        ("sessions", sessions, sessions >= 1, "at least 1"),
        ("idle", idle, idle > 0, "positive"),
        ("seed", seed, seed is None or seed >= 0, "at least 0"),
        ("token", token, token is None or token.strip() != "", "not empty"),
        ("data", data, data is None or data.is_dir(), "a folder"),
    ):
        if not fits:
            _stop(f"--{name} must be {rule}, got {value!r}", 2, "serve")
    try:
        from argus_gym.server.app import main as serve

        options = {"sessions": sessions, "idle": idle, "runs": runs, "token": token, "seed": seed}
        serve(host, port, started, data=data, **options)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "argus_gym":
            raise
        needs = f'needs {error.name}: expected after pip install "argus-gym[serve]"'
        _stop(needs, 2, "serve")
    except OSError as error:
        _stop(f"cannot listen on {host} port {port}: {error.strerror or error}", 2, "serve")


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
    with Progress(*columns, console=_console(sys.stderr), transient=True) as bar:
        task = bar.add_task("runs", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


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
