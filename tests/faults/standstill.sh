#!/bin/sh
# A rank stands still for so many seconds: rank 1, while the others go on; then rank 0, which may
# delay them. The job ends when it wakes, and nothing is lost.
# Usage: standstill.sh SECONDS JOB.yaml WHOLE.nc
set -u
seconds=$1 job=$2 whole=$3
BUILD=${BUILD:-build}
MPIRUN=${MPIRUN:-mpirun}
. tests/faults/ranks.sh
folder=$(mktemp -d "$BUILD/tests/standstill.XXXXXX") || exit 1
trap 'rm -rf "$folder"' EXIT
out="$folder/out.nc"

# Packs that are saved.
saved() {
    "$BUILD/lmdepth" show --json "$out.work" | sed -n 's/.*"packs_done": \([0-9]*\).*/\1/p'
}

give_up() {
    echo "standstill: $*"
    sed 's/^/    /' "$folder/log"
    exit 1
}

for rank in 1 0; do
    # shellcheck disable=SC2086 # MPIRUN may hold options
    env PAUSE=5000 LD_PRELOAD="$BUILD/tests/faults/kill_at.so" \
        $MPIRUN -n 3 "$BUILD/lmdepth" run "$job" -o "$out" --threads 1 --snapshot-every 0.05s \
        >"$folder/log" 2>&1 </dev/null &
    launcher=$!
    until [ -n "$(find "$out.work" -name 'state.1.*' 2>/dev/null)" ]; do sleep 0.02; done
    stopped=$(rank_of "$out" "$rank")
    kill -STOP "$stopped" || give_up "no rank $rank to stop"
    before=$(saved)
    sleep "$seconds"
    after=$(saved)
    is_running "$launcher" || give_up "the job has ended without rank $rank"
    kill -CONT "$stopped"
    wait "$launcher" || give_up "exit $? after rank $rank stood still"
    [ "$rank" -eq 0 ] || [ "$after" -gt "$before" ] || give_up "the others stood still too: $before packs, $after"
    "$BUILD/lmdepth" compare "$whole" "$out" || exit 1
    [ ! -e "$out.work" ] || give_up "the work folder stayed"
    rm "$out"
    echo "standstill: rank $rank for $seconds s, packs saved $before, then $after; equal"
done
