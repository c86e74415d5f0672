#!/bin/sh
# The full-size members of every family, their configs and headers over files that are holes
# (make_sparse.py): what show says of them, and that check makes a plan for each. Of weights
# that are holes of up to 140 GB nothing can be read in the time that this takes.
. tests/lib.sh

MODELS="$SCRATCH/models"
trap 'rm -rf "$MODELS"' EXIT
make_sparse() {
    "$PYTHON" tests/conformance/make_sparse.py "$@" || fail "make_sparse.py $*"
}
printf 'A text.\n\nAnother.\n' >"$SCRATCH/text.txt"

# write_check NAME: a job on the model of that name, with a stand-in tokenizer
write_check() {
    cat >"$SCRATCH/job.yaml" <<JOB
model: {path: models/$1, tokenizer: $TINY_FROM_JOB}
corpus: {path: text.txt}
prompts: {length: 32}
output: job.nc
JOB
}

# ---- every model, in numbers ----

make_sparse list >"$SCRATCH/list"
names=$(cut -d ' ' -f 1 "$SCRATCH/list")
# shellcheck disable=SC2086 # a list of names
make_sparse make "$MODELS" $names
for name in $names; do
    write_check "$name"
    expect 0 "$LMDEPTH" show --json "$MODELS/$name"
    mv "$SCRATCH/out" "$SCRATCH/$name.show"
    expect 0 "$LMDEPTH" check --json "$SCRATCH/job.yaml"
    mv "$SCRATCH/out" "$SCRATCH/$name.check"
done
"$PYTHON" - "$SCRATCH" <<'PYTHON' || fail "not what was published"
import json
import pathlib
import sys

folder = pathlib.Path(sys.argv[1])
lines = (folder / "list").read_text().splitlines()
assert len(lines) > 40, lines
for line in lines:
    name, family, *numbers = line.split()
    parameters, blocks, width, rows, context, size = map(int, numbers)
    show = json.loads((folder / f"{name}.show").read_text())
    check = json.loads((folder / f"{name}.check").read_text())
    wanted = [family, parameters, blocks, width, rows]
    keys = ["family", "parameters", "blocks", "width", "vocabulary"]
    assert [show[key] for key in keys] == wanted, (name, show, wanted)
    assert [check["model"][key] for key in keys] == wanted, (name, check, wanted)
    assert show["context"] == context, (name, show, context)
    # Vectors are kept in fp32 and matrices in panels of 32 rows.
    assert size <= show["packed_bytes"] <= 1.01 * size + 2e6, (name, show, size)
    assert check["memory"]["weights_a_node"] == show["packed_bytes"], (name, show, check)
    assert check["memory"]["engine_a_rank"] > 4 * 112 * rows, (name, check)
PYTHON

# ---- some, as people read it ----

# shows NAME TEXT...: show NAME says each
shows() {
    expect 0 "$LMDEPTH" show "$MODELS/$1"
    shift
    prints "$@"
}
shows llama-3.1-8b "8030.3 M" "safetensors, BF16" "16.06 GB" "llama3" "8192"
shows mistral-7b-v0.1 "4096 tokens in every block"
shows qwen3-0.6b "596.0 M" "tied" "apart from width / heads" "head by head"
shows mamba-2.8b "2768.3 M" "no limit" "5120 channels with 16 states"
shows llama-2-7b-Q4_0.gguf "GGUF, Q4_0 F32" "quantised"

# ---- what is missing, all of it ----

# misses NAME TEXT...: show and check refuse it and say each
misses() {
    model=$1
    write_check "$model"
    shift
    expect 3 "$LMDEPTH" show "$MODELS/$model"
    says "$@"
    expect 3 "$LMDEPTH" check "$SCRATCH/job.yaml"
    says "$@"
}
rm "$MODELS/gpt-neox-20b/model-00007-of-00046.safetensors" \
    "$MODELS/gpt-neox-20b/model-00046-of-00046.safetensors"
misses gpt-neox-20b "model-00007-of-00046.safetensors" "model-00046-of-00046.safetensors"
make_sparse make "$MODELS" mamba-130m --without A_log
misses mamba-130m "24 tensors are missing" "layers.0.mixer.A_log" "layers.23.mixer.A_log"
make_sparse make "$MODELS" llama-2-7b-Q4_0.gguf --without ffn_norm
misses llama-2-7b-Q4_0.gguf "32 tensors are missing" "blk.31.ffn_norm.weight"
exit 0
