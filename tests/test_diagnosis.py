"""Which lie it is."""

import gymnasium as gym
import numpy as np
import pytest
from detecting import item, retested

from argus_gym.agents import rollout
from argus_gym.agents.mechanisms import PlantedAgent
from argus_gym.benchmarks.fit_diagnosis import fit
from argus_gym.wrappers import DETECTORS, Diagnosis
from argus_gym.wrappers.diagnosis import SLOPES, diagnose, signature, slopes
from argus_gym.wrappers.hallucination import HallucinationDetector


def test_shares_are_probabilities_of_every_lie():
    shares = diagnose({"F": 0.9}, {})
    assert set(shares) == {cls.lie for cls in DETECTORS.values() if cls.lie in shares}
    assert set(shares) >= set("ABCDEFGHIJKLMN")
    assert sum(shares.values()) == pytest.approx(1) and max(shares, key=shares.get) == "F"


@pytest.mark.parametrize("lie", "ACEFHMN")
def test_a_lie_that_only_one_detector_sees_has_its_name(lie):
    shares = diagnose({lie: 0.9}, dict.fromkeys(SLOPES, 0.0))
    assert max(shares, key=shares.get) == lie


def test_missing_scores_and_nan_count_as_nothing():
    assert diagnose({"A": float("nan")}, {}) == diagnose({}, {})
    assert signature(["A", "right"], {"Z": 1.0}, {"right": 2.0}).tolist() == [0, 2]


def test_slopes_follow_the_anchors_and_are_bounded():
    flat = [retested(at, [item(n, 4, 4) for n in range(8)]) for at in range(7)]
    assert slopes(flat[:3]) == dict.fromkeys(SLOPES, 0.0)
    falling = [
        retested(at, [item(n, max(0, 8 - at - n % 2), max(0, 7 - at - n % 2)) for n in range(8)])
        for at in range(7)
    ]
    assert -6 <= slopes(falling)["right"] < -3


def test_the_fit_finds_what_sets_lies_apart():
    rng = np.random.default_rng(0)

    def run(high):
        scores = {
            name: rng.uniform(0, 0.05, 4).tolist() for name in ("drift", "forgetting", "novelty")
        }
        scores[high][1] = 0.9
        return {
            "signals": {"reward": [0.5] * 4},
            "scores": scores,
            "slopes": {name: rng.normal(size=4).tolist() for name in SLOPES},
        }

    model = fit(
        {
            "A": [run("drift") for _ in range(30)],
            "D": [run("forgetting") for _ in range(30)],
            "B": [run("novelty") for _ in range(30)],
        }
    )
    assert model["lies"] == ["A", "B", "D"] and model["features"] == ["A", "B", "D", *SLOPES]
    weights = np.array(model["weights"])
    assert (weights[:, :3].argmax(1) == [0, 1, 2]).all()


def test_the_wrapper_names_the_lie_when_a_detector_fires():
    env = gym.make("argus_gym:ArgusSelfImprove-v0", rounds=9, problems_per_round=32)
    env = Diagnosis(HallucinationDetector(env, defend=False))
    seen = []

    class Watch(gym.Wrapper):
        def step(self, action):
            out = self.env.step(action)
            if "round" in out[4]:
                report = out[4]["lies"]["hallucination"]
                seen.append((report.fired, out[4].get("diagnosis")))
            return out

    rollout(Watch(env), PlantedAgent(1, "F", onset=4, severity=2.0), seed=1)
    assert any(fired for fired, _ in seen)
    for fired, named in seen:
        assert (named is not None) == fired
        if fired:
            assert named["lie"] == "F" and named["probability"] == max(named["all"].values())
    told = [entry for entry in env.unwrapped.ledger if entry["event"] == "diagnosis"]
    assert len(told) == sum(fired for fired, _ in seen)
    assert gym.make(env.spec).unwrapped is not env.unwrapped
