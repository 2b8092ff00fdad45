"""A small random model from a config, for everything that does not need it to be any good."""

import pytest

torch = pytest.importorskip("torch", reason='needs pip install "argus-gym[llm]"')
transformers = pytest.importorskip("transformers", reason='needs pip install "argus-gym[llm]"')
pytest.importorskip("peft", reason='needs pip install "argus-gym[llm]"')

TEMPLATE = "{% for m in messages if m.role != 'system' %}{{ m.content + '\\n' }}{% endfor %}"


def build(path, *, template=TEMPLATE, pad="<pad>", seed=0):
    """Save a model of two layers and a character tokenizer under ``path``; return the path."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

    letters = [chr(i) for i in range(32, 127)] + ["\n"]
    vocab = {t: i for i, t in enumerate(["<pad>", "<eos>", "<unk>", *letters])}
    raw = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    raw.decoder = decoders.Fuse()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, eos_token="<eos>", unk_token="<unk>", pad_token=pad
    )
    tokenizer.chat_template = template
    config = Qwen3Config(
        vocab_size=len(vocab),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        tie_word_embeddings=True,
        max_position_embeddings=512,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Qwen3ForCausalLM(config)
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def model_path(tmp_path_factory):
    return build(tmp_path_factory.mktemp("model"))


@pytest.fixture
def lm(model_path):
    from argus_gym.agents.language_model import LanguageModel

    return LanguageModel.load(model_path, rank=4)


@pytest.fixture(scope="session")
def make_model():
    return build
