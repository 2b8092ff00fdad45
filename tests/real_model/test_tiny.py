import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argus_gym import premise
from argus_gym.agents import tiny_data
from argus_gym.agents.prompts import proposer_messages, solver_messages
from argus_gym.agents.tiny import TINY, held_out
from argus_gym.agents.tiny_data import LONGEST
from argus_gym.problems import FALSE_KINDS, FAMILIES, MAX_STEPS, falsify, generate, read, solution

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from argus_gym.agents import tiny_card, tiny_eval, train_tiny  # noqa: E402

families = st.sampled_from(FAMILIES)
lengths = st.integers(1, MAX_STEPS)
seeds = st.integers(0, 2**32 - 1)
some = settings(max_examples=100)


@pytest.fixture(scope="module")
def tokenizer():
    return transformers.AutoTokenizer.from_pretrained(TINY)


@pytest.fixture(scope="module")
def model():
    return transformers.AutoModelForCausalLM.from_pretrained(TINY).eval()


@pytest.fixture(scope="module")
def record():
    return json.loads((TINY / "evaluation.json").read_text())


def problem_of(family, steps, seed):
    return generate(family, steps, np.random.default_rng(seed))


def round_trip(tokenizer, text):
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.unk_token_id not in ids
    return tokenizer.decode(ids)


def test_it_is_small(model):
    assert model.num_parameters() <= 3_000_000
    assert sum(file.stat().st_size for file in TINY.iterdir()) <= 8_000_000


def test_its_size_is_the_card_s(model, record):
    assert record["parameters"] == model.num_parameters()
    assert (TINY / "README.md").read_text() == tiny_card.card(record)


def test_its_tokenizer_is_the_one_the_script_builds(tokenizer):
    built = train_tiny.build_tokenizer()
    assert tokenizer.get_vocab() == built.get_vocab()
    assert tokenizer.chat_template == built.chat_template
    assert tokenizer.padding_side == "left"
    assert tokenizer.pad_token_id is not None
    assert tokenizer.pad_token_id != tokenizer.eos_token_id


def test_it_loads_as_the_script_builds_it(model, record):
    heads = model.config.num_attention_heads
    built = train_tiny.build_model(
        32 * heads, model.config.num_hidden_layers, model.config.intermediate_size, record["seed"]
    )
    assert {k: v.shape for k, v in built.state_dict().items()} == {
        k: v.shape for k, v in model.state_dict().items()
    }
    assert model.config.eos_token_id == model.generation_config.eos_token_id


def test_the_template_drops_system_messages(tokenizer):
    with_system = solver_messages("Take the number 12. Add 3 to it. What is the final number?")
    render = tokenizer.apply_chat_template
    prompt = render(with_system, tokenize=False, add_generation_prompt=True)
    assert prompt == f"{with_system[1]['content']}<sep>"
    assert prompt == render(with_system[1:], tokenize=False, add_generation_prompt=True)
    answered = [*with_system, {"role": "assistant", "content": "12 + 3 = 15\n#### 15"}]
    assert render(answered, tokenize=False) == f"{prompt}12 + 3 = 15\n#### 15<eos>"


def test_the_template_marks_the_answer(tokenizer):
    messages = [*solver_messages("Add 1 to it."), {"role": "assistant", "content": "1 + 1 = 2"}]
    coded = tokenizer.apply_chat_template(
        messages, return_dict=True, return_assistant_tokens_mask=True
    )
    marked = [i for i, m in zip(coded["input_ids"], coded["assistant_masks"]) if m]
    assert tokenizer.decode(marked) == "1 + 1 = 2<eos>"


@some
@given(families, lengths, seeds)
def test_every_generated_problem_is_written_exactly(tokenizer, family, steps, seed):
    problem = problem_of(family, steps, seed)
    assert round_trip(tokenizer, problem.text) == problem.text
    assert round_trip(tokenizer, solution(problem)) == solution(problem)


@some
@given(families, lengths, seeds, st.sampled_from(FALSE_KINDS))
def test_false_premises_are_written_exactly(tokenizer, family, steps, seed, kind):
    text = falsify(problem_of(family, steps, seed), kind, np.random.default_rng(seed)).text
    assert round_trip(tokenizer, text) == text


@some
@given(st.integers(0, 15), st.one_of(st.just(math.nan), st.floats(0, 1)), families, seeds)
def test_requests_are_written_exactly(tokenizer, target, rate, family, seed):
    for example in ("", problem_of(family, 3, seed).text):
        content = proposer_messages(target, rate, example)[1]["content"]
        assert round_trip(tokenizer, content) == content


@settings(max_examples=200)
@given(st.text(max_size=200))
def test_foreign_text_is_read_without_a_word(tokenizer, text):
    ids = tokenizer(text)["input_ids"]
    assert bool(ids) == bool(text)
    assert all(0 <= i < len(tokenizer) for i in ids)


def test_foreign_text_is_answered(model, tokenizer):
    texts = ["", "¿Qué hora es?\x00 " * 20, "👍🏽", "Zebras juggle 7 zeppelins."]
    coded = tokenizer([f"{t}<sep>" for t in texts], padding=True, return_tensors="pt")
    out = model.generate(**coded, max_new_tokens=5, do_sample=False)
    assert out.shape[0] == len(texts)


@some
@given(families, lengths, seeds)
def test_held_out_depends_on_family_and_solution_alone(family, steps, seed):
    rng = np.random.default_rng(seed)
    for held in (False, True):
        problem = tiny_data.draw_problem(rng, family, steps, held)
        assert held_out(problem) is held
        assert held_out(read(problem.text)) is held


def test_one_problem_in_sixteen_is_held_out():
    rng = np.random.default_rng(5)
    drawn = [generate(FAMILIES[i % 12], 1 + i % 8, rng) for i in range(4000)]
    held = sum(map(held_out, drawn))
    assert abs(held - 250) < 5 * math.sqrt(250)


def test_training_data_repeat_and_differ_by_seed_and_shard():
    first = tiny_data.batches(3, 0, 8, 2)
    for a, b in zip(first, tiny_data.batches(3, 0, 8, 2)):
        assert all(np.array_equal(x, y) for x, y in zip(a, b))
    for other in (tiny_data.batches(3, 1, 8, 2), tiny_data.batches(4, 0, 8, 2)):
        assert any(a.ids.tobytes() != b.ids.tobytes() for a, b in zip(first, other))


def test_training_data_hold_no_held_out_problem_and_learn_only_answers():
    tokenizer = tiny_data.build_tokenizer()
    sep, eos = (tiny_data.vocabulary().index(t) for t in (tiny_data.SEP, tiny_data.EOS))
    problems = 0
    for batch in tiny_data.batches(7, 0, 64, 4):
        learnt = np.zeros(batch.ids.size, bool)
        learnt[batch.at + 1] = True
        assert np.array_equal(batch.ids.reshape(-1)[learnt], batch.targets)
        for ids, marks in zip(batch.ids, learnt.reshape(batch.ids.shape)):
            row = ids.tolist()
            start, end = row.index(sep) + 1, row.index(eos) + 1
            assert marks.tolist() == [start <= i < end for i in range(len(row))]
            prompt, answer = tokenizer.decode(row[: start - 1]), tokenizer.decode(row[start:end])
            shown = prompt.partition("Example: ")[2] or prompt
            for problem in (read(shown), read(answer)):
                problems += problem is not None
                assert problem is None or not held_out(problem)
    assert problems > 256


def test_evaluation_problems_are_held_out_different_and_of_every_cell():
    problems = tiny_eval.heldout_problems(2, 0)
    assert all(map(held_out, problems))
    assert len({p.text for p in problems}) == len(problems) == 2 * len(FAMILIES) * LONGEST
    cells = [(p.family, len(p.steps)) for p in problems]
    assert set(cells) == {(f, s) for f in FAMILIES for s in range(1, LONGEST + 1)}
    assert {p.text for p in problems}.isdisjoint(
        p.text for p in tiny_eval.heldout_problems(2, 1000)
    )


def test_requests_and_answers_fit_each_other():
    rng = np.random.default_rng(2)
    changes = {"longer": 0, "shorter": 0, "same": 0}
    for _ in range(400):
        request = tiny_data.draw_request(rng)
        answer = read(tiny_data.answer_request(request, rng))
        if request.example is None or not 3 <= len(request.example.steps) < LONGEST:
            continue
        assert answer.family == request.example.family
        change = len(answer.steps) - len(request.example.steps)
        if request.rate > 0.8:
            assert change in (1, 2)
            changes["longer"] += 1
        elif request.rate < 0.4:
            assert change in (-1, -2)
            changes["shorter"] += 1
        else:
            assert change in (-1, 0, 1)
            changes["same"] += 1
    assert min(changes.values()) > 20


def test_the_recorded_accuracy_leaves_room_both_ways(record):
    scores = record["solver"]["all"]
    assert 0.40 <= scores["pass_at_1"] <= 0.75
    assert scores["pass_at_16"] >= scores["pass_at_1"] + 0.10
    assert record["temperature"] == 0.8
    assert set(record["solver"]["by_family"]) == set(FAMILIES)
    assert set(record["solver"]["by_steps"]) == {str(s) for s in range(1, LONGEST + 1)}


def test_a_sample_of_its_chains_agrees_with_the_record(model, tokenizer, record):
    problems = [p for p in tiny_eval.heldout_problems(1, 77) if len(p.steps) <= 4]
    prompts = [solver_messages(p.text) for p in problems]
    chains = tiny_eval.sample(model, tokenizer, prompts, 2, 1)
    rates = [np.mean([tiny_eval.solved(p, c) for c in cs]) for p, cs in zip(problems, chains)]
    cells = record["solver"]["by_steps"]
    expected = np.mean([cells[str(s)]["pass_at_1"] for s in range(1, 5)])
    assert abs(np.mean(rates) - expected) < 0.2


def test_proposals_are_often_readable_and_hardly_ever_refused(model, tokenizer):
    rng = np.random.default_rng(3)
    requests = [tiny_data.draw_request(rng, held=True) for _ in range(40)]
    texts = tiny_eval.sample(model, tokenizer, [r.messages for r in requests], 1, 2)
    assert sum(read(t) is not None for [t] in texts) >= 8
    assert sum(premise.check(t).ok for [t] in texts) >= 36


def test_sampling_repeats_and_leaves_the_global_generator_alone(model, tokenizer):
    prompts = [solver_messages(p.text) for p in tiny_eval.heldout_problems(1, 5)[:2]]
    before = torch.random.get_rng_state()
    first = tiny_eval.sample(model, tokenizer, prompts, 3, 0)
    assert torch.equal(before, torch.random.get_rng_state())
    assert first == tiny_eval.sample(model, tokenizer, prompts, 3, 0)
    assert first != tiny_eval.sample(model, tokenizer, prompts, 3, 1)
    assert [len(chains) for chains in first] == [3, 3]
