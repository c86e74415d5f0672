#!/bin/sh
# The demo after packages and build: model, corpus, a run of two ranks, figures.
# Environment: BUILD, MPIRUN. A second call fetches nothing.
set -eu
BUILD=${BUILD:-build}
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
tools/fetch_model.sh "$BUILD/models"
tools/fetch_corpus.sh "$BUILD/corpus"
model="$BUILD/models/SmolLM2-135M-Instruct.Q4_1.gguf"
# --oversubscribe: two ranks also where there is one processor.
${MPIRUN:-mpirun} --oversubscribe --bind-to none -n 2 "$BUILD/lmdepth" run jobs/demo.yaml \
    -o "$BUILD/demo/demo.nc" --set "model.path=$model" \
    --set "corpus.path=$BUILD/corpus/debian-faq.en.txt.gz"
"$BUILD/lmdepth" tokenize --pieces "$model" >"$BUILD/demo/vocabulary.tsv"
"$BUILD/venv/bin/python" analysis/figures.py "$BUILD/demo/demo.nc" -o "$BUILD/demo/figures" \
    --vocabulary "$BUILD/demo/vocabulary.tsv"
echo "result:  $BUILD/demo/demo.nc"
echo "figures: $BUILD/demo/figures/index.html"
