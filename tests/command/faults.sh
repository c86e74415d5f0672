#!/bin/sh
# Faults in mid-run: a full disk at every write, memory that does not do, a rank that fails, a
# rank that hangs, a result folder that goes away.
. tests/lib.sh

for _ in 1 2 3 4 5 6 7 8; do cat tests/data/reference/prose.txt; echo; done >"$SCRATCH/text.txt"
write_job job <<JOB
corpus: {path: text.txt}
prompts: {length: 64}
run: {pack_tokens: 64}
JOB
job="$SCRATCH/job.yaml --threads 1 --snapshot-every 0.05s"
out="$SCRATCH/job.nc"
work="$out.work"
expect 0 "$LMDEPTH" run $job -o "$SCRATCH/whole.nc"

# ---- the disk is full after so many bytes: exit 4, and it goes on when there is room ----
full=0
for bytes in 0 100 1000 50000 200000 290000 300000 302000 310000 320000 340000 400000; do
    LMDEPTH_DISK_BYTES=$bytes "$LMDEPTH" run $job >"$SCRATCH/out" 2>"$SCRATCH/err" </dev/null
    got=$?
    command_line="run with a disk of $bytes bytes"
    case $got in
        4) says "No space left on device" && full=$((full + 1)) ;;
        0) rm "$out" ;;
        *) fail "exit $got after $bytes bytes" ;;
    esac
    [ -z "$(find "$work" -name '*.tmp.*' 2>/dev/null)" ] || fail "a temporary file stayed after $bytes bytes"
done
[ "$full" -ge 7 ] || fail "the disk was full only $full times"
expect 0 "$LMDEPTH" run $job
expect 0 "$LMDEPTH" compare "$SCRATCH/whole.nc" "$out"
rm "$out"

# ---- the same for what HDF5 writes: a small file system ----
if mkdir "$SCRATCH/small" && mount -t tmpfs -o size=64k none "$SCRATCH/small" 2>/dev/null; then
    expect 4 "$LMDEPTH" run $job -o "$SCRATCH/small/job.nc" --work "$work"
    says "$SCRATCH/small/job.nc" "all that was counted is saved"
    mount -o remount,size=4m "$SCRATCH/small"
    expect 0 "$LMDEPTH" run $job -o "$SCRATCH/small/job.nc" --work "$work"
    expect 0 "$LMDEPTH" compare "$SCRATCH/whole.nc" "$SCRATCH/small/job.nc"
    ncdump -h "$SCRATCH/small/job.nc" | grep -q "all packs done" || fail "the history does not tell it"
    umount "$SCRATCH/small"
    [ ! -e "$work" ] || fail "the work folder stayed"
else
    echo "skipped: a small file system can't be mounted here"
fi

# ---- memory: said before work begins, with the sum ----
expect 4 sh -c "ulimit -v 700000; exec '$LMDEPTH' run $job --set run.pack_tokens=1000000"
says "memory:" "MB are needed (weights" "ulimit -v"
[ ! -e "$work" ] || fail "work was begun"

group=/sys/fs/cgroup/memory/lmdepth-test-$$
[ -d /sys/fs/cgroup/memory ] || group=/sys/fs/cgroup/lmdepth-test-$$
if mkdir "$group" 2>/dev/null; then
    for limit in memory.max memory.limit_in_bytes; do
        [ -e "$group/$limit" ] && echo 400000000 >"$group/$limit"
    done 2>/dev/null
    expect 4 sh -c "echo \$\$ >'$group/cgroup.procs'; exec '$LMDEPTH' run $job --set run.pack_tokens=1000000"
    says "memory:" "the limit of this control group"
    # What MPI had started in it ends a moment later.
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        rmdir "$group" 2>/dev/null && break
        sleep 0.2
    done
else
    echo "skipped: a control group can't be made here"
fi

# ---- one rank fails: all end with its message, what was done is kept ----
expect 0 "$LMDEPTH" run $job --prepare-only
printf 'damage' | dd of="$work/chunk.000000.000000" bs=1 seek=200000 conv=notrunc 2>/dev/null
start=$(date +%s)
expect 3 $MPIRUN -n 3 "$LMDEPTH" run $job
says "chunk.000000.000000"
[ $(($(date +%s) - start)) -le 20 ] || fail "the others went on"
same 1 "$(grep -c 'lmdepth: error' "$SCRATCH/err")"
rm "$work"/chunk.* "$work"/spool.index
expect 0 $MPIRUN -n 2 "$LMDEPTH" run $job
expect 0 "$LMDEPTH" compare "$SCRATCH/whole.nc" "$out"
rm "$out"

# ---- a rank stands still for some seconds: the others go on, the job ends when it wakes ----
for rank in 1 0; do
    $MPIRUN -n 3 "$LMDEPTH" run $job >"$SCRATCH/out" 2>"$SCRATCH/err" </dev/null &
    launcher=$!
    until [ -n "$(find "$work" -name 'state.1.*' 2>/dev/null)" ]; do sleep 0.02; done
    # The ranks, in the order in which they were started.
    stopped=$(pgrep -f "lmdepth run $SCRATCH/job.yaml" | while read -r p; do
        [ "$(cat "/proc/$p/comm")" = lmdepth ] && echo "$p"
    done | sed -n "$((rank + 1))p")
    [ -n "$stopped" ] && kill -STOP "$stopped" && sleep 3 && kill -CONT "$stopped"
    wait "$launcher" || fail "exit $? after rank $rank stood still"
    expect 0 "$LMDEPTH" compare "$SCRATCH/whole.nc" "$out"
    rm "$out"
done

# ---- the result's folder goes away: exit 4 or 3 by name, and the job can be done again ----
mkdir "$SCRATCH/away"
"$LMDEPTH" run $job -o "$SCRATCH/away/job.nc" >"$SCRATCH/out" 2>"$SCRATCH/err" </dev/null &
process=$!
until [ -e "$SCRATCH/away/job.nc.work/identity" ]; do sleep 0.02; done
rm -rf "$SCRATCH/away"
wait "$process"
got=$?
command_line="run whose folder was removed"
[ "$got" -eq 4 ] || [ "$got" -eq 3 ] || [ "$got" -eq 0 ] || fail "exit $got when the folder was removed"
expect 0 "$LMDEPTH" run $job -o "$SCRATCH/away/job.nc"
expect 0 "$LMDEPTH" compare "$SCRATCH/whole.nc" "$SCRATCH/away/job.nc"
exit 0
