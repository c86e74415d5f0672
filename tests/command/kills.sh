#!/bin/sh
# Three kills, with 3, 2 and 5 ranks, and one between the writing of a base and the removal of what
# went into it: what was saved is counted once, and nothing of it is done again.
. tests/lib.sh
. tests/faults/ranks.sh

for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
    cat tests/data/reference/prose.txt
    echo
done >"$SCRATCH/text.txt"
write_job job <<JOB
corpus: {path: text.txt}
prompts: {length: 64}
observe: {folds: 2}
run: {pack_tokens: 64}
JOB
job="$SCRATCH/job.yaml --threads 1 --snapshot-every 0.05s"
out="$SCRATCH/job.nc"
work="$out.work"
expect 0 "$LMDEPTH" run $job -o "$SCRATCH/whole.nc"

# look: what the work folder holds, in $attempt, $done and $packs.
look() {
    expect 0 "$LMDEPTH" show --json "$work"
    # shellcheck disable=SC2046 # three words
    set -- $("$PYTHON" -c "import json, sys
job = json.load(open(sys.argv[1]))['jobs'][0]
assert job['damaged'] == 0, job
print(job['attempt'], job['packs_done'], job['packs'])" "$SCRATCH/out")
    attempt=$1 done=$2 packs=$3
}

# killed N: N ranks are killed at once when all of them have saved something; what was saved is in
# $done, and is more than before.
killed() {
    before=${done:-0}
    now=$((${attempt:-0} + 1))
    env PAUSE=5000 LD_PRELOAD="$BUILD/tests/faults/kill_at.so" \
        $MPIRUN -n "$1" "$LMDEPTH" run $job >"$SCRATCH/log" 2>&1 </dev/null &
    launcher=$!
    until [ "$(find "$work" -name "state.$now.?" 2>/dev/null | wc -l)" -eq "$1" ]; do
        is_running "$launcher" || fail "attempt $now with $1 ranks has ended: $(tail -n 3 "$SCRATCH/log")"
        sleep 0.02
    done
    # shellcheck disable=SC2046 # a list
    kill -9 $(ranks_of "$SCRATCH/job.yaml")
    wait_for "$launcher" "$SCRATCH/job.yaml"
    look
    same "$now" "$attempt"
    [ "$done" -gt "$before" ] || fail "attempt $now: $before packs before, $done after"
    [ "$done" -lt "$packs" ] || fail "nothing was left to do for attempt $((now + 1))"
}

killed 3
saved=$done

# Rank 0 is killed when it would remove the first file that its base holds: the base and what went
# into it are there now, and the base alone counts.
env KILL_AT=1 KILL_CALL=unlink 'KILL_OF=/state.1.0$' KILL_RANK=0 \
    LD_PRELOAD="$BUILD/tests/faults/kill_at.so" \
    $MPIRUN -n 2 "$LMDEPTH" run $job >"$SCRATCH/log" 2>&1 </dev/null &
launcher=$!
wait_for "$launcher" "$SCRATCH/job.yaml"
kill_ranks "$SCRATCH/job.yaml"
[ "$got" -ne 0 ] || fail "rank 0 was not killed"
[ -f "$work/base.2" ] || fail "no base: $(ls "$work")"
[ -n "$(find "$work" -name 'state.1.?')" ] || fail "what went into the base is gone: $(ls "$work")"
look
same 2 "$attempt"
same "$saved" "$done"

killed 2
killed 5
expect 0 "$LMDEPTH" run $job
expect 0 "$LMDEPTH" compare "$SCRATCH/whole.nc" "$out"
[ ! -e "$work" ] || fail "the work folder stayed: $(ls "$work")"
expect 0 ncdump -h "$out"
prints 'lmdepth_run_attempts = "5"' "\"$done of $packs packs from earlier attempts\"" \
    "attempt 1, 3 ranks" "attempt 3, 2 ranks" "attempt 4, 5 ranks"
rm "$out"

# The same of one rank: before the base gets its name, before the first and the last file of the
# earlier attempt goes, before the result gets its name. (All steps: make test-faults.)
killed_at() { # CALL OF
    attempt=0 done=0
    killed 3
    expect 137 env LD_PRELOAD="$BUILD/tests/faults/kill_at.so" \
        KILL_CALL="$1" KILL_OF="$2" KILL_AT=1 "$LMDEPTH" run $job
    says "kill_at: before $1"
    expect 0 "$LMDEPTH" run $job
    expect 0 "$LMDEPTH" compare "$SCRATCH/whole.nc" "$out"
    left=$(find "$SCRATCH" -name 'job.nc?*')
    [ -z "$left" ] || fail "left over after a kill before $1 of $2: $left"
    rm "$out"
}
killed_at rename '/base.2$'
killed_at unlink '/state.1.0$'
killed_at unlink '/state.1.2$'
killed_at rename '/job.nc$'
exit 0
