#!/bin/sh
# Arrays: over models, and over the parts of one job, which are merged.
. tests/slurm/slurm.sh

# ---- models: a result for each ----
write_text "$SCRATCH/text.txt" 5
write_job models <<JOB
corpus: {path: text.txt}
prompts: {length: 64}
JOB
for seed in 1 2; do
    "$PYTHON" tests/python/make_tiny_model.py "$SCRATCH/step$seed" --seed $seed || fail "no model"
    echo "$SCRATCH/step$seed"
done >"$SCRATCH/models.txt"
submit "models-%a.log" --array=0-2 slurm/array_models.sh "$SCRATCH/models.yaml" "$SCRATCH/models.txt" "$SCRATCH/results"
await_that "the end of array $id" has_ended "$id"
# Line 3 is not there: one task fails, the others do not.
same 2 "$(echo "$states" | tr ' ' '\n' | grep -c COMPLETED)"
same 1 "$(echo "$states" | tr ' ' '\n' | grep -c FAILED)"
tells models-2.log "no line for array task 2"
for seed in 1 2; do
    expect 0 "$LMDEPTH" run "$SCRATCH/models.yaml" --set model.path="$SCRATCH/step$seed" -o "$SCRATCH/step$seed.nc"
    equal "$SCRATCH/step$seed.nc" "$SCRATCH/results/$(echo "$SCRATCH/step$seed" | tr -c 'A-Za-z0-9._\n-' _).nc"
done

# ---- parts: three chunks, of which a sample is used ----
for file in 1 2 3; do write_text "$SCRATCH/corpus$file.txt" 1100; done
write_job parts <<JOB
corpus: {path: corpus?.txt}
prompts: {length: 64, sample: 0.005}
observe: {folds: 3}
JOB
job="$SCRATCH/parts.yaml"
expect 0 "$LMDEPTH" run "$job" -o "$SCRATCH/whole.nc"

# parts_of FOLDER: the folder of PARTS parts, merged, is the whole.
parts_of() {
    for part in $(seq 0 $((PARTS - 1))); do
        [ -f "$1/part.$part.of.$PARTS.nc" ] || fail "no part $part in $1"
        "$LMDEPTH" compare "$SCRATCH/whole.nc" "$1/part.$part.of.$PARTS.nc" >/dev/null 2>&1 &&
            fail "part $part is the whole"
    done
    equal "$SCRATCH/whole.nc" "$1.nc"
    [ ! -e "$1/work" ] || fail "$1/work stayed"
}

# Prepared first; all three jobs are in the queue from the beginning.
export PARTS=3
folder="$SCRATCH/three"
submit prepare.log --ntasks-per-node=2 slurm/single_node.sh "$job" --prepare-only --work "$folder/work"
prepare=$id
submit "three-%a.log" --array=0-2 --dependency="afterok:$prepare" slurm/array_parts.sh "$job" "$folder"
parts=$id
submit three-merge.log --ntasks-per-node=1 --dependency="afterok:$parts" slurm/merge_parts.sh "$folder" "$folder.nc"
ends_as COMPLETED "$prepare" "$parts" "$id"
tells three-0.log "(used again)"
parts_of "$folder"

# The first part prepares, the other waits for it.
export PARTS=2
folder="$SCRATCH/two"
submit "two-%a.log" --array=0-1 slurm/array_parts.sh "$job" "$folder"
ends_as COMPLETED "$id"
cat "$SCRATCH"/two-?.log >"$SCRATCH/two.log"
tells two.log "(used again)"
# A part that is missing: named, and nothing is written.
mv "$folder/part.1.of.2.nc" "$SCRATCH/aside.nc"
submit two-missing.log slurm/merge_parts.sh "$folder" "$folder.nc"
ends_as FAILED "$id"
tells two-missing.log "part.1.of.2.nc"
[ ! -e "$folder.nc" ] || fail "a sum without a part"
mv "$SCRATCH/aside.nc" "$folder/part.1.of.2.nc"
submit two-merge.log slurm/merge_parts.sh "$folder" "$folder.nc"
ends_as COMPLETED "$id"
parts_of "$folder"
exit 0
