"""The gate around TRL's trainers: honest runs pass, poisoned ones are taken back."""

import json
import math
import random

import numpy as np
import pytest
import torch

pytest.importorskip("trl", reason='needs pip install "argus-gym[llm]"')

from accelerate import PartialState
from accelerate.utils import DistributedType
from datasets import Dataset
from peft import LoraConfig, PeftModel, get_peft_model
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)
from trl import DPOConfig, DPOTrainer, GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer
from trl_adder import ANCHORS, ANSWERS, PROBLEMS, teach

from argus_gym.agents.trl import GateCallback, anchor_reward, consensus_reward
from argus_gym.agents.trl_rewards import graded
from argus_gym.agents.trl_sampling import likelihood, sample
from argus_gym.agents.trl_weights import Keeper, blend, finite, trainable
from argus_gym.wrappers.rules import RULES

COMMON = {
    "use_cpu": True,
    "bf16": False,
    "gradient_checkpointing": False,
    "report_to": "none",
    "disable_tqdm": True,
    "learning_rate": 5e-3,
    "lr_scheduler_type": "constant",
    "save_steps": 4,
    "logging_steps": 4,
    "max_steps": 8,
    "seed": 1,
}
GATE = {"items": 25, "max_new_tokens": 8, "batch_size": 400}


@pytest.fixture(scope="module")
def adder(tmp_path_factory, make_model):
    return teach(tmp_path_factory.mktemp("adder"), make_model)


@pytest.fixture
def read(adder):
    return AutoTokenizer.from_pretrained(adder)


@pytest.fixture
def model(adder):
    base = AutoModelForCausalLM.from_pretrained(adder, dtype=torch.float32)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return get_peft_model(
            base, LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")
        )


def rows(wrong=0):
    return [
        {"prompt": f"{problem}\n", "completion": f"#### {answer + wrong}"}
        for problem, answer in ANCHORS
    ]


def sft(model, read, folder, data, gate=None, **options):
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            output_dir=str(folder),
            per_device_train_batch_size=25,
            shuffle_dataset=False,
            **{**COMMON, **options},
        ),
        train_dataset=Dataset.from_list(data),
        processing_class=read,
        callbacks=[gate] if gate else [],
    )
    trainer.train()
    return trainer


def grpo(model, read, folder, reward, gate=None, **options):
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=reward,
        args=GRPOConfig(
            output_dir=str(folder),
            per_device_train_batch_size=100,
            num_generations=8,
            generation_batch_size=200,
            max_completion_length=8,
            **{**COMMON, **options},
        ),
        train_dataset=Dataset.from_list([{"prompt": f"{p}\n", "answer": a} for p, a in ANCHORS]),
        processing_class=read,
        callbacks=[gate] if gate else [],
    )
    trainer.train()
    return trainer


def accuracy(model, read):
    found = sample(
        model,
        read,
        [f"{problem}\n" for problem in PROBLEMS],
        32,
        max_new_tokens=8,
        temperature=1.0,
        batch_size=800,
        seed=7,
    )
    texts = [text for chains in found for text, _ in chains]
    return np.mean(graded(texts, [answer for answer in ANSWERS for _ in range(32)]))


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def lines(folder):
    text = (folder / "gate" / "ledger.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def decisions(gate):
    return [verdict.decision for verdict in gate.verdicts]


# The wiring


def test_an_honest_run_is_not_refused(model, read, tmp_path):
    gate, start = GateCallback(ANCHORS, **GATE), accuracy(model, read)
    trainer = sft(model, read, tmp_path, rows(), gate)
    assert decisions(gate) == ["COMMIT"] * 2
    assert accuracy(model, read) >= start
    logged = [entry for entry in trainer.state.log_history if "gate/decision" in entry]
    assert [entry["step"] for entry in logged] == [4, 8]
    assert all(entry["gate/refused"] == 0 and 0 < entry["gate/p"] <= 1 for entry in logged)
    events = [(line["event"], line["action"]) for line in lines(tmp_path)]
    assert events == [("run.started", "none"), *[("verdict.certified", "COMMIT")] * 2]
    assert len(gate.history) == 2 and gate.history[0].answers["retest"] == 2 * 25 * 8


def test_a_poisoned_run_is_refused_and_rolled_back(model, read, adder, tmp_path):
    gate, start, begin = GateCallback(ANCHORS, **GATE), accuracy(model, read), trainable(model)
    sft(model, read, tmp_path, rows(wrong=1), gate)
    assert decisions(gate) == ["REFUSE"] * 2
    assert same(trainable(model), begin) and accuracy(model, read) == start
    # The checkpoint is written after the decision.
    base = AutoModelForCausalLM.from_pretrained(adder, dtype=torch.float32)
    saved = PeftModel.from_pretrained(base, tmp_path / "checkpoint-8", is_trainable=True)
    assert same(trainable(saved), begin)
    sft(model, read, tmp_path / "free", rows(wrong=1))
    assert accuracy(model, read) < start - 0.3


def test_majority_votes_that_collapse_are_refused(model, read, tmp_path):
    """GRPO on the group's own majority: without truth, accuracy falls while the reward rises."""
    gate, begin = GateCallback(ANCHORS, **GATE), trainable(model)
    trainer = grpo(model, read, tmp_path, consensus_reward(8), gate, learning_rate=2e-2)
    assert "REFUSE" in decisions(gate)
    gated = accuracy(model, read)
    assert any("vote_share" in entry for entry in trainer.state.log_history)
    blend(model, begin)
    grpo(model, read, tmp_path / "free", consensus_reward(8), learning_rate=2e-2)
    assert accuracy(model, read) < gated - 0.3


def test_known_answers_are_not_refused(model, read, tmp_path):
    gate, start = GateCallback(ANCHORS, **GATE), accuracy(model, read)
    grpo(model, read, tmp_path, anchor_reward(), gate, learning_rate=2e-3)
    assert "REFUSE" not in decisions(gate) and len(gate.verdicts) == 2
    assert accuracy(model, read) > start - 0.02


def test_it_goes_around_dpo_as_well(model, read, tmp_path):
    gate, begin = GateCallback(ANCHORS, **GATE), trainable(model)
    wrong = [
        {"prompt": f"{p}\n", "chosen": f"#### {a + 1}", "rejected": f"#### {a}"} for p, a in ANCHORS
    ]
    args = DPOConfig(output_dir=str(tmp_path), per_device_train_batch_size=25, **COMMON)
    DPOTrainer(
        model=model,
        args=args,
        train_dataset=Dataset.from_list(wrong),
        processing_class=read,
        callbacks=[gate],
    ).train()
    assert decisions(gate)[0] == "REFUSE" and same(trainable(model), begin)


def test_a_model_without_adapter(adder, read, tmp_path):
    model = AutoModelForCausalLM.from_pretrained(adder, dtype=torch.float32)
    gate, begin = GateCallback(ANCHORS, **GATE), trainable(model)
    sft(model, read, tmp_path, rows(wrong=1), gate, max_steps=4)
    assert decisions(gate) == ["REFUSE"] and same(trainable(model), begin)
    kept = AutoModelForCausalLM.from_pretrained(tmp_path / "gate" / "certified-00000000")
    assert same(dict(kept.named_parameters()), {n: begin[n] for n, _ in kept.named_parameters()})


def test_the_trainers_own_course_is_not_touched(model, read, tmp_path):
    """Retests draw from generators of their own: a gate that never refuses changes no bit."""
    begin = trainable(model)
    gate = GateCallback(ANCHORS, **{**GATE, "items": 5}, rule="never")
    options = {"max_steps": 4, "save_steps": 2}
    grpo(model, read, tmp_path / "gated", anchor_reward(), gate, **options)
    gated = trainable(model)
    assert len(gate.verdicts) == 2
    blend(model, begin)
    grpo(model, read, tmp_path / "free", anchor_reward(), **options)
    assert same(gated, trainable(model))


# Weights that are no numbers


class Poison(TrainerCallback):
    """Makes a weight NaN in the given step, before the gate looks."""

    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            weight = next(p for p in kwargs["model"].parameters() if p.requires_grad)
            with torch.no_grad():
                weight[0, 0] = math.nan


@pytest.mark.parametrize("step", [2, 4])
def test_a_weight_that_is_no_number_is_refused_at_once(model, read, tmp_path, step):
    gate = GateCallback(ANCHORS, **GATE)
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(output_dir=str(tmp_path), per_device_train_batch_size=25, **COMMON),
        train_dataset=Dataset.from_list(rows()),
        processing_class=read,
        callbacks=[Poison(step), gate],
    )
    trainer.train()
    assert (gate.verdicts[0].rule, gate.verdicts[0].decision) == ("finite", "REFUSE")
    assert [v.rule for v in gate.verdicts].count("certified") == (2 if step == 2 else 1)
    assert finite(model)
    (refused,) = (line for line in lines(tmp_path) if line["event"] == "verdict.finite")
    assert refused["because"]["step"] == step and refused["action"] == "REFUSE"


def test_a_loss_that_is_no_number_is_taken_back(model, read, tmp_path):
    gate, begin = GateCallback(ANCHORS, **GATE), trainable(model)
    sft(model, read, tmp_path, rows(), gate, learning_rate=math.inf, max_steps=4)
    assert {v.rule for v in gate.verdicts} == {"finite"} and len(gate.verdicts) == 4
    assert same(trainable(model), begin)


# Rollback


class Watch(TrainerCallback):
    """Notes how many parameters the optimiser remembers, after the gate."""

    def __init__(self):
        self.seen = []

    def on_step_end(self, args, state, control, **kwargs):
        self.seen.append(len(kwargs["optimizer"].state))


def test_a_refusal_clears_the_optimiser(model, read, tmp_path):
    gate, watch = GateCallback(ANCHORS, **GATE), Watch()
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            output_dir=str(tmp_path), per_device_train_batch_size=25, **{**COMMON, "max_steps": 6}
        ),
        train_dataset=Dataset.from_list(rows(wrong=1)),
        processing_class=read,
        callbacks=[gate, watch],
    )
    trainer.train()
    count = len(trainable(model))
    assert watch.seen == [count, count, count, 0, count, 0]


def test_a_blend_is_a_share_of_the_way(model):
    begin = trainable(model)
    other = {name: weight + 1 for name, weight in begin.items()}
    for share in (0.0, 0.25, 1.0):
        blend(model, begin)
        blend(model, other, share)
        for name, weight in trainable(model).items():
            assert torch.allclose(weight, begin[name] + share, atol=1e-6)
    assert same(trainable(model), other)


# Certified weights on disk


def test_certified_weights_are_whole_and_usable(model, read, adder, tmp_path):
    gate = GateCallback(ANCHORS, **GATE, options={"every": 1, "tolerance": 0.5})
    sft(model, read, tmp_path, rows(), gate, max_steps=4)
    assert decisions(gate) == ["COMMIT_CERTIFIED"]
    folders = sorted(p.name for p in (tmp_path / "gate").iterdir() if p.is_dir())
    assert folders == ["certified-00000000", "certified-00000004"]
    base = AutoModelForCausalLM.from_pretrained(adder, dtype=torch.float32)
    kept = PeftModel.from_pretrained(base, tmp_path / "gate" / folders[1], is_trainable=True)
    assert same(trainable(kept), trainable(model))


def test_the_last_two_certified_states_are_kept(model, tmp_path):
    keeper, weights = Keeper(tmp_path), trainable(model)
    for step in (0, 5, 10, 15):
        keeper.save(keeper.name(step), model, weights)
    assert sorted(p.name for p in tmp_path.iterdir()) == [keeper.name(10), keeper.name(15)]
    assert same(keeper.load(keeper.name(15), weights), weights)
    with pytest.raises(ValueError, match="expected the weights of this model"):
        keeper.load(keeper.name(15), {"other": torch.zeros(1)})


def test_what_others_left_is_not_pruned_and_does_not_count(model, tmp_path):
    foreign, weights = tmp_path / "certified-00000099", trainable(model)
    foreign.mkdir(parents=True)
    keeper = Keeper(tmp_path, ["certified-00000000"], pinned="certified-00000000")
    for step in (0, 5, 10, 15):
        keeper.save(keeper.name(step), model, weights)
    assert keeper.kept == [keeper.name(step) for step in (0, 10, 15)]
    assert sorted(p.name for p in tmp_path.iterdir()) == [*keeper.kept, foreign.name]


def test_a_fresh_run_starts_anew_in_the_folder_of_an_earlier_one(model, read, tmp_path):
    begin = trainable(model)
    for name in ("certified-00000008", "certified-00000012", ".certified-00000012.tmp"):
        (tmp_path / "gate" / name).mkdir(parents=True)
    (tmp_path / "gate" / "ledger.jsonl").write_text("an earlier run\n")
    (tmp_path / "gate" / "notes.txt").write_text("mine")
    gate = GateCallback(ANCHORS, **GATE)
    sft(model, read, tmp_path, rows(), gate, max_steps=4)
    found = sorted(p.name for p in (tmp_path / "gate").iterdir())
    assert found == ["certified-00000000", "ledger.jsonl", "notes.txt"]
    assert [line["event"] for line in lines(tmp_path)] == ["run.started", "verdict.certified"]
    kept = Keeper(tmp_path / "gate").load("certified-00000000", begin)
    assert same(kept, begin)


def test_a_run_resumed_from_an_older_checkpoint_keeps_what_that_names(
    model, read, tmp_path, monkeypatch
):
    class Certain(RULES["never"]):
        def decide(self, evidence):
            return self.verdict(evidence, "COMMIT_CERTIFIED", "for the test", {})

    monkeypatch.setitem(RULES, "never", Certain)

    def run(max_steps, checkpoint=None):
        gate = GateCallback(ANCHORS, **{**GATE, "items": 1}, rule="never")
        trainer = SFTTrainer(
            model=model,
            args=SFTConfig(
                output_dir=str(tmp_path),
                per_device_train_batch_size=25,
                **{**COMMON, "max_steps": max_steps},
            ),
            train_dataset=Dataset.from_list(rows()),
            processing_class=read,
            callbacks=[gate],
        )
        trainer.train(resume_from_checkpoint=checkpoint and str(tmp_path / checkpoint))
        return sorted(int(p.name[10:]) for p in (tmp_path / "gate").glob("certified-*"))

    assert run(12) == [8, 12]
    # The same again: the first one left 12, and 16 which the second has not reached.
    assert run(16, "checkpoint-8") == [8, 12, 16]
    assert run(12, "checkpoint-8") == [8, 12, 16]
    assert run(20, "checkpoint-12") == [12, 16, 20]


def test_an_interrupted_save_leaves_the_last_ones(model, read, adder, tmp_path, monkeypatch):
    begin = trainable(model)
    gate = GateCallback(ANCHORS, **GATE, options={"every": 1, "tolerance": 0.5})
    save = PeftModel.save_pretrained

    def broken(self, folder, **options):
        if "certified-00000004" in str(folder):
            (folder / "adapter_config.json").write_text("half")
            raise OSError("no space left on device")
        return save(self, folder, **options)

    monkeypatch.setattr(PeftModel, "save_pretrained", broken)
    with pytest.raises(OSError, match="no space left"):
        sft(model, read, tmp_path, rows(), gate)
    monkeypatch.undo()
    assert [p.name for p in (tmp_path / "gate").glob("certified-*")] == ["certified-00000000"]
    base = AutoModelForCausalLM.from_pretrained(adder, dtype=torch.float32)
    kept = PeftModel.from_pretrained(
        base, tmp_path / "gate" / "certified-00000000", is_trainable=True
    )
    assert same(trainable(kept), begin)


def test_a_run_goes_on_where_its_checkpoint_was(model, read, tmp_path):
    begin = trainable(model)
    options = {"options": {"every": 2, "tolerance": 0.5}}
    whole = GateCallback(ANCHORS, **GATE, **options, folder=tmp_path / "whole_gate")
    sft(model, read, tmp_path / "whole", rows(), whole, max_steps=12)
    end = trainable(model)

    blend(model, begin)
    first = GateCallback(ANCHORS, **GATE, **options)
    sft(model, read, tmp_path / "parts", rows(), first)
    blend(model, begin)
    second = GateCallback(ANCHORS, **GATE, **options)
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            output_dir=str(tmp_path / "parts"),
            per_device_train_batch_size=25,
            shuffle_dataset=False,
            **{**COMMON, "max_steps": 12},
        ),
        train_dataset=Dataset.from_list(rows()),
        processing_class=read,
        callbacks=[second],
    )
    trainer.train(resume_from_checkpoint=str(tmp_path / "parts" / "checkpoint-8"))
    assert decisions(whole)[1] == "COMMIT_CERTIFIED"
    assert len(second.history) == 3 and len(second.verdicts) == 1
    assert [r.verdict.decision for r in second.history] == decisions(whole)
    assert second._name == "certified-00000008"
    assert same(trainable(model), end)


def test_the_same_seed_gives_the_same_ledger(model, read, tmp_path):
    begin, found = trainable(model), []
    for folder, seed in (("a", 0), ("b", 0), ("c", 1)):
        blend(model, begin)
        gate = GateCallback(ANCHORS, **GATE, seed=seed)
        sft(model, read, tmp_path / folder, rows(), gate, max_steps=4)
        found.append((tmp_path / folder / "gate" / "ledger.jsonl").read_bytes())
    assert found[0] == found[1] != found[2]


# Rules


@pytest.mark.parametrize("rule", sorted(RULES))
def test_every_rule_of_the_gate_decides(model, read, tmp_path, rule):
    pairs = [(row["prompt"], row["completion"]) for row in rows(wrong=1)]
    gate = GateCallback(ANCHORS, **GATE, rule=rule, trained=pairs[:5], heldout=pairs[5:8])
    sft(model, read, tmp_path, rows(wrong=1), gate, max_steps=4)
    (verdict,) = gate.verdicts
    assert verdict.rule == rule and verdict.answers == gate.history[0].answers["retest"]
    report = gate.history[0].report
    # The wrong answers have been learnt: that gauge rises while the model gets worse.
    assert report.train[0] > report.train[1] and report.heldout[0] > report.heldout[1]
    refuses = {"certified", "hill_climb", "mcnemar", "pace", "v3.4"}
    assert (verdict.decision == "REFUSE") == (rule in refuses)


def test_the_rule_may_ask_for_more(model, read, tmp_path):
    gate = GateCallback(ANCHORS, **{**GATE, "items": 2})
    sft(model, read, tmp_path, rows(), gate, max_steps=4)
    (record,) = gate.history
    assert len(record.retests) == 25 and record.answers["retest"] == 400


def test_the_last_steps_are_judged_too(model, read, tmp_path):
    class Stop(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            control.should_training_stop = state.global_step == 6

    gate = GateCallback(ANCHORS, **GATE)
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(output_dir=str(tmp_path), per_device_train_batch_size=25, **COMMON),
        train_dataset=Dataset.from_list(rows()),
        processing_class=read,
        callbacks=[Stop(), gate],
    )
    trainer.train()
    assert [line["because"]["step"] for line in lines(tmp_path)] == [0, 4, 6]


def test_epochs(model, read, tmp_path):
    gate = GateCallback(ANCHORS, **GATE)
    options = {"save_strategy": "epoch", "num_train_epochs": 2, "max_steps": -1}
    sft(model, read, tmp_path, rows() * 2, gate, **options)
    assert [line["because"]["step"] for line in lines(tmp_path)] == [0, 2, 4]


# Sampling


def test_sampling_leaves_generators_mode_and_gradients_alone(model, read):
    model.train()
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    states = random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    options = {"max_new_tokens": 4, "temperature": 1.0, "seed": 2}
    one = sample(model, read, ["Add 1 and 1.\n", "4\n"], 3, batch_size=6, **options)
    assert torch.equal(torch.rand(2), expected) and random.getstate() == states[0]
    assert (np.random.get_state()[1] == states[1]).all()  # noqa: NPY002
    assert model.training and torch.is_grad_enabled()
    assert one == sample(model, read, ["Add 1 and 1.\n", "4\n"], 3, batch_size=6, **options)
    assert [len(chains) for chains in one] == [3, 3]
    assert all(1 <= tokens <= 4 for chains in one for _, tokens in chains)


def test_likelihood_is_the_mean_of_the_completions(model, read):
    pairs = [("Add 1 and 1.\n", "#### 2"), ("Add 4 and 4.\n", "#### 8 or so")]
    expected = []
    for prompt, completion in pairs:
        head, tail = read(prompt)["input_ids"], read(completion)["input_ids"]
        ids = torch.tensor([*head, *tail, read.eos_token_id])
        with torch.no_grad():
            logs = model(input_ids=ids[None]).logits[0].log_softmax(-1)
        at = torch.arange(len(head), len(ids))
        expected.append(-float(logs[at - 1, ids[at]].mean()))
    assert likelihood(model, read, pairs) == pytest.approx(np.mean(expected), abs=1e-5)
    assert math.isnan(likelihood(model, read, []))


def test_the_models_own_sampling_settings_do_not_count(model, read):
    def drawn():
        options = {"max_new_tokens": 12, "temperature": 1.0, "batch_size": 9, "seed": 2}
        return sample(model, read, ["Add 1 and 1.\n", "4\n"], 4, **options)

    free = drawn()
    own = model.generation_config
    own.repetition_penalty, own.top_k, own.min_p, own.no_repeat_ngram_size = 1.5, 2, 0.3, 2
    assert drawn() == free


def test_a_text_gets_the_special_tokens_that_trl_trains_it_with(model, read, tmp_path, monkeypatch):
    """Messages get those of the chat template alone; it may refuse a system role."""
    read.backend_tokenizer.post_processor = TemplateProcessing(
        single="<unk> $A", special_tokens=[("<unk>", read.unk_token_id)]
    )
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(output_dir=str(tmp_path), **COMMON),
        train_dataset=Dataset.from_list([{"prompt": "4\n", "completion": "5"}]),
        processing_class=read,
    )
    trained = trainer.train_dataset[0]["input_ids"][:3]
    assert trained[0] == read.unk_token_id
    seen, generate = [], model.generate

    def spy(**options):
        seen.append(options["input_ids"].tolist())
        return generate(**options)

    monkeypatch.setattr(model, "generate", spy)
    options = {"max_new_tokens": 1, "temperature": 1.0, "batch_size": 1, "seed": 0}
    sample(model, read, ["4\n"], 1, **options)
    read.chat_template = (
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no') }}{% endif %}"
        "{{ m.content + '\n' }}{% endfor %}"
    )
    asked = [{"role": "system", "content": "1"}, {"role": "user", "content": "4"}]
    sample(model, read, [asked[1:]], 1, **options)
    sample(model, read, [asked], 1, **options)
    assert seen[0] == [trained] and seen[1] == [trained[1:]]
    assert read.decode(seen[2][0]).endswith("4\n") and "1" in read.decode(seen[2][0])


def test_a_batch_that_does_not_fit_is_halved_and_a_single_row_stops_with_advice(
    model, read, monkeypatch
):
    room, generate = 2, model.generate

    def tight(**options):
        if len(options["input_ids"]) > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return generate(**options)

    monkeypatch.setattr(model, "generate", tight)
    options = {"max_new_tokens": 2, "temperature": 1.0, "batch_size": 8, "seed": 0}
    assert [len(chains) for chains in sample(model, read, ["1\n", "2\n"], 4, **options)] == [4, 4]
    room = 0
    model.train()
    with pytest.raises(MemoryError, match="a single sequence: use a smaller model"):
        sample(model, read, ["1\n"], 4, **options)
    assert model.training and torch.is_grad_enabled()


def test_a_likelihood_that_does_not_fit_stops_with_advice(model, read, monkeypatch):
    def full(**options):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(model, "forward", full)
    with pytest.raises(MemoryError, match="a single sequence: use a smaller model"):
        likelihood(model, read, [("1\n", "2")])


# Bad input


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"anchors": []}, "anchors must hold at least one problem"),
        ({"anchors": [("", 1)]}, "an anchor must be a problem with its answer"),
        ({"anchors": [("1 + 1", None)]}, "an anchor must be a problem with its answer"),
        ({"anchors": [("1 + 1", [])]}, "an answer must be a number or a text"),
        ({"rule": "certifed"}, "certified\\?"),
        ({"alpha": 2}, "alpha"),
        ({"options": {"evry": 1}}, "evry"),
        ({"items": 0}, "items must be at least 1"),
        ({"chains": 0}, "chains must be at least 1"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"temperature": 0}, "temperature must be above 0"),
        ({"seed": -1}, "seed must be at least 0"),
    ],
)
def test_bad_arguments(options, said):
    with pytest.raises(ValueError, match=said):
        GateCallback(**({"anchors": ANCHORS} | options))


def test_a_run_that_never_saves(model, read, tmp_path):
    with pytest.raises(ValueError, match="save_strategy must be 'steps' or 'epoch', got 'no'"):
        sft(model, read, tmp_path, rows(), GateCallback(ANCHORS), save_strategy="no")


def test_weights_that_the_gate_would_not_see(model, read, tmp_path):
    best = {"eval_strategy": "steps", "eval_steps": 4, "load_best_model_at_end": True}
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(output_dir=str(tmp_path), **COMMON, **best),
        train_dataset=Dataset.from_list(rows()),
        eval_dataset=Dataset.from_list(rows()),
        processing_class=read,
        callbacks=[GateCallback(ANCHORS)],
    )
    with pytest.raises(ValueError, match="load_best_model_at_end must be False under the gate"):
        trainer.train()


@pytest.mark.parametrize("kind", ["FSDP", "DEEPSPEED"])
def test_weights_that_accelerate_shards(model, read, tmp_path, monkeypatch, kind):
    class Launched(TrainerCallback):
        """What ``accelerate launch`` sets up, which the arguments do not show."""

        def on_train_begin(self, args, state, control, **kwargs):
            shared = PartialState._shared_state
            monkeypatch.setitem(shared, "distributed_type", DistributedType[kind])

    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(output_dir=str(tmp_path), **COMMON),
        train_dataset=Dataset.from_list(rows()),
        processing_class=read,
        callbacks=[Launched(), GateCallback(ANCHORS)],
    )
    with pytest.raises(ValueError, match="no FSDP, no DeepSpeed"):
        trainer.train()


def test_a_trainer_without_tokenizer(model, tmp_path):
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(tmp_path), use_cpu=True, report_to="none", max_steps=1, save_steps=1
        ),
        train_dataset=[{"input_ids": [5, 6], "labels": [5, 6]}],
        callbacks=[GateCallback(ANCHORS)],
    )
    with pytest.raises(ValueError, match="give the trainer its processing_class"):
        trainer.train()
    assert not (tmp_path / "gate").exists()


def test_certified_weights_that_are_gone(model, read, tmp_path):
    sft(model, read, tmp_path, rows(), GateCallback(ANCHORS, **GATE), max_steps=4)
    for file in (tmp_path / "gate" / "certified-00000000").iterdir():
        file.unlink()
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(output_dir=str(tmp_path), per_device_train_batch_size=25, **COMMON),
        train_dataset=Dataset.from_list(rows()),
        processing_class=read,
        callbacks=[GateCallback(ANCHORS, **GATE)],
    )
    with pytest.raises(ValueError, match="expected the certified weights of this run"):
        trainer.train(resume_from_checkpoint=True)
