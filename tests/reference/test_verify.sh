#!/bin/sh
# `lmdepth verify`: states and logits of small models and of the real one against what
# transformers computes in fp32 (make_model_reference.py).
set -u
BUILD=${BUILD:-build}
data=tests/data/model
real=$BUILD/models/SmolLM2-135M-Instruct.Q4_1.gguf
status=0

# verify MODEL REFERENCE
verify() {
    echo "verify $1 $2"
    "$BUILD/lmdepth" verify "$1" "$2" || status=1
}

tools/fetch_model.sh "$BUILD/models" || exit 1
for folder in "$data"/*/; do
    [ -f "${folder}config.json" ] || continue
    verify "$folder" "${folder}reference.safetensors"
    [ ! -f "${folder}model.gguf" ] ||
        verify "${folder}model.gguf" "${folder}reference.safetensors"
done
# One model in several containers: shards, parts of a split GGUF, torch files.
for folder in "$data"/formats/*/; do
    verify "$folder" "$data/formats/reference.safetensors"
done
verify "$real" "$data/real_short.safetensors"
verify "$real" "$data/real_long.safetensors"

# It can fail: rounding does not meet every tolerance.
"$BUILD/lmdepth" verify --rtol 1e-9 "$real" "$data/real_short.safetensors" >/dev/null
if [ $? -ne 1 ]; then
    echo "verify met a tolerance of 1e-9"
    status=1
fi
exit $status
