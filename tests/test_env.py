"""ArgusSelfImprove-v0 through its public interface."""

import dataclasses
import json
import pickle
import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

import argus_gym
from argus_gym import problems
from argus_gym.agents import SimulatedAgent, rollout
from argus_gym.defences import Defence, Order
from argus_gym.records import Chain, LearnReport, RoundRecord, Solve, decode, encode
from argus_gym.spaces import MAX_CHAIN_CHARS, MAX_PROBLEM_CHARS, Phase

ID = "ArgusSelfImprove-v0"
SMALL = {
    "rounds": 2,
    "problems_per_round": 3,
    "k": 4,
    "anchor_items": 2,
    "past_items": 2,
    "retest_chains": 3,
}
CHAINS = ["2 + 3 = 5\n5 * 2 = 10\n#### 10"] * 4


def make(**kwargs):
    return gym.make(ID, **{**SMALL, **kwargs})


def at(phase, env=None):
    """Return an environment that waits in ``phase``."""
    env = env or make()
    obs, _ = env.reset(seed=3)
    agent = SimulatedAgent(3)
    while obs["phase"] != phase:
        if obs["phase"] == Phase.PROPOSE:
            action = agent.propose(obs, {})
        else:
            action = agent.solve(obs["problem"], int(obs["request"][0]))
        obs, *_ = env.step(action)
    return env, obs


def same(a, b):
    """Equality of nested observations and infos, NaN equal to itself."""
    return json.dumps(encode(a), sort_keys=True) == json.dumps(encode(b), sort_keys=True)


@pytest.mark.parametrize("name", [ID, f"argus_gym:{ID}"])
def test_check_env_passes_without_a_warning(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gym.make(name).unwrapped)
        check_env(gym.make(name, **SMALL, render_mode="rgb_array").unwrapped)


def test_a_round_visits_the_phases_in_order():
    env, phases, agent = make(), [], SimulatedAgent(0)
    obs, info = env.reset(seed=0)
    while "round" not in info:
        phases.append(Phase(obs["phase"]).name)
        if obs["phase"] == Phase.PROPOSE:
            action = agent.propose(obs, info)
        elif obs["phase"] == Phase.LEARN:
            action = agent.learn(info["training_pairs"])
        else:
            action = agent.solve(obs["problem"], int(obs["request"][0]))
        obs, *_, info = env.step(action)
    assert phases == ["PROPOSE", "SOLVE"] * 3 + ["RETEST"] * 4 + ["LEARN"] + ["RETEST"] * 4
    record = info["round"]
    assert len(record.problems) == 3 and len(record.retests) == 4
    assert record.answers == {"solve": 12, "retest": 24}


def test_before_and_after_are_the_same_items_and_say_so():
    env, obs = at(Phase.RETEST)
    sides = {"before": [], "after": []}
    agent, info = SimulatedAgent(3), {"retest": {"weights": "before"}}
    while "round" not in info:
        if obs["phase"] == Phase.LEARN:
            action = LearnReport()
        else:
            sides[info["retest"]["weights"]].append(obs["problem"])
            action = agent.solve(obs["problem"], int(obs["request"][0]))
        obs, *_, info = env.step(action)
    assert sides["before"] == sides["after"] == [item.problem for item in info["round"].retests]
    assert [item.anchor for item in info["round"].retests] == [True, True, False, False]


def test_solve_is_rewarded_with_combined():
    env, _ = at(Phase.SOLVE)
    _, reward, _, _, info = env.step(CHAINS)
    assert reward == info["scored"].combined == 1.0
    _, _ = at(Phase.SOLVE, env)
    mixed = ["#### 1", "#### 1", "#### 2", "#### 3"]
    _, reward, _, _, info = env.step(mixed)
    assert info["scored"].outcome == 0.5
    assert reward == 0.5 * 0.5 + 0.5 * info["scored"].process


def test_only_frontier_problems_give_pairs():
    env = make(rounds=1, problems_per_round=40)
    result = []
    obs, info = env.reset(seed=1)
    agent = SimulatedAgent(1)
    while obs["phase"] != Phase.LEARN:
        if obs["phase"] == Phase.PROPOSE:
            action = agent.propose(obs, info)
        else:
            action = agent.solve(obs["problem"], int(obs["request"][0]))
        obs, *_, info = env.step(action)
        if "scored" in info:
            result.append(info["scored"])
    frontier = {r.problem for r in result if r.zone == "frontier"}
    assert {pair.problem for pair in info["training_pairs"]} == frontier
    assert {r.zone for r in result} == {"easy", "frontier", "hard"}
    by_problem = {r.problem: r for r in result}
    for pair in info["training_pairs"]:
        assert pair.weight == by_problem[pair.problem].combined
        assert pair.chain.answer == by_problem[pair.problem].answer
    roles = [pair.role for pair in info["training_pairs"]]
    assert roles.count("heldout") == len(roles) // 2 and "replay" not in roles


def test_anchors_are_never_trained_on_and_never_shown():
    anchor = problems.generate("shopping", 3, np.random.default_rng(0))
    env = make(anchors=[(anchor.text, anchor.answer)], external=[anchor.text, "Ann has 3 pens."])
    obs, info = env.reset(seed=0)
    chains = ["#### 1", "#### 1", "#### 2", "3 = 3\n#### 1"]
    pairs = None
    for _ in range(60):
        assert obs["context"] != anchor.text
        if obs["phase"] == Phase.PROPOSE:
            action = anchor.text
        elif obs["phase"] == Phase.LEARN:
            pairs, action = info["training_pairs"], LearnReport()
        else:
            action = chains[: int(obs["request"][0])]
        obs, _, _, truncated, info = env.step(action)
        if truncated:
            break
    assert truncated and pairs == ()
    assert all(item.problem == anchor.text for item in env.unwrapped.history[-1].retests)
    assert {p.zone for p in env.unwrapped.history[0].problems} == {"frontier"}


def test_anchor_pools_are_disjoint():
    env = make()
    env.reset(seed=0)
    pools = env.unwrapped._pools
    anchors, report = dict(pools.anchors), dict(pools.report)
    assert len(anchors) == 64 and len(report) == 100 and len(set(pools.external)) == 64
    assert not set(anchors) & set(report)
    assert not (set(anchors) | set(report)) & set(pools.external)


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize(
    "action",
    [
        "",
        " \n",
        "x" * (MAX_PROBLEM_CHARS + 1),
        "x" * 1_000_000,
        [],
        ["#### 1"],
        ["#### 1"] * 5,
        ["x" * (MAX_CHAIN_CHARS + 1)] * 4,
        ["y" * 1_000_000] * 3,
        Solve(["#### 1"] * 40),
        Solve(["#### 1"] * 3, np.full(4, np.nan)),
        Solve(["#### 1"] * 4, np.full(4, np.nan)),
        (1, ()),
        (0, ""),
    ],
    ids=range(14),
)
def test_a_well_typed_action_that_does_not_fit_changes_nothing(phase, action):
    env, obs = at(phase)
    before = same_state(env)
    after, reward, terminated, truncated, info = env.step(action)
    if "invalid" not in info:
        pytest.fail(f"accepted in {phase.name}")
    assert info["invalid"] and reward == env.unwrapped.penalty
    assert not terminated and not truncated
    assert same(obs, after)
    assert same_state(env) == before


def same_state(env):
    e = env.unwrapped
    generators = [rng.bit_generator.state for rng in e._rng.values()]
    return json.dumps(
        encode([generators, e.map.state(), e.buffer.state(), e.history, len(e._round.scored)]),
        sort_keys=True,
    )


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("action", [3, None, 2.5, {"a": 1}, b"x", [1, 2], ["a", None], (7, "x")])
def test_a_wrong_type_is_an_error_that_names_what_was_expected(phase, action):
    env, _ = at(phase)
    with pytest.raises(TypeError, match="must be a"):
        env.unwrapped.step(action)


def test_the_right_kind_in_the_wrong_phase_is_invalid():
    env, _ = at(Phase.PROPOSE)
    assert "invalid" in env.step(CHAINS)[4]
    assert "invalid" in env.step(LearnReport())[4]
    env, _ = at(Phase.SOLVE)
    assert "invalid" in env.step("Ann has 3 pens.")[4]
    env, _ = at(Phase.LEARN)
    assert "invalid" in env.step(CHAINS)[4]


def test_a_run_of_invalid_actions_ends_the_run():
    env = make()
    env.reset(seed=0)
    for count in range(1, 101):
        *_, terminated, truncated, _ = env.step("")
        assert terminated == (count == 100) and not truncated
    with pytest.raises(gym.error.ResetNeeded):
        env.unwrapped.step("")
    env.reset(seed=0)
    assert "invalid" not in env.step("Ann has 3 pens. How many pens?")[4]


def test_samples_of_the_action_space_are_accepted_in_every_phase():
    env, _ = at(Phase.PROPOSE)
    env.action_space.seed(0)
    for _ in range(300):
        action = env.action_space.sample()
        assert action in env.action_space
        obs, *_, terminated, truncated, _ = env.step(action)
        assert obs in env.observation_space
        if terminated or truncated:
            env.reset(seed=0)


def test_plain_values_are_members_of_the_action_space():
    space = make().action_space
    for action in ("a problem", CHAINS, Solve(CHAINS), LearnReport(), [Chain("x", 1)]):
        assert action in space
    assert 3 not in space and ["a", 3] not in space


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rounds", 0),
        ("problems_per_round", 0),
        ("k", 0),
        ("k", 65),
        ("retest_chains", 0),
        ("anchor_items", -1),
        ("frontier", (0.8, 0.4)),
        ("weight", 1.5),
        ("process", "nope"),
        ("planner", "weekest"),
        ("clusters", 0),
        ("penalty", 1.0),
        ("render_mode", "human"),
        ("replay_share", 1.0),
        ("external_rate", -0.1),
    ],
)
def test_a_bad_argument_is_named(name, value):
    with pytest.raises(ValueError, match=f"{name.split('_')[0]}|k must"):
        argus_gym.env.ArgusSelfImprove(**{name: value})


def test_k_of_one_and_no_retests_work():
    env = make(k=1, anchor_items=0, past_items=0)
    result = rollout(env, SimulatedAgent(0), seed=0)
    assert len(result.rounds) == 2 and result.rounds[0].retests == ()
    assert np.isnan(result.rounds[0].gauges["anchor_delta"])


def test_same_seed_same_bytes_and_other_seed_other_run():
    runs = [rollout(make(), SimulatedAgent(s), seed=s).rounds for s in (5, 5, 6)]
    texts = [json.dumps(encode(r)) for r in runs]
    assert texts[0] == texts[1] != texts[2]


def test_text_and_parsed_chains_give_the_same_run():
    runs = []
    for parsed in (False, True):
        env = make(rounds=3, problems_per_round=16, k=14)
        result = rollout(env, SimulatedAgent(2, parsed=parsed), seed=2)
        runs.append(json.dumps(encode(result.rounds)))
    assert runs[0] == runs[1]


def test_reset_leaves_nothing_of_the_last_run():
    env = make()
    first = rollout(env, SimulatedAgent(1), seed=1)
    again = rollout(env, SimulatedAgent(1), seed=1)
    assert same(first.rounds, again.rounds)


def test_a_diverged_step_goes_to_quarantine():
    env = make(problems_per_round=24)
    env, obs = at(Phase.LEARN, env)
    env.step(LearnReport(train=(1.0, float("nan"))))
    agent, info = SimulatedAgent(0), {}
    obs = env.unwrapped._observe()
    while "round" not in info:
        obs, *_, info = env.step(agent.solve(obs["problem"], int(obs["request"][0])))
    buffer = env.unwrapped.buffer
    assert len(buffer.quarantined) == info["round"].trained > 0 and not buffer.replay
    assert "learn.diverged" in [entry["event"] for entry in env.unwrapped.ledger]


def test_a_report_of_nans_is_recorded_as_not_measured():
    env = make()
    obs, info = env.reset(seed=0)
    agent = SimulatedAgent(0)
    while "round" not in info:
        if obs["phase"] == Phase.PROPOSE:
            action = agent.propose(obs, info)
        elif obs["phase"] == Phase.LEARN:
            action = LearnReport()
        else:
            action = agent.solve(obs["problem"], int(obs["request"][0]))
        obs, *_, info = env.step(action)
        assert obs in env.observation_space
    assert np.isnan(info["round"].gauges["epi_train"])
    assert obs["measured"].min() == 0.0 and np.isfinite(obs["gauges"]).all()


def test_answers_after_a_step_serve_as_before_of_the_next():
    env = make(rounds=3, anchors=[("Ann has 3 pens. How many?", 3)], anchor_items=1, past_items=0)
    result = rollout(env, SimulatedAgent(0), seed=0)
    assert [r.answers["retest"] for r in result.rounds] == [6, 3, 3]
    for before, after in zip(result.rounds, result.rounds[1:]):
        assert before.retests[0].right_after == after.retests[0].right_before


@pytest.mark.parametrize("at_round", [0, 1, 2])
def test_state_and_load_state_continue_bit_exactly(at_round):
    kwargs = {"rounds": 3, "problems_per_round": 12}
    whole, saved = [], {}

    def on_round(record):
        whole.append(record)
        saved[len(whole)] = (
            json.dumps(env.unwrapped.state()),
            agent.latent.state(),
            agent._rng.bit_generator.state,
            agent._seen.copy(),
        )

    env, agent = make(**kwargs), SimulatedAgent(4)
    rollout(env, agent, seed=4, on_round=on_round)
    state, latent, rng, seen = saved[at_round + 1]
    fresh, other = make(**kwargs), SimulatedAgent(99)
    fresh.reset(seed=123)
    start = fresh.unwrapped.load_state(json.loads(state))
    assert json.dumps(fresh.unwrapped.state()) == state
    other.latent = type(other.latent).from_state(latent)
    other._rng.bit_generator.state, other._seen = rng, seen
    if at_round == 2:
        with pytest.raises(gym.error.ResetNeeded):
            fresh.unwrapped.step("x")
        return
    rest = rollout(fresh, other, start=start)
    assert same(whole[at_round + 1 :], rest.rounds)


def test_state_in_the_middle_of_a_round_is_an_error():
    env, _ = at(Phase.SOLVE)
    with pytest.raises(RuntimeError, match="start of a round"):
        env.unwrapped.state()


def test_records_survive_json():
    result = rollout(make(), SimulatedAgent(0), seed=0)
    for record in result.rounds:
        text = json.dumps(encode(record), allow_nan=False)
        again = decode(RoundRecord, json.loads(text))
        assert json.dumps(encode(again)) == text
        assert dataclasses.replace(again) is not again


def test_gymnasium_wrappers_and_vector_environments():
    env = gym.wrappers.RecordEpisodeStatistics(gym.wrappers.TimeLimit(make(), 5))
    obs, info = env.reset(seed=0)
    truncated = False
    while not truncated:
        obs, _, _, truncated, info = env.step("" if obs["phase"] else "Ann has 3 pens.")
    assert info["episode"]["l"] == 5
    env = pickle.loads(pickle.dumps(make()))
    assert same(env.reset(seed=0)[0], make().reset(seed=0)[0])


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_vector_environments(mode):
    kwargs = {"vector_kwargs": {"shared_memory": False}} if mode == "async" else {}
    envs = gym.make_vec(ID, 2, vectorization_mode=mode, **kwargs, **SMALL)
    obs, _ = envs.reset(seed=[1, 2])
    assert obs["phase"].tolist() == [0, 0]
    obs, *_ = envs.step(("Ann has 3 pens. How many?", "Bob has 4 cups. How many?"))
    assert obs["phase"].tolist() == [1, 1]
    assert tuple(obs["problem"])[1].startswith("Bob")
    obs, reward, *_ = envs.step((CHAINS, CHAINS))
    assert reward.tolist() == [1.0, 1.0]
    envs.close()


def test_render_modes():
    for mode, kind in (("ansi", str), ("rgb_array", np.ndarray)):
        env = make(render_mode=mode)
        rollout(env, SimulatedAgent(0), seed=0)
        frame = env.render()
        assert isinstance(frame, kind)
    assert frame.dtype == np.uint8 and frame.ndim == 3 and frame.std() > 0


any_text = st.text(st.characters(codec=None, exclude_categories=()), max_size=60)
any_action = st.one_of(
    any_text,
    st.lists(any_text, max_size=5),
    st.lists(any_text, min_size=4, max_size=4),
    st.lists(any_text, min_size=3, max_size=3),
    st.builds(
        LearnReport,
        train=st.tuples(st.floats(), st.floats()),
        heldout=st.tuples(st.floats(), st.floats()),
        preq_bits=st.floats(),
    ),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(any_action, max_size=40), st.integers(0, 2**32 - 1))
def test_any_text_keeps_observations_in_their_space(actions, seed):
    env = make()
    env.reset(seed=seed)
    for action in actions:
        obs, reward, terminated, truncated, _ = env.step(action)
        assert obs in env.observation_space and np.isfinite(reward)
        if terminated or truncated:
            env.reset(seed=seed)


@pytest.mark.parametrize("defence", list(Defence))
def test_every_defence_can_be_ordered_before_the_first_round_ended(defence):
    env = make(problems_per_round=24)
    start = env.reset(seed=0)
    assert env.unwrapped.order(Order(defence, "test", (0,)))
    result = rollout(env, SimulatedAgent(0, parsed=True), start=start)
    assert str(defence) in result.rounds[0].defences
    assert not env.unwrapped.order(Order(defence, "test"))
