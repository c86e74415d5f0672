#!/bin/sh
# Faults in mid-run: a full disk at every write, memory that does not do, a rank that fails, a
# rank that hangs, a result folder that goes away.
. tests/lib.sh
. tests/faults/ranks.sh

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

# ---- read-only in mid-run: exit 4 by name, and what was saved before is gone on with ----
if mkdir "$SCRATCH/locked" && mount -t tmpfs -o size=16m none "$SCRATCH/locked" 2>/dev/null; then
    "$LMDEPTH" run $job -o "$SCRATCH/locked/job.nc" >"$SCRATCH/out" 2>"$SCRATCH/err" </dev/null &
    process=$!
    until [ -f "$SCRATCH/locked/job.nc.work/state.1.0" ]; do sleep 0.02; done
    # Refused while a file is being written.
    until mount -o remount,ro "$SCRATCH/locked" 2>/dev/null; do
        kill -0 "$process" 2>/dev/null || break
    done
    wait "$process"
    same 4 $?
    says "$SCRATCH/locked/job.nc.work/state.1.0" "Read-only file system"
    mount -o remount,rw "$SCRATCH/locked"
    expect 0 "$LMDEPTH" run $job -o "$SCRATCH/locked/job.nc"
    expect 0 "$LMDEPTH" compare "$SCRATCH/whole.nc" "$SCRATCH/locked/job.nc"
    ncdump -h "$SCRATCH/locked/job.nc" | grep -q "packs from earlier attempts" || fail "nothing was gone on with"
    umount "$SCRATCH/locked"
else
    echo "skipped: a file system can't be mounted here to become read-only"
fi

# ---- /dev/shm too small for the weights: copies of their own, and a warning ----
if unshare -m true 2>/dev/null; then
    expect 0 unshare -m sh -c "mount -t tmpfs -o size=12m none /dev/shm &&
        exec $MPIRUN -n 2 '$LMDEPTH' run $job"
    says "/dev/shm on" "keeps a copy of its own"
    expect 0 "$LMDEPTH" compare "$SCRATCH/whole.nc" "$out"
    rm "$out"
else
    echo "skipped: /dev/shm can't be made small here"
fi

# ---- memory: said before work begins, with the sum ----
# The address space that the process may have is 100 MB below what the job needs.
big="--set run.pack_tokens=400000"
expect 0 "$LMDEPTH" check --json "$SCRATCH/job.yaml" --threads 1 $big
plan=$("$PYTHON" -c "import json, sys
memory = json.load(open(sys.argv[1]))['memory']
print(int(sum(memory.values()) / 1e6))" "$SCRATCH/out")
[ "$plan" -gt 300 ] || fail "the plan is only $plan MB"
expect 4 sh -c "ulimit -v $(((plan - 100) * 1000)); exec '$LMDEPTH' run $job $big"
says "memory:" "MB are needed (weights" "+ MPI" "ulimit -v"
[ ! -e "$work" ] || fail "work was begun"
# Less and less. Below what the loader
# itself needs there is nobody to say anything.
for more in 60 40 20 10; do
    said=$(sh -c "ulimit -v $((plan * 1000 + more * 1000)); exec '$LMDEPTH' run $job $big" 2>&1)
    same 4 $?
    case $said in *"MB are needed (weights"*"ulimit -v"*) ;; *) fail "plan and $more MB: $said" ;; esac
done
for limit in 200000 160000 140000 120000; do
    said=$(sh -c "ulimit -v $limit; exec '$LMDEPTH' run $job $big" 2>&1)
    got=$?
    case $got in
        4) ;;
        127) break ;;
        *) fail "exit $got with an address space of $limit kB: $said" ;;
    esac
done
expect 0 sh -c "ulimit -v $(((plan + 400) * 1000)); exec '$LMDEPTH' run $job $big -o '$SCRATCH/limited.nc'"
# A library that wants memory of its own has it counted: it would wait for ever.
for threads in 1 2; do
    expect 4 sh -c "ulimit -v $(((plan + 110) * 1000)); exec env LMDEPTH_KERNEL=blas '$LMDEPTH' run $job $big --threads $threads"
    says "MB are needed (weights" "OpenBLAS" "ulimit -v"
    expect 0 sh -c "ulimit -v $(((plan + 400 + 134 * threads) * 1000)); exec env LMDEPTH_KERNEL=blas '$LMDEPTH' run $job $big --threads $threads -o '$SCRATCH/library$threads.nc'"
done

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
# The others have 5 s for it, on a machine where starting takes no time.
start=$(date +%s)
expect 0 $MPIRUN -n 3 "$LMDEPTH" run $job --prepare-only
limit=$((5 + 3 * ($(date +%s) - start)))
printf 'damage' | dd of="$work/chunk.000000.000000" bs=1 seek=200000 conv=notrunc 2>/dev/null
start=$(date +%s)
expect 3 $MPIRUN -n 3 "$LMDEPTH" run $job
says "chunk.000000.000000"
took=$(($(date +%s) - start))
[ "$took" -le "$limit" ] || fail "the others went on for $took s, more than $limit s"
same 1 "$(grep -c 'lmdepth: error' "$SCRATCH/err")"
rm "$work"/chunk.* "$work"/spool.index
expect 0 $MPIRUN -n 2 "$LMDEPTH" run $job
expect 0 "$LMDEPTH" compare "$SCRATCH/whole.nc" "$out"
rm "$out"

# ---- a rank stands still for some seconds; the long test has 30 (make test-faults) ----
tests/faults/standstill.sh 3 "$SCRATCH/job.yaml" "$SCRATCH/whole.nc" || fail "a rank stood still"

# ---- a second TERM ends a run at once, also one that waits for a rank that stands still ----
$MPIRUN -n 2 "$LMDEPTH" run $job >"$SCRATCH/out" 2>"$SCRATCH/err" </dev/null &
launcher=$!
until [ -n "$(find "$work" -name 'state.1.*' 2>/dev/null)" ]; do sleep 0.02; done
stopped=$(rank_of "$SCRATCH/job.yaml" 1)
other=$(rank_of "$SCRATCH/job.yaml" 0)
kill -STOP "$stopped"
kill -TERM "$other"
sleep 4 # what comes at once is the launcher's repetition of the first
is_running "$other" || fail "the first TERM ended it"
kill -TERM "$other"
wait_for "$launcher" "$SCRATCH/job.yaml"
same 1 "$got"
kill_ranks "$SCRATCH/job.yaml"
expect 0 "$LMDEPTH" run $job
expect 0 "$LMDEPTH" compare "$SCRATCH/whole.nc" "$out"
rm "$out"

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
