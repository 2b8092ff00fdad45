"""Leakage: fires where asked anchors alone get better, stays quiet otherwise and on bad input."""

import math

import numpy as np
import pytest
from detecting import detector, item, retested, world_alarm
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from argus_gym.benchmarks.worlds import WORLDS
from argus_gym.wrappers.leakage import LeakageDetector

POOL, BLOCK, ROUNDS = 40, 12, 9


def test_alarm_rounds_of_the_leaked_anchors_are_pinned():
    world = WORLDS["leakage"]()
    assert [world_alarm(LeakageDetector, world, seed) for seed in range(3)] == [8, 8, 8]


def test_its_honest_twin_stays_quiet():
    world = WORLDS["leakage"]()
    assert [world_alarm(LeakageDetector, world, seed, 0.0) for seed in range(2)] == [None] * 2


def run(change=lambda at: 0.0, leak=None, pool=POOL, seed=0, lenient=False):
    """Return rounds of ``BLOCK`` anchors of a pool.

    ``change(step)`` is added to every item's chance of a right chain; from round ``leak`` on an
    anchor asked before the step is always right after it, or is called so by a lenient grader.
    """
    rng = np.random.default_rng(seed)
    level = rng.uniform(0.2, 0.8, pool)
    leaked, history, last = set(), [], {}

    def answer(n, step):
        chance = 1.0 if n in leaked and not lenient else level[n] + change(step)
        return int(rng.binomial(8, np.clip(chance, 0, 1)))

    for at in range(ROUNDS):
        block = rng.permutation(pool)[:BLOCK].tolist()
        before = [last[n] if n in last else answer(n, at) for n in block]
        if leak is not None and at >= leak:
            leaked |= set(block)
        after = [answer(n, at + 1) for n in block]
        modes = [(max(x, 8 - x) / 8, max(y, 8 - y) / 8) for x, y in zip(before, after, strict=True)]
        if lenient and leak is not None and at >= leak:
            after = [8] * BLOCK
        last = dict(zip(block, after, strict=True))
        rows = zip(block, before, after, modes, strict=True)
        history.append(retested(at, [item(n, x, y, n % 3, modes=m) for n, x, y, m in rows]))
    return history


def test_leaked_anchors_fire():
    reports = [detector(LeakageDetector).report(run(leak=6)[:n]) for n in range(1, ROUNDS + 1)]
    assert [r.round for r in reports if r.fired][:1] in ([7], [8])
    assert reports[-1].evidence["gain"] > 0.25
    assert not any(r.fired for r in reports[:6])


@pytest.mark.parametrize("change", [0.3, -0.3])
def test_a_change_of_every_item_is_no_leak(change):
    rounds = run(lambda step: change * (step > 6))
    scores = [detector(LeakageDetector).report(rounds[:n]).score for n in range(5, ROUNDS + 1)]
    assert max(scores) < 0.3


def test_a_lenient_grader_is_no_leak():
    report = detector(LeakageDetector).report(run(leak=6, lenient=True))
    assert report.evidence["p_gain"] < 1e-4
    assert report.score == 0.0


def test_a_pool_that_is_asked_whole_leaves_nothing_to_compare():
    report = detector(LeakageDetector).report(run(leak=6, pool=BLOCK))
    assert math.isnan(report.score)
    assert report.evidence["asked"] > 0


def test_without_anchors_there_is_nothing_to_score():
    past = [item(n, n % 8, (n + 3) % 8, anchor=False) for n in range(9)]
    assert math.isnan(detector(LeakageDetector).report([retested(i, past) for i in range(9)]).score)


def test_before_five_rounds_there_is_none_either():
    rounds = run(leak=0)
    scores = [detector(LeakageDetector).report(rounds[:n]).score for n in range(1, 6)]
    assert [math.isnan(score) for score in scores] == [True] * 4 + [False]


@given(st.integers(0, 2**32 - 1), st.sampled_from([None, 5, 6]))
def test_the_gain_is_that_of_a_regression_with_levels_and_steps(seed, leak):
    history = run(seed=seed, leak=leak)
    report = detector(LeakageDetector).report(history)
    answers = {}
    for at, record in enumerate(history):
        for test in record.retests:
            answers[test.problem, at] = test.right_before / 8
            answers[test.problem, at + 1] = test.right_after / 8
    rows = sorted(answers)
    names, steps = sorted({n for n, _ in rows}), range(ROUNDS + 1)
    asked = [any((n, s) in answers for s in range(ROUNDS - 3, step)) for n, step in rows]
    # Items' levels and steps' changes as dummy variables, one step left out.
    design = np.array(
        [
            [a, *(n == name for name in names), *(s == step for step in steps[1:])]
            for a, (n, s) in zip(asked, rows, strict=True)
        ],
        float,
    )
    y = np.array([answers[row] for row in rows])
    assume(np.linalg.matrix_rank(design) == design.shape[1])
    fit, rest, *_ = np.linalg.lstsq(design, y, rcond=None)
    df = len(y) - design.shape[1]
    error = math.sqrt(float(rest[0]) / df * np.linalg.inv(design.T @ design)[0, 0])
    assert report.evidence["gain"] == pytest.approx(fit[0], abs=1e-9)
    assert report.evidence["asked"] == sum(asked)
    assert report.evidence["p_gain"] == pytest.approx(stats.t.sf(fit[0] / error, df), rel=1e-6)
