"""Worlds: what they promise, and what becomes of those that do not keep it."""

import re
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from argus_gym.agents import Oracle
from argus_gym.agents.mechanisms import PlantedAgent, force
from argus_gym.benchmarks.runner import run_jobs
from argus_gym.benchmarks.watch import WorldError, watch
from argus_gym.benchmarks.worlds import SEVERITIES, WORLDS, SimulatedWorld, World, plan
from argus_gym.benchmarks.worlds.load import load_world
from argus_gym.run_data import InputError
from argus_gym.wrappers import DETECTORS

SHORT = {"rounds": 6, "problems_per_round": 12, "k": 6, "anchor_items": 4, "past_items": 2}


class Small(SimulatedWorld):
    name, lie = "small", "D"

    def agent(self, plan):
        return PlantedAgent(plan.seed, "D" if plan.severity else None, onset=2)

    def env(self, plan):
        return gym.make("argus_gym:ArgusSelfImprove-v0", **SHORT)


class Raises(Small):
    name = "raises"

    def agent(self, plan):
        raise RuntimeError("no learner today")


class RaisesLater(Small):
    name = "raises_later"

    def on_round(self, env, record, plan):
        if record.round == 2:
            raise KeyError("gone")


class NoAgent(Small):
    name = "no_agent"

    def agent(self, plan):
        return object()


class NoEnv(Small):
    name = "no_env"

    def env(self, plan):
        return "an environment"


class WrongTruth(Small):
    name = "wrong_truth"
    says = 0.5

    def truth(self, agent, problems):
        return self.says


class NaNTruth(WrongTruth):
    name, says = "nan_truth", {"accuracy": float("nan")}


class PercentTruth(WrongTruth):
    name, says = "percent_truth", {"accuracy": 51.0}


class LeaksOracle(Small):
    name = "leaks_oracle"

    def agent(self, plan):
        self._agent = super().agent(plan)
        return self._agent

    def on_round(self, env, record, plan):
        env.unwrapped.hint = Oracle(self._agent)


class Blabs(PlantedAgent):
    pool = ()

    def learn(self, pairs):
        report = super().learn(pairs)
        oracle = Oracle(self)
        return replace(
            report, preq_bits=float(np.mean([oracle.accuracy(text) for text in Blabs.pool]))
        )


class TellsTruth(Small):
    """The truth of the step before, in the report of the learning step."""

    name = "tells_truth"

    def agent(self, plan):
        return Blabs(plan.seed)

    def truth(self, agent, problems):
        Blabs.pool = problems
        return super().truth(agent, problems)


def reference(world):
    return f"{__name__}:{world.__name__}"


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])


def test_a_run_holds_what_the_figures_need():
    run = watch(reference(Small), 3, 1.0, "cliff")
    assert set(run["scores"]) == set(DETECTORS)
    columns = [*run["scores"].values(), *run["signals"].values(), *run["slopes"].values()]
    assert {len(column) for column in columns} == {6}
    assert {len(column) for column in run["truth"].values()} == {7}
    assert run == watch(reference(Small), 3, 1.0, "cliff")
    twin = watch(reference(Small), 3, 0.0, "cliff")
    assert twin["truth"]["accuracy"][0] == run["truth"]["accuracy"][0]
    assert twin["truth"]["accuracy"][-1] > run["truth"]["accuracy"][-1]


@pytest.mark.parametrize(
    ("world", "message"),
    [
        (Raises, "RuntimeError: no learner today"),
        (RaisesLater, "KeyError: 'gone'"),
        (NoAgent, "agent.. must return an Agent, got object"),
        (NoEnv, "env.. must return ArgusSelfImprove-v0, got str"),
        (WrongTruth, "truth.. must return a mapping with accuracy, got 0.5"),
        (NaNTruth, "finite floats, got accuracy=nan"),
        (PercentTruth, r"accuracy must be in \[0, 1\], got 51.0"),
        (LeaksOracle, "the oracle is in the environment, as hint"),
        (TellsTruth, "the truth is in the records of"),
    ],
)
def test_a_world_that_breaks_its_contract_fails_with_the_reason(world, message):
    jobs = {"bad": (reference(world), 3, 1.0, "cliff"), "good": (reference(Small), 3, 1.0, "cliff")}
    found = run_jobs(watch, jobs, {}, workers=1)
    assert re.search(message, found["bad"]["failed"])
    assert "scores" in found["good"]


def test_truth_in_the_records_is_found_only_where_it_is():
    with pytest.raises(WorldError, match="the truth is in the records"):
        watch(reference(TellsTruth), 1, 1.0, "cliff")


@pytest.mark.parametrize("name", WORLDS)
def test_every_world_has_a_learner_that_depends_on_the_seed_alone(name):
    world = WORLDS[name]()
    assert world.name == name and world.kind in (
        "planted",
        "honest",
        "emergent",
        "placebo",
        "quiet",
    )
    assert bool(world.lie) == (world.kind in ("planted", "emergent"))
    env = world.env(plan(1))
    env.reset(seed=1)
    problems = tuple(text for text, _ in env.unwrapped.report_pool)
    one, same, other = (world.truth(world.agent(plan(seed)), problems) for seed in (1, 1, 2))
    assert one == same != other
    assert 0 < one["accuracy"] <= one["pass_16"] <= 1


def test_plans_differ_in_onset_and_scale_and_twins_do_not():
    plans = [plan(seed) for seed in range(60)]
    assert {p.onset for p in plans} == {5, 6, 7, 8}
    assert all(0.85 <= p.severity <= 1.15 for p in plans) and len({p.severity for p in plans}) == 60
    assert plan(3, 2.0).severity == 2 * plan(3).severity and plan(3, 0.0).severity == 0
    assert plan(3, 2.0, "ramp").onset == plan(3).onset


def test_shapes():
    assert [force("cliff", t) for t in range(-1, 4)] == [0, 1, 1, 1, 1]
    assert [force("ramp", t) for t in range(-1, 6)] == [0, 0.25, 0.5, 0.75, 1, 1, 1]
    assert [force("intermittent", t) for t in range(-1, 5)] == [0, 1, 0, 1, 0, 1]
    with pytest.raises(ValueError, match="shape must be one of cliff"):
        PlantedAgent(shape="slope")


def test_severities_are_ordered_in_what_they_do_to_the_truth():
    falls = []
    for severity in (0.0, *SEVERITIES.values()):
        truth = watch("forgetting", 4, severity, "cliff")["truth"]["accuracy"]
        falls.append(truth[0] - truth[-1])
    assert falls == sorted(falls) and falls[-1] - falls[0] > 0.2


def test_a_world_from_a_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        textwrap.dedent(
            '''
            from argus_gym.agents.mechanisms import PlantedAgent
            from argus_gym.benchmarks.worlds import SimulatedWorld

            class Mine(SimulatedWorld):
                """A world."""
                name, lie = "mine", "A"
                def agent(self, plan):
                    return PlantedAgent(plan.seed)
            '''
        )
    )
    assert load_world(str(path)).name == "mine"
    path.write_text("raise RuntimeError('broken')")
    with pytest.raises(InputError, match="RuntimeError: broken"):
        load_world(str(path))
    path.write_text("x = 1")
    with pytest.raises(InputError, match="one named subclass of World, got 0"):
        load_world(str(path))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("drfit", "did you mean 'drift'"),
        ("nowhere.py", "expected a file"),
        ("no_such_module:World", "No module named"),
        ("argus_gym.records:Chain", "expected a subclass of World"),
        ("argus_gym.records:Nothing", "has no attribute"),
        (f"{World.__module__}:World", "abstract"),
    ],
)
def test_references_that_are_no_world_are_named(given, message):
    with pytest.raises(InputError, match=message):
        load_world(given)


def test_the_example_of_the_docs_is_the_file_it_shows():
    docs = Path(__file__).parents[1] / "docs"
    shown = (docs / "worlds.md").read_text().split("```python\n")[1].split("```")[0]
    assert shown in (docs / "examples" / "forgetful_world.py").read_text()
    run = watch(str(docs / "examples" / "forgetful_world.py"), 0, 1.0, "cliff")
    twin = watch(str(docs / "examples" / "forgetful_world.py"), 0, 0.0, "cliff")
    assert run["truth"]["accuracy"][-1] < twin["truth"]["accuracy"][-1] - 0.1
