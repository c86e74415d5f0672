#!/bin/sh
# Kills a run before each of its changes of the file system in turn, from the lock to the removal
# of the work folder, and lets another finish: nothing may be lost, counted twice or left over.
# The run goes on from snapshots of three ranks, so that a base is made and cleared up after.
# Usage: every_step.sh JOB.yaml WHOLE.nc
set -u
job=$1 whole=$2
BUILD=${BUILD:-build}
MPIRUN=${MPIRUN:-mpirun}
. tests/faults/ranks.sh
folder=$(mktemp -d "$BUILD/tests/steps.XXXXXX") || exit 1
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/here"
out="$folder/here/out.nc"

give_up() {
    echo "step $step: $*"
    sed 's/^/    /' "$folder/log"
    exit 1
}

# Snapshots of three ranks.
step=0
# shellcheck disable=SC2086 # MPIRUN may hold options
env PAUSE=5000 LD_PRELOAD="$BUILD/tests/faults/kill_at.so" \
    $MPIRUN -n 3 "$BUILD/lmdepth" run "$job" -o "$out" --threads 1 --snapshot-every 0.05s \
    >"$folder/log" 2>&1 </dev/null &
launcher=$!
until [ "$(find "$out.work" -name 'state.1.?' 2>/dev/null | wc -l)" -eq 3 ]; do
    is_running "$launcher" || give_up "the job was too short"
    sleep 0.02
done
# shellcheck disable=SC2046 # a list
kill -9 $(ranks_of "$out")
wait_for "$launcher" "$out"
mv "$out.work" "$folder/begun"

got=137
while [ "$got" -eq 137 ]; do
    step=$((step + 1))
    rm -rf "$folder/here"
    mkdir "$folder/here"
    cp -rp "$folder/begun" "$out.work"
    LD_PRELOAD="$BUILD/tests/faults/kill_at.so" KILL_AT=$step KILL_OF=out.nc \
        "$BUILD/lmdepth" run "$job" -o "$out" --threads 1 --snapshot-every 1s \
        >"$folder/log" 2>&1 </dev/null
    got=$?
    [ "$got" -eq 0 ] || [ "$got" -eq 137 ] || give_up "exit $got"
    at=$(sed -n 's/^kill_at: //p' "$folder/log")
    # A result may be there already; then the work folder goes with the next run, or has gone.
    "$BUILD/lmdepth" run "$job" -o "$out" --threads 1 >"$folder/log" 2>&1 </dev/null ||
        give_up "exit $? after a kill $at"
    "$BUILD/lmdepth" compare "$whole" "$out" >>"$folder/log" || give_up "different after a kill $at"
    left=$(find "$folder/here" -name 'out.nc?*')
    [ -z "$left" ] || give_up "left over after a kill $at: $left"
done
echo "steps: killed before each of $((step - 1)) changes, all equal, nothing left over"
