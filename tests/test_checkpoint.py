"""Run folders: crashes at every write, torn and corrupted files, hostile text."""

import dataclasses
import errno
import json
import os
import random
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argus_gym import checkpoint
from argus_gym.checkpoint import InputError, RunFolder, dumps, load_run
from argus_gym.run import RunConfig, resume, run

SMALL = RunConfig(seed=5, rounds=2, problems=2, k=3)
LOGGED = ("config.json", "rounds.jsonl", "ledger.jsonl")


class Crash(BaseException):
    """The machine stops here."""


class FailingOS:
    """The ``os`` module of a machine that stops at a given operation on the disk.

    A write that it stops in leaves a random number of its first bytes. Every later operation stops
    too, so that no clean-up runs that a real crash would not run.
    """

    def __init__(self, stop_at, rng):
        self.left, self.rng, self.count = stop_at, rng, 0

    def __getattr__(self, name):
        real = getattr(os, name)
        if name not in ("open", "write", "fsync", "replace", "rename", "mkdir", "ftruncate"):
            return real

        def call(*args, **kwargs):
            self.count += 1
            self.left -= 1
            if self.left == 0 and name == "write":
                fd, data = args
                os.write(fd, data[: self.rng.randint(0, len(data))])
            if self.left <= 0:
                raise Crash
            # Flushing is counted and left out: what is not flushed is torn by hand, above.
            return None if name == "fsync" else real(*args, **kwargs)

        return call


def attempt(path, stop_at, rng, monkeypatch):
    """Start or continue the run until it ends or the machine stops; return operations done."""
    machine = FailingOS(stop_at, rng)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "os", machine)
        try:
            resume(path) if path.exists() else run(SMALL, out=path)
        except Crash:
            return None
    return machine.count


def contents(path):
    """Return every file's bytes and every folder, by relative path."""
    return {
        str(p.relative_to(path)): p.read_bytes() if p.is_file() else None
        for p in sorted(path.rglob("*"))
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "run"
    run(SMALL, out=path)
    return path


@pytest.fixture
def unfinished(whole, tmp_path):
    """A run that stopped just before its end."""
    path = tmp_path / "unfinished"
    shutil.copytree(whole, path)
    (path / "summary.json").unlink()
    return path


def test_the_folder_holds_what_is_documented(whole):
    files = {"config.json", "rounds.jsonl", "ledger.jsonl", "external.json", "summary.json"}
    assert {p.name for p in whole.iterdir()} == files | {"checkpoints"}
    assert [p.name for p in sorted((whole / "checkpoints").iterdir())] == ["0000", "0001", "0002"]
    for folder in (whole / "checkpoints").iterdir():
        assert {p.name for p in folder.iterdir()} == {"env.json", "agent.json", "checkpoint.json"}
    assert all(data is None or data.isascii() for data in contents(whole).values())


def test_a_crash_at_every_operation_is_survived(whole, tmp_path, monkeypatch):
    expected, rng = contents(whole), random.Random(0)
    path = tmp_path / "run"
    operations = attempt(path, 10**9, rng, monkeypatch)
    assert operations > 50
    for stop_at in range(1, operations + 1):
        shutil.rmtree(path, ignore_errors=True)
        assert attempt(path, stop_at, rng, monkeypatch) is None
        assert attempt(path, 10**9, rng, monkeypatch) is not None
        assert contents(path) == expected, stop_at
    assert os.listdir(tmp_path) == ["run"]


@pytest.mark.parametrize("seed", range(8))
def test_crashes_on_crashes_are_survived(whole, tmp_path, monkeypatch, seed):
    path, rng, crashes = tmp_path / "run", random.Random(seed), 0
    while attempt(path, rng.randint(1, 60), rng, monkeypatch) is None:
        crashes += 1
    assert crashes and contents(path) == contents(whole)


@pytest.mark.parametrize("log", ["rounds.jsonl", "ledger.jsonl"])
@pytest.mark.parametrize("tail", [b"{", b'{"round": 2}\n', b"\xff\x00\n" * 9])
def test_what_came_after_the_checkpoint_is_cut_off(whole, unfinished, log, tail):
    with (unfinished / log).open("ab") as file:
        file.write(tail)
    assert len(load_run(unfinished).rounds) == 2
    resume(unfinished)
    assert contents(unfinished) == contents(whole)


def test_a_run_without_a_checkpoint_starts_again(whole, unfinished):
    shutil.rmtree(unfinished / "checkpoints")
    data = load_run(unfinished)
    assert (data.rounds, data.ledger, data.summary) == ((), (), None)
    resume(unfinished)
    assert contents(unfinished) == contents(whole)


def test_a_broken_checkpoint_can_be_removed(whole, unfinished):
    (unfinished / "checkpoints" / "0002" / "agent.json").write_text("{}")
    with pytest.raises(InputError, match=r"0002/agent.json: expected .* remove .*0002 to fall"):
        resume(unfinished)
    shutil.rmtree(unfinished / "checkpoints" / "0002")
    resume(unfinished)
    assert contents(unfinished) == contents(whole)


def test_what_is_loaded_is_what_was_run(whole):
    result = run(SMALL)
    data = load_run(whole)
    assert dumps(checkpoint.encode(data.rounds)) == dumps(checkpoint.encode(result.rounds))
    assert data.ledger == result.ledger and data.summary == result.summary
    assert data.config == result.config


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_a_changed_byte_is_named_or_harmless(whole, tmp_path_factory, data):
    path = tmp_path_factory.mktemp("changed") / "run"
    shutil.copytree(whole, path)
    finished = data.draw(st.booleans())
    if not finished:
        (path / "summary.json").unlink()
    last = [f"checkpoints/0002/{name}.json" for name in ("env", "agent", "checkpoint")]
    also = ["summary.json", "external.json"] if finished else last
    name = data.draw(st.sampled_from([*LOGGED, *also]))
    raw = bytearray((path / name).read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    (path / name).write_bytes(raw)
    before = load_run(whole)
    try:
        after = load_run(path)
    except InputError as error:
        message = str(error)
        assert str(path) in message and "\n" not in message
        if name in LOGGED[1:]:
            line = raw[:at].count(b"\n") + 1
            assert f"{name}, line " in message
            assert int(message.split("line ")[1].split(":")[0]) <= line
    else:
        # Only the two manifests have bytes that no digest covers: blanks, and the summary's own.
        assert name.endswith(("checkpoint.json", "summary.json"))
        assert checkpoint.encode(after.rounds) == checkpoint.encode(before.rounds)
        assert after.ledger == before.ledger and after.config == before.config
    shutil.rmtree(path)


@pytest.mark.parametrize("line", [1, 2])
def test_the_corrupted_line_is_named(unfinished, line):
    file = unfinished / "rounds.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    lines[line - 1] = lines[line - 1].replace('"round": ', '"round":  ', 1)
    file.write_text("".join(lines))
    with pytest.raises(InputError, match=rf"rounds\.jsonl, line {line}: not what the run wrote"):
        load_run(unfinished)


def test_a_folder_that_exists_is_not_overwritten(tmp_path):
    with pytest.raises(InputError, match="exists already: expected a new folder"):
        run(SMALL, out=tmp_path)
    assert not list(tmp_path.iterdir())
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        run(SMALL, out=file)
    with pytest.raises(InputError, match="cannot make the folder"):
        run(SMALL, out=file / "run")
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, "is not a run folder: expected it to hold config.json"),
        ("", "config.json, line 1: expected a JSON object"),
        ("[]", "config.json: expected a JSON object, got list"),
        ('{"format": 1,\n"seed": 0,}', "config.json, line 2: expected a JSON object"),
        ('{"format": 1, "seed": NaN}', "config.json: expected a JSON object .NaN is not JSON"),
        ("é", "config.json: expected a JSON object"),
        ("[" * 100_000, "config.json: expected a JSON object"),
        ('{"format": 2}', 'config.json: expected "format": 1'),
    ],
)
def test_what_is_not_a_run_folder_is_named(tmp_path, config, message):
    if config is not None:
        (tmp_path / "config.json").write_text(config, "utf-8")
    for read in (load_run, resume):
        with pytest.raises(InputError, match=message):
            read(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(unfinished, monkeypatch):
    class ReadOnly:
        def __getattr__(self, name):
            if name == "ftruncate":
                raise PermissionError(errno.EACCES, "Permission denied")
            return getattr(os, name)

    monkeypatch.setattr(checkpoint, "os", ReadOnly())
    with pytest.raises(InputError, match=r"cannot continue .*unfinished: Permission denied"):
        resume(unfinished)


def test_a_missing_folder_is_named(tmp_path):
    for read in (load_run, resume):
        with pytest.raises(InputError, match="nowhere is not a folder: expected a run folder"):
            read(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("{}", "expected bytes and sha256 of config.json, rounds.jsonl, ledger.jsonl"),
        ('{"run": {"rounds.jsonl": 3}}', "expected bytes and sha256 of config.json"),
    ],
)
def test_a_checkpoint_without_its_notes_is_named(unfinished, manifest, message):
    (unfinished / "checkpoints" / "0002" / "checkpoint.json").write_text(manifest)
    with pytest.raises(InputError, match=f"0002/checkpoint.json: {message}"):
        load_run(unfinished)


def test_one_process_at_a_time(unfinished):
    with (
        RunFolder.resume(unfinished),
        pytest.raises(InputError, match="in use by another process"),
    ):
        resume(unfinished)
    resume(unfinished)


@settings(deadline=None, max_examples=30)
@given(text=st.text(st.characters(), max_size=40), because=st.text(st.characters(), max_size=9))
def test_any_text_of_a_model_survives(whole, tmp_path_factory, text, because):
    record = load_run(whole).rounds[0]
    problem = dataclasses.replace(record.problems[0], problem=text, answer=text)
    record = dataclasses.replace(record, problems=(problem,))
    event = {"round": 0, "event": "x", "because": because, "action": "none"}
    path = tmp_path_factory.mktemp("text") / "run"
    with RunFolder.create(path, {}) as folder:
        folder.save([record], json.dumps(event) + "\n", {}, lambda file: file.write_text("{}"))
    data = load_run(path)
    assert data.rounds[0].problems == (problem,) and data.ledger == (event,)
    shutil.rmtree(path)


def test_json_is_ascii_and_has_no_nan():
    assert dumps({"b": "\ud800é\u2028", "a": 1}) == '{"b": "\\ud800\\u00e9\\u2028", "a": 1}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        dumps(float("nan"))
