"""The premises benchmark: what it counts, and what it says where data is missing or broken."""

import gzip
import json
from io import StringIO

import pytest
from rich.console import Console

from argus_gym.benchmarks import premise_sets, premises
from argus_gym.premise import KINDS

TRUE = "Ann has {} shells and finds 2 more. How many shells does she have?"
FALSE = "Ann has -{} shells and finds 2 more. How many shells does she have?"


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(premises, "TRUE_EACH", 1)
    monkeypatch.setattr(premises, "FALSE_EACH", 1)


@pytest.fixture
def data(tmp_path):
    """Return a folder in the layouts of two of the published sets, with problems of our own."""
    (tmp_path / "gsm8k").mkdir()
    for part, numbers in (("train", range(3, 40)), ("test", range(40, 60))):
        lines = [json.dumps({"question": TRUE.format(n), "answer": ""}) for n in numbers]
        with gzip.open(tmp_path / f"gsm8k/{part}.jsonl.gz", "wt") as file:
            file.write("\n".join(lines))
    rows = []
    for n in range(30):
        twin = {"answerable": True, "category": None, "relevant_ids": None}
        rows.append({"id": n, "question": TRUE.format(n + 3), **twin})
        false = {"answerable": False, "category": 3, "relevant_ids": [n]}
        rows.append({"id": 100 + n, "question": FALSE.format(n + 3), **false})
    (tmp_path / "premises/umwp").mkdir(parents=True)
    path = tmp_path / "premises/umwp/umwp_half.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return tmp_path


def printed(result):
    out = StringIO()
    Console(file=out, width=140).print(premises.table(result))
    return out.getvalue()


def test_without_data_the_made_problems_are_measured_and_the_rest_is_named():
    result = premises.run(None)
    assert [row["kind"] for row in result["false"]] == list(KINDS)
    assert all(row["named"]["n"] == row["twins_rejected"]["n"] >= 88 for row in result["false"])
    assert all(row["named"]["hits"] >= 0.98 * row["named"]["n"] for row in result["false"])
    assert all(row["twins_rejected"]["hits"] == 0 for row in result["false"])
    assert result["true"]["hits"] == 0
    assert result["sets"] == [] and "--data DIR" in result["missing"][0]
    assert json.loads(json.dumps(result)) == result
    assert "Not measured: the real sets" in printed(result)


def test_the_counts_of_a_seed_are_the_same_again():
    first, again = premises.run(None, seed=3), premises.run(None, seed=3)
    assert first["false"] == again["false"] and first["true"] == again["true"]
    chars = [run["speed"][0]["chars"] for run in (first, again, premises.run(None, seed=4))]
    assert chars[0] == chars[1] != chars[2]


def test_sets_are_counted_by_half_and_missing_ones_are_named(data):
    result = premises.run(data)
    rows = {row["set"]: row for row in result["sets"]}
    assert rows["GSM8K"]["all"]["n"] == 57 and rows["GSM8K"]["all"]["hits"] == 0
    false = rows["UMWP 3, unrealistic numbers"]
    twins = rows["UMWP answerable, twin of 3"]
    assert false["all"]["n"] == false["all"]["hits"] == twins["all"]["n"] == 30
    assert false["all"]["kinds"] == {"indivisible": 30} and twins["all"]["hits"] == 0
    for row in (false, twins):
        assert row["tuning"]["n"] + row["report"]["n"] == 30
        assert 0 < row["tuning"]["n"] < 30
    assert false["tuning"]["n"] == twins["tuning"]["n"]
    assert len(result["missing"]) == len(premise_sets.SETS) - 2
    assert all(line.endswith("is missing") for line in result["missing"])
    assert {row["set"] for row in result["speed"]} == {"made", "GSM8K"}
    assert "report half" in printed(result)


def test_a_problem_and_what_was_made_from_it_share_a_half():
    text = "Ann has 3 shells and finds 2 more shells on the beach."
    assert premise_sets.half(text) == premise_sets.half(text.upper() + " How many has she?")
    halves = [premise_sets.half(TRUE.format(n)) for n in range(1000)]
    assert 430 < halves.count("report") < 570


@pytest.mark.parametrize(
    ("content", "said"), [("{", "expected JSON"), ('{"text": "hm"}', "rows of GSM8K lack")]
)
def test_a_broken_file_is_named(data, content, said):
    with gzip.open(data / "gsm8k/train.jsonl.gz", "wt") as file:
        file.write(content)
    with pytest.raises(ValueError, match=said) as error:
        premises.run(data)
    assert str(data) in str(error.value)
