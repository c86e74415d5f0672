#!/bin/bash
# One job in parts, each in the queue for itself, for sites that start many small jobs sooner than
# a large one. The parts share what is prepared, in FOLDER/work; merge_parts.sh adds them up:
#   prepare=$(sbatch --parsable slurm/single_node.sh JOB.yaml --prepare-only --work FOLDER/work)
#   parts=$(sbatch --parsable --dependency=afterok:$prepare slurm/array_parts.sh JOB.yaml FOLDER)
#   sbatch --dependency=afterok:$parts slurm/merge_parts.sh FOLDER RESULT.nc
# Without the first line one part prepares and the others wait for it. Again for some: --array=3,7.
#SBATCH --job-name=lmdepth
#SBATCH --array=0-15
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=4
#SBATCH --cpus-per-task=8
#SBATCH --hint=nomultithread
#SBATCH --exclusive
#SBATCH --time=04:00:00
#SBATCH --signal=USR1@300
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%A_%a.out
set -u
usage="usage: sbatch array_parts.sh JOB.yaml FOLDER [OPTION...]"
job=${1:?$usage} folder=${2:?$usage}
shift 2

lmdepth=${LMDEPTH:-lmdepth}  # the program
restarts=${RESTARTS:-100}    # requeue no more often than that
parts=${PARTS:-16}           # of the whole job: --array=0-15, and not fewer when only some are run
part=$SLURM_ARRAY_TASK_ID

# From Slurm 22.05 on, srun does not inherit --cpus-per-task from sbatch. All ranks end with the
# same exit code: none is "bad" whose end should kill the others while they end.
export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}
code=0
srun --mpi=pmix --kill-on-bad-exit=0 --distribution=block:block \
    "$lmdepth" run "$job" --part "$part/$parts" --work "$folder/work" \
    -o "$folder/part.$part.of.$parts.nc" "$@" || code=$?

# 75: stopped early (USR1 comes 300 s before the time limit) and all is saved. Slurm ends this
# script when it takes the task back, which then starts again at its first line.
if [ "$code" -eq 75 ] && [ "${SLURM_RESTART_COUNT:-0}" -lt "$restarts" ]; then
    scontrol requeue "$SLURM_JOB_ID" && sleep 300
fi
exit "$code"
