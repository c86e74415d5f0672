#!/bin/sh
# Every counter of a whole job on the real model, computed by two ranks, against an
# independent implementation (make_job_reference.py); compare_job.py says what may differ.
set -eu
BUILD=${BUILD:-build}
MPIRUN=${MPIRUN:-mpirun}
PYTHON=${PYTHON:-/usr/bin/python3}
data=tests/data/reference
result=$BUILD/tests/reference/job.nc
model=$BUILD/models/SmolLM2-135M-Instruct.Q4_1.gguf

tools/fetch_model.sh "$BUILD/models"
mkdir -p "$(dirname "$result")"
rm -f "$result"
# The job file names the model in the folder `build`.
[ "$BUILD" = build ] || set -- --set "model.path=$model"
# shellcheck disable=SC2086 # MPIRUN may hold options
$MPIRUN -n 2 "$BUILD/lmdepth" run "$data/job.yaml" -o "$result" --fresh "$@"
"$PYTHON" tests/reference/compare_job.py "$result" "$data/job.npz" --self-test
