"""What argus-tiny can do: pass@1 and pass@16 of the solver, how good a proposer's problems are."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from argus_gym import consensus, premise
from argus_gym.agents.prompts import Messages, solver_messages
from argus_gym.agents.tiny_data import LENGTHS, LONGEST, Request, draw_problem, draw_request
from argus_gym.intervals import pass_at_k, wilson
from argus_gym.problems import FAMILIES, Problem, read

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["TEMPERATURE", "K", "evaluate", "heldout_problems", "probe", "sample", "solved"]

K = 16
TEMPERATURE = 0.8
_MAX_NEW_TOKENS = 256


def heldout_problems(per_cell: int, seed: int) -> list[Problem]:
    """Return different held-out problems, ``per_cell`` of each family and number of steps."""
    rng = np.random.default_rng(np.random.SeedSequence((seed, 1)))
    found: dict[str, Problem] = {}
    for family in FAMILIES:
        for steps in range(1, LONGEST + 1):
            size = len(found) + per_cell
            while len(found) < size:
                problem = draw_problem(rng, family, steps, held=True)
                found.setdefault(problem.text, problem)
    return list(found.values())


def sample(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompts: Sequence[Messages],
    k: int,
    seed: int,
) -> list[list[str]]:
    """Return ``k`` answers to each prompt, at temperature 0.8 over the whole vocabulary.

    The global generators are left as they were.
    """
    import torch

    device = model.device
    rows = 4096 if device.type == "cuda" else 256
    rendered = [
        tokenizer.apply_chat_template(m, tokenize=False, add_generation_prompt=True)
        for m in prompts
    ]
    order = sorted(range(len(prompts)), key=lambda i: (len(rendered[i]), i))
    step = max(rows // k, 1)
    answers: list[list[str]] = [[] for _ in prompts]
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        for at in range(0, len(order), step):
            part = order[at : at + step]
            coded = tokenizer([rendered[i] for i in part], padding=True, return_tensors="pt")
            out = model.generate(
                input_ids=coded["input_ids"].to(device),
                attention_mask=coded["attention_mask"].to(device),
                do_sample=True,
                temperature=TEMPERATURE,
                top_k=0,
                top_p=1.0,
                num_return_sequences=k,
                max_new_tokens=_MAX_NEW_TOKENS,
            )
            new = out[:, coded["input_ids"].shape[1] :].cpu()
            texts = tokenizer.batch_decode(new, skip_special_tokens=True)
            for place, i in enumerate(part):
                answers[i] = texts[place * k : (place + 1) * k]
    return answers


def solved(problem: Problem, chain: str) -> bool:
    """Return whether a chain's final answer is the problem's."""
    read_back = consensus.parse(chain)
    return read_back.answer == problem.answer and not read_back.percent


def _rates(right: np.ndarray) -> dict[str, Any]:
    """Return pass@1 and pass@16 of problems with these counts of right chains, with intervals.

    The problem is the unit of both 95 % intervals: normal for pass@1, Wilson's for pass@16.
    """
    n = len(right)
    one, many = pass_at_k(K, right, 1), pass_at_k(K, right, K)
    half = 1.96 * float(one.std(ddof=1)) / math.sqrt(n) if n > 1 else 0.5
    mean = float(one.mean())
    return {
        "problems": n,
        "pass_at_1": mean,
        "pass_at_1_interval": [max(mean - half, 0.0), min(mean + half, 1.0)],
        "pass_at_16": float(many.mean()),
        "pass_at_16_interval": list(wilson(int(many.sum()), n)),
    }


def _as_drawn(problems: Sequence[Problem], right: np.ndarray) -> dict[str, Any]:
    """Return the rates with lengths weighted as training draws them; 95 % normal intervals."""
    steps = np.array([len(p.steps) for p in problems])
    found: dict[str, Any] = {"problems": len(problems)}
    for name, k in (("pass_at_1", 1), ("pass_at_16", K)):
        rates = pass_at_k(K, right, k)
        parts = [rates[steps == s] for s in range(1, LONGEST + 1)]
        mean = float(sum(w * part.mean() for w, part in zip(LENGTHS, parts)))
        spread = [w * w * part.var(ddof=1) / len(part) for w, part in zip(LENGTHS, parts)]
        half = 1.96 * math.sqrt(sum(spread))
        found |= {name: mean, f"{name}_interval": [max(mean - half, 0.0), min(mean + half, 1.0)]}
    return found


def _by(
    problems: Sequence[Problem], right: np.ndarray, key: Callable[[Problem], Any]
) -> dict[str, Any]:
    keys = [key(p) for p in problems]
    return {
        str(value): _rates(right[[i for i, k in enumerate(keys) if k == value]])
        for value in dict.fromkeys(keys)
    }


def _solver(problems: Sequence[Problem], chains: Sequence[Sequence[str]]) -> dict[str, Any]:
    right = np.array([sum(solved(p, c) for c in cs) for p, cs in zip(problems, chains)])
    ends = [text.rpartition("\n")[2].startswith("#### ") for cs in chains for text in cs]
    full = [
        len(text.splitlines()) == len(p.steps) + 1 for p, cs in zip(problems, chains) for text in cs
    ]
    return {
        "as_drawn": _as_drawn(problems, right),
        "all": _rates(right),
        "by_family": _by(problems, right, lambda p: p.family),
        "by_steps": _by(problems, right, lambda p: len(p.steps)),
        "chains_that_end_in_an_answer": float(np.mean(ends)),
        "chains_of_the_right_number_of_steps": float(np.mean(full)),
    }


def _share(hits: Sequence[bool]) -> dict[str, Any]:
    if not hits:
        return {"n": 0}
    return {
        "n": len(hits),
        "share": sum(hits) / len(hits),
        "interval": wilson(sum(hits), len(hits)),
    }


def _proposer(requests: Sequence[Request], texts: Sequence[str]) -> dict[str, Any]:
    found = [read(text) for text in texts]
    shown = [(r, p) for r, p in zip(requests, found) if r.example is not None and p is not None]
    changes = [(r.rate, len(p.steps) - len(r.example.steps)) for r, p in shown if r.example]
    both = [
        p is not None and premise.check(text).ok and p.family == r.example.family
        for r, p, text in zip(requests, found, texts)
        if r.example is not None
    ]
    steps = [len(p.steps) for p in found if p is not None]
    return {
        "readable": _share([p is not None for p in found]),
        "pass_the_premise_check": _share([premise.check(text).ok for text in texts]),
        "of_the_family_of_the_example": _share(
            [p.family == r.example.family for r, p in shown if r.example]
        ),
        "readable_true_and_of_the_family": _share(both),
        "longer_where_rate_above_0.8": _share([d > 0 for rate, d in changes if rate > 0.8]),
        "shorter_where_rate_below_0.4": _share([d < 0 for rate, d in changes if rate < 0.4]),
        "within_one_step_otherwise": _share(
            [abs(d) <= 1 for rate, d in changes if not (rate < 0.4 or rate > 0.8)]
        ),
        "copies_of_the_example": _share(
            [r.example.text == t for r, t in zip(requests, texts) if r.example]
        ),
        "different": _share([text not in texts[:i] for i, text in enumerate(texts)]),
        "readable_by_steps": {str(s): steps.count(s) for s in range(1, LONGEST + 1)},
    }


def probe(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", seed: int) -> float:
    """Return a quick estimate of pass@1: two problems a cell, none of :func:`evaluate`'s."""
    model.eval()
    problems = heldout_problems(2, seed + 1000)
    chains = sample(model, tokenizer, [solver_messages(p.text) for p in problems], 4, seed + 1000)
    return float(np.mean([solved(p, c) for p, cs in zip(problems, chains) for c in cs]))


def evaluate(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    per_cell: int = 20,
    proposals: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Return accuracy on held-out problems, and what a model's own problems are like.

    Args:
        model: The model, on any device.
        tokenizer: Its tokenizer.
        per_cell: Held-out problems of each family and number of steps, 16 chains each.
        proposals: Problems it is asked for, four in five with an example to go by; examples have
            3 to 6 steps, so that longer and shorter are both possible.
        seed: Seed of problems, requests and chains.
    """
    model.eval()
    problems = heldout_problems(per_cell, seed)
    chains = sample(model, tokenizer, [solver_messages(p.text) for p in problems], K, seed)
    rng = np.random.default_rng(np.random.SeedSequence((seed, 2)))
    requests: list[Request] = []
    while len(requests) < proposals:
        request = draw_request(rng, held=True)
        if request.example is None or 3 <= len(request.example.steps) <= 6:
            requests.append(request)
    texts = [t[0] for t in sample(model, tokenizer, [r.messages for r in requests], 1, seed)]
    return {
        "seed": seed,
        "temperature": TEMPERATURE,
        "chains_per_problem": K,
        "solver": _solver(problems, chains),
        "proposer": _proposer(requests, texts),
        "chain": {"problem": problems[3 * per_cell].text, "answer": chains[3 * per_cell][0]},
        "proposal": {"request": requests[0].messages[1]["content"], "answer": texts[0]},
    }
