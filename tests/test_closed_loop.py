"""The closed loop: its worlds are what they say, and the rules in it do what is claimed."""

import json

import numpy as np
import pytest

from argus_gym.benchmarks import closed_loop, closed_world
from argus_gym.benchmarks.closed_world import WORLDS, Scale, World, draw_logits, play, sigmoid
from argus_gym.wrappers.rules import make


def rule(name, **options):
    return lambda: make(name, **options)


def test_two_answers_to_one_item_differ_as_often_as_the_design_says():
    rates = sigmoid(draw_logits(np.random.default_rng(0), 200_000))
    assert rates.mean() == pytest.approx(0.5, abs=0.005)
    assert (2 * rates * (1 - rates)).mean() == pytest.approx(0.30, abs=0.005)


def test_the_scale_gives_the_accuracy_asked_for():
    logits, scale = draw_logits(np.random.default_rng(1), 200_000), Scale()
    for accuracy in (0.2, 0.45, 0.5, 0.65):
        assert sigmoid(logits + scale.shift(accuracy)).mean() == pytest.approx(accuracy, abs=0.005)


def test_never_and_the_oracle_bracket_the_worlds():
    runs = 150
    for name, never, oracle in (
        ("honest", 15.0, 15.0),
        ("bad steps of -5", -1.5, 13.5),
        ("bad steps of -10", -16.5, 13.5),
    ):
        free = np.array([p.change for p in play(WORLDS[name], rule("never"), 0, runs)])
        best = np.array([p.change for p in play(WORLDS[name], None, 0, runs)])
        assert abs(free.mean() - never) <= 3 * free.std() / runs**0.5 + 1e-9
        assert abs(best.mean() - oracle) <= 3 * best.std() / runs**0.5 + 1e-9
        assert (best >= free - 1e-9).all()


def test_the_same_seed_gives_the_same_run_and_the_same_bad_steps_for_every_rule():
    first, again = (play(WORLDS["bad steps of -5"], rule("certified"), 7, 3) for _ in range(2))
    assert repr(first) == repr(again)
    a, b = (closed_world._Loop(WORLDS["bad steps of -5"], None, Scale(), 7) for _ in range(2))
    assert (a.bad == b.bad).all()


def test_certified_keeps_what_other_rules_lose():
    worlds = ("bad steps of -5", "bad steps of -10", "honest")
    means = {
        world: np.mean([p.change for p in play(WORLDS[world], rule("certified"), 500, 40)])
        for world in worlds
    }
    assert means["bad steps of -5"] > 4.5 and means["bad steps of -10"] > 10
    assert means["honest"] > 14.2
    climb = np.mean([p.change for p in play(WORLDS["honest"], rule("hill_climb"), 500, 40)])
    assert climb < 10


def test_a_slide_is_caught_and_a_lost_cluster_is_found_again():
    slides = play(WORLDS["slide of -1 a round"], rule("certified"), 500, 40)
    caught = [any(v.target == "certified" for v in p.verdicts) for p in slides]
    assert sum(caught) >= 39
    last = play(WORLDS["slide of -1 a round"], rule("mcnemar"), 500, 40)
    assert np.mean([p.change for p in last]) < np.mean([p.change for p in slides]) - 10
    world = WORLDS["-30 in one of ten clusters"]
    delays = [p.undone - world.onset for p in play(world, rule("certified"), 500, 40)]
    assert np.median(np.nan_to_num(delays, nan=99)) <= 5


def test_drift_leaves_honest_and_unchanged_runs_alone():
    for name in ("honest", "unchanged", "honest, items shuffled"):
        plays = play(WORLDS[name], rule("certified"), 800, 30)
        alarms = sum(any(v.target == "certified" for v in p.verdicts) for p in plays)
        assert alarms <= 4, name


def test_a_loss_that_nobody_undoes_stays():
    plays = play(World(honest=0.0, loss=-0.3, onset=5), rule("never"), 0, 3)
    assert all(np.isnan(p.undone) and p.change == pytest.approx(-3.0) for p in plays)


def test_power_agrees_with_the_binomial_figures():
    rows = {(r["drop"], r["test"]): r for r in closed_loop.power(3, 400)}
    assert rows[-5.0, "128 x 1"]["low"] <= 0.22 <= rows[-5.0, "128 x 1"]["high"] + 0.02
    assert rows[-10.0, "128 x 1"]["low"] <= 0.62 <= rows[-10.0, "128 x 1"]["high"] + 0.02
    for test in ("128 x 1", "16 x 8", "64 x 8", "certified, one round"):
        assert rows[0.0, test]["low"] <= 0.05
        assert rows[0.0, test]["share"] < rows[-5.0, test]["share"] < rows[-10.0, test]["share"]


@pytest.mark.slow
def test_the_benchmark_meets_its_targets():
    result = closed_loop.run(0, 400)
    for row in result["figures"]:
        if row["rule"] != "certified":
            continue
        world = row["world"]
        if world in closed_loop.TARGETS:
            assert row["change"] >= closed_loop.TARGETS[world], world
        if world in ("honest", "unchanged", "honest, items shuffled"):
            assert row["drift"]["share"] <= 0.05
        if world.startswith("slide"):
            assert row["drift"]["share"] >= 0.98
        if world.startswith("-30"):
            assert row["median_delay"] <= 5


def test_the_report_is_json_and_a_table():
    result = closed_loop.run(0, 2)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert closed_loop.table(result).row_count == len(result["figures"]) + len(result["power"])
    with pytest.raises(ValueError, match="runs must be at least 2"):
        closed_loop.run(0, 1)
