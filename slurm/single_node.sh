#!/bin/bash
# One node: a rank for each eight cores, eight threads each.
#   sbatch --ntasks-per-node=4 --cpus-per-task=8 slurm/single_node.sh JOB.yaml [OPTION...]
# Options are those of `lmdepth run`.
#SBATCH --job-name=lmdepth
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=4
#SBATCH --cpus-per-task=8
#SBATCH --hint=nomultithread
#SBATCH --exclusive
#SBATCH --time=04:00:00
#SBATCH --signal=USR1@300
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.out
set -u
: "${1:?usage: sbatch single_node.sh JOB.yaml [OPTION...]}"

lmdepth=${LMDEPTH:-lmdepth}  # the program
restarts=${RESTARTS:-100}    # requeue no more often than that

# From Slurm 22.05 on, srun does not inherit --cpus-per-task from sbatch. All ranks end with the
# same exit code: none is "bad" whose end should kill the others while they end.
export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}
code=0
srun --mpi=pmix --kill-on-bad-exit=0 --distribution=block:block \
    "$lmdepth" run "$@" || code=$?

# 75: stopped early (USR1 comes 300 s before the time limit) and all is saved. Slurm ends this
# script when it takes the job back, which then starts again at its first line.
if [ "$code" -eq 75 ] && [ "${SLURM_RESTART_COUNT:-0}" -lt "$restarts" ]; then
    scontrol requeue "$SLURM_JOB_ID" && sleep 300
fi
exit "$code"
