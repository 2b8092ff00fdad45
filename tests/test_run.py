"""One run as a function: settings, determinism, the external report, resuming."""

import dataclasses
import json

import gymnasium as gym
import numpy as np
import pytest

from argus_gym import problems
from argus_gym import run as runs
from argus_gym.agents import SimulatedAgent
from argus_gym.checkpoint import InputError, load_run
from argus_gym.gauges import paired
from argus_gym.records import RetestItem, Verdict, encode
from argus_gym.run import RunConfig, resume, run

SMALL = RunConfig(seed=3, rounds=3, problems=4, k=4)


def lines(path, *, skip=()):
    return {
        str(p.relative_to(path)): p.read_bytes()
        for p in path.rglob("*")
        if p.is_file() and p.name not in skip
    }


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    path = tmp_path_factory.mktemp("kept") / "run"
    return path, run(SMALL, out=path)


@pytest.fixture
def stopped(tmp_path):
    """A run that was interrupted after its second round."""
    path = tmp_path / "stopped"

    def stop(record):
        if record.round == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(SMALL, out=path, on_round=stop)
    return path


def test_same_settings_same_bytes_kept_or_not(kept, tmp_path):
    path, result = kept
    run(SMALL, out=tmp_path / "again")
    assert lines(tmp_path / "again") == lines(path)
    free = run(SMALL)
    assert encode(free.rounds) == encode(result.rounds)
    assert (free.summary, free.ledger) == (result.summary, result.ledger)
    assert encode(run(dataclasses.replace(SMALL, seed=4)).rounds) != encode(result.rounds)


def test_the_run_is_the_one_that_was_asked_for():
    config = RunConfig(seed=1, rounds=2, problems=3, k=5, planner="uniform")
    seen = []
    result = run(config, on_round=seen.append)
    assert seen == list(result.rounds) and [r.round for r in seen] == [0, 1]
    assert all(len(r.problems) == 3 and r.request[0] == 5 for r in seen)
    assert result.config["planner"] == "uniform"


def test_the_external_report_is_paired_and_disjoint_from_the_run(kept):
    path, result = kept
    external = result.summary["external"]
    assert (external["n"], external["samples"]) == (100, 8)
    items = json.loads((path / "external.json").read_text())
    assert external["before"]["right"] == sum(items["before"])
    assert external["after"]["right"] == sum(items["after"])
    test = paired(
        [
            RetestItem(p, 0, True, 8, b, a, 0.0, 0.0)
            for p, b, a in zip(items["problems"], items["before"], items["after"], strict=True)
        ]
    )
    assert (external["delta"], external["low"], external["high"]) == (
        test.delta,
        test.low,
        test.high,
    )
    asked = {p.problem for r in result.rounds for p in r.problems}
    asked |= {item.problem for r in result.rounds for item in r.retests}
    assert not asked & set(items["problems"])


def test_a_stopped_run_continues(kept, stopped):
    assert len(load_run(stopped).rounds) == 2
    seen = []
    result = resume(stopped, on_round=seen.append)
    assert [r.round for r in seen] == [2]
    assert encode(result.rounds) == encode(kept[1].rounds)
    assert lines(stopped) == lines(kept[0])


def test_a_finished_run_is_only_read(kept):
    path, result = kept
    before = {p: p.stat().st_mtime_ns for p in path.rglob("*")}
    seen = []
    again = resume(path, given={"seed": 3, "rounds": 3}, on_round=seen.append)
    assert not seen and again.summary == result.summary
    assert {p: p.stat().st_mtime_ns for p in path.rglob("*")} == before


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"seed": 4}, "seed is 4, but the run in .* was started with 3: leave it out"),
        ({"k": 4, "planner": "weakest"}, "planner is 'weakest', but .* with 'most_learnable'"),
        ({"agent": "replay", "chains": "x"}, "agent is 'replay', but .* with 'simulated'"),
    ],
)
def test_other_settings_are_refused(stopped, given, message):
    before = lines(stopped)
    with pytest.raises(InputError, match=message):
        resume(stopped, given=given)
    assert lines(stopped) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": "4"}, "config.json: expected int, got '4'"),
        ({"rounds": 0}, "config.json: rounds must be at least 1, got 0"),
        ({"k": None}, "config.json: expected int, got None"),
        ({"argus_gym": "0.0.1"}, r"started with argus_gym '0\.0\.1', expected .* as it is now"),
    ],
)
def test_a_changed_configuration_is_refused(tmp_path, change, message):
    path = tmp_path / "run"

    def stop(record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(SMALL, out=path, on_round=stop)
    for checkpoint in (path / "checkpoints").iterdir():
        for file in checkpoint.iterdir():
            file.unlink()
        checkpoint.rmdir()
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(InputError, match=message):
        resume(path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"rounds": 0}, "rounds must be at least 1, got 0"),
        ({"problems": 0}, "problems must be at least 1, got 0"),
        ({"k": 0}, "k must be at least 1, got 0"),
        ({"k": 65}, "k must be at most 64, got 65"),
        ({"agent": "oracle"}, "agent must be one of simulated, replay, tiny, hf, got 'oracle'"),
        ({"agent": "replay"}, "chains must be a file or folder of chain sets for agent replay"),
        ({"chains": "x"}, "chains must be left out for agent simulated, got 'x'"),
        ({"planner": "weakst"}, "planner must be one of .*, got 'weakst'; did you mean 'weakest'"),
        (
            {"agent": "replay", "chains": "nowhere.jsonl"},
            "cannot read nowhere.jsonl: No such file or directory",
        ),
    ],
)
def test_bad_settings_are_named(settings, message, tmp_path):
    with pytest.raises(InputError, match=message):
        run(RunConfig(**settings), out=tmp_path / "run")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def chains(tmp_path):
    """Write 24 chain sets of 6 chains, each with its answer; return the file and the problems."""
    rng, agent = np.random.default_rng(0), SimulatedAgent(0)
    sets = [problems.generate(problems.FAMILIES[i % 5], 1 + i % 3, rng) for i in range(24)]
    rows = [
        {"problem": p.text, "chains": agent.solve(p.text, 6).chains, "answer": str(p.answer)}
        for p in sets
    ]
    file = tmp_path / "chains.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file, {p.text for p in sets}


def replay(file, **settings):
    return RunConfig(
        **{"seed": 1, "rounds": 2, "problems": 8, "k": 4, "agent": "replay", "chains": str(file)}
        | settings
    )


def test_recorded_chains_are_a_run_too(chains, tmp_path):
    file, texts = chains
    result = run(replay(file), out=tmp_path / "run")
    proposed = {p.problem for r in result.rounds for p in r.problems}
    anchors = {i.problem for r in result.rounds for i in r.retests if i.anchor}
    reported = set(json.loads((tmp_path / "run" / "external.json").read_text())["problems"])
    assert len(proposed) == 12 and len(anchors) == len(reported) == 6
    assert proposed | anchors | reported == texts
    external = result.summary["external"]
    assert (external["n"], external["samples"]) == (6, 6)
    # All six chains are drawn on both sides, and replay does not learn.
    assert external["delta"] == 0 and 0 < external["before"]["right"] <= 36


def test_without_known_answers_the_report_is_not_measured(chains, tmp_path):
    file, _ = chains
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    file.write_text("".join(json.dumps(r | {"answer": None}) + "\n" for r in rows))
    result = run(replay(file), out=tmp_path / "run")
    assert result.summary["external"] is None
    assert "external not measured" in result.summary["verdict"]
    assert not any(item.anchor for r in result.rounds for item in r.retests)
    assert len({p.problem for r in result.rounds for p in r.problems}) == 16
    assert json.loads((tmp_path / "run" / "external.json").read_text())["before"] == []


def test_recorded_runs_continue_from_anywhere_but_not_on_other_chains(
    chains, tmp_path, monkeypatch
):
    file, _ = chains

    def stop(record):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    run(replay("chains.jsonl"), out=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(replay("chains.jsonl"), out=tmp_path / "run", on_round=stop)
    monkeypatch.chdir("/")
    kept = file.read_text()
    file.write_text(kept.replace("####", "#### -", 1))
    with pytest.raises(InputError, match=r"config.json: the run was started with chains_sha256"):
        resume(tmp_path / "run")
    file.unlink()
    with pytest.raises(InputError, match=r"cannot read .*chains.jsonl: No such file"):
        resume(tmp_path / "run")
    file.write_text(kept)
    resume(tmp_path / "run", given={"chains": str(file)})
    assert lines(tmp_path / "run") == lines(tmp_path / "whole")


class Mute(SimulatedAgent):
    """Falls silent once it has learned."""

    trained = False

    def learn(self, pairs):
        self.trained = True
        return super().learn(pairs)

    def propose(self, obs, info):
        return "" if self.trained else super().propose(obs, info)


def test_a_run_that_cannot_go_on_is_told_so(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "SimulatedAgent", Mute)
    result = run(SMALL, out=tmp_path / "run")
    assert len(result.rounds) == 1 and result.summary["terminated"]
    assert result.ledger[-1]["event"] == "run.stopped"
    assert load_run(tmp_path / "run").ledger == result.ledger
    assert resume(tmp_path / "run").summary == result.summary


class Count(gym.Wrapper):
    """A wrapper with a state of its own: the number of steps so far."""

    steps = 0

    def step(self, action):
        self.steps += 1
        obs, reward, terminated, truncated, info = self.env.step(action)
        return obs, reward, terminated, truncated, info

    def state(self):
        return {"steps": self.steps}

    def load_state(self, state):
        self.steps = state["steps"]


BARE = dataclasses.replace(SMALL, stack="no-metacognition")


def test_wrappers_with_a_state_are_kept_too(tmp_path, monkeypatch):
    prepare, counters = runs._prepare, []

    def wrapped(config):
        setup = prepare(config)
        counters.append(Count(setup.env))
        return dataclasses.replace(setup, env=counters[-1])

    def stop(record):
        if record.round == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(runs, "_prepare", wrapped)
    run(BARE, out=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(BARE, out=tmp_path / "run", on_round=stop)
    resume(tmp_path / "run")
    assert counters[0].steps == counters[2].steps > counters[1].steps
    assert lines(tmp_path / "run") == lines(tmp_path / "whole")
    env = json.loads((tmp_path / "run" / "checkpoints" / "0003" / "env.json").read_text())
    assert [layer["class"] for layer in env["layers"]] == ["ArgusSelfImprove", "Count"]


def decide(evidence):
    """Certify the second round's step and go back to it after the fourth."""
    decision = {1: "COMMIT_CERTIFIED", 3: "REFUSE"}.get(evidence.round, "COMMIT")
    return Verdict(decision, "test", evidence.round, severity=1.0, target="certified")


def test_a_rollback_after_resuming_goes_where_it_would_have_gone(tmp_path, monkeypatch):
    prepare, config = runs._prepare, dataclasses.replace(BARE, rounds=5, problems=12)

    def gated(config):
        setup = prepare(config)
        setup.env.unwrapped.decider = decide
        return setup

    def stop(record):
        if record.round == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(runs, "_prepare", gated)
    whole = run(config, out=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(config, out=tmp_path / "run", on_round=stop)
    resume(tmp_path / "run")
    assert [r.trained > 0 for r in whole.rounds][1:4] == [True] * 3
    assert lines(tmp_path / "run") == lines(tmp_path / "whole")


def test_a_checkpoint_of_other_layers_is_refused(stopped, monkeypatch):
    prepare = runs._prepare

    def wrapped(config):
        setup = prepare(config)
        return dataclasses.replace(setup, env=Count(setup.env))

    monkeypatch.setattr(runs, "_prepare", wrapped)
    with pytest.raises(
        InputError, match=r"expected the layers \['ArgusSelfImprove', 'ERCVGate', 'Count'\]"
    ):
        resume(stopped)
