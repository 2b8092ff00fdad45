"""The chain score: its signals by hand, its bounds, and the search it came from."""

import io
import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argus_gym.benchmarks import chain_features, chain_scores
from argus_gym.chain_score import MAX_EQUATIONS, WEIGHTS, numbers, signals, trust
from argus_gym.consensus import groups, parse, score
from argus_gym.records import Chain

PROBLEM = "Three children share 12 figs and 1 nut for 2.5 hours. How many figs does each get?"
GOOD = "12 / 3 = 4, and 4 * 1 = 4.\n#### 4"
SHORT = "The answer is 4"
OTHER = "12 + 3 = 15\n#### 15"
TEXTS = st.lists(st.text(max_size=60) | st.sampled_from([GOOD, SHORT, OTHER]), min_size=2)


def test_signals_equal_their_definitions():
    half = "3 / 2 = 1.5, 12 - 8 = 4.\n#### 4"
    read = signals(score([GOOD, half, SHORT, OTHER, "I do not know."]), PROBLEM)
    assert read.share == pytest.approx(math.log(3.5 / 2.5))
    assert read.lead == pytest.approx(math.log(3.5 / 1.5))
    assert read.work == pytest.approx(math.log1p((2 + 2 + 0) / 3) - math.log1p(3))
    assert read.fractions == pytest.approx((0 + 1 + 0) / 3)
    assert read.odd == 0.0
    assert numbers(PROBLEM) == {3, 12, Fraction(5, 2)}


def test_trust_is_the_logistic_of_the_weighted_signals():
    result = score([GOOD, GOOD, OTHER])
    total = np.dot(WEIGHTS, signals(result, PROBLEM))
    assert trust(result, PROBLEM) == pytest.approx(1 / (1 + math.exp(-total)))


@pytest.mark.parametrize(
    ("question", "answer", "odd"),
    [
        ("How many figs are left?", "4", 0),
        ("How many figs are left?", "4.5", 1),
        ("How many figs are left?", "0", 1),
        ("how much does it cost?", "4.5", 0),
        ("How much does it cost?", "-4", 1),
        ("How much does it cost?", "a lot", 1),
        ("What is the slope?", "-4.5", 0),
        ("What is the slope?", "x", 0),
    ],
)
def test_an_answer_is_odd_where_it_cannot_be_a_count_or_an_amount(question, answer, odd):
    assert signals(score([f"#### {answer}"] * 3), question).odd == odd


def test_chains_that_nobody_voted_with_are_all_modal():
    result = score(["I do not know that x = y.", "Nor do I."])
    read = signals(result, "What is x?")
    assert result.answer is None and read.share == math.log(0.5 / 2.5) and read.lead == 0.0
    assert read.work == pytest.approx(math.log1p(0.5))


def test_more_votes_and_more_work_are_trusted_more_and_odd_answers_less():
    few, many = (trust(score([GOOD] * n + [OTHER] * (9 - n)), PROBLEM) for n in (5, 8))
    bare = trust(score([SHORT] * 8 + [OTHER]), PROBLEM)
    odd = trust(score([GOOD.replace("#### 4", "#### 4.5")] * 8 + [OTHER]), PROBLEM)
    assert few < many and bare < many and odd < many


def test_equations_are_counted_up_to_a_bound_and_steps_stand_for_a_missing_text():
    long = "2 + 2 = 4, " * 50 + "\n#### 8"
    assert signals(score([long] * 2), "?").work == pytest.approx(math.log1p(MAX_EQUATIONS))
    bare = Chain("", 8, (4, 6))
    assert signals(score([bare] * 2), "?").work == pytest.approx(math.log1p(3))


def test_one_chain_has_no_agreement_to_trust():
    with pytest.raises(ValueError, match="at least two chains, got 1"):
        trust(score([GOOD]), PROBLEM)
    with pytest.raises(TypeError, match="problem must be a str, got NoneType"):
        trust(score([GOOD] * 2), None)


@given(TEXTS, st.text(max_size=200), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_trust_is_finite_inside_its_bounds_and_blind_to_order(texts, problem, random):
    result = score(texts)
    value = trust(result, problem)
    assert 0.0 < value < 1.0
    shuffled = random.sample(texts, len(texts))
    again = score(shuffled)
    if again.answer == result.answer:
        assert trust(again, problem) == pytest.approx(value)


def test_a_megabyte_of_anything_is_trusted_in_bounded_work():
    hostile = "9" * 10**6 + " = " + "= 1/7 " * 10**5 + "\n#### " + "8" * 10**6
    assert 0.0 < trust(score([hostile] * 3), hostile) < 1.0


@given(st.lists(st.sampled_from(["50%", "50", "0.5", "1/2", "7", ""]), min_size=1, max_size=8))
def test_the_modal_group_holds_as_many_chains_as_the_vote_says(answers):
    chains = [parse(f"#### {a}" if a else "I do not know.") for a in answers]
    result, of = score(chains), groups(chains)
    assert of.count(result.answer) / len(chains) == result.outcome or result.answer is None
    assert [g is None for g in of] == [c.answer is None for c in chains]


@given(TEXTS, st.text(max_size=100))
@settings(max_examples=40, deadline=None)
def test_candidate_features_are_finite_and_named(texts, problem):
    result = score(texts)
    values = chain_features.features(result, problem, score(texts, process="jaccard").process)
    assert len(values) == len(chain_features.FEATURES) and np.isfinite(values).all()


def test_candidate_features_by_hand():
    texts = [
        "3 + 1 = 4, 4 * 3 = 12\n#### 12",
        "5 - 1 = 4, 4 * 3 = 12\n#### 12",
        "2 + 3 = 4\n#### 4",
    ]
    result = score(texts)
    values = chain_features.features(result, "3 bags hold 4 nuts each.", 0.5)
    read = dict(zip(chain_features.FEATURES, values, strict=True))
    assert read["margin"] == pytest.approx(1 / 3) and read["answers"] == pytest.approx(2 / 3)
    assert read["entropy"] == pytest.approx(-(2 / 3) * math.log(2 / 3) - math.log(1 / 3) / 3)
    assert read["process_jaccard"] == 0.5 and read["modal_jaccard"] == 1.0
    assert read["modal_last"] == pytest.approx(2 / 3) and read["modal_end"] == 1.0
    assert read["false_equations"] == 0.0 and read["clean_share"] == 1.0
    assert read["numbers_used"] == 1.0 and read["problem_numbers"] == 2.0
    assert read["support"] == 1.0 and read["more_steps"] == pytest.approx(1 - 2 / 3)


def rows(seed, n, slopes, source="a"):
    """Made rows whose labels follow a logistic model with the given slopes."""
    rng = np.random.default_rng(seed)
    values = np.zeros((n, len(chain_features.FEATURES)))
    values[:, : len(slopes)] = rng.normal(size=(n, len(slopes)))
    right = rng.random(n) < 1 / (1 + np.exp(-values[:, : len(slopes)] @ slopes))
    group = np.arange(n)
    return chain_scores.Rows(source, values, right, values[:, 0], group, group % 5)


def test_the_fit_equals_the_reference_implementation(monkeypatch):
    from sklearn.linear_model import LogisticRegression

    monkeypatch.setattr(chain_scores, "TURNS", 1)
    made = rows(0, 400, np.array([1.0, -2.0, 0.0]))
    weights = chain_scores.fit([made], [0, 1, 2])
    x = made.values[:, :3]
    scaled = (x - x.mean(axis=0)) / x.std(axis=0)
    reference = LogisticRegression(C=1 / chain_scores.RIDGE, tol=1e-8).fit(scaled, made.right)
    assert weights == pytest.approx(reference.coef_[0] / x.std(axis=0), abs=1e-3)


def test_a_fold_left_out_changes_nothing_that_is_fitted(monkeypatch):
    made = rows(1, 300, np.array([1.0, 1.0]))
    other = made._replace(right=np.where(made.fold == 2, ~made.right, made.right))
    assert np.array_equal(*(chain_scores.fit([r], [0, 1], fold=2) for r in (made, other)))
    assert not np.allclose(*(chain_scores.fit([r], [0, 1]) for r in (made, other)))


QUESTION = "Box {} holds {} rows of 6 jars. How many jars are there?"


@pytest.fixture
def data(tmp_path):
    """Two sources with problems of our own; the wrong chains show less work."""
    rng = np.random.default_rng(0)
    for name, k in (("phi3_k40", 14), ("qwen_math_k8", 8)):
        lines = []
        for i in range(24):
            answer, rate = 6 * (i + 2), rng.uniform(0.2, 0.95)
            good = f"{i + 2} rows, so 6 * {i + 2} = {answer}\n#### {answer}"
            samples = [good if rng.random() < rate else "#### 5.5" for _ in range(k)]
            question = QUESTION.format(i, i + 2)
            row = {"question": question, "gold": answer, "samples": samples}
            if name.startswith("qwen"):
                grades = [s == good for s in samples]
                row = {"question": question, "gt": answer, "code": samples, "score": grades}
            lines.append(json.dumps(row))
        (tmp_path / f"chains/{name}").mkdir(parents=True)
        (tmp_path / f"chains/{name}/x.jsonl").write_text("\n".join(lines))
    return tmp_path


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(chain_scores, "RESAMPLES", 50)
    names = ("share, lead", chain_scores.CHOSEN)
    few = {name: chain_scores.CANDIDATES[name] for name in names}
    monkeypatch.setattr(chain_scores, "CANDIDATES", few)


def test_the_search_reports_every_candidate_on_both_halves(data, small):
    from rich.console import Console

    result = chain_scores.run(data, seed=1)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result == chain_scores.run(data, seed=1)
    assert [c["candidate"] for c in result["candidates"]] == list(chain_scores.CANDIDATES)
    sizes = [p[part]["n"] for p in result["problems"].values() for part in ("tuning", "report")]
    assert len(result["problems"]) == 4 and sizes[0] + sizes[1] == 24 and min(sizes) > 5
    chosen = result["candidates"][1]
    assert chosen["weights"]["odd"] < 0 < chosen["weights"]["share"]
    for part in ("tuning", "report", "transfer"):
        assert all(c["low"] <= c["value"] <= c["high"] for c in chosen[part].values())
        assert all(c["auroc"] > 0.8 for c in chosen[part].values())
    out = io.StringIO()
    Console(file=out, width=200).print(chain_scores.table(result))
    assert chain_scores.CHOSEN in out.getvalue()


def test_the_weights_of_the_report_half_do_not_depend_on_its_labels(data, small):
    before = chain_scores.run(data)
    path = data / "chains/phi3_k40/x.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for row in lines:
        if chain_scores.half(row["question"]) == "report":
            row["gold"] = 1
    path.write_text("\n".join(map(json.dumps, lines)))
    after = chain_scores.run(data)
    assert [c["weights"] for c in after["candidates"]] == [
        c["weights"] for c in before["candidates"]
    ]
