"""Curriculum collapse: fires on the planted mechanism, stays quiet otherwise and on bad input."""

import math

import gymnasium as gym
import pytest
from detecting import problem, record
from scipy.stats import fisher_exact

from argus_gym.agents import rollout
from argus_gym.agents.mechanisms import PlantedAgent
from argus_gym.defences import Defence, Order
from argus_gym.records import Premise, RetestItem
from argus_gym.wrappers.curriculum_collapse import CurriculumCollapseDetector

NAN = math.nan


def on_round(env, order):
    """Return a hook that orders a defence at the end of round 5."""
    return lambda done: env.order(order) if done.round == 5 else None


def detector(**arguments):
    env = gym.make("ArgusSelfImprove-v0", rounds=10, problems_per_round=32, anchor_items=16)
    return CurriculumCollapseDetector(env, defend=False, **arguments)


def first_alarm(mechanism, seed):
    env = detector()
    order = Order(Defence.EXTERNAL_CONTEXT, "planted")
    lies = rollout(
        env, PlantedAgent(seed, mechanism), seed=seed, on_round=on_round(env.unwrapped, order)
    ).lies
    return next((lie.round for lie in lies if lie.fired), None)


def test_alarm_rounds_of_the_planted_mechanism_are_pinned():
    alarms = [first_alarm("H", seed) for seed in range(6)]
    assert alarms == [8, 8, 8, 8, None, 8]


def test_quiet_runs_stay_quiet():
    assert [first_alarm(None, seed) for seed in range(6)] == [None] * 6


@pytest.mark.parametrize("threshold", [-0.1, 1.1, NAN])
def test_a_bad_threshold_is_named(threshold):
    with pytest.raises(ValueError, match=r"threshold must be in \[0, 1\]"):
        detector(threshold=threshold)


@pytest.mark.parametrize(
    "changes",
    [
        {"zone": "easy", "outcome": 1.0, "process": 1.0, "combined": 1.0, "variety": 1 / 14},
        {"zone": "hard", "outcome": 1 / 14, "process": 0.0, "combined": 1 / 28, "variety": 1.0},
        {"outcome": NAN, "process": NAN, "combined": NAN, "variety": NAN, "length_sd": NAN},
        {"target": 0},
        {"premise": Premise(False, "equation", (0, 1), "no")},
        {"problem": "", "answer": None, "length_mean": 0.0, "length_sd": 0.0},
    ],
)
@pytest.mark.parametrize("count", [0, 1, 8])
def test_a_run_that_never_varies_never_fires(changes, count):
    gauges = {"anchor_accuracy": NAN, "epi_train": NAN}
    history = [
        record(i, [problem(**changes)] * count, gauges=gauges, defences=("harder",) * (i > 5))
        for i in range(11)
    ]
    watcher = detector()
    for rounds in range(1, 12):
        report = watcher.report(history[:rounds])
        assert not report.fired
        assert math.isnan(report.score) or 0 <= report.score < 0.2


def zones(index, easy, hard, *defences, consensus=None):
    problems = [problem(zone="easy")] * easy + [problem(zone="hard")] * hard
    items = () if consensus is None else (RetestItem("x", 0, True, 8, 4, 4, 0.5, consensus),)
    return record(index, problems, defences=defences, retests=items)


BEFORE = [zones(i, 12, 12) for i in range(5)]


def test_p_is_fishers():
    report = detector().report([*BEFORE, zones(5, 20, 4, "harder"), zones(6, 22, 2, "harder")])
    expected = fisher_exact([[42, 6], [60, 60]], alternative="greater").pvalue
    assert report.evidence["p"] == pytest.approx(expected, rel=1e-9)
    assert report.fired
    assert report.evidence["since"] == 5


def test_several_defences_share_the_blame():
    one = detector().report([*BEFORE, zones(5, 18, 4, "harder")])
    two = detector().report([*BEFORE, zones(5, 18, 4, "exclude", "harder")])
    assert two.evidence["p"] == pytest.approx(2 * one.evidence["p"])


def test_without_a_defence_there_is_no_score():
    assert math.isnan(detector().report([*BEFORE, zones(5, 24, 0)]).score)
    assert math.isnan(detector().report([*BEFORE, zones(5, 24, 0, "undo")]).score)


def test_a_tilt_that_came_first_is_not_blamed_on_the_defence():
    assert detector().report([*BEFORE, zones(5, 24, 0), zones(6, 24, 0, "harder")]).score == 0.0


@pytest.mark.parametrize(("consensus", "fires"), [(0.5, True), (1.0, False)])
def test_a_solver_that_changed_is_not_blamed_on_the_defence(consensus, fires):
    history = [zones(i, 12, 12, consensus=0.5) for i in range(5)]
    history += [zones(i, 24, 0, "harder", consensus=consensus) for i in (5, 6)]
    assert detector().report(history).fired is fires


def test_its_order_undoes_and_bars_the_defence():
    env = CurriculumCollapseDetector(
        gym.make("ArgusSelfImprove-v0", rounds=10, problems_per_round=32, anchor_items=16)
    )
    order = Order(Defence.EXTERNAL_CONTEXT, "planted")
    rollout(env, PlantedAgent(0, "H"), seed=0, on_round=on_round(env.unwrapped, order))
    assert any(entry["event"] == "defence.undo" for entry in env.unwrapped.ledger)
