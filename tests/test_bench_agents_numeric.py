"""The ladder of ``bench agents`` in the numeric environment."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from argus_gym.agents.curricula import Curriculum, make_curriculum
from argus_gym.benchmarks.agents import CASES, ENTRIES, play_one, play_seeds
from argus_gym.benchmarks.agents_numeric import LadderRuns, play
from argus_gym.benchmarks.agents_world import BROAD, NUMERIC, Ladder
from argus_gym.curriculum.settings import Settings
from argus_gym.problems import FAMILIES

COUNT = len(FAMILIES)
SHORT = replace(NUMERIC, rounds=12, problems=32)


class Told(Curriculum):
    """Takes the arms in turn and keeps what it is told."""

    def __init__(self, arms):
        super().__init__(arms)
        self.turn, self.rewards, self.gains, self.rounds = 0, [], [], 0

    def choose(self, rng):
        self.turn += 1
        return self.turn % self.arms

    def update(self, arm, rewards):
        self.rewards.append((arm, rewards))

    def improved(self, gains):
        self.gains.append(gains)

    def end_round(self):
        self.rounds += 1


@pytest.mark.parametrize("world", [SHORT, replace(BROAD, rounds=12, problems=32)])
@pytest.mark.parametrize("stuck", [0, 2])
def test_unlearnable_families_stay_at_their_accuracy_and_the_others_learn(world, stuck):
    settings = Settings(rounds=world.rounds, problems_per_round=world.problems)
    runs = LadderRuns(settings, world, stuck, [3, 4])
    both = np.arange(2)
    runs.reset(both, np.array([98, 99], np.uint64))
    first = runs.truth()
    pinned = np.zeros((2, COUNT), bool)
    np.put_along_axis(pinned, runs.stuck, True, 1)
    assert pinned.sum(1).tolist() == [stuck, stuck]
    assert first[pinned] == pytest.approx([0.45] * 2 * stuck, abs=1e-3)
    runs.latent.skill += 1.0
    runs.begin_round(both)
    assert runs.truth()[pinned] == pytest.approx([0.45] * 2 * stuck, abs=1e-3)
    assert (runs.truth()[~pinned] > first[~pinned]).all()
    (after,) = play(world, stuck, partial(make_curriculum, "uniform"), [3])
    assert len(after.stuck) == stuck and len(after.accuracy) == world.rounds + 1
    assert after.accuracy[0] + 0.1 < after.accuracy[-1] < after.top + 0.02
    assert after.chosen.sum(1).tolist() == [world.problems] * world.rounds


@pytest.mark.parametrize("seed", range(3))
def test_a_seed_means_the_same_ladder_in_both_environments(seed):
    agent = Ladder(NUMERIC, 2, seed)
    settings = Settings(rounds=2, problems_per_round=8)
    runs = LadderRuns(settings, NUMERIC, 2, [seed])
    runs.reset(np.zeros(1, np.int64), np.array([seed], np.uint64))
    assert runs.stuck[0].tolist() == agent.stuck
    free = [f for f in range(COUNT) if f not in agent.stuck]
    assert runs.latent.skill[0, free].tolist() == [agent.latent.skill[f] for f in free]


def test_the_curriculum_is_told_of_agreement_rounds_and_gains():
    told = Told(COUNT)
    (run,) = play(replace(SHORT, rounds=5), 0, lambda arms: told, [1], grounded=True)
    assert len(told.rewards) == 5 * 32 and told.rounds == 5
    assert all(len(r) == 14 and set(r) <= {0.0, 1.0} for _, r in told.rewards)
    assert 0.2 < np.mean([np.mean(r) for _, r in told.rewards]) < 0.9
    assert [arm for arm, _ in told.rewards[:3]] == [1, 2, 3]
    assert sum(map(len, told.gains)) > 10
    assert all(abs(gain) <= 1 for gains in told.gains for gain in gains.values())
    assert np.mean([gain for gains in told.gains for gain in gains.values()]) > 0
    (plain,) = play(replace(SHORT, rounds=5), 0, Told, [1])
    assert plain.answers == tuple(32 * 14 * n for n in range(6))
    assert run.answers == tuple((32 * 14 + 2 * 24 * 8) * n for n in range(6))


def test_a_run_is_json_ready_and_repeats():
    one, two = (play_one("numeric ladder", "sec", 2, 5, rounds=6) for _ in range(2))
    assert json.dumps(one, allow_nan=False) == json.dumps(two, allow_nan=False)
    assert one != play_one("numeric ladder", "sec", 2, 6, rounds=6)
    assert 0 < one["stuck"] < 0.5 and one["alarm"] == one["barred"] == -1


@pytest.mark.parametrize("curriculum", ["sec", "soar"])
def test_runs_side_by_side_are_those_alone(curriculum):
    together = play_seeds("numeric ladder", curriculum, 2, [5, 6, 7], rounds=8)["rows"]
    alone = [play_one("numeric ladder", curriculum, 2, seed, rounds=8) for seed in (5, 6, 7)]
    for own, other in zip(together, alone, strict=True):
        assert own.keys() == other.keys()
        for name, value in own.items():
            assert value == (None if value is None else pytest.approx(other[name], rel=1e-9))


def test_every_curriculum_meets_the_numeric_ladder_with_and_without_unlearnable_families():
    met = [(stuck, names) for world, stuck, names in CASES if world is NUMERIC]
    assert met == [(0, tuple(ENTRIES)), (2, tuple(ENTRIES))]
    assert {"uniform", "sec", "soar", "plr"} <= set(ENTRIES)
