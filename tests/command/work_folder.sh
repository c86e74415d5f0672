#!/bin/sh
# The work folder: what show says of it, and count, which goes on where it was stopped.
. tests/lib.sh

# Six chunks (of 16 MiB each).
"$PYTHON" - "$SCRATCH/long.jsonl" <<'PY'
import random, sys
rng = random.Random(5)
words = ["depth", "of", "a", "model", "1", "and", "more"]
with open(sys.argv[1], "w") as out:
    size = 0
    while size < 90 << 20:
        text = " ".join(rng.choices(words, k=300))
        size += out.write('{"text": "%s", "x": "%s"}\n' % (text, " " * 9000))
PY
write_job job <<JOB
corpus: {path: long.jsonl}
prompts: {length: 64}
run: {pack_tokens: 64}
JOB
work="$SCRATCH/work"
command="$LMDEPTH count $SCRATCH/job.yaml --threads 1 --work $work"
"$LMDEPTH" count "$SCRATCH/job.yaml" --threads 1 >"$SCRATCH/whole.tsv" 2>"$SCRATCH/err" || fail "count"
sha=$(sha256sum "$SCRATCH/long.jsonl" | cut -d' ' -f1)
grep -qx "# input $sha  long.jsonl" "$SCRATCH/whole.tsv" || fail "no hash of the input"
grep -qx "# vocabulary 300" "$SCRATCH/whole.tsv" || fail "no vocabulary"

# interrupt SIGNAL COMMAND...: when the first new chunk is there; exit status in $got.
interrupt() {
    signal=$1
    shift
    before=$(find "$work" -name 'chunk.*' 2>/dev/null | wc -l)
    "$@" >"$SCRATCH/out" 2>"$SCRATCH/err" </dev/null &
    process=$!
    while kill -0 "$process" 2>/dev/null; do
        now=$(find "$work" -name 'chunk.*' 2>/dev/null | wc -l)
        [ "$now" -gt "$before" ] && break
        sleep 0.02
    done
    kill -s "$signal" "$process" 2>/dev/null
    wait "$process"
    got=$?
    command_line="$signal: $*"
}

# ---- count: stopped, and the same output in the end, on any number of ranks ----
interrupt TERM $command
same 75 "$got"
says "stopped early while preparing: signal TERM" "the same command goes on"
[ ! -s "$SCRATCH/out" ] || fail "a count that was stopped has printed"
expect 0 "$LMDEPTH" show "$work"
prints "work folder $work" "spool       not complete" "in use      no" "snapshots   none"
interrupt USR1 $MPIRUN -n 2 $command
same 75 "$got"
chunks=$(find "$work" -name 'chunk.*' | wc -l)
[ "$chunks" -ge 2 ] || fail "only $chunks chunks after two attempts"
expect 0 $MPIRUN -n 3 $command
same "$(cat "$SCRATCH/whole.tsv")" "$(cat "$SCRATCH/out")"
[ ! -e "$work" ] || fail "the work folder stayed"
# A limit of time, again and again: each attempt prepares something.
expect 2 $command --max-time soon
says "--max-time wants a time"
count=0
until $command --max-time 0.1s >"$SCRATCH/out" 2>"$SCRATCH/err" </dev/null; do
    same 75 $?
    says "stopped early while preparing: the time of --max-time"
    count=$((count + 1))
    [ "$count" -lt 12 ] || fail "no end after $count runs of a tenth of a second"
done
[ "$count" -ge 2 ] || fail "count was stopped only $count times"
same "$(cat "$SCRATCH/whole.tsv")" "$(cat "$SCRATCH/out")"
[ ! -e "$work" ] || fail "the work folder stayed"
# What could not be printed is not lost.
$command >/dev/full 2>"$SCRATCH/err" </dev/null
same 4 $?
[ -f "$work/spool.index" ] || fail "the counts are lost"
expect 0 $command
same "$(cat "$SCRATCH/whole.tsv")" "$(cat "$SCRATCH/out")"

# ---- show: prepared, in use, interrupted, parts ----
json() { # json EXPRESSION: true of `o`, the JSON on the last command's output
    "$PYTHON" -c "import json, sys; o = json.load(open(sys.argv[1])); assert $1, o" \
        "$SCRATCH/out" || fail "not $1"
}
run="$LMDEPTH run $SCRATCH/job.yaml --threads 1 --work $work --snapshot-every 0.2s"
count=0
until $run --prepare-only --max-time 0.1s >"$SCRATCH/out" 2>"$SCRATCH/err" </dev/null; do
    same 75 $?
    says "stopped early while preparing: the time of --max-time"
    count=$((count + 1))
    [ "$count" -lt 12 ] || fail "run has not prepared in $count runs of a tenth of a second"
done
[ "$count" -ge 2 ] || fail "preparing was stopped only $count times"
expect 0 $run --prepare-only --set prompts.limit=700
expect 0 "$LMDEPTH" show "$work/"
prints "packs, 1 chunk, 1 group" "snapshots   none"
$run --set prompts.limit=700 >"$SCRATCH/run.log" 2>&1 </dev/null &
process=$!
while [ ! -f "$work/state.1.0" ] && kill -0 "$process" 2>/dev/null; do sleep 0.05; done
expect 0 "$LMDEPTH" show "$work"
prints "in use      by process $process on" "attempt 1, " " packs done, 1 file, the newest " "1 rank x 1 thread"
kill -USR1 "$process"
wait "$process"
same 75 $?
expect 0 "$LMDEPTH" show "$work"
prints "in use      no" "attempt 1, "
expect 0 "$LMDEPTH" show --json "$work"
json 'o["kind"] == "work" and 0 < o["jobs"][0]["packs_done"] < o["jobs"][0]["packs"] == o["spool"]["packs"]'
json 'o["jobs"][0]["in_use_by"] is None and o["jobs"][0]["damaged"] == 0'
echo nonsense >"$work/state.1.7"
expect 0 "$LMDEPTH" show "$work"
prints "1 file, " "; 1 damaged"
mkdir "$work/part.1.3"
cp "$work/state.1.0" "$work/part.1.3"
expect 0 "$LMDEPTH" show "$work"
prints "part        1/3" " of 0 packs done"
expect 0 "$LMDEPTH" show "$work/part.1.3"
prints "part        1/3"

# ---- a chunk of an old spool: one that is gone or cut off is made again, one with other bytes in
# its packs is refused by name, with the cure, which works ----
printf 'A few words.\n\nAnd a few more words of a second record.\n' >"$SCRATCH/text.txt"
write_job short <<JOB
corpus: {path: text.txt}
JOB
spool="$SCRATCH/short.work"
chunk="$spool/chunk.000000.000000"
run="$LMDEPTH run $SCRATCH/short.yaml --threads 1 --work $spool --keep-work"
expect 0 $run -o "$SCRATCH/whole.nc"
cp "$chunk" "$SCRATCH/chunk"
rm "$chunk"
expect 0 $run -o "$SCRATCH/gone.nc"
cmp "$chunk" "$SCRATCH/chunk" || fail "another chunk"
head -c 100 "$SCRATCH/chunk" >"$chunk"
expect 0 $run -o "$SCRATCH/cut.nc"
cmp "$chunk" "$SCRATCH/chunk" || fail "another chunk"
"$PYTHON" - "$chunk" <<'PY'
import sys
with open(sys.argv[1], "r+b") as chunk:
    chunk.seek(130)  # behind the header: of the first pack
    byte = chunk.read(1)
    chunk.seek(130)
    chunk.write(bytes([byte[0] ^ 1]))
PY
expect 3 $run -o "$SCRATCH/damaged.nc"
says "$chunk: damaged chunk" "wrong checksum of a pack; remove this file, and the same command"
rm "$chunk"
expect 0 $run -o "$SCRATCH/damaged.nc"
for result in gone cut damaged; do
    expect 0 "$LMDEPTH" compare "$SCRATCH/whole.nc" "$SCRATCH/$result.nc"
done
exit 0
