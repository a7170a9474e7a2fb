"""Writes a two-layer Qwen2 model with random weights: real for vLLM, and small enough for any machine.

The same seed and Python give the same bytes. Both old and new vLLM load it: what transformers 4 and 5 spell
differently (`rope_theta`, `torch_dtype`, the tokenizer class) is written the old way, which both read.
Usage: make_tiny_model.py TARGET_DIR
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

SEED = 20250711
VOCAB_SIZE = 4096
HIDDEN = 128
INTERMEDIATE = 256
LAYERS = 2
HEADS = 4
KV_HEADS = 2  # two, so that tensor parallelism over two ranks can be tried
MAX_POSITIONS = 4096
END_OF_TEXT, TURN_START, TURN_END = SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

CONFIG = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "vocab_size": VOCAB_SIZE,
    "hidden_size": HIDDEN,
    "intermediate_size": INTERMEDIATE,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "max_position_embeddings": MAX_POSITIONS,
    "hidden_act": "silu",
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
    "use_sliding_window": False,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "torch_dtype": "float32",
    "use_cache": True,
}
TOKENIZER_CONFIG = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "eos_token": END_OF_TEXT,
    "pad_token": END_OF_TEXT,
    "additional_special_tokens": [TURN_START, TURN_END],
    "model_max_length": MAX_POSITIONS,
    "clean_up_tokenization_spaces": False,
    "chat_template": CHAT_TEMPLATE,
}


def train_tokenizer() -> Tokenizer:
    """Train a byte-level BPE on the one long English text that every Python carries: its own reference."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator([topics[name] for name in sorted(topics)], trainer)
    return tokenizer


def unspeakable_tokens(tokenizer: Tokenizer) -> list[int]:
    """List the ids that have no complete printable text: a stream of them would show nothing."""
    texts = {token: tokenizer.decode([token], skip_special_tokens=True) for token in range(tokenizer.get_vocab_size())}
    return [token for token, text in texts.items() if not text.strip() or not text.isprintable() or "\ufffd" in text]


def tensor_shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of every tensor of a Qwen2 checkpoint, in a fixed order."""
    kv_width = HIDDEN // HEADS * KV_HEADS
    yield "model.embed_tokens.weight", (VOCAB_SIZE, HIDDEN)
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}"
        for name, width in (("q", HIDDEN), ("k", kv_width), ("v", kv_width)):
            yield f"{prefix}.self_attn.{name}_proj.weight", (width, HIDDEN)
            yield f"{prefix}.self_attn.{name}_proj.bias", (width,)
        yield f"{prefix}.self_attn.o_proj.weight", (HIDDEN, HIDDEN)
        yield f"{prefix}.mlp.gate_proj.weight", (INTERMEDIATE, HIDDEN)
        yield f"{prefix}.mlp.up_proj.weight", (INTERMEDIATE, HIDDEN)
        yield f"{prefix}.mlp.down_proj.weight", (HIDDEN, INTERMEDIATE)
        yield f"{prefix}.input_layernorm.weight", (HIDDEN,)
        yield f"{prefix}.post_attention_layernorm.weight", (HIDDEN,)
    yield "model.norm.weight", (HIDDEN,)
    yield "lm_head.weight", (VOCAB_SIZE, HIDDEN)


def random_weights(silent: list[int]) -> dict[str, np.ndarray]:
    """Draw every tensor; the ids in `silent` get logit 0, which greedy decoding never picks."""
    generator = np.random.Generator(np.random.PCG64(SEED))
    weights = {
        name: np.ones(shape, np.float32)
        if name.endswith("norm.weight")
        else generator.standard_normal(shape, np.float32) * np.float32(0.05)
        for name, shape in tensor_shapes()
    }
    weights["lm_head.weight"][silent] = 0.0
    return weights


def write_model(target: Path) -> None:
    """Write configuration, tokenizer and weights of the model into `target`."""
    target.mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer()
    tokenizer.save(str(target / "tokenizer.json"))
    (target / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n", encoding="utf-8")
    (target / "tokenizer_config.json").write_text(json.dumps(TOKENIZER_CONFIG, indent=2) + "\n", encoding="utf-8")
    silent = unspeakable_tokens(tokenizer) + list(range(tokenizer.get_vocab_size(), VOCAB_SIZE))
    weights = target / "model.safetensors"
    save_file(random_weights(silent), weights, metadata={"format": "pt"})
    weights.chmod(0o644)  # safetensors writes it for its owner alone; a server may run as somebody else


if __name__ == "__main__":
    write_model(Path(sys.argv[1]))
