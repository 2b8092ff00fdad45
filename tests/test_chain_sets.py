import gzip
import io
import json
from fractions import Fraction

import numpy as np
import pytest

from argus_gym.benchmarks import chains as bench
from argus_gym.benchmarks.premise_sets import half
from argus_gym.chain_sets import ChainSet, load
from argus_gym.consensus import parse

GOOD, BAD = "4 * 6 = 24\n#### 24", "4 + 6 = 10\n#### 10"


def write(path, rows):
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def solutions(question, *graded):
    models = {f"m{i}": {"is_correct": g, "solution": t} for i, (t, g) in enumerate(graded)}
    return {"question": question, "ground_truth": "4 * 6 = 24\nA: 24", **models}


def answered(session, *output):
    row = {"session_id": session, "question": f"Q {session}", "answer": "# 24"}
    return row | {"output": list(output), "generator": "m"}


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"problem": "P", "chains": [GOOD]}, ChainSet("P", (GOOD,))),
        ({"problem": "P", "chains": [GOOD, BAD], "answer": 24}, ChainSet("P", (GOOD, BAD), 24)),
        ({"problem": "P", "chains": [GOOD], "answer": 0.5}, ChainSet("P", (GOOD,), Fraction(1, 2))),
        ({"problem": "P", "chains": [GOOD], "answer": "$1,410.50", "id": 7},
         ChainSet("P", (GOOD,), Fraction(2821, 2))),
        ({"problem": "P", "chains": [GOOD], "answer": "Monday"}, ChainSet("P", (GOOD,), "monday")),
        ({"question": "P", "gold": 24.0, "samples": [BAD], "idx": 0}, ChainSet("P", (BAD,), 24)),
        ({"question": "P", "gt": r"\frac{1}{2}", "code": [GOOD, BAD], "score": [True, False]},
         ChainSet("P", (GOOD, BAD), Fraction(1, 2), (True, False))),
        (solutions("P", (GOOD, True), (BAD, False)), ChainSet("P", (GOOD, BAD), 24, (True, False))),
        ({"question": "P", "answer": GOOD}, ChainSet("P", (GOOD,), 24)),
    ],
)  # fmt: skip
def test_layouts_are_read_as_they_are(tmp_path, row, expected, suffix):
    path = write(tmp_path / f"x.{suffix}", [row, row])
    assert load(path) == [expected, expected]
    assert load(str(tmp_path)) == [expected, expected]


def test_blank_lines_and_any_unicode_are_accepted(tmp_path):
    path = tmp_path / "x.jsonl"
    row = json.dumps({"problem": "Ünïcødé \U0001f9ee", "chains": ["½ \u2028"]}, ensure_ascii=False)
    path.write_text(f"\n{row}\n\n", "utf-8")
    assert load(path) == [ChainSet("Ünïcødé \U0001f9ee", ("½ \u2028",))]


def test_a_folder_of_models_gives_one_set_for_each_problem(tmp_path):
    for name, order in (("b-model", ["s1", "s0"]), ("a-model", ["s0", "s1"])):
        rows = [answered(s, f"{name} on {s}") for s in order]
        (tmp_path / f"{name}.json.gz").write_bytes(gzip.compress(json.dumps(rows).encode()))
    (tmp_path / "LICENSE").write_text("words")
    assert load(tmp_path) == [
        ChainSet("Q s0", ("a-model on s0", "b-model on s0"), 24),
        ChainSet("Q s1", ("a-model on s1", "b-model on s1"), 24),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("not json", "line 2: expected a JSON object, got 'not json"),
        ("[1]", "line 2: expected a JSON object, got list"),
        ("[" * 100_000, "line 2: expected a JSON object"),
        ('{"problem": "P"}', r"line 2: expected one of the key sets .*got \['problem'\]"),
        ('{"problem": "P", "chains": []}', "line 2: expected 'chains' to be a list of at least"),
        ('{"problem": "P", "chains": [1]}', "line 2: expected 'chains' to be a list of at least"),
        ('{"problem": 1, "chains": ["a"]}', "line 2: expected 'problem' to be a text, got int"),
        ('{"problem": "P", "chains": ["a"], "answer": true}', "line 2: expected the answer to be"),
        ('{"question": "P", "gold": [], "samples": ["a"]}', "line 2: expected the answer to be"),
        ('{"question": "P", "gt": "1", "code": ["a"], "score": [1]}', "'score' to be 1 booleans"),
        ('{"question": "P", "gt": "1", "code": ["a"], "score": []}', "'score' to be 1 booleans"),
        ('{"question": "P", "ground_truth": "A: 1"}', "line 2: expected models' objects"),
        ('{"question": "P", "ground_truth": "A: 1", "m": {}}', "line 2: expected models' objects"),
        ('{"question": "P", "answer": "no mark"}', "line 2: expected 'answer' to end in '####"),
    ],
)
def test_bad_lines_are_named(tmp_path, line, message):
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"problem": "P", "chains": [GOOD]}) + f"\n{line}\n")
    with pytest.raises(ValueError, match=message) as error:
        load(path)
    assert str(path) in str(error.value)


def test_files_that_are_no_text_are_named(tmp_path):
    latin = tmp_path / "latin.jsonl"
    latin.write_bytes(b'{"problem": "caf\xe9", "chains": ["a"]}')
    fake = tmp_path / "fake.jsonl.gz"
    fake.write_bytes(b"plain")
    whole = gzip.compress(b'{"problem": "P", "chains": ["a"]}\n' * 1000)
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(whole[: len(whole) // 2])
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n")
    for path in (latin, fake, cut, empty):
        with pytest.raises(ValueError, match=f"{path}.*expected"):
            load(path)


def test_what_is_missing_or_ambiguous_is_named(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.jsonl")
    with pytest.raises(ValueError, match=r"expected one .jsonl file .* got none"):
        load(tmp_path)
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(ValueError, match=r"got a.jsonl, b.jsonl"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ([answered("s0", "x")], "s1 is missing"),
        ([answered("s0", "x"), answered("s9", "x")], "item 1: expected the sessions of a.json"),
        ([answered("s0", "x"), answered("s0", "x")], "item 1: expected the sessions of a.json"),
        ([answered("s0", "x"), answered("s1")], "item 1: expected 'output'"),
        ([{"session_id": "s0"}], "item 0: expected an object with session_id"),
        ([3], "item 0: expected an object"),
        ({}, "expected a JSON array of at least one object"),
        ([], "expected a JSON array of at least one object"),
    ],
)
def test_models_that_do_not_fit_together_are_named(tmp_path, second, message):
    first = [answered("s0", "x"), answered("s1", "x")]
    (tmp_path / "a.json").write_text(json.dumps(first))
    (tmp_path / "b.json").write_text(json.dumps(second))
    with pytest.raises(ValueError, match=message) as error:
        load(tmp_path)
    assert "b.json" in str(error.value)


@pytest.fixture
def data(tmp_path):
    """A data folder in miniature: four problems in every layout the suite reads."""
    rng = np.random.default_rng(0)
    questions = [f"Question {i}" for i in range(8)]

    def drawn(k, rate):
        right = rng.random(k) < rate
        texts = [f"{n} + 1 = {n + 1}. " + (GOOD if r else BAD) for n, r in enumerate(right)]
        return texts, right.tolist()

    rates = [0.1, 0.9, 0.3, 0.8, 0.2, 0.9, 0.6, 0.4]
    write(tmp_path / "gsm8k/train.jsonl.gz", [{"question": q, "answer": GOOD} for q in questions])
    write(tmp_path / "gsm8k/test.jsonl", [{"question": q, "answer": GOOD} for q in questions])
    rows = [solutions(q, *zip(*drawn(4, r))) for q, r in zip(questions, rates)]
    rows[0]["m0"] = {"is_correct": True, "solution": BAD}
    rows[1]["m1"] = {"is_correct": True, "solution": "I do not know."}
    write(tmp_path / "gsm8k/example_model_solutions.jsonl.gz", rows)
    rows = [{"question": q, "gold": 24.0, "samples": drawn(40, r)[0]}
            for q, r in zip(questions, rates)]  # fmt: skip
    write(tmp_path / "chains/phi3_k40/k40.jsonl", rows)
    texts = [drawn(8, r) for r in rates]
    rows = [{"question": q, "gt": "24", "code": t, "score": g}
            for q, (t, g) in zip(questions, texts)]  # fmt: skip
    write(tmp_path / "chains/qwen_math_k8/x.jsonl.gz", rows)
    panel = tmp_path / "chains/zeroeval_gsm"
    panel.mkdir()
    for name in "abcd":
        rows = [answered(q, drawn(1, r)[0][0]) for q, r in zip(questions, rates)]
        (panel / f"{name}.json").write_text(json.dumps(rows))
    return tmp_path


def test_the_suite_reports_shares_and_areas_with_intervals(data):
    result = bench.run(data, seed=3)
    assert json.loads(json.dumps(result, allow_nan=False)) == result == bench.run(data, seed=3)
    assert result["reference"]["share"] == 1.0 and result["reference"]["n"] == 16
    assert result["reference_unmarked"]["share"] == 1.0
    models, qwen = result["graded"]
    assert (models["n"], round(models["share"] * 32)) == (32, 30)
    assert models["disagreements"] == {"graded right, read int": 1, "graded right, read none": 1}
    assert (qwen["n"], qwen["share"], qwen["disagreements"]) == (64, 1.0, {})
    assert [group["problems"] for group in result["consensus"]] == [8] * 7
    assert [group["chains"] for group in result["consensus"]] == [4, 4, 40, 14, 10, 8, 2]
    for group in result["consensus"]:
        assert 0 < group["majority_right"] < 1
        for cell in (*group["auroc"].values(), *group["minus_outcome"].values()):
            assert cell["low"] <= cell["value"] <= cell["high"]
        difference = group["auroc"]["combined"]["value"] - group["auroc"]["outcome"]["value"]
        assert group["minus_outcome"]["combined"]["value"] == pytest.approx(difference)


def test_trust_is_reported_on_the_problems_it_was_not_fitted_on(data):
    result = bench.run(data)
    for group in result["consensus"]:
        part = group["unfitted"]
        asked = "Q Question {}" if "panel" in group["set"] else "Question {}"
        assert part["problems"] == [half(asked.format(i)) for i in range(8)].count("report")
        assert set(part["auroc"]) == {"outcome", "combined", "trust"}
        for name, cell in part["minus_outcome"].items():
            areas = part["auroc"]
            assert cell["value"] == pytest.approx(areas[name]["value"] - areas["outcome"]["value"])


def test_the_suite_prints_as_tables(data):
    from rich.console import Console

    stream = io.StringIO()
    Console(width=120, file=stream).print(bench.table(bench.run(data)))
    printed = stream.getvalue()
    assert (
        "…" not in printed and "AUROC combined" in printed and "combined minus outcome" in printed
    )
    assert "trust - outcome" in printed and "Not measured" not in printed


def test_what_is_missing_is_named_and_the_rest_is_measured(data):
    from rich.console import Console

    (data / "chains/phi3_k40/k40.jsonl").unlink()
    (data / "chains/phi3_k40").rmdir()
    (data / "gsm8k/test.jsonl").unlink()
    (data / "gsm8k/train.jsonl.gz").unlink()
    result = bench.run(data)
    assert [group["chains"] for group in result["consensus"]] == [4, 4, 8, 2]
    assert result["reference"] is None and len(result["missing"]) == 3
    assert any("phi3_k40 is missing" in line for line in result["missing"])
    stream = io.StringIO()
    Console(width=400, file=stream).print(bench.table(result))
    assert "Not measured" in stream.getvalue() and "solutions read right" not in stream.getvalue()


def test_other_sets_of_the_folder_are_measured_on_all_their_problems(data):
    rows = [{"problem": f"P {i}", "chains": [GOOD] * (i % 3) + [BAD] * 2, "answer": 24}
            for i in range(9)]  # fmt: skip
    write(data / "chains/mine.jsonl", rows)
    write(data / "chains/open.jsonl", [{"problem": "P", "chains": [GOOD, BAD]}])
    write(data / "chains/single/one.jsonl", [{"problem": "P", "chains": [GOOD], "answer": 24}])
    (data / "chains/notes.txt").write_text("not chains")
    result = bench.run(data)
    mine = result["consensus"][-1]
    assert (mine["set"], mine["problems"], mine["unfitted"]["problems"]) == ("mine.jsonl", 9, 9)
    assert len(result["missing"]) == 2
    assert "open.jsonl has problems without a known answer" in result["missing"][0]
    assert "single has problems with a single chain" in result["missing"][1]


def test_a_folder_without_any_chain_set_is_refused_in_one_line(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no chain set: .*--data DIR") as error:
        bench.run(tmp_path)
    assert "\n" not in str(error.value)


def test_the_area_equals_the_reference_implementation():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(1)
    values = rng.integers(6, size=60) / 5
    labels = rng.random(60) < 0.5
    group = np.repeat(np.arange(12), 5)
    counts = rng.integers(0, 4, size=(50, 12))
    areas = bench.auroc(values, labels, group, counts)
    for area, times in zip(areas, counts, strict=True):
        expected = roc_auc_score(labels, values, sample_weight=times[group])
        assert area == pytest.approx(expected)
    assert np.isnan(bench.auroc(values, np.ones(60, bool), group, counts)).all()


def test_chains_of_loaded_sets_can_be_scored(data):
    sets = load(data / "chains/phi3_k40")
    assert {parse(text).answer for item in sets for text in item.chains} == {24, 10}
