import io
import json
import math

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from argus_gym.capability_map import CapabilityMap
from argus_gym.gauges import measure, noise_band
from argus_gym.receipt import compare, receipt, summarise
from argus_gym.records import LearnReport, Premise, ProblemRecord, RetestItem, RoundRecord

NAN = math.nan


def make_round(index, rewards, deltas=(1, -1, 0, 2), report=None):
    cap = CapabilityMap(4)
    problems = []
    for i, reward in enumerate(rewards):
        zone = "hard" if reward < 0.4 else "easy" if reward > 0.8 else "frontier"
        cap.scored(i % 3, reward, reward, zone)
        problems.append(
            ProblemRecord(
                problem="How many plums?",
                cluster=i % 3,
                target=0,
                zone=zone,
                outcome=reward,
                process=reward,
                combined=reward,
                answer=7,
                premise=Premise(True),
                length_mean=20.0,
                length_sd=1.0,
                variety=0.5,
                source="own",
            )
        )
    items = tuple(RetestItem(f"q{i}", 0, True, 8, 4, 4 + d, 0.5, 0.5) for i, d in enumerate(deltas))
    report = report or LearnReport((1.0, 0.96), (1.0, 1.005))
    return RoundRecord(
        round=index,
        problems=tuple(problems),
        retests=items,
        report=report,
        trained=3,
        replayed=1,
        heldout=3,
        mean_reward=sum(rewards) / len(rewards),
        skill=cap.skill(),
        gauges=measure(problems, items, report, 3, 1),
        map={name: tuple(column.tolist()) for name, column in cap.arrays().items()},
        request=(14.0, 1.0),
        answers={"solve": 14 * len(rewards), "retest": 64},
        tokens={"solve": 1000, "retest": 234},
    )


def rising(rounds=3, step=0.1, n=24):
    rng = np.random.default_rng(0)
    return [
        make_round(i, np.clip(0.45 + step * i + rng.normal(0, 0.1, n), 0, 1).tolist())
        for i in range(rounds)
    ]


def written(rounds, summary, events=(), width=110):
    console = Console(width=width, file=io.StringIO())
    with console.capture() as capture:
        console.print(receipt(rounds, summary, list(events)))
    return capture.get()


# the comparison


def test_the_comparison_is_paired_over_problems():
    rng = np.random.default_rng(1)
    rates = rng.random(100)
    before, after = rng.binomial(2, rates), rng.binomial(2, np.clip(rates + 0.1, 0, 1))
    got = compare(before.tolist(), after.tolist(), 2)
    expected = stats.ttest_rel(after / 2, before / 2).confidence_interval()
    assert got["before"] == {"right": int(before.sum()), "n": 100, "samples": 2}
    assert got["after"] == {"right": int(after.sum()), "n": 100, "samples": 2}
    assert got["delta"] == pytest.approx((after - before).mean() / 2)
    assert (got["low"], got["high"]) == pytest.approx((expected.low, expected.high))
    assert got["band"] == noise_band(before.mean() / 2, 100)
    assert (got["n"], got["samples"]) == (100, 2)


@pytest.mark.parametrize(
    ("before", "after", "samples"),
    [([], [], 1), ([1], [1, 0], 1), ([2], [0], 1), ([-1], [0], 1), ([0], [1], 0), ([0], [0], 0)],
)
def test_impossible_comparisons_are_refused(before, after, samples):
    with pytest.raises(ValueError, match=r"before and after|right answers"):
        compare(before, after, samples)


# the summary


def test_the_summary_adds_up_and_is_json():
    rounds = rising()
    summary = summarise(rounds, compare([1, 0, 1], [1, 1, 1], 1), seed=7, agent="simulated")
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert (summary["rounds"], summary["problems"]) == (3, 72)
    assert summary["answers"] == 3 * (14 * 24 + 64)
    assert summary["tokens"] == 3 * 1234
    assert (summary["seed"], summary["agent"]) == (7, "simulated")
    first, last = (np.array([p.combined for p in r.problems]) for r in (rounds[0], rounds[-1]))
    reference = stats.ttest_ind(last, first, equal_var=False).confidence_interval()
    in_loop = summary["in_loop"]
    assert in_loop["delta"] == pytest.approx(last.mean() - first.mean())
    assert (in_loop["low"], in_loop["high"]) == pytest.approx(
        (reference.low, reference.high), abs=0.003
    )


UP, FLAT, DOWN = ([0] * 20, [1] * 20), ([0, 1] * 10, [1, 0] * 10), ([1] * 20, [0] * 20)


@pytest.mark.parametrize(
    ("step", "sides", "verdict"),
    [
        (0.15, None, "in-loop up, external not measured"),
        (0.15, UP, "in-loop up, external up"),
        (0.15, FLAT, "in-loop up, external not measurably changed"),
        (0.15, DOWN, "in-loop up, external down, the loop deceives itself"),
        (0.0, UP, "in-loop not measurably changed, external up"),
        (-0.15, DOWN, "in-loop down, external down"),
    ],
)
def test_the_verdict_says_what_the_intervals_say(step, sides, verdict):
    external = compare(*sides, 1) if sides else None
    assert summarise(rising(step=step), external)["verdict"] == verdict


@pytest.mark.parametrize("rounds", [0, 1])
def test_without_a_second_round_there_is_no_change_in_the_loop(rounds):
    summary = summarise(rising(rounds), None)
    assert summary["in_loop"]["delta"] is None
    assert summary["verdict"] == "in-loop not measured, external not measured"


# the receipt


def test_the_headline_has_every_number_with_n_interval_and_seed():
    rounds = rising()
    summary = summarise(rounds, compare([0, 1] * 10, [1, 0] * 10, 1), seed=7, agent="simulated")
    text = written(rounds, summary)
    low, high = 100 * summary["external"]["low"], 100 * summary["external"]["high"]
    expected = f"pass@1 0.500 → 0.500: +0.0 points, 95 % [{low:+.1f}, {high:+.1f}], paired"
    assert expected in text
    assert "n = 20, 1 sample each, seed 7" in text
    assert f"inside the noise band of ±{100 * noise_band(0.5, 20):.1f} points" in text
    assert "n = 24 and 24" in text
    assert "simulated · seed 7 · 3 rounds · 72 problems" in text


def test_a_change_beyond_the_band_is_called_outside():
    rounds = rising()
    assert "outside the noise band" in written(rounds, summarise(rounds, compare(*UP, 1)))


def test_what_was_not_measured_is_said():
    rounds = [make_round(0, [0.5, 0.5], (), LearnReport())]
    text = written(rounds, summarise(rounds, None))
    assert "not measured: nothing outside the loop was asked" in text
    assert "in the only round" in text
    row = next(line for line in text.splitlines() if line.split()[:1] == ["0"])
    assert row.split() == ["0", "0.500", "0.500", "2", "0", "0", "–", "–", "–", "–"]


def test_the_timeline_has_a_row_a_round_with_the_paired_interval():
    rounds = rising()
    rows = [line.split() for line in written(rounds, summarise(rounds, None)).splitlines()]
    low, high = stats.ttest_1samp([1 / 8, -1 / 8, 0, 2 / 8], 0).confidence_interval()
    for record in rounds:
        row = next(r for r in rows if r[:2] == [str(record.round), f"{record.mean_reward:.3f}"])
        assert row[6:] == [
            *("+0.0400", "-0.0050", "+6.2", f"[{100 * low:+.1f},", f"{100 * high:+.1f}]", "4×8"),
        ]


def test_verdict_events_fill_a_column():
    rounds = rising()
    events = [
        {"round": 1, "event": "verdict.refuse", "because": {"p": 0.012345}, "action": "REFUSE"},
        *({"round": r, "event": "round.ended", "because": {}, "action": "none"} for r in (0, 1, 2)),
        {"round": 0, "event": "lie.D", "because": "retests fell", "action": "rollback"},
        {"round": 2, "event": "lie.D", "because": "again", "action": "rollback"},
    ]
    text = written(rounds, summarise(rounds, None), events)
    row = next(line for line in text.splitlines() if line.split()[:1] == ["1"])
    assert row.split()[-1] == "REFUSE"
    rows = [line.split() for line in text.splitlines()]
    assert ["3", "round.ended", "0–2", "none"] in rows
    assert ["2", "lie.D", "0,", "2", "rollback", "again"] in rows
    assert ["1", "verdict.refuse", "1", "REFUSE", "p=0.01235"] in rows
    assert "verdict" not in written(rounds, summarise(rounds, None))


def test_text_from_a_model_stays_text():
    rounds = rising()
    nasty = "[red]boo[/red] \x1b[31m\x07\n\u202e" + "x" * 10_000
    events = [
        {"round": 0, "event": nasty, "because": nasty, "action": nasty},
        {"round": 1, "event": "verdict", "because": None, "action": "[/nonsense]"},
    ]
    text = written(rounds, summarise(rounds, None, agent="[bold]a[/bold]"), events, 200)
    assert "[red]boo[/red]" in text
    assert "[/nonsense]" in text
    assert "[bold]a[/bold]" in text
    assert not set(text) & {"\x1b", "\x07", "\u202e"}
    assert len(text) < 20_000


@pytest.mark.parametrize("width", [40, 80, 110])
def test_no_line_is_wider_than_the_terminal(width):
    rounds = rising()
    summary = summarise(rounds, compare(*FLAT, 1), seed=1)
    text = written(rounds, summary, [], width)
    assert max(len(line) for line in text.splitlines()) <= width


def test_an_empty_run_has_a_receipt():
    assert "0 rounds" in written([], summarise([], None))


def test_a_summary_read_back_from_json_prints_the_same():
    rounds = rising()
    summary = summarise(rounds, compare([1], [0], 4), seed=1, agent="simulated")
    assert written(rounds, json.loads(json.dumps(summary))) == written(rounds, summary)
    assert "(no interval)" in written(rounds, summary)
