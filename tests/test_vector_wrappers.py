"""Detectors and gate over copies: the same as the single wrappers around each copy."""

import gymnasium as gym
import numpy as np
import pytest

import argus_gym  # noqa: F401
from argus_gym.benchmarks import curriculum_lies
from argus_gym.curriculum import draws
from argus_gym.wrappers import DETECTORS, ERCVGate
from argus_gym.wrappers.vector import VectorERCVGate, VectorLieDetectors

ID = "ArgusCurriculum-v0"
HARM = {
    "rounds": 9,
    "problems_per_round": 24,
    "anchor_items": 16,
    "mechanism": "J",
    "learner": "quiet",
    "onset": 3,
    "severity": 2.0,
}
RUN = 9 * 24


def single(rule):
    env = gym.make(ID, **HARM)
    env = ERCVGate(env, rule=rule) if rule else env
    for name in sorted(DETECTORS):
        env = DETECTORS[name](env)
    return env


def copies(n, rule=None, mode="NextStep", **arguments):
    env = gym.make_vec(ID, n, autoreset_mode=mode, **HARM)
    env = VectorERCVGate(env, rule=rule) if rule else env
    return VectorLieDetectors(env, **arguments)


@pytest.mark.parametrize("rule", [None, "certified", "v3.4"])
@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_they_agree_with_the_wrappers(rule, mode):
    """Scores, alarms, defences and verdicts, over two runs of planted harm."""
    n = 2
    vector, alone = copies(n, rule, mode), [single(rule) for _ in range(n)]
    vector.reset(seed=3)
    for env, seed in zip(alone, draws.copy_seeds(3, n), strict=True):
        env.reset(seed=seed)
    vector.action_space.seed(1)
    over, fired, ends = [False] * n, 0, 0
    for _ in range(2 * RUN):
        actions = vector.action_space.sample()
        obs, rewards, _, _, infos = vector.step(actions)
        for i, env in enumerate(alone):
            if over[i] and mode == "NextStep":
                env.reset()
                over[i] = False
                continue
            own, reward, _, over[i], info = env.step(actions[i])
            assert rewards[i] == pytest.approx(reward, abs=1e-12)
            if over[i] and mode == "SameStep":
                own, _ = env.reset()
            np.testing.assert_array_equal(obs["defences"][i], own["defences"])
            if "round" not in info:
                continue
            ends += 1
            for name, report in info["lies"].items():
                assert infos["lies"][name][i] == pytest.approx(report.score, abs=1e-9, nan_ok=True)
                assert infos["fired"][name][i] == report.fired
                fired += report.fired
            if rule:
                ours, theirs = infos["verdict"][i], info["verdict"]
                assert (ours.decision, ours.answers) == (theirs.decision, theirs.answers)
                assert ours.reason == theirs.reason
                assert infos["refused"][i] == (theirs.decision == "REFUSE")
    assert fired > 5 and ends >= 2 * 16


def test_detectors_only_observe():
    bare = gym.make_vec(ID, 3, **HARM)
    watched = copies(3, defend=False)
    bare.reset(seed=0)
    watched.reset(seed=0)
    bare.action_space.seed(0)
    for _ in range(RUN):
        actions = bare.action_space.sample()
        a, b = bare.step(actions), watched.step(actions)
        np.testing.assert_array_equal(a[1], b[1])
        np.testing.assert_array_equal(a[0]["gauges"], b[0]["gauges"])
    assert set(b[4]["lies"]) == set(DETECTORS)
    assert all(scores.shape == (3,) for scores in b[4]["lies"].values())


def test_some_detectors_can_be_chosen():
    vector = copies(2, names=["drift", "plateau"])
    vector.reset(seed=0)
    for _ in range(24):
        *_, infos = vector.step(vector.action_space.sample())
    assert set(infos["lies"]) == {"drift", "plateau"}
    with pytest.raises(ValueError, match="did you mean 'drift'"):
        copies(2, names=["drit"])


def test_a_second_gate_is_refused():
    with pytest.raises(ValueError, match="has a gate already"):
        VectorERCVGate(VectorERCVGate(gym.make_vec(ID, 2)))
    with pytest.raises(ValueError, match="rule must be one of"):
        VectorERCVGate(gym.make_vec(ID, 2), rule="strict")


def test_the_lies_benchmark_counts_alarms_after_the_onset():
    first = curriculum_lies.first_alarms("F", 3)
    assert set(first) == set(DETECTORS)
    assert (first["hallucination"] >= curriculum_lies.ONSET).all()
    assert (first["hallucination"] < curriculum_lies.ONSET + 3).sum() >= 2
