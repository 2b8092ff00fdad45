"""Curricula: which arm the next problem comes from, and the agent they steer."""

import json
import math
from functools import partial

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare, spearmanr

import argus_gym  # noqa: F401
from argus_gym import problems
from argus_gym.agents import Agent, SimulatedAgent, rollout
from argus_gym.agents.curricula import (
    CURRICULA,
    BestMinusMean,
    Curriculum,
    GroundedTeacher,
    LevelReplay,
    Planned,
    RewardSpread,
    SelfEvolving,
    SelfRepellent,
    Variance,
    WeaknessDriven,
    make_curriculum,
    repelled,
)
from argus_gym.agents.steered import Cell, Steered, family_cells, grid_cells, steer
from argus_gym.problems import FAMILIES
from argus_gym.records import Solve, encode

NAMES = sorted(CURRICULA)
SAMPLED = sorted(set(NAMES) - {"uniform", "weakest", "learning_progress", "most_learnable"})


def rewards(right, k=10):
    return [1.0] * right + [0.0] * (k - right)


def told(curriculum, shares, times=1):
    """Tell a curriculum, arm by arm, how many of ten chains were rewarded."""
    for _ in range(times):
        for arm, right in enumerate(shares):
            curriculum.update(arm, rewards(right))
        curriculum.end_round()
    return curriculum


def drawn(curriculum, draws=4000, seed=0):
    rng = np.random.default_rng(seed)
    chosen = [curriculum.choose(rng) for _ in range(draws)]
    return np.bincount(chosen, minlength=curriculum.arms)


# Every curriculum


@st.composite
def histories(draw):
    arms = draw(st.integers(1, 6))
    arm = st.integers(0, arms - 1)
    kinds = st.one_of(
        st.tuples(arm, st.lists(st.floats(0, 1), min_size=1, max_size=5)),
        st.just("end"),
        st.dictionaries(arm, st.floats(-1, 1), max_size=4),
    )
    return arms, draw(st.lists(kinds, max_size=30))


@pytest.mark.parametrize("name", NAMES)
@given(history=histories(), seed=st.integers(0, 1000))
def test_any_history_leaves_a_choice_that_repeats_under_its_seed(name, history, seed):
    arms, events = history
    seen = []
    for _ in range(2):
        curriculum, rng = make_curriculum(name, arms), np.random.default_rng(seed)
        chosen = []
        for event in events:
            chosen.append(curriculum.choose(rng))
            if event == "end":
                curriculum.end_round()
            elif isinstance(event, dict):
                curriculum.improved(event)
            else:
                curriculum.update(*event)
        chosen.append(curriculum.choose(rng))
        seen.append(chosen)
        assert all(type(arm) is int and 0 <= arm < arms for arm in chosen)
        if name in SAMPLED:
            p = curriculum.probabilities()
            assert p.shape == (arms,) and (p >= 0).all() and math.isclose(p.sum(), 1.0)
    assert seen[0] == seen[1]


@pytest.mark.parametrize("name", sorted(set(SAMPLED) - {"sec_repelled", "plr"}))
def test_choices_follow_the_probabilities(name):
    curriculum = told(make_curriculum(name, 4), [1, 4, 6, 9], times=3)
    p = curriculum.probabilities()
    counts = drawn(curriculum)
    assert chisquare(counts[p > 0], p[p > 0] * counts.sum()).pvalue > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_arms_are_checked(name):
    with pytest.raises(ValueError, match=r"arms must be at least 1|k must be at least 1"):
        make_curriculum(name, 0)


def test_an_unknown_curriculum_is_named_with_the_nearest_one():
    with pytest.raises(ValueError, match=r"got 'unifrom'; did you mean 'uniform'\?"):
        make_curriculum("unifrom", 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SelfEvolving(3, temperature=0.0), "temperature must be above 0, got 0.0"),
        (lambda: SelfEvolving(3, rate=1.5), r"rate must be in \(0, 1\], got 1.5"),
        (lambda: SelfRepellent(SelfEvolving(3), alpha=-1), "alpha must be at least 0, got -1"),
        (lambda: Variance(3, rate=0.0), r"rate must be in \(0, 1\], got 0.0"),
        (lambda: GroundedTeacher(3, rate=-1.0), "rate must be above 0, got -1.0"),
        (lambda: LevelReplay(3, temperature=math.nan), "temperature must be above 0, got nan"),
        (lambda: LevelReplay(3, staleness=2.0), r"staleness must be in \[0, 1\], got 2.0"),
        (lambda: Planned(3, "best"), "planner must be one of .* got 'best'"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# One by one


def test_planned_arms_use_the_planners_maths():
    weakest = told(Planned(3, "weakest"), [5, 2, 8])
    assert drawn(weakest, 200).tolist() == [0, 200, 0]
    learnable = told(Planned(3, "most_learnable"), [9, 5, 1], times=6)
    assert drawn(learnable)[1] > 3600
    progress = told(told(Planned(3, "learning_progress"), [5, 5, 5]), [5, 5, 9])
    assert drawn(progress)[2] > 3600


def test_a_capped_planner_lets_an_arm_wait():
    def share(capped):
        curriculum, rng = Planned(5, "weakest", capped), np.random.default_rng(0)
        counts = np.zeros(5)
        for _ in range(20):
            for _ in range(16):
                arm = curriculum.choose(rng)
                counts[arm] += 1
                curriculum.update(arm, rewards(2 if arm == 0 else 8))
            curriculum.end_round()
        return counts[0] / counts.sum()

    assert share(False) > 0.9
    assert share(True) < 0.35


@given(st.integers(0, 20))
def test_sec_rewards_two_root_p_times_one_minus_p(right):
    curriculum = SelfEvolving(2, rate=1.0)
    curriculum.update(0, rewards(right, 20))
    curriculum.end_round()
    p = right / 20
    assert curriculum.values.tolist() == pytest.approx([2 * math.sqrt(p * (1 - p)), 0.0])


def test_sec_moves_by_its_rate_at_the_end_of_a_round_and_samples_by_boltzmann():
    curriculum = SelfEvolving(2, temperature=0.5, rate=0.5)
    curriculum.update(0, rewards(5))
    curriculum.update(0, rewards(0))
    assert curriculum.values.tolist() == [0.0, 0.0]
    curriculum.end_round()
    assert curriculum.values.tolist() == [0.25, 0.0]
    p = curriculum.probabilities()
    assert p[0] / p[1] == pytest.approx(math.exp(0.5))


def test_variance_and_regret_weights():
    shares = [0, 2, 5, 10]
    p = np.array(shares) / 10
    assert told(Variance(4), shares).weights() == pytest.approx(4 * p * (1 - p))
    assert told(RewardSpread(4), shares).weights().tolist() == [0, 1, 1, 0]
    assert told(BestMinusMean(4), shares).weights() == pytest.approx([0, 0.8, 0.5, 0])


def test_a_running_mean_is_plain_at_first_and_exponential_later():
    curriculum = Variance(1, rate=0.25)
    for right in (10, 0, 0):
        curriculum.update(0, rewards(right))
    assert curriculum.values[0] == pytest.approx(1 / 3)
    for _ in range(5):
        curriculum.update(0, rewards(0))
    assert curriculum.values[0] == pytest.approx(1 / 3 * 0.75**5)


def test_weakness_budget_follows_the_failure_ratio():
    rng, p = np.random.default_rng(3), np.array([0.9, 0.75, 0.6, 0.45, 0.3, 0.1])
    curriculum, failed, seen = WeaknessDriven(6, rate=0.02), np.zeros(6), np.zeros(6)
    for _ in range(3000):
        arm = curriculum.choose(rng)
        right = int(rng.binomial(14, p[arm]))
        curriculum.update(arm, rewards(right, 14))
        seen[arm] += 1
        failed[arm] += right < 7
    assert spearmanr(seen, failed / seen).statistic >= 0.9


def test_the_grounded_teacher_moves_by_leave_one_out_advantages():
    curriculum = GroundedTeacher(4, rate=10.0)
    curriculum.improved({0: 0.03, 2: 0.0, 3: 0.0})
    assert curriculum.preferences == pytest.approx([0.3, 0.0, -0.15, -0.15])
    curriculum.improved({1: 0.5})
    curriculum.improved({})
    assert curriculum.preferences == pytest.approx([0.3, 0.0, -0.15, -0.15])


def test_levels_are_replayed_by_rank_and_staleness():
    curriculum = told(LevelReplay(3, temperature=0.5, staleness=0.2), [5, 9, 2])
    curriculum.stale[:] = [0, 3, 1]
    by_rank = np.array([1, 1 / 9, 1 / 4]) / (1 + 1 / 9 + 1 / 4)
    stale = np.array([0, 3, 1]) / 4
    assert curriculum.probabilities() == pytest.approx(0.8 * by_rank + 0.2 * stale)
    fresh = LevelReplay(4)
    fresh.update(2, rewards(5))
    assert fresh.probabilities() == pytest.approx([0.25] * 4)


# Self-repellent sampling


def test_repulsion_of_zero_changes_nothing_and_visits_are_divided_out():
    p = np.array([0.5, 0.3, 0.2])
    assert repelled(p, np.array([7, 0, 2]), 0.0) == pytest.approx(p)
    weights = p * np.array([8.0, 1.0, 3.0]) ** -2
    assert repelled(p, np.array([7, 0, 2]), 2.0) == pytest.approx(weights / weights.sum())
    target = np.array([0.7, 0.2, 0.1])
    weights = p * (np.array([8.0, 1.0, 3.0]) / target) ** -2
    assert repelled(p, np.array([7, 0, 2]), 2.0, target) == pytest.approx(weights / weights.sum())


def ring_variance(alpha, steps=1500, runs=60):
    """Return T times the variance of a mean over a self-repellent walk on a ring of ten."""
    values = (-1.0) ** np.arange(10) + np.linspace(-1, 1, 10)
    means = []
    for seed in range(runs):
        rng = np.random.default_rng(np.random.SeedSequence((seed, 0x10)))
        state, visits, total = 0, np.zeros(10), 0.0
        draws = rng.random(steps)
        for u in draws.tolist():
            near = [(state - 1) % 10, (state + 1) % 10]
            state = near[int(u > repelled(np.array([0.5, 0.5]), visits[near], alpha)[0])]
            visits[state] += 1
            total += values[state]
        means.append(total / steps)
    return steps * np.var(means)


@pytest.mark.slow
def test_self_repulsion_cuts_the_sampling_variance_of_a_walk_by_fifteen():
    assert ring_variance(10.0) <= ring_variance(0.0) / 15


# The skill ladder of the literature, in small: gain per batch proportional to p(1 - p), a share of
# it for the neighbours, unlearnable clusters pinned at p = 0.45.

STUCK_AT = math.log(0.45 / 0.55)


def batches_to_target(make, seed, stuck, limit=2500):
    """Return the batches until the mean accuracy is 0.8, and the share spent on stuck clusters."""
    curriculum = make(10)
    rng = np.random.default_rng(np.random.SeedSequence((seed, 0x5B)))
    skill = np.linspace(0.0, -4.0, 10) + rng.normal(0.0, 0.3, 10)
    pinned = sorted(rng.permutation(10)[:stuck].tolist())
    free = np.setdiff1d(np.arange(10), pinned)
    counts = np.zeros(10)
    for _ in range(limit):
        skill[pinned] = STUCK_AT
        if (1 / (1 + np.exp(-skill[free]))).mean() >= 0.8:
            break
        arm = curriculum.choose(rng)
        counts[arm] += 1
        p = 1 / (1 + math.exp(-skill[arm]))
        curriculum.update(arm, rewards(int(rng.binomial(64, p)), 64))
        curriculum.end_round()
        if arm not in pinned:
            gain = 0.3 * p * (1 - p)
            skill[arm] += gain
            skill[[j for j in (arm - 1, arm + 1) if 0 <= j < 10]] += 0.5 * gain
    return counts.sum(), counts[pinned].sum() / counts.sum(), counts.max() / counts.sum()


def compared(make, seeds, stuck):
    """Return the median ratio to uniform, the seeds that were faster and the mean shares."""
    own = [batches_to_target(make, seed, stuck) for seed in seeds]
    other = [batches_to_target(CURRICULA["uniform"], seed, stuck) for seed in seeds]
    ratios = [a[0] / b[0] for a, b in zip(own, other, strict=True)]
    return float(np.median(ratios)), sum(r < 1 for r in ratios), np.mean(own, axis=0)[1:]


SEC = SelfEvolving


def test_sec_wins_on_a_learnable_ladder_and_is_captured_by_unlearnable_clusters():
    ratio, faster, _ = compared(SEC, range(8), 0)
    assert ratio <= 0.9 and faster >= 7
    ratio, faster, (stuck, _) = compared(SEC, range(8), 2)
    assert ratio > 1.1 and faster <= 2 and stuck > 0.45


@pytest.mark.slow
def test_the_published_figures_of_sec_and_self_repulsion_on_the_ladder():
    seeds = range(40)
    ratio, faster, _ = compared(SEC, seeds, 0)
    assert ratio <= 0.85 and faster >= 35
    ratio, _, (_, largest) = compared(SEC, seeds, 1)
    assert ratio > 1.0 and largest > 0.25
    ratio, faster, (_, repelled_largest) = compared(lambda n: SelfRepellent(SEC(n)), seeds, 1)
    assert ratio < 0.9 and faster >= 30 and repelled_largest < 0.6 * largest
    mild = compared(partial(SEC, temperature=1.0), seeds, 2)[2]
    assert mild[0] < compared(SEC, seeds, 2)[2][0] - 0.1


# The agent


def steered(name="uniform", seed=0, **options):
    agent = SimulatedAgent(seed, parsed=True)
    cells = options.get("cells")
    arms = len(FAMILIES) if cells is None else len(cells)
    return Steered(agent, make_curriculum(name, arms), seed=seed, **options)


def environment(**options):
    return gym.make("ArgusSelfImprove-v0", rounds=3, problems_per_round=12, **options)


@pytest.mark.parametrize("name", NAMES)
def test_every_curriculum_steers_a_run_that_repeats(name):
    runs = []
    for _ in range(2):
        agent = steered(name, 4)
        assert isinstance(agent, Agent)
        result = rollout(environment(), agent, seed=4)
        assert result.summary["invalid"] == 0
        runs.append([(p.problem, p.combined) for r in result.rounds for p in r.problems])
    assert runs[0] == runs[1]
    assert agent.chosen.sum() == 36


def test_problems_are_of_the_chosen_cell():
    class Fixed(Curriculum):
        def choose(self, rng):
            return 7

    cells = grid_cells((2, 5))
    agent = Steered(SimulatedAgent(0, parsed=True), Fixed(len(cells)), cells)
    result = rollout(environment(), agent, seed=0)
    read = [problems.read(p.problem) for r in result.rounds for p in r.problems]
    assert {(p.family, len(p.steps)) for p in read} == {(cells[7].family, cells[7].steps)}
    assert cells[7] == Cell(FAMILIES[3], 5)
    assert [cell.family for cell in family_cells()] == list(FAMILIES)


def test_a_curriculum_is_told_how_far_the_chains_agree_and_only_once():
    class Ear(Curriculum):
        heard = ()
        rounds = 0

        def choose(self, rng):
            return int(rng.integers(self.arms))

        def update(self, arm, rewards):
            self.heard += ((arm, tuple(rewards)),)

        def end_round(self):
            self.rounds += 1

    ear = Ear(len(FAMILIES))
    result = rollout(environment(), Steered(SimulatedAgent(2, parsed=True), ear, seed=2), seed=2)
    scored = [p for r in result.rounds for p in r.problems]
    assert [sum(heard) / 14 for _, heard in ear.heard] == pytest.approx([p.outcome for p in scored])
    assert [arm for arm, _ in ear.heard] == [
        FAMILIES.index(problems.read(p.problem).family) for p in scored
    ]
    assert ear.rounds == 3


def test_an_agent_that_writes_is_shown_the_cell_and_credited_to_it():
    class Copyist(SimulatedAgent):
        def propose(self, obs, info):
            self.shown = obs["context"]
            return obs["context"]

    inner = Copyist(0)
    agent = Steered(inner, make_curriculum("plr", 12), ask=True)
    text = agent.propose({"context": "", "target": 3}, {})
    family = FAMILIES.index(problems.read(text).family)
    assert text == inner.shown and agent.chosen.nonzero()[0].tolist() == [family]
    agent.solve(text, 14)
    assert agent.curriculum.scores.nonzero()[0].size and not np.isnan(
        agent.curriculum.scores[family]
    )


def probe(count=6):
    rng = np.random.default_rng(9)
    made = [problems.generate(FAMILIES[i % 12], 2, rng) for i in range(count)]
    return [(p.text, p.answer) for p in made]


def test_the_inner_loop_leaves_the_agent_as_it_was_and_is_counted():
    class Teacher(GroundedTeacher):
        told = ()

        def improved(self, gains):
            self.told += (gains,)

    teacher = Teacher(len(FAMILIES))
    watched = Steered(
        SimulatedAgent(5, parsed=True),
        teacher,
        seed=5,
        probe=probe(),
        probe_chains=4,
        inner_steps=2,
    )
    plain = steered("soar", 5)
    records = [rollout(environment(), agent, seed=5).rounds for agent in (watched, plain)]
    assert records[0] == records[1]
    arms = [len(gains) for gains in teacher.told]
    assert watched.spent["probe_answers"] == sum(24 * (1 + n) for n in arms)
    trained = sum(r.trained for r in records[0])
    assert watched.spent["inner_pairs"] == 2 * trained > 0
    assert plain.spent == {"probe_answers": 0, "inner_pairs": 0}


def test_snapshots_and_temperature_are_the_agents():
    agent = steered()
    agent.temperature = 1.3
    assert agent.agent.temperature == agent.temperature == 1.3
    before = json.dumps(agent.snapshot()["latent"])
    agent.agent.latent.skill[0] += 1.0
    saved = agent.snapshot()
    agent.restore(json.loads(json.dumps(saved | {"latent": json.loads(before)})))
    assert json.dumps(agent.snapshot()["latent"]) == before

    class Silent:
        def solve(self, problem, k):
            return Solve(["#### 1"] * k)

    quiet = Steered(Silent(), make_curriculum("uniform", 12))
    quiet.temperature = 2.0
    assert quiet.temperature == 1.0


def test_bad_steering_is_named():
    agent = SimulatedAgent(0)
    with pytest.raises(ValueError, match="an arm for each of 12 cells, got 5"):
        Steered(agent, make_curriculum("sec", 5))
    with pytest.raises(ValueError, match="must be at least 1, got 0 and 8"):
        Steered(agent, make_curriculum("sec", 12), probe_chains=0)


# The numeric environment


def numeric(**options):
    return gym.make("ArgusCurriculum-v0", rounds=3, problems_per_round=16, **options)


@pytest.mark.parametrize("name", NAMES)
def test_every_curriculum_steers_a_numeric_run_that_repeats(name):
    runs = [steer(numeric(), make_curriculum(name, 12), seed=3) for _ in range(2)]
    assert encode(runs[0]) == encode(runs[1])
    assert [len(r.problems) for r in runs[0]] == [16, 16, 16]


def test_the_arms_of_a_numeric_run_are_families_or_families_by_length():
    class Ear(Curriculum):
        heard = ()
        gains = ()

        def choose(self, rng):
            return int(rng.integers(self.arms))

        def update(self, arm, rewards):
            self.heard += ((arm, sum(rewards) / len(rewards)),)

        def improved(self, gains):
            self.gains += (gains,)

    for arms in (12, 96):
        ear = Ear(arms)
        rounds = steer(numeric(anchor_items=24), ear, seed=1)
        scored = [p for r in rounds for p in r.problems]
        assert [arm * 12 // arms for arm, _ in ear.heard] == [p.cluster for p in scored]
        assert [share for _, share in ear.heard] == pytest.approx([p.outcome for p in scored])
        if arms == 96:
            assert [arm % 8 + 1 for arm, _ in ear.heard] == [
                p.problem.count("One step.") for p in scored
            ]
        assert len(ear.gains) == 3 and any(ear.gains)


def test_bad_numeric_steering_is_named():
    with pytest.raises(ValueError, match="must have 12 or 96 arms, got 5"):
        steer(numeric(), make_curriculum("sec", 5))
    with pytest.raises(ValueError, match=r"must take actions \[family, length\], got Discrete"):
        steer(numeric(actions="discrete"), make_curriculum("sec", 12))
