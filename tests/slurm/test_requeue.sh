#!/bin/sh
# A job that is longer than its time limit: Slurm sends USR1, every rank saves, the script hands the
# job back, and Slurm starts it again until it is complete. Nothing of it shows in the result.
. tests/slurm/slurm.sh

# job_of NAME TIMES
job_of() {
    write_text "$SCRATCH/$1.txt" "$2"
    write_job "$1" <<JOB
corpus: {path: $1.txt}
prompts: {length: 64}
run: {pack_tokens: 64}
JOB
}

# has_restarted ID LOG: and says why.
has_restarted() {
    restarts=$(field "$1" Restarts)
    [ "$restarts" -ge 1 ] || return 1
    tells "$2" "stopped early: " "signal USR1; " "are done and saved" # whichever rank saw it first
}

# came_back RESULT WHOLE: complete in more than one attempt, and equal.
came_back() {
    attempts=$(attribute "$1" lmdepth_run_attempts)
    [ "$attempts" -ge 2 ] || give_up "$1: attempts '$attempts'"
    equal "$2" "$1"
    [ ! -e "$1.work" ] || fail "the work folder of $1 stayed"
}

# ---- mpirun: the script gets the signal (B:) and hands it on ----
job_of short 100
short="$SCRATCH/short.nc"
expect 0 $MPIRUN -n 2 "$LMDEPTH" run "$SCRATCH/short.yaml" --threads 1 -o "$short"
out="$SCRATCH/mpirun.nc"
submit mpirun.log slurm/many_nodes_mpirun.sh "$SCRATCH/short.yaml" -o "$out" --snapshot-every 0.1s
mpirun_job=$id
# Who waits for a job by afterok waits for its last attempt.
submit after.log --dependency="afterok:$id" --wrap "\"\$LMDEPTH\" show \"$out\""
after_job=$id
await_that "snapshots of both ranks under mpirun" has_saved "$mpirun_job" "$out.work" 0 1
scancel --signal=USR1 --batch "$mpirun_job"
ends_as COMPLETED "$mpirun_job" "$after_job"
has_restarted "$mpirun_job" mpirun.log || give_up "job $mpirun_job was not requeued"
came_back "$out" "$short"

# ---- srun: by the time limit itself ----
# Slurm looks at time limits each 30 s. For a job of half a minute to be met by that, it begins ten
# seconds before; USR1 comes when the job is more than 60 - 25 - 30 = 5 s old.
looks() {
    grep -c 'Testing job time limits' "${SLURM_CONF%/*}/log/slurmctld"
}
await_look() {
    seen=$(looks)
    for _ in $(seq 350); do
        [ "$(looks)" -gt "$seen" ] && return
        sleep 0.1
    done
}
speed=$(for one in "$short" "$out"; do attribute "$one" lmdepth_run_speed; done | sort -n | sed -n '$s/[. ].*//p')
job_of long $((speed * 25 / 8300 + 1))
long="$SCRATCH/long.nc"
$MPIRUN -n 2 "$LMDEPTH" run "$SCRATCH/long.yaml" --threads 1 -o "$long" >"$SCRATCH/long.log" 2>&1 &
background=$!
out="$SCRATCH/srun.nc"
for try in 1 2 3; do
    await_look
    sleep 20
    submit srun.log --time=1 --signal=USR1@25 slurm/many_nodes.sh "$SCRATCH/long.yaml" -o "$out"
    ends_as COMPLETED "$id"
    has_restarted "$id" srun.log && break
    # It began too late.
    [ $try -lt 3 ] || give_up "no time limit was reached"
    rm "$out"
done
wait $background || fail "$(cat "$SCRATCH/long.log")"
background=""
came_back "$out" "$long"
exit 0
