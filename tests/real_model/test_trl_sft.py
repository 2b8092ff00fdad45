"""Weighted SFT through TRL against the plain loop and against a reference written out here."""

import random
from dataclasses import replace

import numpy as np
import pytest
import torch

pytest.importorskip("trl", reason='needs pip install "argus-gym[llm]"')

from transformers import TrainingArguments

from argus_gym.agents.language_model import LanguageModel
from argus_gym.agents.sft import DivergedError, Row, SFTConfig, Trained, batches, sft
from argus_gym.agents.trl_sft import trl_sft

ROWS = [
    Row(f"{i} + {i}\n", f"{i} + {i} = {2 * i}" + "\n#### 1" * (i % 3), 0.2 + 0.1 * i)
    for i in range(7)
]
CONFIG = SFTConfig(learning_rate=2e-3, epochs=1, batch_size=7, grad_clip=1.0)


def reference(lm, rows, role, config, seed):
    """One row at a time, full logits, no padding: the formulas and nothing else."""
    read, losses = lm.tokenizer, []
    with lm.role(role, train=True):
        params = [p for p in lm.peft.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(params, lr=config.learning_rate, weight_decay=0.0)
        for picked in batches(len(rows), config.batch_size, config.epochs, seed):
            total = sum(rows[i].weight for i in picked)
            loss = torch.zeros(())
            for row in (rows[i] for i in picked):
                head = read(row.prompt, add_special_tokens=False)["input_ids"]
                tail = read(row.completion, add_special_tokens=False)["input_ids"]
                ids = torch.tensor([*head, *tail, read.eos_token_id])
                logs = lm.peft(input_ids=ids[None]).logits[0].log_softmax(-1)
                nll = -logs[torch.arange(len(head), len(ids)) - 1, ids[len(head) :]].mean()
                loss = loss + row.weight / total * nll
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(params, config.grad_clip)
            optimiser.step()
            losses.append(float(loss.detach()))
        optimiser.zero_grad()
    return losses


def far(one, other):
    return max(float((one[name] - other[name]).abs().max()) for name in one)


@pytest.fixture
def models(model_path):
    return [LanguageModel.load(model_path, rank=4) for _ in range(3)]


@pytest.mark.parametrize(
    "config",
    [CONFIG, replace(CONFIG, batch_size=3, epochs=2), replace(CONFIG, batch_size=2, grad_clip=0.1)],
    ids=["one step", "six steps, partial minibatches", "clipped"],
)
@pytest.mark.parametrize("role", ["solver", "proposer"])
def test_trl_plain_loop_and_reference_give_the_same_adapter(models, config, role):
    plain, through_trl, by_hand = models
    start = plain.weights(role)
    trained = sft(plain, ROWS, role=role, config=config, seed=5)
    found = trl_sft(through_trl, ROWS, role=role, config=config, seed=5)
    losses = reference(by_hand, ROWS, role, config, 5)
    assert far(plain.weights(role), start) > 1e-3
    assert far(through_trl.weights(role), by_hand.weights(role)) < 1e-5
    assert far(through_trl.weights(role), plain.weights(role)) < 1e-5
    assert found.losses == pytest.approx(losses, abs=1e-5)
    assert found.losses == pytest.approx(trained.losses, abs=1e-5)
    assert (found.tokens, found.batch_tokens) == (trained.tokens, trained.batch_tokens)


def test_the_order_and_the_weights_matter(models):
    one, two, three = models
    config = replace(CONFIG, batch_size=2)
    trl_sft(one, ROWS, role="solver", config=config, seed=5)
    trl_sft(two, ROWS, role="solver", config=config, seed=6)
    trl_sft(three, [replace(r, weight=1.0) for r in ROWS], role="solver", config=config, seed=5)
    assert far(one.weights("solver"), two.weights("solver")) > 1e-4
    assert far(one.weights("solver"), three.weights("solver")) > 1e-4


def test_same_seed_same_bits_and_the_other_adapter_too(models):
    one, two, _ = models
    other = one.weights("proposer")
    for lm in (one, two):
        trl_sft(lm, ROWS, role="solver", config=CONFIG, seed=5)
    first, second = one.weights("solver"), two.weights("solver")
    assert all(torch.equal(first[name], second[name]) for name in first)
    after = one.weights("proposer")
    assert all(torch.equal(other[name], after[name]) for name in other)


def test_it_leaves_no_trace_of_itself(lm, capfd):
    base = lm.peft.get_base_model()
    forward, generators = base.forward, (random.getstate(), torch.random.get_rng_state())
    legacy = np.random.get_state()[1].copy()  # noqa: NPY002
    for _ in range(2):
        trl_sft(lm, ROWS, role="solver", config=CONFIG, seed=5)
    assert base.forward == forward
    assert random.getstate() == generators[0]
    assert torch.equal(torch.random.get_rng_state(), generators[1])
    assert (np.random.get_state()[1] == legacy).all()  # noqa: NPY002
    assert not lm.peft.training
    assert not any(p.requires_grad for p in lm.peft.parameters())
    assert capfd.readouterr().out == ""


def test_rows_without_weight_and_no_rows(lm, models):
    assert trl_sft(lm, [], role="solver", config=CONFIG, seed=0) == Trained()
    silent = Row("1\n", "2", 0.0)
    assert trl_sft(lm, [silent], role="solver", config=CONFIG, seed=0) == Trained()
    one, two, _ = models
    trl_sft(one, [*ROWS, silent], role="solver", config=CONFIG, seed=0)
    trl_sft(two, ROWS, role="solver", config=CONFIG, seed=0)
    assert far(one.weights("solver"), two.weights("solver")) == 0


@pytest.mark.parametrize("rate", [float("inf"), 1e30])
def test_a_step_that_diverges_is_taken_back(lm, rate):
    before = lm.weights("solver")
    config = replace(CONFIG, learning_rate=rate, batch_size=2)
    with pytest.raises(DivergedError, match="as it was before"):
        trl_sft(lm, ROWS, role="solver", config=config, seed=0)
    after = lm.weights("solver")
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert trl_sft(lm, ROWS, role="solver", config=CONFIG, seed=0).tokens > 0


def test_rows_longer_than_the_window_lose_the_same_as_in_the_plain_loop(models):
    plain, through_trl, _ = models
    long = [
        Row("1234567 " * 70 + "\n", "8 9 " * 9, 0.5),
        Row("4 + 4\n", "8 9 0 " * 120),
        Row("76 " * 90 + "\n", "5 4 " * 120),
    ]
    assert plain.window == 512
    config = replace(CONFIG, batch_size=2, epochs=2)
    trained = sft(plain, long, role="solver", config=config, seed=5)
    found = trl_sft(through_trl, long, role="solver", config=config, seed=5)
    assert found.losses == pytest.approx(trained.losses, abs=1e-5)
    assert (found.tokens, found.batch_tokens) == (trained.tokens, trained.batch_tokens)
    assert far(through_trl.weights("solver"), plain.weights("solver")) < 1e-5


def test_a_minibatch_that_does_not_fit_stops_with_advice(lm):
    before, calls = lm.weights("solver"), []

    def full(*_):
        calls.append(1)
        if len(calls) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    hook = lm.peft.get_base_model().register_forward_pre_hook(full)
    with pytest.raises(MemoryError, match="use a smaller batch_size"):
        trl_sft(lm, ROWS, role="solver", config=replace(CONFIG, batch_size=2), seed=0)
    hook.remove()
    assert far(lm.weights("solver"), before) == 0
    assert trl_sft(lm, ROWS, role="solver", config=CONFIG, seed=0).tokens > 0


def test_several_gpus_without_a_launcher(lm, monkeypatch):
    """TRL refuses to spread a model over them; the loop's stays on its own."""
    monkeypatch.setattr(TrainingArguments, "n_gpu", 4)
    assert trl_sft(lm, ROWS, role="solver", config=CONFIG, seed=0).tokens > 0
    monkeypatch.setattr(lm, "device", torch.device("cuda", 1))
    with pytest.raises(ValueError, match="TRL trains on the first GPU, the model is on cuda:1"):
        trl_sft(lm, ROWS, role="solver", config=CONFIG, seed=0)


def test_in_bfloat16_both_back_ends_learn_the_same_but_for_rounding(model_path):
    plain, through_trl = (
        LanguageModel.load(model_path, precision="bfloat16", rank=4) for _ in range(2)
    )
    config = replace(CONFIG, learning_rate=1e-2)
    start = plain.weights("solver")
    trained = sft(plain, ROWS, role="solver", config=config, seed=5)
    found = trl_sft(through_trl, ROWS, role="solver", config=config, seed=5)
    assert found.losses == pytest.approx(trained.losses, rel=5e-3)
    steps = [
        torch.cat([(w - start[n]).flatten() for n, w in lm.weights("solver").items()])
        for lm in (plain, through_trl)
    ]
    assert torch.cosine_similarity(*steps, dim=0) > 0.98
    assert {w.dtype for w in through_trl.weights("solver").values()} == {torch.float32}


def test_a_quantised_base_keeps_float32_adapters(model_path):
    pytest.importorskip("bitsandbytes")
    lm = LanguageModel.load(model_path, precision="int8", rank=4)
    trained = trl_sft(lm, ROWS, role="solver", config=replace(CONFIG, epochs=4), seed=0)
    assert trained.losses[-1] < trained.losses[0]
    assert {w.dtype for w in lm.weights("solver").values()} == {torch.float32}
