"""The numeric environment: its contract, its learner, and its agreement with the text loop."""

import copy
import pickle
import re
import warnings
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import argus_gym  # noqa: F401
from argus_gym import consensus, problems
from argus_gym.agents import SimulatedAgent
from argus_gym.agents.mechanisms import MECHANISMS
from argus_gym.capability_map import COLUMNS, CapabilityMap
from argus_gym.curriculum import agreement, chains, draws, likelihood
from argus_gym.curriculum.draws import Stream, place
from argus_gym.curriculum.learner import Latent, Lessons, Rates, train
from argus_gym.curriculum.posed import pose
from argus_gym.curriculum.runs import Runs
from argus_gym.curriculum.settings import Settings
from argus_gym.curriculum.spaces import DEFENCES
from argus_gym.defences import Defence, Order
from argus_gym.evidence import Wanted
from argus_gym.gauges import GAUGES, measure
from argus_gym.problems import FAMILIES
from argus_gym.records import RoundRecord, Verdict, decode, encode
from argus_gym.wrappers import DETECTORS, ERCVGate, stack

SMALL = {"rounds": 4, "problems_per_round": 16}
ID = "ArgusCurriculum-v0"


def make(**settings):
    return gym.make(ID, **(SMALL | settings))


def play(env, seed=0, steps=None, actions=0):
    """Run random actions; return rewards and the infos of the rounds' ends."""
    env.reset(seed=seed)
    env.action_space.seed(actions)
    rewards, ends = [], []
    over = False
    while not over and (steps is None or len(rewards) < steps):
        _, reward, _, over, info = env.step(env.action_space.sample())
        rewards.append(reward)
        if "round" in info:
            ends.append(info)
    return rewards, ends


def refuse(evidence):
    return Verdict("REFUSE", "test", evidence.round, severity=1.0)


# Gymnasium's contract


@pytest.mark.parametrize("control", [False, True])
@pytest.mark.parametrize("actions", ["multidiscrete", "discrete"])
def test_the_checker_finds_nothing(actions, control):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = make(actions=actions, control=control).unwrapped
        check_env(env, skip_render_check=True)


def test_observations_are_flat_float32_boxes():
    env = make()
    obs, _ = env.reset(seed=0)
    assert all(
        space.dtype == np.float32 and len(space.shape) == 1
        for space in env.observation_space.values()
    )
    assert gym.spaces.flatten(env.observation_space, obs).dtype == np.float32
    for _ in range(40):
        obs, *_ = env.step(env.action_space.sample())
        assert env.observation_space.contains(obs)


def test_the_run_is_truncated_after_its_last_round():
    rewards, ends = play(make())
    assert len(rewards) == 64 and [info["round"].round for info in ends] == [0, 1, 2, 3]


def test_the_spec_rebuilds_the_environment():
    env = make(reward_mode="anchor", k=5)
    again = gym.make(gym.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    assert again.unwrapped.settings == env.unwrapped.settings


def trace(env, steps=40):
    return [
        (obs["consensus"].tobytes(), obs["gauges"].tobytes(), reward)
        for obs, reward, *_ in (env.step(env.action_space.sample()) for _ in range(steps))
    ]


def test_same_seed_same_bytes():
    def run(seed):
        env = make(adherence=0.5)
        env.reset(seed=seed)
        env.action_space.seed(1)
        return trace(env)

    assert run(0) == run(0)
    assert run(0) != run(1)


@pytest.mark.parametrize("clone", [lambda e: pickle.loads(pickle.dumps(e)), copy.deepcopy])
@pytest.mark.parametrize("before", [0, 7, 23])
def test_a_copy_goes_on_like_the_original(clone, before):
    env = make(adherence=0.7)
    play(env, steps=before)
    if not before:
        env.reset(seed=0)
    other = clone(env)
    env.action_space.seed(3)
    other.action_space.seed(3)
    assert trace(env) == trace(other)


# Rewards


def test_consensus_pays_each_problem():
    env = make()
    env.reset(seed=0)
    for _ in range(20):
        _, reward, *_, info = env.step(env.action_space.sample())
        assert reward == info["combined"]
        assert info["combined"] == 0.5 * info["outcome"] + 0.5 * info["process"]
        assert info["reward_mode"] == "consensus"


@pytest.mark.parametrize(("mode", "gauge"), [("anchor", "anchor_delta"), ("retest", "past_delta")])
def test_paired_rewards_are_paid_at_round_ends(mode, gauge):
    rewards, ends = play(make(reward_mode=mode))
    paid = rewards[15::16]
    assert paid == [info["round"].gauges[gauge] for info in ends] and any(paid)
    assert not any(r for i, r in enumerate(rewards) if i % 16 != 15)
    assert {info["reward_mode"] for info in ends} == {mode}


def test_the_anchor_budget_ends():
    block = 2 * 8 * 8
    rewards, _ = play(make(reward_mode="anchor", anchor_budget=2 * block + 5))
    free, _ = play(make(reward_mode="anchor"))
    assert rewards[15:32:16] == free[15:32:16] and not any(rewards[47::16])
    env = make(reward_mode="anchor", anchor_budget=2 * block)
    env.reset(seed=0)
    env.action_space.seed(0)
    left = [env.step(env.action_space.sample())[0]["progress"][2] for _ in range(48)]
    assert left[14] == 1 and left[15] == 0.5 and left[31] == 0


def test_oracle_pays_the_change_of_the_truth():
    env = make(reward_mode="oracle")
    env.reset(seed=4)
    start = env.unwrapped.true_accuracy()
    rewards = play(env, seed=4)[0]
    assert sum(rewards) == pytest.approx(env.unwrapped.true_accuracy() - start, abs=1e-12)


def test_a_refused_step_pays_nothing():
    env = make(reward_mode="anchor")
    env.unwrapped.decider = refuse
    assert not any(play(env)[0])


# The record


def test_gauges_are_those_of_the_record():
    _, ends = play(make(dynamics={"false_premises": 0.1}), seed=2)
    for info in ends:
        r = info["round"]
        expected = measure(r.problems, r.retests, r.report, r.trained, r.replayed)
        assert list(r.gauges) == list(expected)
        np.testing.assert_allclose(list(r.gauges.values()), list(expected.values()), atol=1e-12)
        assert r.mean_reward == r.gauges["mean_reward"] and r.skill == r.gauges["skill"]
        pairs = info["training_pairs"]
        counts = [sum(p.role == role for p in pairs) for role in ("train", "replay", "heldout")]
        assert counts == [r.trained, r.replayed, r.heldout]


def test_the_map_is_the_text_environments():
    env = make(families=5)
    _, ends = play(env, seed=1)
    reference = CapabilityMap(5)
    for info in ends:
        record = info["round"]
        for p in record.problems:
            reference.scored(p.cluster, p.outcome, p.combined, p.zone)
        for item in record.retests:
            reference.retested(item.cluster, item.delta)
        reference.end_round()
        for name, column in reference.arrays().items():
            np.testing.assert_allclose(record.map[name], column, atol=1e-6, err_msg=name)


def test_records_survive_json():
    _, ends = play(make())
    record = ends[-1]["round"]
    assert encode(decode(RoundRecord, encode(record))) == encode(record)


def test_problem_texts_are_distinct_and_have_a_sentence_a_step():
    _, ends = play(make())
    texts = [p.problem for info in ends for p in info["round"].problems]
    assert len(set(texts)) == len(texts) == 64
    anchors = {i.problem for info in ends for i in info["round"].retests if i.anchor}
    assert not anchors & set(texts)
    action = np.array([2, 4])
    env = make()
    env.reset(seed=0)
    for _ in range(16):
        *_, info = env.step(action)
    assert {p.problem.count("One step.") for p in info["round"].problems} == {5}
    assert {p.cluster for p in info["round"].problems} == {2}


# Detectors and gate


def test_detectors_only_observe():
    bare = play(make(), seed=3)[0]
    env = make()
    for name in sorted(DETECTORS):
        env = DETECTORS[name](env, defend=False)
    rewards, ends = play(env, seed=3)
    assert rewards == bare
    assert set(ends[-1]["lies"]) == set(DETECTORS)


@pytest.mark.parametrize("preset", ["v3.4", "v3.5", "v4"])
def test_known_stacks_wrap_it_unchanged(preset):
    _, ends = play(stack(make(rounds=7, anchor_items=16), preset))
    assert len(ends) == 7 and all("verdict" in info and "spsi" in info for info in ends)
    assert all(info["round"].verdict == info["verdict"] for info in ends)


def test_the_gate_stops_a_planted_harm():
    harm = {"mechanism": "I", "learner": "quiet", "onset": 2, "severity": 2.0, "rounds": 8}
    falls = {}
    for gated in (False, True):
        env = make(**harm, problems_per_round=32)
        env = ERCVGate(env) if gated else env
        falls[gated] = []
        for seed in range(4):
            env.reset(seed=seed)
            start = env.unwrapped.true_accuracy()
            play(env, seed=seed)
            falls[gated].append(start - env.unwrapped.true_accuracy())
    assert np.mean(falls[False]) > 0.1
    assert np.mean(falls[True]) < 0.3 * np.mean(falls[False])


def state(env):
    latent = env.unwrapped.runs.latent
    return {name: getattr(latent, name).copy() for name in Latent.__slots__}


def test_a_refused_step_is_rolled_back_bit_for_bit():
    env = make()
    env.unwrapped.decider = refuse
    env.reset(seed=0)
    before = state(env)
    for _ in range(16):
        *_, info = env.step(env.action_space.sample())
    assert info["verdict"].decision == "REFUSE" and info["round"].trained > 0
    for name, value in state(env).items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)
    assert env.unwrapped.runs.batch.end[0] == 0


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_a_partial_rollback_mixes_the_weights(share):
    ends = {}
    for severity in (0.0, share, 1.0):
        env = make()
        decision = "REFUSE" if severity else "COMMIT"

        def decide(evidence, decision=decision, severity=severity):
            return Verdict(decision, "test", evidence.round, severity=severity)

        env.unwrapped.decider = decide
        play(env, steps=16)
        ends[severity] = state(env)["skill"]
    mixed = (1 - share) * ends[0.0] + share * ends[1.0]
    np.testing.assert_allclose(ends[share], mixed, atol=1e-12)


def test_a_refusal_can_return_to_the_certified_weights():
    env = make()
    kept = {}

    def decide(evidence):
        if evidence.round == 1:
            return Verdict("COMMIT_CERTIFIED", "test", evidence.round)
        if evidence.round == 3:
            return Verdict("REFUSE", "test", 3, severity=1.0, target="certified")
        return Verdict("COMMIT", "test", evidence.round)

    env.unwrapped.decider = decide
    env.reset(seed=0)
    for step in range(64):
        env.step(env.action_space.sample())
        if step == 31:
            kept = state(env)
    np.testing.assert_array_equal(state(env)["skill"], kept["skill"])
    np.testing.assert_array_equal(state(env)["memory"], kept["memory"])


def test_a_gate_gets_the_items_it_asks_for():
    asked = []

    def decide(evidence):
        if not asked:
            assert not {i.problem for i in evidence.retests} & set(evidence.fresh)
            asked.append(evidence)
            return Wanted(items=3, problems=evidence.fresh[5:7])
        asked.append(evidence)
        return Verdict("COMMIT", "test", evidence.round)

    env = make()
    env.unwrapped.decider = decide
    play(env, steps=16)
    first, second = asked[:2]
    new = {i.problem for i in second.retests} - {i.problem for i in first.retests}
    assert len(new) == 5 and set(first.fresh[5:7]) <= new <= set(first.fresh)
    assert second.answers - first.answers == 2 * 8 * 5


def test_a_gate_that_asks_for_what_is_not_there_is_told_so():
    env = make()
    env.unwrapped.decider = lambda evidence: Wanted(problems=("no such problem",))
    with pytest.raises(ValueError, match="no such items left"):
        play(env)


# Control and defences


def test_the_agent_can_refuse_the_last_step():
    env = make(control=True)
    env.reset(seed=0)
    before = state(env)
    for _ in range(16):
        env.step(np.array([1, 2, 0, 0]))
    assert (state(env)["skill"] != before["skill"]).any()
    env.step(np.array([1, 2, 1, 0]))
    np.testing.assert_array_equal(state(env)["skill"], before["skill"])
    assert env.unwrapped.history[-1].verdict.rule == "agent"
    learnt = state(env)
    env.step(np.array([1, 2, 1, 0]))
    np.testing.assert_array_equal(state(env)["skill"], learnt["skill"])


def test_the_agent_can_order_a_defence():
    env = make(control=True)
    env.reset(seed=0)
    head = 1 + DEFENCES.index(Defence.HARDER)
    obs, *_ = env.step(np.array([1, 2, 0, head]))
    assert obs["defences"].tolist() == [float(d is Defence.HARDER) for d in DEFENCES]
    for _ in range(15):
        *_, info = env.step(np.array([1, 2, 0, 0]))
    assert info["round"].defences == ("harder",)
    assert {p.problem.count("One step.") for p in info["round"].problems} == {4}


def test_defences_do_what_they_say():
    env = make(dynamics={"false_premises": 0.5})
    base = env.unwrapped
    play(env, steps=16)
    kept = base.runs.batch.end[0] - base.runs.batch.start[0]
    skill = base.runs.before.skill.copy()
    base.order(Order(Defence.EXCLUDE, "test", (3,)))
    base.order(Order(Defence.REJECT_PREMISES, "test"))
    base.order(Order(Defence.DECAY_REPLAY, "test"))
    for _ in range(16):
        *_, info = env.step(np.array([3, 1]))
    assert {p.cluster for p in info["round"].problems} == {4}
    assert {p.target for p in info["round"].problems} == {3}
    assert all(p.premise.ok for p in info["round"].problems)
    assert kept > 1
    assert [e["action"] for e in base.ledger if e["event"].startswith("defence")] == [
        "carried out"
    ] * 3
    base.order(Order(Defence.ROLLBACK, "test"))
    skill = base.runs.before.skill.copy()
    env.step(np.array([3, 1]))
    np.testing.assert_array_equal(base.runs.latent.skill, skill)


def test_a_new_run_knows_nothing_of_the_last_ones_defences():
    env = make(control=True)
    first = play(make(control=True), seed=5, steps=1)[0]
    play(env, seed=1)
    assert play(env, seed=5, steps=1)[0] == first
    assert env.unwrapped.order(Order(Defence.HARDER, "test"))


@pytest.mark.parametrize("mechanism", sorted(MECHANISMS))
def test_every_planted_failure_runs(mechanism):
    env = make(mechanism=mechanism, onset=1, learner="quiet", rounds=3)
    _, ends = play(env)
    healthy = play(make(learner="quiet", rounds=3))[1]
    assert ends[0]["round"].gauges == pytest.approx(healthy[0]["round"].gauges, nan_ok=True)
    changed = ends[-1]["round"].gauges != healthy[-1]["round"].gauges
    assert changed or ends[-1]["round"].problems != healthy[-1]["round"].problems


# The learner


def test_learning_is_the_simulated_agents():
    """The array form against LatentState, pair by pair, and against its own single form."""
    rng = np.random.default_rng(0)
    dynamics = Settings(
        dynamics={"interference": 0.5, "shift": 0.3, "credulity": 0.1, "depth": 0.7}
    ).start
    slots, m = 30, 3
    lessons = Lessons(
        problem=rng.integers(0, 20, (slots, m)),
        weight=rng.uniform(0, 1, (slots, m)) * (rng.random((slots, m)) < 0.8),
        family=rng.integers(0, 12, (slots, m)),
        steps=rng.integers(1, 9, (slots, m)),
        right=rng.random((slots, m)) < 0.6,
        misconceived=rng.random((slots, m)) < 0.5,
        false=rng.random((slots, m)) < 0.2,
        magnitudes=np.full((slots, 8, m), -np.inf),
    )
    for s in range(slots):
        for i in range(m):
            n = lessons.steps[s, i]
            lessons.magnitudes[s, :n, i] = rng.normal(size=n)
    key = draws.keys(rng, m)
    together = Latent.draw(key, 12, 20, dynamics)
    alone = [Latent.draw(key[i : i + 1], 12, 20, dynamics) for i in range(m)]
    train(together, np.arange(m), Rates(dynamics, m), lessons, range(slots))
    for i in range(m):
        own = Lessons(*(getattr(lessons, name)[..., i : i + 1] for name in Lessons.__slots__))
        train(alone[i], np.zeros(1, int), Rates(dynamics, 1), own, range(slots))
        for name in Latent.__slots__:
            np.testing.assert_allclose(
                getattr(together, name)[i], getattr(alone[i], name)[0], atol=1e-12, err_msg=name
            )


def test_learners_start_like_the_simulated_agent():
    from scipy.stats import ks_2samp, kstest

    runs = Latent.draw(draws.keys(np.random.default_rng(0), 400), 12, 8, Settings().start)
    agents = [SimulatedAgent(seed).latent for seed in range(400)]
    for name in ("skill", "ceiling"):
        theirs = np.array([getattr(a, name) for a in agents])
        assert ks_2samp(getattr(runs, name)[:, 0], theirs[:, 0]).pvalue > 1e-3
        assert ks_2samp(getattr(runs, name).mean(1), theirs.mean(1)).pvalue > 1e-3
    rates = np.log(runs.rates / (0.08, 0.0095)) / 0.9
    assert kstest(rates[:, 0], "norm").pvalue > 1e-3 and kstest(rates[:, 1], "norm").pvalue > 1e-3


def numeric(skill, bias, diversity, each):
    """Solve problems of every kind; return outcome, process, variety and whether right."""
    runs = Runs(96, Settings(dynamics={"bias": bias, "diversity": diversity, "false_premises": 0}))
    rows = np.arange(96)
    runs.reset(rows, draws.keys(np.random.default_rng(0), 96))
    runs.latent.skill[:] = skill
    solved = [runs.solve(rows, rows, np.full(96, visit)) for visit in range(each)]
    return np.array(
        [[s.outcome, s.process, s.variety, s.answer == 0, s.tokens] for s in solved], float
    )


def textual(skill, bias, diversity, each):
    agent, rng = SimulatedAgent(1, parsed=True), np.random.default_rng(1)
    agent.latent.skill, agent.latent.bias = [skill] * 12, [bias] * 12
    agent.latent.diversity = diversity
    rows = np.zeros((each, 5, 96))
    for at in range(each):
        for cell in range(96):
            p = problems.generate(FAMILIES[cell // 8], cell % 8 + 1, rng)
            c = consensus.score(agent.solve(p.text, 14).chains, seed=at)
            right = c.answer == p.answer
            rows[at, :, cell] = c.outcome, c.process, c.variety, right, c.length_mean
    return rows


@pytest.mark.parametrize("latent", [(1.55, 0.3, 0.9), (2.5, 0.3, 0.5), (0.5, 0.6, 0.9)])
def test_chain_sets_agree_with_the_simulated_agents(latent):
    """Within sampling error at 960 problems each; larger samples are in docs/measured.md."""
    ours, theirs = numeric(*latent, 10), textual(*latent, 10)
    difference = ours.mean((0, 2)) - theirs.mean((0, 2))
    error = np.sqrt((ours.var(0).mean(1) + theirs.var(0).mean(1)) / (10 * 96))
    assert (np.abs(difference) < 3.5 * np.maximum(error, 1e-3)).all(), difference / error
    spread = ours.std((0, 2)) / theirs.std((0, 2))
    assert (np.abs(np.log(spread)) < 0.12).all(), spread


def test_confabulated_chains_agree_on_the_answer_and_not_on_the_way():
    runs = Runs(40, Settings(dynamics={"false_premises": 1.0}))
    rows = np.arange(40)
    runs.reset(rows, draws.keys(np.random.default_rng(0), 40))
    solved = runs.solve(rows, rows, np.zeros(40, int))
    assert solved.false.all() and (solved.answer == 1).mean() == 1
    agent = SimulatedAgent(0)
    scores = [consensus.score(agent.solve(f"What is {i} of it?", 14).chains) for i in range(40)]
    for name in ("outcome", "process"):
        theirs = np.array([getattr(s, name) for s in scores])
        error = np.sqrt((theirs.var() + getattr(solved, name).var()) / 40)
        assert abs(theirs.mean() - getattr(solved, name).mean()) < 3.5 * error


def test_anchor_accuracy_is_the_closed_form():
    """Single chains drawn many times are right as often as the oracle says."""
    n = 12
    key = draws.keys(np.random.default_rng(1), n)
    family, steps = np.arange(n), np.arange(n) % 6 + 1
    posed = pose(key, place(Stream.ANCHOR, 0, np.zeros(n, int)), family, steps, 2.4)
    diversity = np.full(n, 0.7)
    seen = chains.chances(posed, np.full(n, 1.5), np.full(n, 0.3))
    truth = likelihood.accuracy(seen, diversity)
    right = np.zeros(n)
    for draw in range(60):
        at = place(Stream.BEFORE, draw, np.zeros(n, int))
        drawn = chains.paths(key, at, seen, diversity, np.zeros(n, bool), 64)
        right += (chains.answer_ids(drawn) == 0).mean(1) / 60
    error = np.sqrt(truth * (1 - truth) / (60 * 64)) + 1e-3
    assert (np.abs(right - truth) < 4 * error).all()


def agreement_by_hand(codes, other, steps, swap):
    """The outcome, process and variety of one chain set, position by position."""
    k = len(codes)
    values = [[c >> 3 * (7 - j) for j in range(steps)] for c in codes]
    right = [i for i, c in enumerate(codes) if c == 0]
    if 0 <= swap < steps - 1:
        for i in right[:other]:
            values[i][swap] = -1
    modal = [max(column.count(v) for v in column) for column in zip(*values, strict=True)][:-1]
    ways = len({tuple(v[:-1]) for v in values})
    return (sum(modal) / (k * len(modal)) if modal else 1.0), ways / k


def test_process_agreement_is_counted_right():
    n, k = 60, 9
    rng = np.random.default_rng(3)
    key, steps = draws.keys(rng, n), rng.integers(1, 9, n)
    posed = pose(
        key, place(Stream.PROBLEM, 0, np.zeros(n, int)), rng.integers(0, 12, n), steps, 2.4
    )
    seen = chains.chances(posed, np.full(n, 1.5), np.full(n, 0.3))
    drawn = chains.paths(
        key, place(Stream.BEFORE, 0, np.zeros(n, int)), seen, np.full(n, 0.9), np.zeros(n, bool), k
    )
    agreed = agreement.agree(drawn, posed, key)
    ids = chains.answer_ids(drawn)
    for i in range(n):
        process, variety = agreement_by_hand(
            drawn.codes[i].tolist(), int(drawn.other[i]), int(steps[i]), int(posed.swap[i])
        )
        assert agreed.process[i] == pytest.approx(process)
        assert agreed.variety[i] == pytest.approx(variety)
        counts = np.bincount(ids[i])
        assert agreed.outcome[i] == counts.max() / k == counts[agreed.answer[i]] / k
        assert ids[i][drawn.codes[i] == agreed.best[i]][0] == agreed.answer[i]


def test_ties_break_evenly():
    """Right answers, whose number is 0, win half of the ties between two groups."""
    ids = np.tile(np.array([0, 0, 7, 7], np.uint8), (4000, 1))
    salt = draws.words(np.zeros(4000, np.uint64), np.arange(4000).astype(np.uint64), 1)[0]
    drawn = chains.Paths(
        ids.astype(np.uint32), np.zeros(4000, int), np.zeros(0, int), *chains._NONE
    )
    drawn.codes[:, 2:] = 8**7
    posed = pose(salt, salt * 0, np.zeros(4000, int), np.ones(4000, int), 2.4)
    share = (agreement.agree(drawn, posed, salt).answer == 0).mean()
    assert 0.46 < share < 0.54


# Bad input


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"reward_mode": "accuracy"}, ValueError, "reward_mode must be one of"),
        ({"actions": "box"}, ValueError, "actions must be one of"),
        ({"rounds": 0}, ValueError, r"rounds must be in \[1, 4096\], got 0"),
        ({"k": 65}, ValueError, r"k must be in \[1, 64\], got 65"),
        ({"families": 3}, ValueError, r"families must be in \[4, 64\], got 3"),
        ({"frontier": (0.8, 0.4)}, ValueError, "frontier must be a pair"),
        ({"past_items": 17}, ValueError, r"past_items must be in \[0, 16\], got 17"),
        ({"replay_share": 1.0}, ValueError, r"replay_share must be in \[0, 1\), got 1.0"),
        ({"severity": 0}, ValueError, "severity must be above 0, got 0"),
        ({"mechanism": "Z"}, ValueError, "mechanism must be one of"),
        ({"mechanism": "A", "families": 6}, ValueError, "mechanism needs families=12"),
        ({"anchor_budget": 9}, ValueError, "anchor_budget needs reward_mode='anchor'"),
        (
            {"reward_mode": "anchor", "anchor_budget": -1},
            ValueError,
            "anchor_budget must be at least 0, got -1",
        ),
        ({"reward_mode": "anchor", "anchor_items": 0}, ValueError, "needs anchor_items"),
        ({"reward_mode": "retest", "past_items": 0}, ValueError, "needs past_items"),
        ({"dynamics": {"speed": 1}}, ValueError, "dynamics must have keys of .* got 'speed'"),
        ({"learner": "fast"}, ValueError, "learner must be one of"),
        ({"reward": "anchor"}, TypeError, "no argument 'reward'; did you mean 'reward_mode'?"),
        ({"render_mode": "human"}, TypeError, "render_mode must be None"),
    ],
)
def test_bad_settings_are_named(settings, error, text):
    from argus_gym.curriculum_env import ArgusCurriculum

    with pytest.raises(error, match=text):
        ArgusCurriculum(**(SMALL | settings))


@pytest.mark.parametrize(
    ("actions", "action"),
    [
        ("multidiscrete", np.array([12, 0])),
        ("multidiscrete", np.array([0, -1])),
        ("multidiscrete", np.array([0, 0, 0])),
        ("multidiscrete", np.array([0.0, 1.0])),
        ("multidiscrete", [0, 1]),
        ("multidiscrete", None),
        ("discrete", 96),
        ("discrete", -1),
        ("discrete", 1.5),
        ("discrete", "3"),
    ],
)
def test_actions_outside_the_space_are_refused(actions, action):
    env = make(actions=actions).unwrapped
    env.reset(seed=0)
    with pytest.raises(gym.error.InvalidAction, match="invalid"):
        env.step(action)


def test_a_run_that_is_over_or_never_began_needs_a_reset():
    env = make(rounds=1).unwrapped
    with pytest.raises(gym.error.ResetNeeded, match="call reset"):
        env.step(np.array([0, 0]))
    play(env)
    with pytest.raises(gym.error.ResetNeeded, match="call reset"):
        env.step(np.array([0, 0]))


def test_the_discrete_form_numbers_the_same_actions():
    flat, heads = make(actions="discrete", control=True), make(control=True)
    flat.reset(seed=0)
    heads.reset(seed=0)
    sizes = heads.action_space.nvec
    assert flat.action_space.n == sizes.prod()
    rng = np.random.default_rng(0)
    for _ in range(40):
        action = int(rng.integers(flat.action_space.n))
        a, b = flat.step(action), heads.step(np.array(np.unravel_index(action, sizes)))
        assert a[1] == b[1] and all((a[0][name] == b[0][name]).all() for name in COLUMNS)


def test_the_pages_examples_run(capsys):
    page = (Path(__file__).parents[1] / "docs" / "curriculum_env.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        exec(compile(block, "curriculum_env.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[3].startswith("3 ") and any("REFUSE" in line for line in lines)
    assert str(len(GAUGES)) in page
