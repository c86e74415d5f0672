#!/bin/sh
# The real model on one node: its file is read by one rank (and once more by the root, for its
# sha256), and a rank's private memory is within what the plan allows and does not grow.
. tests/lib.sh

tools/fetch_model.sh "$BUILD/models" || fail "the model can't be fetched"
model="$BUILD/models/SmolLM2-135M-Instruct.Q4_1.gguf"
job="tests/data/reference/job.yaml"
small="--set prompts.length=64 --set run.pack_tokens=64 --set model.path=$model"
small="$small --set observe.metrics=bucket,onset,entropy,divergence --set observe.folds=1"

# Each rank's shell tells what the program that it has waited for has read.
export SCRATCH LMDEPTH job small
# shellcheck disable=SC2016 # for the inner shell
expect 0 $MPIRUN --bind-to none -n 3 sh -c '"$LMDEPTH" run "$job" $small --threads 1 \
    --set prompts.limit=2 -o "$SCRATCH/read.nc" || exit
    read -r _ n </proc/$$/io && echo "$n" >"$SCRATCH/read.$OMPI_COMM_WORLD_RANK$PMI_RANK"'
says "shared by its ranks"
bytes=$(stat -c %s "$model")
root=$(cat "$SCRATCH/read.0")
[ "$root" -lt "$((2 * bytes + bytes / 5))" ] ||
    fail "the root has read $root bytes for a model of $bytes"
for rank in 1 2; do
    [ "$(cat "$SCRATCH/read.$rank")" -lt "$((bytes / 5))" ] ||
        fail "rank $rank has read the model too"
done

# (N + 1) pack_tokens d 4 + 112 V 4 bytes + 64 MB + counters.
for limit in 2 8; do
    # shellcheck disable=SC2086 # a list of options
    expect 0 $MPIRUN --bind-to none -n 2 "$LMDEPTH" run "$job" $small --threads 1 --fresh \
        --set prompts.limit=$limit -o "$SCRATCH/memory.nc"
    line=$(grep "memory      a rank, weights" "$SCRATCH/err") || fail "no line on memory"
    expect 0 "$LMDEPTH" check "$job" $small --json
    echo "$line" | "$PYTHON" -c '
import json, re, sys
first, last, planned = map(float, re.findall(r"([0-9.]+) MB", sys.stdin.read()))
counters = json.load(open(sys.argv[1]))["memory"]["counters_a_rank"] / 1e6
bound = (31 * 64 * 576 * 4 + 112 * 49152 * 4) / 1e6 + 64 + counters
assert last <= bound and last - first < 3, (first, last, bound)  # a large page has 2 MB
' "$SCRATCH/out" || fail "$line"
done
exit 0
