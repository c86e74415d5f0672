#!/bin/sh
# The demo after packages and build: model, corpus, a run of two ranks, figures.
# Environment: BUILD, MPIRUN. A second call fetches nothing.
set -eu
BUILD=${BUILD:-build}
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
tools/fetch_model.sh "$BUILD/models"
tools/fetch_corpus.sh "$BUILD/corpus"
# --oversubscribe: two ranks also where there is one processor.
${MPIRUN:-mpirun} --oversubscribe --bind-to none -n 2 "$BUILD/lmdepth" run jobs/demo.yaml \
    -o "$BUILD/demo/demo.nc" --set "model.path=$BUILD/models/SmolLM2-135M-Instruct.Q4_1.gguf" \
    --set "corpus.path=$BUILD/corpus/debian-faq.en.txt.gz"
"$BUILD/venv/bin/python" analysis/figures.py "$BUILD/demo/demo.nc" -o "$BUILD/demo/figures"
echo "result:  $BUILD/demo/demo.nc"
echo "figures: $BUILD/demo/figures/index.html"
