"""Makes tests/data/model/formats: one tiny Llama in every container that the program reads.

Usage: make_formats.py FOLDER

Needs torch, transformers, safetensors and gguf; the tests need only what it writes, which is
kept. All values are such as bfloat16 and float16 both hold exactly, so that one reference of
states and logits (reference.safetensors, as make_model_reference.py describes it) is that of
every folder:

  torch     pytorch_model.bin                            float32, head and embedding one storage
  torch16   pytorch_model.bin                            float16, pickle protocol 4
  torchb16  pytorch_model-0000K-of-00003.bin and index   bfloat16
  shards    model-0000K-of-00003.safetensors and index   bfloat16
  split     model-0000K-of-00004.gguf                    float16, keys in a part of their own
"""

import json
import pathlib
import shutil
import sys

import gguf
import numpy as np
import torch
import transformers
from safetensors.torch import save_file

from make_model_reference import config_of, write_reference

SIZES = {
    "d": 14,
    "H": 2,
    "K": 1,
    "D": 8,
    "F": 18,
    "V": 40,
    "N": 2,
    "tied": True,
    "base": 10000.0,
    "eps": 1e-5,
    "context": 64,
}
LENGTH = 11
LEAST = 2**-10  # smaller values would lose bits in float16

SHARDS = 3


def parts(tensors):
    """The tensors dealt out to SHARDS dictionaries, in runs."""
    names = list(tensors)
    step = -(-len(names) // SHARDS)
    return [{n: tensors[n] for n in names[i : i + step]} for i in range(0, len(names), step)]


def write_shards(folder, stem, end, tensors, save):
    pieces = parts(tensors)
    weight_map = {}
    for i, piece in enumerate(pieces):
        name = f"{stem}-{i + 1:05d}-of-{len(pieces):05d}{end}"
        save(piece, folder / name)
        weight_map.update(dict.fromkeys(piece, name))
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    (folder / f"{stem}{end}.index.json").write_text(json.dumps(index, indent=1))


def gguf_name(name):
    for theirs, ours in (
        ("model.embed_tokens.", "token_embd."),
        ("model.norm.", "output_norm."),
        ("lm_head.", "output."),
        ("model.layers.", "blk."),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
    ):
        name = name.replace(theirs, ours)
    return name


def permute(weight, heads):
    """Rows in the order of llama.cpp's converter, which pairs neighbours."""
    half = weight.shape[0] // heads // 2
    return weight.reshape(heads, 2, half, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


def write_split(folder, config, tensors):
    """As gguf-split --no-tensor-first-split does: the keys in a file of their own."""
    pieces = [{}, *parts(tensors)]
    heads = config["num_attention_heads"]
    key_heads = config["num_key_value_heads"]
    for i, piece in enumerate(pieces):
        path = folder / f"model-{i + 1:05d}-of-{len(pieces):05d}.gguf"
        writer = gguf.GGUFWriter(path, "llama")
        if i == 0:
            writer.add_block_count(config["num_hidden_layers"])
            writer.add_context_length(config["max_position_embeddings"])
            writer.add_embedding_length(config["hidden_size"])
            writer.add_feed_forward_length(config["intermediate_size"])
            writer.add_head_count(heads)
            writer.add_head_count_kv(key_heads)
            writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
            rope = config.get("rope_parameters") or config
            writer.add_rope_freq_base(rope["rope_theta"])
            writer.add_vocab_size(config["vocab_size"])
            if config.get("head_dim"):
                writer.add_key_length(config["head_dim"])
                writer.add_value_length(config["head_dim"])
                writer.add_rope_dimension_count(config["head_dim"])
        writer.add_uint16("split.no", i)
        writer.add_uint16("split.count", len(pieces))
        writer.add_int32("split.tensors.count", len(tensors))
        for name, value in piece.items():
            array = value.float().numpy()
            if "q_proj.weight" in name:
                array = permute(array, heads)
            if "k_proj.weight" in name:
                array = permute(array, key_heads)
            kind = np.float32 if array.ndim == 1 else np.float16
            writer.add_tensor(gguf_name(name), np.ascontiguousarray(array).astype(kind))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


def make_model():
    torch.manual_seed(5)
    model = transformers.LlamaForCausalLM(config_of(SIZES)).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(1 + 0.1 * torch.randn(p.shape) if "norm" in name else torch.randn(p.shape) / 3)
            p.copy_(torch.where(p.abs() < LEAST, 0, p).bfloat16().float())
    return model


def main():
    target = pathlib.Path(sys.argv[1])
    model = make_model()
    shutil.rmtree(target, ignore_errors=True)
    for name in ("torch", "torch16", "torchb16", "shards", "split"):
        (target / name).mkdir(parents=True)
        if name != "split":
            model.config.save_pretrained(target / name)
    write_reference(target / "reference.safetensors", model, list(range(3, 3 + LENGTH)))
    state = model.state_dict()
    torch.save(state, target / "torch/pytorch_model.bin")
    tensors = {n: t for n, t in state.items() if n != "lm_head.weight"}
    half = {n: t.half() for n, t in tensors.items()}
    brain = {n: t.bfloat16() for n, t in tensors.items()}
    torch.save(half, target / "torch16/pytorch_model.bin", pickle_protocol=4)
    write_shards(target / "torchb16", "pytorch_model", ".bin", brain, torch.save)
    write_shards(
        target / "shards",
        "model",
        ".safetensors",
        brain,
        lambda piece, path: save_file(piece, path, metadata={"format": "pt"}),
    )
    write_split(target / "split", model.config.to_dict(), tensors)


if __name__ == "__main__":
    main()
