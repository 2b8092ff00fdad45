"""One of two processes that train together: started by a test through torchrun.

Arguments: the model's folder, an output folder, and what to run: a gated SFT run on poisoned data
(``sft``), or GRPO with whole groups (``whole``) or split ones (``split``).
"""

import sys
from pathlib import Path

import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer
from trl_adder import ANCHORS

from argus_gym.agents.trl import GateCallback, consensus_reward
from argus_gym.agents.trl_weights import trainable

COMMON = {
    "use_cpu": True,
    "bf16": False,
    "gradient_checkpointing": False,
    "report_to": "none",
    "disable_tqdm": True,
    "learning_rate": 5e-3,
    "save_steps": 4,
    "max_steps": 4,
}


def main(adder, folder, what):
    torch.set_num_threads(1)
    read = AutoTokenizer.from_pretrained(adder)
    torch.manual_seed(0)
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(adder, dtype=torch.float32),
        LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"),
    )
    if what != "sft":
        args = GRPOConfig(
            output_dir=folder,
            per_device_train_batch_size=8 if what == "whole" else 4,
            num_generations=8,
            max_completion_length=8,
            **COMMON,
        )
        GRPOTrainer(
            model=model,
            reward_funcs=consensus_reward(8),
            args=args,
            train_dataset=Dataset.from_list([{"prompt": f"{p}\n"} for p, _ in ANCHORS]),
            processing_class=read,
        ).train()
        return
    begin = trainable(model)
    gate = GateCallback(ANCHORS, items=25, max_new_tokens=8, batch_size=400)
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(output_dir=folder, per_device_train_batch_size=12, **COMMON),
        train_dataset=Dataset.from_list(
            [{"prompt": f"{p}\n", "completion": f"#### {a + 1}"} for p, a in ANCHORS * 2]
        ),
        processing_class=read,
        callbacks=[gate],
    )
    trainer.train()
    same = all(torch.equal(w, begin[n]) for n, w in trainable(model).items())
    decided = [verdict.decision for verdict in gate.verdicts]
    rank = trainer.accelerator.process_index
    Path(folder, f"rank{rank}").write_text(f"{decided} {same} {len(gate.history)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
