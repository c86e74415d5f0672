#!/bin/sh
# What `precision: bf16` moves in the demo's whole job, position by position: twice the job's
# time on THREADS (1) threads. Environment: BUILD, THREADS, PYTHON (any with NumPy).
set -eu
cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
PYTHON=${PYTHON:-/usr/bin/python3}
model="$BUILD/models/SmolLM2-135M-Instruct.Q4_1.gguf"
out="$BUILD/bench/precision"
make --no-print-directory BUILD="$BUILD" all bench-programs
tools/fetch_model.sh "$BUILD/models"
tools/fetch_corpus.sh "$BUILD/corpus"
mkdir -p "$out"
"$BUILD/lmdepth" run jobs/demo.yaml --prepare-only --work "$out/work" -o "$out/none.nc" \
    --set "model.path=$model" --set "corpus.path=$BUILD/corpus/debian-faq.en.txt.gz"
for precision in f32 bf16; do
    "$BUILD/bench/dump_rows" "$model" "$out/work" "$precision" "${THREADS:-1}" "$out/$precision.npy"
done
exec "$PYTHON" bench/precision.py "$out/f32.npy" "$out/bf16.npy"
