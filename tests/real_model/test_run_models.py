"""Runs with a model of one's own: what the folder remembers of it, and what stops a run."""

import shutil

import pytest

from argus_gym.agents.hf import HFAgent
from argus_gym.cli import main
from argus_gym.run import RunConfig, resume, run, stored_config
from argus_gym.run_data import InputError

SMALL = {"rounds": 2, "problems": 2, "k": 2, "stack": "no-metacognition"}


class Stop(Exception):
    pass


def stop(record):
    raise Stop


@pytest.fixture
def cut(model_path, tmp_path, monkeypatch):
    """A folder with a model, and a run on it that was given a relative path and interrupted."""
    monkeypatch.setattr("argus_gym.run.REPORT", 2)
    monkeypatch.setattr("argus_gym.run.SAMPLES", 2)
    shutil.copytree(model_path, tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Stop):
        run(RunConfig(agent="hf", model="model", **SMALL), out=tmp_path / "cut", on_round=stop)
    return tmp_path


def test_a_run_goes_on_from_another_folder(cut, monkeypatch):
    (cut / "elsewhere").mkdir()
    monkeypatch.chdir(cut / "elsewhere")
    assert stored_config(cut / "cut").model == str(cut / "model")
    assert resume(cut / "cut", given={"model": "../model"}).summary is not None


def test_a_run_does_not_go_on_with_other_weights(cut, make_model):
    make_model(cut / "model", seed=1)
    with pytest.raises(InputError, match="started with model_sha256"):
        resume(cut / "cut")


def test_precision_is_for_models_of_ones_own():
    with pytest.raises(InputError, match="one of float32 for agent tiny, got 'nf4'"):
        RunConfig(agent="tiny", precision="nf4")


@pytest.mark.parametrize("kept", [True, False])
def test_out_of_memory_is_one_line_with_advice(model_path, tmp_path, monkeypatch, capsys, kept):
    def full(*_):
        raise MemoryError("out of memory with a single sequence: use a smaller model")

    monkeypatch.setattr(HFAgent, "solve", full)
    out = tmp_path / "run"
    words = ["run", "--agent", "hf", "--model", str(model_path), "--rounds", "1"]
    with pytest.raises(SystemExit) as ended:
        main([*words, *(["--out", str(out)] if kept else [])])
    assert ended.value.code == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert "use a smaller model; " in line
    assert (f"continue with: argus-gym run --resume {out}" in line) == kept
