"""The paired e-detector: its null property, its false alarms, its arithmetic."""

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from argus_gym.intervals import wilson
from argus_gym.wrappers.edetector import BETS, EDetector


def reference(margins, rounds):
    """The same statistic in exact fractions, from its definition."""
    margins = [Fraction(m) for m in margins]
    sr = [[Fraction(0)] * len(BETS) for _ in margins]
    for losses, groups in rounds:
        for row, margin in enumerate(margins):
            for at, bet in enumerate(BETS):
                factor = Fraction(1)
                for loss, group in zip(losses, groups, strict=True):
                    if row in (0, 1 + group):
                        factor *= 1 + Fraction(bet) / (1 + margin) * (Fraction(loss) - margin)
                sr[row][at] = (1 + sr[row][at]) * factor
    means = [sum(row) / len(row) for row in sr]
    return float((means[0] + sum(means[1:]) / len(means[1:])) / 2 if means[1:] else means[0])


loss = st.integers(-8, 8).map(lambda n: n / 8)
one_round = st.lists(st.tuples(loss, st.integers(0, 2)), max_size=8)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(one_round, min_size=1, max_size=5), st.lists(st.floats(0, 0.3), min_size=4, max_size=4)
)
def test_it_agrees_with_exact_fractions(rounds, margins):
    detector = EDetector(np.array(margins))
    split = [([d for d, _ in r], [g for _, g in r]) for r in rounds]
    for losses, groups in split:
        value = detector.update(np.array(losses), np.array(groups, int))
    assert value == pytest.approx(reference(margins, split), rel=1e-9)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(loss, st.floats(0.01, 1)), min_size=1, max_size=6),
    st.floats(0, 0.5),
    st.lists(loss, max_size=4),
)
def test_one_round_is_a_supermartingale_step_for_any_null_distribution(atoms, margin, earlier):
    """E[SR_t | past] <= 1 + SR_{t-1} for every loss distribution with mean at most the margin."""
    values = np.array([value for value, _ in atoms])
    chances = np.array([weight for _, weight in atoms]) / sum(w for _, w in atoms)
    values = np.maximum(values - max(0.0, float(values @ chances) - margin), -1.0)
    assume(values @ chances <= margin + 1e-12)
    past = EDetector(np.array([margin, margin]))
    for value in earlier:
        past.update(np.array([value]), np.array([0]))
    mean = sum(
        chance * EDetector.from_state(past.state()).update(np.array([value]), np.array([0]))
        for value, chance in zip(values, chances, strict=True)
    )
    assert mean <= (1 + past.value) * (1 + 1e-9)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=20), st.integers(1, 8))
def test_items_that_differ_but_average_to_the_margin_do_not_raise_the_mean(means, chains):
    """Every item has its own mean loss; only their average is bounded by the margin."""
    means = np.array(means)
    margin = max(0.0, float(means.mean()))
    factors = [
        float(np.prod((1 + bet / (1 + margin) * (means - margin)) ** chains)) for bet in BETS
    ]
    assert max(factors) <= 1 + 1e-9


def test_the_mean_stays_below_the_number_of_rounds_under_the_null():
    rng = np.random.default_rng(1)
    rounds, runs = 6, 4_000
    values = np.array([null_run(rng, rounds, 16)[-1] for _ in range(runs)])
    excess = values - rounds
    assert excess.mean() <= 3 * excess.std() / math.sqrt(runs)
    assert values.mean() > 0.5 * rounds


def test_false_alarms_over_a_run_stay_below_alpha():
    rng = np.random.default_rng(2)
    rounds, alpha, runs = 15, 0.05, 1_500
    alarms = sum(max(null_run(rng, rounds, 64)) >= rounds / alpha for _ in range(runs))
    low, high = wilson(alarms, runs)
    assert high <= alpha, (alarms, low, high)


def null_run(rng, rounds, items):
    detector, groups = EDetector(np.zeros(5)), np.arange(items) % 4
    rates = rng.beta(0.75, 0.75, items)
    return [detector.update(rates - (rng.random(items) < rates), groups) for _ in range(rounds)]


def test_a_slow_loss_and_a_loss_in_one_group_are_found():
    rng = np.random.default_rng(3)
    for drop, only in ((0.10, None), (0.40, 2)):
        delays = []
        for _ in range(50):
            detector, groups = EDetector(np.zeros(5)), np.arange(128) % 4
            rates = rng.uniform(0.3, 0.9, 128)
            now = rates - drop * (True if only is None else groups == only)
            delays.append(100)
            for index in range(10):
                value = detector.update(rates - (rng.random(128) < now), groups)
                if value >= 10 / 0.05:
                    delays[-1] = index
                    break
            if only is not None:
                assert detector.leading() == only
        assert np.median(delays) <= 5


def test_nothing_overflows():
    up, down = EDetector(np.zeros(2)), EDetector(np.zeros(2))
    ones = np.ones(2_000)
    for _ in range(50):
        assert up.update(ones, np.zeros(2_000, int)) > 1e30
        assert 0 <= down.update(-ones, np.zeros(2_000, int)) < 1
    assert up.value == math.inf and math.isfinite(up.log_value)


def test_a_round_without_items_counts_as_a_round():
    detector = EDetector(np.zeros(3))
    assert detector.log_value == -math.inf and detector.value == 0
    nothing = np.array([]), np.array([], int)
    assert [detector.update(*nothing) for _ in range(3)] == pytest.approx([1, 2, 3])


def test_state_survives_json():
    detector = EDetector(np.array([0.01, 0.1]))
    for _ in range(2):
        again = EDetector.from_state(json.loads(json.dumps(detector.state(), allow_nan=False)))
        assert again.state() == detector.state()
        detector.update(np.array([0.5, -0.25]), np.array([0, 0]))
        again.update(np.array([0.5, -0.25]), np.array([0, 0]))
        assert again.log_value == detector.log_value


@pytest.mark.parametrize("margins", [[], [-0.1], [1.1], [math.nan], [[0.1]]])
def test_margins_outside_their_range_are_named(margins):
    with pytest.raises(ValueError, match="margins must be"):
        EDetector(np.array(margins))


@pytest.mark.parametrize(
    ("losses", "groups", "message"),
    [
        ([0.1], [0, 0], "must match"),
        ([1.1], [0], "losses must be"),
        ([math.nan], [0], "losses must be"),
        ([0.1], [1], "groups must be"),
        ([0.1], [-1], "groups must be"),
    ],
)
def test_bad_updates_are_named(losses, groups, message):
    with pytest.raises(ValueError, match=message):
        EDetector(np.zeros(2)).update(np.array(losses), np.array(groups))
