#!/bin/sh
# model.precision: bf16 gives one result whatever the ranks and threads, takes half the memory of
# f32, and is another job than f32: not compared as equal, not gone on with, not written over.
. tests/lib.sh

sed -n 1,70p tests/data/reference/prose.txt >"$SCRATCH/text.txt"
write_job job <<JOB
corpus: {path: text.txt}
prompts: {length: 64}
observe: {metrics: [bucket, onset, entropy, divergence, token]}
run: {pack_tokens: 64}
JOB
job="$SCRATCH/job.yaml"
half="--set model.precision=bf16"
expect 0 "$LMDEPTH" run "$job" --threads 1 -o "$SCRATCH/wide.nc"
expect 0 "$LMDEPTH" run "$job" $half --threads 1 -o "$SCRATCH/one.nc"
says "arithmetic  bf16; "
for ranks in 1 2; do
    for threads in 1 2; do
        expect 0 $MPIRUN -n "$ranks" "$LMDEPTH" run "$job" $half --fresh \
            --threads "$threads" -o "$SCRATCH/many.nc"
        expect 0 "$LMDEPTH" compare "$SCRATCH/one.nc" "$SCRATCH/many.nc"
    done
done

# ---- another job than f32 ----
expect 1 "$LMDEPTH" compare "$SCRATCH/wide.nc" "$SCRATCH/one.nc"
prints "lmdepth_arithmetic"
expect 2 "$LMDEPTH" run "$job" $half --threads 1 -o "$SCRATCH/wide.nc"
expect 2 "$LMDEPTH" run "$job" --threads 1 -o "$SCRATCH/one.nc"
expect 0 "$LMDEPTH" run "$job" $half --threads 1 -o "$SCRATCH/one.nc"
says "holds this job's result already"

# ---- every kernel for bf16 ----
for kernel in plain blas; do
    expect 0 env LMDEPTH_KERNEL=$kernel "$LMDEPTH" run "$job" $half -o "$SCRATCH/$kernel.nc"
    says "arithmetic  bf16; rounded, "
done
if grep -q avx512_bf16 /proc/cpuinfo; then
    expect 0 env LMDEPTH_KERNEL=avx512_bf16 "$LMDEPTH" run "$job" $half -o "$SCRATCH/own.nc"
    says "bf16; pairs avx512_bf16" "by avx512_bf16, attention by avx512: forced"
    expect 2 env LMDEPTH_KERNEL=avx512_bf16 "$LMDEPTH" run "$job" -o "$SCRATCH/no.nc"
    says "avx512_bf16"
else
    echo "skipped: products of bf16 (no AVX-512-BF16 processor)"
fi

if grep -q amx_bf16 /proc/cpuinfo; then
    expect 0 env LMDEPTH_KERNEL=amx "$LMDEPTH" run "$job" $half -o "$SCRATCH/amx.nc"
    says "bf16; pairs amx" "by amx, attention by avx512: forced"
else
    echo "skipped: products of bf16 in matrix registers (no AMX processor)"
fi

# ---- check and verify ----
expect 0 "$LMDEPTH" check "$job" $half
prints "arithmetic  bf16; "
expect 0 "$LMDEPTH" check --json "$job" $half
bytes() { sed -n 's/.*"weights_a_node": \([0-9]*\).*/\1/p' "$SCRATCH/$1"; }
cp "$SCRATCH/out" "$SCRATCH/half.json"
expect 0 "$LMDEPTH" check --json "$job"
cp "$SCRATCH/out" "$SCRATCH/wide.json"
[ "$(($(bytes half.json) * 100))" -lt "$(($(bytes wide.json) * 60))" ] ||
    fail "bf16 takes $(bytes half.json) bytes, f32 $(bytes wide.json)"
model=tests/data/model/grouped
expect 0 "$LMDEPTH" verify "$model" "$model/reference.safetensors"
expect 1 "$LMDEPTH" verify --precision bf16 "$model" "$model/reference.safetensors"
expect 0 "$LMDEPTH" verify --precision bf16 --rtol 0.2 "$model" "$model/reference.safetensors"
expect 2 "$LMDEPTH" verify --precision f64 "$model" "$model/reference.safetensors"
exit 0
