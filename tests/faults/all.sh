#!/bin/sh
# The long tests of faults: a hundred kills at random moments, or KILLS of them, from several
# sequences; a kill before each change of the file system; ranks that stand still for STANDSTILL
# seconds (30).
KILLS=${KILLS:-100}
. tests/lib.sh

for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    cat tests/data/reference/prose.txt
    echo
done >"$SCRATCH/text.txt"
write_job job <<JOB
corpus: {path: text.txt}
prompts: {length: 64}
observe: {metrics: "bucket,onset,entropy,divergence,token", folds: 3}
run: {pack_tokens: 64}
JOB
expect 0 "$LMDEPTH" run "$SCRATCH/job.yaml" -o "$SCRATCH/whole.nc"
for seed in 11 22 33 44; do
    SEED=$seed tests/faults/kills.sh $((KILLS / 4)) "$SCRATCH/job.yaml" "$SCRATCH/whole.nc" || exit 1
done
tests/faults/standstill.sh "${STANDSTILL:-30}" "$SCRATCH/job.yaml" "$SCRATCH/whole.nc" || exit 1
tests/faults/every_step.sh "$SCRATCH/job.yaml" "$SCRATCH/whole.nc" || exit 1
