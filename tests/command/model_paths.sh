#!/bin/sh
# Where a model may lie: one file or several, each format, the Hugging Face cache.
. tests/lib.sh

FORMATS=tests/data/model/formats
# One reference for all: every value is exact in every type.
for folder in torch torch16 torchb16 shards split; do
    expect 0 "$LMDEPTH" verify "$FORMATS/$folder" "$FORMATS/reference.safetensors"
done
for file in torch/pytorch_model.bin torchb16/pytorch_model.bin.index.json \
    shards/model.safetensors.index.json split/model-00001-of-00004.gguf \
    split/model-00003-of-00004.gguf; do
    expect 0 "$LMDEPTH" verify "$FORMATS/$file" "$FORMATS/reference.safetensors"
    expect 0 "$LMDEPTH" show "$FORMATS/$file"
    prints "llama, 2 blocks"
done
expect 0 "$LMDEPTH" show "$FORMATS/torch"
says "warning" "pytorch_model.bin"

# What is missing is named at once.
for folder in shards split; do
    cp -r "$FORMATS/$folder" "$SCRATCH/$folder"
    rm "$SCRATCH/$folder"/model-0000[23]-of-*
    expect 3 "$LMDEPTH" show "$SCRATCH/$folder"
    says "files are missing (2): model-00002-of-0000" "model-00003-of-0000"
done
cp -r "$FORMATS/shards" "$SCRATCH/swapped"
cp "$FORMATS/shards/model-00002-of-00003.safetensors" \
    "$SCRATCH/swapped/model-00003-of-00003.safetensors"
expect 3 "$LMDEPTH" show "$SCRATCH/swapped"
says "is in several files"

# The order of choice in a folder.
cp -r "$FORMATS/torch" "$SCRATCH/order"
cp "$FORMATS"/split/*.gguf "$SCRATCH/order"
expect 0 "$LMDEPTH" show "$SCRATCH/order"
prints "model-00001-of-00004.gguf"
cp "$FORMATS"/shards/model* "$SCRATCH/order"
expect 0 "$LMDEPTH" show "$SCRATCH/order"
prints "model.safetensors.index.json"

# The cache: a reference, a commit, a part of it.
unset HF_HUB_CACHE HUGGINGFACE_HUB_CACHE HF_HOME XDG_CACHE_HOME
COMMIT=0123456789abcdef0123456789abcdef01234567
OTHER=0123ff6789abcdef0123456789abcdef01234567
CACHE="$SCRATCH/home/.cache/huggingface/hub"
MODEL="$CACHE/models--some-org--Tiny.Model_1"
mkdir -p "$MODEL/refs/pr" "$MODEL/snapshots/$OTHER"
cp -r "$TINY" "$MODEL/snapshots/$COMMIT"
printf '%s' "$COMMIT" >"$MODEL/refs/main"
printf '%s' "$OTHER" >"$MODEL/refs/empty"
printf '%s\n' "$COMMIT" >"$MODEL/refs/pr/1"
printf 'A text.\n' >"$SCRATCH/text.txt"
NAME=some-org/Tiny.Model_1
in_cache() { # in_cache VARIABLE=VALUE...: the model is found there
    expect 0 env HOME="$SCRATCH/nowhere" "$@" "$LMDEPTH" show "$NAME"
    prints "$COMMIT/model.safetensors" "BOS 256"
}
in_cache HOME="$SCRATCH/home"
in_cache XDG_CACHE_HOME="$SCRATCH/home/.cache"
in_cache HF_HOME="$SCRATCH/home/.cache/huggingface" XDG_CACHE_HOME="$SCRATCH/nowhere"
in_cache HF_HUB_CACHE="$CACHE" HF_HOME="$SCRATCH/nowhere"
in_cache HUGGINGFACE_HUB_CACHE="$CACHE" HF_HOME="$SCRATCH/nowhere"
export HF_HUB_CACHE="$CACHE"
for revision in main pr/1 "$COMMIT" 012345; do
    expect 0 "$LMDEPTH" show "$NAME@$revision"
    prints "$COMMIT/model.safetensors"
done
expect 2 "$LMDEPTH" show "$NAME@nightly"
says "$NAME@nightly" "$MODEL" "revisions there: empty, main, pr" "commits: $COMMIT, $OTHER"
expect 2 "$LMDEPTH" show "$NAME@0123" # of two commits
says "commits: $COMMIT, $OTHER"
expect 2 "$LMDEPTH" show "$NAME@empty/../main"
says "does not exist"
expect 3 "$LMDEPTH" show "$NAME@empty"
says "no weights in this folder"
expect 2 "$LMDEPTH" show some-org/other
says "some-org/other" "$CACHE" "models there: models--some-org--Tiny.Model_1"
expect 2 "$LMDEPTH" show ./some-org/other
says "does not exist"

# A job, from the name in it; the same numbers as from the folder.
cat >"$SCRATCH/hub.yaml" <<JOB
model: {path: $NAME@main}
output: hub.nc
corpus: {path: text.txt}
prompts: {length: 32}
JOB
write_job folder <<JOB
corpus: {path: text.txt}
prompts: {length: 32}
JOB
expect 0 "$LMDEPTH" run "$SCRATCH/hub.yaml"
expect 0 "$LMDEPTH" run "$SCRATCH/folder.yaml"
fingerprint() {
    ncdump -h "$SCRATCH/$1.nc" | grep lmdepth_fingerprint
}
same "$(fingerprint hub)" "$(fingerprint folder)"
same "$(printf 'A\n' | "$LMDEPTH" tokenize "$NAME")" "$(printf 'A\n' | "$LMDEPTH" tokenize "$TINY")"
expect 2 "$LMDEPTH" check "$SCRATCH/hub.yaml" --set model.path="$NAME@nightly"
says "model.path" "revisions there"

# In the cache files are links to blobs. One that is not there is named, whatever else would do.
for file in config.json model.safetensors tokenizer.json tokenizer_config.json; do
    snapshot="$MODEL/snapshots/$COMMIT"
    mv "$snapshot/$file" "$SCRATCH/$file"
    ln -s "../../blobs/b10b" "$snapshot/$file"
    expect 3 "$LMDEPTH" run "$SCRATCH/hub.yaml" --fresh
    says "$snapshot/$file: a link to ../../blobs/b10b, which is not there"
    expect 3 "$LMDEPTH" show "$snapshot/$file"
    says "$snapshot/$file: a link to ../../blobs/b10b, which is not there"
    mv "$SCRATCH/$file" "$snapshot/$file"
done
ln -s blob "$SCRATCH/shards/model-00002-of-00003.safetensors"
expect 3 "$LMDEPTH" show "$SCRATCH/shards"
says "model-00002-of-00003.safetensors (a link to blob, which is not there)" \
    ", model-00003-of-00003.safetensors"
rm "$SCRATCH/shards/model-00002-of-00003.safetensors"

# The hash of several files is that of sha256sum's list of them.
cp "$TINY"/tokenizer*.json "$SCRATCH/shards"
cp "$FORMATS"/shards/model-* "$SCRATCH/shards"
sed "s|$TINY_FROM_JOB|shards|; s|length: 32|length: 8, bos: never|" "$SCRATCH/folder.yaml" \
    >"$SCRATCH/parts.yaml"
printf '3 4 5 6\n' >"$SCRATCH/ids.txt"
sed -i 's|{path: text.txt}|{path: ids.txt, format: ids}|; s|folder.nc|parts.nc|' \
    "$SCRATCH/parts.yaml"
expect 0 "$LMDEPTH" run "$SCRATCH/parts.yaml"
wanted=$(cd "$FORMATS/shards" && sha256sum model-*.safetensors | sha256sum | cut -d' ' -f1)
ncdump -h "$SCRATCH/parts.nc" | grep -qF "$wanted" || fail "no $wanted in the result"
exit 0
