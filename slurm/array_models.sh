#!/bin/bash
# One job over many models or checkpoints, a result for each; nothing is merged. MODELS.txt holds a
# model a line: folder, .gguf file, or org/name@revision.
#   sbatch --array=0-11 slurm/array_models.sh JOB.yaml MODELS.txt FOLDER [OPTION...]
# Line 1 is task 0; again for some of them: --array=3,7. The results, FOLDER/<model>.nc, are drawn
# side by side by analysis/figures.py.
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
#SBATCH --output=%x-%A_%a.out
set -u
usage="usage: sbatch --array=0-11 array_models.sh JOB.yaml MODELS.txt FOLDER [OPTION...]"
job=${1:?$usage} models=${2:?$usage} folder=${3:?$usage}
shift 3

lmdepth=${LMDEPTH:-lmdepth}  # the program
restarts=${RESTARTS:-100}    # requeue no more often than that

model=$(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" "$models")
[ -n "$model" ] || { echo "$models: no line for array task $SLURM_ARRAY_TASK_ID" >&2; exit 2; }
name=${model//[!A-Za-z0-9._-]/_}

# From Slurm 22.05 on, srun does not inherit --cpus-per-task from sbatch. All ranks end with the
# same exit code: none is "bad" whose end should kill the others while they end.
export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}
code=0
srun --mpi=pmix --kill-on-bad-exit=0 --distribution=block:block \
    "$lmdepth" run "$job" --set "model.path=$model" -o "$folder/$name.nc" "$@" || code=$?

# 75: stopped early (USR1 comes 300 s before the time limit) and all is saved. Slurm ends this
# script when it takes the task back, which then starts again at its first line.
if [ "$code" -eq 75 ] && [ "${SLURM_RESTART_COUNT:-0}" -lt "$restarts" ]; then
    scontrol requeue "$SLURM_JOB_ID" && sleep 300
fi
exit "$code"
