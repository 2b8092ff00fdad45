"""Series of a run in other people's loggers."""

import json
import math
import pickle
import sys
from dataclasses import replace

import gymnasium as gym
import pytest
from detecting import problem, record
from gymnasium.envs.registration import EnvSpec

from argus_gym.agents import rollout
from argus_gym.agents.mechanisms import PlantedAgent
from argus_gym.audit import audit, read
from argus_gym.records import LieReport, Verdict, encode
from argus_gym.wrappers import StabilityIndex, series_log, stack
from argus_gym.wrappers.series_log import SeriesLog, open_writer, round_series

KWARGS = {"rounds": 8, "problems_per_round": 16, "k": 6, "anchor_items": 6, "retest_chains": 4}


class Memory:
    """A writer that keeps what it is given."""

    opened = ()

    def __init__(self, folder):
        self.folder, self.series, self.closed = folder, {}, False
        Memory.opened = (*Memory.opened, self)

    def write(self, step, series):
        self.series[step] = dict(series)

    def close(self):
        self.closed = True


@pytest.fixture
def memory(monkeypatch):
    monkeypatch.setattr(Memory, "opened", ())
    # "json" is a package that is always there.
    monkeypatch.setitem(series_log.LOGGERS, "json", (Memory, "nothing to install"))
    return Memory


def run(env, seed=1):
    agent = PlantedAgent(seed, "E", onset=3, severity=2.0)
    result = rollout(env, agent, seed=seed)
    env.close()
    return result


def make():
    return stack(gym.make("argus_gym:ArgusSelfImprove-v0", **KWARGS), "v4")


def test_every_round_is_written_and_nothing_else_changes(tmp_path, memory):
    plain = run(make())
    watched = run(SeriesLog(make(), path=str(tmp_path), to="json"))
    assert json.dumps(encode(plain)) == json.dumps(encode(watched))
    (log,) = memory.opened
    assert log.closed and list(log.series) == list(range(8))
    for r in watched.rounds:
        series = log.series[r.round]
        assert series["argus/reward"] == r.mean_reward
        assert series["argus/gauges/anchor_accuracy"] == r.gauges["anchor_accuracy"]
        assert series["argus/gate/refused"] == (r.verdict.decision == "REFUSE")
        assert series["argus/answers/solve"] == r.answers["solve"]
        assert all(math.isfinite(v) for v in series.values())
    for report in watched.lies:
        series = log.series[report.round]
        assert series[f"argus/lies/{report.name}/fired"] == report.fired
        assert series.get(f"argus/lies/{report.name}/score", math.nan) == pytest.approx(
            report.score, nan_ok=True
        )


def test_monitors_inside_are_written_too(tmp_path, memory):
    run(SeriesLog(StabilityIndex(make()), path=str(tmp_path), to="json"))
    assert "argus/stability/spsi" in memory.opened[0].series[0]


def test_each_run_has_a_folder_of_its_own(tmp_path, memory):
    (tmp_path / "run-001").mkdir()
    env = SeriesLog(make(), path=str(tmp_path), to="json")
    for seed in (1, 2):
        rollout(env, PlantedAgent(seed, "E", onset=3, severity=2.0), seed=seed)
    assert [log.folder.name for log in memory.opened] == ["run-000", "run-002"]
    assert all(log.closed for log in memory.opened)
    env.reset(seed=3)
    assert len(memory.opened) == 2


def test_what_was_not_measured_is_left_out():
    one = record(0, [problem()], gauges={"epi_train": math.nan, "past_delta": 0.5})
    lies = {"x": LieReport("A", "x", 0, math.nan, False)}
    series = round_series(one, lies)
    assert series["argus/gauges/past_delta"] == 0.5 and series["argus/lies/x/fired"] == 0.0
    assert not {"argus/gauges/epi_train", "argus/lies/x/score"} & set(series)
    assert "argus/gate/refused" not in series
    assert "argus/chain_length" not in round_series(record(0, []))


def test_the_last_word_on_the_step_is_written():
    own = Verdict("COMMIT", "certified", 0, answers=5)
    one = replace(record(0, [problem()]), verdict=own)
    assert round_series(one)["argus/gate/refused"] == 0.0
    later = Verdict("REFUSE", "forgetting", 0, severity=1.0)
    assert round_series(one, verdict=later)["argus/gate/refused"] == 1.0


def test_spec_and_pickle_rebuild_it(tmp_path, memory):
    env = SeriesLog(make(), path=str(tmp_path), to="json")
    assert gym.make(EnvSpec.from_json(env.spec.to_json())).path == tmp_path
    assert pickle.loads(pickle.dumps(env)).to == "json"


def test_an_unknown_logger_and_a_missing_package_are_named(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="to must be one of tensorboard, wandb, trackio, got 'x'"):
        SeriesLog(make(), path=str(tmp_path), to="x")
    monkeypatch.setitem(series_log.LOGGERS, "no_such_package", (Memory, "pip install it"))
    for call in (
        lambda: SeriesLog(make(), path=str(tmp_path), to="no_such_package"),
        lambda: open_writer("no_such_package", tmp_path),
    ):
        with pytest.raises(ImportError, match="needs no_such_package: pip install it") as error:
            call()
        assert "\n" not in str(error.value)


def test_round_trip_through_tensorboard(tmp_path):
    pytest.importorskip("tensorboard")
    result = run(SeriesLog(make(), path=str(tmp_path)))
    (log,) = read(tmp_path / "run-000")
    assert log.format == "TensorBoard" and log.rows == 8
    found = {s.column: s.arrays() for s in log.series}
    steps, reward = found["argus/reward"]
    assert steps.tolist() == list(range(8))
    assert reward == pytest.approx([r.mean_reward for r in result.rounds], rel=1e-6)
    (one,) = audit(tmp_path / "run-000")
    rounds = [report.round for report in result.lies if report.fired]
    assert [o.check for o in one.fired] == ["a detector fired"]
    assert one.fired[0].alarm.step == min(rounds)


def test_a_damaged_event_file_is_read_as_far_as_it_goes(tmp_path):
    pytest.importorskip("tensorboard")
    run(SeriesLog(make(), path=str(tmp_path)))
    (file,) = (tmp_path / "run-000").iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    (log,) = read(file)
    assert 0 < log.rows < 8
    for junk in (b"", b"junk" * 100, bytes(400)):
        file.write_bytes(junk)
        with pytest.raises(ValueError, match="no rows"):
            read(file)


def test_event_files_without_their_reader_name_the_command(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.setitem(sys.modules, "tensorboard.backend.event_processing.event_file_loader", None)
    (tmp_path / "events.out.tfevents.1").write_bytes(b"x")
    with pytest.raises(ValueError, match=r'pip install "argus-gym\[loggers\]"'):
        audit(tmp_path)
