"""The text environment behaves the same here and behind the server."""

import json

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import CHAINS, SMALL, running

from argus_gym import problems
from argus_gym.agents import SimulatedAgent, rollout
from argus_gym.records import Chain, LearnReport, Proposal, RoundRecord, Solve, encode
from argus_gym.spaces import MAX_CHAIN_CHARS, MAX_PROBLEM_CHARS, Phase
from argus_gym.wrappers import STACKS, stack

pytest.importorskip("openenv")
pytest.importorskip("websockets")


def here(preset="no-metacognition", **options):
    return stack(gym.make("argus_gym:ArgusSelfImprove-v0", **{**SMALL, **options}), preset)


@pytest.fixture(scope="module")
def url():
    with running() as at:
        yield at


@pytest.fixture
def served(url):
    from argus_gym.client import ArgusClient

    made = []

    def make(preset="no-metacognition", **options):
        made.append(ArgusClient(url, stack=preset, **{**SMALL, **options}))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture(params=["here", "served"])
def make(request):
    return here if request.param == "here" else request.getfixturevalue("served")


def at(phase, env):
    """Bring the environment to where it waits in ``phase``."""
    obs, info = env.reset(seed=3)
    agent = SimulatedAgent(3)
    while obs["phase"] != phase:
        if obs["phase"] == Phase.PROPOSE:
            action = agent.propose(obs, info)
        else:
            action = agent.solve(obs["problem"], int(obs["request"][0]))
        obs, *_, info = env.step(action)
    return obs


def same(a, b):
    return json.dumps(encode(a), sort_keys=True) == json.dumps(encode(b), sort_keys=True)


def test_a_round_visits_the_phases_in_order(make):
    env, phases, agent = make(), [], SimulatedAgent(0)
    obs, info = env.reset(seed=0)
    assert info == {}
    while "round" not in info:
        phases.append(Phase(obs["phase"]).name)
        if obs["phase"] == Phase.PROPOSE:
            action = agent.propose(obs, info)
        elif obs["phase"] == Phase.LEARN:
            assert all(pair.weight > 0 for pair in info["training_pairs"])
            action = agent.learn(info["training_pairs"])
        else:
            action = agent.solve(obs["problem"], int(obs["request"][0]))
        obs, _, _, _, info = env.step(action)
        assert env.observation_space.contains(obs)
    assert phases == ["PROPOSE", "SOLVE"] * 3 + ["RETEST"] * 4 + ["LEARN"] + ["RETEST"] * 4
    assert isinstance(info["round"], RoundRecord)
    assert info["round"].answers == {"solve": 12, "retest": 24}


def test_solve_is_rewarded_with_combined(make):
    env = make()
    at(Phase.SOLVE, env)
    _, reward, _, _, info = env.step(CHAINS)
    assert reward == info["scored"].combined == 1.0
    at(Phase.SOLVE, env)
    _, reward, _, _, info = env.step(["#### 1", "#### 1", "#### 2", "#### 3"])
    assert info["scored"].outcome == 0.5


def test_parsed_chains_are_taken_as_they_are(make):
    env = make()
    at(Phase.SOLVE, env)
    chain = Chain("", 7, (3, 4), tokens=5)
    _, _, _, _, info = env.step(Solve([chain] * 4, np.ones(3, np.float32)))
    assert info["scored"].answer == 7 and info["scored"].length_mean == 5


def test_a_false_premise_is_noticed(make):
    rng = np.random.default_rng(0)
    false = problems.falsify(problems.generate("shopping", 3, rng), problems.FALSE_KINDS[0], rng)
    env = make()
    env.reset(seed=0)
    *_, info = env.step(false.text)
    assert not info["premise"].ok and info["premise"].reason


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
def test_an_action_that_does_not_fit_changes_nothing(make, phase, action):
    env = make()
    before = at(phase, env)
    after, reward, terminated, truncated, info = env.step(action)
    assert info["invalid"] and reward == -0.1
    assert not terminated and not truncated and same(before, after)


@pytest.mark.parametrize("action", [None, 3, b"text", {"problem": "x"}, [1, 2], (7, "x"), object()])
def test_a_value_of_no_accepted_type_is_an_error(make, action):
    env = make()
    env.reset(seed=0)
    with pytest.raises(TypeError, match="must be"):
        env.step(action)
    assert "premise" in env.step("Ann has 3 pens and buys 4. How many has she?")[4]


def test_a_step_before_reset_or_after_the_end_is_an_error(make):
    env = make(rounds=1)
    with pytest.raises(gym.error.ResetNeeded, match="reset"):
        env.step("a problem")
    rollout(env, SimulatedAgent(0), seed=0)
    with pytest.raises(gym.error.ResetNeeded, match="reset"):
        env.step("a problem")
    assert env.reset(seed=0)[0]["phase"] == Phase.PROPOSE


def test_a_hundred_invalid_actions_end_the_run(make):
    env = make()
    env.reset(seed=0)
    ended = [env.step("")[2] for _ in range(100)]
    assert ended == [False] * 99 + [True]


def test_a_diverged_step_is_recorded(make):
    env, agent = make(), SimulatedAgent(3)
    obs, info = at(Phase.LEARN, env), {}
    obs, *_, info = env.step(LearnReport(train=(1.0, float("inf")), tokens=7))
    while "round" not in info:
        action = agent.solve(obs["problem"], int(obs["request"][0]))
        obs, *_, info = env.step(action)
    assert info["round"].report.tokens == 7
    assert not np.isfinite(info["round"].report.train[1])


@pytest.mark.parametrize("option", ["rounds", "k", "frontier", "planner", "process", "stack"])
def test_a_wrong_option_is_named(make, option):
    wrong = {"rounds": 0, "k": 65, "frontier": (0.8, 0.4), "planner": "x", "process": "x"}
    from argus_gym.client import ServiceError

    arguments = {"preset": "v9"} if option == "stack" else {option: wrong[option]}
    with pytest.raises((ValueError, ServiceError), match=option):
        make(**arguments).reset(seed=0)


def test_anchors_of_ones_own_are_retested_and_never_trained_on(make):
    anchor = problems.generate("shopping", 3, np.random.default_rng(0))
    env = make(anchors=[(anchor.text, anchor.answer)], external=["Ann has 3 pens."], rounds=1)
    result = rollout(env, SimulatedAgent(0), seed=0)
    tested = [item.problem for item in result.rounds[0].retests if item.anchor]
    assert tested == [anchor.text]


# Both doors, step by step


@pytest.mark.parametrize("preset", STACKS)
@pytest.mark.parametrize("parsed", [False, True])
def test_a_run_is_the_same_run(served, preset, parsed):
    options = {"rounds": 3, "problems_per_round": 12, "k": 6}
    runs = [
        rollout(door(preset, **options), SimulatedAgent(5, parsed=parsed), seed=5)
        for door in (here, served)
    ]
    assert same(runs[0].rounds, runs[1].rounds) and runs[0].summary == runs[1].summary
    assert same(runs[0].lies, runs[1].lies) and same(runs[0].verdicts, runs[1].verdicts)
    assert bool(runs[1].verdicts) is (preset != "no-metacognition")
    assert all(isinstance(record, RoundRecord) for record in runs[1].rounds)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
chains = st.one_of(
    st.lists(texts, max_size=5),
    st.just(CHAINS),
    st.lists(st.builds("{}\n#### {}".format, texts, st.integers(-50, 50)), min_size=3, max_size=4),
)
numbers = st.one_of(st.just(float("nan")), st.floats(0, 100))
reports = st.builds(
    LearnReport, train=st.tuples(numbers, numbers), heldout=st.tuples(numbers, numbers)
)
actions = st.one_of(texts, chains, reports, st.builds(Proposal, texts, st.just(None)))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32), acts=st.lists(actions, max_size=12), fit=st.booleans())
def test_any_actions_lead_to_the_same_place(served, seed, acts, fit):
    doors = [here("v4", rounds=1), served("v4", rounds=1)]
    agents = [SimulatedAgent(1), SimulatedAgent(1)]
    state = [door.reset(seed=seed) for door in doors]
    assert same(*state)
    for action in acts:
        results = []
        for door, agent, (obs, info) in zip(doors, agents, state, strict=True):
            if fit and obs["phase"] == Phase.PROPOSE:
                results.append(door.step(agent.propose(obs, info)))
            elif isinstance(action, Proposal):
                results.append(door.step(action.text))
            else:
                results.append(door.step(action))
        assert same(*results)
        state = [(obs, info) for obs, *_, info in results]
