"""A model as folders that people have: config.json of transformers 4 or 5, and the weights in
safetensors, in torch's zip with a pickle, or in GGUF as llama.cpp's converter writes it; whole
or in parts. Nothing but numpy is needed, and the same model gives the same bytes.
"""

import json
import math
import struct
import zipfile

import numpy

PARTS = 3
PREFIX = {
    "gpt2": "transformer.",
    "gpt_neox": "gpt_neox.",
    "llama": "model.",
    "mistral": "model.",
    "qwen2": "model.",
    "qwen3": "model.",
    "mamba": "backbone.",
}

# ---- types: values that a type holds, and its bytes ----


def bf16_bits(values):
    """Rounded to nearest, ties to even; finite values."""
    bits = values.view(numpy.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(numpy.uint16)


def round_to(values, dtype):
    if dtype == "f16":
        return values.astype(numpy.float16).astype(numpy.float32)
    if dtype == "bf16":
        return (bf16_bits(values).astype(numpy.uint32) << 16).view(numpy.float32)
    if dtype == "q8_0" and can_be_q8(values):
        numbers, scales = quantised(values)
        return (numbers * scales.astype(numpy.float32)).reshape(values.shape)
    return values


def can_be_q8(values):
    return values.ndim == 2 and values.shape[1] % 32 == 0


def quantised(values):
    """(numbers, scales) of blocks of 32. Of values that are so already, the same again."""
    blocks = values.reshape(-1, 32)
    scales = (numpy.abs(blocks).max(axis=1, keepdims=True) / 127).astype(numpy.float16)
    return numpy.rint(blocks / scales.astype(numpy.float32)), scales


def stored(values, dtype):
    """As bytes of that type."""
    if dtype == "q8_0":
        numbers, scales = quantised(values)
        both = (scales.view(numpy.uint8), numbers.astype(numpy.int8).view(numpy.uint8))
        return numpy.concatenate(both, axis=1).tobytes()
    if dtype == "bf16":
        return bf16_bits(values).astype("<u2").tobytes()
    return values.astype("<f2" if dtype == "f16" else "<f4").tobytes()


# ---- config.json ----

TORCH_NAMES = {"f32": "float32", "f16": "float16", "bf16": "bfloat16", "q8_0": "float32"}


def rope_parameters(config):
    """Takes the keys of transformers 4 out and gives the object of transformers 5."""
    rope = {"rope_type": "default", "rope_theta": config.pop("rope_theta", 10000.0)}
    if "rotary_emb_base" in config:
        rope["rope_theta"] = config.pop("rotary_emb_base")
        rope["partial_rotary_factor"] = config.pop("rotary_pct")
    scaling = dict(config.pop("rope_scaling", None) or {})
    rope["rope_type"] = scaling.pop("type", rope["rope_type"])
    return {**rope, **scaling}


def layer_types(config):
    first = config["max_window_layers"] if config["use_sliding_window"] else 1 << 30
    return [
        "sliding_attention" if i >= first else "full_attention"
        for i in range(config["num_hidden_layers"])
    ]


def write_config(folder, row, changes=None):
    config = row.config()
    config["torch_dtype"] = TORCH_NAMES[row.dtype]
    config.update(changes or {})
    if row.form == 5:
        config["dtype"] = config.pop("torch_dtype")
        config["transformers_version"] = "5.23.0"
        config["pad_token_id"] = None
        config.pop("n_ctx", None)
        if row.family not in ("gpt2", "mamba"):
            config["rope_parameters"] = rope_parameters(config)
        if "max_window_layers" in config:
            config["layer_types"] = layer_types(config)
            if not config["use_sliding_window"]:
                config["sliding_window"] = None
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def buffers(row):
    """What old conversions kept beside the weights, and no arithmetic needs."""
    config = row.config()
    if row.family == "gpt2":
        n = config["n_positions"]
        for i in range(config["n_layer"]):
            mask = numpy.tril(numpy.ones((1, 1, n, n), numpy.float32))
            yield f"h.{i}.attn.bias", mask
            yield f"h.{i}.attn.masked_bias", numpy.array(-1e4, numpy.float32)
    elif row.family == "gpt_neox":
        for i in range(config["num_hidden_layers"]):
            yield f"layers.{i}.attention.rotary_emb.inv_freq", numpy.ones(1, numpy.float32)
            yield f"layers.{i}.attention.masked_bias", numpy.array(-1e9, numpy.float32)
    else:
        for i in range(config["num_hidden_layers"]):
            yield f"layers.{i}.self_attn.rotary_emb.inv_freq", numpy.ones(5, numpy.float32)


def hugging_face_names(row, tensors):
    if not row.is_bare:
        return tensors
    bare = {name.removeprefix(PREFIX[row.family]): values for name, values in tensors.items()}
    return {**bare, **dict(buffers(row))}


def split(tensors):
    """PARTS dictionaries, in runs of names."""
    names = list(tensors)
    step = -(-len(names) // PARTS)
    return [{n: tensors[n] for n in names[i : i + step]} for i in range(0, len(names), step)]


# ---- safetensors ----


def write_safetensors(path, tensors, dtype):
    header, body = {"__metadata__": {"format": "pt"}}, b""
    for name, values in tensors.items():
        begin = len(body)
        body += stored(values, dtype)
        header[name] = {
            "dtype": dtype.upper(),
            "shape": list(values.shape),
            "data_offsets": [begin, len(body)],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


# ---- torch ----

STORAGES = {"f32": "FloatStorage", "f16": "HalfStorage", "bf16": "BFloat16Storage"}


def pickled(value):
    """The opcodes of protocol 2 that torch.save makes of these values."""
    if isinstance(value, str):
        text = value.encode()
        return b"X" + struct.pack("<I", len(text)) + text
    if isinstance(value, int):
        return b"J" + struct.pack("<i", value)
    assert isinstance(value, tuple)
    return b"(" + b"".join(map(pickled, value)) + b"t"


def rebuilt(key, values, dtype):
    """A call of _rebuild_tensor_v2 on the storage `key`."""
    strides = tuple(math.prod(values.shape[i + 1 :]) for i in range(values.ndim))
    storage = b"(" + pickled("storage") + b"ctorch\n" + STORAGES[dtype].encode() + b"\n"
    storage += pickled(key) + pickled("cpu") + pickled(values.size) + b"tQ"
    arguments = storage + pickled(0) + pickled(values.shape) + pickled(strides)
    arguments += b"\x89ccollections\nOrderedDict\n)R"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + arguments + b"tR"


def write_torch(path, tensors, dtype):
    items = [
        pickled(name) + rebuilt(str(i), values, dtype)
        for i, (name, values) in enumerate(tensors.items())
    ]
    program = b"\x80\x02ccollections\nOrderedDict\n)R(" + b"".join(items) + b"u."
    entries = {"data.pkl": program, "byteorder": b"little"}
    entries.update({f"data/{i}": stored(v, dtype) for i, v in enumerate(tensors.values())})
    entries["version"] = b"3\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in entries.items():
            archive.writestr(zipfile.ZipInfo(f"pytorch_model/{name}"), data)


# ---- shards of both ----


def write_shards(folder, stem, end, tensors, dtype, write):
    weight_map, parts = {}, split(tensors)
    for i, part in enumerate(parts):
        name = f"{stem}-{i + 1:05d}-of-{len(parts):05d}{end}"
        write(folder / name, part, dtype)
        weight_map.update(dict.fromkeys(part, name))
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    (folder / f"{stem}{end}.index.json").write_text(json.dumps(index, indent=1))


# ---- GGUF: keys and tensors as llama.cpp's converter names and orders them ----

U32, F32, BOOL, STRING = 4, 6, 7, 8
TYPES = {"f32": 0, "f16": 1, "q8_0": 8, "bf16": 30}
FILE_TYPES = {"f32": 0, "f16": 1, "q8_0": 7, "bf16": 32}
ALWAYS_F32 = ("position_embd.weight", "ssm_conv1d.weight")

LLAMA_NAMES = {
    "model.embed_tokens.": "token_embd.",
    "model.norm.": "output_norm.",
    "lm_head.": "output.",
    "model.layers.": "blk.",
    "self_attn.q_proj.": "attn_q.",
    "self_attn.k_proj.": "attn_k.",
    "self_attn.v_proj.": "attn_v.",
    "self_attn.o_proj.": "attn_output.",
    "self_attn.q_norm.": "attn_q_norm.",
    "self_attn.k_norm.": "attn_k_norm.",
    "input_layernorm.": "attn_norm.",
    "post_attention_layernorm.": "ffn_norm.",
    "mlp.gate_proj.": "ffn_gate.",
    "mlp.up_proj.": "ffn_up.",
    "mlp.down_proj.": "ffn_down.",
}
NAMES = {
    "gpt2": {
        "transformer.wte.": "token_embd.",
        "transformer.wpe.": "position_embd.",
        "transformer.ln_f.": "output_norm.",
        "transformer.h.": "blk.",
        "lm_head.": "output.",
        "ln_1.": "attn_norm.",
        "ln_2.": "ffn_norm.",
        "attn.c_attn.": "attn_qkv.",
        "attn.c_proj.": "attn_output.",
        "mlp.c_fc.": "ffn_up.",
        "mlp.c_proj.": "ffn_down.",
    },
    "gpt_neox": {
        "gpt_neox.embed_in.": "token_embd.",
        "gpt_neox.final_layer_norm.": "output_norm.",
        "embed_out.": "output.",
        "gpt_neox.layers.": "blk.",
        "input_layernorm.": "attn_norm.",
        "post_attention_layernorm.": "ffn_norm.",
        "attention.query_key_value.": "attn_qkv.",
        "attention.dense.": "attn_output.",
        "mlp.dense_h_to_4h.": "ffn_up.",
        "mlp.dense_4h_to_h.": "ffn_down.",
    },
    "llama": LLAMA_NAMES,
    "mistral": LLAMA_NAMES,
    "qwen2": LLAMA_NAMES,
    "qwen3": LLAMA_NAMES,
    "mamba": {
        "backbone.embeddings.": "token_embd.",
        "backbone.norm_f.": "output_norm.",
        "lm_head.": "output.",
        "backbone.layers.": "blk.",
        "mixer.A_log": "ssm_a",
        "mixer.D": "ssm_d",
        "mixer.in_proj.": "ssm_in.",
        "mixer.conv1d.": "ssm_conv1d.",
        "mixer.x_proj.": "ssm_x.",
        "mixer.dt_proj.": "ssm_dt.",
        "mixer.out_proj.": "ssm_out.",
        ".norm.": ".attn_norm.",
    },
}


def gguf_name(row, name):
    for theirs, ours in NAMES[row.family].items():
        name = name.replace(theirs, ours)
    return name


def pair_neighbours(values, heads):
    """Rows of a llama's W_q or W_k: the two that turn together stand side by side."""
    half = values.shape[0] // heads // 2
    return values.reshape(heads, 2, half, -1).swapaxes(1, 2).reshape(values.shape)


def gguf_values(row, name, values):
    config = row.config()
    if row.family in ("llama", "mistral") and ".q_proj." in name:
        return pair_neighbours(values, config["num_attention_heads"])
    if row.family in ("llama", "mistral") and ".k_proj." in name:
        heads = config["num_attention_heads"]
        return pair_neighbours(values, config.get("num_key_value_heads", heads))
    if row.family == "gpt2" and values.ndim == 2 and ".h." in name:
        return values.T
    if row.family == "gpt_neox" and "query_key_value" in name:
        heads = config["num_attention_heads"]
        by_head = values.reshape(heads, 3, values.shape[0] // heads // 3, -1)
        return by_head.swapaxes(0, 1).reshape(values.shape)
    if name.endswith("A_log"):
        return (-numpy.exp(values.astype(numpy.float64))).astype(numpy.float32)
    if "conv1d.weight" in name:
        return values[:, 0]
    return values


def attention_keys(config):
    """Of the llama family."""
    heads = config["num_attention_heads"]
    size = config.get("head_dim") or config["hidden_size"] // heads
    scaling = config.get("rope_scaling") or {}
    yield "block_count", U32, config["num_hidden_layers"]
    yield "context_length", U32, config["max_position_embeddings"]
    yield "embedding_length", U32, config["hidden_size"]
    yield "feed_forward_length", U32, config["intermediate_size"]
    yield "attention.head_count", U32, heads
    yield "attention.head_count_kv", U32, config.get("num_key_value_heads", heads)
    if "rope_theta" in config:
        yield "rope.freq_base", F32, config["rope_theta"]
    yield "attention.layer_norm_rms_epsilon", F32, config["rms_norm_eps"]
    if "head_dim" in config:
        yield "attention.key_length", U32, size
        yield "attention.value_length", U32, size
    if scaling.get("type") == "linear":
        yield "rope.scaling.type", STRING, "linear"
        yield "rope.scaling.factor", F32, scaling["factor"]
    if config["model_type"] in ("llama", "mistral"):
        yield "vocab_size", U32, config["vocab_size"]
        yield "rope.dimension_count", U32, size


def gpt2_keys(config):
    yield "block_count", U32, config["n_layer"]
    yield "context_length", U32, config["n_ctx"]
    yield "embedding_length", U32, config["n_embd"]
    yield "feed_forward_length", U32, 4 * config["n_embd"]
    yield "attention.head_count", U32, config["n_head"]
    yield "attention.layer_norm_epsilon", F32, config["layer_norm_epsilon"]


def gpt_neox_keys(config):
    size = config["hidden_size"] // config["num_attention_heads"]
    yield "context_length", U32, config["max_position_embeddings"]
    yield "embedding_length", U32, config["hidden_size"]
    yield "block_count", U32, config["num_hidden_layers"]
    yield "feed_forward_length", U32, config["intermediate_size"]
    yield "rope.dimension_count", U32, int(config["rotary_pct"] * size)
    yield "attention.head_count", U32, config["num_attention_heads"]
    yield "use_parallel_residual", BOOL, config["use_parallel_residual"]
    yield "attention.layer_norm_epsilon", F32, config["layer_norm_eps"]


def mamba_keys(config):
    yield "context_length", U32, 1 << 20
    yield "embedding_length", U32, config["hidden_size"]
    yield "feed_forward_length", U32, 0
    yield "attention.head_count", U32, 0
    yield "block_count", U32, config["num_hidden_layers"]
    yield "ssm.conv_kernel", U32, config["conv_kernel"]
    yield "ssm.inner_size", U32, config["intermediate_size"]
    yield "ssm.state_size", U32, config["state_size"]
    yield "ssm.time_step_rank", U32, config["time_step_rank"]
    yield "attention.layer_norm_rms_epsilon", F32, config["layer_norm_epsilon"]
    yield "ssm.dt_b_c_rms", BOOL, False


KEYS = {"gpt2": gpt2_keys, "gpt_neox": gpt_neox_keys, "mamba": mamba_keys}
ARCHITECTURES = {"gpt_neox": "gptneox", "mistral": "llama"}


def rope_factors(config):
    """The tensor rope_freqs, which stands for Llama 3's scaling: what each frequency is divided
    by, as the converter computes it."""
    scaling = config["rope_scaling"]
    size = config["head_dim"]
    old = scaling["original_max_position_embeddings"]
    low, high = old / scaling["low_freq_factor"], old / scaling["high_freq_factor"]
    factors = []
    for i in range(0, size, 2):
        length = 2 * math.pi * config["rope_theta"] ** (i / size)
        smooth = (old / length - scaling["low_freq_factor"]) / (
            scaling["high_freq_factor"] - scaling["low_freq_factor"]
        )
        between = 1 / ((1 - smooth) / scaling["factor"] + smooth)
        factors.append(1 if length < high else scaling["factor"] if length > low else between)
    return numpy.array(factors, numpy.float32)


def gguf_string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def gguf_key(name, kind, value):
    forms = {2: "<H", U32: "<I", 5: "<i", F32: "<f", BOOL: "<?"}
    packed = gguf_string(value) if kind == STRING else struct.pack(forms[kind], value)
    return gguf_string(name) + struct.pack("<I", kind) + packed


def write_gguf_file(path, keys, tensors):
    """tensors: name -> (values, type)."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    head += b"".join(gguf_key(*key) for key in keys)
    body = b""
    for name, (values, dtype) in tensors.items():
        body += b"\0" * (-len(body) % 32)
        shape = values.shape[::-1]
        head += gguf_string(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        head += struct.pack("<IQ", TYPES[dtype], len(body))
        body += stored(values, dtype)
    path.write_bytes(head + b"\0" * (-len(head) % 32) + body)


def gguf_tensors(row, tensors):
    found = {}
    for name, values in tensors.items():
        ours = gguf_name(row, name)
        values = gguf_values(row, name, values)
        is_f32 = values.ndim == 1 or ours.endswith(ALWAYS_F32) or not ours.endswith(".weight")
        is_f32 = is_f32 or (row.dtype == "q8_0" and not can_be_q8(values))
        found[ours] = (values, "f32" if is_f32 else row.dtype)
    if (row.config().get("rope_scaling") or {}).get("rope_type") == "llama3":
        found["rope_freqs.weight"] = (rope_factors(row.config()), "f32")
    return found


def gguf_keys(row):
    architecture = ARCHITECTURES.get(row.family, row.family)
    keys = [
        ("general.architecture", STRING, architecture),
        ("general.type", STRING, "model"),
        ("general.name", STRING, row.name),
        ("general.file_type", U32, FILE_TYPES[row.dtype]),
        ("general.quantization_version", U32, 2),
    ]
    of_family = KEYS.get(row.family, attention_keys)(row.config())
    return keys + [(f"{architecture}.{name}", kind, value) for name, kind, value in of_family]


def write_gguf(path, row, tensors, more=()):
    """more: keys that come instead of those of the same name, or besides."""
    named = {key[0]: key for key in (*gguf_keys(row), *more)}
    write_gguf_file(path, list(named.values()), gguf_tensors(row, tensors))


def write_gguf_split(folder, row, tensors):
    """As gguf-split does: all keys in the first part, three more in every part."""
    named = gguf_tensors(row, tensors)
    parts = split(named)
    for i, part in enumerate(parts):
        keys = [
            *(gguf_keys(row) if i == 0 else []),
            ("split.no", 2, i),
            ("split.count", 2, len(parts)),
            ("split.tensors.count", 5, len(named)),
        ]
        write_gguf_file(folder / f"model-{i + 1:05d}-of-{len(parts):05d}.gguf", keys, part)


# ---- the whole ----


def write(folder, row, tensors, container):
    """Writes a model into `folder`, which is there; the path that a user would name."""
    named = hugging_face_names(row, tensors)
    dtype = "f32" if row.dtype == "q8_0" else row.dtype
    if container == "gguf":
        write_gguf(folder / "model.gguf", row, tensors)
        return folder / "model.gguf"
    if container == "gguf-split":
        write_gguf_split(folder, row, tensors)
        return folder
    write_config(folder, row)
    if container == "safetensors":
        write_safetensors(folder / "model.safetensors", named, dtype)
    elif container == "shards":
        write_shards(folder, "model", ".safetensors", named, dtype, write_safetensors)
    elif container == "torch":
        write_torch(folder / "pytorch_model.bin", named, dtype)
    else:
        assert container == "torch-shards", container
        write_shards(folder, "pytorch_model", ".bin", named, dtype, write_torch)
    return folder
