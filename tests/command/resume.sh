#!/bin/sh
# Interrupted runs: signals, --max-time, kills, damaged snapshots, locks. The result in the end
# is the unbroken one's, whatever happened and with whatever ranks.
. tests/lib.sh

sed -n 1,70p tests/data/reference/prose.txt >"$SCRATCH/prose.txt"
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do cat "$SCRATCH/prose.txt"; done >"$SCRATCH/text.txt"
write_job job <<JOB
corpus: {path: text.txt}
prompts: {length: 64}
run: {pack_tokens: 64}
JOB
out="$SCRATCH/job.nc"
work="$out.work"
job="$SCRATCH/job.yaml --threads 1 --snapshot-every 50ms"
expect 2 "$LMDEPTH" run $job
says "--snapshot-every wants a time"
job="$SCRATCH/job.yaml --threads 1 --snapshot-every 0.05s"
expect 0 "$LMDEPTH" run $job -o "$SCRATCH/whole.nc"

# ends FILE: is it the unbroken result, and is nothing left?
ends() {
    expect 0 "$LMDEPTH" compare "$SCRATCH/whole.nc" "$1"
    [ ! -e "$1.work" ] || fail "the work folder stayed: $(ls "$1.work")"
}

# Snapshots of ranks in the work folder; is there one that was not in $was?
saved() {
    find "$work" -name 'state.*' ! -name '*.tmp.*' -printf '%f ' 2>/dev/null
}
has_new() {
    for state in $(saved); do
        case $was in *" $state "*) ;; *) return 0 ;; esac
    done
    return 1
}

# interrupt SIGNAL COMMAND...: once the command has saved something; its exit status in $got.
interrupt() {
    signal=$1
    shift
    was=" $(saved) "
    "$@" >"$SCRATCH/out" 2>"$SCRATCH/err" </dev/null &
    process=$!
    tries=0
    until has_new || [ "$tries" -ge 600 ]; do
        tries=$((tries + 1))
        sleep 0.05
    done
    kill -s "$signal" "$process" 2>/dev/null
    wait "$process"
    got=$?
    command_line="$signal to: $*"
}

# ---- a signal: exit 75, and other ranks go on ----
for signal in USR1 TERM INT; do
    interrupt $signal "$LMDEPTH" run $job
    same 75 "$got"
    says "signal $signal: stopping when the pack in hand is done and saved" "packs are done and saved" \
        "the same command goes on"
    [ -f "$work/identity" ] || fail "no snapshot after $signal"
done
expect 0 $MPIRUN -n 3 "$LMDEPTH" run $job
ends "$out"
ncdump -h "$out" | grep -q 'lmdepth_run_attempts = "4"' || fail "the attempts are not told"
same 3 "$(ncdump -h "$out" | grep 'history =' | grep -o 'interrupted' | wc -l)"
rm "$out"

# ---- a limit of a second, again and again, also while preparing ----
# Each attempt gets further; on a machine with little time the rest is done in one.
count=0 last=-1
until "$LMDEPTH" run $job --max-time 1s >"$SCRATCH/out" 2>"$SCRATCH/err" </dev/null; do
    same 75 "$?"
    said=$(sed -n 's/.*; \([0-9]*\) of [0-9]* packs are done.*/\1/p' "$SCRATCH/err")
    [ "${said:=0}" -gt "$last" ] || fail "$said packs are done after $last"
    last=$said
    count=$((count + 1))
    [ "$count" -lt 20 ] || break
done
[ -f "$out" ] || expect 0 "$LMDEPTH" run $job
ends "$out"
rm "$out"

# ---- another job: refused by what differs, nothing is touched ----
interrupt TERM "$LMDEPTH" run $job
same 75 "$got"
before=$(cd "$work" && cat state.* base.* 2>/dev/null | sha256sum)
expect 2 "$LMDEPTH" run $job --set run.seed=7
says "unfinished work of another job" "seed 0" "seed 7" "--fresh"
expect 2 "$LMDEPTH" run $job --set model.precision=bf16
says "unfinished work of another job" "arithmetic f32" "arithmetic bf16"
cp -p "$SCRATCH/text.txt" "$SCRATCH/text.kept"
printf '\nOne more paragraph.\n' >>"$SCRATCH/text.txt"
expect 2 "$LMDEPTH" run $job
says "unfinished work of another job" "text.txt"
same "$before" "$(cd "$work" && cat state.* base.* 2>/dev/null | sha256sum)"
rm "$SCRATCH/text.txt"
expect 2 "$LMDEPTH" run $job
says "text.txt"
mv "$SCRATCH/text.kept" "$SCRATCH/text.txt"

# ---- damaged, truncated and foreign snapshots ----
cp "$work"/state.1.0 "$SCRATCH/kept"
head -c 300 "$SCRATCH/kept" >"$work/state.1.1"
echo nonsense >"$work/state.1.2"
{ head -c -1 "$SCRATCH/kept"; printf 'x'; } >"$work/state.1.3"
sed 's/snapshot 1/snapshot 9/' "$SCRATCH/kept" >"$work/state.1.4"
expect 0 $MPIRUN -n 2 "$LMDEPTH" run $job
says "state.1.1: is damaged" "state.1.2: is no snapshot" "state.1.3: is damaged" "state.1.4: is no snapshot"
expect 0 "$LMDEPTH" compare "$SCRATCH/whole.nc" "$out"
rm -r "$out"
# The same packs twice.
interrupt TERM "$LMDEPTH" run $job
same 75 "$got"
cp "$work"/state.1.0 "$work/state.1.1"
expect 0 "$LMDEPTH" run $job
says "holds packs that another snapshot holds too"
expect 0 "$LMDEPTH" compare "$SCRATCH/whole.nc" "$out"
rm -r "$out"
interrupt TERM "$LMDEPTH" run $job
cp "$work"/state.1.0 "$work/state.1.1"
expect 3 $MPIRUN -n 2 "$LMDEPTH" run $job
says "hold the same packs"
expect 0 "$LMDEPTH" run $job --fresh
says "is thrown away"
ends "$out"
rm "$out"

# ---- killed between writing the base and removing what went into it ----
interrupt TERM "$LMDEPTH" run $job
cp "$work"/state.1.0 "$SCRATCH/kept"
interrupt TERM "$LMDEPTH" run $job
[ -f "$work/base.2" ] || fail "no base"
cp "$SCRATCH/kept" "$work/state.1.0"
expect 0 "$LMDEPTH" run $job
expect 0 "$LMDEPTH" compare "$SCRATCH/whole.nc" "$out"
rm -r "$out"

# ---- one at a time ----
"$LMDEPTH" run $job >"$SCRATCH/first" 2>&1 &
process=$!
until [ -f "$work/lock" ]; do sleep 0.02; done
expect 2 "$LMDEPTH" run $job
says "in use by process $process" "lock"
wait "$process"
ends "$out"
rm "$out"
# A lock of another host: alive, too old, our own requeued job.
forge() {
    mkdir -p "$work"
    printf 'lmdepth lock 1\nhost elsewhere\nprocess 12 34\njob %s\nbeat %020d\n' "$1" "$2" >"$work/lock"
}
forge - "$(date +%s)"
expect 2 "$LMDEPTH" run $job
says "process 12 on elsewhere"
forge 77 "$(date +%s)"
expect 2 env SLURM_JOB_ID=78 "$LMDEPTH" run $job
says "Slurm job 77"
expect 0 env SLURM_JOB_ID=77 "$LMDEPTH" run $job
ends "$out"
rm "$out"
forge - "$(($(date +%s) - 301))"
expect 0 "$LMDEPTH" run $job
ends "$out"
rm "$out"

# ---- a few kills; the long test has a hundred (make test-faults) ----
BUILD=$BUILD MPIRUN=$MPIRUN tests/faults/kills.sh 10 "$SCRATCH/job.yaml" "$SCRATCH/whole.nc" || fail "kills"
exit 0
