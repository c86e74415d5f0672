#!/bin/sh
# lmdepth beside transformers and PyTorch, in turns on the same cores and tokens.
#
#     VENV=/path/to/venv bench/peers.sh [--cores 0,1] [--windows 2] [--rounds 5] [--only WORD]
#
# Nothing is installed: VENV (build/venv) must have torch 2.13.0 for CPU, transformers 5,
# gguf, tokenizers and safetensors, and torch.compile wants g++:
#     pip install torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu
#     pip install transformers gguf tokenizers safetensors
# and, if its row is wanted, llama-cpp-python. Environment: VENV, BUILD.
set -eu
cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
VENV=${VENV:-$BUILD/venv}
python="$VENV/bin/python"
if ! "$python" -c "import torch, transformers, gguf, tokenizers, safetensors" 2>/dev/null; then
    echo "peers: $python lacks one of torch (2.13.0), transformers, gguf, tokenizers," \
        "safetensors; name a venv that has them: VENV=..." >&2
    exit 2
fi
make --no-print-directory BUILD="$BUILD" all bench-programs
tools/fetch_model.sh "$BUILD/models"
tools/fetch_corpus.sh "$BUILD/corpus"
# Between their turns the peers' threads sleep and do not spin.
export OMP_WAIT_POLICY=passive
PYTHONPATH="bench:tests/reference${PYTHONPATH:+:$PYTHONPATH}"
export PYTHONPATH
exec "$python" bench/peers.py --build "$BUILD" "$@"
