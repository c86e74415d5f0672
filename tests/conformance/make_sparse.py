#!/usr/bin/env python3
"""Full-size models without their weights: config.json with the published keys and values,
safetensors and GGUF files whose headers are right and whose data is a hole.

Usage: make_sparse.py list            prints a line a model:
                                      NAME FAMILY PARAMETERS BLOCKS WIDTH ROWS CONTEXT BYTES
       make_sparse.py make OUT NAME... writes OUT/NAME, a folder (or OUT/NAME.gguf)
              [--without TEXT]        leaves out the tensors whose names hold TEXT

PARAMETERS are the published counts, typed in, not computed here; BYTES are those of the
parameters as stored. Standard library only.
"""

import argparse
import json
import math
import pathlib
import struct

SIZES = {"F32": 4, "F16": 2, "BF16": 2, "U8": 1}
TORCH = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}

# ---- tensors by family: (Hugging Face's name, shape, dtype or None for the model's own) ----


def gpt2_tensors(c, prefix):
    d, context = c["n_embd"], c["n_positions"]
    yield f"{prefix}wte.weight", [c["vocab_size"], d], None
    yield f"{prefix}wpe.weight", [context, d], None
    for i in range(c["n_layer"]):
        h = f"{prefix}h.{i}."
        for norm in ("ln_1", "ln_2"):
            yield f"{h}{norm}.weight", [d], None
            yield f"{h}{norm}.bias", [d], None
        # The causal mask, which these files keep.
        yield f"{h}attn.bias", [1, 1, context, context], None
        products = [("attn.c_attn", d, 3 * d), ("attn.c_proj", d, d)]
        products += [("mlp.c_fc", d, 4 * d), ("mlp.c_proj", 4 * d, d)]
        for name, width, outputs in products:
            yield f"{h}{name}.weight", [width, outputs], None
            yield f"{h}{name}.bias", [outputs], None
    yield f"{prefix}ln_f.weight", [d], None
    yield f"{prefix}ln_f.bias", [d], None


def gpt_neox_tensors(c, _):
    d, F, context = c["hidden_size"], c["intermediate_size"], c["max_position_embeddings"]
    rotary = int(d // c["num_attention_heads"] * c["rotary_pct"])
    yield "gpt_neox.embed_in.weight", [c["vocab_size"], d], None
    for i in range(c["num_hidden_layers"]):
        h = f"gpt_neox.layers.{i}."
        for norm in ("input_layernorm", "post_attention_layernorm"):
            yield f"{h}{norm}.weight", [d], None
            yield f"{h}{norm}.bias", [d], None
        yield f"{h}attention.bias", [1, 1, context, context], "U8"
        yield f"{h}attention.masked_bias", [], None
        yield f"{h}attention.rotary_emb.inv_freq", [rotary // 2], None
        products = [("attention.query_key_value", d, 3 * d), ("attention.dense", d, d)]
        products += [("mlp.dense_h_to_4h", d, F), ("mlp.dense_4h_to_h", F, d)]
        for name, width, outputs in products:
            yield f"{h}{name}.weight", [outputs, width], None
            yield f"{h}{name}.bias", [outputs], None
    yield "gpt_neox.final_layer_norm.weight", [d], None
    yield "gpt_neox.final_layer_norm.bias", [d], None
    yield "embed_out.weight", [c["vocab_size"], d], None


def llama_tensors(c, extra):
    """Of llama, mistral and qwen. `extra`: "inv_freq" of old conversions, or "head", which
    some tied models keep a second time."""
    d, F, H = c["hidden_size"], c["intermediate_size"], c["num_attention_heads"]
    D = c.get("head_dim", d // H)
    K = c.get("num_key_value_heads", H)
    yield "model.embed_tokens.weight", [c["vocab_size"], d], None
    for i in range(c["num_hidden_layers"]):
        h = f"model.layers.{i}."
        yield f"{h}input_layernorm.weight", [d], None
        yield f"{h}post_attention_layernorm.weight", [d], None
        for name, outputs in (("q", H * D), ("k", K * D), ("v", K * D)):
            yield f"{h}self_attn.{name}_proj.weight", [outputs, d], None
            if c["model_type"] == "qwen2":
                yield f"{h}self_attn.{name}_proj.bias", [outputs], None
            if c["model_type"] == "qwen3" and name != "v":
                yield f"{h}self_attn.{name}_norm.weight", [D], None
        yield f"{h}self_attn.o_proj.weight", [d, H * D], None
        if extra == "inv_freq":
            yield f"{h}self_attn.rotary_emb.inv_freq", [D // 2], None
        yield f"{h}mlp.gate_proj.weight", [F, d], None
        yield f"{h}mlp.up_proj.weight", [F, d], None
        yield f"{h}mlp.down_proj.weight", [d, F], None
    yield "model.norm.weight", [d], None
    if not c["tie_word_embeddings"] or extra == "head":
        yield "lm_head.weight", [c["vocab_size"], d], None


def mamba_tensors(c, _):
    d, inner, n = c["hidden_size"], c["intermediate_size"], c["state_size"]
    rank = c["time_step_rank"]
    yield "backbone.embeddings.weight", [c["vocab_size"], d], None
    for i in range(c["num_hidden_layers"]):
        h = f"backbone.layers.{i}."
        yield f"{h}norm.weight", [d], None
        yield f"{h}mixer.A_log", [inner, n], None
        yield f"{h}mixer.D", [inner], None
        yield f"{h}mixer.conv1d.weight", [inner, 1, c["conv_kernel"]], None
        yield f"{h}mixer.conv1d.bias", [inner], None
        yield f"{h}mixer.in_proj.weight", [2 * inner, d], None
        yield f"{h}mixer.x_proj.weight", [rank + 2 * n, inner], None
        yield f"{h}mixer.dt_proj.weight", [inner, rank], None
        yield f"{h}mixer.dt_proj.bias", [inner], None
        yield f"{h}mixer.out_proj.weight", [d, inner], None
    yield "backbone.norm_f.weight", [d], None


TENSORS = {
    "gpt2": gpt2_tensors,
    "gpt_neox": gpt_neox_tensors,
    "llama": llama_tensors,
    "mistral": llama_tensors,
    "qwen2": llama_tensors,
    "qwen3": llama_tensors,
    "mamba": mamba_tensors,
}

# ---- configs ----


def gpt2(d, blocks, heads, **more):
    return {
        "activation_function": "gelu_new",
        "architectures": ["GPT2LMHeadModel"],
        "attn_pdrop": 0.1,
        "bos_token_id": 50256,
        "embd_pdrop": 0.1,
        "eos_token_id": 50256,
        "initializer_range": 0.02,
        "layer_norm_epsilon": 1e-05,
        "model_type": "gpt2",
        "n_ctx": 1024,
        "n_embd": d,
        "n_head": heads,
        "n_layer": blocks,
        "n_positions": 1024,
        "resid_pdrop": 0.1,
        "summary_activation": None,
        "summary_first_dropout": 0.1,
        "summary_proj_to_labels": True,
        "summary_type": "cls_index",
        "summary_use_proj": True,
        "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}},
        "vocab_size": 50257,
        **more,
    }


def gpt_neox(d, blocks, heads, rows, **more):
    return {
        "architectures": ["GPTNeoXForCausalLM"],
        "bos_token_id": 0,
        "eos_token_id": 0,
        "hidden_act": "gelu",
        "hidden_size": d,
        "initializer_range": 0.02,
        "intermediate_size": 4 * d,
        "layer_norm_eps": 1e-05,
        "max_position_embeddings": 2048,
        "model_type": "gpt_neox",
        "num_attention_heads": heads,
        "num_hidden_layers": blocks,
        "rotary_emb_base": 10000,
        "rotary_pct": 0.25,
        "tie_word_embeddings": False,
        "torch_dtype": "float16",
        "transformers_version": "4.24.0",
        "use_cache": True,
        "use_parallel_residual": True,
        "vocab_size": rows,
        **more,
    }


def decoder(kind, d, hidden, blocks, heads, key_heads, rows, context, dtype, **more):
    """What llama, mistral and qwen have in common."""
    return {
        "architectures": [f"{kind}ForCausalLM"],
        "bos_token_id": 1,
        "eos_token_id": 2,
        "hidden_act": "silu",
        "hidden_size": d,
        "initializer_range": 0.02,
        "intermediate_size": hidden,
        "max_position_embeddings": context,
        "model_type": kind.lower(),
        "num_attention_heads": heads,
        "num_hidden_layers": blocks,
        "num_key_value_heads": key_heads,
        "rms_norm_eps": 1e-05,
        "tie_word_embeddings": False,
        "torch_dtype": TORCH[dtype],
        "transformers_version": "4.40.1",
        "use_cache": True,
        "vocab_size": rows,
        **more,
    }


def llama2(d, hidden, blocks, heads, key_heads):
    return decoder(
        "Llama", d, hidden, blocks, heads, key_heads, 32000, 4096, "F16",
        pretraining_tp=1, rope_scaling=None,
    )  # fmt: skip


def llama3(d, hidden, blocks, heads, context, factor=None, **more):
    scaling = None
    if factor is not None:
        scaling = {
            "factor": factor,
            "high_freq_factor": 4.0,
            "low_freq_factor": 1.0,
            "original_max_position_embeddings": 8192,
            "rope_type": "llama3",
        }
        more = {"mlp_bias": False, **more}
    return decoder(
        "Llama", d, hidden, blocks, heads, 8, 128256, context, "BF16",
        **{
            "attention_bias": False,
            "attention_dropout": 0.0,
            "bos_token_id": 128000,
            "eos_token_id": 128001,
            "pretraining_tp": 1,
            "rope_scaling": scaling,
            "rope_theta": 500000.0,
            **more,
        },
    )  # fmt: skip


def smollm2(d, hidden, blocks, heads, key_heads, base, **more):
    return decoder(
        "Llama", d, hidden, blocks, heads, key_heads, 49152, 8192, "BF16",
        **{
            "attention_bias": False,
            "attention_dropout": 0.0,
            "bos_token_id": 0,
            "eos_token_id": 0,
            "pretraining_tp": 1,
            "rope_scaling": None,
            "rope_theta": base,
            "tie_word_embeddings": True,
            **more,
        },
    )  # fmt: skip


def mistral(rows, **more):
    return decoder("Mistral", 4096, 14336, 32, 32, 8, rows, 32768, "BF16", **more)


def qwen2(d, hidden, blocks, heads, key_heads, rows, context, **more):
    return decoder(
        "Qwen2", d, hidden, blocks, heads, key_heads, rows, context, "BF16",
        **{
            "attention_dropout": 0.0,
            "bos_token_id": 151643,
            "eos_token_id": 151643,
            "max_window_layers": blocks,
            "rms_norm_eps": 1e-06,
            "rope_theta": 1000000.0,
            "sliding_window": context,
            "use_sliding_window": False,
            **more,
        },
    )  # fmt: skip


def qwen3(d, hidden, blocks, heads, **more):
    return decoder(
        "Qwen3", d, hidden, blocks, heads, 8, 151936, 40960, "BF16",
        **{
            "attention_bias": False,
            "attention_dropout": 0.0,
            "bos_token_id": 151643,
            "eos_token_id": 151645,
            "head_dim": 128,
            "max_window_layers": blocks,
            "rms_norm_eps": 1e-06,
            "rope_scaling": None,
            "rope_theta": 1000000,
            "sliding_window": None,
            "use_sliding_window": False,
            **more,
        },
    )  # fmt: skip


def mamba(d, blocks, rank):
    return {
        "architectures": ["MambaForCausalLM"],
        "bos_token_id": 0,
        "conv_kernel": 4,
        "d_inner": 2 * d,
        "d_model": d,
        "eos_token_id": 0,
        "expand": 2,
        "fused_add_norm": True,
        "hidden_act": "silu",
        "hidden_size": d,
        "initializer_range": 0.1,
        "intermediate_size": 2 * d,
        "layer_norm_epsilon": 1e-05,
        "model_type": "mamba",
        "n_layer": blocks,
        "num_hidden_layers": blocks,
        "pad_token_id": 0,
        "pad_vocab_size_multiple": 8,
        "rescale_prenorm_residual": False,
        "residual_in_fp32": True,
        "rms_norm": True,
        "ssm_cfg": {},
        "state_size": 16,
        "time_step_floor": 0.0001,
        "time_step_init_scheme": "random",
        "time_step_max": 0.1,
        "time_step_min": 0.001,
        "time_step_rank": rank,
        "time_step_scale": 1.0,
        "torch_dtype": "float32",
        "transformers_version": "4.39.0.dev0",
        "use_bias": False,
        "use_cache": True,
        "use_conv_bias": True,
        "vocab_size": 50280,
    }


OPENAI = {"n_special": 0, "predict_special_tokens": True}
DISTIL = {"_num_labels": 1, "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
NEOX_20B = {
    "attention_probs_dropout_prob": 0,
    "hidden_act": "gelu_fast",
    "hidden_dropout_prob": 0,
    "transformers_version": "4.19.0.dev0",
}
PYTHIA_14M = {
    "attention_dropout": 0.0,
    "classifier_dropout": 0.1,
    "hidden_dropout": 0.0,
    "rope_scaling": None,
}
LLAMA_1 = decoder(
    "Llama", 4096, 11008, 32, 32, 32, 32000, 2048, "F16",
    max_sequence_length=2048, pad_token_id=0, rms_norm_eps=1e-06,
)  # fmt: skip
TINY_LLAMA = decoder(
    "Llama", 2048, 5632, 22, 32, 4, 32000, 2048, "BF16",
    attention_bias=False, pretraining_tp=1, rope_scaling=None, rope_theta=10000.0,
)  # fmt: skip
YI = decoder(
    "Llama", 4096, 11008, 32, 32, 4, 64000, 4096, "BF16",
    pad_token_id=0, rope_theta=5000000.0,
)  # fmt: skip
SMOLLM2_135M = {"is_llama_config": True, "rope_interleaved": False}

# name: config, dtype of the weights, files, published count of parameters, what else the
# file's names need (see the functions above).
MODELS = {
    "gpt2": (gpt2(768, 12, 12), "F32", 1, 124_439_808, ""),
    "gpt2-medium": (gpt2(1024, 24, 16, **OPENAI), "F32", 1, 354_823_168, ""),
    "gpt2-large": (gpt2(1280, 36, 20, **OPENAI), "F32", 1, 774_030_080, ""),
    "gpt2-xl": (gpt2(1600, 48, 25, output_past=True, **OPENAI), "F32", 1, 1_557_611_200, ""),
    "distilgpt2": (gpt2(768, 6, 12, **DISTIL), "F32", 1, 81_912_576, "transformer."),
    "pythia-14m": (gpt_neox(128, 6, 4, 50304, **PYTHIA_14M), "F16", 1, 14_067_712, ""),
    "pythia-70m": (gpt_neox(512, 6, 8, 50304), "F16", 1, 70_426_624, ""),
    "pythia-160m": (gpt_neox(768, 12, 12, 50304), "F16", 1, 162_322_944, ""),
    "pythia-410m": (gpt_neox(1024, 24, 16, 50304), "F16", 1, 405_334_016, ""),
    "pythia-1b": (gpt_neox(2048, 16, 8, 50304), "F16", 1, 1_011_781_632, ""),
    "pythia-1.4b": (gpt_neox(2048, 24, 16, 50304), "F16", 1, 1_414_647_808, ""),
    "pythia-2.8b": (gpt_neox(2560, 32, 32, 50304), "F16", 1, 2_775_208_960, ""),
    "pythia-6.9b": (gpt_neox(4096, 32, 32, 50432), "F16", 2, 6_857_302_016, ""),
    "pythia-12b": (gpt_neox(5120, 36, 40, 50688), "F16", 3, 11_846_072_320, ""),
    "gpt-neox-20b": (gpt_neox(6144, 44, 64, 50432, **NEOX_20B), "F16", 46, 20_554_567_680, ""),
    "llama-7b": (LLAMA_1, "F16", 2, 6_738_415_616, "inv_freq"),
    "llama-2-7b": (llama2(4096, 11008, 32, 32, 32), "F16", 2, 6_738_415_616, ""),
    "llama-2-13b": (llama2(5120, 13824, 40, 40, 40), "F16", 3, 13_015_864_320, ""),
    "llama-2-70b": (llama2(8192, 28672, 80, 64, 8), "F16", 15, 68_976_648_192, ""),
    "llama-3-8b": (llama3(4096, 14336, 32, 32, 8192), "BF16", 4, 8_030_261_248, ""),
    "llama-3.1-8b": (llama3(4096, 14336, 32, 32, 131072, 8.0), "BF16", 4, 8_030_261_248, ""),
    "llama-3.1-70b": (llama3(8192, 28672, 80, 64, 131072, 8.0), "BF16", 30, 70_553_706_496, ""),
    "llama-3.2-1b": (
        llama3(2048, 8192, 16, 32, 131072, 32.0, head_dim=64, tie_word_embeddings=True),
        "BF16", 1, 1_235_814_400, "",
    ),
    "llama-3.2-3b": (
        llama3(3072, 8192, 28, 24, 131072, 32.0, head_dim=128, tie_word_embeddings=True),
        "BF16", 2, 3_212_749_824, "",
    ),
    "tinyllama-1.1b": (TINY_LLAMA, "BF16", 1, 1_100_048_384, ""),
    "smollm2-135m": (
        smollm2(576, 1536, 30, 9, 3, 100000, **SMOLLM2_135M), "BF16", 1, 134_515_008, "",
    ),
    "smollm2-360m": (
        smollm2(960, 2560, 32, 15, 5, 100000, **SMOLLM2_135M), "BF16", 1, 361_821_120, "",
    ),
    "smollm2-1.7b": (
        smollm2(2048, 8192, 24, 32, 32, 130000.0), "BF16", 1, 1_711_376_384, "",
    ),
    "yi-6b": (YI, "BF16", 2, 6_061_035_520, ""),
    "mistral-7b-v0.1": (
        mistral(32000, rope_theta=10000.0, sliding_window=4096), "BF16", 2, 7_241_732_096, "",
    ),
    "mistral-7b-v0.2": (
        mistral(32000, attention_dropout=0.0, rope_theta=1000000.0, sliding_window=None),
        "BF16", 3, 7_241_732_096, "",
    ),
    "mistral-7b-v0.3": (
        mistral(32768, attention_dropout=0.0, rope_theta=1000000.0, sliding_window=None),
        "BF16", 3, 7_248_023_552, "",
    ),
    "qwen2-0.5b": (
        qwen2(896, 4864, 24, 14, 2, 151936, 131072, tie_word_embeddings=True),
        "BF16", 1, 494_032_768, "",
    ),
    "qwen2-7b": (qwen2(3584, 18944, 28, 28, 4, 152064, 131072), "BF16", 4, 7_615_616_512, ""),
    "qwen2.5-0.5b": (
        qwen2(896, 4864, 24, 14, 2, 151936, 32768, tie_word_embeddings=True, use_mrope=False),
        "BF16", 1, 494_032_768, "",
    ),
    "qwen2.5-7b": (
        qwen2(3584, 18944, 28, 28, 4, 152064, 131072, use_mrope=False),
        "BF16", 4, 7_615_616_512, "",
    ),
    "qwen3-0.6b": (
        qwen3(1024, 3072, 28, 16, tie_word_embeddings=True), "BF16", 1, 596_049_920, "head",
    ),
    "qwen3-8b": (qwen3(4096, 12288, 36, 32), "BF16", 5, 8_190_735_360, ""),
    "mamba-130m": (mamba(768, 24, 48), "F32", 1, 129_135_360, ""),
    "mamba-370m": (mamba(1024, 48, 64), "F32", 1, 371_516_416, ""),
    "mamba-790m": (mamba(1536, 48, 96), "F32", 1, 793_204_224, ""),
    "mamba-1.4b": (mamba(2048, 48, 128), "F32", 2, 1_372_178_432, ""),
    "mamba-2.8b": (mamba(2560, 64, 160), "F32", 3, 2_768_345_600, ""),
}  # fmt: skip

# ---- safetensors ----


def tensors_of(name):
    """(name, shape, dtype) of what the model's files hold."""
    config, dtype, _, _, extra = MODELS[name]
    for tensor, shape, own in TENSORS[config["model_type"]](config, extra):
        yield tensor, shape, own or dtype


def is_parameter(name, tensor):
    """Not a mask, a frequency, or a head that is the embedding once more."""
    config = MODELS[name][0]
    if tensor == "lm_head.weight" and config["tie_word_embeddings"]:
        return False
    return not tensor.endswith((".attn.bias", ".attention.bias", ".masked_bias", ".inv_freq"))


def write_hole(path, header, size):
    with open(path, "wb") as file:
        file.write(header)
        file.truncate(len(header) + size)


def write_safetensors(path, tensors):
    entries, at = {"__metadata__": {"format": "pt"}}, 0
    for name, shape, dtype in tensors:
        size = math.prod(shape) * SIZES[dtype]
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    write_hole(path, struct.pack("<Q", len(text)) + text, at)


def split(tensors, n):
    """The tensors in n runs of about the same size."""
    total = sum(math.prod(shape) * SIZES[dtype] for _, shape, dtype in tensors)
    runs, at = [[] for _ in range(n)], 0
    for tensor in tensors:
        runs[min(n - 1, at * n // total)].append(tensor)
        at += math.prod(tensor[1]) * SIZES[tensor[2]]
    return runs


def make_folder(name, out, without):
    config, _, files, _, _ = MODELS[name]
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    tensors = [t for t in tensors_of(name) if without is None or without not in t[0]]
    if files == 1:
        write_safetensors(folder / "model.safetensors", tensors)
        return
    places = {}
    for i, run in enumerate(split(tensors, files)):
        shard = f"model-{i + 1:05}-of-{files:05}.safetensors"
        write_safetensors(folder / shard, run)
        places.update({tensor[0]: shard for tensor in run})
    size = sum(math.prod(shape) * SIZES[dtype] for _, shape, dtype in tensors)
    index = {"metadata": {"total_size": size}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


# ---- GGUF: a model above, its matrices in one type, all else F32 ----

# number in the file, values a block, bytes a block
GGML = {
    "F32": (0, 1, 4),
    "F16": (1, 1, 2),
    "Q4_0": (2, 32, 18),
    "Q8_0": (8, 32, 34),
    "Q4_K": (12, 256, 144),
    "Q6_K": (14, 256, 210),
}
GGUF_MODELS = {
    "gpt2-xl-F16": ("gpt2-xl", "F16"),
    "pythia-6.9b-Q8_0": ("pythia-6.9b", "Q8_0"),
    "llama-2-7b-Q4_0": ("llama-2-7b", "Q4_0"),
    "llama-3.1-8b-Q4_K": ("llama-3.1-8b", "Q4_K"),
    "mistral-7b-v0.2-Q6_K": ("mistral-7b-v0.2", "Q6_K"),
    "qwen2-7b-Q8_0": ("qwen2-7b", "Q8_0"),
    "qwen3-8b-Q4_K": ("qwen3-8b", "Q4_K"),
    "mamba-2.8b-F16": ("mamba-2.8b", "F16"),
}
GGUF_NAMES = {
    "gpt2": [
        ("wte", "token_embd"), ("wpe", "position_embd"), ("ln_f", "output_norm"),
        ("ln_1", "attn_norm"), ("attn.c_attn", "attn_qkv"), ("attn.c_proj", "attn_output"),
        ("ln_2", "ffn_norm"), ("mlp.c_fc", "ffn_up"), ("mlp.c_proj", "ffn_down"),
    ],
    "gpt_neox": [
        ("embed_in", "token_embd"), ("final_layer_norm", "output_norm"),
        ("embed_out", "output"), ("input_layernorm", "attn_norm"),
        ("attention.query_key_value", "attn_qkv"), ("attention.dense", "attn_output"),
        ("post_attention_layernorm", "ffn_norm"), ("mlp.dense_h_to_4h", "ffn_up"),
        ("mlp.dense_4h_to_h", "ffn_down"),
    ],
    "llama": [
        ("embed_tokens", "token_embd"), ("lm_head", "output"),
        ("input_layernorm", "attn_norm"), ("post_attention_layernorm", "ffn_norm"),
        ("self_attn.q_proj", "attn_q"), ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"), ("self_attn.o_proj", "attn_output"),
        ("self_attn.q_norm", "attn_q_norm"), ("self_attn.k_norm", "attn_k_norm"),
        ("mlp.gate_proj", "ffn_gate"), ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"), ("model.norm", "output_norm"),
    ],
    "mamba": [
        ("embeddings", "token_embd"), ("norm_f", "output_norm"), ("norm", "attn_norm"),
        ("mixer.in_proj", "ssm_in"), ("mixer.conv1d", "ssm_conv1d"),
        ("mixer.x_proj", "ssm_x"), ("mixer.dt_proj", "ssm_dt"), ("mixer.A_log", "ssm_a"),
        ("mixer.D", "ssm_d"), ("mixer.out_proj", "ssm_out"),
    ],
}  # fmt: skip
ARCHITECTURES = {"gpt_neox": "gptneox", "mistral": "llama"}


def gguf_name(kind, name):
    """GGUF's name of a tensor."""
    parts = name.split(".")
    block = next((part for part in parts if part.isdigit()), None)
    end = parts[-1] if parts[-1] in ("weight", "bias") else ""
    stem = name[: -len(end) - 1] if end else name
    for ours, theirs in GGUF_NAMES[kind if kind in GGUF_NAMES else "llama"]:
        if stem == ours or stem.endswith("." + ours):
            return ".".join(filter(None, ["blk" if block else "", block, theirs, end]))
    raise KeyError(name)


def gguf_shape(kind, name, shape):
    """As the converter leaves it; rows first, as safetensors has it."""
    if kind == "gpt2" and "c_" in name and len(shape) == 2:
        return shape[::-1]
    return [n for n in shape if n != 1]


def gguf_keys(kind, c):
    """(key, value) without the architecture's name."""
    if kind == "gpt2":
        yield "context_length", c["n_positions"]
        yield "embedding_length", c["n_embd"]
        yield "feed_forward_length", 4 * c["n_embd"]
        yield "block_count", c["n_layer"]
        yield "attention.head_count", c["n_head"]
        yield "attention.layer_norm_epsilon", c["layer_norm_epsilon"]
        return
    yield "embedding_length", c["hidden_size"]
    yield "block_count", c["num_hidden_layers"]
    if kind == "mamba":
        yield "context_length", 1 << 20
        yield "feed_forward_length", 0
        yield "attention.head_count", 0
        yield "ssm.conv_kernel", c["conv_kernel"]
        yield "ssm.inner_size", c["intermediate_size"]
        yield "ssm.state_size", c["state_size"]
        yield "ssm.time_step_rank", c["time_step_rank"]
        yield "ssm.dt_b_c_rms", False
        yield "attention.layer_norm_rms_epsilon", c["layer_norm_epsilon"]
        return
    yield "context_length", c["max_position_embeddings"]
    yield "feed_forward_length", c["intermediate_size"]
    yield "attention.head_count", c["num_attention_heads"]
    if kind == "gpt_neox":
        head = c["hidden_size"] // c["num_attention_heads"]
        yield "rope.dimension_count", int(c["rotary_pct"] * head)
        yield "use_parallel_residual", c["use_parallel_residual"]
        yield "attention.layer_norm_epsilon", c["layer_norm_eps"]
        return
    head = c.get("head_dim", c["hidden_size"] // c["num_attention_heads"])
    yield "attention.head_count_kv", c["num_key_value_heads"]
    yield "attention.layer_norm_rms_epsilon", c["rms_norm_eps"]
    if "rope_theta" in c:
        yield "rope.freq_base", float(c["rope_theta"])
    if kind in ("llama", "mistral"):
        yield "rope.dimension_count", head
        yield "vocab_size", c["vocab_size"]
    if "head_dim" in c:
        yield "attention.key_length", head
        yield "attention.value_length", head


def gguf_text(text):
    return struct.pack("<Q", len(text)) + text.encode()


def gguf_value(value):
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    return struct.pack("<I", 8) + gguf_text(value)


def gguf_tensors(name):
    """(name, shape, type) of a row of GGUF_MODELS."""
    model, wanted = GGUF_MODELS[name]
    kind = MODELS[model][0]["model_type"]
    c = MODELS[model][0]
    for tensor, shape, _ in tensors_of(model):
        if not is_parameter(model, tensor):
            continue
        shape = gguf_shape(kind, tensor, shape)
        keeps = len(shape) == 1 or "conv1d" in tensor or "A_log" in tensor
        yield gguf_name(kind, tensor), shape, "F32" if keeps else wanted
    if (c.get("rope_scaling") or {}).get("rope_type") == "llama3":
        yield "rope_freqs.weight", [c["hidden_size"] // c["num_attention_heads"] // 2], "F32"


def make_gguf(name, out, without):
    config = MODELS[GGUF_MODELS[name][0]][0]
    kind = config["model_type"]
    architecture = ARCHITECTURES.get(kind, kind)
    keys = [("general.architecture", architecture), ("general.type", "model")]
    keys += [(f"{architecture}.{key}", value) for key, value in gguf_keys(kind, config)]
    infos, at = [], 0
    for tensor, shape, wanted in gguf_tensors(name):
        if without is not None and without in tensor:
            continue
        number, values, size = GGML[wanted]
        infos.append(
            gguf_text(tensor)
            + struct.pack(f"<I{len(shape)}Q", len(shape), *shape[::-1])
            + struct.pack("<IQ", number, at)
        )
        at += math.prod(shape) // values * size
        at += -at % 32
    header = b"GGUF" + struct.pack("<IQQ", 3, len(infos), len(keys))
    header += b"".join(gguf_text(key) + gguf_value(value) for key, value in keys)
    header += b"".join(infos)
    header += b"\0" * (-len(header) % 32)
    write_hole(out / f"{name}.gguf", header, at)


# ---- the commands ----


def stored_bytes(name):
    """Bytes of the parameters as lmdepth keeps them: quantised ones widen."""
    if name in MODELS:
        return sum(
            math.prod(shape) * SIZES[dtype]
            for tensor, shape, dtype in tensors_of(name)
            if is_parameter(name, tensor)
        )
    return sum(
        math.prod(shape) * (2 if wanted == "F16" else 4) for _, shape, wanted in gguf_tensors(name)
    )


def print_list():
    for name in [*MODELS, *GGUF_MODELS]:
        model = GGUF_MODELS[name][0] if name in GGUF_MODELS else name
        c, _, _, parameters, _ = MODELS[model]
        shapes = [shape for t, shape, _ in tensors_of(model) if is_parameter(model, t)]
        assert sum(map(math.prod, shapes)) == parameters, model
        family = {"gpt_neox": "gptneox"}.get(c["model_type"], c["model_type"])
        if name in GGUF_MODELS and family == "mistral":
            family = "llama"
        blocks = c.get("n_layer", c.get("num_hidden_layers"))
        width = c.get("n_embd", c.get("hidden_size"))
        context = c.get("n_positions", c.get("max_position_embeddings", 0))
        numbers = [parameters, blocks, width, c["vocab_size"], context, stored_bytes(name)]
        suffix = ".gguf" if name in GGUF_MODELS else ""
        print(name + suffix, family, *numbers)


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list")
    make = commands.add_parser("make")
    make.add_argument("out", type=pathlib.Path)
    make.add_argument("names", nargs="+")
    make.add_argument("--without")
    options = parser.parse_args()
    if options.command == "list":
        print_list()
        return
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.names:
        if name.endswith(".gguf"):
            make_gguf(name.removesuffix(".gguf"), options.out, options.without)
        else:
            make_folder(name, options.out, options.without)


if __name__ == "__main__":
    main()
