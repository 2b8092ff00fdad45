"""The vector environment: the same as its copies alone, and Gymnasium's contract."""

import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import argus_gym  # noqa: F401
from argus_gym.benchmarks import curriculum_speed
from argus_gym.capability_map import CapabilityMap
from argus_gym.curriculum import draws
from argus_gym.curriculum.columns import Columns
from argus_gym.curriculum_env import ArgusCurriculum
from argus_gym.curriculum_vector import ArgusCurriculumVector
from argus_gym.records import encode

ID = "ArgusCurriculum-v0"
SMALL = {"rounds": 3, "problems_per_round": 16}
RUN = 3 * 16
TINY = {"rounds": 2, "problems_per_round": 12}


def make(num_envs=3, **settings):
    return gym.make_vec(ID, num_envs, **(SMALL | settings))


CASES = [
    {},
    {"adherence": 0.5},
    {"control": True},
    {"actions": "discrete"},
    {"actions": "discrete", "control": True},
    {"reward_mode": "anchor", "anchor_budget": 200},
    {"reward_mode": "retest"},
    {"reward_mode": "oracle"},
    {"mechanism": "A", "onset": 1, "learner": "quiet"},
    {"mechanism": "F", "onset": 0},
    {"mechanism": "E", "onset": 0},
    {"dynamics": {"false_premises": 0.3, "credulity": 0.05}},
    {"k": 1, "retest_chains": 1},
    {"k": 64},
    {"families": 5, "anchor_items": 0, "past_items": 0},
]


@pytest.mark.parametrize(
    ("settings", "mode"),
    [*((case, "NextStep") for case in CASES), *((case, "SameStep") for case in CASES[2:6])],
    ids=str,
)
def test_a_batch_is_its_copies_step_for_step(settings, mode):
    """Observations, rewards, ends and records, across two autoresets."""
    n = 2
    vector = make(n, autoreset_mode=mode, **(TINY | settings))
    vector.unwrapped.keep_records()
    copies = [ArgusCurriculum(**(TINY | settings)) for _ in range(n)]
    seeds = draws.copy_seeds(3, n)
    obs, _ = vector.reset(seed=3)
    own = [copy.reset(seed=seed)[0] for copy, seed in zip(copies, seeds, strict=True)]
    vector.action_space.seed(1)
    over = [False] * n
    for _ in range(2 * 2 * 12 + 4):
        actions = vector.action_space.sample()
        obs, rewards, terminated, truncated, infos = vector.step(actions)
        assert not terminated.any()
        for i, copy in enumerate(copies):
            if over[i] and mode == "NextStep":
                own[i], over[i] = copy.reset()[0], False
                assert rewards[i] == 0 and not truncated[i]
            else:
                own[i], reward, _, over[i], info = copy.step(actions[i])
                assert rewards[i] == pytest.approx(reward, abs=1e-12)
                assert truncated[i] == over[i]
                assert ("round" in info) == ("round" in infos and infos["_round"][i])
                if "round" in info:
                    same(infos["round"][i], info["round"])
                if over[i] and mode == "SameStep":
                    for name, value in own[i].items():
                        np.testing.assert_allclose(infos["final_obs"][i][name], value, atol=1e-6)
                    own[i] = copy.reset()[0]
            for name, value in own[i].items():
                np.testing.assert_allclose(obs[name][i], value, atol=1e-6, err_msg=name)
        assert vector.observation_space.contains(obs)


def same(ours, theirs):
    """Compare two records: numbers to twelve digits, the rest exactly."""
    ours, theirs = encode(ours), encode(theirs)
    stack = [(ours, theirs)]
    while stack:
        a, b = stack.pop()
        if isinstance(a, dict):
            assert a.keys() == b.keys()
            stack += [(a[name], b[name]) for name in a]
        elif isinstance(a, list):
            assert len(a) == len(b)
            stack += zip(a, b, strict=True)
        elif isinstance(a, float):
            assert a == pytest.approx(b, rel=1e-9, abs=1e-12)
        else:
            assert a == b


def test_the_default_is_the_native_form():
    vector = make(4)
    assert isinstance(vector.unwrapped, ArgusCurriculumVector)
    assert vector.spec.id == ID and vector.spec.kwargs["rounds"] == 3
    assert vector.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    again = gym.make_vec(vector.spec)
    assert again.unwrapped.settings == vector.unwrapped.settings


def test_the_synchronous_form_agrees_given_the_same_seeds():
    seeds = [4, 8]
    native, sync = make(2), make(2, vectorization_mode="sync")
    native.reset(seed=seeds)
    sync.reset(seed=seeds)
    rng = np.random.default_rng(0)
    for _ in range(RUN):
        actions = np.stack((rng.integers(0, 12, 2), rng.integers(0, 8, 2)), axis=1)
        ours, theirs = native.step(actions), sync.step(actions)
        np.testing.assert_allclose(ours[1], theirs[1], atol=1e-12)
        np.testing.assert_array_equal(ours[3], theirs[3])
        np.testing.assert_array_equal(ours[4]["combined"], theirs[4]["combined"])


def run(vector, steps, actions=0):
    vector.action_space.seed(actions)
    return np.array([vector.step(vector.action_space.sample())[1] for _ in range(steps)])


def test_seeds():
    vector = make(5)
    vector.reset(seed=0)
    first = run(vector, 20)
    vector.reset(seed=0)
    np.testing.assert_array_equal(run(vector, 20), first)
    vector.reset(seed=1)
    other = run(vector, 20)
    assert (other != first).any()
    assert not set(draws.copy_seeds(0, 64)) & set(draws.copy_seeds(1, 64))
    assert draws.copy_seeds(0, 8) == draws.copy_seeds(0, 64)[:8]


def test_pickles_go_on_alike():
    vector = make(3)
    vector.reset(seed=0)
    run(vector, 20)
    other = pickle.loads(pickle.dumps(vector))
    np.testing.assert_array_equal(run(vector, 40), run(other, 40))


def test_reset_mask_begins_some_copies_and_leaves_the_others():
    n = 4
    vector, other = (make(n, autoreset_mode="Disabled") for _ in range(2))
    for env in (vector, other):
        env.reset(seed=0)
        run(env, 10)
    mask = np.array([True, False, True, False])
    obs, _ = vector.reset(seed=[9, None, 7, None], options={"reset_mask": mask})
    assert (obs["progress"][mask] == 0).all() and (obs["progress"][~mask, 1] > 0).all()
    ours, theirs = run(vector, 30, 2), run(other, 30, 2)
    np.testing.assert_array_equal(ours[:, ~mask], theirs[:, ~mask])
    fresh = ArgusCurriculum(**SMALL)
    fresh.reset(seed=7)
    vector.action_space.seed(2)
    alone = [fresh.step(vector.action_space.sample()[2])[1] for _ in range(30)]
    np.testing.assert_allclose(ours[:, 2], alone, atol=1e-12)


def test_without_autoreset_finished_copies_need_a_reset():
    vector = make(2, autoreset_mode=AutoresetMode.DISABLED)
    vector.reset(seed=0)
    run(vector, 10)
    vector.reset(options={"reset_mask": np.array([False, True])})
    for _ in range(RUN - 10):
        *_, truncated, _ = vector.step(vector.action_space.sample())
    assert truncated.tolist() == [True, False]
    with pytest.raises(gym.error.ResetNeeded, match=r"copies \[0\] are finished"):
        vector.step(vector.action_space.sample())
    vector.reset(options={"reset_mask": truncated})
    *_, truncated, _ = vector.step(vector.action_space.sample())
    assert not truncated.any()


def test_staggered_copies_still_agree_with_single_ones():
    vector = make(2)
    vector.reset(seed=[1, 2])
    copies = [ArgusCurriculum(**SMALL) for _ in range(2)]
    for copy, seed in zip(copies, (1, 2), strict=True):
        copy.reset(seed=seed)
    vector.action_space.seed(0)
    for step in range(RUN - 1):
        if step == 7:
            vector.reset(seed=[None, 5], options={"reset_mask": np.array([False, True])})
            copies[1].reset(seed=5)
        actions = vector.action_space.sample()
        _, rewards, *_ = vector.step(actions)
        alone = [copy.step(a)[1] for copy, a in zip(copies, actions, strict=True)]
        np.testing.assert_allclose(rewards, alone, atol=1e-12)


def test_a_step_limit_truncates_as_well():
    vector = make(2, max_episode_steps=5)
    vector.reset(seed=0)
    ends = [vector.step(vector.action_space.sample())[3].all() for _ in range(12)]
    assert [i for i, end in enumerate(ends) if end] == [4, 10]


def test_the_arrays_of_the_map_are_the_maps():
    """Random scores and retests, against the single map."""
    rng = np.random.default_rng(0)
    n, families = 4, 5
    columns = Columns(n, families)
    maps = [CapabilityMap(families) for _ in range(n)]
    rows = np.arange(n)
    for _ in range(6):
        for _ in range(9):
            cluster = rng.integers(0, families, n)
            outcome, combined = rng.random((2, n))
            frontier = rng.random(n) < 0.4
            columns.scored(rows, cluster, outcome, combined, frontier)
            for i, single in enumerate(maps):
                zone = "frontier" if frontier[i] else "easy"
                single.scored(int(cluster[i]), outcome[i], combined[i], zone)
        items = np.repeat(rows, 3)
        cluster, delta = rng.integers(0, families, 3 * n), rng.uniform(-1, 1, 3 * n)
        columns.retested(items, cluster, delta)
        for row, c, d in zip(items, cluster, delta, strict=True):
            maps[row].retested(int(c), d)
        np.testing.assert_allclose(columns.skill(rows), [m.skill() for m in maps])
        columns.end_round(rows)
        flat = np.zeros((n, 7 * families), np.float32)
        columns.write(flat)
        for i, single in enumerate(maps):
            single.end_round()
            np.testing.assert_allclose(flat[i], np.concatenate(list(single.arrays().values())))


# Bad input


@pytest.mark.parametrize(
    "actions",
    [
        np.full((3, 2), 12),
        np.zeros((2, 2), int),
        np.zeros(3, int),
        np.zeros((3, 2)),
        [[0, 0]] * 3,
        None,
    ],
)
def test_actions_outside_the_space_are_refused(actions):
    vector = make(3)
    vector.reset(seed=0)
    with pytest.raises(gym.error.InvalidAction, match="invalid"):
        vector.step(actions)


@pytest.mark.parametrize(
    ("mask", "error", "text"),
    [
        ([True, False, True], TypeError, "must be a numpy array"),
        (np.ones(2, bool), ValueError, r"must have shape `\(3,\)`, got \(2,\)"),
        (np.ones(3, int), TypeError, "must have `dtype=np.bool_`, got int64"),
        (np.zeros(3, bool), ValueError, "at least one True"),
    ],
)
def test_bad_masks_are_named(mask, error, text):
    vector = make(3)
    vector.reset(seed=0)
    with pytest.raises(error, match=text):
        vector.reset(options={"reset_mask": mask})


def test_other_bad_input():
    with pytest.raises(ValueError, match="num_envs must be at least 1, got 0"):
        ArgusCurriculumVector(0)
    with pytest.raises(ValueError, match="max_episode_steps must be at least 1"):
        ArgusCurriculumVector(1, max_episode_steps=0)
    with pytest.raises(ValueError, match="Never"):
        ArgusCurriculumVector(1, autoreset_mode="Never")
    with pytest.raises(ValueError, match="reward_mode must be one of"):
        make(2, reward_mode="truth")
    vector = make(3)
    with pytest.raises(gym.error.ResetNeeded, match=r"before calling env\.reset"):
        vector.step(vector.action_space.sample())
    with pytest.raises(gym.error.ResetNeeded, match="all copies"):
        vector.reset(options={"reset_mask": np.array([True, False, False])})
    with pytest.raises(ValueError, match="length must match num_envs=3 but got length=2"):
        vector.reset(seed=[1, 2])
    with pytest.raises(gym.error.Error, match="greater or equal to zero"):
        vector.reset(seed=-1)


# The benchmark


def test_the_speed_benchmark_reports_ratios_and_slopes():
    measured = curriculum_speed.rates(repeats=1, copies=4)
    for name in ("vector", "single"):
        rate = measured[name]
        quotient = rate["steps_per_second"] / rate["cartpole_steps_per_second"]
        assert rate["ratio"] == pytest.approx(quotient)
        assert rate["best_steps_per_second"] >= rate["steps_per_second"] > 0
    with pytest.raises(ValueError, match="repeats must be at least 1, got 0"):
        curriculum_speed.rates(repeats=0)


def test_slopes_are_one_where_cost_is_linear():
    assert curriculum_speed.slope([(4, 8.0), (8, 16.0), (32, 64.0)]) == pytest.approx(1.0)
    assert curriculum_speed.slope([(4, 1.0), (8, 4.0), (16, 4.0)]) == pytest.approx(2.0)
