"""The report's reading of run folders, its numbers, its page and its command."""

import base64
import dataclasses
import json
import math
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from argus_gym import cli
from argus_gym.checkpoint import load_run
from argus_gym.gauges import anchors, paired
from argus_gym.receipt import compare
from argus_gym.records import encode
from argus_gym.report import measures
from argus_gym.report.markup import label, plain, table, tag
from argus_gym.report.source import Items, ReportRun, read_run
from argus_gym.report.story import story
from argus_gym.run import RunConfig, run
from argus_gym.run_data import InputError

SMALL = RunConfig(seed=3, rounds=3, problems=4, k=4)
HOSTILE = '<script>alert("1")</script><img src=x onerror=alert(2)>\x00\x1b[31m\ud800\u202e$x^2$'
FUZZ = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A finished run, the same one stopped after its second round, and another stack."""
    root = tmp_path_factory.mktemp("runs")

    def stop(record):
        if record.round == 1:
            raise KeyboardInterrupt

    run(SMALL, out=root / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(SMALL, out=root / "stopped", on_round=stop)
    run(dataclasses.replace(SMALL, seed=4, stack="no-metacognition"), out=root / "bare")
    return root


@pytest.fixture(scope="module")
def whole(folders):
    return read_run(folders / "whole")


@pytest.fixture
def copy(folders, tmp_path):
    def make(name="whole", keep_checkpoints=True):
        path = tmp_path / "copy"
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(folders / name, path)
        if not keep_checkpoints:
            shutil.rmtree(path / "checkpoints")
        return path

    return make


# Reading


def test_a_finished_run_is_read_as_it_is(folders, whole):
    data = load_run(folders / "whole")
    assert (whole.data, whole.status, whole.left_out) == (data, "finished", ())
    assert whole.summary["in_loop"] == data.summary["in_loop"]
    assert {**data.summary["external"]} == {**whole.external}


def test_reading_changes_nothing(folders):
    before = {p: (p.stat().st_mtime_ns, p.is_file() and p.read_bytes()) for p in folders.rglob("*")}
    for name in ("whole", "stopped", "bare"):
        read_run(folders / name)
    after = {p: (p.stat().st_mtime_ns, p.is_file() and p.read_bytes()) for p in folders.rglob("*")}
    assert after == before


def test_a_stopped_run_says_so_and_has_no_external_report(folders, whole):
    stopped = read_run(folders / "stopped")
    assert stopped.status == "unfinished after round 1, 2 of 3 rounds"
    assert encode(stopped.rounds) == encode(whole.rounds[:2])
    assert (stopped.external, stopped.items, stopped.left_out) == (None, None, ())


def test_a_line_that_is_cut_off_is_left_out_and_named(copy):
    path = copy("stopped")
    with (path / "rounds.jsonl").open("a") as log:
        log.write('{"round": 2, "problems": [{"pro')
    stopped = read_run(path)
    assert len(stopped.rounds) == 2
    assert stopped.left_out == (
        "rounds.jsonl: 1 line after the last whole checkpoint, the last one cut off.",
    )


@FUZZ
@given(data=st.data())
def test_a_log_cut_anywhere_gives_the_rounds_before_the_cut(data, folders, copy, whole):
    path = copy()
    log = path / data.draw(st.sampled_from(["rounds.jsonl", "ledger.jsonl"]))
    size = log.stat().st_size
    cut = data.draw(st.integers(0, size - 1))
    os.truncate(log, cut)
    ends = [
        json.loads((c / "checkpoint.json").read_text())["run"][log.name]["bytes"]
        for c in sorted((path / "checkpoints").iterdir())
    ]
    expected = sum(end <= cut for end in ends[1:])
    if not expected:
        with pytest.raises(InputError, match=re.escape(log.name)):
            read_run(path)
        return
    got = read_run(path)
    assert encode(got.rounds) == encode(whole.rounds[:expected])
    assert got.status == f"damaged; whole up to round {expected - 1}"
    assert got.left_out[0].startswith("Damaged: ") and log.name in got.left_out[0]
    assert got.external is None


@FUZZ
@given(data=st.data())
def test_a_changed_byte_is_never_reported(data, copy, whole):
    path = copy()
    log = path / "rounds.jsonl"
    content = bytearray(log.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= 1 << data.draw(st.integers(0, 6))
    log.write_bytes(content)
    try:
        got = read_run(path)
    except InputError:
        return
    assert encode(got.rounds) == encode(whole.rounds[: len(got.rounds)])
    assert len(got.rounds) < 3 and got.left_out


def test_logs_without_a_checkpoint_are_marked_as_not_checked(copy, whole):
    path = copy(keep_checkpoints=False)
    (path / "summary.json").unlink()
    os.truncate(path / "rounds.jsonl", (path / "rounds.jsonl").stat().st_size - 5)
    got = read_run(path)
    assert encode(got.rounds) == encode(whole.rounds[:2])
    assert all(event["round"] < 2 for event in got.data.ledger)
    assert "not checked" in got.left_out[0] and "cut off" in got.left_out[1]


def test_a_finished_run_needs_no_checkpoints(copy, whole):
    assert read_run(copy(keep_checkpoints=False)).data == whole.data


@pytest.mark.parametrize("how", ["changed", "gone"])
def test_an_external_report_that_was_changed_is_not_measured(copy, whole, how):
    path = copy()
    if how == "gone":
        (path / "external.json").unlink()
    else:
        text = (path / "external.json").read_text()
        (path / "external.json").write_text(text.replace('"samples": 8', '"samples": 9'))
    got = read_run(path)
    assert (got.external, got.items, got.damaged) == (None, None, True)
    assert encode(got.rounds) == encode(whole.rounds)
    assert "external.json" in got.left_out[0]


def _rounds(path, change):
    (path / "summary.json").unlink()
    records = [json.loads(line) for line in (path / "rounds.jsonl").read_text().splitlines()]
    change(records)
    (path / "rounds.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.reverse(), "line 1: expected round 0, got 2"),
        (lambda r: r[1]["map"]["n"].pop(), "line 2: expected the map's columns"),
        (lambda r: r[0]["retests"][0].update(chains=0), "line 1: expected right answers in"),
        (lambda r: r[0].update(skill=1e308), "line 1: expected rewards, skill"),
        (lambda r: r[0]["gauges"].update(epi_train=1e308), "line 1: expected gauges"),
        (lambda r: r[0].pop("skill"), "expected RoundRecord with the keys"),
        (lambda r: r.clear(), "holds no finished round"),
    ],
)
def test_records_that_are_not_a_run_are_refused(copy, change, message):
    path = copy(keep_checkpoints=False)
    _rounds(path, change)
    with pytest.raises(InputError, match=message):
        read_run(path)


def test_events_that_are_not_a_ledger_are_refused(copy):
    path = copy(keep_checkpoints=False)
    (path / "summary.json").unlink()
    (path / "ledger.jsonl").write_text('{"round": 0, "event": 3, "because": 0, "action": ""}\n')
    with pytest.raises(InputError, match=r"ledger.jsonl, line 1: expected a round and words"):
        read_run(path)


# Numbers


def test_easy_per_hard_has_the_interval_of_its_logarithm(whole):
    record = whole.rounds[0]
    got = measures.easy_hard(record)
    easy, hard = (sum(p.zone == z for p in record.problems) + 0.5 for z in ("easy", "hard"))
    half = stats.norm.ppf(0.975) * math.sqrt(1 / easy + 1 / hard)
    assert got.value == easy / hard
    expected = stats.norm(math.log(easy / hard), half / stats.norm.ppf(0.975)).interval(0.95)
    assert np.log([got.low, got.high]) == pytest.approx(expected)


def test_mean_reward_has_the_normal_interval_over_problems(whole):
    values = [p.combined for p in whole.rounds[0].problems]
    got = measures.reward(whole.rounds[0])
    expected = stats.norm(np.mean(values), stats.sem(values)).interval(0.95)
    assert (got.low, got.high) == pytest.approx(expected) and got.n == len(values)


def with_items(name, before, after, seed=0, **config):
    problems = tuple(f"problem {i}" for i in range(len(before)))
    base = run(SMALL)
    data = dataclasses.replace(base, config={**base.config, "seed": seed, **config})
    return ReportRun(name, data, Items(problems, tuple(before), tuple(after), 1))


@pytest.fixture(scope="module")
def repeated():
    rng = np.random.default_rng(1000)
    made = [with_items(str(s), rng.integers(0, 2, 50), rng.integers(0, 2, 50), s) for s in range(4)]
    return [*made, with_items("other", [0, 1], [1, 1], 9, stack="v3.4"), made[0]]


def test_repeats_are_runs_that_differ_in_the_seed_alone(repeated):
    assert measures.repeats(repeated) == [[0, 1, 2, 3], [4]]


def test_the_mean_over_repeats_has_students_interval(repeated):
    runs = repeated[:4]
    values = [r.external["delta"] for r in runs]
    got = measures.mean_change(runs)
    expected = stats.t(3, np.mean(values), stats.sem(values)).interval(0.95)
    assert (got.low, got.high) == pytest.approx(expected) and got.n == 4
    assert math.isnan(measures.mean_change(runs[:1]).value)


def test_external_minus_in_loop_combines_both_intervals(repeated):
    loop, truth, gap = measures.changes(repeated[0])
    assert gap.value == pytest.approx(truth.value - loop.value)
    assert gap.low == pytest.approx(
        gap.value - math.hypot(truth.value - truth.low, loop.high - loop.value)
    )
    both = (truth.high - truth.low) / 2, (loop.high - loop.low) / 2
    assert max(both) < (gap.high - gap.low) / 2 < sum(both)


def test_the_fingerprint_has_six_axes_and_reads_the_run(whole):
    axes = measures.fingerprint(whole)
    assert len(axes) == 6 and all(axis.low < axis.high for axis in axes)
    tails = [paired(anchors(r.retests)).p_down for r in whole.rounds]
    assert axes[0].estimate.value == whole.rounds[-1].skill
    assert axes[1].estimate.value == pytest.approx(
        np.nansum([r.gauges["epi_train"] for r in whole.rounds])
    )
    assert axes[4].estimate.value == pytest.approx(max(stats.norm.isf(min(tails)), 0))
    assert axes[5].estimate.value == pytest.approx(100 * whole.external["delta"])


def test_what_was_not_measured_is_nan(whole):
    bare = [
        dataclasses.replace(r, retests=(), gauges=dict.fromkeys(r.gauges, math.nan))
        for r in whole.rounds
    ]
    data = dataclasses.replace(whole.data, rounds=tuple(bare), summary=None)
    axes = measures.fingerprint(ReportRun("bare", data))
    assert [i for i, a in enumerate(axes) if math.isnan(a.estimate.value)] == [1, 4, 5]


@given(st.lists(st.integers(0, 30)))
def test_spans_are_the_rounds(numbers):
    spans = measures.spans(numbers)
    assert [i for a, b in spans for i in range(a, b + 1)] == sorted(set(numbers))
    assert all(b + 1 < c for (_, b), (c, _) in pairwise(spans))


# Story


def ledger(whole, *events):
    keys = ("round", "event", "because", "action")
    entries = tuple(dict(zip(keys, event, strict=True)) for event in events)
    return ReportRun("told", dataclasses.replace(whole.data, ledger=entries))


def test_the_story_tells_events_and_gathers_quiet_rounds(whole):
    told = story(
        ledger(
            whole,
            (0, "verdict.certified", {"p": 0.5}, "COMMIT"),
            (2, "defence.keep_rare", {"by": "drift", "clusters": [1, 2]}, "locked"),
            (2, "verdict.certified", {"p": 0.01, "n": 64.0, "e": None}, "REFUSE"),
            (2, "lie.drift", {"score": 0.75, "clusters": [4]}, "order external_context"),
            (2, "lie.mine", {}, "none"),
            (2, "warning.average_e", {"value": 400.0}, "none"),
            (2, "diagnosis", {"lie": "K", "probability": 0.633}, "none"),
            (2, "learn.diverged", "loss", "quarantine"),
            (3, "defence.harder", {"by": "saturation", "clusters": []}, "carried out"),
        )
    )
    assert [heading for heading, _ in told] == ["Rounds 0 to 1", "Round 2", "Round 3"]
    assert told[0][1][0].startswith("Nothing fired; the gate kept every step.")
    assert told[1][1][:7] == [
        "The defence keep rare, ordered by drift, was not carried out: locked in clusters 1, 2.",
        "The gate refused the step by the rule certified (p = 0.01, n = 64, e = not measured).",
        "Detector A (drift) fired and it ordered the defence external context in cluster 4 "
        "(score = 0.75).",
        "Detector mine fired and it ordered no defence.",
        "The detectors together gave a warning by the rule average e (value = 400).",
        "The diagnosis named lie K (probability 0.633).",
        "learn.diverged: loss; quarantine.",
    ]
    assert told[1][1][7].startswith("The round ended with mean reward ")
    assert told[2][1] == ["The defence harder, ordered by saturation, was carried out."]


def test_every_round_is_told_once(whole):
    headings = [heading for heading, _ in story(whole)]
    numbers = [int(n) for h in headings for n in re.findall(r"\d+", h)]
    assert numbers == sorted(numbers) and {0, 2} <= set(numbers)


def test_a_flood_of_events_is_cut(whole):
    told = story(ledger(whole, *((1, "lie.x", {}, "none") for _ in range(1000))))
    assert len(told[1][1]) == 40 and told[1][1][-1] == "962 more entries."


# Markup


@given(st.text())
def test_text_never_becomes_markup(text):
    content = str(tag("p", text, title=text))
    parser = Reader()
    parser.feed(content)
    assert [name for name, _ in parser.tags] == ["p"]


@given(st.text(), st.integers(1, 50))
def test_plain_text_is_one_printable_line(text, limit):
    got = plain(text, limit)
    assert got.isprintable() and len(got) <= limit + 1
    assert label(text, limit).isascii()


class Reader(HTMLParser):
    """Collects tags with their attributes, and the text."""

    def __init__(self):
        super().__init__()
        self.tags, self.text = [], ""

    def handle_starttag(self, name, attributes):
        self.tags.append((name, dict(attributes)))

    def handle_data(self, data):
        self.text += data


def test_a_table_names_its_rows_and_columns():
    parser = Reader()
    parser.feed(table("caption", ["a", "b"], [["x", 1], ["y", 2]]))
    scopes = [a["scope"] for name, a in parser.tags if name == "th"]
    assert scopes == ["col", "col", "row", "row"]


# Page


def read(text):
    parser = Reader()
    parser.feed(text)
    return parser


def svgs(parser):
    prefix = "data:image/svg+xml;base64,"
    sources = [a["src"] for name, a in parser.tags if name == "img"]
    assert all(source.startswith(prefix) for source in sources)
    return [base64.b64decode(source[len(prefix) :]).decode() for source in sources]


@pytest.fixture(scope="module")
def pages(folders):
    pytest.importorskip("matplotlib")
    from argus_gym.report import page

    runs = [read_run(folders / name) for name in ("whole", "stopped", "bare")]
    return page(runs[:1]), page(runs)


def test_the_page_loads_nothing_and_runs_nothing(pages):
    for text in pages:
        parser = read(text)
        names = {name for name, _ in parser.tags}
        assert not names & {"script", "link", "iframe", "object", "embed", "base", "form"}
        attributes = [(k, v or "") for _, a in parser.tags for k, v in a.items()]
        assert not [k for k, _ in attributes if k.startswith("on")]
        assert all(v.startswith("#") for k, v in attributes if k == "href")
        assert "url(" not in text and "@import" not in text and "http" not in parser.text
        policy = next(a["content"] for _, a in parser.tags if "http-equiv" in a)
        assert policy.startswith("default-src 'none'") and "script-src" not in policy
        for svg in svgs(parser):
            root = ElementTree.fromstring(svg)
            for element in root.iter():
                assert element.tag.split("}")[-1] not in ("script", "foreignObject", "a")
                for key, value in element.attrib.items():
                    if key.split("}")[-1] == "href":
                        assert value.startswith("#") or value.startswith("data:image/png;base64,")


def test_every_figure_has_a_description_and_its_numbers(pages):
    for text, runs in zip(pages, (1, 3), strict=True):
        parser = read(text)
        pictures = [a for name, a in parser.tags if name == "img"]
        assert len(pictures) >= 4 + 3 * runs
        assert all(len(a["alt"]) > 30 for a in pictures)
        assert sum(name == "table" for name, _ in parser.tags) >= 5 + 5 * runs
        ids = [a["id"] for _, a in parser.tags if "id" in a]
        assert len(ids) == len(set(ids))
        links = {a["href"][1:] for name, a in parser.tags if name == "a"}
        assert links == set(ids)


def test_the_page_has_the_intervals_and_no_number_that_was_not_measured(pages, whole):
    text = read(pages[0]).text
    external = whole.external
    low, high = 100 * external["low"], 100 * external["high"]
    assert f"{100 * external['delta']:+.1f} points, 95 % [{low:+.1f}, {high:+.1f}]" in text
    assert f"n = {external['n']} problems with {external['samples']} answers each" in text
    assert "Seed 3." in text and f"±{100 * external['band']:.1f} points" in text
    assert not re.search(r"\bnan\b|None|\binf\b", text)


def test_the_noise_band_is_that_of_the_run():
    pytest.importorskip("matplotlib")
    from argus_gym.report import page

    before = [i < 485 for i in range(1000)]
    hundred = with_items("hundred", [i < 49 for i in range(100)], [i < 55 for i in range(100)])
    thousand = with_items("thousand", before, before)
    text = read(page([hundred, thousand])).text
    for made, n in ((hundred, 100), (thousand, 1000)):
        p = sum(made.items.before) / n
        assert f"±{100 * 1.96 * math.sqrt(2 * p * (1 - p) / n):.1f}, inside" in text


def test_several_runs_are_compared_and_their_settings_named(pages):
    text = read(pages[1]).text
    assert "The runs differ in: seed, stack." in text
    assert "unfinished after round 1, 2 of 3 rounds" in text
    assert "Run 2: stopped" in text and "not measured" in text and "no gate" in text


def test_the_same_runs_give_the_same_bytes(folders, pages):
    code = (
        "import sys, pathlib; from argus_gym.report import page, read_run;"
        "sys.stdout.write(page([read_run(pathlib.Path(sys.argv[1]))]))"
    )
    again = subprocess.run(
        [sys.executable, "-c", code, folders / "whole"],
        capture_output=True,
        check=True,
        env=os.environ | {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C"},
    )
    assert again.stdout.decode() == pages[0]


def test_hostile_text_stays_text(whole):
    pytest.importorskip("matplotlib")
    from argus_gym.report import page

    events = (
        {"round": 1, "event": f"lie.{HOSTILE}", "because": {HOSTILE: HOSTILE}, "action": HOSTILE},
        {"round": 1, "event": HOSTILE * 10**4, "because": [HOSTILE] * 10**4, "action": HOSTILE},
    )
    rounds = tuple(dataclasses.replace(r, defences=(HOSTILE,)) for r in whole.rounds)
    config = {**whole.data.config, "stack": HOSTILE * 10**4, HOSTILE: HOSTILE}
    data = dataclasses.replace(whole.data, rounds=rounds, ledger=events, config=config)
    items = dataclasses.replace(
        whole.items, problems=(HOSTILE * 10**4,) * len(whole.items.problems)
    )
    made = page([ReportRun(HOSTILE * 100, data, items)])
    assert made.isascii() and len(made) < 2e6
    parser = read(made)
    names = [name for name, _ in parser.tags]
    assert "script" not in names and names.count("img") == 8
    assert not [k for _, a in parser.tags for k in a if k.startswith("on")]
    assert '<script>alert("1")</script>' in parser.text and "\x1b" not in made
    for svg in svgs(parser):
        ElementTree.fromstring(svg)


def test_a_run_without_measurements_says_so(whole):
    pytest.importorskip("matplotlib")
    from argus_gym.report import page

    record = dataclasses.replace(
        whole.rounds[0],
        problems=(),
        retests=(),
        verdict=None,
        mean_reward=math.nan,
        skill=math.nan,
        gauges=dict.fromkeys(whole.rounds[0].gauges, math.nan),
        map={k: (0.0,) * len(v) for k, v in whole.rounds[0].map.items()},
    )
    data = dataclasses.replace(whole.data, rounds=(record,), ledger=(), summary=None)
    text = read(page([ReportRun("nothing", data)])).text
    assert "in-loop not measured, external not measured" in text
    assert not re.search(r"\bnan\b", text)


def test_a_report_needs_a_run_with_a_round(whole):
    from argus_gym.report import page

    for runs in ([], [dataclasses.replace(whole, data=dataclasses.replace(whole.data, rounds=()))]):
        with pytest.raises(ValueError, match="runs must be at least one run"):
            page(runs)


# Command


@pytest.fixture
def call(capsys):
    def run_it(*words):
        with pytest.raises(SystemExit) as stop:
            cli.main(["report", *map(str, words)])
        out, err = capsys.readouterr()
        return stop.value.code or 0, out, err

    return run_it


def test_the_command_writes_the_page(call, folders, pages, tmp_path):
    pytest.importorskip("matplotlib")
    out = tmp_path / "report.html"
    code, said, err = call(folders / "whole", "-o", out)
    assert (code, err) == (0, "") and said.startswith(f"{out}: 1 run, ")
    assert out.read_text("ascii") == pages[0]
    code, said, err = call(folders / "whole", folders / "stopped", "-o", out, "--json")
    assert code == 0 and len(json.loads(said)["runs"]) == 2
    assert json.loads(said)["bytes"] == out.stat().st_size
    assert os.listdir(tmp_path) == ["report.html"]


def test_what_is_left_out_is_said(call, copy, tmp_path):
    pytest.importorskip("matplotlib")
    path = copy()
    os.truncate(path / "rounds.jsonl", (path / "rounds.jsonl").stat().st_size - 9)
    out = tmp_path / "report.html"
    code, _, err = call(path, "-o", out)
    assert code == 0 and "argus-gym report: copy: Damaged: " in err
    text = read(out.read_text()).text
    assert "Left out" in text and "damaged; whole up to round 1" in text.lower()


def test_bad_input_is_one_line_and_touches_nothing(call, folders, tmp_path):
    pytest.importorskip("matplotlib")
    mine = tmp_path / "mine.html"
    mine.write_text("<!DOCTYPE html>\nmine")
    (tmp_path / "empty").mkdir()
    inside = folders / "whole" / "report.html"
    link = tmp_path / "link"
    link.symlink_to(folders / "whole")
    before = sorted((p, p.is_file() and p.read_bytes()) for p in folders.rglob("*"))
    for words, message in (
        ((tmp_path / "none", "-o", tmp_path / "r.html"), "is not a folder"),
        ((tmp_path / "empty", "-o", tmp_path / "r.html"), "is not a run folder"),
        ((folders / "whole", "-o", mine), "exists and is not a report"),
        ((folders / "whole", "-o", tmp_path / "empty"), "exists and is not a report"),
        ((folders / "whole", "-o", inside), "lies in the run folder"),
        ((folders / "whole", "-o", link / "r.html"), "lies in the run folder"),
        ((folders / "whole", "-o", tmp_path / "no" / "r.html"), "expected the folder"),
        ((), "Missing argument"),
    ):
        code, out, err = call(*words)
        assert (code, out, err.count("\n")) == (2, "", 1), words
        assert err.startswith("argus-gym report: ") and message in err, words
    assert mine.read_text() == "<!DOCTYPE html>\nmine"
    assert sorted((p, p.is_file() and p.read_bytes()) for p in folders.rglob("*")) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "link", "mine.html"]


def test_a_missing_matplotlib_names_the_extra(call, folders, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, out, err = call(folders / "whole", "-o", tmp_path / "r.html")
    assert (code, out) == (2, "")
    assert err == 'argus-gym report: report needs matplotlib: pip install "argus-gym[report]"\n'


def test_runs_of_one_name_are_told_apart(call, folders, tmp_path):
    pytest.importorskip("matplotlib")
    for side in ("left", "right"):
        shutil.copytree(folders / "whole", tmp_path / side / "run")
    out = tmp_path / "r.html"
    code, _, _ = call(tmp_path / "left" / "run", tmp_path / "right" / "run", "-o", out)
    assert code == 0 and "Run 2: right/run" in read(out.read_text()).text


def test_the_report_reads_what_the_run_compared(whole):
    items = whole.items
    assert compare(items.before, items.after, items.samples) == whole.external
