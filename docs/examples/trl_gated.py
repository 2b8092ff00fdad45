"""TRL's GRPOTrainer on majority votes, with the gate around it. Runs on a CPU in about a minute.

python docs/examples/trl_gated.py [MODEL] [FOLDER]
"""

import sys

import numpy as np
import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import GRPOConfig, GRPOTrainer

from argus_gym import problems
from argus_gym.agents.prompts import solver_messages
from argus_gym.agents.tiny import TINY
from argus_gym.agents.trl import GateCallback, consensus_reward

STEPS, GENERATIONS = 6, 8


def draw(rng, n):
    """Return n different problems of one and two steps with their answers."""
    found = {}
    while len(found) < n:
        family = problems.FAMILIES[rng.integers(len(problems.FAMILIES))]
        problem = problems.generate(family, int(rng.integers(1, 3)), rng)
        found[problem.text] = problem.answer
    return list(found.items())


def main(model=TINY, folder="trl_gated"):
    """Train, and print what the gate decided."""
    rng = np.random.default_rng(0)
    drawn = draw(rng, 48)
    anchors, training = drawn[:16], drawn[16:]
    read = AutoTokenizer.from_pretrained(model)
    cpu = not torch.cuda.is_available()
    # On a shared machine two threads are several times slower than one.
    torch.set_num_threads(1)
    gate = GateCallback(anchors, max_new_tokens=48)
    trainer = GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32),
        reward_funcs=consensus_reward(GENERATIONS),
        args=GRPOConfig(
            output_dir=str(folder),
            use_cpu=cpu,
            bf16=False,
            gradient_checkpointing=False,
            per_device_train_batch_size=2 * GENERATIONS,
            num_generations=GENERATIONS,
            max_completion_length=48,
            learning_rate=1e-3,
            max_steps=STEPS,
            save_steps=2,
            logging_steps=2,
            report_to="none",
        ),
        train_dataset=Dataset.from_list(
            [{"prompt": solver_messages(text)} for text, _ in training]
        ),
        processing_class=read,
        peft_config=LoraConfig(r=8, target_modules="all-linear", task_type="CAUSAL_LM"),
        callbacks=[gate],
    )
    trainer.train()
    for verdict in gate.verdicts:
        print(f"round {verdict.round}: {verdict.decision}: {verdict.reason}")
    print(f"certified weights and the ledger are in {folder}/gate")
    return gate


if __name__ == "__main__":
    main(*sys.argv[1:])
