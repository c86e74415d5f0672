#!/bin/sh
# Additivity: counters of two halves of a corpus, with one frequency file, add up to those of
# the whole, limbs included; the order of files changes no counter.
. tests/lib.sh

"$PYTHON" - "$SCRATCH" <<'PY'
import pathlib, random, sys
rng = random.Random(11)
folder = pathlib.Path(sys.argv[1])
text = lambda: " ".join("".join(rng.choice("etaoin shrdlu") for _ in range(5)) for _ in range(30))
for name in ("left", "right"):
    (folder / f"{name}.txt").write_text("\n\n".join(text() for _ in range(9)) + "\n")
PY
write_job job <<JOB
corpus:
  - {path: left.txt}
  - {path: right.txt}
prompts: {length: 64}
observe: {metrics: [bucket, onset, entropy, divergence, token]}
run: {pack_tokens: 128}
JOB
"$LMDEPTH" count "$SCRATCH/job.yaml" >"$SCRATCH/counts.tsv" 2>"$SCRATCH/err" || fail "count"
common="--threads 2 --set frequency.from=$SCRATCH/counts.tsv"
expect 0 "$LMDEPTH" run "$SCRATCH/job.yaml" $common
expect 0 "$LMDEPTH" run "$SCRATCH/job.yaml" $common --set corpus="$SCRATCH/left.txt" \
    -o "$SCRATCH/left.nc"
expect 0 "$LMDEPTH" run "$SCRATCH/job.yaml" $common --set corpus="$SCRATCH/right.txt" \
    -o "$SCRATCH/right.nc"
expect 0 "$LMDEPTH" run "$SCRATCH/job.yaml" $common \
    --set corpus="$SCRATCH/right.txt,$SCRATCH/left.txt" -o "$SCRATCH/swapped.nc"
# Parts of a job add up as well.
expect 0 "$PYTHON" tests/python/check_sums.py "$SCRATCH/job.nc" "$SCRATCH/left.nc" "$SCRATCH/right.nc"
expect 0 "$PYTHON" tests/python/check_sums.py "$SCRATCH/swapped.nc" "$SCRATCH/left.nc" "$SCRATCH/right.nc"
expect 1 "$PYTHON" tests/python/check_sums.py "$SCRATCH/job.nc" "$SCRATCH/left.nc" "$SCRATCH/left.nc"
exit 0
