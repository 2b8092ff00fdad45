"""The ``argus-gym`` command: output, exit codes, one-line errors, interruption."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys

import pytest

from argus_gym import __version__, cli
from argus_gym.checkpoint import load_run

SMALL = ["--seed", "2", "--rounds", "3", "--problems", "4", "--k", "4"]
LONG = ["--seed", "2", "--rounds", "80", "--problems", "1", "--k", "2"]


@pytest.fixture
def call(capsys):
    """Call the command line in this process; return exit code, stdout and stderr."""

    def call(*args):
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            cli.main([str(a) for a in args])
        out, err = capsys.readouterr()
        return stop.value.code, out, err

    return call


def start(*args, **kwargs):
    """Start the command in a process of its own.

    Its pipes hold one page, so that ``LONG`` cannot end before its progress is read. It listens to
    Ctrl-C, also where whoever started the tests does not, as a shell's ``&`` in a script does.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "argus_gym", *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        pipesize=4096,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **kwargs,
    )


def first_line(process):
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(process.stderr.fileno(), 1)
    return line.decode()


def contents(path):
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "run"
    with pytest.raises(SystemExit) as stop:
        cli.main(["run", *SMALL, "--quiet", "--out", str(path)])
    assert not stop.value.code
    return path


def test_a_run_shows_its_rounds_and_its_receipt(call, whole, tmp_path):
    code, out, err = call("run", *SMALL, "--out", tmp_path / "run")
    assert code == 0
    assert [line.split()[:2] for line in err.splitlines()] == [["round", str(i)] for i in range(3)]
    summary = load_run(whole).summary
    assert out.startswith(summary["verdict"])
    for title in ("timeline", "capability map", "events"):
        assert title in out
    assert contents(tmp_path / "run") == contents(whole)


def test_json_is_all_that_stdout_holds(call, whole):
    code, out, err = call("run", *SMALL, "--json", "--quiet")
    assert (code, err) == (0, "")
    assert json.loads(out) == load_run(whole).summary


def test_the_module_and_a_terminal_give_the_same(whole, tmp_path):
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "argus_gym", "run", *SMALL, "--json"],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # Linux reports the end of a terminal as an error.
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert json.loads(out) == load_run(whole).summary
    text = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", shown).decode()
    assert all(f"round   {i}  reward" in text for i in range(3)) and "/3" in text


def test_resuming_a_finished_run_says_so(call, whole):
    code, out, err = call("run", "--resume", whole)
    assert code == 0 and err == f"{whole} is finished: nothing to continue\n"
    assert out.startswith(load_run(whole).summary["verdict"])
    code, out, _ = call("run", "--resume", whole, "--json", "--rounds", "3")
    assert code == 0 and json.loads(out) == load_run(whole).summary


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    path = tmp_path_factory.mktemp("long") / "run"
    with pytest.raises(SystemExit):
        cli.main(["run", *LONG, "--quiet", "--out", str(path)])
    return path


def test_a_killed_run_is_resumed(call, long, tmp_path):
    path = tmp_path / "run"
    with start("run", *LONG, "--out", path) as process:
        assert first_line(process).startswith("round   0")
        process.kill()
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL and not (path / "summary.json").exists()
    assert load_run(path).rounds
    code, _, err = call("run", "--resume", path)
    assert code == 0 and "round  79" in err and "round   0" not in err
    assert contents(path) == contents(long)


def test_ctrl_c_says_how_to_continue(call, long, tmp_path):
    path = tmp_path / "run"
    with start("run", *LONG, "--out", path) as process:
        assert first_line(process).startswith("round   0")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and out == b""
    message = f"argus-gym run: interrupted; continue with: argus-gym run --resume {path}"
    assert err.decode().splitlines()[-1] == message
    code, _, _ = call("run", "--resume", path)
    assert code == 0 and contents(path) == contents(long)


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (["run", "--rounds", "0"], "run: rounds must be at least 1, got 0"),
        (["run", "--rounds", "ten"], "run: (?=.*'ten').*'--rounds'.*valid integer"),
        (["run", "--k", "65"], "run: k must be at most 64, got 65"),
        (["run", "--seed", "-1"], "run: seed must be at least 0, got -1"),
        (["run", "--stack", "v9"], "run: stack must be one of .*got 'v9'"),
        (["run", "--compare", "v9"], "run: stack must be one of .*got 'v9'"),
        (["run", "--planner", "weakst"], "run: planner must be one of .*did you mean 'weakest'"),
        (["run", "--agent", "gpt"], "run: agent must be one of simulated, .*, got 'gpt'"),
        (["run", "--agent", "replay"], "run: chains must be a file or folder of chain sets"),
        (["run", "--chains", "c.jsonl"], "run: chains must be left out for agent simulated"),
        (["run", "--agent", "replay", "--chains", "no.jsonl"], "run: cannot read .*no.jsonl"),
        (["run", "--out", "{folder}"], "run: {folder} exists already: expected a new folder"),
        (["run", "--resume", "{folder}"], "run: {folder} is not a run folder: expected it to"),
        (["run", "--resume", "{folder}/no"], "run: {folder}/no is not a folder: expected a run"),
        (["run", "--resume", "a", "--out", "b"], "run: --out b and --resume a: expected one of"),
        (["run", "--loud"], "run: No such option.*--loud"),
        (["run", "more"], "run: .*unexpected extra argument.*more"),
        (["bench"], "bench: Missing argument.*SUITE"),
        (["bench", "speed"], "bench: SUITE must be one of throughput, .*, got 'speed'"),
        (["bench", "chains", "--data", "{folder}/no"], "bench: --data must be a folder, got .*/no"),
        (["bench", "chains"], "bench: chains reads real data: expected its folder, --data DIR"),
        (["bench", "throughput", "--data", "{folder}"], "bench: throughput reads no data"),
        (["bench", "throughput", "--seed", "-1"], "bench: --seed must be at least 0, got -1"),
        (["walk"], " ?No such command 'walk'"),
    ],
)
def test_errors_are_one_line_and_exit_2(call, args, error, tmp_path, monkeypatch):
    monkeypatch.delenv("ARGUS_DATA", raising=False)
    code, out, err = call(*(a.replace("{folder}", str(tmp_path)) for a in args))
    assert (code, out) == (2, "") and err.count("\n") == 1
    pattern = error.replace("{folder}", re.escape(str(tmp_path)))
    assert re.match(f"argus-gym:? ?{pattern}", err), err


def test_other_settings_on_resume_are_an_error(call, whole):
    code, out, err = call("run", "--resume", whole, "--seed", "9")
    assert (code, out) == (2, "")
    assert err == (
        f"argus-gym run: seed is 9, but the run in {whole} was started with 2: "
        "leave it out or start a new run\n"
    )


def test_a_corrupted_file_is_named(call, whole, tmp_path):
    shutil.copytree(whole, tmp_path / "run")
    file = tmp_path / "run" / "rounds.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"round": 1', b'"round": 7', 1))
    code, out, err = call("run", "--resume", tmp_path / "run")
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert f"{file}, line 2: not what the run wrote; expected" in err


def test_a_bad_line_of_the_chains_is_named(call, tmp_path):
    chains = tmp_path / "chains.jsonl"
    chains.write_text('{"problem": "p", "chains": ["#### 1"], "answer": 1}\n{"problem": "q"}\n')
    code, out, err = call("run", "--agent", "replay", "--chains", chains)
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert f"{chains}, line 2: expected" in err


def test_an_internal_error_keeps_its_traceback(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import argus_gym.premise\n"
        "def check(text): raise ZeroDivisionError('inside')\n"
        "argus_gym.premise.check = check\n"
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    with start("run", *SMALL, env=os.environ | {"PYTHONPATH": path}) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"Traceback" in err and err.endswith(b"ZeroDivisionError: inside\n")


def test_a_missing_extra_is_named(call, monkeypatch, tmp_path):
    monkeypatch.setitem(cli.SUITES, "missing", "a suite that needs a package that is not there")
    module = type(sys)("argus_gym.benchmarks.missing")

    def run(seed):
        import a_package_that_is_not_there  # noqa: F401

    module.run = run
    monkeypatch.setitem(sys.modules, "argus_gym.benchmarks.missing", module)
    code, out, err = call("bench", "missing")
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert "needs a_package_that_is_not_there" in err and 'pip install "argus-gym[dev]"' in err


@pytest.mark.parametrize("name", cli.SUITES)
def test_every_suite_has_what_the_command_calls(name):
    from importlib import import_module
    from inspect import signature

    module = import_module(f"argus_gym.benchmarks.{name}")
    assert "seed" in signature(module.run).parameters
    shown = getattr(module, "tables", None) or module.table
    assert list(signature(shown).parameters) == ["result"]


@pytest.mark.parametrize("args", [["--help"], [], ["run", "--help"], ["bench", "-h"]])
def test_help_is_plain_and_shows_an_example(call, args):
    code, out, err = call(*args)
    assert code == 0 and err == "" and "Usage: argus-gym" in out
    if args and args[0] in ("run", "bench"):
        assert f"Example: argus-gym {args[0]}" in out and "--seed" in out and "--json" in out
        assert "[default: " in out or args[0] == "bench"


def test_the_example_of_the_help_runs(call, tmp_path, monkeypatch):
    _, out, _ = call("run", "--help")
    example = re.search(r"Example: argus-gym (.*)", out).group(1).split()
    monkeypatch.chdir(tmp_path)
    code, _, _ = call(*example, "--problems", "2", "--quiet")
    assert code == 0 and load_run(tmp_path / "runs" / "first").summary


def test_version(call):
    assert call("--version") == (0, f"argus-gym {__version__}\n", "")


def test_compare_runs_the_second_stack_on_the_same_seed(call):
    code, out, _ = call("run", *SMALL, "--quiet", "--compare", "no-metacognition")
    assert code == 0
    assert "side by side, seed 2" in out
    assert "defensive events" in out
    code, out, _ = call("run", *SMALL, "--quiet", "--json", "--compare", "no-metacognition")
    both = json.loads(out)
    assert list(both) == ["v4", "no-metacognition"]
    alone = json.loads(call("run", *SMALL, "--quiet", "--json", "--stack", "no-metacognition")[1])
    assert both["no-metacognition"] == alone
