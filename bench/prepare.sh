#!/bin/sh
# How fast text becomes a spool (read, cut in records, tokenise, count, pack, write): a text
# repeated to MB megabytes, as one file, for each tokenizer and number of ranks.
#
#     bench/prepare.sh [TEXT] [MB]              the demo's text, 1000
#
# Environment: TOKENIZERS (files or folders; default the demo's model), RANKS ("1"), ZSTD=1 to
# compress the text first, TMPDIR (twice MB free), BUILD, MPIRUN. The weights play no part: a
# model of a few rows' width stands in. Rates are by processor time, so that neighbours do not
# count, and by the clock.
set -eu
cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
MPIRUN=${MPIRUN:-mpirun --oversubscribe --bind-to none}
text=${1:-}
megabytes=${2:-1000}
make --no-print-directory BUILD="$BUILD" all
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if [ -z "$text" ]; then
    tools/fetch_corpus.sh "$BUILD/corpus"
    text="$folder/text"
    gzip -dc "$BUILD/corpus/debian-faq.en.txt.gz" >"$text"
fi
while cat "$text" 2>/dev/null; do echo; done | head -c "${megabytes}000000" >"$folder/corpus.txt"
corpus="$folder/corpus.txt"
if [ -n "${ZSTD:-}" ]; then
    zstd -q --rm "$corpus"
    corpus="$corpus.zst"
fi
if [ -z "${TOKENIZERS:-}" ]; then
    tools/fetch_model.sh "$BUILD/models"
    TOKENIZERS="$BUILD/models/SmolLM2-135M-Instruct.Q4_1.gguf"
fi
echo "| tokenizer | ranks | tokens | bytes a token | s | processor s | MB/s a core | M tokens/s a core |"
echo "|---|---|---|---|---|---|---|---|"
for tokenizer in $TOKENIZERS; do
    rows=$("$BUILD/lmdepth" tokenize --pieces "$tokenizer" | wc -l)
    /usr/bin/python3 tests/python/make_tiny_model.py "$folder/model" --vocabulary "$rows"
    for ranks in ${RANKS:-1}; do
        cat >"$folder/job.yaml" <<JOB
model: {path: $folder/model, tokenizer: $(realpath "$tokenizer")}
corpus: {path: $corpus, format: paragraphs}
prompts: {length: 128}
output: $folder/none.nc
JOB
        # shellcheck disable=SC2086 # a command and its options
        /usr/bin/time -f "%e %U %S" -o "$folder/time" $MPIRUN -n "$ranks" "$BUILD/lmdepth" run \
            "$folder/job.yaml" --prepare-only --threads 1 --fresh 2>"$folder/log"
        tokens=$(sed -n 's/^prepared  *\([0-9]*\) tokens.*/\1/p' "$folder/log")
        awk -v name="$(basename "$tokenizer")" -v ranks="$ranks" -v n="$tokens" -v mb="$megabytes" \
            '{ used = $2 + $3
               printf "| %s | %d | %.1f M | %.2f | %.1f | %.1f | %.1f | %.2f |\n", name, ranks,
                      n / 1e6, mb * 1e6 / n, $1, used, mb / used, n / 1e6 / used }' "$folder/time"
        rm -rf "$folder/none.nc.work"
    done
done
