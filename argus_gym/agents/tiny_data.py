"""What argus-tiny is made from: its vocabulary, its chat template and its training examples."""

import re
import string
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from argus_gym.agents.prompts import PROPOSER, SOLVER, proposer_messages
from argus_gym.agents.tiny import held_out
from argus_gym.problems import (
    FALSE_KINDS,
    FAMILIES,
    Problem,
    falsify,
    generate,
    solution,
    truthful,
)
from argus_gym.problems.claims import Draw
from argus_gym.problems.generate import scenes
from argus_gym.problems.ops import OPS
from argus_gym.problems.remarks import remark
from argus_gym.problems.scenes import FRIENDS, NAMES

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = [
    "CHAT_TEMPLATE",
    "EOS",
    "LENGTHS",
    "LONGEST",
    "PAD",
    "SEP",
    "UNK",
    "Batch",
    "Request",
    "answer_request",
    "batches",
    "build_tokenizer",
    "draw_problem",
    "draw_request",
    "example",
    "vocabulary",
]

PAD, EOS, SEP, UNK = "<pad>", "<eos>", "<sep>", "<unk>"

CHAT_TEMPLATE = (
    "{% for m in messages %}"
    "{% if m['role'] == 'user' %}{{ m['content'] }}"
    "{% elif m['role'] == 'assistant' %}"
    "{{ '<sep>' }}{% generation %}{{ m['content'] }}{{ '<eos>' }}{% endgeneration %}"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<sep>' }}{% endif %}"
)
"""The user's content, a separator, the answer: system messages are left out."""

LONGEST = 6
"""Most steps of a problem it is trained on: as many as the environment's own pools have."""

LENGTHS = np.array([7, 7, 6, 5, 4, 3]) / 32
"""How often a problem it is trained on has 1 to 6 steps."""

_PIECES = r"#### |\n| [*+=/×÷-] |[0-9]| ?[A-Za-z]+| ?[^\sA-Za-z0-9]|\s"

_EVERYDAY = (
    "a about add after again all also altogether am an and any are as ask at away back bag bags "
    "be before begin book books both bought box boxes boy boys bring but buy buys by cake cakes "
    "call can car cars cat cats cents child children class come cost costs could day days did do "
    "does dog dogs dollar dollars done down dozen each earn earns eat eats eggs end equal even "
    "every far feet few fewer find first five fish five floor flower flowers food for four friend "
    "friends from full game games gave get gets girl girls give gives go goes gone got had half "
    "has have he her here high him his home hour hours house how if in inches into is it its job "
    "just keep keeps kept large last later left less let like long longer lost lot made make makes "
    "many men miles minutes money month months more morning most much must need needs new next "
    "night nine no not now number of off old on once one only or other our out over own page pages "
    "paid pair part pay pays people per pieces place plus points pounds price put rest room rows "
    "run runs same save saved saves school second see sell sells seven share she shop short "
    "shorter should show side six small so sold some spend spends spent start starts still store "
    "sum take takes ten than that the their them then there these they thing things this three "
    "time times to today together tomorrow took total town tree trees trip twice two under until "
    "up use used uses very walk walks want wants was water way we week weeks weight went were what "
    "when which while who whole will with without women work works would year years yesterday yet "
    "you your zero"
)


class Request(NamedTuple):
    """What a proposer is asked for.

    Attributes:
        messages: The messages of the request.
        example: The problem it shows, if any.
        rate: How much of its kind the solver gets right; NaN where not said.
    """

    messages: list[dict[str, str]]
    example: Problem | None
    rate: float


class Batch(NamedTuple):
    """Examples of about one length.

    Attributes:
        ids: Token ids, padded on the right, (rows, length).
        at: Where in the flattened ``ids`` the next token is to be learnt, (n,).
        targets: These next tokens, (n,).
    """

    ids: np.ndarray
    at: np.ndarray
    targets: np.ndarray


def _texts() -> list[str]:
    """Return texts that together hold every word the generator can write."""
    texts = [SOLVER, PROPOSER, _EVERYDAY, *FRIENDS, *(n for names in NAMES.values() for n in names)]
    texts += [proposer_messages(0, rate, "x")[1]["content"] for rate in (0.5, float("nan"))]
    texts += [op.show(12, Fraction(3), 2) for op in OPS.values()]
    for family in FAMILIES:
        for scene in scenes(family):
            texts += [*scene.openings, *scene.restatements]
            texts += [text for asked in scene.questions for text in asked]
            for options in scene.options:
                texts += [w.format for _, wordings, _ in options for w in wordings]
    rng = np.random.default_rng(0)
    for kind in FALSE_KINDS:
        texts += [remark(Draw(rng), kind, True) for _ in range(3000)]
    return [text.replace("%d", "0") for text in texts]


@cache
def vocabulary() -> tuple[str, ...]:
    """Return the tokens of argus-tiny, its special ones first.

    A word is one token with the space before it, a digit one of its own. Words with a capital, and
    signs, are also there without a space, so that every text of the generator can be written.
    """
    found = {piece for text in _texts() for piece in re.findall(_PIECES, text)}
    names = {piece.strip() for piece in found if piece.strip()[:1].isupper()}
    loose = {*names, *string.punctuation, *"×÷√½¼¾€£’“”–—"}
    found |= loose | {f" {piece}" for piece in loose} | {f" {sign} " for sign in "+-*/=×÷"}
    first = (PAD, EOS, SEP, UNK, *string.digits)
    return (*first, *sorted((found | {" ", "\n", "\t", "#### "}) - set(first)))


def build_tokenizer() -> "Tokenizer":
    """Return the tokenizer, as the ``tokenizers`` library has it."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    ids = {token: i for i, token in enumerate(vocabulary())}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=UNK))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_PIECES), "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens([PAD, EOS, SEP, UNK])
    return tokenizer


def draw_problem(
    rng: np.random.Generator, family: str = "", steps: int = 0, held: bool = False
) -> Problem:
    """Return a random problem to train on, or one that is held out.

    Args:
        rng: The source of all randomness.
        family: Its family; any where empty.
        steps: Its number of steps; where 0, any, and the fewer the more often.
        held: Whether it is to be a held-out one.
    """
    family = family or FAMILIES[rng.integers(len(FAMILIES))]
    steps = steps or 1 + int(rng.choice(LONGEST, p=LENGTHS))
    while True:
        problem = generate(family, steps, rng)
        if held_out(problem) == held:
            return problem


def draw_request(rng: np.random.Generator, held: bool = False) -> Request:
    """Return a random request to a proposer; one in five shows no example."""
    rate = float("nan") if rng.random() < 0.2 else float(rng.random())
    shown = draw_problem(rng, held=held) if rng.random() < 0.8 else None
    messages = proposer_messages(int(rng.integers(16)), rate, shown.text if shown else "")
    return Request(messages, shown, rate)


def answer_request(request: Request, rng: np.random.Generator) -> str:
    """Return a good answer: one or two steps more at rates above 0.8, fewer below 0.4.

    Of two problems drawn it is the one with fewer divisions: whether those come out whole hangs on
    results that the text does not show.
    """
    family = request.example.family if request.example else FAMILIES[rng.integers(len(FAMILIES))]
    steps = len(request.example.steps) if request.example else 1 + int(rng.integers(LONGEST))
    change = 1 + int(rng.integers(2))
    if request.rate < 0.4:
        change = -change
    elif not request.rate > 0.8:
        change = int(rng.choice((-1, 0, 0, 0, 1)))
    steps = min(max(steps + change, 1), LONGEST)
    drawn = draw_problem(rng, family, steps), draw_problem(rng, family, steps)
    return min(drawn, key=_divisions).text


def _divisions(problem: Problem) -> int:
    return sum(OPS[step.op].modulus(step.operand) > 1 for step in problem.steps)


def example(rng: np.random.Generator) -> tuple[str, str]:
    """Return the user's content and the answer of one training example.

    One in six is a proposer's. Of the solver's, a quarter take another order of the steps where
    there is one, and one in 25 has a remark, true or false, worked into the problem.
    """
    if rng.random() < 1 / 6:
        request = draw_request(rng)
        return request.messages[1]["content"], answer_request(request, rng)
    problem = draw_problem(rng)
    text, answer = problem.text, solution(problem)
    order = problem.alternative() if rng.random() < 0.25 else None
    if order is not None:
        values, value = [], problem.start
        for step in order:
            values.append(value := step.apply(value))
        answer = solution(replace(problem, steps=order, values=tuple(values)))
    if rng.random() < 0.04:
        kind = FALSE_KINDS[rng.integers(len(FALSE_KINDS))]
        if rng.random() < 0.5:
            text = falsify(problem, kind, rng).text
        else:
            text = truthful(problem, kind, rng)
    return text, answer


@cache
def _tokenizer() -> "Tokenizer":
    return build_tokenizer()


def batches(seed: int, shard: int, rows: int, count: int) -> list[Batch]:
    """Return one shard of training data: ``count`` batches of ``rows`` examples, in random order.

    The examples of a shard are sorted by length, so that a batch has little padding. Equal
    arguments give equal batches, in any process.
    """
    rng = np.random.default_rng(np.random.SeedSequence((seed, 0, shard)))
    pairs = [example(rng) for _ in range(rows * count)]
    tokenizer = _tokenizer()
    prompts = tokenizer.encode_batch([f"{content}{SEP}" for content, _ in pairs])
    answers = tokenizer.encode_batch([f"{answer}{EOS}" for _, answer in pairs])
    coded = [(p.ids, a.ids) for p, a in zip(prompts, answers)]
    coded.sort(key=lambda pair: len(pair[0]) + len(pair[1]))
    return [_batch(coded[i * rows : (i + 1) * rows]) for i in rng.permutation(count).tolist()]


def _batch(coded: list[tuple[list[int], list[int]]]) -> Batch:
    length = -(-max(len(p) + len(a) for p, a in coded) // 16) * 16
    ids = np.zeros((len(coded), length), np.int16)
    at = []
    for row, (prompt, answer) in enumerate(coded):
        end = len(prompt) + len(answer)
        ids[row, :end] = prompt + answer
        at.append(np.arange(len(prompt) - 1, end - 1) + row * length)
    where = np.concatenate(at).astype(np.int32)
    return Batch(ids, where, ids.reshape(-1)[where + 1])
