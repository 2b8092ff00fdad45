"""The ``argus-gym`` command."""

import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

import argus_gym
from argus_gym.cli_bench import HELP, SUITES, bench
from argus_gym.cli_output import JSON, console, print_json, stop
from argus_gym.run_data import InputError, RunData, load_run

if TYPE_CHECKING:
    from argus_gym.records import RoundRecord

__all__ = ["SUITES", "main"]

# typer keeps its usage errors private; BadParameter is public and is one of them.
USAGE_ERRORS: type[Any] = typer.BadParameter.__mro__[1]

app = typer.Typer(
    help="Tell real self-improvement of language models from self-deception.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit.

    0: done, 1: out of memory, 2: bad option or input, 130: interrupted.

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
        stop(_usage(error, words), 2, error.ctx.info_name if error.ctx else "")
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
        str | None,
        typer.Option(
            help="simulated, replay with --chains, tiny (a language model that comes along), or "
            "hf with --model. [default: simulated]"
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Local path or hub name of a language model, for hf.")
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="float32, bfloat16, int8 or nf4. [default: float32]")
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
        "model": model,
        "precision": precision,
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
        stop(str(error), 2, "run")
    except (KeyboardInterrupt, MemoryError) as error:
        what, code = (str(error), 1) if isinstance(error, MemoryError) else ("interrupted", 130)
        kept = folder is not None and folder.is_dir()
        again = f"continue with: argus-gym run --resume {shlex.quote(str(folder))}"
        stop(f"{what}; {again if kept else 'nothing was kept'}", code, "run")
    if finished:
        print(f"{resume} is finished: nothing to continue", file=sys.stderr)
    if other is None:
        _report(result, as_json)
    elif as_json:
        print_json({config.stack: result.summary, str(compare): other.summary})
    else:
        from argus_gym.comparison import side_by_side

        _report(result, as_json)
        pair = {config.stack: result, str(compare): other}
        console(sys.stdout).print(side_by_side(pair))


app.command("bench", help=HELP)(bench)


@app.command(
    "train",
    help="Train PPO or a bandit on numeric learners, then compare it with the uniform choice on "
    "learners it never saw.\n\n"
    "Example: argus-gym train --algo ppo --reward consensus --world shallow",
)
def _train(
    algo: Annotated[str, typer.Option(help="ppo, bandit or uniform.")] = "ppo",
    reward: Annotated[
        str, typer.Option(help="consensus, retest, anchor, or oracle for study only.")
    ] = "consensus",
    steps: Annotated[int, typer.Option(help="Steps of all learners together.")] = 300_000,
    seed: Annotated[int, typer.Option(help="Seed of everything.")] = 0,
    world: Annotated[
        str, typer.Option(help="default, or shallow, where short problems teach little.")
    ] = "default",
    gate: Annotated[
        str | None, typer.Option(help="Rule that decides on learning steps, as certified.")
    ] = None,
    stack: Annotated[
        str | None, typer.Option(help="Gate and detectors: v4, v3.5 or v3.4; slow.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="New folder for the result and the agent.")
    ] = None,
    as_json: JSON = False,
) -> None:
    from argus_gym import train as training
    from argus_gym.train_setup import Config

    def on_point(point: training.Point) -> None:
        if not as_json:
            line = (
                "{steps:>9,.0f} steps  reward {reward:.4f}  true accuracy {start:.3f} to {end:.3f}"
            )
            print(line.format(**point), file=sys.stderr, flush=True)

    try:
        config = Config(algo, reward, steps, seed, world, gate, stack)
        result = training.train(config, out=out, on_point=on_point)
    except InputError as error:
        stop(str(error), 2, "train")
    except KeyboardInterrupt:
        stop("interrupted; nothing was kept", 130, "train")
    if as_json:
        print_json(result)
    else:
        console(sys.stdout).print(training.table(result))


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
        stop(str(error), 2, "report")
    for run in done:
        for sentence in run.left_out:
            print(f"argus-gym report: {run.name}: {sentence}", file=sys.stderr)
    size = out.stat().st_size
    if as_json:
        said = [{"run": r.name, "state": r.status, "left_out": list(r.left_out)} for r in done]
        print_json({"out": str(out), "bytes": size, "runs": said})
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
        stop(str(error), 2, "audit")
    for path in files:
        try:
            done += audit(path, mapping, items)
        except InputError as error:
            unusable += 1
            print(f"argus-gym audit: {' '.join(str(error).split())}", file=sys.stderr)
    if as_json:
        print_json(reports.as_data(done))
    else:
        for one in done:
            console(sys.stdout).print(reports.report(one))
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
            print_json({"url": url, "sessions": sessions, "idle": idle})
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
            stop(f"--{name} must be {rule}, got {value!r}", 2, "serve")
    try:
        from argus_gym.server.app import main as serve

        options = {"sessions": sessions, "idle": idle, "runs": runs, "token": token, "seed": seed}
        serve(host, port, started, data=data, **options)
    except InputError as error:
        stop(str(error), 2, "serve")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "argus_gym":
            raise
        needs = f'needs {error.name}: expected after pip install "argus-gym[serve]"'
        stop(needs, 2, "serve")
    except OSError as error:
        stop(f"cannot listen on {host} port {port}: {error.strerror or error}", 2, "serve")


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
    with Progress(*columns, console=console(sys.stderr), transient=True) as bar:
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
        print_json(summary)
        return
    from argus_gym.receipt import receipt

    console(sys.stdout).print(receipt(result.rounds, summary, result.ledger))


def _usage(error: Any, words: Sequence[str]) -> str:
    """Return a usage error's message with the value it is about, which typer may leave out."""
    message = str(error.format_message())
    for name in getattr(getattr(error, "param", None), "opts", ()):
        for word, following in zip(words, [*words[1:], ""], strict=True):
            value = following if word == name else word.removeprefix(f"{name}=")
            if value != word and repr(value) not in message:
                return f"{message}, got {value!r}"
    return message
