"""Reading logs: every form, and whatever else a file may hold."""

import csv
import gzip
import io
import json
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from argus_gym.audit import audit, read, rows
from argus_gym.audit.series import LIMIT, Series
from argus_gym.audit.signals import read_map, recognise
from argus_gym.run_data import InputError

ROWS = [{"step": i, "reward": 0.5 + 0.01 * (i % 7), "kl": 0.01 * i} for i in range(1, 61)]


def write(tmp_path, name, text):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def as_csv(rows):
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def refusal(path):
    """Audit a file; return what it was refused with, empty where it was read."""
    try:
        reports = audit(path)
    except InputError as error:
        return str(error)
    assert all(r.rows > 0 and r.signals for r in reports)
    return ""


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


FORMS = {
    "log.csv": as_csv(ROWS),
    "semicolon.csv": as_csv(ROWS).replace(",", ";"),
    "windows.csv": as_csv(ROWS).replace("\r\n", "\n").replace("\n", "\r\n"),
    "utf16.csv": as_csv(ROWS).encode("utf-16"),
    "bom.csv": b"\xef\xbb\xbf" + as_csv(ROWS).encode(),
    "log.csv.gz": gzip.compress(as_csv(ROWS).encode()),
    "log.jsonl": lines(ROWS),
    "verl.jsonl": lines([{"step": r["step"], "data": r} for r in ROWS]),
    "list.json": json.dumps(ROWS),
    "trainer_state.json": json.dumps({"global_step": 60, "log_history": ROWS}, indent=2),
    "compact.json": json.dumps({"best_metric": None, "log_history": ROWS}),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same_series(tmp_path, name):
    (log,) = read(write(tmp_path, name, FORMS[name]))
    found = {s.kind: s.arrays() for s in log.series}
    assert set(found) == {"reward", "kl"}
    assert found["kl"][0].tolist() == list(range(1, 61))
    assert np.allclose(found["kl"][1], [r["kl"] for r in ROWS])
    assert (log.rows, log.step, log.ignored) == (60, "step", {})


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("reward", "reward"),
        ("train/reward", "reward"),
        ("critic/score/mean", "reward"),
        ("reward_avg", "reward"),
        ("rewards/format_reward_func/mean", "component"),
        ("rewards/format_reward_func/std", None),
        ("rewards/length_penalty_reward_func", "component"),
        ("rewards/correctness_reward_func", "correctness"),
        ("reward_std", "reward_std"),
        ("adv_std", "reward_std"),
        ("frac_reward_zero_std", "zero_std"),
        ("kl", "kl"),
        ("actor/kl_loss", "kl"),
        ("actor/kl_coef", None),
        ("actor/ppo_kl", None),
        ("actor/entropy", "entropy"),
        ("completions/mean_length", "length"),
        ("completions/clipped_ratio", "clipped"),
        ("completions/max_length", None),
        ("response_length/mean", "length"),
        ("response_length/clip_ratio", "clipped"),
        ("prompt_length/clip_ratio", None),
        ("clip_ratio", None),
        ("avg_response_len", "length"),
        ("grad_norm", "grad_norm"),
        ("train/learning_rate", "learning_rate"),
        ("actor/pg_loss", "loss"),
        ("critic/vf_loss", None),
        ("eval_acc", "heldout"),
        ("eval_loss", "heldout_loss"),
        ("eval_runtime", None),
        ("val-core/openai/gsm8k/reward/mean@1", "heldout"),
        ("val-aux/openai/gsm8k/reward/best@8/mean", "pass_at_k"),
        ("val-aux/openai/gsm8k/reward/best@8/std", None),
        ("eval/pass@1", "heldout"),
        ("eval/pass@16", "pass_at_k"),
        ("argus/lies/forgetting/fired", "lie"),
        ("argus/lies/forgetting/score", None),
        ("tokens_per_sec", None),
        ("step", None),
        ("x" * 10_000, None),
    ],
)
def test_columns_are_recognised_by_their_words(column, kind):
    assert recognise(column) == kind


@given(st.text(max_size=300))
def test_any_name_is_recognised_or_not_without_an_error(name):
    recognise(name)


def test_a_map_overrides_the_guess_and_names_the_step(tmp_path):
    table = [{"t": 10 * i, "reward": 0, "mine": i} for i in range(50)]
    path = write(tmp_path, "log.csv", as_csv(table))
    (log,) = read(path, read_map(["reward=mine", "step=t"]))
    (series,) = log.series
    assert series.column == "mine" and series.arrays()[0][-1] == 490 and log.step == "t"


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (["reward"], "SIGNAL=COLUMN"),
        (["reward="], "SIGNAL=COLUMN"),
        (["taste=x"], "one of step, heldout"),
        (["reward=a", "reward=b"], "once"),
        (["reward=a", "kl=a"], "once"),
    ],
)
def test_a_bad_map_says_what_is_expected(entries, words):
    with pytest.raises(InputError, match=words):
        read_map(entries)


def test_a_mapped_column_that_is_missing_is_named_with_those_there_are(tmp_path):
    with pytest.raises(InputError, match=r"no column 'gone': it has .*reward"):
        read(write(tmp_path, "log.csv", FORMS["log.csv"]), {"gone": "reward"})


def test_wandb_export_gives_one_log_a_run(tmp_path):
    header = ["Step", "a - train/reward", "a - train/reward__MIN", "a - train/reward__MAX"]
    header += ["b - train/reward", "b - train/reward__MIN", "b - train/reward__MAX"]
    table = [[i, i, i, i, -i, -i, -i] for i in range(50)]
    text = "\n".join(",".join(f'"{c}"' for c in row) for row in [header, *table])
    logs = read(write(tmp_path, "wandb.csv", text))
    assert [log.name.rpartition("[")[2] for log in logs] == ["a]", "b]"]
    assert [log.series[0].arrays()[1][-1] for log in logs] == [49, -49]
    assert {log.format for log in logs} == {"W&B CSV"}


def test_a_restart_replaces_what_it_logs_again(tmp_path):
    table = ROWS[:50] + [r | {"reward": 9.0} for r in ROWS[29:]]
    (log,) = read(write(tmp_path, "log.jsonl", lines(table)))
    steps, values = log.of("reward")[0].arrays()
    assert steps.tolist() == list(range(1, 61))
    assert (values[:29] < 1).all() and (values[29:] == 9).all()
    assert log.of("reward")[0].restarts == 1 and log.of("reward")[0].superseded == 21


@given(st.permutations(range(40)))
def test_rows_in_any_order_are_sorted(order):
    series = Series("reward", "reward")
    for step in order:
        series.add(step, 10.0 * step)
    steps, values = series.arrays()
    assert (np.diff(steps) > 0).all() and (values == 10 * steps).all()
    if series.sorted:
        assert steps.tolist() == list(range(40))


@given(st.lists(st.tuples(st.integers(0, 30), st.floats()), max_size=60))
def test_steps_always_rise_and_values_are_finite(points):
    series = Series("reward", "reward")
    for step, value in points:
        series.add(step, value)
    steps, values = series.arrays()
    assert (np.diff(steps) > 0).all() and np.isfinite(values).all()
    assert series.nonfinite == sum(not math.isfinite(v) for _, v in points)
    assert len(steps) + series.superseded + series.nonfinite == len(points)


def test_a_long_series_stays_bounded_and_keeps_its_mean():
    n = 10 * LIMIT
    series = Series("reward", "reward")
    for step in range(n):
        series.add(step, float(step))
    steps, values = series.arrays()
    assert LIMIT / 2 <= len(steps) <= 2 * LIMIT
    assert np.allclose(values, steps - (series.grain - 1) / 2)


BAD = {
    "empty.csv": "",
    "blank.jsonl": " \n\n",
    "junk.bin": bytes(range(256)) * 40,
    "zeros.csv": bytes(4_096),
    "prose.txt": "There was once a run that nobody logged.\nIt went well.\n",
    "header.csv": "step,reward\n",
    "unknown.csv": "step,colour\n1,2\n2,3\n",
    "one.csv": "step,reward\n1,0.5\n",
    "one.jsonl": '{"step": 1, "loss": 0.5}\n',
    "half.json": '{"log_history": [{"step": 1, "rew',
    "half.jsonl": '{"step": 1, "rew',
    "deep.jsonl": "[" * 100_000,
    "deeper.jsonl": '{"a":' * 100_000,
    "huge.jsonl": '{"step": 1, "reward": ' + "9" * 5_000 + "}\n",
    "broken.csv.gz": gzip.compress(FORMS["log.csv"].encode())[:40],
    "not.csv.gz": b"step,reward\n1,2\n",
    "tfevents.folder.json": "{}",
    "number.json": "[1, 2, 3]",
    "nothing.json": "[]",
    "steps.csv": "step,reward\n" + "nan,1\ninf,1\n1e300,1\nx,1\n" * 20,
    "words.csv": "step,reward\n" + "".join(f"{i},good\n" for i in range(60)),
}


@pytest.mark.parametrize("name", BAD)
def test_a_useless_file_is_one_line_that_names_it(tmp_path, name):
    path = write(tmp_path, name, BAD[name])
    with pytest.raises(InputError) as error:
        audit(path)
    assert name in str(error.value) and "\n" not in str(error.value)


def test_a_folder_of_runs_names_them(tmp_path):
    for name in ("two", "one", "notes"):
        (tmp_path / name).mkdir()
        if name != "notes":
            (tmp_path / name / "events.out.tfevents.1").write_bytes(b"")
    wanted = f"expected one or more of {tmp_path / 'one'}, {tmp_path / 'two'}$"
    with pytest.raises(InputError, match=wanted):
        read(tmp_path)


def test_missing_files_and_plain_folders_are_named(tmp_path):
    for path in (tmp_path / "gone.csv", tmp_path):
        with pytest.raises(InputError, match="expected a log file"):
            audit(path)


def test_broken_rows_are_counted_and_the_rest_is_used(tmp_path):
    text = lines(ROWS[:30]) + '{"step": 31, "rew\nnot json\n[1]\n' + lines(ROWS[30:])
    text += '{"step": null, "reward": 1}\n{"step": 61, "reward": "high"}\n'
    (log,) = read(write(tmp_path, "log.jsonl", text))
    assert len(log.of("reward")[0]) == 60
    assert log.ignored == {
        "malformed row": 3,
        "row without a step": 1,
        "cell that is no number": 1,
    }
    text = FORMS["log.csv"] + "1,2\n1,2,3,4\n"
    (log,) = read(write(tmp_path, "log.csv", text))
    assert log.ignored == {"row with another number of cells": 2}


def test_huge_and_missing_numbers_are_counted_as_not_finite(tmp_path):
    text = lines(ROWS) + '{"step": 61, "reward": 1' + "0" * 400 + "}\n"
    text += '{"step": 62, "reward": NaN}\n{"step": 63, "reward": -Infinity}\n'
    (log,) = read(write(tmp_path, "log.jsonl", text))
    reward = log.of("reward")[0]
    assert reward.nonfinite == 3 and reward.first_nonfinite == 61


def test_a_line_and_an_object_without_end_are_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "MAX_ROW", 1_000)
    monkeypatch.setattr(rows, "CHUNK", 500)
    long = '{"step": 1, "reward": 1, "text": "' + "x" * 5_000
    (log,) = read(write(tmp_path, "log.jsonl", lines(ROWS) + long + '"}\n' + lines(ROWS)))
    assert log.ignored == {"line too long": 1} and log.rows == 120
    text = json.dumps({"log_history": ROWS})[:-2] + ", " + long
    (log,) = read(write(tmp_path, "log.json", text))
    assert log.ignored == {"row too long, and all after it": 1} and log.rows == 60


def test_an_endless_file_is_read_up_to_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "MAX_CHARACTERS", 1_000)
    monkeypatch.setattr(rows, "CHUNK", 100)
    (log,) = read(write(tmp_path, "log.jsonl", lines(ROWS * 10)))
    assert log.rows < 60 and any("after 1,000" in reason for reason in log.ignored)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(sorted(FORMS)), st.data())
def test_any_damage_is_read_or_refused(tmp_path_factory, name, data):
    whole = FORMS[name] if isinstance(FORMS[name], bytes) else FORMS[name].encode()
    at = data.draw(st.integers(0, len(whole)))
    new = data.draw(st.binary(max_size=20))
    cut = data.draw(st.integers(at, len(whole)))
    path = write(tmp_path_factory.mktemp("damage"), name, whole[:at] + new + whole[cut:])
    assert refusal(path).count("\n") == 0


json_cells = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
names = st.sampled_from(["step", "reward", "kl", "eval_acc", "loss"]) | st.text(max_size=6)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.dictionaries(names, json_cells, max_size=5), max_size=50))
def test_any_json_rows_are_read_or_refused(tmp_path_factory, table):
    path = write(tmp_path_factory.mktemp("rows"), "log.jsonl", lines(table))
    assert refusal(path).count("\n") == 0


def test_reading_counts_what_it_was_told_to_count(tmp_path):
    ignored = Counter()
    form, found = rows.rows(write(tmp_path, "log.csv", FORMS["log.csv"] + "1\n"), ignored)
    assert form == "CSV" and sum(1 for _ in found) == 60 and sum(ignored.values()) == 1
