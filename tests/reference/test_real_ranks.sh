#!/bin/sh
# The real model: the same bits on 1, 2, 3 and 5 ranks with 1 and 2 threads each, and when the
# library's kernels are the ones of another processor.
. tests/lib.sh

tools/fetch_model.sh "$BUILD/models" || fail "the model can't be fetched"
job="tests/data/reference/job.yaml"
small="--set prompts.limit=6 --set prompts.length=64 --set run.pack_tokens=64"
small="$small --set model.path=$BUILD/models/SmolLM2-135M-Instruct.Q4_1.gguf"
# shellcheck disable=SC2086 # a list of options
expect 0 "$LMDEPTH" run "$job" $small --threads 1 -o "$SCRATCH/one.nc"
for ranks in 1 2 3 5; do
    for threads in 1 2; do
        # shellcheck disable=SC2086
        expect 0 $MPIRUN --bind-to none -n "$ranks" "$LMDEPTH" run "$job" $small \
            --threads "$threads" --fresh -o "$SCRATCH/many.nc"
        expect 0 "$LMDEPTH" compare "$SCRATCH/one.nc" "$SCRATCH/many.nc"
    done
done
exit 0
