import json
import math
import subprocess
import sys
import time
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argus_gym.capability_map import COLUMNS, SHARE_CAP, CapabilityMap, hashed_words

DIM = 64


def families(count, rng, noise=0.5):
    """Draw embeddings around ``count`` centres that share a common direction, as models' do."""
    centres = rng.normal(size=DIM) + rng.normal(size=(count, DIM))
    return lambda family: centres[family] + noise * rng.normal(size=DIM)


def play(cap, events):
    """Feed ``(embedding, outcome, combined, ends the round)`` tuples; return the clusters."""
    clusters = []
    for embedding, outcome, combined, last in events:
        cluster = cap.assign(embedding)
        zone = "hard" if combined < 0.4 else "easy" if combined > 0.8 else "frontier"
        cap.scored(cluster, outcome, combined, zone)
        clusters.append(cluster)
        if last:
            cap.retested(cluster, combined - outcome)
            cap.end_round()
    return clusters


# hashed words


def test_words_count_at_their_crc32_and_the_vector_has_length_one():
    vector = hashed_words("Apples and apples: 12 pears, x", 16)
    expected = np.zeros(16)
    expected[crc32(b"apples") % 16] += 2
    expected[crc32(b"pears") % 16] += 1
    assert vector.dtype == np.float32
    np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), rtol=1e-6)


def test_numbers_case_and_common_words_do_not_matter():
    a = hashed_words("Tom buys 3 apples for 12 dollars.")
    b = hashed_words("TOM BUYS 47 APPLES at 1,250.5 DOLLARS each")
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("text", ["", "   ", "12 + 30 = 42", "the of and", "\x00\x1b", "½ x"])
def test_a_text_without_words_is_the_zero_vector(text):
    assert not hashed_words(text).any()


@given(st.text(max_size=300), st.integers(1, 200))
def test_any_text_gives_a_finite_vector_of_length_one_or_zero(text, dim):
    vector = hashed_words(text, dim)
    assert vector.shape == (dim,)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6) or not vector.any()
    np.testing.assert_array_equal(vector, hashed_words(text, dim))


def test_only_the_first_4000_characters_are_read_whatever_follows():
    head = "pears and plums " * 250
    np.testing.assert_array_equal(hashed_words(head), hashed_words(head + "bicycle " * 10))


@pytest.mark.parametrize("unit", ["a", "é", "İ", "word ", "名前", "'s ", "\ud800"])
def test_a_megabyte_of_text_takes_bounded_time(unit):
    text = unit * (1_000_000 // len(unit))
    hashed_words(text)
    start = time.perf_counter()
    hashed_words(text)
    assert time.perf_counter() - start < 0.05


def test_vectors_do_not_depend_on_hash_randomisation():
    code = (
        "from argus_gym.capability_map import hashed_words;"
        "print(hashed_words('Ann paints seven blue fences').tobytes().hex())"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(p for p in sys.path if p)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert runs == {hashed_words("Ann paints seven blue fences").tobytes().hex() + "\n"}


def test_a_dimension_below_one_is_refused():
    with pytest.raises(ValueError, match="dim must be at least 1, got 0"):
        hashed_words("apples", 0)


# clusters


@pytest.mark.parametrize("seed", range(10))
def test_separate_families_get_their_own_clusters(seed):
    rng = np.random.default_rng(seed)
    draw = families(8, rng, noise=0.7)
    cap = CapabilityMap(10)
    members = rng.integers(8, size=600)
    clusters = np.array([cap.assign(draw(family)) for family in members])
    table = np.zeros((8, 10))
    np.add.at(table, (members[100:], clusters[100:]), 1)
    assert table.max(axis=1).sum() / table.sum() >= 0.9
    assert table.max(axis=0).sum() / table.sum() >= 0.9


@pytest.mark.parametrize("seed", range(5))
def test_no_cluster_swallows_a_stream_without_structure(seed):
    rng = np.random.default_rng(seed)
    cap = CapabilityMap(10)
    common = rng.normal(size=DIM)
    clusters = [cap.assign(common + rng.normal(size=DIM)) for _ in range(1000)]
    counts = np.bincount(clusters, minlength=10)
    assert counts.min() > 20
    assert counts.max() < 250


def test_a_family_keeps_its_number_while_it_drifts_and_others_arrive():
    rng = np.random.default_rng(0)
    cap = CapabilityMap(4)
    eye = np.eye(4)
    first = cap.assign(eye[0])
    second = cap.assign(eye[1])
    for step in range(1500):
        angle = min(step, 1000) / 1000 * np.pi / 2
        moving = np.cos(angle) * eye[0] + np.sin(angle) * eye[2]
        assert cap.assign(moving + 0.01 * rng.normal(size=4)) == first
        assert cap.assign(eye[1] + 0.01 * rng.normal(size=4)) == second
    assert cap.locate(eye[2]) == first
    assert cap.locate(eye[1]) == second


def test_equal_embeddings_stay_in_one_cluster_at_any_scale():
    cap = CapabilityMap(5)
    direction = np.random.default_rng(1).normal(size=DIM)
    scales = np.geomspace(1e-12, 1e12, 200)
    assert {cap.assign(scale * direction) for scale in scales} == {0}
    assert {cap.assign(-direction), cap.assign(-direction)} == {1}


def test_locate_changes_nothing():
    rng = np.random.default_rng(2)
    cap = CapabilityMap(6)
    assert cap.locate(rng.normal(size=DIM)) == 0
    for _ in range(50):
        cap.assign(rng.normal(size=DIM))
    before = cap.state()
    located = [cap.locate(rng.normal(size=DIM)) for _ in range(50)]
    assert len(set(located)) > 1
    assert cap.state() == before


@pytest.mark.parametrize(
    "bad",
    [
        np.full(3, np.nan),
        np.array([np.inf, 0, 0]),
        np.array([np.inf, -np.inf, 1]),
        np.zeros(4),
        np.zeros((1, 3)),
        np.zeros(0),
        np.float64(1.0),
    ],
)
def test_an_embedding_that_does_not_fit_is_refused_and_changes_nothing(bad):
    cap = CapabilityMap(3)
    cap.assign(np.array([1.0, 2.0, 3.0]))
    before = cap.state()
    for method in (cap.assign, cap.locate):
        with pytest.raises(ValueError, match="embedding must"):
            method(bad)
    assert cap.state() == before


@pytest.mark.parametrize("scale", [1e300, 1e-300, 5e-324, float(np.finfo(np.float32).max)])
def test_extreme_but_finite_embeddings_are_accepted(scale):
    cap = CapabilityMap(3)
    assert cap.assign(np.full(8, scale)) == cap.locate(np.full(8, 1.0))


# columns


def test_columns_come_in_order_as_fresh_float32_arrays():
    cap = CapabilityMap(7)
    play(cap, [(np.eye(3)[i % 3], 0.5, 0.5, False) for i in range(9)])
    first, second = cap.arrays(), cap.arrays()
    assert tuple(first) == COLUMNS
    for name in COLUMNS:
        assert first[name].dtype == np.float32
        assert first[name].shape == (7,)
        np.testing.assert_array_equal(first[name], second[name])
        assert not np.shares_memory(first[name], second[name])
        assert first[name].flags.writeable


def test_consensus_and_frontier_rate_are_means_first_and_forget_later():
    cap = CapabilityMap(2)
    values = np.random.default_rng(3).random(20)
    for value in values:
        cap.scored(1, 1.0, value, "frontier" if value > 0.5 else "hard")
    columns = cap.arrays()
    assert columns["n"].tolist() == [0, 20]
    assert columns["consensus"][1] == pytest.approx(values.mean())
    assert columns["frontier_rate"][1] == pytest.approx((values > 0.5).mean())
    for _ in range(200):
        cap.scored(1, 1.0, 0.9, "easy")
    assert cap.arrays()["consensus"][1] == pytest.approx(0.9, abs=1e-4)


def test_share_covers_this_round_and_the_one_before():
    cap = CapabilityMap(3)
    for cluster, times in ((0, 6), (1, 2)):
        for _ in range(times):
            cap.scored(cluster, 0.5, 0.5, "frontier")
    cap.end_round()
    cap.scored(2, 0.5, 0.5, "frontier")
    cap.scored(2, 0.5, 0.5, "frontier")
    assert cap.arrays()["share"].tolist() == pytest.approx([0.6, 0.2, 0.2])
    cap.end_round()
    assert cap.arrays()["share"].tolist() == [0, 0, 1]
    cap.end_round()
    assert cap.arrays()["share"].tolist() == [0, 0, 0]


def test_velocity_is_the_change_of_consensus_per_round():
    cap = CapabilityMap(2)
    cap.scored(0, 0.2, 0.2, "hard")
    cap.scored(1, 0.8, 0.8, "easy")
    cap.end_round()
    assert cap.arrays()["velocity"].tolist() == [0, 0]
    cap.scored(0, 0.6, 0.6, "frontier")
    cap.end_round()
    cap.end_round()
    cap.scored(1, 0.2, 0.2, "hard")
    cap.end_round()
    assert cap.arrays()["velocity"].tolist() == pytest.approx([0.2, -0.1])


def test_retest_delta_is_the_mean_of_the_last_round_that_retested():
    cap = CapabilityMap(3)
    cap.retested(0, 0.5)
    cap.retested(0, -0.25)
    cap.retested(1, -1.0)
    cap.end_round()
    cap.retested(1, 0.25)
    assert cap.arrays()["retest_delta"].tolist() == [0.125, 0.25, 0.0]
    np.testing.assert_array_equal(cap.last_retest_delta, [0.125, 0.25, np.nan])
    assert cap.retests.tolist() == [2, 2, 0]


def test_skill_weighs_visited_clusters_the_same():
    cap = CapabilityMap(4)
    assert math.isnan(cap.skill())
    for outcome in (1.0, 1.0, 0.4):
        cap.scored(0, outcome, 0.5, "frontier")
    cap.scored(2, 0.2, 0.5, "frontier")
    assert cap.skill() == pytest.approx((0.8 + 0.2) / 2)
    cap.end_round()
    assert math.isnan(cap.skill())


def test_eligibility_ends_at_the_share_cap():
    cap = CapabilityMap(4)
    for cluster in [0] * 3 + [1] * 7:
        cap.scored(cluster, 0.5, 0.5, "frontier")
    assert cap.arrays()["share"][0] == pytest.approx(SHARE_CAP)
    assert cap.arrays()["eligible"].tolist() == [0, 0, 1, 1]
    cap.scored(2, 0.5, 0.5, "frontier")
    assert cap.arrays()["eligible"].tolist() == [1, 0, 1, 1]


def test_exclusion_lasts_as_many_rounds_as_asked_and_can_be_lifted():
    cap = CapabilityMap(3)
    cap.exclude(1, 2)
    cap.exclude(2, 5)
    for expected in ([1, 0, 0], [1, 0, 0], [1, 1, 0]):
        assert cap.arrays()["eligible"].tolist() == expected
        cap.end_round()
    cap.exclude(2, 0)
    assert cap.arrays()["eligible"].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((3, 1), r"cluster must be in \[0, 3\), got 3"), ((0, -1), "rounds must be at least 0")],
)
def test_bad_exclusions_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        CapabilityMap(3).exclude(*arguments)


def test_a_map_needs_a_cluster():
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        CapabilityMap(0)


# state


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(0, 80), k=st.integers(1, 12))
def test_a_restored_map_goes_on_bit_for_bit(seed, cut, k):
    rng = np.random.default_rng(seed)
    draw = families(5, rng)
    events = [
        (draw(rng.integers(5)), float(rng.random()), float(rng.random()), i % 16 == 15)
        for i in range(80)
    ]
    straight = CapabilityMap(k)
    play(straight, events[:cut])
    if cut % 3 == 0:
        straight.exclude(cut % k, 2)
    resumed = CapabilityMap(k)
    play(resumed, events[cut:])
    resumed.load_state(json.loads(json.dumps(straight.state(), allow_nan=False)))
    assert resumed.state() == straight.state()
    assert play(resumed, events[cut:]) == play(straight, events[cut:])
    assert resumed.state() == straight.state()
    for name, column in straight.arrays().items():
        assert column.tobytes() == resumed.arrays()[name].tobytes()
    assert resumed.skill() == straight.skill() or math.isnan(straight.skill())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: s.pop("table"),
        lambda s: s.update(table=[[0.0]]),
        lambda s: s.update(centroids=[[1.0, 2.0]]),
        lambda s: s.update(assigned=[1, 2]),
        lambda s: s.update(outcomes="words"),
        lambda s: s.update(seen=None),
        lambda s: s.update(norms=[[1], [2, 3]]),
    ],
)
def test_a_state_of_something_else_is_refused_and_changes_nothing(spoil):
    cap = CapabilityMap(3)
    play(cap, [(np.eye(3)[i % 3], 0.5, 0.5, False) for i in range(9)])
    before = cap.state()
    spoiled = cap.state()
    spoil(spoiled)
    with pytest.raises(ValueError, match="state is not that of a map with k=3"):
        cap.load_state(spoiled)
    assert cap.state() == before
    with pytest.raises(ValueError, match="k=4"):
        CapabilityMap(4).load_state(before)
