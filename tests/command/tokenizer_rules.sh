#!/bin/sh
# Which tokenizer a model has, which BOS, and what is special: interface.md 1.1.
. tests/lib.sh

ids() { # ids MODEL TEXT ARGUMENT...: what tokenize prints for the text
    model=$1
    text=$2
    shift 2
    printf '%b\n' "$text" | "$LMDEPTH" tokenize "$model" "$@" 2>"$SCRATCH/err" || cat "$SCRATCH/err"
}
# change FOLDER: the tiny model anew, its tokenizer.json altered by a Python statement.
change() {
    rm -rf "$1"
    cp -r "$TINY" "$1"
    "$PYTHON" - "$1/tokenizer.json" "$2" <<'PYTHON'
import json
import sys

path, statement = sys.argv[1:]
made = json.load(open(path))
exec(statement)
json.dump(made, open(path, "w"))
PYTHON
}
M="$SCRATCH/model"

# ---- tokenizer.json is the truth, its normalizer included ----
change "$M" 'made["normalizer"] = {"type": "Lowercase"}'
printf 'damaged' >"$M/tokenizer.model"
printf '{"a": 5}' >"$M/vocab.json"
printf 'a b' >"$M/merges.txt"
same "97 98 257" "$(ids "$M" 'AB<end>')"
# Of tokenizer_config.json other keys do not count.
cat >"$M/tokenizer_config.json" <<'JSON'
{"bos_token": "<bos>", "add_prefix_space": true, "do_lower_case": false, "legacy": true,
 "tokenizer_class": "OddTokenizer", "model_max_length": 3, "clean_up_tokenization_spaces": true,
 "added_tokens_decoder": {"5": {"content": "b", "special": true}}, "add_eos_token": true,
 "eos_token": "<end>"}
JSON
same "97 98 97 98 97 98" "$(ids "$M" 'ababab')"
# Without it the next kind of file is read, and what can't be is an error.
rm "$M/tokenizer.json"
expect 3 "$LMDEPTH" tokenize "$M"
says "tokenizer.model"
rm "$M/tokenizer.model"
expect 3 "$LMDEPTH" tokenize "$M"
says "OddTokenizer"
rm "$M/vocab.json"
expect 3 "$LMDEPTH" tokenize "$M"
says "neither a tokenizer.json"

# ---- bos: auto ----
template() { # a post-processor with <bos> in front and <end> behind
    cat <<'PYTHON'
text = {"Sequence": {"id": "A", "type_id": 0}}
bos, end = ({"SpecialToken": {"id": name, "type_id": 0}} for name in ("<bos>", "<end>"))
specials = {n: {"id": n, "ids": [i], "tokens": [n]} for i, n in enumerate(["<bos>", "<end>"], 256)}
made["post_processor"] = {"type": "TemplateProcessing", "single": [bos, text, end], "pair": [text],
                          "special_tokens": specials}
PYTHON
}
change "$M" "$(template)"
same "256 97" "$(ids "$M" a)" # EOS is never added
echo '{"bos_token": "<bos>", "add_bos_token": true, "add_eos_token": true}' >"$M/tokenizer_config.json"
same "256 97" "$(ids "$M" a)"
echo '{"bos_token": "<bos>", "add_bos_token": false}' >"$M/tokenizer_config.json"
same "97" "$(ids "$M" a)"
echo '{"bos_token": null}' >"$M/tokenizer_config.json"
same "256 97" "$(ids "$M" a)"
rm "$M/tokenizer_config.json"
same "256 97" "$(ids "$M" a)"
change "$M" 'made["post_processor"] = None'
same "97" "$(ids "$M" a)"
echo '{"bos_token": "<end>", "add_bos_token": true}' >"$M/tokenizer_config.json"
same "257 97" "$(ids "$M" a)"

# ---- bos: always: the tokenizer's, else the config's, else a mistake ----
same "257 97" "$(ids "$M" a --bos always)"
echo '{"add_bos_token": true}' >"$M/tokenizer_config.json"
same "256 97" "$(ids "$M" a)"
rm "$M/tokenizer_config.json"
same "256 97" "$(ids "$M" a --bos always)"
same "97" "$(ids "$M" a)"
sed -i 's/"bos_token_id": 256/"bos_token_id": null/' "$M/config.json"
expect 2 "$LMDEPTH" tokenize "$M" --bos always
says "BOS"
printf 'some text\n' >"$SCRATCH/text.txt"
write_job none <<JOB
corpus: {path: text.txt}
JOB
expect 2 "$LMDEPTH" check "$SCRATCH/none.yaml" --set model.path="$M" --set prompts.bos=always
says "prompts.bos" "BOS"
expect 0 "$LMDEPTH" check "$SCRATCH/none.yaml" --set model.path="$M"
echo '{"add_bos_token": true}' >"$M/tokenizer_config.json" # which, nobody says
expect 2 "$LMDEPTH" tokenize "$M"
says "BOS"
same "97" "$(ids "$M" a --bos never)"

# ---- special tokens ----
change "$M" 'made["added_tokens"][1]["special"] = False'
write_job special <<JOB
corpus: {path: special.txt}
observe: {metrics: [token]}
JOB
printf 'a<end>b<bos>c<bos>\n' >"$SCRATCH/special.txt"
expect 0 "$LMDEPTH" run "$SCRATCH/special.yaml" --threads 1 --set model.path="$M"
same "2" "$(value "$SCRATCH/special.nc" special_string_count)"
# <end> is ranked as a token like others, <bos> is not.
same "0 1" "$(value "$SCRATCH/special.nc" token_rank | cut -d ' ' -f 257,258 | sed 's/[1-9][0-9]*$/1/')"

# ---- model.tokenizer: a path, or a model of the cache ----
change "$SCRATCH/other" 'made["normalizer"] = {"type": "Lowercase"}'
CACHE="$SCRATCH/home/.cache/huggingface/hub/models--some-org--Tiny"
mkdir -p "$CACHE/refs" "$CACHE/snapshots"
printf 'abc' >"$CACHE/refs/main"
cp -r "$SCRATCH/other" "$CACHE/snapshots/abc"
unset HF_HUB_CACHE HUGGINGFACE_HUB_CACHE HF_HOME XDG_CACHE_HOME
printf 'AB\n' >"$SCRATCH/text.txt"
count_of_a() { # how often the id of "a" was counted
    value "$SCRATCH/none.nc" token_count | cut -d ' ' -f 98
}
expect 0 "$LMDEPTH" run "$SCRATCH/none.yaml" --threads 1
same "0" "$(count_of_a)"
for name in "$SCRATCH/other" "$SCRATCH/other/tokenizer.json" some-org/Tiny some-org/Tiny@abc; do
    expect 0 env HOME="$SCRATCH/home" "$LMDEPTH" run "$SCRATCH/none.yaml" --threads 1 --fresh \
        --set model.tokenizer="$name"
    same "1" "$(count_of_a)"
done
same "97" "$(HOME="$SCRATCH/home" ids some-org/Tiny A)"
expect 2 env HOME="$SCRATCH/home" "$LMDEPTH" check "$SCRATCH/none.yaml" \
    --set model.tokenizer=some-org/None
says "model.tokenizer" "some-org/None"
exit 0
