"""The GPU benchmark, with a toy shape on the CPU: that it measures what it says it measures."""

import json
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason='needs pip install "argus-gym[llm]"')
pytest.importorskip("transformers", reason='needs pip install "argus-gym[llm]"')
pytest.importorskip("peft", reason='needs pip install "argus-gym[llm]"')

from argus_gym.agents.prompts import solver_messages  # noqa: E402
from argus_gym.benchmarks import gpu, gpu_bound, gpu_parts, gpu_training  # noqa: E402
from argus_gym.benchmarks.gpu_shape import SHAPES, build, problems, training_flops  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
FAST = ("peak", "sampling", "sft bfloat16", "profile", "bound", "steps", "round")


@pytest.fixture(scope="module")
def result():
    saved = []
    found = gpu.run("toy", minutes=5, parts=FAST, save=lambda r: saved.append(json.dumps(r)))
    assert len(saved) == len(FAST)
    assert json.loads(saved[-1]) == json.loads(json.dumps(found, allow_nan=False))
    return found


def test_every_part_gives_its_figures(result):
    assert set(result["parts"]) == set(FAST)
    assert not [p for p in result["parts"].values() if "failed" in p or "left_out" in p]
    assert result["device"] == "CPU" and result["libraries"]["torch"] == torch.__version__


def test_all_contenders_sample_the_same_number_of_tokens(result):
    sampling = result["parts"]["sampling"]
    tokens = {timed["tokens"] for timed in sampling["timed"].values()}
    most = gpu_parts.CHAINS * SHAPES["toy"].new_tokens
    assert max(tokens) <= most and min(tokens) > 0.8 * most
    assert {name.split()[0] for name in sampling["ratios"]} == {
        "LanguageModel.sample",
        "HFAgent.solve",
    }


def test_the_round_is_a_whole_one_and_its_times_add_up(result):
    loop = result["parts"]["round"]
    asked = SHAPES["toy"].round
    assert loop["problems"] == asked["problems_per_round"]
    assert loop["answers"]["solve"] == asked["problems_per_round"] * asked["k"]
    assert loop["pairs"] > 0 and set(loop["agent_s"]) >= {"propose", "solve", "learn", "snapshot"}
    assert 0 < loop["share"] == loop["step_s"] / loop["wall_s"]
    assert loop["step_s"] + sum(loop["agent_s"].values()) <= loop["wall_s"]


def test_steps_are_timed_over_whole_rounds(result):
    found = result["parts"]["steps"]
    assert found["problems"] == SHAPES["toy"].default_round["problems_per_round"]
    assert len(found["seconds_a_round"]) == 5 and found["rounds"] == 15
    assert 0 < found["environment_s"] <= max(found["seconds_a_round"])


def test_utilisation_is_of_the_peak_of_the_same_run(result):
    peak, train = result["parts"]["peak"], result["parts"]["sft bfloat16"]
    assert train["mfu"] == pytest.approx(train["tflops"] / peak["tflops"])
    assert train["mfu"] < train["mfu_6n"] < 1.5 * train["mfu"]


def test_traffic_counts_what_kernels_read_write_and_compute():
    a, b = torch.ones(3, 5), torch.ones(5, 7)
    with gpu_bound.Traffic(frozenset({b.untyped_storage().data_ptr()}), scale=10) as counted:
        (a @ b).t().exp()
    assert counted.kernels == {
        ("mm", "float32", 10 * 2 * 3 * 5 * 7, 4 * (10 * 15 + 35 + 10 * 21)): 1,
        ("exp", "float32", 0, 4 * 10 * 2 * 21): 1,
    }


def test_the_bound_of_all_layers_is_what_they_would_count(tmp_path):
    """Two layers and what the second adds make the third."""
    shape = replace(SHAPES["toy"], config={**SHAPES["toy"].config, "num_hidden_layers": 3})
    bench = gpu_parts.Bench(shape, tmp_path, "cpu", 0, deadline=float("inf"))
    found = gpu_bound.bound(bench)
    kernels, _ = gpu_bound._kernels(bench, 3)
    assert found["calls"] == sum(kernels.values())
    for device, (peak, bandwidth) in gpu_bound.DEVICES.items():
        times = [n * max(k[2] / peak, k[3] / bandwidth) for k, n in kernels.items()]
        assert found["devices"][device]["seconds"] == pytest.approx(sum(times))
    # Nothing takes less than its operations, so no share is above 1.
    assert 0 < found["devices"]["H100"]["mfu"] < found["devices"]["H200"]["mfu"] < 1


def test_operations_are_those_that_torch_counts(tmp_path):
    from torch.utils.flop_counter import FlopCounterMode

    build(SHAPES["toy"], tmp_path, "cpu", 0)
    bench = gpu_parts.Bench(SHAPES["toy"], tmp_path, "cpu", 0, deadline=float("inf"))
    lm = bench.model("float32")
    rows, lengths = gpu_training.rows_of(bench, lm, 1)
    with lm.role("solver", train=True), FlopCounterMode(display=False) as counted:
        losses, _ = lm.losses([rows[0].prompt], [rows[0].completion])
        losses.sum().backward()
    matrices = sum(
        n for op, n in counted.get_flop_counts()["Global"].items() if "attention" not in str(op)
    )
    config = lm.peft.get_base_model().config
    (length, _), rank = lengths[0], bench.shape.rank
    assert config.hidden_size == config.num_attention_heads * config.head_dim
    assert config.num_key_value_heads == config.num_attention_heads
    side = config.hidden_size
    attention = 6 * config.num_hidden_layers * side * length**2
    # The head also sees the last token before the completion's end; nothing below the first
    # layer's three maps learns, so their input needs no gradient.
    one_more = 4 * config.vocab_size * side
    not_needed = 2 * length * 3 * (side * side + rank * side)
    needed = training_flops(config, rank, lengths)
    assert needed - attention + one_more - not_needed == matrices
    assert needed < training_flops(config, rank, lengths, frozen=6)


def test_the_tokenizer_reads_prompts_back_and_covers_the_vocabulary(tmp_path):
    from transformers import AutoTokenizer

    build(SHAPES["toy"], tmp_path, "cpu", 0)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    messages = solver_messages(problems(1, 0)[0].text)
    prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert tokenizer.decode(tokenizer(prompt)["input_ids"]) == prompt
    assert len(tokenizer) == SHAPES["toy"].config["vocab_size"]
    assert tokenizer.decode([len(tokenizer) - 1]).strip()


def test_a_part_that_fails_loses_no_other(monkeypatch):
    def broken(bench):
        raise RuntimeError("no such kernel\nat line 1")

    monkeypatch.setitem(gpu.PARTS, "sampling", (broken, 0))
    result = gpu.run("toy", minutes=5, parts=("sampling", "peak"))
    assert result["parts"]["sampling"]["failed"] == "RuntimeError: no such kernel"
    assert result["parts"]["peak"]["tflops"] > 0
    assert "no such kernel" in str(list(gpu.table(result).columns[0].cells))


def test_the_names_of_all_parts_can_be_listed_by_comma():
    assert ",".join(gpu.PARTS).split(",") == list(gpu.PARTS)


@pytest.mark.parametrize("options", [{"shape": "big"}, {"parts": ("speed",)}, {"minutes": 0}])
def test_bad_arguments_name_the_rule(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        gpu.run(**{"shape": "toy", "parts": ("peak",), **options})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "needs"),
    [
        ("static cache", "torch"),
        ("trl", "trl"),
        ("sft int8", "bitsandbytes"),
        ("sft nf4", "bitsandbytes"),
    ],
)
def test_the_parts_that_take_longer(part, needs):
    pytest.importorskip(needs, reason='needs pip install "argus-gym[llm]"')
    found = gpu.run("toy", minutes=10, parts=("peak", part))["parts"][part]
    assert "failed" not in found and (found.get("timed") or found["tokens_per_s"] > 0)
