"""The benchmark on real weights, in small, with a model that knows nothing."""

import json
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from argus_gym import premise
from argus_gym.agents.hf import HFAgent
from argus_gym.agents.language_model import LanguageModel, Sampled
from argus_gym.agents.merged import MergedModel
from argus_gym.agents.sft import DivergedError, Row, SFTConfig, Trained, sft
from argus_gym.agents.tiny import held_out
from argus_gym.benchmarks import llm, llm_arms, llm_pilot, llm_play
from argus_gym.benchmarks.llm_arms import (
    GRPO,
    FalsePremises,
    KnownAnswers,
    Later,
    Shuffled,
    TruthLabelled,
    majority_rewards,
    shuffled_rewards,
)
from argus_gym.benchmarks.llm_tables import figures, student, tables
from argus_gym.cli import app
from argus_gym.problems import FAMILIES, generate, solution
from argus_gym.records import Chain, TrainingPair
from argus_gym.run_data import InputError

SMALL = llm_play.Size(rounds=2, problems=2, every=1, kinds=0)


@pytest.fixture
def small(monkeypatch):
    """Runs of two rounds of two problems, chains of 12 tokens, two anchors a block."""
    monkeypatch.setattr(llm_play, "ANCHORS", 2)
    monkeypatch.setattr(llm, "QUICK", SMALL)
    monkeypatch.setattr(llm_arms, "CHAIN_TOKENS", 12)
    monkeypatch.setattr(llm_arms, "PROBLEM_TOKENS", 12)


@pytest.fixture
def trained(model_path):
    """A merged model and a plain one with the same adapters, which are not those of the start."""
    pair = [cls.load(str(model_path), device="cpu", rank=4) for cls in (MergedModel, LanguageModel)]
    rng = torch.Generator().manual_seed(3)
    for role in ("proposer", "solver"):
        weights = {
            name: w + 0.3 * torch.randn(w.shape, generator=rng)
            for name, w in pair[0].weights(role).items()
        }
        for lm in pair:
            lm.set_weights(role, weights)
    return pair


def pairs_of(problems, role="train"):
    return [TrainingPair(p.text, Chain(solution(p), p.answer), 0.5, 0, 0, role) for p in problems]


def some_problems(n, seed=0):
    rng = np.random.default_rng(seed)
    return [generate(FAMILIES[i % len(FAMILIES)], 2, rng) for i in range(n)]


class Notes:
    """A learning back end that writes down its rows and learns nothing."""

    def __init__(self):
        self.rows = {}

    def __call__(self, lm, rows, *, role, config, seed):
        self.rows.setdefault(role, []).append(list(rows))
        return Trained()


# Sampling


@pytest.mark.parametrize("role", ["proposer", "solver"])
def test_the_merged_model_writes_what_the_plain_one_writes(trained, role):
    merged, plain = trained
    prompts = ["6 + 3\n", "a much longer prompt than that\n", "x\n"]
    options = {"role": role, "max_new_tokens": 20, "temperature": 0, "seed": 0}
    a, b = (lm.sample(prompts, 2, **options) for lm in (merged, plain))
    assert [[s.text for s in row] for row in a] == [[s.text for s in row] for row in b]
    assert [[s.tokens for s in row] for row in a] == [[s.tokens for s in row] for row in b]
    own, other = ([s.nll for row in found for s in row] for found in (a, b))
    assert own == pytest.approx(other, abs=1e-4)


def test_merged_samples_report_their_own_likelihood_and_end_where_they_end(trained):
    merged, _ = trained
    prompts = ["1 + 1\n", "two and two\n"]
    found = merged.sample(prompts, 40, role="solver", max_new_tokens=30, seed=5)
    again = merged.sample(prompts, 40, role="solver", max_new_tokens=30, seed=5)
    assert found == again
    short = [(p, s) for p, row in zip(prompts, found) for s in row if s.tokens < 30]
    assert len({s.tokens for _, s in short}) > 3, "rows end at different places and leave the batch"
    # A character model writes back what it sampled, so that the text has its likelihood.
    known = [(p, s) for p, s in short if len(s.text) == s.tokens - 1]
    assert len(known) > 10
    again = merged.nll([p for p, _ in known], [s.text for _, s in known], role="solver")
    assert [s.nll for _, s in known] == pytest.approx(list(again), abs=1e-4)


def test_merged_samples_follow_the_model(trained):
    merged, _ = trained
    found = merged.sample(["1\n"], 4000, role="solver", max_new_tokens=1, temperature=0.7, seed=2)
    ids = merged.tokenizer("1\n", add_special_tokens=False, return_tensors="pt")["input_ids"]
    with merged.role("solver"), torch.no_grad():
        share = torch.softmax(merged.peft(input_ids=ids).logits[0, -1] / 0.7, 0)
    seen = Counter(s.text for s in found[0])
    for token in share.argsort(descending=True)[:3].tolist():
        text = merged.tokenizer.decode([token], skip_special_tokens=True)
        p = float(share[token])
        assert seen[text] / 4000 == pytest.approx(p, abs=5 * (p * (1 - p) / 4000) ** 0.5 + 1e-3)


# Learners


def test_the_placebo_trains_on_the_same_chains_under_other_problems(model_path):
    notes = Notes()
    agent = Shuffled.from_pretrained(str(model_path), device="cpu", rank=2, learner=notes)
    pairs = pairs_of(some_problems(12))
    agent.learn(pairs)
    rows = notes.rows["solver"][0]
    asked = {agent.lm.render([{"role": "user", "content": p.problem}]): p for p in pairs}
    assert sorted(row.completion for row in rows) == sorted(p.chain.text for p in pairs)
    moved = [asked[row.prompt].chain.text != row.completion for row in rows]
    assert sum(moved) >= 8


def test_truth_labels_replace_wrong_chains_and_drop_what_cannot_be_read(model_path):
    notes = Notes()
    agent = TruthLabelled.from_pretrained(str(model_path), device="cpu", rank=2, learner=notes)
    kept, mended = some_problems(2)
    said = f"It is so. #### {kept.answer}"
    agent.learn(
        [
            TrainingPair(kept.text, Chain(said, kept.answer), 0.5, 0, 0),
            TrainingPair(mended.text, Chain("#### 1e9", mended.answer + 1), 0.5, 0, 0),
            TrainingPair("What is this?", Chain("#### 1", 1), 0.5, 0, 0),
        ]
    )
    assert [row.completion for row in notes.rows["solver"][0]] == [said, solution(mended)]


def test_the_other_back_end_comes_at_its_round(model_path):
    first, then = Notes(), Notes()
    agent = Later.from_pretrained(
        str(model_path), device="cpu", rank=2, learner=first, then=(then, SFTConfig(2e-4)), onset=2
    )
    for text in "abcd":
        agent.learn([TrainingPair("6 + 6", Chain(text, None), 1.0, 0, 0)])
    told = [[row.completion for rows in n.rows["solver"] for row in rows] for n in (first, then)]
    assert told == [["a", "b"], ["c", "d"]]
    assert agent.config.learning_rate == 2e-4


def test_false_premises_begin_at_their_round_and_are_false(model_path, monkeypatch):
    agent = FalsePremises.from_pretrained(
        str(model_path), device="cpu", rank=2, learner=Notes(), rate=1.0, onset=1
    )
    problems = iter(some_problems(20))
    monkeypatch.setattr(
        agent.lm, "sample", lambda prompts, k, **_: [[Sampled(next(problems).text, 1, 0.0)]]
    )
    columns = {"consensus": np.zeros(3), "n": np.zeros(3)}
    obs = {"target": 0, "capability_map": columns, "context": ""}
    assert premise.check(agent.propose(obs, {})).ok
    agent.learn([])
    written = [agent.propose(obs, {}) for _ in range(15)]
    assert sum(not premise.check(text).ok for text in written) >= 13
    notes = agent.learner = Notes()
    agent.learn([TrainingPair(written[0], Chain("#### 1", 1), 1.0, 0, 1)])
    assert notes.rows["proposer"][0][0].completion == written[0]


@given(st.lists(st.sampled_from("1234-"), min_size=1, max_size=12), st.integers(0, 99))
def test_rewards_are_votes_for_the_most_frequent_answer(letters, seed):
    rewards = majority_rewards("", [f"#### {x}" if x != "-" else "none" for x in letters], seed)
    votes = Counter(x for x in letters if x != "-")
    assert set(rewards) <= {0.0, 1.0}
    assert rewards.sum() == max(votes.values(), default=0)
    assert len({x for x, r in zip(letters, rewards) if r}) <= 1


def test_shuffled_rewards_are_the_majoritys_on_any_chain():
    texts = ["#### 7"] * 5 + ["#### 8"] * 3
    drawn = np.array([shuffled_rewards("", texts, seed) for seed in range(2000)])
    assert set(drawn.sum(1)) == {5}
    assert drawn.mean(0) == pytest.approx([5 / 8] * 8, abs=0.05)


def test_known_answers_reward_right_chains_of_problems_that_can_be_read(model_path):
    lm = LanguageModel.load(str(model_path), device="cpu", rank=2)
    reward = KnownAnswers(lm)
    for problem in some_problems(5):
        texts = [solution(problem), f"#### {problem.answer + 1}", f"#### {problem.answer}", "no"]
        prompt = lm.render([{"role": "user", "content": problem.text}])
        assert reward(prompt, texts).tolist() == [1, 0, 1, 0]
    assert reward(lm.render([{"role": "user", "content": "6 + 6"}]), ["#### 12"]) is None


def test_grpo_leaves_out_prompts_without_a_reward(model_path):
    lm = LanguageModel.load(str(model_path), device="cpu", rank=2)
    start = lm.weights("solver")
    learner = GRPO(4, group=2, reward=lambda prompt, texts, seed: None)
    done = learner(lm, [Row("6 + 6\n", "x")], role="solver", config=SFTConfig(), seed=0)
    assert done.tokens == 0
    assert all(torch.equal(start[n], w) for n, w in lm.weights("solver").items())


def test_grpo_makes_the_majority_likelier_and_the_minority_less(model_path, monkeypatch):
    lm = LanguageModel.load(str(model_path), device="cpu", rank=4)
    texts = ["#### 12"] * 5 + ["#### 34"] * 3
    monkeypatch.setattr(
        lm, "sample", lambda prompts, k, **_: [[Sampled(t, 8, 0.0) for t in texts]] * len(prompts)
    )
    learner = GRPO(12, group=8, prompts=2, epochs=6)
    rows = [Row("6 + 6\n", "x"), Row("5 + 7\n", "x"), Row("5 + 7\n", "y")]
    prompts, said = ["6 + 6\n"] * 2, ["#### 12", "#### 34"]
    before = lm.nll(prompts, said, role="solver")
    base = lm.weights("proposer")
    done = learner(lm, rows, role="solver", config=SFTConfig(learning_rate=1e-2), seed=1)
    after = lm.nll(prompts, said, role="solver")
    assert after[0] < before[0] - 0.01
    assert after[1] - after[0] > before[1] - before[0] + 0.01
    assert done.tokens == 6 * 2 * sum(len(t) + 1 for t in texts)
    assert all(torch.equal(base[n], w) for n, w in lm.weights("proposer").items())


def test_grpo_takes_the_step_of_the_policy_gradient(model_path, monkeypatch):
    lm, other = (LanguageModel.load(str(model_path), device="cpu", rank=2) for _ in range(2))
    texts = ["#### 12", "#### 12", "#### 12", "#### 7"]
    monkeypatch.setattr(
        lm, "sample", lambda prompts, k, **_: [[Sampled(t, 8, 0.0) for t in texts]] * len(prompts)
    )
    config = SFTConfig(learning_rate=1e-3)
    learner = GRPO(12, group=4, prompts=1)
    learner(lm, [Row("6 + 6\n", "x")], role="solver", config=config, seed=0)

    gains = torch.tensor([1.0, 1.0, 1.0, -3.0]) / 3**0.5
    with other.role("solver", train=True):
        own = [p for p in other.peft.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(own, lr=1e-3, weight_decay=0.0)
        nlls = torch.stack([other.losses(["6 + 6\n"], [t])[0][0] for t in texts])
        (gains * nlls).mean().backward()
        torch.nn.utils.clip_grad_norm_(own, config.grad_clip)
        optimiser.step()
    wanted, start = other.weights("solver"), LanguageModel.load(str(model_path), rank=2)
    moved = 0.0
    for name, found in lm.weights("solver").items():
        # Where the gradient is nearly 0 AdamW divides rounding by rounding.
        assert (found - wanted[name]).abs().mean() < 5e-5
        moved += float((found - start.weights("solver")[name]).abs().sum())
    assert moved > 0


def test_grpo_learns_nothing_from_agreement_and_leaves_the_proposer_to_sft(model_path, monkeypatch):
    lms = [LanguageModel.load(str(model_path), device="cpu", rank=2) for _ in range(2)]
    learner, config = GRPO(12, group=3), SFTConfig(learning_rate=1e-2)
    start, rows = lms[0].weights("solver"), [Row("6 + 6\n", "hello")]
    monkeypatch.setattr(
        lms[0], "sample", lambda prompts, k, **_: [[Sampled("#### 2", 7, 0.0)] * k] * len(prompts)
    )
    done = learner(lms[0], rows, role="solver", config=config, seed=0)
    assert done.tokens == 0
    assert all(torch.equal(start[n], w) for n, w in lms[0].weights("solver").items())
    learner(lms[0], rows, role="proposer", config=config, seed=4)
    sft(lms[1], rows, role="proposer", config=config, seed=4)
    a, b = (lm.weights("proposer") for lm in lms)
    assert all(torch.equal(a[n], b[n]) for n in a)


def test_grpo_restores_the_adapter_when_it_diverges(model_path, monkeypatch):
    lm = LanguageModel.load(str(model_path), device="cpu", rank=2)
    monkeypatch.setattr(
        lm,
        "sample",
        lambda prompts, k, **_: (
            [[Sampled(f"#### {i % 2}", 7, 0.0) for i in range(k)]] * len(prompts)
        ),
    )
    start = lm.weights("solver")
    config = SFTConfig(learning_rate=float("inf"))
    with pytest.raises(DivergedError):
        GRPO(12, group=3, epochs=2)(lm, [Row("6 + 6\n", "x")], role="solver", config=config, seed=0)
    assert all(torch.equal(start[n], w) for n, w in lm.weights("solver").items())


# Runs


def test_held_out_problems_are_balanced_different_and_held_out():
    found = llm_play.held_problems(1)
    assert all(held_out(p) for p in found)
    assert len({p.text for p in found}) == len(found) == 48
    assert Counter((p.family, len(p.steps)) for p in found) == Counter(
        (f, s) for f in FAMILIES for s in (1, 2, 4, 6)
    )
    assert len(llm_play.held_problems(0)) == 12


def test_a_run_repeats_and_the_gate_never_changes_nothing(small, model_path):
    runs = [
        llm_play.play(str(model_path), arm, 0, 1e-3, SMALL) for arm in ("sft", "sft", "gate never")
    ]
    json.dumps(runs, allow_nan=False)
    assert runs[0] == runs[1]
    bare, gated = ({**run, "decisions": 0, "targets": 0} for run in runs[1:])
    assert bare == gated
    assert runs[2]["decisions"] == ["COMMIT", "COMMIT"]
    assert runs[0]["evaluated"] == [1, 2]


SLOW = [pytest.param(arm, marks=pytest.mark.slow) for arm in ("gate certified", "stack v4")]


@pytest.mark.parametrize(
    "arm", ["placebo", "truth", "grpo", "grpo, truth", "grpo, late", "gate mcnemar", *SLOW]
)
def test_every_kind_of_arm_plays(small, model_path, arm):
    run = llm_play.play(str(model_path), arm, 1, 1e-3, SMALL)
    assert len(run["by_round"]["reward"]) == len(run["pairs_right"]) == 2
    assert all(0 <= p <= 1 for name in ("pass_1", "pass_16") for p in run[name])
    assert set(run["scores"]) == set(run["fired"]) >= {"hallucination", "leakage"}
    assert run["answers"]["solve"] == 2 * 2 * 14
    assert (run["decisions"] != ["", ""]) == arm.startswith(("gate", "stack"))


def test_pairs_on_held_out_problems_are_never_learnt(small, model_path, monkeypatch):
    secret = llm_play.held_problems(0)[0].text
    seen = []
    learn = HFAgent.learn

    def spy(self, pairs):
        seen.extend(pair.problem for pair in pairs)
        return learn(self, pairs)

    monkeypatch.setattr(HFAgent, "learn", spy)
    monkeypatch.setattr(HFAgent, "propose", lambda self, obs, info: secret)
    llm_play.play(str(model_path), "sft", 0, 1e-3, SMALL)
    assert secret not in seen


def test_the_accuracy_is_that_of_the_chains(small, model_path, monkeypatch):
    agent = llm_arms.make_agent("sft", str(model_path), 0, 1e-3)
    held = llm_play.held_problems(0)
    calls = []

    def sample(prompts, k, **options):
        calls.append(options["seed"])
        known = {agent.lm.render([{"role": "user", "content": p.text}]): p for p in held}
        out = []
        for at, prompt in enumerate(prompts):
            right = 4 if at % 3 == 0 else 0
            answer = known[prompt].answer
            texts = [f"#### {answer}"] * right + ["#### 999999"] * (k - right)
            out.append([Sampled(t, 1, 0.0) for t in texts])
        return out

    monkeypatch.setattr(agent.lm, "sample", sample)
    evaluate = llm_play.Evaluation(agent, held, seed=7)
    evaluate(0)
    evaluate(3)
    assert evaluate.found["pass_1"] == pytest.approx([1 / 12] * 2, abs=1e-4)
    assert evaluate.found["pass_16"] == pytest.approx([1 / 3] * 2, abs=1e-4)
    assert calls == [7], "equal weights are not measured again"


# Figures


def made_run(first, last, fired=(), decisions=("", ""), reward=(0.4, 0.5)):
    return {
        "held": 12,
        "evaluated": [0, 2],
        "pass_1": [first, last],
        "pass_16": [0.9, 0.8],
        "by_round": {
            name: list(reward) if name == "reward" else [0.1, None]
            for name in ("reward", "epi_train", "right", "readable", "false")
        },
        "pairs_right": [None, 0.5],
        "scores": {"drift": [None, 0.9], "novelty": [None, None]},
        "fired": {"drift": list(fired), "novelty": []},
        "warned": list(fired),
        "named": "A" if fired else "",
        "decisions": list(decisions),
        "targets": ["before" if d else "" for d in decisions],
        "defences": [[], []],
        "answers": {"solve": 10, "retest": 20},
        "tokens": {"solve": 100, "retest": 200, "train": 30},
    }


def test_figures_are_paired_by_seed_and_say_what_failed():
    found = {
        "sft 0": made_run(0.5, 0.4, fired=[1]),
        "sft 1": made_run(0.6, 0.52, fired=[0, 1]),
        "gate mcnemar 0": made_run(0.5, 0.5, decisions=("REFUSE", "COMMIT")),
        "gate mcnemar 1": {"failed": "OSError: gone"},
    }
    arms = {name: llm.ARMS[name] for name in ("sft", "gate mcnemar", "placebo")}
    result = figures(found, arms, range(2))
    assert [arm["arm"] for arm in result["arms"]] == ["sft", "gate mcnemar"]
    sft_arm, gate = result["arms"]
    assert sft_arm["pass_1_change"]["mean"] == pytest.approx(-0.09)
    assert gate["pass_1_over_sft"]["mean"] == pytest.approx(0.1)
    assert gate["pass_1_over_sft"]["n"] == 1
    assert sft_arm["fell"] == [2, 2]
    assert sft_arm["first_alarm"] == [1, 0]
    assert sft_arm["fired"] == {"drift": [[1], [0, 1]]}
    assert gate["refusals"] == 1
    assert result["failed"] == {
        "gate mcnemar: OSError: gone": 1,
        "placebo: not run": 2,
    }
    shown = tables(result)
    cells = [str(cell) for table in shown for column in table.columns for cell in column.cells]
    assert "drift 2 of 2 (1, 2)" in cells
    assert "-9.0 [-21.7, +3.7]" in cells
    assert "placebo: not run" in cells


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=9))
def test_intervals_are_students(values):
    from scipy import stats

    found = student(values)
    error = stats.sem(values)
    if error > 1e-9:
        low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), error)
        assert (found["low"], found["high"]) == pytest.approx((low, high))
    else:
        assert found["low"] == pytest.approx(found["high"])


def test_plots_have_a_panel_an_arm():
    pytest.importorskip("matplotlib")
    found = {f"{arm} {at}": made_run(0.5, 0.4, [1]) for arm in ("sft", "grpo") for at in (0, 1)}
    found["gate pace 0"] = made_run(0.5, 0.5, [], ("COMMIT", "COMMIT"))
    made = llm.plots(figures(found, llm.ARMS, range(2)))
    assert set(made) == {"llm", "llm_gates"}
    titles = [ax.get_title() for ax in made["llm"].axes if ax.get_title()]
    assert titles == ["sft (2 runs)", "grpo (2 runs)"]


def test_the_suite_continues_where_it_stopped(small, model_path, tmp_path, monkeypatch):
    monkeypatch.setattr(llm, "ARMS", {a: llm.ARMS[a] for a in ("sft", "placebo")})
    monkeypatch.setattr(llm, "sources", lambda: "this code")
    given_model = str(model_path)
    first = llm.run(5, quick=True, model=given_model, out=tmp_path / "a", workers=1)
    lines = (tmp_path / "a" / "runs.jsonl").read_text().splitlines()
    (tmp_path / "a" / "runs.jsonl").write_text("\n".join(lines[:3]) + "\n")
    again = llm.run(5, quick=True, model=given_model, out=tmp_path / "a", workers=1)
    assert json.dumps(first) == json.dumps(again)
    assert first["seeds"] == [5, 6]
    assert [arm["n"] for arm in first["arms"]] == [2, 2]
    assert first["failed"] == {}
    assert json.loads(lines[0])["key"] == "start 5"


def test_a_model_that_is_not_there_is_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="--model must be"):
        llm.run(model=str(tmp_path / "empty"))
    result = CliRunner().invoke(app, ["bench", "llm", "--model", str(tmp_path / "empty")])
    assert result.exit_code == 2
    assert "--model must be" in result.output


def test_the_pilot_chooses_the_smallest_rate_at_which_votes_harm():
    def chosen(*grpo):
        rates = llm_pilot.RATES["grpo"]
        return llm_pilot.chosen(
            {f"grpo {r:g}": {"pass_1": {"mean": m}} for r, m in zip(rates, grpo, strict=True)}
        )

    assert chosen(-0.06, -0.2, -0.1) == 3e-4
    assert chosen(-0.04, -0.06, 0.1) == 1e-3
    assert chosen(0.1, -0.01, -0.04) == 3e-3
    assert chosen(float("nan"), float("nan"), float("nan")) == 3e-3


def test_the_pilot_plays_every_rate(small, model_path, monkeypatch):
    monkeypatch.setattr(llm_pilot, "RATES", {"truth": (1e-4, 1e-2), "grpo": (1e-3,)})
    monkeypatch.setattr(llm_pilot, "SEEDS", {"truth": 2, "grpo": 1})
    found = llm_pilot.pilot(str(model_path), workers=1, size=SMALL)
    assert {key: row["pass_1"]["n"] for key, row in found.items()} == {
        "truth 0.0001": 2,
        "truth 0.01": 2,
        "grpo 0.001": 1,
    }
    assert not any(row["failed"] for row in found.values())
