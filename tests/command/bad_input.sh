#!/bin/sh
# Bad input: a message that names file and line, key, tensor or byte, the documented exit code,
# and nothing half-written.
. tests/lib.sh

printf 'Some text to read.\n' >"$SCRATCH/text.txt"
write_job job <<JOB
corpus: {path: text.txt}
prompts: {length: 32}
JOB

# refuses CODE ARGUMENT...: the job with these arguments fails and leaves nothing behind.
refuses() {
    code=$1
    shift
    expect "$code" timeout 60 "$LMDEPTH" run "$SCRATCH/job.yaml" --threads 1 "$@"
    [ ! -e "$SCRATCH/job.nc" ] || fail "a result was written"
    left=$(find "$SCRATCH" -name '*.tmp*' -o -name '.lmdepth*')
    [ -z "$left" ] || fail "left behind: $left"
}

# ---- model ----
model() {
    rm -rf "$SCRATCH/model"
    cp -r "$TINY" "$SCRATCH/model"
}
spoil() { # spoil PYTHON-EXPRESSION: `header` (dict) of model.safetensors is changed
    model
    "$PYTHON" - "$SCRATCH/model/model.safetensors" "$1" <<'PY'
import json, struct, sys
path = sys.argv[1]
data = open(path, "rb").read()
n = struct.unpack("<Q", data[:8])[0]
header = json.loads(data[8 : 8 + n])
exec(sys.argv[2])
text = json.dumps(header).encode()
open(path, "wb").write(struct.pack("<Q", len(text)) + text + data[8 + n :])
PY
}
configure() { # configure PYTHON-EXPRESSION: `config` (dict) is changed
    model
    "$PYTHON" - "$SCRATCH/model/config.json" "$1" <<'PY'
import json, sys
config = json.load(open(sys.argv[1]))
exec(sys.argv[2])
json.dump(config, open(sys.argv[1], "w"))
PY
}
refuses 2 --set model.path="$SCRATCH/nowhere"
says "nowhere" "model.path"
model
truncate -s 5000 "$SCRATCH/model/model.safetensors"
refuses 3 --set model.path="$SCRATCH/model"
says "model.safetensors"
model
printf '\377\377\377\377\377\377\377\177' |
    dd of="$SCRATCH/model/model.safetensors" conv=notrunc status=none
refuses 3 --set model.path="$SCRATCH/model"
says "model.safetensors"
spoil 'header["lm_head.weight"]["data_offsets"][1] += 10**12'
refuses 3 --set model.path="$SCRATCH/model"
says "lm_head.weight"
spoil 'header["lm_head.weight"]["dtype"] = "F8_E4M3"'
refuses 3 --set model.path="$SCRATCH/model"
says "lm_head.weight" "F8_E4M3"
spoil 'header["model.nrm.weight"] = header.pop("model.norm.weight")'
refuses 3 --set model.path="$SCRATCH/model"
says "model.norm.weight"
rm -rf "$SCRATCH/model"
"$PYTHON" tests/python/make_tiny_model.py "$SCRATCH/model" --nan model.layers.1.mlp.up_proj.weight
refuses 3 --set model.path="$SCRATCH/model"
says "model.layers.1.mlp.up_proj.weight"
configure 'config["rope_scaling"] = {"rope_type": "yarn", "factor": 4.0}'
refuses 3 --set model.path="$SCRATCH/model"
says "rope" "yarn"
configure 'config["attention_bias"] = True'
refuses 3 --set model.path="$SCRATCH/model"
says "missing" "self_attn.q_proj.bias"
configure 'config["hidden_act"] = "mish"'
refuses 3 --set model.path="$SCRATCH/model"
says "hidden_act" "mish"
configure 'config["model_type"] = "starfish"'
refuses 3 --set model.path="$SCRATCH/model"
says "starfish"
configure 'config["secret_multiplier"] = 2.5'
refuses 3 --set model.path="$SCRATCH/model"
says "secret_multiplier"
configure 'del config["rms_norm_eps"]'
model
echo '{"hidden_size": ' >"$SCRATCH/model/config.json"
refuses 3 --set model.path="$SCRATCH/model"
says "config.json"
model
rm "$SCRATCH/model/tokenizer.json" "$SCRATCH/model/tokenizer_config.json"
refuses 3 --set model.path="$SCRATCH/model"
says "tokenizer"
mkdir -p "$SCRATCH/empty"
refuses 3 --set model.path="$SCRATCH/empty"
says "empty"
refuses 2 --set model.tokenizer="$SCRATCH/no-tokenizer.json"
says "no-tokenizer.json"
printf 'GGUF\003\000\000\000' >"$SCRATCH/short.gguf"
refuses 3 --set model.path="$SCRATCH/short.gguf"
says "short.gguf"

# ---- job file ----
bad_job() { # bad_job TEXT WORD...: the job file TEXT is refused with these words
    text=$1
    shift
    printf '%b' "$text" >"$SCRATCH/bad.yaml"
    expect 2 "$LMDEPTH" run "$SCRATCH/bad.yaml"
    says "bad.yaml" "$@"
}
head="model: {path: $TINY_FROM_JOB}\noutput: x.nc\ncorpus: {path: text.txt}\n"
bad_job "${head}promts: {length: 4}\n" ":4" "promts" "prompts"
bad_job "${head}prompts: {length: four}\n" ":4" "prompts.length" "four"
bad_job "${head}prompts: {long: stretch}\n" ":4" "prompts.long" "split"
bad_job "${head}prompts: {sample: 1.5}\n" ":4" "prompts.sample"
bad_job "${head}prompts: [1\n" ":"
bad_job "output: x.nc\ncorpus: {path: text.txt}\n" "model.path"
bad_job "${head}observe: {metrics: [bucket, buckets]}\n" "buckets" "onset"
bad_job "${head}observe: {states: 0-9}\n" "states"
bad_job "${head}observe: {positions: every 0}\n" "positions"
bad_job "${head}observe: {lenses: [{kind: tuned, path: x}]}\n" "tuned"
bad_job "${head}observe: {skip: 128}\n" "skip"
bad_job "${head}prompts: {length: 129}\n" "length" "129" "128"
bad_job "${head}run: {pack_tokens: 16}\nprompts: {length: 17}\n" "17" "16" "pack_tokens" "prompts.length"
bad_job "${head}prompts: {length: 1, bos: always}\n" "length"
bad_job "${head}frequency: {from: no.tsv}\n" "no.tsv"
bad_job "model: {path: \"\${LMDEPTH_UNSET_NAME}\"}\noutput: x.nc\ncorpus: {path: t}\n" "LMDEPTH_UNSET_NAME"
refuses 2 --set corpus.path="$SCRATCH/none*.txt"
says "none*.txt"
refuses 2 --set corpus.path="$SCRATCH/job.yaml"
says "jsonl" "paragraphs"
printf '# text\n' >"$SCRATCH/tree.conllu"
refuses 2 --set corpus.path="$SCRATCH/tree.conllu"
says "not yet"
mkdir -p "$SCRATCH/folder.txt"
refuses 3 --set corpus.path="$SCRATCH/folder.txt"
says "folder.txt"

# ---- corpus ----
: >"$SCRATCH/nothing.txt"
refuses 3 --set corpus.path="$SCRATCH/nothing.txt"
printf '\377\376\n' >"$SCRATCH/latin.txt"
refuses 3 --set corpus.path="$SCRATCH/latin.txt"
says "record"
head -c 200000 /dev/urandom | base64 >"$SCRATCH/random.txt"
zstd -q -c "$SCRATCH/random.txt" | head -c 60000 >"$SCRATCH/cut.txt.zst"
refuses 3 --set corpus.path="$SCRATCH/cut.txt.zst"
says "cut.txt.zst" "60000"
gzip -c "$SCRATCH/random.txt" | head -c 60000 >"$SCRATCH/cut.txt.gz"
refuses 3 --set corpus.path="$SCRATCH/cut.txt.gz"
says "cut.txt.gz" "60000"
# On several ranks too: one message, no hang.
expect 3 timeout 60 $MPIRUN -n 3 "$LMDEPTH" run "$SCRATCH/job.yaml" --threads 1 \
    --set corpus.path="$SCRATCH/cut.txt.gz"
same 1 "$(grep -c 'lmdepth: error' "$SCRATCH/err")"

# ---- output: a full disk ----
if [ -d /dev/shm ] && [ "$(id -u)" = 0 ] && mkdir -p "$SCRATCH/full" &&
    mount -t tmpfs -o size=64k tmpfs "$SCRATCH/full" 2>/dev/null; then
    expect 4 "$LMDEPTH" run "$SCRATCH/job.yaml" --threads 1 --work "$SCRATCH/work" \
        -o "$SCRATCH/full/job.nc"
    says "job.nc"
    left=$(ls -A "$SCRATCH/full")
    umount "$SCRATCH/full"
    [ -z "$left" ] || fail "left behind on a full disk: $left"
else
    echo "skipped: a full disk (no right to mount a small one)"
fi
exit 0
