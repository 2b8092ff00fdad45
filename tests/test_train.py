"""``argus-gym train``: what it reports, what it keeps, what it refuses."""

import json
import sys

import gymnasium as gym
import numpy as np
import pytest

from argus_gym import cli, train_setup
from argus_gym import train as training
from argus_gym.run_data import InputError
from argus_gym.train_setup import Config, make


@pytest.fixture(autouse=True)
def small(monkeypatch):
    world = {"rounds": 2, "problems_per_round": 8, "k": 4, "anchor_items": 8}
    monkeypatch.setitem(train_setup.WORLDS, "default", world)
    monkeypatch.setattr(training, "COPIES", 4)
    monkeypatch.setattr(training.meet, "__defaults__", (6,))


def call(capsys, *args):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["train", *map(str, args)])
    out, err = capsys.readouterr()
    return stopped.value.code, out, err


@pytest.mark.parametrize("algo", ["bandit", "uniform", "ppo"])
@pytest.mark.parametrize("reward", ["consensus", "anchor"])
def test_a_run_is_reported_the_same_twice(algo, reward):
    if algo == "ppo":
        pytest.importorskip("torch")
    config = Config(algo, reward, steps=200, seed=3)
    result = training.train(config)
    assert result == training.train(config)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert [point["steps"] for point in result["curve"]][:2] == [64, 128]
    assert sum(result["fresh"]["steps"]) == pytest.approx(1.0)
    assert result["fresh"]["agent"]["start"] == result["fresh"]["uniform"]["start"]


def test_the_truth_is_read_where_runs_begin_and_end():
    seen = []
    config = Config("uniform", "oracle", steps=192, seed=1)
    result = training.train(config, on_point=seen.append)
    assert result["curve"] == seen and len(seen) == 3
    for point in seen:
        # The oracle pays the change of the true accuracy, over the 16 steps of a run.
        assert 16 * point["reward"] == pytest.approx(point["end"] - point["start"], abs=1e-9)
    env = make(config, training.COPIES)
    env.reset(seed=1)
    assert seen[0]["start"] == pytest.approx(env.unwrapped.true_accuracy().mean())


def test_uniform_meets_fresh_learners_like_any_agent():
    config = Config("bandit", "oracle", seed=2)
    found = training.meet(training.Uniform(make(config, 1), 9), config, learners=16)
    for name in ("agent", "uniform"):
        row = found[name]
        assert 16 * row["reward"] == pytest.approx(row["end"] - row["start"], abs=1e-9)
    gain = found["accuracy"]["mean"]
    assert gain == pytest.approx(found["agent"]["end"] - found["uniform"]["end"])
    assert found["accuracy"]["low"] < gain < found["accuracy"]["high"]


def test_an_agent_sees_no_truth():
    kept = []

    class Watching(training.Uniform):
        def act(self, observation):
            kept.append(set(observation))
            return super().act(observation)

    config = Config("ppo", "consensus", seed=2)
    env = make(config, 2)
    training.meet(Watching(env), config, learners=2)
    assert kept and all(names == set(env.single_observation_space) for names in kept)


def test_harm_is_a_loss_of_more_than_five_points(monkeypatch):
    config = Config("ppo", "consensus", seed=0)
    env = make(config, 4)
    truths = iter([np.full(4, 0.5), np.array([0.449, 0.46, 0.5, 0.2])] * 2)
    monkeypatch.setattr(type(env.unwrapped), "true_accuracy", lambda self: next(truths))
    assert training.meet(training.Uniform(env), config, 4)["agent"]["harmed"] == 0.5


@pytest.mark.parametrize("guard", [{"gate": "never"}, {"gate": "certified"}, {"stack": "v3.4"}])
def test_gates_and_stacks_guard_training_and_the_comparison(guard):
    config = Config("bandit", "consensus", steps=70, **guard)
    env = make(config, 2)
    env.reset(seed=0)
    for _ in range(8):
        *_, infos = env.step(env.action_space.sample())
    assert "verdict" in infos and ("lies" in infos) == ("stack" in guard)
    assert training.train(config)["curve"]


def test_the_folder_keeps_result_and_agent(tmp_path):
    torch = pytest.importorskip("torch")
    from argus_gym.agents.ppo import Policy

    result = training.train(Config("ppo", steps=100), out=tmp_path / "ppo")
    assert json.loads((tmp_path / "ppo/result.json").read_text("utf-8")) == result
    policy = Policy.load(tmp_path / "ppo/policy.pt")
    assert policy.heads == [12, 8] and torch.isfinite(policy.actor[0].weight).all()
    training.train(Config("bandit", steps=100), out=tmp_path / "bandit")
    kept = json.loads((tmp_path / "bandit/bandit.json").read_text("utf-8"))
    assert len(kept["values"]) == 96 and sum(kept["pulls"]) >= 100


def test_the_command_prints_a_table_or_json(capsys, tmp_path):
    code, out, err = call(capsys, "--algo", "bandit", "--steps", 130, "--out", tmp_path / "run")
    assert code == 0
    assert "bandit on consensus: 130 steps, then 6 fresh learners" in out
    assert err.splitlines()[0].split()[:2] == ["64", "steps"]
    code, out, err = call(capsys, "--algo", "bandit", "--steps", 130, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == json.loads((tmp_path / "run/result.json").read_text("utf-8"))


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--algo", "sac"], "--algo must be one of ppo, bandit, uniform, got 'sac'"),
        (["--reward", "truth"], "--reward must be one of consensus, .*, got 'truth'"),
        (["--steps", "0"], "--steps must be at least 1, got 0"),
        (["--steps", "ten"], "Invalid value for '--steps': .*'ten'"),
        (["--seed", "-1"], "--seed must be at least 0, got -1"),
        (["--world", "flat"], "--world must be one of default, shallow, got 'flat'"),
        (["--gate", "all"], "--gate must be one of certified, .*, got 'all'"),
        (["--stack", "v5"], "--stack must be one of v4, v3.5, v3.4, got 'v5'"),
        (["--gate", "pace", "--stack", "v4"], "--gate pace and --stack v4: expected one"),
        (["--algo", "uniform", "--gate", "pace"], "--algo uniform trains nothing: .*--gate pace"),
        (["--algo", "uniform", "--stack", "v4"], "--algo uniform trains nothing: .*--stack v4"),
        (["--algo", "bandit", "--out", "."], r"--out \.: expected a new folder: File exists"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_two(capsys, args, said):
    code, out, err = call(capsys, *args)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    import re

    assert re.match(f"argus-gym train: {said}", err), err


def test_without_pytorch_the_extra_is_named(capsys, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch", None)
    code, out, err = call(capsys, "--steps", 10, "--out", tmp_path / "run")
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert 'pip install "argus-gym[rl]"' in err
    assert not (tmp_path / "run").exists()
    with pytest.raises(InputError, match="needs PyTorch"):
        training.train(Config())


def test_the_bandit_needs_no_pytorch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert training.train(Config("bandit", steps=10))["fresh"]["learners"] == 6


def test_the_environment_is_made_as_agents_want_it():
    for algo, space in (("ppo", gym.spaces.MultiDiscrete), ("bandit", gym.spaces.Discrete)):
        env = make(Config(algo), 2)
        assert isinstance(env.single_action_space, space)
        assert env.metadata["autoreset_mode"].value == "Disabled"
