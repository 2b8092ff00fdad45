"""The reward functions for TRL: groups, known answers, problems, and hostile text."""

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus_gym import consensus, premise, scoring
from argus_gym.agents.trl_environment import environment_factory
from argus_gym.agents.trl_rewards import (
    anchor_reward,
    completion_text,
    consensus_reward,
    known_answer,
    proposer_reward,
)
from argus_gym.problems import FALSE_KINDS, FAMILIES, read
from argus_gym.spaces import MAX_CHAIN_CHARS, MAX_PROBLEM_CHARS


def says(*answers):
    return [f"1 + 1 = 2\n#### {answer}" for answer in answers]


def messages(text):
    return [{"role": "assistant", "content": text}]


# Consensus


def test_the_modal_answer_of_each_group_is_rewarded():
    reward = consensus_reward(3)
    found = reward(["a"] * 3 + ["b"] * 3, says(4, 4, 5) + says(4, 5, 5))
    assert found == [1, 1, 0, 0, 1, 1]
    assert reward.__name__ == "consensus_reward"


def test_share_and_combined():
    chains = says(4, 4, 5)
    assert consensus_reward(3, kind="share")(["a"] * 3, chains) == [2 / 3, 2 / 3, 1 / 3]
    combined = consensus.score(chains, 0.25).combined
    found = consensus_reward(3, kind="combined", weight=0.25)(["a"] * 3, chains)
    assert found == [combined, combined, 0]


@given(st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_modal_is_a_majority_vote(votes):
    found = consensus_reward(6)(["a"] * 6, says(*votes))
    counts = Counter(votes)
    rewarded = {vote for vote, value in zip(votes, found) if value}
    assert len(rewarded) == 1 and counts[rewarded.pop()] == max(counts.values())
    assert sum(found) == max(counts.values())


def test_completions_without_an_answer_get_nothing():
    assert consensus_reward(3)(["a"] * 3, ["I do not know", "", *says(3)]) == [0, 0, 1]
    assert consensus_reward(2)(["a"] * 2, ["", "no"]) == [0, 0]


def test_ties_do_not_favour_an_answer():
    reward = consensus_reward(2)
    first = [reward(["a"] * 2, says(1, 2))[0] for _ in range(200)]
    assert 60 < sum(first) < 140


def test_messages_and_logging():
    logged = []
    prompts = [[{"role": "user", "content": "a"}]] * 2
    found = consensus_reward(2)(
        prompts, [messages(t) for t in says(4, 4)], log_metric=lambda *m: logged.append(m)
    )
    assert found == [1, 1] and logged == [("vote_share", 1.0)]


@pytest.mark.parametrize(
    ("prompts", "said"),
    [(["a"] * 5, "whole groups of 4, got 5"), (["a", "a", "b", "b"], "several prompts")],
)
def test_groups_that_do_not_divide(prompts, said):
    with pytest.raises(ValueError, match=said) as error:
        consensus_reward(4)(prompts, ["1"] * len(prompts))
    assert "multiple of num_generations" in str(error.value)


@pytest.mark.parametrize(
    "options",
    [{"generations": 1}, {"kind": "mean"}, {"weight": 2.0}, {"seed": -1}],
)
def test_bad_arguments_of_consensus_reward(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        consensus_reward(**({"generations": 4} | options))


# Known answers


def test_the_right_answer_is_rewarded_and_unknown_ones_are_left_out():
    reward = anchor_reward("gold")
    answers = ["7", "$1,410", None, "so #### 3/4", 0.5, Fraction(1, 3)]
    chains = says("7", "1410", "9", "0.75", "2", "1/3")
    assert reward(chains, gold=answers) == [1, 1, None, 1, 0, 1]


def test_a_data_set_without_answers():
    with pytest.raises(ValueError, match="column 'answer'"):
        anchor_reward()(says(1), other=[1])


@pytest.mark.parametrize("given", [True, float("nan"), float("inf"), [], "", "####"])
def test_answers_that_are_none(given):
    with pytest.raises(ValueError, match="an answer must be"):
        known_answer(given)


# Hostile completions


@given(
    st.recursive(
        st.none() | st.text(max_size=50) | st.integers() | st.floats(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(["role", "content", "text"]), inner, max_size=3)
        ),
        max_leaves=12,
    )
)
def test_whatever_a_completion_is_it_is_read_as_text(completion):
    assert isinstance(completion_text(completion), str)
    assert consensus_reward(2)(["a"] * 2, [completion] * 2)[0] in (0.0, 1.0)
    assert anchor_reward()([completion], answer=[18])[0] in (0.0, 1.0)


def test_parts_and_the_last_assistant_message_count():
    parts = [{"type": "text", "text": "#### "}, {"type": "image"}, {"type": "text", "text": "4"}]
    talk = [*messages("#### 1"), {"role": "tool", "content": "#### 2"}, *messages(parts)]
    assert completion_text(talk) == "#### 4"
    assert completion_text([{"role": "assistant", "content": None, "tool_calls": []}]) == ""


@pytest.mark.parametrize("part", ["9", "(", "#### ", "1 = ", "\\boxed{", "\U0001f600"])
def test_texts_that_are_too_long_say_nothing(part):
    text = part * (MAX_CHAIN_CHARS // len(part) + 1)
    assert completion_text(text) == "" and completion_text(messages(text)) == ""
    assert consensus_reward(2)(["a"] * 2, [text, text[:MAX_CHAIN_CHARS]])[0] == 0


# Problems

GOOD = "Ana has 3 figs and buys 4 more. How many figs does she have?"
FALSE = "Since 7 x 8 = 54, Mia buys 54 beads and loses 4. How many beads does she have?"
CHAINS = ["3 + 4 = 7\n#### 7", "3 + 4 = 7\n#### 7", "3 * 4 = 12\n#### 12"]


def test_a_problem_is_worth_what_the_loop_says():
    reward = proposer_reward(lambda problems: [CHAINS] * len(problems))
    scored = consensus.score(CHAINS)
    expected = [
        scoring.proposer_reward(True, scored, (0.4, 0.8)),
        scoring.proposer_reward(False, scored, (0.4, 0.8)),
    ]
    assert not premise.check(FALSE).ok
    assert reward([GOOD, messages(FALSE)]) == expected
    assert expected[1] == pytest.approx(0.05 * expected[0])


def test_problems_are_solved_once_and_bad_ones_not_at_all():
    asked = []

    def solve(problems):
        asked.extend(problems)
        return [CHAINS] * len(problems)

    texts = [GOOD, "", " \n", f" {GOOD}", "x" * (MAX_PROBLEM_CHARS + 1), None]
    found = proposer_reward(solve)(texts)
    assert asked == [GOOD]
    assert found == [found[0], 0, 0, found[0], 0, 0] and found[0] > 0


def test_a_solver_that_leaves_problems_out():
    with pytest.raises(ValueError, match="must return 1 chain sets, got 0"):
        proposer_reward(lambda problems: [])([GOOD])
    with pytest.raises(ValueError, match="edges"):
        proposer_reward(lambda problems: [], edges=(0.8, 0.4))


# The environment


def test_a_group_gets_one_problem_and_the_next_batch_another():
    make = environment_factory(generations=3, false_share=0.0)
    pool = [make() for _ in range(6)]
    first = [env.reset(prompt="x") for env in pool]
    second = [env.reset(prompt="x") for env in pool]
    assert len(set(first)) == 2 and len(set(first[:3])) == 1 and len(set(first[3:])) == 1
    assert not set(first) & set(second)
    again = environment_factory(generations=3, false_share=0.0)
    assert [again().reset() for _ in range(6)] == first
    elsewhere = environment_factory(generations=3, false_share=0.0, process=1)
    assert not {elsewhere().reset() for _ in range(6)} & set(first)


def test_the_right_answer_counts_once():
    env = environment_factory(generations=1, false_share=0.0)()
    for _ in range(20):
        problem = read(env.reset())
        assert env.get_reward() == 0
        assert env.submit_answer(f"{problem.answer}") == "Received."
        assert env.get_reward() == 1
        assert env.reject_problem("no") != "Received." and env.get_reward() == 1
        env.reset()
        env.submit_answer(f"{problem.answer + 1}")
        env.submit_answer(f"{problem.answer}")
        assert env.get_reward() == 0


def test_a_false_problem_is_to_be_rejected():
    env = environment_factory(generations=1, false_share=1.0)()
    env.reset()
    env.reject_problem("it is false")
    assert env.get_reward() == 1
    honest = environment_factory(generations=1, false_share=0.0)()
    honest.reset()
    honest.reject_problem("it is false")
    assert honest.get_reward() == 0


def test_a_row_with_its_own_problem_is_served():
    env = environment_factory(generations=1)()
    assert env.reset(prompt=[], problem=GOOD, answer="7") == GOOD
    env.submit_answer(7)
    assert env.get_reward() == 1
    env.reset(problem=FALSE, answer=50)
    env.submit_answer("50")
    assert env.get_reward() == 0
    with pytest.raises(ValueError, match="needs a column 'answer'"):
        env.reset(problem=GOOD)


@given(st.text(max_size=300) | st.integers() | st.none() | st.lists(st.text()))
def test_whatever_is_submitted_is_graded(answer):
    env = environment_factory(generations=1)()
    env.reset()
    assert env.submit_answer(answer) == "Received."
    assert env.get_reward() in (0, 1)


@pytest.mark.parametrize(
    "options",
    [{"generations": 0}, {"false_share": 1.5}, {"families": ["chess"]}, {"families": []}],
)
def test_bad_arguments_of_environment_factory(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        environment_factory(**({"generations": 2} | options))


def test_families_and_false_kinds_are_all_served():
    make = environment_factory(generations=1, false_share=0.5)
    texts = [make().reset() for _ in range(300)]
    families = {found.family for found in map(read, texts) if found}
    assert families == set(FAMILIES)
    assert sum(read(text) is None for text in texts) > 100 and FALSE_KINDS
