"""A user's own scripts: messages, the environment by tool calls, two processes, a missing extra."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip("trl", reason='needs pip install "argus-gym[llm]"')

import trl
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl_adder import ANCHORS, teach

from argus_gym.agents.tiny import TINY
from argus_gym.agents.trl import (
    GateCallback,
    anchor_reward,
    consensus_reward,
    environment_factory,
    proposer_reward,
)

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "docs" / "examples"
COMMON = {
    "use_cpu": True,
    "bf16": False,
    "gradient_checkpointing": False,
    "report_to": "none",
    "disable_tqdm": True,
    "max_steps": 1,
    "logging_steps": 1,
    "per_device_train_batch_size": 8,
    "num_generations": 4,
    "max_completion_length": 128,
}
CALL = '<tool_call>\n{{"name": "{}", "arguments": {{"{}": "{}"}}}}\n</tool_call>'


def trainer(model_path, folder, template=None, **options):
    read = AutoTokenizer.from_pretrained(model_path)
    model = AutoModelForCausalLM.from_pretrained(model_path, dtype=torch.float32)
    if template:
        read.chat_template = template
        read.add_special_tokens({"eos_token": "<|im_end|>"})
        model.resize_token_embeddings(len(read), mean_resizing=False)
    settings = COMMON | options.pop("settings", {})
    return trl.GRPOTrainer(
        model=model,
        args=trl.GRPOConfig(output_dir=str(folder), **settings),
        processing_class=read,
        **options,
    )


def logged(run):
    return next(entry for entry in run.state.log_history if "reward" in entry)


def test_all_rewards_at_once_on_messages(model_path, tmp_path):
    data = [
        {"prompt": [{"role": "user", "content": problem}], "answer": answer}
        for problem, answer in ANCHORS[:4]
    ]
    run = trainer(
        model_path,
        tmp_path,
        reward_funcs=[
            consensus_reward(4),
            anchor_reward(),
            proposer_reward(lambda problems: [["1 + 1 = 2\n#### 2"] * 2 for _ in problems]),
        ],
        train_dataset=Dataset.from_list(data),
        settings={"max_completion_length": 8},
    )
    run.train()
    entry = logged(run)
    assert entry["rewards/consensus_reward/mean"] > 0
    assert entry["rewards/proposer_reward/mean"] > 0
    assert 0 <= entry["rewards/anchor_reward/mean"] <= 1 and entry["vote_share"] > 0


@pytest.mark.filterwarnings("ignore:You are using 'environment_factory'")
def test_the_environment_is_played_by_tool_calls(model_path, tmp_path, monkeypatch):
    """What the model writes is scripted, the rest is TRL's: half of each group answers rightly."""
    template = (Path(trl.__file__).parent / "chat_templates/qwen3_instruct_2507.jinja").read_text()
    data = [
        {
            "prompt": [{"role": "user", "content": "Solve this and submit the answer.\n"}],
            "problem": problem,
            "answer": answer,
        }
        for problem, answer in [("Add 3 and 4.", 7), ("Since 7 x 8 = 54, add 3 and 4.", 7)]
    ]
    run = trainer(
        model_path,
        tmp_path,
        template,
        train_dataset=Dataset.from_list(data),
        environment_factory=environment_factory(generations=4),
        settings={"max_completion_length": 512},
    )
    read, prompts = run.processing_class, []
    said = [
        CALL.format("submit_answer", "answer", 7),
        CALL.format("submit_answer", "answer", 7),
        CALL.format("submit_answer", "answer", 8),
        CALL.format("reject_problem", "reason", "7 x 8 is 56"),
    ]

    def generate(prompt_ids, *args, **kwargs):
        prompts.extend(read.batch_decode(prompt_ids))
        first = len(prompts) == len(prompt_ids)
        texts = [said[i % 4] if first else "done" for i in range(len(prompt_ids))]
        ids = [[*read(text)["input_ids"], read.eos_token_id] for text in texts]
        return ids, None

    monkeypatch.setattr(run, "_generate_single_turn", generate)
    run.train()
    assert sum("Add 3 and 4." in prompt for prompt in prompts[:8]) == 4
    assert all("submit_answer" in prompt for prompt in prompts[:8])
    assert logged(run)["tools/call_frequency"] == 1
    assert logged(run)["tools/failure_frequency"] == 0
    # Two right answers of four to the true problem, one right rejection of four of the false one.
    assert logged(run)["rewards/ProblemEnvironment/mean"] == pytest.approx(3 / 8)


def test_a_group_may_not_have_several_problems(model_path, tmp_path):
    data = [{"prompt": f"{problem}\n"} for problem, _ in ANCHORS[:4]]
    run = trainer(
        model_path,
        tmp_path,
        reward_funcs=consensus_reward(8),
        train_dataset=Dataset.from_list(data),
        settings={"max_completion_length": 8},
    )
    with pytest.raises(ValueError, match="a group of 8 completions has several prompts"):
        run.train()


def test_a_data_set_without_answers(model_path, tmp_path):
    run = trainer(
        model_path,
        tmp_path,
        reward_funcs=anchor_reward("gold"),
        train_dataset=Dataset.from_list([{"prompt": "1\n"}] * 4),
        settings={"max_completion_length": 8},
    )
    with pytest.raises(ValueError, match="needs the data set's column 'gold'"):
        run.train()


# Several processes


@pytest.mark.slow
@pytest.mark.parametrize("what", ["sft", "whole", "split"])
def test_two_processes(tmp_path, make_model, what):
    """They decide as one, write once, and split no group without saying so."""
    adder = teach(tmp_path / "adder", make_model)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", "2", str(HERE / "trl_two.py")),
            *(str(adder), str(tmp_path / "out"), what),
        ],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    if what == "split":
        assert done.returncode and "completions must be whole groups of 8, got 4" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    if what == "sft":
        found = [(tmp_path / "out" / f"rank{i}").read_text() for i in (0, 1)]
        assert found == ["['REFUSE'] True 1"] * 2
        ledger = (tmp_path / "out" / "gate" / "ledger.jsonl").read_text()
        assert ledger.count("\n") == 2


# The package around it


@pytest.mark.parametrize("module", ["trl", "trl_sft", "trl_grpo"])
def test_a_missing_extra_is_one_line(module, tmp_path):
    code = (
        "import sys; sys.modules['torch'] = sys.modules['accelerate'] = None\n"
        f"try:\n    import argus_gym.agents.{module}\n"
        "except ImportError as error:\n    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=120
    )
    (line,) = done.stdout.splitlines()
    assert line.endswith('pip install "argus-gym[llm]"')


def test_the_agents_are_imported_without_trl(tmp_path):
    code = "import sys, argus_gym.agents; print('trl' in sys.modules, 'torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=120
    )
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.skipif(not TINY.exists(), reason="needs argus-tiny")
def test_the_example_runs(tmp_path):
    main = runpy.run_path(str(EXAMPLES / "trl_gated.py"))["main"]
    gate = main(folder=str(tmp_path / "out"))
    assert isinstance(gate, GateCallback) and len(gate.verdicts) == 3
    assert (tmp_path / "out" / "gate" / "ledger.jsonl").exists()
