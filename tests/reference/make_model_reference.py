#!/usr/bin/env python3
"""References of the model room, from transformers in fp32. Needs torch, transformers, gguf,
tokenizers and safetensors; the tests need only what it writes, which is kept.

    make_model_reference.py tiny OUT
    make_model_reference.py real OUT --gguf MODEL.gguf --text TEXT.txt

`tiny` writes small random models, a folder each: model.safetensors, config.json as
transformers 5 writes it, config_v4.json as transformers 4 did, for one of them model.gguf,
and reference.safetensors. `real` writes references of a GGUF model: a short prompt in full,
and some rows of a long one.

A reference holds input_ids (I64, T), states (F32, (N+1, T, d)), the residual stream before
the final norm, and logits (F32, (T, V)). Of the long prompt, rows (I64, R), states_rows
(F32, (N+1, R, d)) and logits_rows (F32, (R, V)).
"""

import argparse
import copy
import json
import pathlib

import gguf
import numpy
import safetensors.torch
import tokenizers
import torch
import transformers

# fp32 is a rough reference where a stream's large components cancel: for this model the
# first position, blocks 10 and 30, by up to 3e-4 of a row's rms, depending on its token.
# `real` refuses a prompt whose fp32 states are further than WORST from those in fp64.
SHORT_PROMPT = "I think therefore I am not"
WORST = 3e-5
LONG_LENGTH = 512
LONG_ROWS = [300, 511]

# Sizes are odd on purpose. `quantised` has rows that are whole blocks of Q8_0.
TINY = {
    "grouped": {
        "d": 36,
        "H": 6,
        "K": 2,
        "D": 6,
        "F": 30,
        "V": 53,
        "N": 3,
        "tied": False,
        "base": 10000.0,
        "eps": 1e-5,
        "context": 64,
        "seed": 1,
    },
    "wide": {
        "d": 21,
        "H": 3,
        "K": 1,
        "D": 14,
        "F": 33,
        "V": 101,
        "N": 2,
        "tied": True,
        "base": 500000.0,
        "eps": 1e-6,
        "context": 100,
        "seed": 2,
    },
    "quantised": {
        "d": 32,
        "H": 4,
        "K": 2,
        "D": 8,
        "F": 64,
        "V": 64,
        "N": 2,
        "tied": False,
        "base": 10000.0,
        "eps": 1e-5,
        "context": 2048,
        "seed": 3,
    },
}
TINY_LENGTH = 11


def config_of(s):
    return transformers.LlamaConfig(
        hidden_size=s["d"],
        intermediate_size=s["F"],
        num_hidden_layers=s["N"],
        num_attention_heads=s["H"],
        num_key_value_heads=s["K"],
        head_dim=s["D"],
        vocab_size=s["V"],
        max_position_embeddings=s["context"],
        rms_norm_eps=s["eps"],
        rope_theta=s["base"],
        rope_parameters={"rope_theta": s["base"], "rope_type": "default"},
        tie_word_embeddings=s["tied"],
        dtype="float32",
        attn_implementation="eager",
    )


def run(model, ids):
    """States before the final norm and logits of one prompt."""
    states = []
    hooks = [
        model.model.embed_tokens.register_forward_hook(
            lambda _module, _inputs, out: states.append(out[0])
        )
    ]
    for layer in model.model.layers:
        hooks.append(
            layer.register_forward_hook(
                lambda _module, _inputs, out: states.append(
                    (out[0] if isinstance(out, tuple) else out)[0]
                )
            )
        )
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0]
    for hook in hooks:
        hook.remove()
    return torch.stack(states).contiguous(), logits.contiguous()


def write_reference(path, model, ids):
    states, logits = run(model, ids)
    safetensors.torch.save_file(
        {"input_ids": torch.tensor(ids), "states": states, "logits": logits}, path
    )


def error_of_fp32(model, ids):
    """Largest deviation of any fp32 state from fp64's, relative to its row's rms."""
    states, _ = run(model, ids)
    exact, _ = run(copy.deepcopy(model).double(), ids)
    return ((states - exact).abs().amax(-1) / exact.pow(2).mean(-1).sqrt()).max().item()


# ---- GGUF and back ----


def to_gguf_rows(w, heads):
    """Rows of a W_q or W_k as GGUF orders them."""
    rows, width = w.shape
    return w.reshape(heads, 2, rows // heads // 2, width).swapaxes(1, 2).reshape(w.shape)


def from_gguf_rows(w, heads):
    rows, width = w.shape
    return w.reshape(heads, rows // heads // 2, 2, width).swapaxes(1, 2).reshape(w.shape)


def names(n_blocks):
    """(Hugging Face, GGUF) names of all tensors."""
    pairs = [
        ("model.embed_tokens", "token_embd"),
        ("model.norm", "output_norm"),
        ("lm_head", "output"),
    ]
    parts = {
        "input_layernorm": "attn_norm",
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "post_attention_layernorm": "ffn_norm",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    }
    for i in range(n_blocks):
        pairs += [(f"model.layers.{i}.{hf}", f"blk.{i}.{gg}") for hf, gg in parts.items()]
    return [(hf + ".weight", gg + ".weight") for hf, gg in pairs]


def heads_of(name, s):
    return s["H"] if "attn_q" in name else s["K"] if "attn_k" in name else None


def write_gguf(path, model, s):
    """Writes a mixture of types and gives the model the values that were written."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(s["N"])
    writer.add_context_length(s["context"])
    writer.add_embedding_length(s["d"])
    writer.add_feed_forward_length(s["F"])
    writer.add_head_count(s["H"])
    writer.add_head_count_kv(s["K"])
    writer.add_layer_norm_rms_eps(s["eps"])
    writer.add_rope_freq_base(s["base"])
    writer.add_rope_dimension_count(s["D"])
    writer.add_vocab_size(s["V"])
    kinds = gguf.GGMLQuantizationType
    state = model.state_dict()
    for i, (hf, gg) in enumerate(names(s["N"])):
        values = state[hf].numpy()
        kind = kinds.F32 if values.ndim == 1 else [kinds.Q8_0, kinds.F16, kinds.F32][i % 3]
        heads = heads_of(gg, s)
        rows = to_gguf_rows(values, heads) if heads else values
        raw = gguf.quants.quantize(numpy.ascontiguousarray(rows), kind)
        writer.add_tensor(gg, raw, raw_dtype=kind)
        back = gguf.quants.dequantize(raw, kind).reshape(rows.shape)
        back = from_gguf_rows(back, heads) if heads else back
        with torch.no_grad():
            state[hf].copy_(torch.from_numpy(numpy.array(back, dtype=numpy.float32)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def read_gguf(path):
    reader = gguf.GGUFReader(path)

    def value(key):
        return reader.fields["llama." + key].contents()

    s = {
        "d": value("embedding_length"),
        "F": value("feed_forward_length"),
        "N": value("block_count"),
        "H": value("attention.head_count"),
        "K": value("attention.head_count_kv"),
        "D": value("rope.dimension_count"),
        "base": value("rope.freq_base"),
        "eps": value("attention.layer_norm_rms_epsilon"),
        "context": value("context_length"),
    }
    tensors = {
        t.name: gguf.quants.dequantize(t.data, t.tensor_type).reshape(
            [int(n) for n in reversed(t.shape)]
        )
        for t in reader.tensors
    }
    s["V"] = tensors["token_embd.weight"].shape[0]
    s["tied"] = "output.weight" not in tensors
    state = {}
    for hf, gg in names(s["N"]):
        source = "token_embd.weight" if hf == "lm_head.weight" and s["tied"] else gg
        heads = heads_of(gg, s)
        rows = tensors[source]
        rows = from_gguf_rows(rows, heads) if heads else rows
        state[hf] = torch.from_numpy(numpy.array(rows, dtype=numpy.float32))
    model = transformers.LlamaForCausalLM(config_of(s))
    model.load_state_dict(state, strict=True)
    return model.eval(), reader


def tokenizer_of(reader):
    """Byte-level BPE that splits digits one by one, as the model was trained with."""
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    merges = reader.fields["tokenizer.ggml.merges"].contents()
    tokenizer = tokenizers.Tokenizer(
        tokenizers.models.BPE(
            vocab={token: i for i, token in enumerate(tokens)},
            merges=[tuple(merge.split(" ")) for merge in merges],
        )
    )
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Digits(individual_digits=True),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    return tokenizer


# ---- the two commands ----


def randomise(model, seed):
    """Weights that move the stream: a default start of 0.02 would leave it as it is."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim == 1:
                parameter.copy_(1 + 0.2 * noise)
            else:
                parameter.copy_(noise * 1.5 / parameter.shape[1] ** 0.5)


def config_v4(folder):
    config = json.loads((folder / "config.json").read_text())
    config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]
    config["rope_scaling"] = None
    config["torch_dtype"] = config.pop("dtype")
    config["transformers_version"] = "4.46.3"
    (folder / "config_v4.json").write_text(json.dumps(config, indent=2) + "\n")


def make_tiny(out):
    for name, s in TINY.items():
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        model = transformers.LlamaForCausalLM(config_of(s)).eval()
        randomise(model, s["seed"])
        if name == "quantised":
            write_gguf(folder / "model.gguf", model, s)
        model.save_pretrained(folder)
        (folder / "generation_config.json").unlink(missing_ok=True)
        config_v4(folder)
        generator = torch.Generator().manual_seed(100 + s["seed"])
        ids = torch.randint(0, s["V"], (TINY_LENGTH,), generator=generator).tolist()
        write_reference(folder / "reference.safetensors", model, ids)


def make_real(out, gguf_path, text_path):
    model, reader = read_gguf(gguf_path)
    tokenizer = tokenizer_of(reader)
    short = tokenizer.encode(SHORT_PROMPT).ids
    assert len(short) == 6, short
    own_error = error_of_fp32(model, short)
    print(f"fp32 states are within {own_error:.1e} of a row's rms of the fp64 ones")
    assert own_error < WORST
    write_reference(out / "real_short.safetensors", model, short)
    text = text_path.read_text(encoding="utf-8")[: 8 * LONG_LENGTH]
    ids = tokenizer.encode(text).ids[:LONG_LENGTH]
    states, logits = run(model, ids)
    safetensors.torch.save_file(
        {
            "input_ids": torch.tensor(ids),
            "rows": torch.tensor(LONG_ROWS),
            "states_rows": states[:, LONG_ROWS].contiguous(),
            "logits_rows": logits[LONG_ROWS].contiguous(),
        },
        out / "real_long.safetensors",
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("command", choices=["tiny", "real"])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--gguf", type=pathlib.Path)
    parser.add_argument("--text", type=pathlib.Path)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.command == "tiny":
        make_tiny(arguments.out)
    else:
        make_real(arguments.out, arguments.gguf, arguments.text)


if __name__ == "__main__":
    main()
