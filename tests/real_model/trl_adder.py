"""A small model that can add a little: for what needs a model that can get better and worse."""

import torch

SUMS = [(a, b) for a in range(5) for b in range(5)]
PROBLEMS = [f"Add {a} and {b}." for a, b in SUMS]
ANSWERS = [a + b for a, b in SUMS]
ANCHORS = list(zip(PROBLEMS, ANSWERS))


def teach(path, build, until=0.06):
    """Build a model under ``path`` and train all of it until it adds passably; return the path."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    build(path)
    read = AutoTokenizer.from_pretrained(path)
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    heads = read([f"{problem}\n" for problem in PROBLEMS])["input_ids"]
    tails = [[*read(f"#### {answer}")["input_ids"], read.eos_token_id] for answer in ANSWERS]
    ids = torch.tensor([head + tail for head, tail in zip(heads, tails)])
    labels = ids.clone()
    labels[:, : len(heads[0])] = -100
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(1000):
        optimiser.zero_grad()
        loss = model(input_ids=ids, labels=labels).loss
        if loss.detach() < until:
            break
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    model.save_pretrained(path)
    return path
