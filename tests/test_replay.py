import json
import math

import gymnasium as gym
import pytest
from hypothesis import given
from hypothesis import strategies as st

import argus_gym  # noqa: F401
from argus_gym.agents.base import Agent, rollout
from argus_gym.agents.replay import UNKNOWN, ReplayAgent
from argus_gym.answers import final_answer
from argus_gym.chain_sets import ChainSet
from argus_gym.records import Chain, TrainingPair

SETS = [
    ChainSet(f"Problem {i}", tuple(f"chain {j} of {i}\n#### {i}" for j in range(5 + i)), i)
    for i in range(6)
]


def play(agent, rounds=8):
    """Return a stretch of the agent's behaviour."""
    out = []
    for _ in range(rounds):
        problem = agent.propose({}, {})
        out.append((problem, list(agent.solve(problem, 4).chains)))
    return out


def test_it_is_an_agent():
    assert isinstance(ReplayAgent(SETS), Agent)


@pytest.mark.parametrize("seed", range(5))
def test_every_problem_comes_once_before_any_comes_again(seed):
    agent = ReplayAgent(SETS, seed)
    passes = [[agent.propose({}, {}) for _ in SETS] for _ in range(4)]
    for drawn in passes:
        assert sorted(drawn) == [s.problem for s in SETS]
    assert len({tuple(drawn) for drawn in passes}) > 1


def test_held_out_problems_are_answered_but_never_proposed():
    agent = ReplayAgent(SETS, held_out=["Problem 2", "Problem 5"])
    assert {agent.propose({}, {}) for _ in range(20)} == {f"Problem {i}" for i in (0, 1, 3, 4)}
    assert all(text in SETS[2].chains for text in agent.solve("Problem 2", 3).chains)


@given(st.integers(0, 5), st.integers(1, 30), st.integers(0, 100))
def test_chains_are_drawn_without_replacement_while_there_are_enough(index, k, seed):
    recorded = SETS[index].chains
    drawn = list(ReplayAgent(SETS, seed).solve(SETS[index].problem, k).chains)
    assert len(drawn) == k and set(drawn) <= set(recorded)
    first = drawn[: len(recorded)]
    assert len(set(first)) == len(first)
    assert len(set(drawn)) == min(k, len(recorded))


def test_a_problem_solved_again_is_drawn_again():
    agent = ReplayAgent(SETS)
    draws = {tuple(agent.solve("Problem 5", 4).chains) for _ in range(20)}
    assert len(draws) > 10


def test_unknown_problems_get_chains_without_an_answer():
    chains = ReplayAgent(SETS).solve("Nobody recorded this.", 3).chains
    assert list(chains) == [UNKNOWN] * 3 and final_answer(UNKNOWN) == (None, False)


def test_sets_of_one_problem_are_joined():
    agent = ReplayAgent([ChainSet("P", ("a", "b")), ChainSet("P", ("c",))])
    assert sorted(agent.solve("P", 3).chains) == ["a", "b", "c"]
    assert [agent.propose({}, {}) for _ in range(2)] == ["P", "P"]


def test_it_learns_nothing_and_says_so():
    agent, twin = ReplayAgent(SETS, 1), ReplayAgent(SETS, 1)
    report = agent.learn([TrainingPair("Problem 1", Chain("x", 1), 1.0, 0, 0)])
    numbers = (*report.train, *report.heldout, *report.replay, report.preq_bits)
    assert all(math.isnan(x) for x in numbers) and report.tokens == 0
    assert play(agent) == play(twin)


def test_the_seed_decides_everything():
    assert play(ReplayAgent(SETS, 3)) == play(ReplayAgent(SETS, 3)) != play(ReplayAgent(SETS, 4))
    agent = ReplayAgent(SETS, 3)
    expected = play(agent)
    agent.reset(3)
    assert play(agent) == expected
    agent.reset(4)
    assert play(agent) == play(ReplayAgent(SETS, 4))


@given(st.integers(0, 10), st.integers(0, 15))
def test_a_snapshot_continues_exactly(seed, before):
    agent = ReplayAgent(SETS, seed)
    play(agent, before)
    snapshot = json.loads(json.dumps(agent.snapshot(), allow_nan=False))
    expected = play(agent, 9)
    agent.restore(snapshot)
    assert play(agent, 9) == expected
    other = ReplayAgent(SETS, seed + 1)
    other.restore(snapshot)
    assert play(other, 9) == expected


def test_a_snapshot_is_a_copy():
    agent = ReplayAgent(SETS)
    play(agent, 2)
    snapshot = agent.snapshot()
    kept = json.dumps(snapshot)
    play(agent, 10)
    assert json.dumps(snapshot) == kept


def test_blend_zero_changes_nothing():
    agent, twin = ReplayAgent(SETS, 1), ReplayAgent(SETS, 1)
    snapshot = ReplayAgent(SETS, 2).snapshot()
    agent.restore(snapshot, blend=0.0)
    assert play(agent) == play(twin)


def test_saving_and_loading_continues_exactly(tmp_path):
    agent, other = ReplayAgent(SETS, 1), ReplayAgent(SETS, 2)
    play(agent, 4)
    agent.save(tmp_path / "agent.json")
    other.load(tmp_path / "agent.json")
    assert play(agent) == play(other)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"rng": {}, "order": [], "next": 0}', '{"rng": 1, "order": 2}']
)
def test_files_that_are_no_snapshot_are_named(tmp_path, text):
    path = tmp_path / "agent.json"
    path.write_text(text)
    agent, twin = ReplayAgent(SETS, 1), ReplayAgent(SETS, 1)
    with pytest.raises(ValueError, match=r"agent.json: expected a saved replay agent"):
        agent.load(path)
    assert play(agent) == play(twin)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="sets must leave a problem to propose"):
        ReplayAgent([])
    with pytest.raises(ValueError, match="sets must leave a problem to propose"):
        ReplayAgent(SETS[:1], held_out=["Problem 0"])
    with pytest.raises(ValueError, match="at least one chain each"):
        ReplayAgent([ChainSet("P", ())])
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        ReplayAgent(SETS).solve("Problem 1", 0)
    with pytest.raises(ValueError, match="blend must be in"):
        ReplayAgent(SETS).restore(ReplayAgent(SETS).snapshot(), blend=1.5)
    used = ReplayAgent(SETS)
    used.propose({}, {})
    with pytest.raises(ValueError, match="snapshot must come from these recordings"):
        ReplayAgent(SETS[:3]).restore(used.snapshot())


def test_a_whole_run_on_recorded_chains_is_reproducible():
    def run():
        env = gym.make(
            "ArgusSelfImprove-v0",
            rounds=2,
            problems_per_round=5,
            k=4,
            anchors=[(s.problem, s.answer) for s in SETS[:2]],
            external=[s.problem for s in SETS[2:]],
        )
        return rollout(env, ReplayAgent(SETS, 7, held_out=["Problem 0", "Problem 1"]), seed=7)

    first = run()
    assert len(first.rounds) == 2 and first.summary["invalid"] == 0
    assert {p.problem for r in first.rounds for p in r.problems} <= {s.problem for s in SETS[2:]}
    assert repr(first) == repr(run())
