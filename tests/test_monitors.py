"""Monitors: stability index, attribution, ensemble warning, ledger file."""

import json
import math
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest

import argus_gym
from argus_gym import problems
from argus_gym.agents import SimulatedAgent, rollout
from argus_gym.records import Chain, LieReport, RetestItem, TrainingPair
from argus_gym.wrappers.attribution import CausalAttribution, attribute
from argus_gym.wrappers.ensemble import EnsembleWarning, average_e, three_of_six
from argus_gym.wrappers.record_ledger import RecordLedger
from argus_gym.wrappers.stability import WEIGHTS, StabilityIndex, spsi


def make(**kwargs):
    return gym.make("ArgusSelfImprove-v0", **{"rounds": 3, "problems_per_round": 12, **kwargs})


def infos(env, seed=0):
    """Return the info of every step that ended a round."""
    seen = []

    class Tap(gym.Wrapper):
        def step(self, action):
            result = self.env.step(action)
            if "round" in result[4]:
                seen.append(result[4])
            return result

    rollout(Tap(env), SimulatedAgent(seed, parsed=True), seed=seed)
    return seen


def test_spsi_is_the_published_weighted_sum():
    for info in infos(StabilityIndex(make())):
        parts = info["spsi"]
        measured = {name: parts[name] for name in WEIGHTS if not math.isnan(parts[name])}
        assert parts["spsi"] == pytest.approx(sum(WEIGHTS[n] * v for n, v in measured.items()))
        assert all(0 <= v <= 1 for v in measured.values())
    best = sum(w for w in WEIGHTS.values() if w > 0)
    assert best == pytest.approx(0.5) and sum(abs(w) for w in WEIGHTS.values()) == pytest.approx(1)


def test_spsi_parts_saturate_where_published():
    (info, *_) = infos(make())
    record = info["round"]

    def part(name, **gauges):
        return spsi(replace(record, gauges={**record.gauges, **gauges}), 0.0)[name]

    assert part("epi", epi_train=0.02) == pytest.approx(0.5)
    assert part("epi", epi_train=0.4) == 1.0 and part("epi", epi_train=-1.0) == 0.0
    assert part("frontier", frontier_share=0.15) == pytest.approx(0.5)
    assert math.isnan(part("epi", epi_train=math.nan))
    assert math.isfinite(part("spsi", epi_train=math.nan))
    assert math.isnan(spsi(replace(record, retests=()), 0.0)["retest_decay"])


def test_wasted_share_counts_poor_clusters_that_do_not_recover():
    (info, *_) = infos(make(problems_per_round=40))
    record = info["round"]
    poor = tuple(replace(p, cluster=0, combined=0.2) for p in record.problems)
    columns = {**record.map, "n": (40.0,) * 10, "retest_delta": (0.0,) * 10}
    assert spsi(replace(record, problems=poor, map=columns), 0.0)["wasted_share"] == 1.0
    recovering = {**columns, "retest_delta": (0.1,) * 10}
    assert spsi(replace(record, problems=poor, map=recovering), 0.0)["wasted_share"] == 0.0


def item(problem, before, after):
    return RetestItem(problem, 0, True, 8, before, after, 1.0, 1.0)


def test_attribution_finds_planted_causes_among_many():
    """Harm comes from pairs of the item's own family: how often is the first name one of them?"""
    rng, hits, runs = np.random.default_rng(0), 0, 120
    for _ in range(runs):
        names = rng.permutation(problems.FAMILIES)[:6].tolist()
        pairs = [
            TrainingPair(problems.generate(name, 3, rng).text, Chain("", 1), 0.6, 0, 0)
            for name in names
            for _ in range(4)
        ]
        victim = problems.generate(names[0], 3, rng).text
        (first, *_) = attribute([item(victim, 6, 1)], pairs)
        hits += first.pair in {pair.problem for pair in pairs[:4]}
    # Blind guessing is right once in six; 60 % of 120 is 13 standard deviations above that.
    assert hits / runs > 0.6


def test_attribution_needs_a_regression_and_trained_pairs():
    pair = TrainingPair("Ann has 3 pens.", Chain("", 3), 0.5, 0, 0)
    assert attribute([item("Ann has 5 pens.", 4, 4)], [pair]) == ()
    assert attribute([], [pair]) == () and attribute([item("x", 4, 0)], []) == ()
    assert attribute([item("Ann has 5 pens.", 4, 0)], [replace(pair, role="heldout")]) == ()
    (cause,) = attribute([item("Ann has 5 pens.", 8, 0)], [pair])
    assert cause.pair == pair.problem and cause.score == pytest.approx(0.5)
    with pytest.raises(ValueError, match="top"):
        CausalAttribution(make(), top=0)


def test_attribution_names_pairs_of_the_rounds_own_step():
    for info in infos(CausalAttribution(make(problems_per_round=32))):
        worse = {i.problem for i in info["round"].retests if i.delta < 0}
        assert {cause.item for cause in info["causes"]} <= worse


def report(score, fired=False):
    return LieReport("A", "drift", 0, score, fired)


def test_the_averaged_e_value_is_the_mean_of_the_calibrated_ones():
    lies = {"a": report(0.2), "b": report(0.0), "c": report(math.nan)}
    assert average_e(lies) == pytest.approx((0.5 / math.sqrt(1e-2) + 0.5) / 2)
    assert math.isnan(average_e({})) and math.isnan(average_e({"c": report(math.nan)}))


def test_the_averaged_e_value_keeps_its_promise_under_dependence():
    """With truthful p-values its mean is at most 1, also where all detectors say the same."""
    rng = np.random.default_rng(0)
    p = rng.random(200_000)
    for copies in (1, 5):
        e = [0.5 / math.sqrt(x) for x in p[: 200_000 // copies]]
        assert np.mean(e) < 1.05
    lies = {str(i): report(0.3) for i in range(5)}
    assert average_e(lies) == pytest.approx(average_e({"0": report(0.3)}))


def test_three_of_six_counts_detectors_that_fired():
    lies = {str(i): report(0.1, fired=i < 3) for i in range(6)}
    assert three_of_six(lies) == 1.0
    env = EnsembleWarning(make(), rule="three_of_six")
    assert all(info["warning"] == {"value": 0.0, "fired": False} for info in infos(env))


@pytest.mark.parametrize("kwargs", [{"rule": "two"}, {"alpha": 0.0}, {"alpha": 1.0}])
def test_bad_arguments_of_the_ensemble_are_named(kwargs):
    with pytest.raises(ValueError, match=next(iter(kwargs))):
        EnsembleWarning(make(), **kwargs)


def test_the_ledger_file_is_the_ledger(tmp_path):
    path = tmp_path / "ledger.jsonl"
    env = RecordLedger(make(), path=str(path))
    for seed in (0, 1):
        rollout(env, SimulatedAgent(seed, parsed=True), seed=seed)
    lines = [json.loads(line) for line in path.read_text("ascii").splitlines()]
    assert lines[len(lines) // 2 :] == list(env.unwrapped.ledger)
    with pytest.raises(ValueError, match="path"):
        RecordLedger(make(), path=str(tmp_path))


@pytest.mark.parametrize("wrapper", [StabilityIndex, CausalAttribution, EnsembleWarning])
def test_monitors_rebuild_from_their_spec(wrapper):
    env = wrapper(make())
    again = gym.make(gym.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    assert type(again) is wrapper
    plain, watched = infos(make(), 3), infos(again, 3)
    assert [i["round"] for i in plain] == [i["round"] for i in watched] or json.dumps(
        argus_gym.records.encode([i["round"] for i in plain])
    ) == json.dumps(argus_gym.records.encode([i["round"] for i in watched]))
