#!/bin/sh
# Which arithmetic: a forced choice is named, an impossible one is refused, and where OpenBLAS is
# used, a core type of half speed is noticed and corrected.
. tests/lib.sh

printf 'A text of a few words.\n' >"$SCRATCH/text.txt"
write_job job <<JOB
corpus: {path: text.txt}
JOB
expect 0 env LMDEPTH_KERNEL=plain "$LMDEPTH" run "$SCRATCH/job.yaml"
says "plain C"
expect 0 env LMDEPTH_KERNEL=blas "$LMDEPTH" run "$SCRATCH/job.yaml" -o "$SCRATCH/blas.nc"
says "OpenBLAS"
expect 2 env LMDEPTH_KERNEL=abacus "$LMDEPTH" run "$SCRATCH/job.yaml" --fresh
says "LMDEPTH_KERNEL=abacus: this processor has no such kernel for f32, only "
grep -qi "mpi_abort" "$SCRATCH/err" && fail "an abort of MPI"
expect 2 env LMDEPTH_KERNEL=abacus "$LMDEPTH" run "$SCRATCH/job.yaml" --fresh \
    --set model.precision=bf16
says "no such kernel for bf16"
expect 2 env LMDEPTH_KERNEL=abacus "$LMDEPTH" check "$SCRATCH/job.yaml"
says "LMDEPTH_KERNEL=abacus"
expect 2 env LMDEPTH_KERNEL=abacus "$LMDEPTH" bench --job "$SCRATCH/job.yaml"
says "LMDEPTH_KERNEL=abacus"
grep -qi "mpi_abort" "$SCRATCH/err" && fail "an abort of MPI"
expect 2 env LMDEPTH_KERNEL=abacus $MPIRUN -n 2 "$LMDEPTH" run "$SCRATCH/job.yaml" --fresh
same 1 "$(grep -c "LMDEPTH_KERNEL=abacus" "$SCRATCH/err")"
grep -qi "mpi_abort" "$SCRATCH/err" && fail "an abort of MPI"
# Of a job on unlike nodes whose first process has nothing to say, the first of the node does.
other="env OMPI_COMM_WORLD_RANK=3 LMDEPTH_KERNEL=abacus OMPI_COMM_WORLD_LOCAL_RANK"
expect 2 $other=0 "$LMDEPTH" run "$SCRATCH/job.yaml" --fresh
says "$(uname -n): LMDEPTH_KERNEL=abacus"
expect 2 $other=1 "$LMDEPTH" run "$SCRATCH/job.yaml" --fresh
same "" "$(cat "$SCRATCH/err")"
# The same arithmetic by other instructions is the same result.
if grep -q avx512dq /proc/cpuinfo; then
    expect 0 env LMDEPTH_KERNEL=avx512 "$LMDEPTH" run "$SCRATCH/job.yaml" -o "$SCRATCH/512.nc"
    says "fused sums" "by avx512: forced by LMDEPTH_KERNEL=avx512"
    expect 0 env LMDEPTH_KERNEL=avx2 "$LMDEPTH" run "$SCRATCH/job.yaml" -o "$SCRATCH/256.nc"
    says "by avx2"
    expect 0 "$LMDEPTH" compare "$SCRATCH/512.nc" "$SCRATCH/256.nc"
else
    echo "skipped: AVX-512 and AVX2 side by side (no AVX-512 processor)"
fi
# Another arithmetic is another result.
expect 1 "$LMDEPTH" compare "$SCRATCH/job.nc" "$SCRATCH/blas.nc"
prints "lmdepth_arithmetic"
if grep -q avx512dq /proc/cpuinfo; then
    expect 0 env LMDEPTH_KERNEL=blas OPENBLAS_CORETYPE=Haswell "$LMDEPTH" run \
        "$SCRATCH/job.yaml" -o "$SCRATCH/corrected.nc"
    says "half speed" "OPENBLAS_CORETYPE=SkylakeX" "SkylakeX"
    expect 0 env LMDEPTH_KERNEL=blas OPENBLAS_CORETYPE=SkylakeX "$LMDEPTH" compare \
        "$SCRATCH/blas.nc" "$SCRATCH/corrected.nc"
else
    echo "skipped: a core type of half speed (no AVX-512 processor)"
fi
exit 0
