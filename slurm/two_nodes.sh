#!/bin/bash
# Two nodes: one copy of the weights on each, a rank for each eight processors.
#   sbatch --ntasks-per-node=4 --cpus-per-task=8 slurm/two_nodes.sh JOB.yaml
#SBATCH --job-name=lmdepth
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --cpus-per-task=8
#SBATCH --exclusive
#SBATCH --time=04:00:00
#SBATCH --output=%x-%j.out
#SBATCH --open-mode=append
set -eu
job=${1:?usage: sbatch two_nodes.sh JOB.yaml}

# The plan is checked on one node first: a mistake in the job costs seconds, not a slot.
"${LMDEPTH:-lmdepth}" check "$job"

# From Slurm 22.05 on, srun does not inherit --cpus-per-task from sbatch.
export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}
srun --mpi=pmix --kill-on-bad-exit=1 --hint=nomultithread --distribution=block:block \
    "${LMDEPTH:-lmdepth}" run "$job"
