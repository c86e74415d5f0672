"""Makes the seeds of the fuzz targets: small valid files of every format that is read.

Usage: make_seeds.py FOLDER

Writes FOLDER/<target>/<seed>. Needs numpy alone. What tests/data keeps of tokenizers
(variants, SentencePiece models) becomes seeds too. A seed that stands for several files
holds them one after the other, each but the last ended by a line of MARK.
"""

import base64
import collections
import gzip
import hashlib
import io
import json
import pathlib
import pickle
import re
import struct
import sys
import types
import zipfile

import numpy as np

MARK = b"\n%%%%\n"
DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
RANDOM = np.random.default_rng(7)


def dumps(value):
    return json.dumps(value, separators=(",", ":")).encode()


# ---- safetensors ----


def safetensors_header(tensors, metadata=None):
    """tensors: name -> (dtype, shape, bytes)"""
    header, at = {}, 0
    if metadata:
        header["__metadata__"] = metadata
    for name, (dtype, shape, n_bytes) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + n_bytes]}
        at += n_bytes
    return dumps(header), at


def safetensors(arrays, metadata=None):
    """arrays: name -> (dtype, array whose bytes are those of dtype)"""
    shapes = {n: (kind, list(a.shape), a.nbytes) for n, (kind, a) in arrays.items()}
    header, _ = safetensors_header(shapes, metadata)
    data = b"".join(a.tobytes() for _, a in arrays.values())
    return struct.pack("<Q", len(header)) + header + data


def floats(*shape):
    return RANDOM.standard_normal(shape).astype("<f4")


def bfloats(*shape):
    return (floats(*shape).view("<u4") >> 16).astype("<u2")


def safetensors_seeds():
    yield (
        "f32",
        safetensors({"a": ("F32", floats(2, 3)), "b": ("F32", floats(4))}, {"format": "pt"}),
    )
    yield "f16", safetensors({"a": ("F16", floats(2, 3).astype("<f2"))})
    yield "bf16", safetensors({"a.b": ("BF16", bfloats(3, 2, 1)), "c": ("BF16", bfloats())})
    ints = {
        "ids": ("I64", np.arange(5)),
        "rows": ("I32", np.arange(3, dtype="<i4")),
        "mask": ("BOOL", np.ones(2, "?")),
        "f64": ("F64", np.ones((1, 2))),
        "u8": ("U8", np.ones(3, "u1")),
    }
    yield "integers", safetensors(ints)
    yield "empty", safetensors({"none": ("F32", floats(0, 5))})
    yield "nothing", safetensors({})
    tensors = {"a": ("F16", [3, 2], 12), "b": ("F32", [], 4), "c": ("BF16", [1, 1, 2], 4)}
    yield "header", safetensors_header(tensors, {"format": "pt"})[0]


# ---- GGUF ----

UINT8, INT8, UINT16, INT16, UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY, UINT64, INT64, FLOAT64 = (
    range(13)
)
PACKED = dict(zip(range(13), "BbHhIif?  Qqd", strict=True))
# number, values and bytes of a block, where its half floats lie
QUANTS = {
    "F32": (0, 1, 4, []),
    "F16": (1, 1, 2, []),
    "Q4_0": (2, 32, 18, [0]),
    "Q4_1": (3, 32, 20, [0, 2]),
    "Q5_0": (6, 32, 22, [0]),
    "Q5_1": (7, 32, 24, [0, 2]),
    "Q8_0": (8, 32, 34, [0]),
    "Q2_K": (10, 256, 84, [80, 82]),
    "Q3_K": (11, 256, 110, [108]),
    "Q4_K": (12, 256, 144, [0, 2]),
    "Q5_K": (13, 256, 176, [0, 2]),
    "Q6_K": (14, 256, 210, [208]),
    "IQ4_NL": (20, 32, 18, [0]),
    "IQ4_XS": (23, 256, 136, [0]),
    "I32": (26, 1, 4, []),
    "I64": (27, 1, 8, []),
    "BF16": (30, 1, 2, []),
}


def gguf_string(text):
    text = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(text)) + text


def gguf_value(kind, value):
    if kind == STRING:
        return gguf_string(value)
    if kind == ARRAY:
        of, items = value
        return struct.pack("<IQ", of, len(items)) + b"".join(gguf_value(of, i) for i in items)
    return struct.pack("<" + PACKED[kind], value)


def gguf(keys, tensors=(), version=3):
    """keys: (name, kind, value); tensors: (name, type, shape innermost first, bytes)"""
    out = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(keys))
    for name, kind, value in keys:
        out += gguf_string(name) + struct.pack("<I", kind) + gguf_value(kind, value)
    data = b""
    for name, kind, shape, values in tensors:
        out += gguf_string(name) + struct.pack("<I", len(shape))
        out += b"".join(struct.pack("<Q", n) for n in shape)
        out += struct.pack("<IQ", kind, len(data))
        data += values + bytes(-len(values) % 32)
    return out + bytes(-len(out) % 32) + data


def gguf_block(name):
    """One block of random bits with finite scales, and its length."""
    kind, length, n_bytes, halves = QUANTS[name]
    block = RANDOM.integers(0, 256, n_bytes).astype(np.uint8)
    for at in halves:
        block[at : at + 2] = np.float16([0.01]).view(np.uint8)
    if name in ("F32", "F16", "BF16"):
        block[:] = 1
    return kind, length, block.tobytes()


def gguf_seeds():
    scalars = [(f"k{kind}", kind, 1) for kind in range(13) if kind not in (STRING, ARRAY)]
    arrays = [(f"a{kind}", ARRAY, (kind, [0, 1])) for kind in range(8)]
    texts = [("general.architecture", STRING, "llama"), ("t", ARRAY, (STRING, ["", "ab"]))]
    yield "keys", gguf([*scalars, *arrays, *texts, ("general.alignment", UINT32, 32)])
    yield "v2", gguf(texts, [("a", 0, [2, 3], bytes(24)), ("b", 0, [1], bytes(4))], 2)
    for name in QUANTS:
        kind, length, block = gguf_block(name)
        yield name, gguf([], [("a", kind, [length, 2], 2 * block)])
    split = [("split.no", UINT16, 0), ("split.count", UINT16, 1), ("split.tensors.count", INT32, 1)]
    yield "split", gguf(split, [("a", 1, [2, 1, 2], bytes(8))])


# ---- torch ----


def stand_in(module, name, value):
    """A name that pickle writes as module.name."""
    sys.modules.setdefault(module, types.ModuleType(module))
    value.__module__, value.__qualname__, value.__name__ = module, name, name
    setattr(sys.modules[module], name, value)
    return value


WIDTHS = {"Float": 4, "Half": 2, "BFloat16": 2, "Double": 8, "Long": 8, "Int": 4, "Short": 2,
          "Char": 1, "Byte": 1, "Bool": 1}  # fmt: skip
STORAGES = {name: stand_in("torch", name + "Storage", type(name, (), {})) for name in WIDTHS}
REBUILD = stand_in("torch._utils", "_rebuild_tensor_v2", lambda *_: None)
PARAMETER = stand_in("torch._utils", "_rebuild_parameter", lambda *_: None)


class Storage:
    def __init__(self, kind, key, n):
        self.id = ("storage", STORAGES[kind], key, "cpu", n)


class Tensor:
    def __init__(self, storage, shape, strides, first=0):
        self.arguments = (storage, first, shape, strides, False, collections.OrderedDict())

    def __reduce__(self):
        return REBUILD, self.arguments


class Parameter:
    def __init__(self, tensor):
        self.tensor = tensor

    def __reduce__(self):
        return PARAMETER, (self.tensor, False, collections.OrderedDict())


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        return value.id if isinstance(value, Storage) else None


def pickled(value, protocol=2):
    out = io.BytesIO()
    Pickler(out, protocol).dump(value)
    return out.getvalue()


def torch_file(pickle_bytes, storages, order=b"little"):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("m/data.pkl", pickle_bytes)
        if order:
            archive.writestr("m/byteorder", order)
        for key, values in storages.items():
            archive.writestr(f"m/data/{key}", values)
        archive.writestr("m/version", b"3\n")
    return out.getvalue()


def torch_seeds():
    storage = Storage("Float", "0", 6)
    tied = {"a": Tensor(storage, (2, 3), (3, 1)), "b": Tensor(storage, (3,), (1,), 3)}
    named = collections.OrderedDict(tied)
    half = Storage("Half", "1", 4)
    named["c"] = Parameter(Tensor(half, (4,), (1,)))
    values = {"0": floats(6).tobytes(), "1": floats(4).astype("<f2").tobytes()}
    for protocol in (2, 3, 4, 5):
        yield f"tied{protocol}", torch_file(pickled(tied, protocol), values)
        yield f"named{protocol}", torch_file(pickled(named, protocol), values)
    for kind in STORAGES:
        one = pickled({"a": Tensor(Storage(kind, "0", 2), (2,), (1,))})
        yield kind, torch_file(one, {"0": bytes(2 * WIDTHS[kind])}, None)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/data.pkl", pickled(tied))
        archive.writestr("m/data/0", values["0"])
    yield "deflated", out.getvalue()


def pickle_seeds():
    storage = Storage("BFloat16", "1", 4)
    named = collections.OrderedDict(a=Tensor(storage, (2, 2), (2, 1)))
    named["p"] = Parameter(Tensor(storage, (4,), (1,)))
    plain = {
        "n": None,
        "t": (True, (1, 2), (1, 2, 3)),
        "l": [1, 2.5, -(2**40), 2**70],
        "s": "x" * 300,
    }
    loop = []
    loop.append({"self": loop})
    for protocol in (0, 1, 2, 3, 4, 5):
        yield f"named{protocol}", pickled(named, protocol)
        yield f"plain{protocol}", pickled(plain, protocol)
        yield f"loop{protocol}", pickled(loop, protocol)
    yield "refused", pickled(print)


# ---- models in several files, configs ----


# Of each family: a config, and its tensors in Hugging Face's and in GGUF's names with
# their shapes in Hugging Face's order; letters are sizes, T transposes for GGUF.
SIZES = {"d": 8, "q": 8, "k": 4, "D": 4, "F": 12, "V": 16, "c": 24, "P": 64, "i": 16, "I": 32,
         "w": 4, "n": 2, "r": 1, "x": 5, "1": 1}  # fmt: skip

GATED = """
model.embed_tokens.weight token_embd.weight V,d
model.norm.weight output_norm.weight d
model.layers.0.input_layernorm.weight blk.0.attn_norm.weight d
model.layers.0.post_attention_layernorm.weight blk.0.ffn_norm.weight d
model.layers.0.self_attn.q_proj.weight blk.0.attn_q.weight q,d
model.layers.0.self_attn.k_proj.weight blk.0.attn_k.weight k,d
model.layers.0.self_attn.v_proj.weight blk.0.attn_v.weight k,d
model.layers.0.self_attn.o_proj.weight blk.0.attn_output.weight d,q
model.layers.0.mlp.gate_proj.weight blk.0.ffn_gate.weight F,d
model.layers.0.mlp.up_proj.weight blk.0.ffn_up.weight F,d
model.layers.0.mlp.down_proj.weight blk.0.ffn_down.weight d,F
"""
BIASES = """
model.layers.0.self_attn.q_proj.bias blk.0.attn_q.bias q
model.layers.0.self_attn.k_proj.bias blk.0.attn_k.bias k
model.layers.0.self_attn.v_proj.bias blk.0.attn_v.bias k
"""
MORE_BIASES = """
model.layers.0.self_attn.o_proj.bias blk.0.attn_output.bias d
model.layers.0.mlp.gate_proj.bias blk.0.ffn_gate.bias F
model.layers.0.mlp.up_proj.bias blk.0.ffn_up.bias F
model.layers.0.mlp.down_proj.bias blk.0.ffn_down.bias d
"""
HEAD = "lm_head.weight output.weight V,d\n"
HEAD_NORMS = """
model.layers.0.self_attn.q_norm.weight blk.0.attn_q_norm.weight D
model.layers.0.self_attn.k_norm.weight blk.0.attn_k_norm.weight D
"""
GPT2 = """
transformer.wte.weight token_embd.weight V,d
transformer.wpe.weight position_embd.weight P,d
transformer.ln_f.weight output_norm.weight d
transformer.ln_f.bias output_norm.bias d
transformer.h.0.ln_1.weight blk.0.attn_norm.weight d
transformer.h.0.ln_1.bias blk.0.attn_norm.bias d
transformer.h.0.attn.c_attn.weight blk.0.attn_qkv.weight d,c T
transformer.h.0.attn.c_attn.bias blk.0.attn_qkv.bias c
transformer.h.0.attn.c_proj.weight blk.0.attn_output.weight d,d T
transformer.h.0.attn.c_proj.bias blk.0.attn_output.bias d
transformer.h.0.ln_2.weight blk.0.ffn_norm.weight d
transformer.h.0.ln_2.bias blk.0.ffn_norm.bias d
transformer.h.0.mlp.c_fc.weight blk.0.ffn_up.weight d,F T
transformer.h.0.mlp.c_fc.bias blk.0.ffn_up.bias F
transformer.h.0.mlp.c_proj.weight blk.0.ffn_down.weight F,d T
transformer.h.0.mlp.c_proj.bias blk.0.ffn_down.bias d
"""
NEOX = """
gpt_neox.embed_in.weight token_embd.weight V,d
gpt_neox.final_layer_norm.weight output_norm.weight d
gpt_neox.final_layer_norm.bias output_norm.bias d
embed_out.weight output.weight V,d
gpt_neox.layers.0.input_layernorm.weight blk.0.attn_norm.weight d
gpt_neox.layers.0.input_layernorm.bias blk.0.attn_norm.bias d
gpt_neox.layers.0.attention.query_key_value.weight blk.0.attn_qkv.weight c,d
gpt_neox.layers.0.attention.query_key_value.bias blk.0.attn_qkv.bias c
gpt_neox.layers.0.attention.dense.weight blk.0.attn_output.weight d,d
gpt_neox.layers.0.attention.dense.bias blk.0.attn_output.bias d
gpt_neox.layers.0.post_attention_layernorm.weight blk.0.ffn_norm.weight d
gpt_neox.layers.0.post_attention_layernorm.bias blk.0.ffn_norm.bias d
gpt_neox.layers.0.mlp.dense_h_to_4h.weight blk.0.ffn_up.weight F,d
gpt_neox.layers.0.mlp.dense_h_to_4h.bias blk.0.ffn_up.bias F
gpt_neox.layers.0.mlp.dense_4h_to_h.weight blk.0.ffn_down.weight d,F
gpt_neox.layers.0.mlp.dense_4h_to_h.bias blk.0.ffn_down.bias d
"""
MAMBA = """
backbone.embeddings.weight token_embd.weight V,d
backbone.norm_f.weight output_norm.weight d
backbone.layers.0.norm.weight blk.0.attn_norm.weight d
backbone.layers.0.mixer.in_proj.weight blk.0.ssm_in.weight I,d
backbone.layers.0.mixer.conv1d.weight blk.0.ssm_conv1d.weight i,1,w
backbone.layers.0.mixer.conv1d.bias blk.0.ssm_conv1d.bias i
backbone.layers.0.mixer.x_proj.weight blk.0.ssm_x.weight x,i
backbone.layers.0.mixer.dt_proj.weight blk.0.ssm_dt.weight i,r
backbone.layers.0.mixer.dt_proj.bias blk.0.ssm_dt.bias i
backbone.layers.0.mixer.A_log blk.0.ssm_a i,n
backbone.layers.0.mixer.D blk.0.ssm_d i
backbone.layers.0.mixer.out_proj.weight blk.0.ssm_out.weight d,i
"""


def named_shapes(table):
    """name -> shape, with Hugging Face's names; GGUF name -> shape innermost first"""
    ours, theirs = {}, {}
    for line in table.split("\n"):
        if line:
            name, gguf_name, letters, *transposed = line.split()
            shape = [SIZES[letter] for letter in letters.split(",")]
            ours[name] = shape
            kept = [n for n, letter in zip(shape, letters.split(","), strict=True) if letter != "1"]
            theirs[gguf_name] = kept if transposed else kept[::-1]
    return ours, theirs


LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 8,
    "intermediate_size": 12,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 4,
    "num_hidden_layers": 1,
    "vocab_size": 16,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "hidden_act": "silu",
    "tie_word_embeddings": True,
    "bos_token_id": 1,
    "torch_dtype": "float32",
}
WINDOWS = {"use_sliding_window": True, "sliding_window": 2, "max_window_layers": 0}
CONFIGS = {
    "llama": (LLAMA, GATED),
    "untied": ({**LLAMA, "tie_word_embeddings": False}, GATED + HEAD),
    "both": (LLAMA, GATED + HEAD),
    "biases": ({**LLAMA, "attention_bias": True, "mlp_bias": True}, GATED + BIASES + MORE_BIASES),
    "mistral": ({**LLAMA, "model_type": "mistral", "sliding_window": 2}, GATED),
    "qwen2": ({**LLAMA, "model_type": "qwen2", **WINDOWS}, GATED + BIASES),
    "qwen3": (
        {**LLAMA, "model_type": "qwen3", "layer_types": ["full_attention"]},
        GATED + HEAD_NORMS,
    ),
    "gpt2": (
        {
            "model_type": "gpt2",
            "n_embd": 8,
            "n_inner": 12,
            "n_layer": 1,
            "n_head": 2,
            "vocab_size": 16,
            "n_positions": 64,
            "layer_norm_epsilon": 1e-5,
            "activation_function": "gelu_new",
            "scale_attn_by_inverse_layer_idx": True,
        },
        GPT2,
    ),
    "gpt_neox": (
        {
            "model_type": "gpt_neox",
            "hidden_size": 8,
            "intermediate_size": 12,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "vocab_size": 16,
            "max_position_embeddings": 64,
            "rotary_pct": 0.5,
            "rotary_emb_base": 10000,
            "use_parallel_residual": True,
            "hidden_act": "gelu",
            "tie_word_embeddings": False,
        },
        NEOX,
    ),
    "mamba": (
        {
            "model_type": "mamba",
            "hidden_size": 8,
            "num_hidden_layers": 1,
            "vocab_size": 16,
            "state_size": 2,
            "expand": 2,
            "conv_kernel": 4,
            "time_step_rank": "auto",
            "layer_norm_epsilon": 1e-5,
            "use_conv_bias": True,
        },
        MAMBA,
    ),
}
SCALINGS = {
    "linear": {"rope_type": "linear", "factor": 2.0},
    "dynamic": {"type": "dynamic", "factor": 2.0},
    "llama3": {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32,
    },
}


def config_seed(config, table):
    tensors = {n: ("F32", s, 4 * int(np.prod(s))) for n, s in named_shapes(table)[0].items()}
    return dumps(config) + MARK + safetensors_header(tensors)[0]


# GGUF: architecture, its keys (after the architecture's name), its table.
ATTENTION = {"attention.head_count": 2, "embedding_length": 8, "block_count": 1, "context_length": 64,
             "feed_forward_length": 12}  # fmt: skip
RMS = {"attention.layer_norm_rms_epsilon": 1e-5}
LAYER = {"attention.layer_norm_epsilon": 1e-5}
HEADS = {"attention.head_count_kv": 1, "attention.key_length": 4, "attention.value_length": 4,
         "rope.dimension_count": 4, "rope.freq_base": 10000.0}  # fmt: skip
SSM = {"ssm.inner_size": 16, "ssm.state_size": 2, "ssm.conv_kernel": 4, "ssm.time_step_rank": 1,
       "embedding_length": 8, "block_count": 1}  # fmt: skip
GGUF_MODELS = {
    "llama": ({**ATTENTION, **RMS, **HEADS}, GATED),
    "qwen2": ({**ATTENTION, **RMS, **HEADS}, GATED + BIASES + HEAD),
    "qwen3": ({**ATTENTION, **RMS, **HEADS}, GATED + HEAD_NORMS),
    "gpt2": ({**ATTENTION, **LAYER}, GPT2),
    "gptneox": (
        {**ATTENTION, **LAYER, "rope.dimension_count": 2, "use_parallel_residual": True},
        NEOX,
    ),
    "mamba": ({**SSM, **RMS}, MAMBA),
}
KINDS = {int: UINT32, float: FLOAT32, bool: BOOL}


def gguf_model(architecture, values, table):
    keys = [("general.architecture", STRING, architecture)]
    keys += [(f"{architecture}.{name}", KINDS[type(v)], v) for name, v in values.items()]
    tensors = []
    for name, shape in named_shapes(table)[1].items():
        tensors.append((name, 0, shape, floats(*shape).tobytes()))
    return gguf(keys, tensors)


def config_seeds():
    for name, (config, table) in CONFIGS.items():
        yield name, config_seed(config, table)
    for name, value in SCALINGS.items():
        yield name, config_seed({**LLAMA, "rope_scaling": value}, GATED)
    parameters = {**LLAMA, "rope_parameters": {"rope_type": "default", "rope_theta": 5e5}}
    del parameters["rope_theta"]
    yield "rope_parameters", config_seed(parameters, GATED)
    for architecture, (values, table) in GGUF_MODELS.items():
        yield "gguf_" + architecture, gguf_model(architecture, values, table)


def index_seeds():
    one = safetensors({"a": ("F32", floats(2))})
    two = safetensors({"b": ("F16", floats(3).astype("<f2"))})
    index = {"metadata": {"total_size": 14}, "weight_map": {"a": "one", "b": "two"}}
    yield "two", dumps(index) + MARK + one + MARK + two
    yield "missing", dumps({"weight_map": {"a": "one", "c": "three"}}) + MARK + one
    yield "same", dumps({"weight_map": {"a": "one"}}) + MARK + one
    keys = [("split.count", UINT16, 2), ("split.tensors.count", INT32, 2)]
    parts = [
        gguf([("split.no", UINT16, i), *keys], [(f"t{i}", 0, [1], bytes(4))]) for i in range(2)
    ]
    yield "split", MARK.join([b"", *parts])


# ---- tokenizers ----

BYTES = [chr(c) for c in (*range(33, 127), *range(161, 173), *range(174, 256), *range(256, 324))]


def changed(base, changes):
    """A copy of `base` with the keys of `changes`; of two models, with both their keys."""
    model = {"model": {**base["model"], **changes["model"]}} if "model" in changes else {}
    return {**base, **changes, **model}


def charsmap():
    """A precompiled character map that turns "a" into "b": a double array of 98 units, in
    which the root's children lie at their own bytes and the leaf of "a" beside it."""
    units = [0] * 98
    units[ord("a")] = ord("a") | 1 << 8 | 1 << 10
    units[ord("a") ^ 1] = 1 << 31
    return struct.pack("<99I", 4 * len(units), *units) + b"b\0"


def component_seeds(base):
    """tokenizer.json with each component alone."""
    normalizers = [
        *({"type": t} for t in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents")),
        {"type": "Strip", "strip_left": True, "strip_right": True},
        {"type": "Prepend", "prepend": "_"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "_"},
        {"type": "Replace", "pattern": {"Regex": " {2,}|\\p{N}+(?=x)"}, "content": "\u2581"},
        {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap()).decode()},
        {"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}]},
    ]
    split = {"type": "Split", "pattern": {"Regex": "\\s+(?!\\S)|\\p{L}+|[^a-z]"}, "invert": False}
    behaviors = ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous")
    cuts = [
        {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        {"type": "Digits", "individual_digits": True},
        {"type": "Digits", "individual_digits": False},
        {"type": "Whitespace"},
        {"type": "WhitespaceSplit"},
        {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": True},
        {"type": "Metaspace", "replacement": "\u2581", "add_prefix_space": True},
        {"type": "Sequence", "pretokenizers": [{"type": "Whitespace"}, {"type": "Punctuation"}]},
        *({**split, "behavior": b} for b in behaviors),
        *({"type": "Punctuation", "behavior": b} for b in behaviors),
    ]
    for i, part in enumerate(normalizers):
        yield f"normalizer{i}", changed(base, {"normalizer": part})
    for i, part in enumerate(cuts):
        yield f"cut{i}", changed(base, {"pre_tokenizer": part})


def tokenizer_seeds():
    vocab = {c: i for i, c in enumerate([*BYTES, "he", "hel"])}
    model = {"type": "BPE", "vocab": vocab, "merges": ["h e", "he l"], "byte_fallback": True}
    flags = ("single_word", "lstrip", "rstrip", "normalized", "special")
    added = [
        {"id": 258 + i, "content": f"<{f}>", **{g: f == g for g in flags}}
        for i, f in enumerate(flags)
    ]
    base = {"version": "1.0", "added_tokens": [], "normalizer": None, "pre_tokenizer": None,
            "post_processor": None, "decoder": None, "model": model}  # fmt: skip
    yield "plain", dumps(base)
    yield "added", dumps(changed(base, {"added_tokens": added}))
    few = [*"helo1_\u2581\u0120", "he", "hel", "<unk>"]
    small = {"vocab": {c: i for i, c in enumerate(few)}, "unk_token": "<unk>"}
    for name, seed in component_seeds(changed(base, {"model": small})):
        yield name, dumps(seed)
    template = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<special>", "type_id": 0}}, {"Sequence": {"id": "A"}}],
        "pair": [],
        "special_tokens": {"<special>": {"id": "<special>", "ids": [262], "tokens": ["<special>"]}},
    }
    yield "template", dumps(changed(base, {"added_tokens": added, "post_processor": template}))
    both = {
        "type": "Sequence",
        "processors": [{"type": "ByteLevel", "trim_offsets": False}, template],
    }
    yield "processors", dumps(changed(base, {"added_tokens": added, "post_processor": both}))
    pieces = [["<unk>", 0.0], ["\u2581", -2.0], ["a", -3.0], ["\u2581a", -1.5], ["<0x41>", -9.0]]
    unigram = {"type": "Unigram", "unk_id": 0, "vocab": pieces, "byte_fallback": False}
    yield "unigram", dumps({**base, "model": unigram})
    for file in ("variants", "unigram"):
        kept = json.loads((DATA / "token" / f"{file}.json").read_text())
        if "base" in kept:
            yield file, dumps(kept["base"])
        for i, variant in enumerate(kept.get("variants", [])):
            parts = {k: v for k, v in variant.items() if k in base}
            yield f"{file}{i}", dumps(changed(kept.get("base", base), parts))


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    if isinstance(value, bytes):
        return varint(8 * number + 2) + varint(len(value)) + value
    if isinstance(value, float):
        return varint(8 * number + 5) + struct.pack("<f", value)
    return varint(8 * number) + varint(value)


def sentencepiece(kind, pieces, trainer=b"", normalizer=b""):
    out = b""
    for text, score, of in pieces:
        out += field(1, field(1, text.encode()) + field(2, float(score)) + field(3, of))
    out += field(2, field(3, kind) + trainer)
    return out + field(3, normalizer)


def sentencepiece_seeds():
    pieces = [("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3)]
    pieces += [(f"<0x{i:02X}>", 0, 6) for i in range(256)]
    pieces += [
        ("\u2581", -1, 1),
        ("a", -2, 1),
        ("b", -3, 1),
        ("ab", -4, 1),
        ("\u2581a", -5, 1),
        ("x", -6, 4),
    ]
    few = [p for p in pieces if p[2] != 6]
    for kind in (1, 2):
        yield f"bytes{kind}", sentencepiece(kind, pieces, field(35, 1))
        yield (
            f"few{kind}",
            sentencepiece(kind, few, field(40, 0) + field(41, 1), field(3, 0) + field(4, 1)),
        )
        mapped = field(1, b"nmt_nfkc") + field(2, charsmap()) + field(5, 0)
        yield f"mapped{kind}", sentencepiece(kind, few, b"", mapped)
    kept = json.loads((DATA / "token" / "sentencepiece.json").read_text())
    for i, model in enumerate(kept["models"]):
        yield f"kept{i}", bytes.fromhex(model["bytes"])


PRES = ("default", "gpt-2", "llama-bpe", "qwen2", "smollm", "starcoder", "refact", "falcon", "mpt",
        "olmo", "dbrx", "deepseek-llm", "deepseek-coder", "command-r")  # fmt: skip


def gguf_vocabulary_seeds():
    tokens = [*BYTES, "he", "hel", "<|endoftext|>", "user"]
    kinds = [1] * (len(tokens) - 2) + [3, 4]
    base = [
        ("tokenizer.ggml.model", STRING, "gpt2"),
        ("tokenizer.ggml.tokens", ARRAY, (STRING, tokens)),
        ("tokenizer.ggml.token_type", ARRAY, (INT32, kinds)),
        ("tokenizer.ggml.merges", ARRAY, (STRING, ["h e", "he l"])),
        ("tokenizer.ggml.bos_token_id", UINT32, 258),
        ("tokenizer.ggml.add_bos_token", BOOL, True),
    ]
    yield "nopre", gguf(base)
    for pre in PRES:
        yield pre, gguf([*base, ("tokenizer.ggml.pre", STRING, pre)])
    pieces = [
        "<unk>",
        "<s>",
        *(f"<0x{i:02X}>" for i in range(256)),
        "\u2581",
        "a",
        "\u2581a",
        "b",
        "ab",
    ]
    scores = [-float(i) for i in range(len(pieces))]
    llama = [
        ("tokenizer.ggml.model", STRING, "llama"),
        ("tokenizer.ggml.tokens", ARRAY, (STRING, pieces)),
        ("tokenizer.ggml.scores", ARRAY, (FLOAT32, scores)),
        ("tokenizer.ggml.token_type", ARRAY, (INT32, [2, 3, *[6] * 256, *[1] * 5])),
    ]
    yield "llama", gguf(llama)
    more = [
        ("tokenizer.ggml.add_space_prefix", BOOL, False),
        ("tokenizer.ggml.unknown_token_id", UINT32, 0),
    ]
    yield "llama_more", gguf([*llama, *more])


def tokenizer_folder_seeds():
    """A byte for the kind, tokenizer_config.json, the tokenizer; merges.txt"""
    vocab = dumps({c: i for i, c in enumerate([*BYTES, "he", "hel", "<|endoftext|>"])})
    merges = b"#version: 0.2\nh e\nhe l\n"
    config = {
        "tokenizer_class": "GPT2Tokenizer",
        "bos_token": "<|endoftext|>",
        "add_bos_token": True,
    }
    decoder = {"258": {"content": "<|endoftext|>", "special": True, "normalized": False}}
    for i, extra in enumerate(({}, {"add_prefix_space": True}, {"added_tokens_decoder": decoder})):
        yield f"vocab{i}", b"\0" + dumps({**config, **extra}) + MARK + vocab + MARK + merges
    named = {**config, "bos_token": {"content": "<|endoftext|>"}}
    yield "named", b"\0" + dumps(named) + MARK + vocab + MARK + merges
    pieces = [("<unk>", 0, 2), ("<s>", 0, 3), ("\u2581", -1, 1), ("a", -2, 1), ("\u2581a", -3, 1)]
    model = sentencepiece(2, pieces, b"", field(4, 0))
    for legacy in (False, True):
        llama = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "legacy": legacy}
        yield f"llama_{legacy}", b"\1" + dumps(llama) + MARK + model
    yield "other", b"\1" + dumps({"tokenizer_class": "T5Tokenizer"}) + MARK + model
    yield "library", b"\1{}" + MARK + model
    special = {"bos_token": {"content": "<special>"}, "add_bos_token": True}
    for name, json_file in tokenizer_seeds():
        if name in ("added", "template"):
            yield name, b"\2" + dumps(special) + MARK + json_file


# ---- corpora, frequencies, jobs ----


def zstd_raw(data):
    """A zstd frame with one block that is stored as it is (RFC 8878)."""
    header = struct.pack("<I", 0xFD2FB528) + bytes([0x20, len(data)])
    return header + struct.pack("<I", len(data) << 3 | 1)[:3] + data


def corpus_seeds():
    """Four bytes pick the format, the file's ending, the policy and sizes."""
    texts = {
        "a": b"One line\nTwo lines\r\n\n  \nA paragraph of\ntwo lines\n\n\nlast",
        "b": b"1 2 3\n\n4\t5  6\n999 7\n-1\n12x\n",
        "c": b'{"text": "one \\u00e9", "m": {"g": "x"}}\n\n{"text": 1}\n[]\n{"m": {}}',
        "d": "\ufeffZeile \u00e4\u00f6\n\n".encode() + b"\xff\xfe\n\n\x00\n",
    }
    for name, text in texts.items():
        for kind in range(5):
            yield f"{name}{kind}", bytes([kind, 0, 5 * kind, 16 * kind]) + text
            yield f"{name}{kind}gz", bytes([kind, 1, 24, kind]) + gzip.compress(text, mtime=0)
            yield f"{name}{kind}zst", bytes([kind, 2, 7, 255]) + zstd_raw(text)
    members = gzip.compress(texts["a"], mtime=0) + gzip.compress(b"x", mtime=0)
    yield "members", bytes([0, 1, 0, 64]) + members
    frames = zstd_raw(texts["a"]) + zstd_raw(b"") + zstd_raw(b"y\n")
    yield "frames", bytes([0, 2, 0, 64]) + frames


def spool_seeds():
    """An index without its checksum: two groups, one chunk, two packs."""
    head = b"lmdindex" + struct.pack("<II", 1, 3) + gguf_string("fingerprint")
    groups = struct.pack("<I", 2) + gguf_string("all") + gguf_string("b")
    chunk = struct.pack("<IIIqQqI", 1, 0, 2, 0, 5, 1, 2)
    for group in range(2):
        chunk += struct.pack("<I10q", group, *range(10))
    yield "two", head + groups + chunk + struct.pack("<II", 7, 9) + struct.pack("<3q", 1, 2, 3)
    yield "none", head + struct.pack("<II", 0, 0) + bytes(24)


FINGERPRINT = b"0123456789abcdef" * 4


def snapshot_seeds():
    """The first byte says what follows: what the two frames hold, the frames, or a file."""
    lines = b"fingerprint %s\nattempt 3\nrank 1\npacks 70\nvalues 5\n" % FINGERPRINT
    lines += b"effort 3 6000 5900 0x1.5d3ef798p+40 0x1.99999ap-4\n"
    packs = struct.pack("<3q", 1 | 1 << 31, 7, 1 << 5)
    values = struct.pack("<5q", 0, -1, 5, 1 << 62, 3)
    told = lines + b"2025-01-01T00:00:00Z: attempt 3, 2 ranks: run j.yaml\n\n" + packs
    yield "told", b"\0" + told + MARK + values
    yield "silent", b"\0" + lines + b"\n\n" + packs + MARK + values
    yield "frames", b"\1" + zstd_raw(told) + MARK + zstd_raw(values)
    body = zstd_raw(told) + zstd_raw(values)
    head = f"lmdepth snapshot 1 {len(zstd_raw(told))} {len(zstd_raw(values))} "
    head += hashlib.sha256(body).hexdigest() + "\n"
    yield "whole", b"\2" + head.encode() + body


def chunk_seeds():
    """The record limit, then a chunk; checksums are set by the target."""
    vocabulary, fates = 20, 10
    packs, table = b"", b""
    for lengths in ([3, 5], [8], [1, 1, 1]):
        at = 120 + len(packs)
        for i, n in enumerate(lengths):
            flags = (i == 0) | (i == len(lengths) - 1) << 1
            packs += struct.pack("<QqIiII", 77 + i, i, 0, 4, n, flags)
        packs += struct.pack(f"<{sum(lengths)}I", *range(1, 1 + sum(lengths)))
        table += struct.pack("<QIIQ", at, sum(lengths), len(lengths), 0)
    for name, limit in (("all", 0), ("two", 2)):
        records = struct.pack(f"<{fates}q", 2, *[0] * (fates - 1))
        tables = records + struct.pack("<I", 3) + b"all" + struct.pack("<IqIq", 1, 3, 2, 1)
        head = b"lmdchunk" + struct.pack("<IIII", 2, vocabulary, 0, 1)
        head += struct.pack("<qqII", 0, -1, 1, 3) + struct.pack("<QQqq", 3, 2, 0, 0)
        head += struct.pack("<QQQQQ", 120 + len(packs), 0, 5, 6, 0)
        yield name, bytes([limit]) + head + packs + tables + table


def result_seeds():
    """Steps that build two files: see fuzz_result.c for what the numbers mean."""
    dims = b"".join(bytes([0, name, 2, 0]) for name in (1, 7, 4, 6))  # group fate limb strlen
    table = bytes([4, 8, 10, 2, 0, 1])  # int64 record_count(group, fate)
    table += bytes([4, 7, 4, 1, 1])  # int fate(fate)
    table += bytes([12, 1, 18, 1, 3]) + b"used split cut".ljust(64, b"\0")  # flag_meanings
    labels = bytes([4, 9, 2, 2, 0, 3])  # char group_name(group, strlen)
    sums = bytes([4, 14, 10, 2, 0, 2]) + bytes([4, 11, 10, 1, 0])  # entropy_sum, position_count
    strings = bytes([4, 25, 12, 1, 0]) + bytes([12, 7, 16, 1, 3]) + b"a title".ljust(64)
    cells = b"".join(bytes([8, v, 0]) + bytes([65 + v] * 64) for v in range(4))
    whole = dims + table + labels + sums + strings + cells
    yield "whole", whole + MARK + whole
    yield "other", whole + MARK + dims + table + cells
    yield "large", bytes([0, 1, 7, 0, 0, 6, 7, 0]) + bytes([4, 9, 2, 2, 0, 1]) + MARK + dims
    yield "types", dims + bytes([4, 25, 13, 1, 0, 4, 26, 14, 1, 0, 4, 27, 15, 0]) + MARK
    yield "group", bytes([11, 3]) + MARK + bytes([12, 7, 16, 11, 2]) + b"text"


def stored_seeds():
    """A sound result, its changes (what, which variable, where, the value), metrics sought."""
    yield "none", b""
    yield "values", b"\0" + b"".join(bytes([0, 0, v, 0, *[1] * 16]) for v in range(40)) + b"\0"
    yield "texts", bytes([1, 10, 0, 3, 1, 4]) + b"text" + bytes([12, 0, 0, 1, 3]) + b"new\1"
    yield "others", bytes([2, 15, 0, 0, 0, 1])


def jsonl_seeds():
    yield "plain", b'{"a": {"b": "text \\u00e9 \\ud83d\\ude00"}, "c": "group"}'
    yield "flat", b'{"a.b": "text", "c": 1}'
    yield "broken", b'{"a": {"b": "\\ud800"'
    yield "others", b'[{"a": [1, 2.5e3, null, true]}]'


def frequency_seeds():
    """The first byte picks the file's ending."""
    tsv = b"# counts\n0\t5\n1\t17\n99\t0\r\n\n"
    paper = {"0": {"token": "a", "count": 5, "ratio": 0.5}, "7": {"token": "\u00e9", "count": 2}}
    yield "tsv", b"\0" + tsv
    yield "json", b"\0" + dumps(paper)
    yield "mark", b"\0\xef\xbb\xbf \n" + dumps(paper)
    yield "tsv_gz", b"\1" + gzip.compress(tsv, mtime=0)
    yield "json_zst", b"\2" + zstd_raw(dumps(paper))


def job_seeds():
    """Job file, then overrides, a line each."""
    jobs = sorted((DATA.parent.parent / "jobs").glob("*.yaml"))
    jobs += sorted((DATA / "reference").glob("*.yaml"))
    for i, path in enumerate(jobs):
        yield f"kept{i}", path.read_bytes()
        sets = (
            b"observe.metrics=bucket,onset\nprompts.length=128\nobserve.states=0-3, -1\nrun.seed=5"
        )
        yield f"kept{i}set", path.read_bytes() + MARK + sets
    yield "flow", b"{model: {path: m}, corpus: [{path: '*.txt', group: g}], output: o.nc}"
    yield "anchors", b"model: &a {path: m}\ncorpus: [&b {path: x.jsonl}, *b]\noutput: !!str o\n"


def hub_seeds():
    """A name, the content of refs/main."""
    yield "plain", b"org/name" + MARK + b"0123abcd"
    yield "revision", b"org/name@main" + MARK + b"0123abcd\n"
    yield "commit", b"org/name@0123" + MARK + b"beef"
    yield "other", b"org/other@refs/pr/1" + MARK


# Where the words lie that a target's reader knows; they become its dictionary.
SOURCES = {
    "safetensors": "weights/safetensors.c weights/quants.c",
    "gguf": "weights/gguf.c",
    "torch": "weights/torch*.c weights/pickle*.c",
    "pickle": "weights/pickle*.c",
    "config": "model/*.c model/*.def",
    "index": "weights/weight_parts.c weights/gguf.c weights/safetensors.c",
    "tokenizer_json": "token/*.c token/*.def",
    "sentencepiece": "token/sentencepiece*.c token/tokenizer_sentencepiece.c",
    "tokenizer_gguf": "token/*gguf*.c token/gguf*.def",
    "tokenizer_folder": "token/tokenizer_*.c token/added_tokens.c",
    "corpus": "corpus/format*.c",
    "frequency": "token/frequency_file.c",
    "job": "job/*.c job/keys.def",
}
WORD = re.compile(r'"([A-Za-z0-9_.|+-]{2,40})"')


def write_dictionary(path, patterns):
    words = {"true", "false", "null", "-1", "18446744073709551615", "9223372036854775807", "1e999"}
    for pattern in patterns.split():
        for source in sorted((DATA.parent.parent / "src").glob(pattern)):
            words.update(WORD.findall(source.read_text()))
    path.write_text("".join(f'"{word}"\n' for word in sorted(words)))


SEEDS = {
    "safetensors": safetensors_seeds,
    "gguf": gguf_seeds,
    "torch": torch_seeds,
    "pickle": pickle_seeds,
    "config": config_seeds,
    "index": index_seeds,
    "tokenizer_json": tokenizer_seeds,
    "sentencepiece": sentencepiece_seeds,
    "tokenizer_gguf": gguf_vocabulary_seeds,
    "tokenizer_folder": tokenizer_folder_seeds,
    "corpus": corpus_seeds,
    "spool": spool_seeds,
    "chunk": chunk_seeds,
    "snapshot": snapshot_seeds,
    "result": result_seeds,
    "stored": stored_seeds,
    "jsonl": jsonl_seeds,
    "frequency": frequency_seeds,
    "job": job_seeds,
    "hub": hub_seeds,
}


def main():
    root = pathlib.Path(sys.argv[1])
    for target, seeds in SEEDS.items():
        (root / target).mkdir(parents=True, exist_ok=True)
        n = 0
        for name, content in seeds():
            (root / target / name).write_bytes(content)
            n += 1
        write_dictionary(root / f"{target}.dict", SOURCES.get(target, ""))
        print(f"{target}: {n} seeds")


if __name__ == "__main__":
    main()
