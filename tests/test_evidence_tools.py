"""Tail probabilities: SciPy's where there is one, NaN where there is nothing to compare."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from argus_gym.records import LearnReport, RetestItem, RoundRecord
from argus_gym.wrappers import evidence_tools as tools

NAN = math.nan
FLOATS = st.floats(-100, 100)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 300), st.integers(0, 300))
def test_fisher_tail_is_scipys(a, b, c, d):
    p = tools.fisher_tail(a, a + b, c, c + d)
    if not a + b or not c + d:
        assert math.isnan(p)
    else:
        expected = stats.fisher_exact([[a, b], [c, d]], alternative="greater").pvalue
        assert p == pytest.approx(expected, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("counts", [(3, 2, 0, 1), (-1, 2, 0, 1), (0, 1, 2, 1)])
def test_fisher_tail_names_a_bad_count(counts):
    with pytest.raises(ValueError, match="hits must be in"):
        tools.fisher_tail(*counts)


@given(st.floats(-30, 30), st.floats(0.5, 200))
def test_tails_are_scipys(x, df):
    assert tools.normal_tail(x) == pytest.approx(stats.norm.sf(x), rel=1e-9, abs=1e-300)
    assert tools.student_tail(x, df) == pytest.approx(stats.t.sf(x, df), rel=1e-8, abs=1e-300)


@given(st.lists(FLOATS, min_size=1, max_size=3), st.lists(FLOATS, min_size=3, max_size=12))
def test_a_rise_and_a_fall_share_the_probability(now, past):
    up = tools.rise_tail(now, past, 1.0)
    down = tools.rise_tail([-v for v in now], [-v for v in past], 1.0)
    assert up + down == pytest.approx(1.0)
    assert tools.rise_tail([v + 1 for v in now], past, 1.0) <= up


def test_rise_tail_is_a_moderated_t_test():
    past, spread = [1.0, 2.0, 4.0, 3.0], 0.5
    variance = (3 * np.var(past, ddof=1) + tools.PRIOR * spread**2) / (3 + tools.PRIOR)
    t = (5.5 - 2.5) / math.sqrt(variance * (1 / 2 + 1 / 4))
    expected = stats.t.sf(t, 3 + tools.PRIOR)
    assert tools.rise_tail([5.0, 6.0], past, spread) == pytest.approx(expected, rel=1e-9)
    assert tools.rise_tail([NAN, 5.0, 6.0], [NAN, *past], spread) == pytest.approx(expected)


def test_nothing_to_compare_is_nan():
    assert math.isnan(tools.rise_tail([NAN], [1.0, 2.0, 3.0], 1.0))
    assert math.isnan(tools.rise_tail([1.0], [1.0, 2.0, NAN], 1.0))
    assert math.isnan(tools.student_tail(NAN, 3))
    assert math.isnan(tools.tippett([NAN, NAN]))
    assert math.isnan(tools.mean([NAN]))
    assert math.isnan(tools.surprise(NAN))


def test_surprise_counts_decades():
    scores = [tools.surprise(p) for p in (1.0, 1e-4, 1e-12, 0.0)]
    assert scores == pytest.approx([0.0, 0.4, 1.0, 1.0])


def test_tippett_pays_for_its_choice():
    assert tools.tippett([0.01, NAN, 0.3]) == 0.02
    assert tools.tippett([0.9, 0.8]) == 1.0


@given(*(st.integers(0, 20) for _ in range(3)), st.integers(1, 3), st.integers(1, 5))
def test_fold_keeps_past_and_recent_apart(rounds, warmup, lag, recent, least):
    parts = tools.fold(rounds, warmup, recent, least, lag)
    if rounds < warmup + least + recent:
        assert parts is None
        return
    past, now = (list(range(rounds))[part] for part in parts)
    assert len(now) == recent
    assert now[-1] == rounds - 1
    assert past[0] == warmup
    assert len(past) >= least
    assert past[-1] < now[0]
    assert len(past) == least or now[0] - past[-1] == lag + 1


def test_anchor_gap_reads_anchors_after_the_step():
    items = (
        RetestItem("a", 0, True, 8, 0, 4, 0.0, 0.75),
        RetestItem("b", 0, True, 4, 0, 1, 0.0, 0.5),
        RetestItem("c", 0, False, 4, 0, 0, 0.0, 1.0),
    )
    fields = (LearnReport(), 0, 0, 0, 0.5, 0.5, {}, {}, (14.0, 1.0), {}, {})
    assert tools.anchor_gap(RoundRecord(0, (), items, *fields)) == 0.25
    assert math.isnan(tools.anchor_gap(RoundRecord(0, (), (), *fields)))
