"""The checks of a log: what they see, when, and what they never say."""

import io
import json
import math
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from argus_gym.audit import Log, audit, audit_log, change
from argus_gym.audit.checks import CHECKS
from argus_gym.audit.report import as_data, report
from argus_gym.audit.series import Series
from argus_gym.benchmarks.audit import half_loss, simulated_log
from argus_gym.cli import main
from argus_gym.run_data import InputError


def make(columns, steps=None, every=None):
    """A log of named columns; ``every`` gives the spacing of single columns."""
    series = []
    for (kind, column), values in columns.items():
        one = Series(column, kind)
        gap = (every or {}).get(kind, 1)
        for i, value in enumerate(values):
            one.add(float(gap * (i + 1) if steps is None else steps[gap * (i + 1) - 1]), value)
        series.append(one)
    return Log("made", "made", 0, "step", tuple(series), (), {})


def fired(log, **options):
    return {o.check: o.alarm for o in audit_log(log, **options).fired}


def noise(seed, n=200, mean=0.5, spread=0.1):
    return np.random.default_rng(seed).normal(mean, spread, n)


def test_a_held_out_score_that_falls_under_a_steady_reward_is_gaming():
    log = make(
        {("reward", "reward"): noise(0, 250), ("heldout", "eval"): [0.51, 0.56, 0.55, 0.46, 0.32]},
        every={"heldout": 50},
    )
    (check, alarm), *_ = fired(log, items=500).items()
    assert check == "held-out score falls" and alarm.lie == "J" and alarm.step == 200
    assert "did not fall" in alarm.sentence


def test_with_a_falling_reward_it_is_forgetting():
    reward = np.append(noise(0, 100, 0.8), noise(1, 100, 0.1))
    log = make(
        {("reward", "r"): reward, ("heldout", "e"): [0.5, 0.52, 0.3, 0.1]}, None, {"heldout": 50}
    )
    alarms = fired(log, items=500)
    assert alarms["held-out score falls"].lie == "D"
    assert 100 < alarms["reward falls"].step <= 130


@pytest.mark.parametrize(("scale", "n"), [(1, 500), (100, 500), (1, None), (100, None)])
def test_percentages_and_shares_are_the_same(scale, n):
    values = [scale * v for v in (0.508, 0.562, 0.548, 0.458)]
    (alarm,) = fired(make({("heldout", "e"): values}), items=n).values()
    assert alarm.step == 4 and alarm.evidence["items"] == 500
    assert math.isclose(alarm.evidence["now"], 0.458 * scale)


def test_a_small_held_out_set_shows_less():
    log = make({("heldout", "e"): [0.50, 0.56, 0.54, 0.46]})
    assert not fired(log, items=50) and fired(log, items=5_000)


def test_scores_that_are_no_rates_need_a_past():
    rng = np.random.default_rng(0)
    level = np.append(rng.normal(-3, 0.1, 10), rng.normal(-5, 0.1, 3))
    (alarm,) = fired(make({("heldout", "eval_reward"): level})).values()
    assert 11 <= alarm.step <= 12 and alarm.evidence["items"] == 0


def test_pass_at_k_has_its_own_lie():
    log = make(
        {
            ("heldout", "pass@1"): [0.3, 0.4, 0.5, 0.5],
            ("pass_at_k", "pass@16"): [0.9, 0.9, 0.7, 0.6],
        }
    )
    alarms = fired(log, items=500)
    assert set(alarms) == {"pass@k falls"} and alarms["pass@k falls"].lie == "K"


def test_a_component_that_checks_answers_falls_while_the_total_does_not():
    right = np.append(noise(0, 100, 0.7), noise(1, 100, 0.2))
    log = make({("reward", "reward"): noise(2, 200, 1.0), ("correctness", "correct"): right})
    alarms = fired(log)
    assert set(alarms) == {"correctness falls"} and alarms["correctness falls"].lie == "I"


@pytest.mark.parametrize(("level", "lie"), [(1.0, "E"), (0.0, "")])
def test_groups_without_differences_at_ceiling_and_floor(level, lie):
    reward, spread = noise(0, 60), np.full(60, 0.3)
    log = make(
        {
            ("reward", "r"): np.append(np.append(reward, [0.0, 1.0]), np.full(20, level)),
            ("reward_std", "s"): np.append(np.append(spread, [0.3, 0.3]), np.zeros(20)),
        }
    )
    alarm = fired(log)["no learning signal"]
    assert alarm.step == 82 and alarm.since == 63 and alarm.lie == lie
    assert ("ceiling" in alarm.sentence) == (level == 1.0)


@pytest.mark.parametrize(
    ("kind", "before", "after", "check"),
    [
        ("kl", 0.05, 3.0, "KL blows up"),
        ("entropy", 0.5, 0.02, "entropy collapses"),
        ("entropy", 0.4, 5.0, "entropy explodes"),
        ("length", 200, 40, "length collapses"),
        ("length", 200, 1_000, "length explodes"),
        ("clipped", 0.05, 0.9, "answers are cut"),
        ("grad_norm", 0.3, 5.0, "gradient blows up"),
    ],
)
def test_a_sustained_jump_fires_within_two_windows_and_a_spike_does_not(kind, before, after, check):
    calm = before * np.exp(noise(0, 100, 0, 0.2))
    jump = np.append(calm, after * np.exp(noise(1, 50, 0, 0.2)))
    alarms = fired(make({(kind, "x"): jump}))
    assert set(alarms) == {check} and 100 < alarms[check].step <= 120
    spike = calm.copy()
    spike[90:94] = after
    assert not fired(make({(kind, "x"): spike}))


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_steady_growth_of_kl_and_length_is_no_alarm(power):
    t = np.linspace(0.01, 1, 500)
    kl = 5 * t**power * np.exp(noise(0, 500, 0, 0.2))
    length = 100 * (1 + 9 * t) * np.exp(noise(1, 500, 0, 0.2))
    assert not fired(make({("kl", "kl"): kl, ("length", "length"): length}))


def test_the_first_number_that_is_not_finite_is_dated():
    loss = noise(0, 60).tolist()
    loss[41] = math.nan
    loss[50] = math.inf
    alarm = fired(make({("loss", "loss"): loss}))["not a number"]
    assert alarm.step == 42 and alarm.evidence == {"values": 2.0}


def test_a_signal_that_never_changes_was_not_measured():
    log = make({("kl", "kl"): [0.0] * 60, ("reward", "r"): noise(0, 60)})
    outcomes = {o.check: o for o in audit_log(log).outcomes}
    assert outcomes["KL blows up"].status == "not run"
    assert "changes" in outcomes["KL blows up"].needs


def test_what_is_missing_is_said():
    found = audit_log(make({("reward", "reward"): noise(0, 60)}))
    assert {o.check for o in found.outcomes} == {c.name for c in CHECKS}
    assert [o.check for o in found.outcomes if o.status == "quiet"] == [
        "reward falls",
        "not a number",
    ]
    assert any("never trained on" in text for text in found.more)
    assert all(o.needs for o in found.outcomes if o.status == "not run")


def test_a_log_too_short_for_any_check_is_refused():
    with pytest.raises(InputError, match="too short"):
        audit_log(make({("reward", "reward"): noise(0, 39), ("heldout", "e"): [0.5]}))
    with pytest.raises(ValueError, match="items must be at least 1, got 0"):
        audit_log(make({("heldout", "e"): [0.5, 0.5]}), items=0)


SEEDS = st.integers(1_000, 1_200)
FAILURES = st.sampled_from(["", "gaming", "collapse"])


@settings(max_examples=20, deadline=None)
@given(SEEDS, FAILURES, st.floats(0.05, 1.0))
def test_no_check_looks_ahead(seed, failure, share):
    whole = simulated_log(seed, failure)
    end = share * whole.rows
    parts = []
    for series in whole.series:
        part = Series(series.column, series.kind)
        for step, value in zip(*series.arrays()):
            if step <= end:
                part.add(step, value)
        parts.append(part)
    alarms = {k: a for k, a in fired(whole).items() if a.step <= end}
    try:
        early = fired(Log("part", "", 0, "step", tuple(parts), (), {}))
    except InputError:
        early = {}
    assert early == alarms


@settings(max_examples=15, deadline=None)
@given(SEEDS, FAILURES, st.integers(1, 1_000), st.integers(0, 10**6))
def test_the_scale_of_the_steps_does_not_matter(seed, failure, factor, offset):
    whole = simulated_log(seed, failure)
    moved = []
    for series in whole.series:
        other = Series(series.column, series.kind)
        for step, value in zip(*series.arrays()):
            other.add(factor * step + offset, value)
        moved.append(other)
    once, again = fired(whole), fired(Log("moved", "", 0, "step", tuple(moved), (), {}))
    assert {k: factor * a.step + offset for k, a in once.items()} == {
        k: a.step for k, a in again.items()
    }


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.integers(0, 500), min_size=2, max_size=12), st.integers(0, 500), st.integers(0, 500)
)
def test_a_lower_score_never_silences_the_held_out_check(past, a, b):
    low, high = sorted((a, b))
    alarm = {
        last: change.first_drop(rates, 0.02, rates, 500)
        for last in (low, high)
        for rates in [np.array([*past, last]) / 500]
    }
    if alarm[high] is not None:
        assert alarm[low] is not None and alarm[low].at <= alarm[high].at


@given(st.lists(st.floats(0.01, 100), min_size=41, max_size=120), st.floats(1.1, 10))
def test_a_stricter_factor_never_fires_earlier(values, factor):
    loose = change.first_jump(np.array(values), factor)
    strict = change.first_jump(np.array(values), 2 * factor)
    assert strict is None or (loose is not None and loose.at <= strict.at)


@example(400, [1])
@given(st.integers(2, 400), st.lists(st.integers(0, 10**6), min_size=1, max_size=8))
def test_the_number_of_items_divides_out_the_rates(n, counts):
    rates = [c % (n + 1) / n for c in counts]
    found = change.items(rates)
    assert found == [change.items(rates[: i + 1])[-1] for i in range(len(rates))]
    assert found == sorted(found) and 0 < found[-1] <= n
    shown = max(len(f"{rate:.12f}".rstrip("0").partition(".")[2]) for rate in rates)
    # A rate of four to eight decimals may have been rounded.
    off = 0.5 * 10.0**-shown if 4 <= shown < 9 else 0.0
    assert all(abs(r - round(r * found[-1]) / found[-1]) < off + 1e-8 for r in rates)


def test_rates_of_no_small_number_of_items_are_left_to_the_other_test():
    assert change.items([0.5, 0.123456789, 0.314159265])[1:] == [0, 0]


def test_the_held_out_test_is_fishers():
    rates = np.array([0.5, 0.3])
    found = change.first_drop(rates, 1.0, rates, 100)
    exact = stats.fisher_exact([[70, 30], [50, 50]], alternative="greater").pvalue
    assert math.isclose(found.evidence["p"], exact, rel_tol=1e-9)


@pytest.mark.slow
def test_quiet_runs_raise_few_alarms():
    assert sum(bool(fired(simulated_log(seed))) for seed in range(100, 200)) <= 10


def test_some_quiet_runs_and_some_collapses():
    assert sum(bool(fired(simulated_log(seed))) for seed in range(15)) <= 3
    assert sum(bool(fired(simulated_log(seed, "collapse"))) for seed in range(10)) >= 8


def test_half_of_a_loss_is_dated_between_evaluations():
    steps, values = np.array([1, 50, 100]), np.array([15.6, 40.8, 0.0])
    assert half_loss(steps, values) == (40.8, 0.0, 75.0)
    assert math.isnan(half_loss(steps, np.sort(values))[2])


def command(*args):
    words = [sys.executable, "-m", "argus_gym", "audit", *map(str, args)]
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


def csv(path, values, name="eval_acc"):
    path.write_text(f"step,{name}\n" + "".join(f"{i},{v}\n" for i, v in enumerate(values)))
    return path


def test_exit_codes_and_output_of_the_command(tmp_path):
    calm = csv(tmp_path / "calm.csv", [50.2, 51.4, 52.0])
    bad = csv(tmp_path / "bad.csv", [50.2, 51.4, 12.0])
    quiet = command(calm)
    assert (quiet.returncode, quiet.stderr) == (0, "") and "no check fired" in quiet.stdout
    both = command(calm, bad, "--json")
    assert both.returncode == 1
    found = json.loads(both.stdout)
    assert [one["fired"] for one in found] == [[], ["held-out score falls"]]
    mixed = command(bad, tmp_path / "gone.csv")
    assert mixed.returncode == 2 and "held-out score falls" in mixed.stdout
    assert mixed.stderr.count("\n") == 1 and "gone.csv" in mixed.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--map", "x"], "SIGNAL=COLUMN"),
        (["--map", "heldout=gone"], "no column 'gone'"),
        (["--items", "0"], "--items must be at least 1, got 0"),
        ([], "no signal"),
    ],
)
def test_bad_input_is_one_line(tmp_path, options, words):
    result = command(csv(tmp_path / "log.csv", range(50), "colour"), *options)
    assert result.returncode == 2 and result.stdout == ""
    assert words in result.stderr and result.stderr.count("\n") == 1


def test_foreign_names_cannot_style_the_report(tmp_path):
    from rich.console import Console

    path = tmp_path / "log.jsonl"
    name = "rewards/[bold red]x[/]\u001b[31m\n/mean"
    rows = [{"step": i, "reward": i % 3, name: i % 5} for i in range(60)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (one,) = audit(path)
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(report(one))
    text = console.export_text()
    assert "[bold red]x[/]" in text and "\u001b" not in text
    assert json.loads(json.dumps(as_data([one])))[0]["signals"][0]["kind"] == "reward"


def test_no_name_in_a_log_steers_the_terminal(tmp_path, capsys):
    evil = "\x1b[31m\x9b2J\x07"
    runs = ",".join(f"{run}{evil} - train/reward" for run in "ab")
    heads = {"runs": f"Step,{runs}", "few": f"step,reward,kl {evil}", "none": f"step,a{evil},b"}
    for name, head in heads.items():
        rows = (f"{i},{i % 7},{i % 7 if i < 9 else ''}" for i in range(60))
        path = tmp_path / f"{name}.csv"
        path.write_text("\n".join([head, *rows]), "utf-8")
        with suppress(SystemExit):
            main(["audit", str(path)])
        out, err = capsys.readouterr()
        assert (out == "") == (name == "none")
        assert (out + err).replace("\n", "").isprintable()


def test_a_short_run_does_not_hide_the_others(tmp_path):
    head = "Step,long - train/reward,short - train/reward,empty - note"
    rows = (f"{i},{i % 7},{i if i < 9 else ''},x" for i in range(60))
    path = tmp_path / "runs.csv"
    path.write_text("\n".join([head, *rows]))
    (one,) = audit(path)
    assert one.name.endswith("[long]") and not one.fired
    left = [reason for reason in one.ignored if "left out" in reason]
    assert "[empty] holds no signal" in left[0] and "[short] is too short" in left[1]
    path.write_text("\n".join([head, "1,2,3,x"]))
    with pytest.raises(InputError, match="is too short"):
        audit(path)
