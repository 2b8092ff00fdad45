"""The language-model agent: adapters, sampling, losses, snapshots and the loop around it."""

import json
import math

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import argus_gym
from argus_gym.agents import Agent, rollout
from argus_gym.agents.hf import HFAgent
from argus_gym.agents.language_model import LanguageModel
from argus_gym.agents.sft import DivergedError, Row, SFTConfig, sft
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


# Sampling


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

    lm.rows = 16
    monkeypatch.setattr(lm, "_generate", tight)
    out = lm.sample(["a\n", "b\n", "c\n"], 4, role="solver", max_new_tokens=4, seed=0)
    assert [len(chains) for chains in out] == [4, 4, 4] and lm.rows == 4
    assert sizes == [12, 8, 4, 4, 4]


def test_no_memory_for_a_single_sequence_stops_with_advice(lm, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(lm, "_generate", full)
    with pytest.raises(MemoryError, match="smaller model"):
        lm.sample(["a\n"], 2, role="solver", max_new_tokens=4, seed=0)


def test_greedy_chains_are_all_the_same(lm):
    (chains,) = lm.sample(["a\n"], 3, role="solver", max_new_tokens=6, temperature=0, seed=0)
    assert len({s.text for s in chains}) == 1


def test_a_prompt_longer_than_the_window_loses_its_start(lm):
    (one,) = lm.sample(["x" * 5_000 + "\n"], 1, role="solver", max_new_tokens=8, seed=0)
    assert 1 <= one[0].tokens <= 8
    assert np.isfinite(lm.nll(["x" * 5_000], ["y" * 5_000], role="solver")).all()
    assert np.isfinite(lm.embed(["x" * 5_000])).all()


# Embeddings and losses


def test_embeddings_do_not_depend_on_padding_or_adapters(lm):
    texts = ["short", "a much longer problem with many more words in it", "中文 é √"]
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
    split.rows = 3
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
    for name in ("rounds.jsonl", "external.json"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert whole.summary is not None


# Models of all kinds


def test_no_chat_template_and_no_pad_token_still_work(make_model, tmp_path):
    lm = LanguageModel.load(make_model(tmp_path, template=None, pad=None), rank=2)
    assert lm.tokenizer.pad_token_id == lm.tokenizer.eos_token_id
    prompt = lm.render([{"role": "system", "content": "S"}, {"role": "user", "content": "U"}])
    assert prompt == "S\n\nU\n\n"
    assert lm.sample([prompt, "a"], 2, role="solver", max_new_tokens=4, seed=0)


@pytest.mark.parametrize("precision", ["int8", "nf4", "bfloat16"])
def test_every_precision_samples_and_learns(model_path, precision):
    if precision != "bfloat16":
        pytest.importorskip("bitsandbytes")
    lm = LanguageModel.load(model_path, precision=precision, rank=4)
    assert lm.sample(["a\n"], 2, role="solver", max_new_tokens=4, seed=0)
    losses = sft(lm, ROWS * 4, role="solver", config=CONFIG, seed=0).losses
    assert losses[-1] < losses[0]
    assert np.isfinite(lm.embed(["a"])).all()


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
