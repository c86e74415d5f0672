#!/bin/sh
# scancel in mid-run; submitted again, the job goes on.
. tests/slurm/slurm.sh

write_text "$SCRATCH/text.txt" 100
write_job job <<JOB
corpus: {path: text.txt}
prompts: {length: 64}
run: {pack_tokens: 64}
JOB
expect 0 $MPIRUN -n 2 "$LMDEPTH" run "$SCRATCH/job.yaml" --threads 1 -o "$SCRATCH/whole.nc"

for script in many_nodes many_nodes_mpirun; do
    out="$SCRATCH/$script.nc"
    submit $script.log slurm/$script.sh "$SCRATCH/job.yaml" -o "$out" --snapshot-every 0.1s
    await_that "snapshots under $script" has_saved "$id" "$out.work" 0 1
    scancel "$id"
    ends_as CANCELLED "$id"
    same 0 "$(field "$id" Restarts)"
    [ ! -e "$out" ] || fail "$script was complete before it was cancelled"
    [ -f "$out.work/identity" ] || fail "nothing is left of $script"
    submit $script.again.log slurm/$script.sh "$SCRATCH/job.yaml" -o "$out"
    ends_as COMPLETED "$id"
    same 2 "$(attribute "$out" lmdepth_run_attempts)"
    equal "$SCRATCH/whole.nc" "$out"
    [ ! -e "$out.work" ] || fail "the work folder of $script stayed"
done
exit 0
