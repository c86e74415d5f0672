"""Makes a tiny Llama folder with a byte-level tokenizer, for the command tests.

Usage: make_tiny_model.py FOLDER [--seed N] [--nan TENSOR] [--vocabulary V]

Two blocks of width 32, 300 rows of the unembedding: ids 0 to 255 are the bytes, 256 `<bos>` and
257 `<end>` are special, the rest have no token. Weights are random, so the numbers mean nothing;
what is tested with it are rules and messages.
"""

import argparse
import json
import pathlib
import struct

import numpy as np

BLOCKS, WIDTH, HEADS, KEY_HEADS, HIDDEN = 2, 32, 4, 2, 48


def byte_letters():
    """The printable letters that byte-level BPE writes for the bytes 0 to 255."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters, extra = {}, 0
    for byte in range(256):
        if byte in kept:
            letters[byte] = chr(byte)
        else:
            letters[byte] = chr(256 + extra)
            extra += 1
    return letters


def tensors(rng, rows):
    """Names and values as Hugging Face has them."""
    head = WIDTH // HEADS

    def normal(*shape, scale=0.4):
        return rng.normal(0, scale, shape).astype(np.float32)

    yield "model.embed_tokens.weight", normal(rows, WIDTH, scale=1.0)
    for i in range(BLOCKS):
        stem = f"model.layers.{i}"
        yield f"{stem}.input_layernorm.weight", 1 + normal(WIDTH, scale=0.1)
        yield f"{stem}.self_attn.q_proj.weight", normal(HEADS * head, WIDTH)
        yield f"{stem}.self_attn.k_proj.weight", normal(KEY_HEADS * head, WIDTH)
        yield f"{stem}.self_attn.v_proj.weight", normal(KEY_HEADS * head, WIDTH)
        yield f"{stem}.self_attn.o_proj.weight", normal(WIDTH, HEADS * head)
        yield f"{stem}.post_attention_layernorm.weight", 1 + normal(WIDTH, scale=0.1)
        yield f"{stem}.mlp.gate_proj.weight", normal(HIDDEN, WIDTH)
        yield f"{stem}.mlp.up_proj.weight", normal(HIDDEN, WIDTH)
        yield f"{stem}.mlp.down_proj.weight", normal(WIDTH, HIDDEN)
    yield "model.norm.weight", 1 + normal(WIDTH, scale=0.1)
    yield "lm_head.weight", normal(rows, WIDTH)


def write_safetensors(path, named):
    """The format itself: length, JSON header, values."""
    header, body = {}, b""
    for name, value in named:
        begin = len(body)
        body += value.tobytes()
        header[name] = {
            "dtype": "F32",
            "shape": list(value.shape),
            "data_offsets": [begin, len(body)],
        }
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def config(rows):
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": WIDTH,
        "intermediate_size": HIDDEN,
        "num_hidden_layers": BLOCKS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KEY_HEADS,
        "max_position_embeddings": 128,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "vocab_size": rows,
        "bos_token_id": 256,
        "model_max_length": 1000000000000000019884624838656,
        "torch_dtype": "float32",
    }


def tokenizer():
    special = [
        {
            "id": 256 + i,
            "content": content,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for i, content in enumerate(["<bos>", "<end>"])
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": None,
        "pre_tokenizer": {
            "type": "ByteLevel",
            "add_prefix_space": False,
            "trim_offsets": True,
            "use_regex": True,
        },
        "post_processor": None,
        "decoder": {
            "type": "ByteLevel",
            "add_prefix_space": True,
            "trim_offsets": True,
            "use_regex": True,
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {letter: byte for byte, letter in byte_letters().items()},
            "merges": [],
        },
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--nan", help="name of a tensor to spoil")
    parser.add_argument("--vocabulary", type=int, default=300)
    options = parser.parse_args()
    folder = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    named = list(tensors(np.random.default_rng(options.seed), options.vocabulary))
    for name, value in named:
        if name == options.nan:
            value.flat[value.size // 2] = np.nan
    write_safetensors(folder / "model.safetensors", named)
    (folder / "config.json").write_text(json.dumps(config(options.vocabulary), indent=1))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer()))
    # The length is what transformers writes for "no limit": no 64-bit integer.
    longest = 1000000000000000019884624838656
    named = {"bos_token": "<bos>", "model_max_length": longest}
    (folder / "tokenizer_config.json").write_text(json.dumps(named))


if __name__ == "__main__":
    main()
