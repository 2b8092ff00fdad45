"""Worlds whose instruments fail: the truth falls, what the loop measures does not."""

import json
from statistics import fmean

import pytest

from argus_gym.agents import Oracle, rollout
from argus_gym.benchmarks.worlds import WORLDS, Plan
from argus_gym.records import encode

NAMES = ("leakage", "misgrading", "stuck_gauge")
ONSET = 4


def play(name, severity=1.0, shape="cliff", seed=3):
    """Return rounds, and the true accuracy at the start and after each of them."""
    world, plan = WORLDS[name](), Plan(seed, ONSET, severity, shape)
    env, agent = world.env(plan), world.agent(plan)
    env.reset(seed=seed)
    problems = tuple(text for text, _ in env.unwrapped.report_pool)
    truth = [world.truth(agent, problems)["accuracy"]]
    rounds = rollout(
        env,
        agent,
        seed=seed,
        on_round=lambda record: truth.append(world.truth(agent, problems)["accuracy"]),
    ).rounds
    assert truth[-1] == pytest.approx(Oracle(agent).true_accuracy(problems))
    return rounds, truth


PLAYED = {name: play(name) for name in NAMES}
QUIET = play("quiet")


def as_json(rounds):
    return json.dumps(encode(rounds))


@pytest.mark.parametrize("name", NAMES)
def test_truth_leaves_the_twins(name):
    twin, true = play(name, severity=0.0)
    assert as_json(twin) == as_json(QUIET[0])
    assert true == QUIET[1]
    rounds, truth = PLAYED[name]
    assert as_json(rounds[:ONSET]) == as_json(twin[:ONSET])
    assert truth[: ONSET + 1] == true[: ONSET + 1]
    assert truth[-1] < true[-1] - 0.05
    assert truth[-1] < truth[ONSET]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_plan_gives_the_same_run(name):
    assert as_json(play(name)[0]) == as_json(PLAYED[name][0])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", ["ramp", "intermittent"])
def test_other_shapes_run_and_are_milder(name, shape):
    truth = play(name, shape=shape)[1]
    assert PLAYED[name][1][-1] < truth[-1] < QUIET[1][-1]


def after(rounds, anchor=True):
    """Return the mean right share after the steps since the onset."""
    items = [i for r in rounds[ONSET:] for i in r.retests if i.anchor == anchor]
    return fmean(i.right_after / i.chains for i in items)


def test_leaked_anchors_look_ever_better():
    rounds = PLAYED["leakage"][0]
    assert after(rounds) > after(QUIET[0]) + 0.15
    assert after(rounds, anchor=False) < after(rounds)
    mild, severe = (after(play("leakage", severity)[0]) for severity in (0.5, 2.0))
    assert mild < after(rounds) < severe


def test_the_lying_evaluator_regrades_after_the_step_and_one_way():
    # The same learner under an honest evaluator: its reports are stale, its answers are not.
    rounds, honest = (PLAYED[name][0] for name in ("misgrading", "stuck_gauge"))
    pairs = list(zip(rounds[ONSET].retests, honest[ONSET].retests, strict=True))
    assert all(
        (lied.problem, lied.right_before, lied.outcome_after)
        == (true.problem, true.right_before, true.outcome_after)
        for lied, true in pairs
    )
    assert all(lied.right_after >= true.right_after for lied, true in pairs)
    assert sum(lied.right_after > true.right_after for lied, true in pairs) > 3
    severe = play("misgrading", 4.0)[0]
    assert all(i.right_after == i.chains for i in severe[ONSET].retests)


def test_the_stale_report_repeats_the_last_sound_one():
    sound = PLAYED["stuck_gauge"][0][ONSET - 1].report
    for rounds, slack in ((PLAYED["stuck_gauge"][0], 0.1), (play("stuck_gauge", 2.0)[0], 0.0)):
        for record in rounds[ONSET:]:
            report = record.report
            assert report.train[0] == sound.train[0]
            assert record.gauges["epi_train"] == pytest.approx(
                sound.train[0] - sound.train[1], rel=slack + 1e-9
            )
            assert report.preq_bits == pytest.approx(sound.preq_bits, rel=slack + 1e-9)
            assert report.tokens != sound.tokens
