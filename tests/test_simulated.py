"""The simulated agent: a language model's protocol, with the truth exactly known."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argus_gym import answers, consensus, problems
from argus_gym.agents import Agent, Dynamics, Oracle, SimulatedAgent
from argus_gym.records import Chain, TrainingPair

RNG = np.random.default_rng(11)
POOL = [
    problems.generate(family, steps, RNG) for family in problems.FAMILIES for steps in (1, 3, 5)
]


def right_chain(problem):
    return consensus.parse(problems.solution(problem))


def wrong_chain(problem):
    values = list(problem.values)
    values[-1] = problem.steps[-1].mistake(values[-2] if len(values) > 1 else problem.start)
    return consensus.parse(problems.solution(problem, values))


def pair(problem, chain, role="train", weight=1.0):
    return TrainingPair(problem.text, chain, weight, 0, 0, role)


def test_it_is_an_agent_and_so_is_its_parsed_form():
    assert isinstance(SimulatedAgent(), Agent)


def test_text_and_parsed_chains_are_the_same_chains():
    text, parsed = SimulatedAgent(5), SimulatedAgent(5, parsed=True)
    for problem in POOL:
        ours = [consensus.parse(chain) for chain in text.solve(problem.text, 14).chains]
        theirs = parsed.solve(problem.text, 14).chains
        for a, b in zip(ours, theirs, strict=True):
            assert (a.answer, a.steps, a.worked, a.tokens) == (
                b.answer,
                b.steps,
                b.worked,
                b.tokens,
            )


@pytest.mark.parametrize("diversity", [1.0, 0.5])
def test_the_oracle_agrees_with_sampling(diversity):
    agent = SimulatedAgent(3)
    agent.latent.diversity = diversity
    oracle = Oracle(agent)
    k, z = 400, []
    for problem in POOL:
        p = oracle.accuracy(problem.text)
        chains = [consensus.parse(c) for c in agent.solve(problem.text, k).chains]
        right = sum(answers.right(chain, problem.answer) for chain in chains)
        sd = math.sqrt(p * (1 - p) * k)
        if sd < 1:
            assert abs(right - p * k) <= 6
        else:
            z.append((right - p * k) / sd)
    # Under the closed form the squared z-scores follow chi-squared with len(z) degrees.
    assert sum(x * x for x in z) < len(z) + 5 * math.sqrt(2 * len(z))


def test_training_on_right_chains_raises_true_accuracy_and_on_wrong_ones_lowers_it():
    texts = [p.text for p in POOL]
    for make, sign in ((right_chain, 1), (wrong_chain, -1)):
        agent = SimulatedAgent(0)
        before = Oracle(agent).true_accuracy(texts)
        for _ in range(5):
            agent.learn([pair(p, make(p)) for p in POOL])
        assert sign * (Oracle(agent).true_accuracy(texts) - before) > 0.02


def test_the_local_gauge_can_be_fooled():
    """Training on wrong chains lowers the loss on what was trained, more than the truth does."""
    gains = []
    for make in (right_chain, wrong_chain):
        agent = SimulatedAgent(0)
        report = agent.learn([pair(p, make(p)) for p in POOL])
        gains.append(report.train[0] - report.train[1])
    right, wrong = gains
    assert wrong > right > 0


def test_sharpening_raises_consensus_and_not_accuracy():
    agent, texts = SimulatedAgent(1), [p.text for p in POOL]

    def outcome():
        scores = [consensus.score(agent.solve(t, 14).chains).outcome for t in texts]
        return sum(scores) / len(scores)

    before, truth = outcome(), Oracle(agent).true_accuracy(texts)
    agent.latent.diversity = 0.2
    assert outcome() > before + 0.1
    assert abs(Oracle(agent).true_accuracy(texts) - truth) < 0.12


def test_misconceptions_give_agreement_on_a_wrong_answer():
    problem = POOL[1]
    agreed = []
    for bias in (0.0, 1.0):
        agent = SimulatedAgent(0)
        agent.latent.bias = [bias] * len(problems.FAMILIES)
        agent.latent.skill = [-9.0] * len(problems.FAMILIES)
        agent.latent.diversity = 1.0
        result = consensus.score(agent.solve(problem.text, 14).chains)
        assert not answers.right(result.chains[result.best], problem.answer)
        agreed.append(result.outcome)
    assert agreed[0] < 0.5 and agreed[1] == 1.0


def test_false_premises_are_confabulated():
    """Agreement on the answer, none on the way: the combined score of the published example."""
    agent, scores = SimulatedAgent(0), []
    rng = np.random.default_rng(0)
    for problem in POOL:
        text = problems.falsify(problem, "equation", rng).text
        scores.append(consensus.score(agent.solve(text, 14).chains))
    assert np.mean([s.outcome for s in scores]) > 0.85
    assert np.mean([s.process for s in scores]) < 0.3


def test_learning_shifts_proposals_and_lowers_diversity():
    agent = SimulatedAgent(0)
    family = problems.FAMILIES.index(POOL[0].family)
    before = agent.latent.copy()
    agent.learn([pair(POOL[0], right_chain(POOL[0]))] * 20)
    assert agent.latent.proposals[family][0] > before.proposals[family][0]
    assert agent.latent.diversity < before.diversity
    assert agent.latent.wording < before.wording


def test_heldout_pairs_are_scored_and_not_trained_on():
    agent = SimulatedAgent(0)
    before = agent.snapshot()
    report = agent.learn([pair(p, right_chain(p), "heldout") for p in POOL])
    assert agent.snapshot() == before
    assert report.heldout[0] == report.heldout[1] > 0 and math.isnan(report.train[0])


def test_restore_is_exact_and_the_blend_lies_between():
    agent = SimulatedAgent(0)
    start = json.loads(json.dumps(agent.snapshot()))
    agent.learn([pair(p, wrong_chain(p)) for p in POOL])
    after, texts = agent.snapshot(), [p.text for p in POOL]
    truth = []
    for blend in (0.0, 0.5, 1.0):
        agent.restore(after)
        agent.restore(start, blend)
        truth.append(Oracle(agent).true_accuracy(texts))
        if blend in (0.0, 1.0):
            assert agent.snapshot() == (after if blend == 0 else start)
    assert truth[0] < truth[1] < truth[2]
    with pytest.raises(ValueError, match="blend"):
        agent.restore(start, 1.5)


def test_save_and_load_continue_bit_exactly(tmp_path):
    agent = SimulatedAgent(8)
    obs = {"context": "", "target": 0}
    agent.propose(obs, {})
    agent.save(tmp_path / "agent.json")
    again = SimulatedAgent(0)
    again.load(tmp_path / "agent.json")
    for _ in range(5):
        text = agent.propose(obs, {})
        assert again.propose(obs, {}) == text
        assert again.solve(text, 3).chains == agent.solve(text, 3).chains


def test_the_oracle_names_what_it_cannot_know():
    with pytest.raises(ValueError, match="not a generated problem"):
        Oracle(SimulatedAgent()).accuracy("What is love?")


def test_dynamics_are_the_learners():
    lazy = SimulatedAgent(0, Dynamics(learning=0.0, transfer=0.0, interference=0.0))
    before = list(lazy.latent.skill)
    lazy.learn([pair(p, right_chain(p)) for p in POOL])
    assert lazy.latent.skill == before


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(codec=None, exclude_categories=())), st.integers(1, 20))
def test_any_text_gets_k_chains(text, k):
    agent = SimulatedAgent(0)
    assert len(agent.solve(text, k).chains) == k
    assert agent.nll(text, Chain("", None)) >= 0


def test_a_higher_temperature_loosens_the_mode():
    agent = SimulatedAgent(0, parsed=True)
    agent.latent.diversity = 0.3

    def variety(temperature):
        agent.temperature = temperature
        scores = [consensus.score(agent.solve(p.text, 14).chains).variety for p in POOL]
        return sum(scores) / len(scores)

    assert variety(1.0) < variety(2.0) < variety(3.0)
