import itertools
import math
import subprocess
import sys
from fractions import Fraction
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from argus_gym.gauges import (
    GAUGE_LIMIT,
    GAUGES,
    anchors,
    learning,
    measure,
    newcombe,
    noise_band,
    observe,
    paired,
    paired_difference_interval,
    pass_at_k,
    past,
    prequential_bits,
    wilson,
)
from argus_gym.records import (
    LearnReport,
    Premise,
    ProblemRecord,
    RetestItem,
    RoundRecord,
    decode,
    encode,
)

NAN = math.nan


def item(before, after, chains=1, anchor=True):
    return RetestItem("2 + 2?", 0, anchor, chains, before, after, 1.0, 1.0)


def problem(cluster=0, outcome=0.5, combined=0.5, zone="frontier"):
    return ProblemRecord(
        problem="How many pears?",
        cluster=cluster,
        target=cluster,
        zone=zone,
        outcome=outcome,
        process=0.5,
        combined=combined,
        answer=4,
        premise=Premise(True),
        length_mean=30.0,
        length_sd=2.0,
        variety=0.5,
        source="own",
    )


def record(gauges):
    return RoundRecord(0, (), (), LearnReport(), 0, 0, 0, NAN, NAN, gauges, {}, (14.0, 1.0), {}, {})


@st.composite
def retests(draw, max_size=9):
    items = []
    for _ in range(draw(st.integers(1, max_size))):
        k = draw(st.integers(1, 4))
        right = st.integers(0, k)
        items.append(item(draw(right), draw(right), k))
    return items


# learning gauges


def test_learning_gauges_are_before_minus_after():
    report = LearnReport((1.0, 0.75), (1.0, 1.125), (0.5, 0.25), 640.0, 9000)
    assert learning(report) == {
        "epi_train": 0.25,
        "epi_heldout": -0.125,
        "epi_replay": 0.25,
        "epi_preq": 640.0,
        "memorisation": 0.375,
    }


@pytest.mark.parametrize("bad", [NAN, math.inf, -math.inf])
def test_what_was_not_measured_is_nan(bad):
    report = LearnReport((1.0, bad), (bad, 1.0), (bad, bad), bad)
    assert all(math.isnan(value) for value in learning(report).values())


def test_prequential_bits_are_the_area_above_the_last_loss():
    assert prequential_bits([3.0, 2.0, 1.0], [10, 20, 30]) == pytest.approx(40 / math.log(2))
    assert prequential_bits([1.0, 2.0], [7, 1]) == pytest.approx(-7 / math.log(2))


def test_a_uniform_learner_that_learns_one_bit_a_token_saves_its_tokens_in_bits():
    assert prequential_bits([math.log(2)] * 5 + [0.0], [8] * 6) == pytest.approx(40)


@pytest.mark.parametrize(("losses", "tokens"), [([], []), ([1.0], [5]), ([NAN, 1.0], [1, 1])])
def test_a_curve_of_less_than_two_points_is_not_measured(losses, tokens):
    assert math.isnan(prequential_bits(losses, tokens))


@pytest.mark.parametrize(
    ("losses", "tokens", "message"),
    [([1.0, 2.0], [1], "losses and tokens must match"), ([1.0, 2.0], [1, -1], "got -1")],
)
def test_bad_curves_are_refused(losses, tokens, message):
    with pytest.raises(ValueError, match=message):
        prequential_bits(losses, tokens)


# paired retests


@settings(deadline=None)
@given(retests(max_size=40), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_interval_is_scipys_t_interval_over_items(items, confidence):
    deltas = [i.delta for i in items]
    result = paired(items, confidence)
    assert result.n == len(items)
    assert result.answers == 2 * sum(i.chains for i in items)
    assert result.delta == pytest.approx(np.mean(deltas), abs=1e-12)
    if len(items) > 1 and np.ptp(deltas) > 0:
        expected = stats.ttest_1samp(deltas, 0.0).confidence_interval(confidence)
        assert result.low == pytest.approx(max(expected.low, -1), abs=1e-9)
        assert result.high == pytest.approx(min(expected.high, 1), abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=200))
def test_with_one_chain_p_down_is_the_exact_mcnemar_test(pairs):
    gained, lost = pairs.count((0, 1)), pairs.count((1, 0))
    expected = (
        stats.binomtest(gained, gained + lost, alternative="less").pvalue if gained + lost else 1
    )
    assert paired([item(*p) for p in pairs]).p_down == pytest.approx(expected, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(retests(max_size=8).filter(lambda items: len(items) > 1))
def test_with_many_chains_p_down_is_scipys_exact_sign_flip_test(items):
    deltas = [12 * (i.right_after - i.right_before) // i.chains for i in items]
    expected = stats.permutation_test(
        (np.array(deltas),), np.sum, permutation_type="samples", alternative="less"
    ).pvalue
    assert paired(items).p_down == pytest.approx(expected, abs=1e-9)


@given(retests(max_size=9))
def test_p_down_counts_the_sign_patterns(items):
    deltas = [Fraction(i.right_after - i.right_before, i.chains) for i in items]
    signs = itertools.product((-1, 1), repeat=len(deltas))
    sums = [sum(s * abs(d) for s, d in zip(pattern, deltas)) for pattern in signs]
    expected = sum(total <= sum(deltas) for total in sums) / len(sums)
    assert paired(items).p_down == pytest.approx(expected, abs=1e-9)


def test_awkward_numbers_of_chains_are_rounded_to_thousandths():
    sides = [(before, before // 2, 60 + before) for before in range(3, 60, 4)]
    assert math.lcm(*(chains for _, _, chains in sides)) > 1000
    falling = [item(*side) for side in sides]
    rising = [item(after, before, chains) for before, after, chains in sides]
    assert paired(falling).p_down == pytest.approx(2.0 ** -len(sides), rel=1e-9)
    assert paired(rising).p_down == pytest.approx(1.0)


def test_identical_answers_are_no_evidence_and_have_an_interval_that_is_not_a_point():
    result = paired([item(5, 5, 8)] * 16)
    q = 1 - 0.025 ** (1 / 16)
    assert q == pytest.approx(stats.binomtest(0, 16).proportion_ci(method="exact").high)
    assert (result.delta, result.p_down) == (0.0, 1.0)
    assert (result.low, result.high) == pytest.approx((-q, q))


def test_when_every_item_falls_completely_the_interval_stays_inside():
    result = paired([item(1, 0)] * 6)
    assert result.delta == result.low == -1.0
    assert -1.0 < result.high < 0.0
    assert result.p_down == pytest.approx(2**-6)


def test_one_item_has_no_interval_and_none_has_nothing():
    one = paired([item(1, 0)])
    assert (one.delta, one.n, one.answers, one.p_down) == (-1.0, 1, 2, 0.5)
    assert math.isnan(one.low)
    assert math.isnan(one.high)
    none = paired([])
    assert (none.n, none.answers) == (0, 0)
    assert all(math.isnan(x) for x in (none.delta, none.low, none.high, none.p_down))


def test_anchors_and_past_split_the_items_in_order():
    items = [item(0, 1, anchor=a) for a in (True, False, True)]
    assert anchors(items) == (items[0], items[2])
    assert past(items) == (items[1],)


@pytest.mark.parametrize("confidence", [0.0, 1.0, -1.0, NAN])
def test_confidence_is_checked(confidence):
    for call in (
        lambda: paired([], confidence),
        lambda: wilson(1, 2, confidence),
        lambda: noise_band(0.5, 10, confidence),
    ):
        with pytest.raises(ValueError, match=r"confidence must be in \(0, 1\)"):
            call()


@pytest.mark.parametrize(("n", "chains"), [(16, 8), (100, 1)])
def test_coverage_and_false_alarms_on_unchanged_weights(n, chains):
    rng = np.random.default_rng(0)
    runs, covered, alarms = 2000, 0, 0
    for _ in range(runs):
        rates = rng.beta(0.5, 0.5, n)
        sides = rng.binomial(chains, rates), rng.binomial(chains, rates)
        result = paired([item(int(b), int(a), chains) for b, a in zip(*sides)])
        covered += result.low <= 0 <= result.high
        alarms += result.p_down <= 0.05
    assert wilson(covered, runs)[1] > 0.95 - 0.01
    assert wilson(alarms, runs)[0] < 0.05


# proportions


@pytest.mark.parametrize("n", [1, 2, 14, 200, 10_000])
def test_pass_at_k_is_exact(n):
    rng = np.random.default_rng(n)
    cs = sorted({0, 1, n // 2, n - 1, n, *rng.integers(0, n + 1, 5).tolist()})
    ks = sorted({1, n, *rng.integers(1, n + 1, 4).tolist()})
    got = pass_at_k(n, np.array(cs)[:, None], np.array(ks))
    assert got.shape == (len(cs), len(ks))
    for (i, c), (j, k) in itertools.product(enumerate(cs), enumerate(ks)):
        expected = 1 - Fraction(math.comb(n - c, k), math.comb(n, k))
        assert got[i, j] == pytest.approx(float(expected), rel=1e-11, abs=1e-300)


def test_pass_at_k_broadcasts_over_items_of_different_size():
    got = pass_at_k(np.array([2, 4, 8]), np.array([1, 0, 8]), 2)
    assert got.tolist() == pytest.approx([1.0, 0.0, 1.0])
    assert pass_at_k(np.array([], int), 0, 1).shape == (0,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((4, 5, 1), "c must be in"),
        ((4, -1, 1), "c must be in"),
        ((4, 1, 5), "k must be in"),
        ((4, 1, 0), "k must be in"),
        ((4.0, 1, 1), "must be integers"),
    ],
)
def test_pass_at_k_refuses_impossible_counts(arguments, message):
    with pytest.raises(ValueError, match=message):
        pass_at_k(*arguments)


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_solves_its_quadratic(counts):
    successes, n = counts
    z2 = NormalDist().inv_cdf(0.975) ** 2
    p = successes / n
    for bound in wilson(successes, n):
        assert (p - bound) ** 2 == pytest.approx(z2 * bound * (1 - bound) / n, abs=1e-9)


@pytest.mark.parametrize(("successes", "n"), [(1, 0), (3, 2), (-1, 5)])
def test_wilson_refuses_impossible_counts(successes, n):
    with pytest.raises(ValueError, match=f"got {successes} of {n}"):
        wilson(successes, n)


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        ((48, 80), (56, 70), 0.0524, 0.3339),
        ((3, 10), (9, 10), 0.1705, 0.8090),
        ((2, 7), (6, 7), 0.0582, 0.8062),
        ((0, 29), (5, 56), -0.0381, 0.1926),
        ((0, 20), (0, 10), -0.1611, 0.2775),
        ((0, 20), (10, 10), 0.6791, 1.0000),
    ],
)
def test_newcombe_gives_the_values_of_its_paper(first, second, low, high):
    """Newcombe (1998), Statistics in Medicine 17:873-890, table II, method 10."""
    assert newcombe(*first, *second) == pytest.approx((low, high), abs=5e-5)
    assert newcombe(*second, *first) == pytest.approx((-high, -low), abs=5e-5)


@pytest.mark.parametrize(
    ("table", "low", "high"),
    [
        ((36, 12, 2, 0), 0.0569, 0.3404),
        ((36, 14, 0, 0), 0.1528, 0.4167),
        ((0, 29, 1, 0), 0.6666, 0.9882),
        ((1, 97, 1, 1), 0.8737, 0.9850),
    ],
)
def test_the_paired_interval_gives_the_values_of_its_paper(table, low, high):
    """Newcombe (1998), Statistics in Medicine 17:2635-2650, method 10 (first minus second)."""
    both, first, second, neither = table
    got = paired_difference_interval(both, second, first, neither)
    assert got == pytest.approx((low, high), abs=5e-5)


@given(*(st.integers(0, 60) for _ in range(4)))
def test_the_paired_interval_holds_its_estimate_and_mirrors(both, lost, gained, neither):
    n = both + lost + gained + neither
    if n == 0:
        return
    low, high = paired_difference_interval(both, lost, gained, neither)
    assert -1 - 1e-9 <= low <= (gained - lost) / n <= high <= 1 + 1e-9
    mirrored = paired_difference_interval(both, gained, lost, neither)
    assert mirrored == pytest.approx((-high, -low), abs=1e-9)
    if both * neither <= lost * gained:
        apart = newcombe(both + lost, n, both + gained, n)
        assert high - low >= apart[1] - apart[0] - 1e-9


@pytest.mark.parametrize("table", [(0, 0, 0, 0), (1, -1, 2, 3)])
def test_the_paired_interval_refuses_impossible_tables(table):
    with pytest.raises(ValueError, match="got"):
        paired_difference_interval(*table)


def test_the_noise_band_of_the_published_runs():
    assert noise_band(0.485, 100) == pytest.approx(0.139, abs=5e-4)


def test_the_noise_band_holds_two_measurements_95_percent_of_the_time():
    rng = np.random.default_rng(0)
    gaps = rng.binomial(1000, 0.6, 20_000) / 1000 - rng.binomial(1000, 0.6, 20_000) / 1000
    inside = int((np.abs(gaps) <= noise_band(0.6, 1000)).sum())
    low, high = wilson(inside, 20_000)
    assert low - 0.005 < 0.95 < high + 0.005


@pytest.mark.parametrize(("p", "n"), [(1.1, 5), (-0.1, 5), (0.5, 0), (NAN, 5)])
def test_a_noise_band_needs_a_rate_and_a_size(p, n):
    with pytest.raises(ValueError, match="p must be in"):
        noise_band(p, n)


# measure and observe


def test_measure_gives_every_gauge_of_a_round():
    problems = [
        problem(0, 1.0, 0.9, "easy"),
        problem(0, 0.5, 0.5),
        problem(3, 0.25, 0.2, "hard"),
        problem(3, 0.25, 0.6),
    ]
    items = [item(4, 6, 8), item(2, 2, 8), item(8, 4, 8, anchor=False)]
    got = measure(problems, items, LearnReport((1.0, 0.5), (1.0, 0.75), preq_bits=12.0), 6, 2)
    expected = {
        "mean_reward": 0.55,
        "skill": 0.5,
        "frontier_share": 0.5,
        "easy_share": 0.25,
        "hard_share": 0.25,
        "epi_train": 0.5,
        "epi_heldout": 0.25,
        "epi_replay": NAN,
        "epi_preq": 12.0,
        "memorisation": 0.25,
        "anchor_accuracy": 0.5,
        "anchor_delta": 0.125,
        "past_delta": -0.5,
        "replay_share": 0.25,
    }
    assert tuple(got) == GAUGES[1:]
    assert got == pytest.approx(expected, nan_ok=True)


def test_an_empty_round_measures_nothing():
    got = measure([], [], LearnReport(), 0, 0)
    assert tuple(got) == GAUGES[1:]
    assert all(math.isnan(value) for value in got.values())


def test_observation_before_the_first_round():
    values, measured = observe(None, 0, 15)
    assert values.dtype == measured.dtype == np.float32
    assert values.shape == measured.shape == (len(GAUGES),)
    assert not values.any()
    assert measured.tolist() == [1] + [0] * (len(GAUGES) - 1)


def test_observation_of_a_round():
    gauges = measure([problem()], [], LearnReport((1.0, 0.75)), 1, 0)
    values, measured = observe(record(gauges), 3, 12)
    seen = dict(zip(GAUGES, values.tolist()))
    assert seen["progress"] == 0.25
    assert seen["epi_train"] == 0.25
    assert seen["skill"] == 0.5
    assert seen["anchor_delta"] == 0.0
    flags = dict(zip(GAUGES, measured.tolist()))
    assert (flags["epi_train"], flags["anchor_delta"], flags["memorisation"]) == (1, 0, 0)


@given(st.lists(st.floats(), min_size=len(GAUGES) - 1, max_size=len(GAUGES) - 1))
def test_any_gauges_stay_inside_the_observation_space(numbers):
    values, measured = observe(record(dict(zip(GAUGES[1:], numbers))), 15, 15)
    assert np.isfinite(values).all()
    assert (np.abs(values) <= GAUGE_LIMIT).all()
    assert measured[1:].tolist() == [float(math.isfinite(x)) for x in numbers]
    assert not values[measured == 0].any()


def test_gauges_survive_a_round_trip_through_json():
    gauges = measure([problem()], [item(1, 0)], LearnReport(), 0, 0)
    again = decode(RoundRecord, encode(record(gauges)))
    for got, expected in zip(observe(again, 1, 2), observe(record(gauges), 1, 2)):
        np.testing.assert_array_equal(got, expected)


def test_measuring_a_round_does_not_import_scipy():
    code = (
        "import sys; from argus_gym.gauges import measure, observe;"
        "from argus_gym.records import LearnReport;"
        "measure([], [], LearnReport(), 0, 0); observe(None, 0, 1);"
        "assert not any(m.split('.')[0] in ('scipy', 'rich', 'sklearn') for m in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
