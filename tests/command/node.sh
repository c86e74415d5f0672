#!/bin/sh
# A node and its ranks: copies of the weights a node, a socket, a rank; what is said of bad
# bindings; the memory of a rank, which does not grow; threads that nobody has asked for.
. tests/lib.sh

write_text() { # write_text COPIES: so many times the same paragraphs
    "$PYTHON" - "$SCRATCH/text$1.txt" "$1" <<'PY'
import random, sys
rng = random.Random(3)
words = "depth layer token model corpus rank sum state lens onset 42 7".split()
text = "\n\n".join(" ".join(rng.choice(words) for _ in range(30)) for _ in range(20))
open(sys.argv[1], "w").write("\n\n".join([text] * int(sys.argv[2])) + "\n")
PY
}
write_text 1
write_text 4
write_job job <<JOB
corpus: {path: text1.txt}
prompts: {length: 96, bos: always}
run: {pack_tokens: 128}
JOB
job="$SCRATCH/job.yaml"
expect 0 "$LMDEPTH" run "$job" --threads 1 -o "$SCRATCH/one.nc"
says "memory      a node: weights" "(private, in large pages"

# ---- copies of the weights ----

# Three ranks, the first on another NUMA domain, or socket, than the
# others: each is told that the machine is made of two, the first sees them in reverse order.
pretend() { # pretend DESCRIPTION REVERSED ARGUMENTS...
    here=$1 there=$2
    shift 2
    expect 0 $MPIRUN --bind-to none -n 1 env HWLOC_THISSYSTEM=1 HWLOC_SYNTHETIC="$here" \
        taskset -c 0 "$LMDEPTH" run "$job" --threads 1 --fresh -o "$SCRATCH/many.nc" "$@" \
        : -n 2 env HWLOC_THISSYSTEM=1 HWLOC_SYNTHETIC="$there" \
        taskset -c 0 "$LMDEPTH" run "$job" --threads 1 --fresh -o "$SCRATCH/many.nc" "$@"
    "$LMDEPTH" compare "$SCRATCH/one.nc" "$SCRATCH/many.nc" >"$SCRATCH/out" ||
        fail "another result: $*"
}
if command -v taskset >/dev/null 2>&1 && taskset -c 0 true 2>/dev/null; then
    pretend "numa:2 pu:1" "numa:2 pu:1(indexes=1,0)" --weights-per numa
    says "weights 2 x " "(shared by the ranks of a NUMA domain)"
    pretend "package:2 pu:1" "package:2 pu:1(indexes=1,0)" --weights-per socket
    says "weights 2 x " "(shared by the ranks of a socket)"
    pretend "package:2 pu:1" "package:2 pu:1(indexes=1,0)"
    says "(shared by its ranks)"
    # Unbound ranks: told, and they share one copy.
    expect 0 $MPIRUN --bind-to none -n 2 env HWLOC_SYNTHETIC="package:2 core:4 pu:1" \
        "$LMDEPTH" run "$job" --threads 1 --fresh -o "$SCRATCH/many.nc" --weights-per socket
    says "--weights-per: 2 ranks are not bound to one socket" "--bind-to socket"
else
    echo "skipped: no processor 0 to bind ranks to"
fi
expect 0 $MPIRUN --bind-to none -n 2 "$LMDEPTH" run "$job" --threads 1 --fresh \
    -o "$SCRATCH/many.nc" --weights-per rank
says "weights 2 x " "(private, in large pages"
expect 0 "$LMDEPTH" compare "$SCRATCH/one.nc" "$SCRATCH/many.nc"
expect 2 "$LMDEPTH" run "$job" --weights-per rack
says "--weights-per wants node, socket, numa or rank, not 'rack'"

# ---- ranks and threads ----

# A job for a node of 64 cores, each of two hardware threads.
export HWLOC_SYNTHETIC="package:2 numa:1 core:32 pu:2"
expect 0 "$LMDEPTH" check "$job" --threads 1 --set corpus.path="$SCRATCH/text4.txt" \
    --set run.pack_tokens=96
prints "(64 cores): 8 ranks x 8 threads (mpirun -n 8 --map-by slot:PE=8 --bind-to core)"
expect 0 "$LMDEPTH" check "$job" --threads 1 --json
"$PYTHON" - "$SCRATCH/out" <<'PY' || fail "the suggestion in JSON"
import json, sys
told = json.load(open(sys.argv[1]))
suggestion = told["suggestion"]
assert suggestion["ranks"] <= told["corpus"]["packs"], told
assert suggestion["ranks"] * suggestion["threads"] <= 64, told
assert suggestion["start"].startswith("mpirun -n "), told
PY
# Cores, not hardware threads; Slurm's count of hardware threads is no reason for more.
for slurm in "" SLURM_CPUS_PER_TASK=8; do
    # shellcheck disable=SC2086 # nothing, or a word
    expect 0 env HWLOC_SYNTHETIC="core:4 pu:2" $slurm "$LMDEPTH" run "$job" --fresh \
        -o "$SCRATCH/many.nc"
    says "1 rank x 4 threads on 1 node (4 cores, 8 hardware threads" "a thread a core, bound"
done
expect 0 env SLURM_CPUS_PER_TASK=3 "$LMDEPTH" run "$job" --fresh -o "$SCRATCH/many.nc"
says "1 rank x 3 threads"
expect 0 env HWLOC_SYNTHETIC="core:2 pu:1" "$LMDEPTH" run "$job" --fresh --threads 5 \
    -o "$SCRATCH/many.nc"
says "warning: 2.5 threads for each core" "lmdepth check"
expect 0 $MPIRUN --bind-to none -n 3 env HWLOC_SYNTHETIC="core:2 pu:1" "$LMDEPTH" run "$job" \
    --fresh --threads 2 -o "$SCRATCH/many.nc"
says "warning: 3 threads for each core (3 ranks on the node, 2 cores)"
same 1 "$(grep -c 'warning: .* for each core' "$SCRATCH/err")"
expect 0 env HWLOC_SYNTHETIC="core:2 pu:1" "$LMDEPTH" run "$job" --fresh --threads 2 \
    -o "$SCRATCH/many.nc"
! grep -q "warning" "$SCRATCH/err" || fail "a warning without a reason"
unset HWLOC_SYNTHETIC

# The numeric library's threads: a command that waits for its input has its own only.
mkfifo "$SCRATCH/fifo"
"$LMDEPTH" tokenize "$TINY" <"$SCRATCH/fifo" >"$SCRATCH/ids" &
waiting=$!
exec 9>"$SCRATCH/fifo"
for _ in $(seq 100); do
    tr '\0' '\n' <"/proc/$waiting/environ" | grep -q '^OPENBLAS_NUM_THREADS=1$' &&
        grep -q '^State:.S' "/proc/$waiting/status" && break
    sleep 0.1
done
tr '\0' '\n' <"/proc/$waiting/environ" | grep -q '^OPENBLAS_NUM_THREADS=1$' ||
    [ "$(getconf _NPROCESSORS_ONLN)" -eq 1 ] || fail "OpenBLAS has its own threads"
same 1 "$(find "/proc/$waiting/task" -mindepth 1 -maxdepth 1 | wc -l)"
echo "word" >&9
exec 9>&-
wait "$waiting" || fail "tokenize"
[ -s "$SCRATCH/ids" ] || fail "no ids"

# ---- memory ----

# (N + 1) pack_tokens d 4 + 112 V 4 bytes + 64 MB + counters (below 8 MB here), and it does
# not grow: 1 MB is the allocator's.
memory() { # memory RANKS CORPUS
    expect 0 $MPIRUN --bind-to none -n "$1" "$LMDEPTH" run "$job" --fresh --threads 2 \
        --set corpus.path="$SCRATCH/text$2.txt" -o "$SCRATCH/memory.nc"
    line=$(grep "memory      a rank" "$SCRATCH/err") || fail "no line on memory"
    echo "$line" | "$PYTHON" -c '
import re, sys
first, last, planned = map(float, re.findall(r"([0-9.]+) MB", sys.stdin.read()))
N, d, V, pack_tokens = 2, 32, 300, 128
bound = ((N + 1) * pack_tokens * d * 4 + 112 * V * 4) / 1e6 + 64 + 8
assert 0 < first <= bound and last <= bound, (first, last, bound)
assert last - first < 3, (first, last)  # a large page has 2 MB
assert 0 < planned < 16, planned
' || fail "$line"
}
for ranks in 1 2; do
    memory "$ranks" 1
    memory "$ranks" 4
done
exit 0
