"""The language-model agent: adapters, sampling, losses, snapshots and the loop around it."""

import functools
import json
import math
from contextlib import nullcontext

import gymnasium as gym
import numpy as np
import pytest
import torch
from jinja2 import TemplateError
from safetensors.torch import load_file, save_file
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import AutoTokenizer, GenerationConfig, GPT2Config, GPT2LMHeadModel

import argus_gym
from argus_gym.agents import Agent, rollout
from argus_gym.agents.generation import NEUTRAL, render, seeded
from argus_gym.agents.hf import HFAgent
from argus_gym.agents.language_model import LanguageModel, _precision
from argus_gym.agents.merged import MergedModel
from argus_gym.agents.sft import DivergedError, Row, SFTConfig, Trained, sft
from argus_gym.records import Chain, TrainingPair
from argus_gym.run import RunConfig, resume, run
from argus_gym.wrappers import stack

ROWS = [Row(f"{i} + 1\n", f"{i} + 1 = {i + 1}\n#### {i + 1}", 0.5 + 0.05 * i) for i in range(10)]
CONFIG = SFTConfig(learning_rate=1e-2, batch_size=4)


def logits(lm, role="solver"):
    ids = torch.tensor(lm.tokenizer("2 + 2 = 4\n")["input_ids"])[None]
    with lm.role(role), torch.no_grad():
        return lm.peft(input_ids=ids).logits.numpy().copy()


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def pairs(n=8):
    roles = ["train"] * (n - 2) + ["heldout", "replay"]
    return [
        TrainingPair(row.prompt.strip(), Chain(row.completion, i + 1), row.weight, 0, 0, role)
        for i, (row, role) in enumerate(zip(ROWS, roles))
    ]


def agent(lm, **options):
    options = {"max_new_tokens": 16, "problem_tokens": 16, "config": CONFIG} | options
    return HFAgent(lm, **options)


def gpt2(model_path, kind=LanguageModel):
    """A model with absolute positions, 64 of them."""
    tokenizer = AutoTokenizer.from_pretrained(model_path)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=64,
        n_embd=32,
        n_layer=2,
        n_head=2,
        bos_token_id=1,
        eos_token_id=1,
    )
    with seeded(0):
        return kind(GPT2LMHeadModel(config).eval(), tokenizer, rank=2)


# Sampling


HOSTILE = {
    "bad_words_ids": [[i] for i in range(40, 90)],
    "begin_suppress_tokens": [*range(40, 90)],
    "encoder_no_repeat_ngram_size": 1,
    "encoder_repetition_penalty": 2.0,
    "epsilon_cutoff": 0.02,
    "eta_cutoff": 0.9,
    "exponential_decay_length_penalty": (1, 3.0),
    "forced_eos_token_id": 7,
    "guidance_scale": 3.0,
    "max_time": 1e-6,
    "min_length": 30,
    "min_p": 0.5,
    "no_repeat_ngram_size": 1,
    "num_beams": 2,
    "repetition_penalty": 1.5,
    "return_dict_in_generate": True,
    "sequence_bias": {(50,): 10.0},
    "stop_strings": ["a"],
    "suppress_tokens": [*range(40, 90)],
    "top_h": 0.3,
    "top_k": 3,
    "top_p": 0.2,
    "typical_p": 0.2,
    "watermarking_config": {"bias": 9.0},
}


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_the_models_own_generation_settings_change_nothing(lm, temperature):
    def sample():
        options = {"role": "solver", "max_new_tokens": 12, "temperature": temperature}
        return lm.sample(["abc\n", "a"], 2, seed=0, **options)

    def settings(own):
        return GenerationConfig(do_sample=True, eos_token_id=1, pad_token_id=0, **own)

    plain = sample()
    known = {n: v for n, v in HOSTILE.items() if hasattr(GenerationConfig(), n)}
    for own in [*({name: value} for name, value in known.items()), known]:
        lm.peft.generation_config = settings(own)
        assert sample() == plain, own


def test_every_option_of_generate_is_neutral_given_or_without_effect():
    given = {"cache_implementation", "do_sample", "max_new_tokens", "temperature"}
    tokens = {"bos_token_id", "decoder_start_token_id", "eos_token_id", "pad_token_id"}
    speed = {"cache_config", "compile_config", "disable_compile", "low_memory", "max_cache_len"}
    speed |= {"continuous_batching_config"}
    overruled = {"max_length"}  # by max_new_tokens
    assisted = {"assistant_confidence_threshold", "assistant_ensemble_weight"}
    assisted |= {"assistant_lookbehind", "max_matching_ngram_size", "num_assistant_tokens"}
    assisted |= {"num_assistant_tokens_schedule", "speculation_type", "target_lookbehind"}
    about = {"_from_model_config", "transformers_version"}
    known = given | tokens | speed | overruled | assisted | about
    assert set(vars(GenerationConfig())) - set(NEUTRAL) <= known


def test_seeding_forks_the_generators_of_every_gpu(monkeypatch):
    """With three devices that behave as torch's: seeding one seeds all."""
    states = {i: torch.tensor([i]) for i in range(3)}
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(states))
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: states[device])
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda s, device: states.update({device: s}))
    monkeypatch.setattr(
        torch.cuda, "manual_seed_all", lambda s: states.update(dict.fromkeys(states, s))
    )
    with seeded(5):
        assert set(states.values()) == {5}
    assert {i: int(state) for i, state in states.items()} == {0: 0, 1: 1, 2: 2}


def test_sampling_is_seeded_and_leaves_the_global_generators_alone(lm):
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first = lm.sample(["a\n", "bcd\n"], 3, role="solver", max_new_tokens=8, seed=1)
    assert torch.equal(torch.rand(3), expected)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    assert first == lm.sample(["a\n", "bcd\n"], 3, role="solver", max_new_tokens=8, seed=1)
    assert first != lm.sample(["a\n", "bcd\n"], 3, role="solver", max_new_tokens=8, seed=2)
    assert [len(chains) for chains in first] == [3, 3]
    assert all(1 <= s.tokens <= 8 for chains in first for s in chains)


def test_the_nll_noted_while_sampling_is_the_one_of_the_forward_pass(lm):
    sampled = lm.sample(
        ["count\n", "a longer prompt\n"], 40, role="solver", max_new_tokens=60, seed=0
    )
    ended = [
        (prompt, s)
        for prompt, chains in zip(["count\n", "a longer prompt\n"], sampled)
        for s in chains
        if s.tokens < 60 and "<" not in s.text
    ]
    assert len(ended) > 10
    scored = lm.nll([p for p, _ in ended], [s.text for _, s in ended], role="solver")
    again = [len(lm.tokenizer(s.text)["input_ids"]) + 1 == s.tokens for _, s in ended]
    got = np.array([s.nll for _, s in ended])
    np.testing.assert_allclose(got[again], scored[again], rtol=1e-4)
    assert sum(again) > 10


def test_batches_are_whole_and_small_memory_only_makes_them_smaller(lm, monkeypatch):
    real, sizes = lm._generate, []

    def tight(prompts, *rest):
        sizes.append(len(prompts))
        if len(prompts) > 4:
            raise torch.OutOfMemoryError("no room")
        return real(prompts, *rest)

    lm.rows["sampling"] = 16
    monkeypatch.setattr(lm, "_generate", tight)
    out = lm.sample(["a\n", "b\n", "c\n"], 4, role="solver", max_new_tokens=4, seed=0)
    assert [len(chains) for chains in out] == [4, 4, 4]
    assert lm.rows == {"sampling": 4, "scoring": 256}
    assert sizes == [12, 8, 4, 4, 4]


def test_no_memory_for_a_single_sequence_stops_with_advice(lm, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(lm, "_generate", full)
    with pytest.raises(MemoryError, match="smaller model"):
        lm.sample(["a\n"], 2, role="solver", max_new_tokens=4, seed=0)


SCORING = {
    "nll": lambda lm: lm.nll([r.prompt for r in ROWS], [r.completion for r in ROWS], role="solver"),
    "embed": lambda lm: lm.embed([row.completion for row in ROWS]),
    "sft": lambda lm: sft(lm, ROWS, role="solver", config=SFTConfig(1e-3, batch_size=16), seed=0),
}


def limited(lm, monkeypatch, most):
    """Let the model run out of memory with more than ``most`` rows; return the sizes asked for."""
    real, sizes = lm.peft.forward, []

    def forward(*args, **inputs):
        sizes.append(len(inputs["input_ids"]))
        if sizes[-1] > most:
            raise torch.OutOfMemoryError("no room")
        return real(*args, **inputs)

    monkeypatch.setattr(lm.peft, "forward", forward)
    return sizes


@pytest.mark.parametrize("what", SCORING)
def test_small_memory_makes_scoring_smaller_but_not_sampling(model_path, monkeypatch, what):
    lm, tight = (LanguageModel.load(model_path, rank=4) for _ in range(2))
    tight.rows["scoring"] = 8
    sizes = limited(tight, monkeypatch, 4)
    one, other = SCORING[what](lm), SCORING[what](tight)
    if what == "sft":
        assert one.losses == pytest.approx(other.losses, abs=1e-5) and one.tokens == other.tokens
    else:
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert sizes == [8, 4, 4, 2] and tight.rows == {"sampling": 256, "scoring": 4}


@pytest.mark.parametrize("what", SCORING)
def test_no_memory_to_score_a_single_sequence_stops_with_advice(lm, monkeypatch, what):
    before = lm.weights("solver")
    limited(lm, monkeypatch, 0)
    with pytest.raises(MemoryError, match="smaller model"):
        SCORING[what](lm)
    assert same(lm.weights("solver"), before)


def test_greedy_chains_are_all_the_same(lm):
    (chains,) = lm.sample(["a\n"], 3, role="solver", max_new_tokens=6, temperature=0, seed=0)
    assert len({s.text for s in chains}) == 1


def test_a_prompt_longer_than_the_window_loses_its_start(lm):
    (one,) = lm.sample(["x" * 5_000 + "\n"], 1, role="solver", max_new_tokens=8, seed=0)
    assert 1 <= one[0].tokens <= 8
    assert np.isfinite(lm.nll(["x" * 5_000], ["y" * 5_000], role="solver")).all()
    assert np.isfinite(lm.embed(["x" * 5_000])).all()


@pytest.mark.parametrize("kind", [LanguageModel, MergedModel])
def test_completions_end_with_the_window(model_path, kind):
    lm = gpt2(model_path, kind)
    out = lm.sample(["x" * 70 + "\n", "a"], 3, role="solver", max_new_tokens=100, seed=0)
    assert max(s.tokens for chains in out for s in chains) == 63


@pytest.mark.parametrize("kind", [LanguageModel, MergedModel])
def test_absolute_positions_do_not_see_the_padding(model_path, kind):
    lm = gpt2(model_path, kind)
    prompts = ["ab\n", "a much longer prompt\n"]
    options = {"role": "solver", "max_new_tokens": 12, "temperature": 0, "seed": 0}
    together = lm.sample(prompts, 1, **options)
    for prompt, (one,) in zip(prompts, together):
        ((alone,),) = lm.sample([prompt], 1, **options)
        assert one.text == alone.text and one.nll == pytest.approx(alone.nll, abs=1e-5)


def test_an_empty_text_is_an_end_of_sequence(lm):
    (chains,) = lm.sample([""], 2, role="solver", max_new_tokens=4, seed=0)
    assert all(s.tokens >= 1 and math.isfinite(s.nll) for s in chains)
    np.testing.assert_allclose(lm.embed(["a", ""]), lm.embed(["a", "<eos>"]), atol=1e-5)
    np.testing.assert_array_equal(lm.embed([""]), lm.embed(["<eos>"]))
    empty, ended = (lm.nll([head], ["ab"], role="solver") for head in ("", "<eos>"))
    np.testing.assert_array_equal(empty, ended)
    assert np.isfinite(lm.nll(["", "a"], ["", "b"], role="solver")).all()


# Embeddings and losses


TEXTS = ["short", "a much longer problem with many more words in it", "中文 é √"]


def test_embeddings_on_absolute_positions_do_not_depend_on_padding(model_path):
    lm = gpt2(model_path)
    alone = np.concatenate([lm.embed([text]) for text in TEXTS])
    np.testing.assert_allclose(lm.embed(TEXTS), alone, atol=1e-5)


def test_embeddings_do_not_depend_on_padding_or_adapters(lm):
    texts = TEXTS
    together = lm.embed(texts)
    alone = np.concatenate([lm.embed([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    sft(lm, ROWS, role="solver", config=CONFIG, seed=0)
    np.testing.assert_array_equal(lm.embed(texts), together)
    assert together.shape == (3, 64) and together.dtype == np.float32


def test_losses_do_not_depend_on_padding(lm):
    prompts, texts = [r.prompt for r in ROWS], [r.completion + "!" * i for i, r in enumerate(ROWS)]
    together = lm.nll(prompts, texts, role="solver")
    alone = [lm.nll([p], [t], role="solver")[0] for p, t in zip(prompts, texts)]
    np.testing.assert_allclose(together, alone, rtol=1e-5)


# Training


def reference_step(lm, rows, rate):
    """One AdamW step on the weighted loss, written out without batching or padding."""
    with lm.role("solver", train=True):
        params = [p for p in lm.peft.parameters() if p.requires_grad]
        total = torch.zeros(())
        for row in rows:
            head = lm.tokenizer(row.prompt)["input_ids"]
            tail = [*lm.tokenizer(row.completion)["input_ids"], lm.tokenizer.eos_token_id]
            scores = lm.peft(input_ids=torch.tensor([head + tail])).logits[0].log_softmax(-1)
            own = [scores[len(head) - 1 + i, token] for i, token in enumerate(tail)]
            total = total - row.weight * torch.stack(own).mean()
        loss = total / sum(row.weight for row in rows)
        optimiser = torch.optim.AdamW(params, lr=rate, weight_decay=0.0)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        optimiser.step()
        optimiser.zero_grad()
    return float(loss.detach())


def test_weighted_sft_equals_a_plain_reference_step(model_path):
    ours, plain = (LanguageModel.load(model_path, rank=4) for _ in range(2))
    done = sft(ours, ROWS, role="solver", config=SFTConfig(1e-3, batch_size=16), seed=0)
    assert done.losses == pytest.approx([reference_step(plain, ROWS, 1e-3)], abs=1e-5)
    for name, tensor in ours.weights("solver").items():
        torch.testing.assert_close(tensor, plain.weights("solver")[name], atol=1e-5, rtol=0)


def test_a_minibatch_split_for_memory_gives_the_same_step(model_path):
    whole, split = (LanguageModel.load(model_path, rank=4) for _ in range(2))
    split.rows["scoring"] = 3
    one, other = (
        sft(lm, ROWS, role="solver", config=SFTConfig(1e-3, batch_size=16), seed=0)
        for lm in (whole, split)
    )
    assert one.losses == pytest.approx(other.losses, abs=1e-5) and one.tokens == other.tokens
    for name, tensor in whole.weights("solver").items():
        torch.testing.assert_close(tensor, split.weights("solver")[name], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("role", "other"), [("solver", "proposer"), ("proposer", "solver")])
def test_training_one_adapter_leaves_the_other_and_the_base_bit_identical(lm, role, other):
    kept, moved = lm.weights(other), lm.weights(role)
    base = {n: p.clone() for n, p in lm.peft.named_parameters() if "lora" not in n}
    losses = sft(lm, ROWS * 4, role=role, config=CONFIG, seed=0).losses
    assert losses[-1] < losses[0]
    assert same(lm.weights(other), kept) and not same(lm.weights(role), moved)
    assert all(torch.equal(p, base[n]) for n, p in lm.peft.named_parameters() if n in base)


def test_rows_without_weight_are_left_out_and_same_seed_gives_the_same_adapter(model_path):
    one, other = (LanguageModel.load(model_path, rank=4) for _ in range(2))
    first = sft(one, ROWS, role="solver", config=CONFIG, seed=5)
    more = [*ROWS, Row("junk", "junk", 0.0)]
    assert sft(other, more, role="solver", config=CONFIG, seed=5) == first
    assert same(one.weights("solver"), other.weights("solver"))
    assert sft(one, [Row("a", "b", 0.0)], role="solver", config=CONFIG, seed=0).tokens == 0


def test_a_loss_that_is_not_finite_leaves_the_adapter_as_it_was(lm):
    before = lm.weights("solver")
    with pytest.raises(DivergedError, match="as it was before"):
        sft(lm, ROWS * 3, role="solver", config=SFTConfig(1e30, batch_size=4), seed=0)
    assert same(lm.weights("solver"), before)


# Snapshots


def test_restore_gives_bit_equal_logits_and_the_blend_is_monotone(lm):
    who = agent(lm)
    before, start = who.snapshot(), logits(lm)
    who.learn(pairs())
    after, end = who.snapshot(), logits(lm)
    assert not np.array_equal(start, end)
    distances = []
    for blend in (0.0, 0.25, 0.5, 0.75, 1.0):
        who.restore(after)
        np.testing.assert_array_equal(logits(lm), end)
        who.restore(before, blend)
        distances.append(float(np.abs(logits(lm) - start).max()))
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > 0 and distances[-1] == 0.0
    np.testing.assert_array_equal(logits(lm), start)
    with pytest.raises(ValueError, match=r"blend must be in \[0, 1\], got 2"):
        who.restore(before, 2)


def test_a_snapshot_is_kept_only_while_somebody_holds_it(lm):
    who = agent(lm)
    held = who.snapshot()
    lost = dict(held)
    who.learn(pairs())
    del held
    kept = who.snapshot()
    assert json.loads(json.dumps(kept)) == kept
    with pytest.raises(OSError, match="no longer kept"):
        who.restore(lost)


def test_saved_agents_go_on_as_they_were(lm, model_path, tmp_path):
    who = agent(lm)
    held = who.snapshot()
    who.learn(pairs())
    who.save(tmp_path / "agent.json")
    other = agent(LanguageModel.load(model_path, rank=4, seed=9), seed=9)
    other.load(tmp_path / "agent.json")
    np.testing.assert_array_equal(logits(other.lm), logits(who.lm))
    assert [c.text for c in other.solve("1 + 1", 3).chains] == [
        c.text for c in who.solve("1 + 1", 3).chains
    ]
    other.restore(dict(held))
    assert same(other.lm.weights("solver"), who._kept[held["adapters"]]["solver"])


def test_after_a_load_only_states_that_somebody_holds_are_kept(lm, model_path, tmp_path):
    def step(who, points):
        points["before"] = who.snapshot()
        who.learn(pairs())
        points["after"] = who.snapshot()

    whole, cut = agent(lm), agent(LanguageModel.load(model_path, rank=4, seed=9))
    points = {"certified": whole.snapshot()}
    step(whole, points)
    whole.save(tmp_path / "half.json")
    cut.load(tmp_path / "half.json")
    held = {name: cut.hold(dict(point)) for name, point in points.items()}
    for who, names, out in ((whole, points, "whole"), (cut, held, "cut")):
        step(who, names)
        step(who, names)
        who.save(tmp_path / f"{out}.json")
    for end in ("json", "safetensors"):
        assert (tmp_path / f"cut.{end}").read_bytes() == (tmp_path / f"whole.{end}").read_bytes()
    assert len({name.split("/")[0] for name in load_file(tmp_path / "cut.safetensors")}) == 3
    for name in held:
        cut.restore(held[name])


def test_a_rollout_holds_the_restore_points_it_is_given(lm, tmp_path):
    who = agent(lm, max_new_tokens=4)
    certified = who.snapshot()
    who.learn(pairs())
    points = {"certified": dict(certified)}
    who.save(tmp_path / "agent.json")
    del certified
    who.load(tmp_path / "agent.json")
    env = gym.make("ArgusSelfImprove-v0", rounds=1, problems_per_round=2, k=2)
    rollout(env, who, seed=0, points=points)
    assert "before" in points
    who.restore(points["certified"])


def test_an_adapter_that_does_not_fit_is_refused_and_nothing_changes(lm, model_path, tmp_path):
    agent(lm).save(tmp_path / "agent.json")
    other = agent(LanguageModel.load(model_path, rank=2))
    before = other.lm.weights("solver")
    with pytest.raises(ValueError, match="must fit"):
        other.load(tmp_path / "agent.json")
    assert same(other.lm.weights("solver"), before)
    (tmp_path / "agent.safetensors").write_bytes(b"half a file")
    with pytest.raises(ValueError, match="expected a saved language-model agent"):
        other.load(tmp_path / "agent.json")


# Learning as the loop sees it


def test_learn_reports_losses_before_and_after_by_role(lm):
    report = agent(lm).learn(pairs())
    for before, after in (report.train, report.heldout, report.replay):
        assert before > after > 0
    assert report.tokens > 0 and math.isfinite(report.preq_bits)
    nothing = agent(lm).learn([])
    assert nothing.tokens == 0 and math.isnan(nothing.train[0])


def test_a_step_that_diverges_is_undone_in_both_roles_and_said_so(lm):
    def broken(lm, rows, *, role, config, seed):
        if role == "proposer":
            raise DivergedError("the loss was nan")
        return sft(lm, rows, role=role, config=config, seed=seed)

    who = agent(lm, learner=broken)
    before = {role: lm.weights(role) for role in ("solver", "proposer")}
    who._asked = {pair.problem: "New problem.\n" for pair in pairs()}
    with pytest.warns(UserWarning, match="learning step undone"):
        report = who.learn(pairs())
    assert math.isfinite(report.train[0]) and math.isnan(report.train[1])
    assert all(same(lm.weights(role), weights) for role, weights in before.items())


def test_weights_that_are_finite_and_of_no_use_are_undone(lm):
    def wild(lm, rows, *, role, config, seed):
        lm.set_weights(role, {n: torch.full_like(w, 1e30) for n, w in lm.weights(role).items()})
        return Trained(1)

    who = agent(lm, learner=wild)
    before = lm.weights("solver")
    with pytest.warns(UserWarning, match="learning step undone: the loss after it was not finite"):
        report = who.learn(pairs())
    assert math.isfinite(report.train[0]) and math.isnan(report.train[1])
    assert same(lm.weights("solver"), before)


def test_the_proposer_learns_its_own_problems_and_is_asked_for_the_target(lm):
    who = agent(lm)
    env = gym.make("ArgusSelfImprove-v0", rounds=1)
    obs, info = env.reset(seed=0)
    columns = {n: c.copy() for n, c in obs["capability_map"].items()}
    columns["n"][2], columns["consensus"][2] = 5, 0.45
    obs = obs | {"target": 2, "capability_map": columns, "context": "How many?"}
    problem = who.propose(obs, info)
    assert who._asked[problem] == "New problem. Kind 2. Solved 45 percent.\nExample: How many?\n"
    before = lm.weights("proposer")
    who.learn([TrainingPair(problem, Chain("#### 1", 1), 1.0, 0, 0)])
    assert not same(lm.weights("proposer"), before)
    still = agent(lm, train_proposer=False)
    problem = still.propose(obs, info)
    before = lm.weights("proposer")
    still.learn([TrainingPair(problem, Chain("#### 1", 1), 1.0, 0, 0)])
    assert same(lm.weights("proposer"), before)


def test_problems_that_are_known_to_come_are_solved_together(lm, monkeypatch):
    who, calls, real = agent(lm), [], lm.sample
    monkeypatch.setattr(lm, "sample", lambda p, *a, **k: calls.append(len(p)) or real(p, *a, **k))
    coming = [f"{i} + 2" for i in range(5)]
    who.expect(coming)
    solved = [who.solve(problem, 2) for problem in coming]
    assert calls == [5] and all(len(s.chains) == 2 for s in solved)
    assert all(s.embedding.shape == (64,) for s in solved)
    who.solve("another", 2)
    assert calls == [5, 1]


def play(path, seed=0):
    lm = LanguageModel.load(path, rank=4, seed=seed)
    settings = {"rounds": 2, "problems_per_round": 3, "k": 3, "frontier": (0.0, 1.0)}
    env = stack(gym.make("ArgusSelfImprove-v0", anchor_items=2, past_items=1, **settings), "v4")
    who = agent(lm, seed=seed)
    assert isinstance(who, Agent)
    return rollout(env, who, seed=seed), lm.weights("solver")


def test_the_whole_loop_runs_and_the_same_seed_gives_the_same_run(model_path):
    (one, weights), (two, again) = play(model_path), play(model_path)
    assert argus_gym.records.encode(one.rounds) == argus_gym.records.encode(two.rounds)
    assert one.verdicts == two.verdicts and len(one.rounds) == 2
    assert same(weights, again)
    other, _ = play(model_path, seed=1)
    assert argus_gym.records.encode(one.rounds) != argus_gym.records.encode(other.rounds)


def test_an_interrupted_run_goes_on_with_the_same_bytes(model_path, tmp_path):
    config = RunConfig(
        rounds=2, problems=2, k=2, agent="hf", model=str(model_path), stack="no-metacognition"
    )

    class Stop(Exception):
        pass

    def stop(record):
        raise Stop

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("argus_gym.run.REPORT", 2)
        patch.setattr("argus_gym.run.SAMPLES", 2)
        whole = run(config, out=tmp_path / "whole")
        with pytest.raises(Stop):
            run(config, out=tmp_path / "cut", on_round=stop)
        resume(tmp_path / "cut")
    names = {p.relative_to(tmp_path / "whole") for p in (tmp_path / "whole").rglob("*.*")}
    assert {p.relative_to(tmp_path / "cut") for p in (tmp_path / "cut").rglob("*.*")} == names
    for name in names:
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert whole.summary is not None


# Models of all kinds


def test_no_chat_template_and_no_pad_token_still_work(make_model, tmp_path):
    lm = LanguageModel.load(make_model(tmp_path, template=None, pad=None), rank=2)
    assert lm.tokenizer.pad_token_id == lm.tokenizer.eos_token_id
    prompt = lm.render([{"role": "system", "content": "S"}, {"role": "user", "content": "U"}])
    assert prompt == "S\n\nU\n\n"
    assert lm.sample([prompt, "a"], 2, role="solver", max_new_tokens=4, seed=0)


def test_a_template_that_refuses_a_system_role_gets_its_text_in_the_first_turn(lm):
    lm.tokenizer.chat_template = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}"
        "{% endif %}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
        "{% if messages[-1].content == 'bad' %}{{ raise_exception('bad') }}{% endif %}"
    )
    turns = [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}]
    more = [{"role": "assistant", "content": "A"}, {"role": "user", "content": "V"}]
    assert lm.render(turns) == "[user]S\n\nU"
    assert render(lm.tokenizer, turns + more) == "[user]S\n\nU[assistant]A[user]V"
    assert agent(lm).solve("1 + 1", 1).chains
    for refused in (turns[:1], [*turns, {"role": "user", "content": "bad"}]):
        with pytest.raises(TemplateError):
            lm.render(refused)


@pytest.mark.parametrize("precision", ["int8", "nf4", "bfloat16"])
def test_every_precision_samples_and_learns(model_path, precision):
    if precision != "bfloat16":
        pytest.importorskip("bitsandbytes")
    lm = LanguageModel.load(model_path, precision=precision, rank=4)
    assert lm.sample(["a\n"], 2, role="solver", max_new_tokens=4, seed=0)
    losses = sft(lm, ROWS * 4, role="solver", config=CONFIG, seed=0).losses
    assert losses[-1] < losses[0]
    assert np.isfinite(lm.embed(["a"])).all()


@pytest.mark.parametrize("precision", ["int8", "nf4"])
@pytest.mark.parametrize("native", [True, False])
def test_a_gpu_without_bfloat16_computes_in_float16(monkeypatch, precision, native):
    def supported(including_emulation=True):
        return native or including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    options = _precision(precision, "cuda:0")
    expected = torch.bfloat16 if native else torch.float16
    assert options["dtype"] == expected and _precision(precision, "cpu")["dtype"] == torch.float32
    if precision == "nf4":
        assert options["quantization_config"].bnb_4bit_compute_dtype == expected


@pytest.mark.parametrize("precision", ["int8", "nf4", "bfloat16", "float32"])
def test_merged_weights_are_for_full_precision_only(model_path, precision):
    if precision in ("int8", "nf4"):
        pytest.importorskip("bitsandbytes")
    refused = pytest.raises(ValueError, match="precision must be float32 to sample from merged")
    with nullcontext() if precision == "float32" else refused:
        MergedModel.load(model_path, precision=precision, device="cpu")


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_a_training_step_multiplies_in_the_precision_of_the_base(model_path, precision):
    seen = set()

    class Products(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if func.overloadpacket in (torch.ops.aten.mm, torch.ops.aten.addmm, torch.ops.aten.bmm):
                seen.add(args[-1].dtype)
            return func(*args, **(kwargs or {}))

    lm = LanguageModel.load(model_path, precision=precision, rank=4)
    with Products(), lm.role("solver", train=True):
        lm.losses(["a\n"], ["bc"])[0].sum().backward()
    assert seen == {getattr(torch, precision)}
    learning = [p for p in lm.peft.parameters() if p.grad is not None]
    assert {p.grad.dtype for p in learning} == {p.dtype for p in learning} == {torch.float32}


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")
@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_compiled_layers_train_the_same_and_sample_uncompiled(model_path, monkeypatch, precision):
    captured = []

    def backend(graph, inputs):
        captured.append(graph)
        return graph.forward

    compiling = functools.partial(torch.compile, backend=backend, fullgraph=True)
    plain, compiled = (LanguageModel.load(model_path, precision=precision, rank=4) for _ in "ab")
    monkeypatch.setattr(torch, "compile", compiling)
    compiled.compiled = True
    trained = [sft(lm, ROWS, role="solver", config=CONFIG, seed=0) for lm in (plain, compiled)]
    graphs = len(captured)
    assert 0 < graphs <= 4
    assert trained[0] == trained[1]
    assert same(plain.weights("solver"), compiled.weights("solver"))
    texts = [
        lm.sample(["a\n"], 2, role="solver", max_new_tokens=4, seed=0) for lm in (plain, compiled)
    ]
    assert texts[0] == texts[1]
    assert plain.nll(["a"], ["b"], role="solver") == compiled.nll(["a"], ["b"], role="solver")
    assert len(captured) == graphs


def test_mixed_precision_gives_the_gradient_of_full_precision_but_for_rounding(model_path):
    gradients = []
    for precision in ("float32", "bfloat16"):
        lm = LanguageModel.load(model_path, precision=precision, rank=4)
        sft(lm, ROWS, role="solver", config=CONFIG, seed=0)
        with lm.role("solver", train=True):
            lm.losses(["ab\n"] * 2, ["cd", "efg"])[0].sum().backward()
            found = [p.grad.flatten() for p in lm.peft.parameters() if p.grad is not None]
        gradients.append(torch.cat(found))
    assert torch.cosine_similarity(*gradients, dim=0) > 0.98


def test_what_is_not_a_model_gets_one_line(tmp_path):
    with pytest.raises(ValueError, match="is not a causal language model") as error:
        LanguageModel.load(tmp_path)
    assert "\n" not in str(error.value)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="is not a causal language model"):
        LanguageModel.load(tmp_path)
    with pytest.raises(ValueError, match="precision must be"):
        LanguageModel.load(tmp_path, precision="int3")
    with pytest.raises(ValueError, match="not a causal language model"):
        run(RunConfig(agent="hf", model=str(tmp_path)))


def test_weights_that_are_cut_off_or_do_not_fit_get_one_line(make_model, tmp_path):
    file = make_model(tmp_path) / "model.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="is not a causal language model: ") as cut:
        LanguageModel.load(tmp_path)
    file.write_bytes(whole)
    weights = load_file(file)
    weights["model.norm.weight"] = torch.ones(7)
    save_file(weights, file, {"format": "pt"})
    with pytest.raises(ValueError, match="is not a causal language model: ") as other:
        LanguageModel.load(tmp_path)
    assert "\n" not in str(cut.value) + str(other.value)


def test_no_memory_for_the_weights_is_not_called_a_bad_model(model_path, monkeypatch):
    def full(*_, **__):
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", full)
    with pytest.raises(torch.OutOfMemoryError, match="no room"):
        LanguageModel.load(model_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"agent": "hf"}, "model must be a local path or a hub name"),
        ({"agent": "tiny", "model": "x"}, "model must be left out for agent tiny, got 'x'"),
        ({"agent": "hf", "model": "x", "chains": "y"}, "chains must be left out for agent hf"),
        ({"agent": "hf", "model": "x", "precision": "int3"}, "precision must be one of"),
    ],
)
def test_settings_that_do_not_fit_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        RunConfig(**settings)


def test_agents_say_what_they_expect(lm):
    with pytest.raises(ValueError, match="max_new_tokens must be at least 1, got 0"):
        HFAgent(lm, max_new_tokens=0)
    with pytest.raises(ValueError, match="heat must be above 0"):
        HFAgent(lm, heat=0)
    with pytest.raises(ValueError, match="k must be at least 1"):
        HFAgent(lm).solve("1 + 1", 0)
