import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argus_gym.capability_map import COLUMNS
from argus_gym.records import LearnReport, Premise, ProblemRecord, RoundRecord
from argus_gym.render import FONT, View, ansi, rgb_array

NAN = math.nan
PAPER, PALE = (255, 255, 255), (233, 233, 236)
BLUE, SKY, VERMILLION = (0, 114, 178), (86, 180, 233), (213, 94, 0)
GREEN, ORANGE = (0, 158, 115), (230, 159, 0)


def columns(k=10, **given):
    full = {name: np.zeros(k, np.float32) for name in COLUMNS}
    full["eligible"] += 1
    return full | {name: np.array(values, np.float32) for name, values in given.items()}


def problem(zone):
    return ProblemRecord("p", 0, 0, zone, 0.5, 0.5, 0.5, 1, Premise(True), 9.0, 1.0, 0.5, "own")


def record(index=0, zones=("hard", "frontier", "frontier", "easy"), reward=0.5, **gauges):
    problems = tuple(problem(zone) for zone in zones)
    skill = gauges.pop("skill", 0.5)
    return RoundRecord(
        index, problems, (), LearnReport(), 0, 0, 0, reward, skill, gauges, {}, (14.0, 1.0), {}, {}
    )


def view(history=(), rounds=15, phase="SOLVE", **given):
    return View(len(history), rounds, phase, columns(**given), history)


def pixels(image, colour):
    return np.argwhere((image == colour).all(-1))


def busy():
    rng = np.random.default_rng(0)
    return view(
        [
            record(i, reward=rng.random(), skill=rng.random(), anchor_accuracy=rng.random())
            for i in range(9)
        ],
        n=rng.integers(0, 90, 10),
        share=rng.dirichlet(np.ones(10)),
        consensus=rng.random(10),
        frontier_rate=rng.random(10),
        velocity=rng.normal(0, 0.1, 10),
        retest_delta=rng.normal(0, 0.1, 10),
        eligible=rng.integers(0, 2, 10),
    )


# image


def test_an_image_has_the_documented_shape_is_deterministic_and_quick():
    picture = busy()
    image = rgb_array(picture)
    assert image.shape == (480, 720, 3)
    assert image.dtype == np.uint8
    times = []
    for _ in range(5):
        start = time.perf_counter()
        np.testing.assert_array_equal(rgb_array(picture), image)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.03


def test_bars_are_as_long_as_their_share():
    short = rgb_array(view(n=[5], consensus=[0.25], k=1))
    long = rgb_array(view(n=[5], consensus=[0.75], k=1))
    assert len(pixels(long, BLUE)) - len(pixels(short, BLUE)) > 0
    row = pixels(long, BLUE)[:, 0].min()
    lengths = [int((image[row] == BLUE).all(-1).sum()) for image in (short, long)]
    assert lengths == [20, 60]


def test_signed_bars_grow_to_their_side():
    up, down = (rgb_array(view(n=[5], velocity=[v], k=1)) for v in (0.2, -0.2))
    zero = rgb_array(view(n=[5], velocity=[0.0], k=1))
    legend = {c: len(pixels(zero, c)) for c in (GREEN, ORANGE)}
    assert len(pixels(up, GREEN)) > legend[GREEN]
    assert len(pixels(up, ORANGE)) == legend[ORANGE]
    assert len(pixels(down, ORANGE)) > legend[ORANGE]
    assert len(pixels(down, GREEN)) == legend[GREEN]


def test_a_barred_cluster_is_marked():
    barred = rgb_array(view(n=[5, 5], share=[0.5, 0.5], eligible=[0, 1], k=2))
    free = rgb_array(view(n=[5, 5], share=[0.5, 0.5], eligible=[1, 1], k=2))
    assert len(pixels(barred, VERMILLION)) > len(pixels(free, VERMILLION))


def test_stacked_bars_show_the_zones_of_each_round():
    zones = ("hard",) * 1 + ("frontier",) * 2 + ("easy",) * 1
    empty, full = rgb_array(view()), rgb_array(view([record(zones=zones)]))
    right = slice(404, 720)
    sizes = {
        colour: len(pixels(full[290:, right], colour)) - len(pixels(empty[290:, right], colour))
        for colour in (VERMILLION, BLUE, SKY)
    }
    assert sizes[VERMILLION] == pytest.approx(sizes[SKY], rel=0.02)
    assert sizes[BLUE] == pytest.approx(2 * sizes[SKY], rel=0.02)


def test_a_curve_has_a_gap_where_nothing_was_measured():
    def accuracy(values):
        history = [record(i, (), NAN, skill=NAN, anchor_accuracy=v) for i, v in enumerate(values)]
        found = pixels(rgb_array(view(history))[290:450], GREEN)
        return set(found[:, 1].tolist())

    whole, gap = accuracy([0.2, 0.4, 0.6, 0.8]), accuracy([0.2, 0.4, NAN, 0.8])
    assert gap < whole
    steps = np.diff(sorted(gap))
    assert steps.max() > 20
    assert np.diff(sorted(whole)).max() <= 2


def test_a_higher_value_is_drawn_higher():
    tops = []
    for value in (0.1, 0.5, 0.9):
        image = rgb_array(view([record(0, (), NAN, skill=NAN, anchor_accuracy=value)]))
        tops.append(pixels(image[290:450], GREEN)[:, 0].mean())
    assert tops[0] > tops[1] > tops[2]
    assert tops[0] - tops[1] == pytest.approx(tops[1] - tops[2], abs=1)


@pytest.mark.parametrize("k", [1, 2, 10, 40, 200, 500])
@pytest.mark.parametrize("rounds", [1, 15, 400, 2000])
def test_any_number_of_clusters_and_rounds_fits(k, rounds):
    history = [record(i, anchor_accuracy=0.5) for i in range(rounds)]
    image = rgb_array(view(history, rounds, n=np.ones(k), k=k))
    assert (image[0] == PAPER).all()
    assert (image[-1] == PAPER).all()
    assert (image[:, -1] == PAPER).all()


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(), min_size=12, max_size=12), st.text(max_size=30))
def test_any_numbers_can_be_drawn_and_written(numbers, phase):
    history = [
        record(i, reward=numbers[i], skill=numbers[i + 1], anchor_delta=numbers[i + 2])
        for i in range(3)
    ]
    with np.errstate(over="ignore"):
        given = dict.fromkeys(COLUMNS, numbers[5:12])
        picture = view(history, phase=phase, k=7, **given)
    assert rgb_array(picture).shape == (480, 720, 3)
    assert ansi(picture)


def test_glyphs_are_five_by_seven_and_all_different():
    assert all(len(rows) == 7 for rows in FONT.values())
    assert len(set(FONT.values())) == len(FONT)


# text


def test_text_shows_the_map_and_the_timeline():
    picture = view(
        [record(0, reward=0.25), record(1, reward=0.75, anchor_delta=-0.125)],
        n=[12, 0],
        share=[0.5, 0],
        consensus=[0.75, 0],
        velocity=[0.031, 0],
        retest_delta=[-0.25, 0],
        eligible=[0, 1],
        k=2,
    )
    lines = ansi(picture).splitlines()
    assert lines[0] == "argus_gym   round 2/15   SOLVE"
    assert lines[3].split() == [
        *("0", "12", "50", "%", "█████·····", "0.75", "███████▌··"),
        *("0.00", "······", "+0.031", "-0.25", "barred"),
    ]
    assert lines[4].split() == ["1", "0"]
    timeline = {line.split()[0]: line.split()[1:] for line in lines[7:]}
    assert timeline["reward"] == ["0.750", "▃▇"]
    assert timeline["anchors"] == ["-"]
    assert timeline["anchor"] == ["Δ", "-0.125", "▁"]


def test_text_is_plain_and_at_most_100_columns_wide():
    history = [record(i, reward=i / 400) for i in range(400)]
    text = ansi(view(history, 400, n=[10**6] * 10, velocity=[-1.0] * 10, eligible=[0] * 10))
    assert max(len(line) for line in text.splitlines()) <= 100
    assert "\x1b" not in text
    assert text.endswith("\n")
