"""The training buffer."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argus_gym.buffer import Buffer
from argus_gym.records import Chain, TrainingPair


def pair(name, weight=0.5, nll=float("nan"), round_=0):
    return TrainingPair(name, Chain("", 1, nll=nll), weight, 0, round_)


def filled(count, **kwargs):
    buffer = Buffer(**kwargs)
    for i in range(count):
        buffer.add(pair(f"p{i}"))
    return buffer


def by_role(pairs, role):
    return [p.problem for p in pairs if p.role == role]


def test_half_is_held_out_and_joins_the_next_step():
    buffer, rng = filled(7), np.random.default_rng(0)
    first = buffer.batch(rng)
    held = by_role(first, "heldout")
    assert len(held) == 3 and len(by_role(first, "train")) == 4
    buffer.commit(first)
    second = buffer.batch(rng)
    assert by_role(second, "train") == held


def test_replay_is_the_stated_share_of_the_step():
    buffer, rng = filled(40, replay_share=0.25), np.random.default_rng(0)
    buffer.commit(buffer.batch(rng))
    for i in range(20):
        buffer.add(pair(f"q{i}"))
    batch = buffer.batch(rng)
    train, replay = by_role(batch, "train"), by_role(batch, "replay")
    assert len(train) == 30 and len(replay) == 10
    assert set(replay) <= {f"p{i}" for i in range(40)} - set(train)


def test_a_refused_step_goes_to_quarantine_and_never_to_replay():
    buffer, rng = filled(8), np.random.default_rng(0)
    batch = buffer.batch(rng)
    buffer.quarantine(batch)
    assert [p.problem for p in buffer.quarantined] == by_role(batch, "train")
    assert buffer.replay == []
    assert by_role(buffer.batch(rng), "train") == by_role(batch, "heldout")


def test_the_oldest_leave_a_full_replay():
    buffer, rng = Buffer(capacity=5), np.random.default_rng(0)
    for round_ in range(6):
        buffer.add(pair(f"r{round_}", round_=round_))
        buffer.commit(buffer.batch(rng))
    assert [p.problem for p in buffer.replay] == [f"r{i}" for i in range(1, 6)]


def test_decay_keeps_the_newest():
    buffer, rng = filled(20), np.random.default_rng(0)
    buffer.commit(buffer.batch(rng))
    newest = buffer.replay[-5:]
    assert buffer.decay(0.5) == 5 and buffer.replay == newest


def test_epi_weights_scale_with_the_loss_before_the_update():
    buffer, rng = Buffer(), np.random.default_rng(0)
    for name, nll in (("a", 2.0), ("b", 1.0), ("c", float("nan"))):
        buffer.add(pair(name, weight=0.8, nll=nll))
    weights = {p.problem: p.weight for p in buffer.batch(rng, epi=True)}
    assert weights == pytest.approx({"a": 0.8, "b": 0.4, "c": 0.8})


@pytest.mark.parametrize(
    ("kwargs", "name"), [({"capacity": 0}, "capacity"), ({"replay_share": 1.0}, "replay_share")]
)
def test_bad_arguments_are_named(kwargs, name):
    with pytest.raises(ValueError, match=name):
        Buffer(**kwargs)
    with pytest.raises(ValueError, match="keep"):
        Buffer().decay(1.5)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=8),
    st.integers(0, 2**32 - 1),
)
def test_every_pair_is_trained_on_once_at_most(rounds, seed):
    buffer, rng, trained = Buffer(), np.random.default_rng(seed), []
    for number, (count, refuse) in enumerate(rounds):
        for i in range(count):
            buffer.add(pair(f"{number}/{i}"))
        batch = buffer.batch(rng)
        assert not set(by_role(batch, "heldout")) & set(by_role(batch, "train"))
        trained += by_role(batch, "train")
        (buffer.quarantine if refuse else buffer.commit)(batch)
        copy = Buffer()
        copy.load_state(json.loads(json.dumps(buffer.state())))
        assert copy.state() == buffer.state()
        gone = {p.problem for p in buffer.quarantined}
        assert not gone & {p.problem for p in buffer.replay}
    assert len(trained) == len(set(trained))
    total = sum(count for count, _ in rounds)
    assert len(trained) + len(buffer.delayed) == total
