"""The table of the conformance suite: a row is one variant of one family, and everything else
here is driven by it. make_references.py computes its reference once, with transformers; run.py
makes the same weights again and holds the program against that reference.

A row is a family's base configuration, as transformers 4 writes it, and the switches that it
turns. Sizes are odd, and all different, so that two that are taken for each other don't fit.
"""

import dataclasses

from containers import BOOL, F32, STRING, U32

V = 331
BLOCKS = 3
DROP = "(no such key)"  # as a value


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    family: str  # model_type
    changes: dict = dataclasses.field(default_factory=dict)
    form: int = 4  # of config.json: as transformers 4 or 5 writes it
    neutral: tuple = ()  # switches that change no number, here or in this prompt; others must
    dtype: str = "f32"  # values are such as this type holds: f32, f16, bf16, q8_0
    containers: tuple = ("safetensors",)  # see containers.py
    is_bare: bool = False  # tensor names lack the family's prefix
    is_text: bool = False  # the job's corpus is text, through a byte-level tokenizer
    is_packed: bool = False  # the job is held against one prompt a pack, too
    length: int = 29  # of the reference prompt

    def config(self):
        """config.json in the form of transformers 4."""
        config = {**COMMON, **BASES[self.family], **self.changes}
        return {key: value for key, value in config.items() if value != DROP}


COMMON = {
    "vocab_size": V,
    "initializer_range": 0.02,
    "torch_dtype": "float32",
    "transformers_version": "4.46.3",
    "use_cache": True,
}

LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 42,
    "intermediate_size": 59,
    "num_hidden_layers": BLOCKS,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "head_dim": 10,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "rope_scaling": None,
    "hidden_act": "silu",
    "attention_bias": False,
    "attention_dropout": 0.0,
    "mlp_bias": False,
    "pretraining_tp": 1,
    "tie_word_embeddings": False,
    "bos_token_id": 256,
    "eos_token_id": 257,
}

BASES = {
    "gpt2": {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "n_embd": 39,
        "n_head": 3,
        "n_layer": BLOCKS,
        "n_inner": None,
        "n_positions": 48,
        "n_ctx": 48,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5,
        "attn_pdrop": 0.1,
        "embd_pdrop": 0.1,
        "resid_pdrop": 0.1,
        "reorder_and_upcast_attn": False,
        "scale_attn_by_inverse_layer_idx": False,
        "scale_attn_weights": True,
        "summary_activation": None,
        "summary_first_dropout": 0.1,
        "summary_proj_to_labels": True,
        "summary_type": "cls_index",
        "summary_use_proj": True,
        "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}},
        "bos_token_id": 256,
        "eos_token_id": 256,
    },
    "gpt_neox": {
        "architectures": ["GPTNeoXForCausalLM"],
        "model_type": "gpt_neox",
        "hidden_size": 40,
        "intermediate_size": 71,
        "num_hidden_layers": BLOCKS,
        "num_attention_heads": 5,
        "max_position_embeddings": 52,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-5,
        "rotary_pct": 0.25,
        "rotary_emb_base": 10000,
        "use_parallel_residual": True,
        "attention_bias": True,
        "attention_dropout": 0.0,
        "hidden_dropout": 0.0,
        "classifier_dropout": 0.1,
        "rope_scaling": None,
        "tie_word_embeddings": False,
        "bos_token_id": 0,
        "eos_token_id": 0,
    },
    "llama": LLAMA,
    "mistral": {
        **{key: value for key, value in LLAMA.items()
           if key not in ("attention_bias", "mlp_bias", "pretraining_tp", "rope_scaling")},
        "architectures": ["MistralForCausalLM"],
        "model_type": "mistral",
        "sliding_window": None,
    },
    "qwen2": {
        **{key: value for key, value in LLAMA.items()
           if key not in ("attention_bias", "mlp_bias", "pretraining_tp", "head_dim")},
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "hidden_size": 48,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1000000.0,
        "sliding_window": 32768,
        "use_sliding_window": False,
        "max_window_layers": 21,
    },
    "qwen3": {
        **{key: value for key, value in LLAMA.items()
           if key not in ("mlp_bias", "pretraining_tp")},
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "rms_norm_eps": 1e-6,
        "rope_theta": 1000000.0,
        "sliding_window": None,
        "use_sliding_window": False,
        "max_window_layers": BLOCKS,
    },
    "mamba": {
        "architectures": ["MambaForCausalLM"],
        "model_type": "mamba",
        "hidden_size": 37,
        "intermediate_size": 74,
        "num_hidden_layers": BLOCKS,
        "state_size": 5,
        "conv_kernel": 4,
        "expand": 2,
        "time_step_rank": 3,
        "use_bias": False,
        "use_conv_bias": True,
        "hidden_act": "silu",
        "layer_norm_epsilon": 1e-5,
        "residual_in_fp32": True,
        "rescale_prenorm_residual": False,
        "time_step_floor": 0.0001,
        "time_step_init_scheme": "random",
        "time_step_max": 0.1,
        "time_step_min": 0.001,
        "time_step_scale": 1.0,
        "tie_word_embeddings": True,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "pad_token_id": 0,
    },
}  # fmt: skip

LLAMA3_ROPE = {
    "rope_type": "llama3",
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}

LLAMA3_ROPE_BARE = {
    key: value for key, value in LLAMA3_ROPE.items() if key != "original_max_position_embeddings"
}

EVERY_CONTAINER = ("safetensors", "shards", "torch", "torch-shards", "gguf", "gguf-split")
HALF_CONTAINERS = ("safetensors", "torch", "gguf")

ROWS = [
    # ---- gpt2 ----
    Row("gpt2-plain", "gpt2", containers=EVERY_CONTAINER, is_packed=True),
    Row("gpt2-text", "gpt2", is_text=True, form=5),
    Row("gpt2-gelu", "gpt2", {"activation_function": "gelu", "layer_norm_epsilon": 1e-3}, length=48),
    Row("gpt2-relu", "gpt2", {"activation_function": "relu", "n_inner": 67}),
    Row("gpt2-silu", "gpt2", {"activation_function": "silu"}, is_bare=True),
    Row("gpt2-by-block", "gpt2", {"scale_attn_by_inverse_layer_idx": True}),
    Row("gpt2-unscaled", "gpt2", {"scale_attn_weights": False}),
    Row("gpt2-untied", "gpt2", {"tie_word_embeddings": False}, containers=("safetensors", "gguf")),
    Row("gpt2-f16", "gpt2", dtype="f16", containers=HALF_CONTAINERS),
    Row("gpt2-bf16", "gpt2", dtype="bf16", containers=HALF_CONTAINERS),
    Row("gpt2-q8", "gpt2", {"n_embd": 64, "n_head": 4}, dtype="q8_0", containers=("gguf", "safetensors")),
    Row("gpt2-long", "gpt2",
        {"n_embd": 132, "n_head": 4, "n_positions": 256, "n_ctx": 256, "n_layer": 2},
        neutral=("n_ctx",), length=256, dtype="bf16"),
    # ---- gptneox ----
    Row("gptneox-plain", "gpt_neox", containers=EVERY_CONTAINER, is_packed=True),
    Row("gptneox-text", "gpt_neox", is_text=True, form=5),
    Row("gptneox-all-rotary", "gpt_neox", {"rotary_pct": 1.0, "rotary_emb_base": 25000}),
    Row("gptneox-serial", "gpt_neox", {"use_parallel_residual": False},
        containers=("safetensors", "gguf")),
    Row("gptneox-no-bias", "gpt_neox", {"attention_bias": False}),
    Row("gptneox-relu", "gpt_neox", {"hidden_act": "relu", "layer_norm_eps": 1e-3}, is_bare=True),
    Row("gptneox-gelu-new", "gpt_neox", {"hidden_act": "gelu_new", "rotary_pct": 0.5}),
    Row("gptneox-gelu-fast", "gpt_neox", {"hidden_act": "gelu_fast"}),
    Row("gptneox-tied", "gpt_neox", {"tie_word_embeddings": True}, form=5),
    Row("gptneox-padded", "gpt_neox", {"vocab_size": 384}),
    Row("gptneox-linear-rope", "gpt_neox", {"rope_scaling": {"type": "linear", "factor": 2.5}}),
    Row("gptneox-f16", "gpt_neox", dtype="f16", containers=HALF_CONTAINERS),
    Row("gptneox-bf16", "gpt_neox", dtype="bf16", containers=HALF_CONTAINERS),
    Row("gptneox-q8", "gpt_neox",
        {"hidden_size": 64, "num_attention_heads": 4, "intermediate_size": 96},
        dtype="q8_0", containers=("gguf", "safetensors")),
    Row("gptneox-long", "gpt_neox",
        {"hidden_size": 132, "num_attention_heads": 3, "max_position_embeddings": 256,
         "intermediate_size": 203, "num_hidden_layers": 2, "rotary_pct": 0.5}, length=211),
    # ---- llama ----
    Row("llama-grouped", "llama", containers=EVERY_CONTAINER, is_packed=True),
    Row("llama-text", "llama", is_text=True, form=5),
    Row("llama-all-heads", "llama",
        {"num_key_value_heads": DROP, "head_dim": DROP, "hidden_size": 48, "mlp_bias": DROP,
         "attention_bias": DROP, "rope_scaling": DROP, "rope_theta": DROP},
        neutral=("mlp_bias", "attention_bias", "rope_scaling", "rope_theta"),
        containers=("safetensors", "gguf")),
    Row("llama-one-key", "llama", {"num_key_value_heads": 1, "rope_theta": 500000.0}),
    Row("llama-linear-rope", "llama", {"rope_scaling": {"type": "linear", "factor": 2.0}},
        containers=("safetensors", "gguf")),
    Row("llama-llama3-rope", "llama", {"rope_scaling": LLAMA3_ROPE, "rope_theta": 500000.0},
        containers=("safetensors", "gguf")),
    Row("llama-llama3-rope-5", "llama", {"rope_scaling": LLAMA3_ROPE}, form=5),
    # Where the original context stands twice, the one outside counts; nowhere: it is the whole one.
    Row("llama-llama3-rope-twice", "llama",
        {"rope_scaling": LLAMA3_ROPE, "original_max_position_embeddings": 16}),
    Row("llama-llama3-rope-beside", "llama",
        {"rope_scaling": LLAMA3_ROPE_BARE, "original_max_position_embeddings": 16}),
    Row("llama-llama3-rope-bare", "llama", {"rope_scaling": LLAMA3_ROPE_BARE}),
    Row("llama-linear-rope-beside", "llama",
        {"rope_scaling": {"type": "linear", "factor": 2.0}, "original_max_position_embeddings": 16},
        neutral=("original_max_position_embeddings",)),
    Row("llama-dynamic-rope", "llama", {"rope_scaling": {"type": "dynamic", "factor": 2.0}},
        neutral=("rope_scaling",)),
    Row("llama-attention-bias", "llama", {"attention_bias": True}),
    Row("llama-mlp-bias", "llama", {"mlp_bias": True, "hidden_act": "gelu"}),
    Row("llama-tied", "llama", {"tie_word_embeddings": True}, containers=("safetensors", "gguf")),
    Row("llama-eps", "llama", {"rms_norm_eps": 1e-2}, is_bare=True),
    Row("llama-one-block", "llama", {"num_hidden_layers": 1}, length=1),
    Row("llama-f16", "llama", dtype="f16", containers=HALF_CONTAINERS),
    Row("llama-bf16", "llama", dtype="bf16",
        containers=(*HALF_CONTAINERS, "shards", "torch-shards")),
    Row("llama-q8", "llama",
        {"hidden_size": 64, "num_attention_heads": 4, "head_dim": 24, "intermediate_size": 96},
        dtype="q8_0", containers=("gguf", "safetensors")),
    Row("llama-long", "llama",
        {"hidden_size": 132, "head_dim": 26, "max_position_embeddings": 256,
         "intermediate_size": 203, "num_hidden_layers": 2}, length=211, dtype="f16"),
    # ---- mistral ----
    Row("mistral-plain", "mistral", containers=("safetensors", "gguf")),
    Row("mistral-window", "mistral", {"sliding_window": 7}, is_packed=True),
    Row("mistral-window-5", "mistral", {"sliding_window": 12}, form=5, dtype="bf16"),
    Row("mistral-wide-window", "mistral",
        {"sliding_window": 4096, "head_dim": DROP, "hidden_size": 60},
        neutral=("sliding_window", "head_dim")),
    Row("mistral-long", "mistral",
        {"sliding_window": 70, "max_position_embeddings": 256, "num_hidden_layers": 4},
        length=211),
    Row("mistral-default-keys", "mistral",
        {"num_key_value_heads": DROP, "head_dim": DROP, "num_attention_heads": 16,
         "hidden_size": 64}),
    Row("mistral-text", "mistral", {"sliding_window": 7}, is_text=True),
    # ---- qwen2 ----
    Row("qwen2-plain", "qwen2", containers=EVERY_CONTAINER, is_packed=True),
    Row("qwen2-tied", "qwen2", {"tie_word_embeddings": True}, containers=("safetensors", "gguf")),
    Row("qwen2-window-unused", "qwen2",
        {"use_sliding_window": True, "sliding_window": 9, "max_window_layers": BLOCKS},
        neutral=("use_sliding_window", "sliding_window", "max_window_layers")),
    Row("qwen2-window", "qwen2",
        {"use_sliding_window": True, "sliding_window": 9, "max_window_layers": 0}),
    Row("qwen2-window-above", "qwen2",
        {"use_sliding_window": True, "sliding_window": 9, "max_window_layers": 1}),
    Row("qwen2-default-keys", "qwen2",
        {"num_key_value_heads": DROP, "num_attention_heads": 64, "hidden_size": 128}),
    Row("qwen2-text", "qwen2", is_text=True, form=5),
    Row("qwen2-bf16", "qwen2", dtype="bf16", containers=HALF_CONTAINERS),
    Row("qwen2-q8", "qwen2",
        {"hidden_size": 64, "num_attention_heads": 4, "intermediate_size": 96},
        dtype="q8_0", containers=("gguf", "safetensors")),
    # ---- qwen3 ----
    Row("qwen3-plain", "qwen3", containers=EVERY_CONTAINER, is_packed=True),
    Row("qwen3-tied", "qwen3", {"tie_word_embeddings": True}, containers=("safetensors", "gguf")),
    Row("qwen3-attention-bias", "qwen3", {"attention_bias": True}),
    Row("qwen3-window-above", "qwen3",
        {"use_sliding_window": True, "sliding_window": 9, "max_window_layers": 2}, form=5),
    Row("qwen3-default-keys", "qwen3",
        {"num_key_value_heads": DROP, "num_attention_heads": 64, "head_dim": 4}),
    Row("qwen3-default-size", "qwen3",
        {"head_dim": DROP, "num_attention_heads": 3, "num_key_value_heads": 1}),
    Row("qwen3-text", "qwen3", is_text=True, form=5),
    Row("qwen3-bf16", "qwen3", dtype="bf16", containers=HALF_CONTAINERS),
    Row("qwen3-q8", "qwen3", {"hidden_size": 64, "head_dim": 16, "intermediate_size": 96},
        dtype="q8_0", containers=("gguf", "safetensors")),
    # ---- mamba ----
    Row("mamba-plain", "mamba", containers=EVERY_CONTAINER, is_packed=True),
    Row("mamba-text", "mamba", is_text=True, form=5),
    Row("mamba-bias", "mamba", {"use_bias": True}),
    Row("mamba-no-conv-bias", "mamba", {"use_conv_bias": False, "time_step_rank": "auto"},
        neutral=("time_step_rank",)),
    Row("mamba-residual", "mamba", {"residual_in_fp32": False}, neutral=("residual_in_fp32",)),
    Row("mamba-wide-conv", "mamba", {"conv_kernel": 5, "state_size": 3}),
    Row("mamba-narrow-conv", "mamba", {"conv_kernel": 2, "layer_norm_epsilon": 1e-3}),
    Row("mamba-inner", "mamba", {"intermediate_size": 111, "expand": 3, "time_step_rank": 7},
        neutral=("expand",)),
    Row("mamba-untied", "mamba", {"tie_word_embeddings": False},
        containers=("safetensors", "gguf")),
    Row("mamba-one-position", "mamba", length=1),
    Row("mamba-f16", "mamba", dtype="f16", containers=HALF_CONTAINERS),
    Row("mamba-bf16", "mamba", dtype="bf16", containers=HALF_CONTAINERS),
    Row("mamba-q8", "mamba", {"hidden_size": 32, "intermediate_size": 64}, dtype="q8_0", containers=("gguf", "safetensors")),
    Row("mamba-long", "mamba",
        {"hidden_size": 131, "intermediate_size": 262, "state_size": 16, "num_hidden_layers": 2},
        length=301),
]  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Refusal:
    """What must not run: a key of a row's config, and words that the message must hold."""

    family: str
    changes: dict
    words: tuple
    form: int = 4


@dataclasses.dataclass(frozen=True)
class GgufRefusal:
    """The same of a key of GGUF metadata."""

    family: str
    key: str  # with its architecture
    kind: int  # see containers.py
    value: object
    words: tuple


def rope(kind, *words, **members):
    return {"rope_scaling": {"type": kind, "factor": 2.0, **members}}, (
        "rope_scaling",
        kind,
        *words,
    )


REFUSALS = [
    *(Refusal(family, *rope(kind))
      for family in ("llama", "qwen2", "qwen3", "gpt_neox")
      for kind in ("yarn", "longrope", "proportional")),
    Refusal("llama", *rope("su", short_factor=[1.0], long_factor=[1.0])),
    Refusal("llama", {"rope_scaling": {"rope_type": "yarn", "factor": 2.0}},
            ("rope_parameters.rope_type", "yarn"), form=5),
    *(Refusal(family, {key: value}, (key, str(value)))
      for family in ("llama", "mistral", "qwen2", "qwen3")
      for key, value in (("logits_soft_cap", 30.5), ("hidden_act", "mish"))),
    *(Refusal(family, {"quantization_config": {"quant_method": "gptq", "bits": 4}},
              ("quantization_config", "gptq"))
      for family in ("gpt2", "gpt_neox", "llama", "mistral", "qwen2", "qwen3", "mamba")),
    *(Refusal(family, {"some_new_switch": 3}, ("some_new_switch", "3"))
      for family in ("gpt2", "gpt_neox", "llama", "mistral", "qwen2", "qwen3", "mamba")),
    Refusal("llama", {"partial_rotary_factor": 0.5}, ("partial_rotary_factor", "0.5")),
    Refusal("llama", {"sliding_window": 7}, ("sliding_window", "7")),
    Refusal("gpt2", {"add_cross_attention": True}, ("add_cross_attention", "true")),
    Refusal("gpt2", {"activation_function": "quick_gelu_2"},
            ("activation_function", "quick_gelu_2")),
    Refusal("gpt_neox", {"hidden_act": "mish"}, ("hidden_act", "mish")),
    Refusal("mistral", {"layer_types": ["chunked_attention"] * BLOCKS},
            ("layer_types",)),
    Refusal("qwen2", {"layer_types": ["linear_attention"] * BLOCKS},
            ("layer_types", "linear_attention")),
    Refusal("qwen3", {"num_experts": 8}, ("num_experts", "8")),
    Refusal("mamba", {"hidden_act": "gelu_unknown"}, ("hidden_act", "gelu_unknown")),
    Refusal("mamba", {"n_groups": 8}, ("n_groups", "8")),
]  # fmt: skip

GGUF_REFUSALS = [
    GgufRefusal("llama", "llama.rope.scaling.type", STRING, "yarn", ("yarn",)),
    GgufRefusal("qwen2", "qwen2.rope.scaling.type", STRING, "longrope", ("longrope",)),
    GgufRefusal("llama", "llama.attn_logit_softcapping", F32, 30.5, ("30.5",)),
    GgufRefusal("llama", "llama.expert_count", U32, 8, ("8",)),
    GgufRefusal("qwen3", "qwen3.attention.causal", BOOL, False, ("false",)),
    GgufRefusal("gpt2", "gpt2.attention.scale", F32, 0.5, ("0.5",)),
    GgufRefusal("gpt_neox", "gptneox.attention.clamp_kqv", F32, 8.0, ("8",)),
    GgufRefusal("mamba", "mamba.ssm.dt_b_c_rms", BOOL, True, ("true",)),
]
