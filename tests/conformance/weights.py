"""Weights of a row, from its configuration alone: Hugging Face's names, shapes and values. The
same bits with every version of numpy: the values are sums of counter-based random integers
(Philox 4x64 is fixed; numpy's distributions are not), scaled in double precision, rounded once.

Scales are such that a block moves the stream, a head's attention is neither flat nor on one
position, and the distributions spread over entropies: a usual start of 0.02 would give states
that hardly differ and rows of nearly equal logits, and any fault would hide among them.
"""

import hashlib
import math

import numpy

from containers import round_to

HEAD = 2.6  # of the logits' deviation
BLOCK = 0.9  # of the output of a block's parts, against the embedding


class Source:
    """Random numbers for one row; a tensor's values depend on its name, not on its place."""

    def __init__(self, seed):
        self.seed = seed

    def normal(self, name, shape):
        """Nearly normal, deviation 1: sums of four uniform ones."""
        key = hashlib.sha256(f"{self.seed}/{name}".encode()).digest()[:16]
        philox = numpy.random.Philox(key=int.from_bytes(key, "little"))
        raw = numpy.asarray(philox.random_raw(int(numpy.prod(shape))), dtype=numpy.uint64)
        quarters = sum((raw >> numpy.uint64(16 * i)) & numpy.uint64(0xFFFF) for i in range(4))
        return ((quarters.astype(numpy.float64) - 131070) * (math.sqrt(3) / 65536)).reshape(shape)

    def integers(self, name, n, limit):
        """n of 0, 1, ..., limit - 1."""
        key = hashlib.sha256(f"{self.seed}/{name}".encode()).digest()[:16]
        philox = numpy.random.Philox(key=int.from_bytes(key, "little"))
        return [int(word) % limit for word in philox.random_raw(n)]


def matrix(gain=1.0, fan_in=1):
    """A product's weights; fan_in is the axis that is summed over."""
    return lambda noise: noise * (gain / math.sqrt(noise.shape[fan_in]))


def around(centre, spread):
    return lambda noise: centre + spread * noise


def conv1d(gain=1.0):  # GPT-2 keeps its matrices (in, out)
    return matrix(gain, fan_in=0)


NORM = around(1, 0.3)
BIAS = around(0, 0.2)
UNEMBEDDING = matrix(HEAD)
SHARP = 1.3  # of queries and keys


def gpt2(c):
    d, rows = c["n_embd"], c["vocab_size"]
    inner = c.get("n_inner") or 4 * d
    unscaled = 0.5 if not c["scale_attn_weights"] else SHARP
    yield "transformer.wte.weight", (rows, d), UNEMBEDDING
    yield "transformer.wpe.weight", (c["n_positions"], d), around(0, 0.2)
    for i in range(c["n_layer"]):
        stem = f"transformer.h.{i}."
        for norm in ("ln_1", "ln_2"):
            yield f"{stem}{norm}.weight", (d,), NORM
            yield f"{stem}{norm}.bias", (d,), BIAS
        yield stem + "attn.c_attn.weight", (d, 3 * d), conv1d(unscaled)
        yield stem + "attn.c_attn.bias", (3 * d,), BIAS
        yield stem + "attn.c_proj.weight", (d, d), conv1d(BLOCK)
        yield stem + "attn.c_proj.bias", (d,), BIAS
        yield stem + "mlp.c_fc.weight", (d, inner), conv1d(1.5)
        yield stem + "mlp.c_fc.bias", (inner,), BIAS
        yield stem + "mlp.c_proj.weight", (inner, d), conv1d(BLOCK)
        yield stem + "mlp.c_proj.bias", (d,), BIAS
    yield "transformer.ln_f.weight", (d,), NORM
    yield "transformer.ln_f.bias", (d,), BIAS
    if not c.get("tie_word_embeddings", True):
        yield "lm_head.weight", (rows, d), UNEMBEDDING


def gpt_neox(c):
    d, inner, rows = c["hidden_size"], c["intermediate_size"], c["vocab_size"]
    yield "gpt_neox.embed_in.weight", (rows, d), UNEMBEDDING
    for i in range(c["num_hidden_layers"]):
        stem = f"gpt_neox.layers.{i}."
        for norm in ("input_layernorm", "post_attention_layernorm"):
            yield f"{stem}{norm}.weight", (d,), NORM
            yield f"{stem}{norm}.bias", (d,), BIAS
        yield stem + "attention.query_key_value.weight", (3 * d, d), matrix(SHARP)
        yield stem + "attention.dense.weight", (d, d), matrix(BLOCK)
        if c["attention_bias"]:
            yield stem + "attention.query_key_value.bias", (3 * d,), BIAS
            yield stem + "attention.dense.bias", (d,), BIAS
        yield stem + "mlp.dense_h_to_4h.weight", (inner, d), matrix(1.5)
        yield stem + "mlp.dense_h_to_4h.bias", (inner,), BIAS
        yield stem + "mlp.dense_4h_to_h.weight", (d, inner), matrix(BLOCK)
        yield stem + "mlp.dense_4h_to_h.bias", (d,), BIAS
    yield "gpt_neox.final_layer_norm.weight", (d,), NORM
    yield "gpt_neox.final_layer_norm.bias", (d,), BIAS
    if not c["tie_word_embeddings"]:
        yield "embed_out.weight", (rows, d), UNEMBEDDING


# What transformers' configurations say where config.json does not.
KEY_HEADS = {"mistral": 8, "qwen2": 32, "qwen3": 32}
HEAD_DIM = {"qwen3": 128}


def llama(c):
    """And its kin."""
    d, inner, rows = c["hidden_size"], c["intermediate_size"], c["vocab_size"]
    heads = c["num_attention_heads"]
    key_heads = c.get("num_key_value_heads", KEY_HEADS.get(c["model_type"])) or heads
    size = c.get("head_dim", HEAD_DIM.get(c["model_type"])) or d // heads
    is_qwen2, is_qwen3 = c["model_type"] == "qwen2", c["model_type"] == "qwen3"
    biases = {"q": is_qwen2 or c.get("attention_bias", False)}
    biases["o"] = biases["q"] and not is_qwen2
    mlp_bias = c.get("mlp_bias", False)
    yield "model.embed_tokens.weight", (rows, d), UNEMBEDDING
    for i in range(c["num_hidden_layers"]):
        stem = f"model.layers.{i}."
        yield stem + "input_layernorm.weight", (d,), NORM
        for part, n in (("q", heads), ("k", key_heads), ("v", key_heads)):
            yield f"{stem}self_attn.{part}_proj.weight", (n * size, d), matrix(SHARP)
            if biases["q"]:
                yield f"{stem}self_attn.{part}_proj.bias", (n * size,), BIAS
        yield stem + "self_attn.o_proj.weight", (d, heads * size), matrix(BLOCK)
        if biases["o"]:
            yield stem + "self_attn.o_proj.bias", (d,), BIAS
        if is_qwen3:
            yield stem + "self_attn.q_norm.weight", (size,), around(1.2, 0.4)
            yield stem + "self_attn.k_norm.weight", (size,), around(1.2, 0.4)
        yield stem + "post_attention_layernorm.weight", (d,), NORM
        for part, shape in (("gate", (inner, d)), ("up", (inner, d)), ("down", (d, inner))):
            gain = BLOCK if part == "down" else 1.5
            yield f"{stem}mlp.{part}_proj.weight", shape, matrix(gain)
            if mlp_bias:
                yield f"{stem}mlp.{part}_proj.bias", shape[:1], BIAS
    yield "model.norm.weight", (d,), NORM
    if not c["tie_word_embeddings"]:
        yield "lm_head.weight", (rows, d), UNEMBEDDING


def steps(noise):
    """Logarithms of decay, which grow with the number of a state as a trained model's do."""
    return 0.4 * numpy.arange(noise.shape[1]) + 0.3 * noise


def delta_rank(c):
    return -(-c["hidden_size"] // 16) if c["time_step_rank"] == "auto" else c["time_step_rank"]


def mamba(c):
    d, inner, rows = c["hidden_size"], c["intermediate_size"], c["vocab_size"]
    states, width, rank = c["state_size"], c["conv_kernel"], delta_rank(c)
    yield "backbone.embeddings.weight", (rows, d), UNEMBEDDING
    for i in range(c["num_hidden_layers"]):
        stem = f"backbone.layers.{i}."
        yield stem + "norm.weight", (d,), NORM
        yield stem + "mixer.A_log", (inner, states), steps
        yield stem + "mixer.D", (inner,), around(1, 0.3)
        yield stem + "mixer.in_proj.weight", (2 * inner, d), matrix()
        yield stem + "mixer.conv1d.weight", (inner, 1, width), matrix(fan_in=2)
        yield stem + "mixer.x_proj.weight", (rank + 2 * states, inner), matrix()
        yield stem + "mixer.dt_proj.weight", (inner, rank), matrix()
        yield stem + "mixer.dt_proj.bias", (inner,), around(-1.5, 0.7)
        yield stem + "mixer.out_proj.weight", (d, inner), matrix(3 * BLOCK)
        if c["use_conv_bias"]:
            yield stem + "mixer.conv1d.bias", (inner,), BIAS
        if c["use_bias"]:
            yield stem + "mixer.in_proj.bias", (2 * inner,), BIAS
            yield stem + "mixer.out_proj.bias", (d,), BIAS
    yield "backbone.norm_f.weight", (d,), NORM
    if not c["tie_word_embeddings"]:
        yield "lm_head.weight", (rows, d), UNEMBEDDING


FAMILIES = {
    "gpt2": gpt2,
    "gpt_neox": gpt_neox,
    "llama": llama,
    "mistral": llama,
    "qwen2": llama,
    "qwen3": llama,
    "mamba": mamba,
}


def make(row):
    """Name -> values (float32 that row.dtype holds), under Hugging Face's full names."""
    source = Source(row.name)
    tensors = {}
    for name, shape, spread in FAMILIES[row.family](row.config()):
        values = spread(source.normal(name, shape)).astype(numpy.float32)
        # Blocks of a quantised type lie along what a product sums over.
        is_turned = row.family == "gpt2" and ".h." in name and values.ndim == 2
        turned = numpy.ascontiguousarray(values.T) if is_turned else values
        turned = round_to(turned, row.dtype)
        tensors[name] = numpy.ascontiguousarray(turned.T) if is_turned else turned
    return tensors
