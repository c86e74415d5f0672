#!/bin/bash
# Many nodes, started by Open MPI's mpirun, for sites whose srun does not start MPI programs.
#   sbatch --nodes=16 --ntasks-per-node=4 --cpus-per-task=8 slurm/many_nodes_mpirun.sh JOB.yaml [OPTION...]
# Options are those of `lmdepth run`. The signal goes to this script (B:), which hands it to mpirun,
# which hands it to the ranks.
#SBATCH --job-name=lmdepth
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --cpus-per-task=8
#SBATCH --exclusive
#SBATCH --time=04:00:00
#SBATCH --signal=B:USR1@300
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.out
set -u
: "${1:?usage: sbatch many_nodes_mpirun.sh JOB.yaml [OPTION...]}"

lmdepth=${LMDEPTH:-lmdepth}  # the program
restarts=${RESTARTS:-100}    # requeue no more often than that
threads=${SLURM_CPUS_PER_TASK:-1}
placement=${PLACEMENT:---map-by slot:PE=$threads --bind-to core}

launcher="" signalled=0
trap 'signalled=1; [ -z "$launcher" ] || kill -s USR1 "$launcher"' USR1

# A mistake in the job costs seconds on one node, not the start of all.
"$lmdepth" check "$1" >/dev/null || exit

# With this set, mpirun's own srun would give all ranks of a node the cores of one.
unset SRUN_CPUS_PER_TASK
# shellcheck disable=SC2086 # options
mpirun $placement "$lmdepth" run "$@" --threads "$threads" &
launcher=$!
# A signal ends `wait` before mpirun ends: then wait again.
code=0
wait "$launcher" || code=$?
while [ "$signalled" -eq 1 ]; do
    signalled=0 code=0
    wait "$launcher" || code=$?
done

# 75: stopped early (USR1 comes 300 s before the time limit) and all is saved. Slurm ends this
# script when it takes the job back, which then starts again at its first line.
if [ "$code" -eq 75 ] && [ "${SLURM_RESTART_COUNT:-0}" -lt "$restarts" ]; then
    scontrol requeue "$SLURM_JOB_ID" && sleep 300
fi
exit "$code"
