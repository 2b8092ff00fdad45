"""What every wrapper of the package promises, whatever it looks for."""

import json
import math
import pickle

import gymnasium as gym
import numpy as np
import pytest
from detecting import detector, item, problem, record, retested
from gymnasium.envs.registration import EnvSpec
from hypothesis import given, settings
from hypothesis import strategies as st

from argus_gym import wrappers
from argus_gym.agents import rollout
from argus_gym.agents.mechanisms import PlantedAgent
from argus_gym.records import LearnReport, Premise, encode
from argus_gym.wrappers.base import DETECTORS

KWARGS = {"rounds": 8, "problems_per_round": 16, "k": 6, "anchor_items": 6, "retest_chains": 4}
NAMES = sorted(DETECTORS)


def make(*names, **options):
    env = gym.make("argus_gym:ArgusSelfImprove-v0", **KWARGS)
    for name in names:
        env = DETECTORS[name](env, **options)
    return env


def run(env, mechanism="J", seed=1):
    return rollout(env, PlantedAgent(seed, mechanism, onset=3, severity=2.0), seed=seed)


def reports(result):
    """Reports by round and name, comparable although NaN differs from itself."""
    found = {(r.round, r.name): json.dumps(encode(r)) for r in result.lies}
    assert len(found) == len(result.lies)
    return found


def test_every_lie_of_the_table_has_a_detector():
    assert sorted(cls.lie for cls in DETECTORS.values()) == list("ABCDEFGHIJKLMN")
    assert {cls.__name__ for cls in DETECTORS.values()} <= set(wrappers.__all__)


@pytest.mark.parametrize("name", NAMES)
def test_a_detector_alone_leaves_the_transitions_as_they_are(name):
    plain, watched = run(make()), run(make(name, defend=False))
    assert json.dumps(encode(plain.rounds)) == json.dumps(encode(watched.rounds))
    assert plain.summary == watched.summary
    assert [report.name for report in watched.lies] == [name] * KWARGS["rounds"]
    for report in watched.lies:
        assert np.isnan(report.score) or 0 <= report.score <= 1
        assert not (report.fired and np.isnan(report.score))
        assert not report.fired or report.sentence


ALL = reports(run(make(*NAMES, defend=False)))


@settings(max_examples=12, deadline=None)
@given(st.permutations(NAMES), st.integers(1, len(NAMES)))
def test_any_order_and_any_subset_gives_the_same_reports(order, count):
    chosen = order[:count]
    some = reports(run(make(*chosen, defend=False)))
    assert some == {key: value for key, value in ALL.items() if key[1] in chosen}


def test_with_defences_the_order_does_not_matter_either():
    both = [reports(run(make(*order), "F")) for order in (NAMES, NAMES[::-1])]
    assert both[0] == both[1]


@pytest.mark.parametrize("name", NAMES)
def test_spec_and_pickle_rebuild_it(name):
    env = make(name, threshold=0.123, defend=False)
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    copy = pickle.loads(pickle.dumps(env))
    for other in (again, copy):
        assert type(other) is DETECTORS[name] and other.threshold == 0.123 and not other.defend
    assert reports(run(again)) == reports(run(copy))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("threshold", [-0.1, 1.1, math.nan])
def test_a_bad_threshold_is_named(name, threshold):
    with pytest.raises(ValueError, match="threshold"):
        make(name, threshold=threshold)


@pytest.mark.parametrize(
    "changes",
    [
        {"zone": "easy", "outcome": 1.0, "process": 1.0, "combined": 1.0, "variety": 1 / 14},
        {"zone": "hard", "outcome": 1 / 14, "process": 0.0, "combined": 1 / 28, "variety": 1.0},
        {"outcome": math.nan, "process": math.nan, "combined": math.nan, "variety": math.nan},
        {"target": 0, "length_sd": math.nan},
        {"premise": Premise(False, "equation", (0, 1), "no")},
        {"problem": "", "answer": None, "length_mean": 0.0, "length_sd": 0.0},
    ],
)
@pytest.mark.parametrize("count", [0, 1, 8])
@pytest.mark.parametrize("name", NAMES)
def test_a_run_that_never_varies_never_fires(name, count, changes):
    gauges = {"anchor_accuracy": math.nan, "epi_train": math.nan, "epi_heldout": math.nan}
    history = [
        record(i, [problem(**changes)] * count, gauges=gauges, defences=("harder",) * (i > 5))
        for i in range(11)
    ]
    watcher = detector(DETECTORS[name])
    for rounds in range(1, 12):
        report = watcher.report(history[:rounds])
        assert not report.fired
        assert math.isnan(report.score) or 0 <= report.score < 0.2


@pytest.mark.parametrize("gauge", [0.02, 0.0, math.nan])
@pytest.mark.parametrize("right", [0, 3, 8])
@pytest.mark.parametrize("count", [0, 1, 8])
@pytest.mark.parametrize("name", NAMES)
def test_retests_that_never_vary_never_fire(name, count, right, gauge):
    gauges = {"anchor_accuracy": right / 8, "epi_train": gauge, "epi_heldout": math.nan}
    history = [
        retested(i, [item(n, right, right, n % 3) for n in range(count)], gauges=gauges)
        for i in range(9)
    ]
    watcher = detector(DETECTORS[name])
    for rounds in range(1, 10):
        report = watcher.report(history[:rounds])
        assert not report.fired
        assert math.isnan(report.score) or report.score == 0.0


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_detectors_work_inside_vector_environments(mode):
    extra = {"vector_kwargs": {"shared_memory": False}} if mode == "async" else {}
    envs = gym.make_vec(
        "argus_gym:ArgusSelfImprove-v0",
        2,
        vectorization_mode=mode,
        wrappers=[DETECTORS[name] for name in NAMES[:2]],
        **{**KWARGS, "problems_per_round": 1, "anchor_items": 0, "past_items": 0, "k": 1},
        **extra,
    )
    envs.reset(seed=[1, 2])
    envs.step(("Ann has 3 pens. How many?", "Bob has 4 cups. How many?"))
    envs.step((["#### 3"], ["#### 4"]))
    *_, info = envs.step((LearnReport(), LearnReport()))
    for name in NAMES[:2]:
        assert [report.name for report in info["lies"][name]] == [name, name]
    envs.close()


def test_a_detector_of_ones_own_is_one_class():
    class Loud(wrappers.LieDetector):
        lie, name, default_threshold = "Z", "loud", 0.5

        def score(self, history):
            return 1.0

    try:
        result = rollout(
            Loud(gym.make("argus_gym:ArgusSelfImprove-v0", **KWARGS)), PlantedAgent(0), seed=0
        )
        assert [r.fired for r in result.lies] == [True] * KWARGS["rounds"]
    finally:
        del DETECTORS["loud"]


def test_detectors_only_read_the_history():
    """The score is a function of the records: no agent, no oracle, no environment is needed."""
    env = make()
    history = run(env).rounds
    for cls in DETECTORS.values():
        detector = cls(make())
        scores = [detector.score(history[:n]) for n in range(1, len(history) + 1)]
        again = [detector.score(list(history[:n])) for n in range(1, len(history) + 1)]
        assert json.dumps(encode(scores)) == json.dumps(encode(again))
