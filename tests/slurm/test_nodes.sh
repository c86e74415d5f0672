#!/bin/sh
# One node and two, started by srun and by mpirun: every rank takes part and does packs, and the
# results are that of a run without Slurm.
. tests/slurm/slurm.sh

write_text "$SCRATCH/text.txt" 60
write_job job <<JOB
corpus: {path: text.txt}
prompts: {length: 64}
run: {pack_tokens: 64}
JOB
job="$SCRATCH/job.yaml"
expect 0 "$LMDEPTH" run "$job" --threads 1 -o "$SCRATCH/whole.nc"

# One node, two ranks of a thread each; prepared by a job of its own.
submit prepare.log slurm/single_node.sh "$job" -o "$SCRATCH/one.nc" --prepare-only
prepare=$id
submit one.log --ntasks-per-node=2 --dependency="afterok:$prepare" slurm/single_node.sh "$job" -o "$SCRATCH/one.nc"
ends_as COMPLETED "$prepare" "$id"
tells one.log "2 ranks x 1 thread on 1 node" "(used again)"
equal "$SCRATCH/whole.nc" "$SCRATCH/one.nc"

for script in many_nodes many_nodes_mpirun; do
    out="$SCRATCH/$script.nc"
    submit $script.log --ntasks-per-node=2 slurm/$script.sh "$job" -o "$out" --snapshot-every 0.1s
    await_that "snapshots of four ranks under $script" has_saved "$id" "$out.work" 0 1 2 3
    ends_as COMPLETED "$id"
    same n[1-2] "$(field "$id" NodeList)"
    tells $script.log "4 ranks x 1 thread on 2 nodes"
    same "4 2" "$(attribute "$out" lmdepth_run_ranks) $(attribute "$out" lmdepth_run_nodes)"
    equal "$SCRATCH/whole.nc" "$out"
done

# A mistake in the job ends before ranks are started, with the program's exit code.
submit mistake.log slurm/many_nodes.sh "$SCRATCH/missing.yaml"
ends_as FAILED "$id"
same 2:0 "$(field "$id" ExitCode)"
tells mistake.log "missing.yaml"
exit 0
