#!/bin/sh
# The result file as its users hold it: conventions, names, dimensions, bins and sums; opens
# in ncdump, NCO and xarray without a remark; SOURCE_DATE_EPOCH; two runs, the same values.
. tests/lib.sh

{
    printf '{"text": "A first text, short.", "part": "b"}\n'
    printf '{"text": "A second one: 1, 2, 3 and some more words.", "part": "a"}\n'
    printf '{"text": "%s", "part": "b"}\n' "$(printf 'depth %.0s' $(seq 30))"
} >"$SCRATCH/text.jsonl"
write_job job <<JOB
title: A test
corpus: {path: text.jsonl, group_field: part}
prompts: {length: 40, bos: always}
observe: {metrics: [bucket, onset, entropy, divergence, token], folds: 2}
JOB
expect 0 env SOURCE_DATE_EPOCH=1700000000 "$LMDEPTH" run "$SCRATCH/job.yaml"
expect 0 "$PYTHON" tests/python/check_cf.py "$SCRATCH/job.nc"
expect 0 ncdump -h "$SCRATCH/job.nc"
prints 'date_created = "2023-11-14T22:13:20Z"' 'title = "A test"'
[ ! -s "$SCRATCH/err" ] || fail "a remark of ncdump"
expect 0 ncks -m "$SCRATCH/job.nc"
[ ! -s "$SCRATCH/err" ] || fail "a remark of ncks"
expect 0 "$PYTHON" -c "import sys, xarray; print(xarray.open_dataset(sys.argv[1]))" \
    "$SCRATCH/job.nc"
[ ! -s "$SCRATCH/err" ] || fail "a remark of xarray"
expect 0 "$PYTHON" -c "import sys, xarray
result = xarray.open_dataset(sys.argv[1])
result.isel(state=[0, 1]).to_netcdf(sys.argv[2])" "$SCRATCH/job.nc" "$SCRATCH/cut.nc"
# Metrics that were not asked for leave no dimension behind.
expect 0 "$LMDEPTH" run "$SCRATCH/job.yaml" --set observe.metrics=token -o "$SCRATCH/token.nc"
expect 0 ncdump -h "$SCRATCH/token.nc"
prints "top1_token_count(lens, state, token)"
for dimension in threshold outcome entropy_bin kl_bin rank_bin limb; do
    grep -q "^	$dimension = " "$SCRATCH/out" && fail "dimension $dimension without its metric"
done
# compare: equal, different, and near.
expect 0 "$LMDEPTH" run "$SCRATCH/job.yaml" -o "$SCRATCH/again.nc"
expect 0 "$LMDEPTH" compare "$SCRATCH/job.nc" "$SCRATCH/again.nc"
prints "equal"
expect 1 "$LMDEPTH" compare "$SCRATCH/job.nc" "$SCRATCH/token.nc"
prints "onset_count"
# Damage is refused: a bit of any array's values, and what HDF5 keeps of dimensions.
expect 0 "$PYTHON" tests/python/damage_values.py "$LMDEPTH" "$SCRATCH/job.nc" "$SCRATCH/damaged.nc"
prints "arrays damaged"
"$PYTHON" -c 'import sys
data = bytearray(open(sys.argv[1], "rb").read())
heap = data.index(b"GCOL")  # references of dimensions: the size of the first, in 8 bytes
data[heap + 24 : heap + 32] = (1 << 40).to_bytes(8, "little")
open(sys.argv[2], "wb").write(data)' "$SCRATCH/job.nc" "$SCRATCH/heap.nc"
for command in "show" "compare $SCRATCH/job.nc" "merge -o $SCRATCH/merged.nc $SCRATCH/job.nc"; do
    # shellcheck disable=SC2086 # words
    expect 3 "$LMDEPTH" $command "$SCRATCH/heap.nc"
    says "heap.nc" "damaged"
done
# The effective job, read back, is the same job.
"$LMDEPTH" show "$SCRATCH/job.yaml" | grep -v '^#' >"$SCRATCH/effective.yaml"
expect 0 "$LMDEPTH" run "$SCRATCH/effective.yaml" -o "$SCRATCH/effective.nc"
expect 0 "$LMDEPTH" compare "$SCRATCH/job.nc" "$SCRATCH/effective.nc"
exit 0
