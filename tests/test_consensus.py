import doctest
import itertools
import math
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from argus_gym.answers import MAX_RESULTS
from argus_gym.benchmarks.consensus_speed import sample_sets, throughput
from argus_gym.consensus import parse, score, zone
from argus_gym.records import Chain

VALUES = st.sampled_from([1, 2, 3, 50, Fraction(1, 2), Fraction(1, 50), "x"])
CHAINS = st.builds(
    Chain,
    text=st.just(""),
    answer=VALUES | st.none(),
    steps=st.lists(VALUES, max_size=4).map(tuple),
    worked=st.booleans(),
    percent=st.booleans(),
    tokens=st.integers(0, 500),
)
SETS = st.lists(CHAINS, min_size=1, max_size=9)
PROCESSES = st.sampled_from(["aligned", "jaccard"])


def groups_of(chains):
    """Group final answers the slow way: returns the group of each chain, None without answer."""
    plain = Counter(c.answer for c in chains if not c.percent and c.answer is not None)
    groups = []
    for c in chains:
        group = c.answer
        if c.percent and c.answer is not None and not isinstance(c.answer, str):
            share = Fraction(c.answer) / 100
            group = share if plain[share] > plain[c.answer] else c.answer
        groups.append(group)
    return groups


def aligned_of(chains):
    k = len(chains)
    lengths = sorted(len(c.steps) for c in chains)
    positions = lengths[k // 2]
    if positions == 0:
        return sum(c.worked for c in chains) / k
    columns = [[c.steps[j] for c in chains if len(c.steps) > j] for j in range(positions)]
    return sum(max(map(column.count, column)) / k for column in columns) / positions


def jaccard_of(chains):
    def pair(a, b):
        if not (a.worked and b.worked):
            return 0.0
        both, either = Counter(a.steps) & Counter(b.steps), Counter(a.steps) | Counter(b.steps)
        return both.total() / either.total() if either else 1.0

    pairs = [pair(a, b) for a, b in itertools.combinations(chains, 2)]
    return sum(pairs) / len(pairs) if pairs else float(chains[0].worked)


@given(SETS, st.floats(0, 1), st.integers(0, 10))
def test_scores_equal_their_definitions(chains, weight, seed):
    result = score(chains, weight, seed=seed)
    groups = groups_of(chains)
    votes = Counter(g for g in groups if g is not None)
    top = max(votes.values(), default=0)
    assert result.outcome == top / len(chains)
    assert result.process == pytest.approx(aligned_of(chains))
    assert result.combined == pytest.approx(weight * result.outcome + (1 - weight) * result.process)
    assert score(chains, process="jaccard").process == pytest.approx(jaccard_of(chains))
    assert result.answer is None if top == 0 else votes[result.answer] == top
    assert groups[result.best] == result.answer
    assert result.variety == len({c.steps for c in chains}) / len(chains)
    mean = sum(c.tokens for c in chains) / len(chains)
    assert result.length_mean == pytest.approx(mean)
    variance = sum((c.tokens - mean) ** 2 for c in chains) / len(chains)
    assert result.length_sd == pytest.approx(math.sqrt(variance), abs=1e-4)
    assert result.chains == tuple(chains)


@given(SETS, PROCESSES)
def test_scores_stay_in_bounds(chains, process):
    result = score(chains, process=process)
    for value in (result.outcome, result.process, result.combined):
        assert -1e-12 <= value <= 1 + 1e-12
    assert 0 < result.variety <= 1 and 0 <= result.best < len(chains)


@given(SETS.flatmap(lambda s: st.tuples(st.just(s), st.permutations(s))), PROCESSES, st.integers(0))
def test_scores_do_not_depend_on_the_order_of_the_chains(sets, process, seed):
    chains, shuffled = sets
    a, b = (score(s, process=process, seed=seed) for s in (chains, shuffled))
    assert (a.outcome, a.answer, a.variety) == (b.outcome, b.answer, b.variety)
    assert a.process == pytest.approx(b.process) and a.combined == pytest.approx(b.combined)
    assert a.length_sd == pytest.approx(b.length_sd, abs=1e-4)


@given(SETS, PROCESSES)
def test_equal_chains_score_as_copies_of_one_object_do(chains, process):
    copies = [Chain(c.text, c.answer, c.steps, c.worked, c.percent, c.tokens) for c in chains]
    one = score(chains * 2, process=process, seed=3)
    assert one == score(chains + copies, process=process, seed=3)


@given(SETS)
def test_the_best_chain_has_the_modal_answer_and_no_rival_fits_better(chains):
    result = score(chains)
    lengths = sorted(len(c.steps) for c in chains)
    positions = lengths[len(chains) // 2]

    def fit(chain):
        if max(positions, len(chain.steps)) == 0:
            return float(chain.worked)
        hits = 0
        for j in range(min(positions, len(chain.steps))):
            column = Counter(c.steps[j] for c in chains if len(c.steps) > j)
            hits += column[chain.steps[j]] == max(column.values())
        return hits / max(positions, len(chain.steps))

    rivals = [c for c, g in zip(chains, groups_of(chains)) if g == result.answer]
    assert fit(chains[result.best]) == max(map(fit, rivals))


@given(st.lists(st.text(max_size=80), min_size=1, max_size=5), PROCESSES, st.integers(0))
def test_texts_and_parsed_chains_score_the_same(texts, process, seed):
    parsed = score([parse(t) for t in texts], process=process, seed=seed)
    assert score(texts, process=process, seed=seed) == parsed
    mixed = [parse(t) if i % 2 else t for i, t in enumerate(texts)]
    assert score(mixed, process=process, seed=seed) == parsed


def test_texts_and_parsed_chains_score_the_same_on_worked_chains():
    for texts in sample_sets(50, seed=1):
        assert len(set(texts)) == 14
        assert score(texts, seed=5) == score([parse(t) for t in texts], seed=5)


FORMS = ["1410", "1,410", "$1,410", "$1,410.00", "1410.", "1410 cents", "1,410.0"]


@given(st.lists(st.sampled_from(FORMS), min_size=2, max_size=8))
def test_how_an_answer_is_written_does_not_matter(forms):
    marks = itertools.cycle(["#### {}", "The answer is {}", "A: {}", r"so \boxed{{{}}}"])
    texts = [f"700 + 5 = 705\n{next(marks).format(form)}" for form in forms]
    result = score(texts)
    assert result.outcome == result.process == 1.0 and result.answer == 1410


def test_a_unanimous_set_with_process_024_scores_062():
    firsts = [5] * 6 + list(range(10, 29))
    texts = [f"7 * 9 = {n}\n{n} + 0 = 63\n#### 63" for n in firsts]
    result = score(texts)
    assert len(texts) == 25 and result.outcome == 1.0
    assert result.process == pytest.approx(0.24)
    assert result.combined == pytest.approx(0.62)
    assert zone(result.combined) == "frontier"


def test_the_position_of_a_step_matters_to_aligned_only():
    texts = ["1 + 1 = 2, 3 + 3 = 6\n#### 8", "3 + 3 = 6, 1 + 1 = 2\n#### 8"]
    assert score(texts).process == 0.5
    assert score(texts, process="jaccard").process == 1.0


def test_the_number_of_positions_is_the_upper_median():
    chains = [Chain("", 9, (1, 2)), Chain("", 9, (1,)), Chain("", 9, (1, 2, 3)), Chain("", 9, ())]
    assert score(chains).process == pytest.approx((3 / 4 + 2 / 4) / 2)


def test_chains_that_show_no_working_agree_with_nothing():
    bare, worked = "The answer is 8", "4 + 4 = 8\n#### 8"
    assert parse(bare) == Chain(bare, 8, (), worked=False, tokens=4)
    assert parse(worked) == Chain(worked, 8, (), worked=True, tokens=7)
    for process, share in (("aligned", 0.5), ("jaccard", 1 / 6)):
        assert score([bare] * 4, process=process).process == 0.0
        assert score([worked] * 4, process=process).process == 1.0
        assert score([bare, worked] * 2, process=process).process == pytest.approx(share)


def test_one_chain_agrees_with_itself_where_it_shows_working():
    for process in ("aligned", "jaccard"):
        assert score(["4 + 4 = 8\n#### 8"], process=process).combined == 1.0
        assert score(["1 + 1 = 2, 4 + 4 = 8\n#### 8"], process=process).combined == 1.0
        assert score(["#### 8"], process=process).combined == 0.5


def test_parse_takes_the_final_answer_out_of_the_steps():
    chain = parse("9 * 2 = 18, 18 / 2 = 9, 9 * 2 = 18. The answer is $18.00")
    assert (chain.answer, chain.steps, chain.worked) == (18, (9,), True)
    chain = parse("1 / 2 = 0.5, 25 + 25 = 50, 3 * 2 = 6\n#### 50%")
    assert (chain.answer, chain.percent, chain.steps) == (50, True, (6,))


def test_parse_of_a_megabyte_is_bounded():
    chain = parse("2 + 3 = 5, " * 100_000 + "\n#### " + "8" * 10**6)
    assert len(chain.steps) <= MAX_RESULTS and isinstance(chain.answer, str)
    assert len(chain.answer) < 100 and chain.tokens == 500_002


@pytest.mark.parametrize(
    ("answers", "answer", "votes"),
    [
        (["50%", "50"], 50, 2),
        (["50%", "1/2", "0.5"], Fraction(1, 2), 3),
        (["50%", "50", "0.5", "0.5"], Fraction(1, 2), 3),
        (["50%", "50", "0.5"], 50, 2),
        (["50%", "50.0%", "3"], 50, 2),
        (["200%", "2", "2"], 2, 3),
        (["50", "0.5", "0.50"], Fraction(1, 2), 2),
    ],
)
def test_percentages_join_the_larger_of_their_two_readings(answers, answer, votes):
    for order in itertools.permutations(answers):
        result = score([f"#### {a}" for a in order])
        assert result.answer == answer and type(result.answer) is type(answer)
        assert result.outcome == votes / len(answers)


def test_chains_without_an_answer_never_vote():
    result = score(["I do not know."] * 3 + ["#### 8"])
    assert (result.answer, result.outcome, result.best) == (8, 0.25, 3)
    nobody = score(["I do not know."] * 3)
    assert nobody.answer is None and nobody.outcome == nobody.combined == 0.0
    assert nobody.best in range(3)


def test_ties_between_answers_are_broken_uniformly_under_the_seed():
    texts = ["#### 1", "#### 2", "#### 1", "#### 2", "#### 3", "#### 3", "#### x"]
    drawn = [score(texts, seed=seed).answer for seed in range(3000)]
    assert drawn == [score(texts, seed=seed).answer for seed in range(3000)]
    assert chisquare([drawn.count(a) for a in (1, 2, 3)]).pvalue > 1e-3
    pairs = Counter(itertools.pairwise(drawn))
    assert len(pairs) == 9 and chisquare(list(pairs.values())).pvalue > 1e-3


def test_ties_between_best_chains_are_broken_uniformly_under_the_seed():
    texts = [f"{n} + 0 = 7\n#### 8" for n in range(5)] + ["#### 9"]
    drawn = Counter(score(texts, seed=(seed, 7, 1)).best for seed in range(3000))
    assert set(drawn) == set(range(5)) and chisquare(list(drawn.values())).pvalue > 1e-3


def test_the_draws_of_answer_and_best_chain_are_independent():
    texts = ["#### 1", "#### 2", "#### 1", "#### 2"]
    drawn = Counter(score(texts, seed=seed).best for seed in range(2000))
    assert set(drawn) == set(range(4)) and chisquare(list(drawn.values())).pvalue > 1e-3


def test_seeds_may_be_sequences_and_of_any_size():
    texts = ["#### 1", "#### 2"]
    seeds = [0, 1, 2**64, 2**64 + 1, (0, 1), (1, 0), [5], 2**200, *range(50)]
    assert {score(texts, seed=s).answer for s in seeds} == {1, 2}
    assert score(texts, seed=5) == score(texts, seed=[5])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"chains": []}, "chains must hold at least one chain"),
        ({"weight": 1.1}, "weight must be in"),
        ({"weight": -0.1}, "weight must be in"),
        ({"weight": math.nan}, "weight must be in"),
        ({"process": "steps"}, "process must be 'aligned' or 'jaccard', got 'steps'"),
        ({"seed": -1}, "seed must be non-negative"),
        ({"seed": ()}, "seed must be non-negative"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        score(**({"chains": ["#### 1"]} | arguments))


def test_zones_include_their_edges():
    assert [zone(x) for x in (0.0, 0.399, 0.4, 0.8, 0.801, 1.0)] == [
        "hard", "hard", "frontier", "frontier", "easy", "easy",
    ]  # fmt: skip
    assert zone(0.5, low=0.6, high=0.9) == "hard" and zone(0.5, low=0.1, high=0.2) == "easy"


@pytest.mark.parametrize("edges", [(0.8, 0.4), (-0.1, 0.5), (0.5, 1.1), (math.nan, 0.8)])
def test_bad_edges_are_named(edges):
    with pytest.raises(ValueError, match="low and high"):
        zone(0.5, *edges)


def test_the_page_on_consensus_computes_what_it_says():
    page = Path(__file__).parents[1] / "docs" / "consensus.md"
    outcome = doctest.testfile(str(page), module_relative=False)
    assert outcome.attempted >= 5 and outcome.failed == 0


def test_throughput_measures_every_part():
    result = throughput(seconds=0.05, seed=1)
    assert min(result[part] for part in ("text", "parsed", "copies", "answers")) > 0
    assert result["ratio_text"] == pytest.approx(result["text"] / result["math_verify"])
    with pytest.raises(ValueError, match="seconds must be positive"):
        throughput(seconds=0)
