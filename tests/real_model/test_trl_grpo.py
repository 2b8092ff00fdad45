"""GRPO through TRL as the loop's learner, on both roles."""

import math
import random
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

pytest.importorskip("trl", reason='needs pip install "argus-gym[llm]"')

import gymnasium as gym
from transformers import TrainingArguments
from trl_adder import ANCHORS, ANSWERS, PROBLEMS, teach

from argus_gym.agents import rollout
from argus_gym.agents.hf import HFAgent
from argus_gym.agents.language_model import LanguageModel
from argus_gym.agents.sft import DivergedError, Row, SFTConfig, Trained
from argus_gym.agents.trl_grpo import GRPOLearner
from argus_gym.agents.trl_rewards import consensus_reward, graded
from argus_gym.records import Chain, TrainingPair

ROWS = [Row(f"{word}\n", "#### 7") for word in ("one", "two", "three")]
CONFIG = SFTConfig(learning_rate=2e-2, batch_size=16, epochs=1)
SHORT = {"generations": 8, "max_new_tokens": 4, "chains": 4, "chain_tokens": 4}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def adder(tmp_path_factory, make_model):
    return teach(tmp_path_factory.mktemp("adder"), make_model, until=0.1)


SUMS = [Row(f"{problem}\n", "") for problem in PROBLEMS]
TRUTH = {f"{problem}\n": answer for problem, answer in ANCHORS}


def solved(lm):
    """Return the share of right answers, and of modal ones."""
    found = lm.sample([*TRUTH], 32, role="solver", max_new_tokens=8, seed=9)
    texts = [one.text for chains in found for one in chains]
    right = graded(texts, [answer for answer in ANSWERS for _ in range(32)])
    votes = consensus_reward(32)([prompt for prompt in TRUTH for _ in range(32)], texts)
    return np.mean(right), np.mean(votes)


def test_known_answers_are_learnt(adder):
    lm = LanguageModel.load(adder, rank=4)
    before, _ = solved(lm)
    learner = GRPOLearner(reward=TRUTH.get, generations=8, max_new_tokens=8)
    config = replace(CONFIG, learning_rate=5e-3, batch_size=200, epochs=20)
    learner(lm, SUMS, role="solver", config=config, seed=0)
    assert solved(lm)[0] > before + 0.02


def test_votes_alone_make_it_agree_and_not_right(adder):
    lm = LanguageModel.load(adder, rank=4)
    right, agreed = solved(lm)
    learner = GRPOLearner(reward="modal", generations=8, max_new_tokens=8)
    config = replace(CONFIG, learning_rate=5e-3, batch_size=200, epochs=8)
    learner(lm, SUMS, role="solver", config=config, seed=0)
    after = solved(lm)
    assert after[1] > agreed + 0.02 and after[0] < right


@pytest.mark.parametrize("role", ["solver", "proposer"])
@pytest.mark.parametrize("reward", ["share", lambda prompt: 7])
def test_one_role_learns_and_the_other_stays_bit_by_bit(lm, role, reward):
    other = {"solver": "proposer", "proposer": "solver"}[role]
    mine, theirs = lm.weights(role), lm.weights(other)
    learner = GRPOLearner(reward=reward, **SHORT)
    trained = learner(lm, ROWS, role=role, config=replace(CONFIG, epochs=4), seed=0)
    assert not same(mine, lm.weights(role))
    assert same(theirs, lm.weights(other))
    assert 0 < trained.tokens <= 4 * 2 * 16 * 4
    assert trained.losses == ()


def test_same_seed_same_bits(model_path):
    found = []
    for seed in (0, 0, 1):
        lm = LanguageModel.load(model_path, rank=4)
        GRPOLearner(reward="share", **SHORT)(lm, ROWS, role="solver", config=CONFIG, seed=seed)
        found.append(lm.weights("solver"))
    assert same(found[0], found[1]) and not same(found[0], found[2])


def test_it_leaves_no_trace_of_itself(lm, capfd):
    base = lm.peft.get_base_model()
    forward, generators = base.forward, (random.getstate(), torch.random.get_rng_state())
    GRPOLearner(**SHORT)(lm, ROWS, role="proposer", config=CONFIG, seed=5)
    assert base.forward == forward and not lm.peft.training
    assert random.getstate() == generators[0]
    assert torch.equal(torch.random.get_rng_state(), generators[1])
    assert not any(p.requires_grad for p in lm.peft.parameters())
    assert capfd.readouterr().out == ""


def test_prompts_are_tokenised_as_the_agent_does(lm, monkeypatch):
    seen = []
    generate = lm.peft.generate

    def spy(*args, **kwargs):
        seen.append(kwargs["input_ids"])
        return generate(*args, **kwargs)

    monkeypatch.setattr(lm.peft, "generate", spy)
    GRPOLearner(**SHORT)(lm, ROWS[:1], role="solver", config=CONFIG, seed=0)
    expected = lm.tokenizer("one\n", add_special_tokens=False)["input_ids"]
    assert all(row == expected for ids in seen for row in ids.tolist())


def test_groups_that_do_not_divide(lm):
    with pytest.raises(ValueError, match="batch_size must be a multiple of generations, 8"):
        GRPOLearner(**SHORT)(lm, ROWS, role="solver", config=replace(CONFIG, batch_size=12), seed=0)


def test_nothing_to_learn_from(lm):
    for learner, rows in (
        (GRPOLearner(**SHORT), []),
        (GRPOLearner(**SHORT), [Row("a\n", "b", 0.0)]),
        (GRPOLearner(reward=lambda prompt: None, **SHORT), ROWS),
    ):
        assert learner(lm, rows, role="solver", config=CONFIG, seed=0) == Trained()


@pytest.mark.parametrize(
    "options",
    [
        {"reward": "votes"},
        {"generations": 1},
        {"max_new_tokens": 0},
        {"chains": 0},
        {"chain_tokens": 0},
        {"temperature": 0},
        {"edges": (0.9, 0.1)},
    ],
)
def test_bad_arguments(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        GRPOLearner(**options)


@pytest.mark.parametrize("epochs", [1, 4])
@pytest.mark.parametrize("rate", [1e30, float("inf")])
def test_weights_that_diverge_are_taken_back(lm, rate, epochs):
    """Be they finite: at 1e30 they are, and no token can be drawn any more."""
    before = lm.weights("solver")
    config = replace(CONFIG, learning_rate=rate, epochs=epochs)
    with pytest.raises(DivergedError, match=r"update \d diverged: the adapter is as before"):
        GRPOLearner(reward="share", **SHORT)(lm, ROWS, role="solver", config=config, seed=0)
    assert same(before, lm.weights("solver"))


@pytest.mark.parametrize("broken", ["solver", "proposer"])
def test_an_agent_takes_both_roles_back_where_one_diverges(lm, broken):
    learner = GRPOLearner(reward="share", **SHORT)
    learnt = []

    def learn(lm, rows, *, role, config, seed):
        rate = 1e30 if role == broken else config.learning_rate
        config = replace(config, learning_rate=rate)
        trained = learner(lm, rows, role=role, config=config, seed=seed)
        learnt.append(not same(lm.weights(role), before[role]))
        return trained

    agent = HFAgent(lm, max_new_tokens=4, problem_tokens=8, learner=learn, config=CONFIG)
    obs, info = gym.make("argus_gym:ArgusSelfImprove-v0", rounds=1).reset(seed=0)
    own = [agent.propose(obs, info) for _ in range(3)]
    before = {role: lm.weights(role) for role in ("solver", "proposer")}
    pairs = [TrainingPair(problem, Chain("#### 1", 1), 1.0, 0, 0) for problem in own]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        report = agent.learn(pairs)
    assert any("learning step undone: update" in str(one.message) for one in said)
    assert learnt == ([] if broken == "solver" else [True])
    assert math.isfinite(report.train[0]) and math.isnan(report.train[1])
    assert all(same(lm.weights(role), weights) for role, weights in before.items())


@pytest.mark.parametrize("call", [1, 6])
def test_a_batch_that_does_not_fit_stops_with_advice(lm, call):
    """In the first generation, and after the first update."""
    before, calls = lm.weights("solver"), []

    def full(*_):
        calls.append(1)
        if len(calls) == call:
            raise torch.OutOfMemoryError("CUDA out of memory")

    hook = lm.peft.get_base_model().register_forward_pre_hook(full)
    config = replace(CONFIG, epochs=4)
    with pytest.raises(MemoryError, match="use a smaller batch_size"):
        GRPOLearner(reward="share", **SHORT)(lm, ROWS, role="solver", config=config, seed=0)
    hook.remove()
    assert len(calls) == call and same(before, lm.weights("solver"))


def test_several_gpus_without_a_launcher(lm, monkeypatch):
    """TRL refuses to spread a model over them; the loop's stays on its own."""
    monkeypatch.setattr(TrainingArguments, "n_gpu", 4)
    learner = GRPOLearner(reward="share", **SHORT)
    assert learner(lm, ROWS, role="solver", config=CONFIG, seed=0).tokens > 0


def test_an_agent_learns_with_it_in_the_loop(lm):
    env = gym.make(
        "argus_gym:ArgusSelfImprove-v0",
        rounds=1,
        problems_per_round=6,
        k=2,
        frontier=(0.0, 1.0),
        anchor_items=1,
        past_items=0,
        retest_chains=1,
    )
    agent = HFAgent(
        lm,
        max_new_tokens=4,
        problem_tokens=8,
        learner=GRPOLearner(reward="share", **SHORT),
        config=replace(CONFIG, batch_size=8),
    )
    before = lm.weights("solver")
    result = rollout(env, agent, seed=0)
    assert len(result.rounds) == 1 and result.rounds[0].report.tokens > 0
    assert not same(before, lm.weights("solver"))
