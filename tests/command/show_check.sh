#!/bin/sh
# show and check: what they say, as text and as JSON.
. tests/lib.sh

printf 'A text.\n\nAnother.\n' >"$SCRATCH/text.txt"
write_job job <<JOB
corpus: {path: text.txt}
prompts: {length: 32}
JOB
json() { # json EXPRESSION: true of `o`, the JSON on the last command's output
    "$PYTHON" -c "import json, sys; o = json.load(open(sys.argv[1])); assert $1, o" \
        "$SCRATCH/out" || fail "not $1"
}
expect 0 "$LMDEPTH" show "$TINY"
prints "llama" "2 blocks" "300 rows" "258 ids" "$TINY/tokenizer.json" \
    "remarks     " "42 rows of the vocabulary have no token (padding)"
expect 0 "$LMDEPTH" show --json "$TINY"
json 'o["blocks"] == 2 and o["vocabulary"] == 300 and o["bos"] == 256'
json 'o["tokenizer_ids"] == 258 and "42 rows" in o["remarks"][-1]'
expect 0 "$LMDEPTH" show tests/data/model/quantised/model.gguf
prints "0.0227 M, stored as GGUF, Q8_0 F32 F16" "53 kB widen to 87 kB in memory" \
    "tokenizer   none: "
expect 0 "$LMDEPTH" show "$TINY/tokenizer.json"
prints "BPE, 258 ids"
# A GGUF file without tensors is a vocabulary. One with tensors is a model, and what is wrong
# with it counts more than a vocabulary that can be read.
"$PYTHON" - "$SCRATCH" <<'PYTHON' || fail "no GGUF files"
import struct
import sys

def text(words):
    return struct.pack("<Q", len(words)) + words.encode()

def words(key, value):
    return text(key) + struct.pack("<I", 8) + text(value)

def listed(key, values):
    return text(key) + struct.pack("<IIQ", 9, 8, len(values)) + b"".join(map(text, values))

keys = words("general.architecture", "nonesuch") + words("tokenizer.ggml.model", "gpt2")
keys += listed("tokenizer.ggml.tokens", ["a", "b", "ab"])
keys += listed("tokenizer.ggml.merges", ["a b"])
tensor = text("token_embd.weight") + struct.pack("<IQQIQ", 2, 8, 4, 0, 0)
for name, tensors in (("vocabulary", b""), ("unknown", tensor)):
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors) > 0, 4) + keys + tensors
    with open(f"{sys.argv[1]}/{name}.gguf", "wb") as file:
        file.write(head + bytes(-len(head) % 32 + (128 if tensors else 0)))
PYTHON
expect 0 "$LMDEPTH" show "$SCRATCH/vocabulary.gguf"
prints "byte-level BPE, 3 ids"
expect 3 "$LMDEPTH" show "$SCRATCH/unknown.gguf"
says "unknown.gguf" "general.architecture" "nonesuch"
expect 0 "$LMDEPTH" show "$SCRATCH/job.yaml"
prints "length: 32" "pack_tokens: 2048"
expect 0 "$LMDEPTH" check "$SCRATCH/job.yaml"
prints "1 file" "records" "memory" "thread" "50 % of the peak"
[ ! -e "$SCRATCH/job.nc" ] || fail "check wrote a result"
expect 0 "$LMDEPTH" check --json "$SCRATCH/job.yaml"
json 'o["corpus"]["records"] == 2 and o["corpus"]["packs"] == 1 and o["corpus"]["is_exact"]'
grep -q "can't be used" "$SCRATCH/out" && fail "a record that can't be used"
# Packs in which nothing is observed are not computed, and not in the estimate.
"$PYTHON" -c 'print("word " * 400)' >"$SCRATCH/long.txt"
expect 0 "$LMDEPTH" check --json "$SCRATCH/job.yaml" --set corpus="$SCRATCH/long.txt" \
    --set observe.positions=last --set run.pack_tokens=64
json 'o["corpus"]["packs"] > 10 and 0 < o["corpus"]["model_tokens"] <= 64 < o["corpus"]["tokens"]'
json 'o["time"]["tokens"] == o["corpus"]["model_tokens"] and o["time"]["seconds"] > 0'
expect 0 "$LMDEPTH" check "$SCRATCH/job.yaml" --set corpus="$SCRATCH/long.txt" \
    --set observe.positions=last --set run.pack_tokens=64
prints "packs have no observed position and are not computed"
# Records that can't be used: once, by reason.
printf '{"text": "a"}\n{"text": " "}\n{"body": "b"}\n{\n\n{"text": 1}\n' >"$SCRATCH/bad.jsonl"
expect 0 "$LMDEPTH" check "$SCRATCH/job.yaml" --set corpus="$SCRATCH/bad.jsonl"
prints "records     5, of which 4 can't be used: 1 empty, 1 json, 2 field"
same 1 "$(grep -c "can't be used" "$SCRATCH/out")"
expect 0 "$LMDEPTH" check --json "$SCRATCH/job.yaml" --set corpus="$SCRATCH/bad.jsonl"
json 'o["corpus"]["unusable"] == 4 and o["corpus"]["fates"]["field"] == 2 and not o["warnings"]'
# A corpus of which only the beginning is looked at, plain and compressed: what it says is of all.
"$PYTHON" - "$SCRATCH/large.jsonl" <<'PY' || fail "no large corpus"
import gzip
import sys

line = b'{"text": "a few words", "x": "%s"}\n' % (b" " * 6000)
plain = line * ((60 << 20) // len(line))
open(sys.argv[1], "wb").write(plain)
with gzip.open(sys.argv[1] + ".gz", "wb", compresslevel=1) as file:
    file.write(plain)
PY
for corpus in large.jsonl large.jsonl.gz; do
    expect 0 "$LMDEPTH" check --json "$SCRATCH/job.yaml" --set corpus="$SCRATCH/$corpus"
    json 'not o["corpus"]["is_exact"] and 1.2 < o["corpus"]["whole"] < 2'
    records=$(wc -l <"$SCRATCH/large.jsonl")
    json "abs(o['corpus']['records'] * o['corpus']['whole'] / $records - 1) < 0.05"
    json 'o["time"]["tokens"] == o["corpus"]["tokens"] * o["corpus"]["whole"]'
done
expect 0 "$LMDEPTH" check "$SCRATCH/job.yaml" --set corpus="$SCRATCH/large.jsonl"
prints "in the first 32 MiB of text" "times as much in all" " for about "
expect 0 "$LMDEPTH" check --json "$SCRATCH/job.yaml" --set corpus="$SCRATCH/large.jsonl" \
    --set prompts.limit=7
json 'o["corpus"]["is_exact"] and o["corpus"]["whole"] == 1 and o["corpus"]["records"] == 7'
rm "$SCRATCH"/large.jsonl*
expect 2 "$LMDEPTH" check "$SCRATCH/job.yaml" --set prompts.length=4000
says "prompts.length"
expect 0 "$LMDEPTH" run "$SCRATCH/job.yaml"
expect 0 "$LMDEPTH" show "$SCRATCH/job.nc"
prints "positions" "used"
expect 0 "$LMDEPTH" show --json "$SCRATCH/job.nc"
json 'o'
# A label with control characters stays on its line.
write_job label <<'JOB'
title: "One\ntwo"
corpus: {path: text.txt, group: "a\nb\tc\x01"}
JOB
expect 0 "$LMDEPTH" run "$SCRATCH/label.yaml"
expect 0 "$LMDEPTH" show "$SCRATCH/label.nc"
prints 'groups      a\nb\tc?' 'title       One\ntwo'
expect 0 "$LMDEPTH" show --json "$SCRATCH/label.nc"
json 'o["title"] == "One\ntwo" and o["groups"] == ["a\nb\tc\x01"]'
# A corpus of nothing is named, and so is a key that a format can't use.
: >"$SCRATCH/nothing.txt"
expect 3 "$LMDEPTH" check "$SCRATCH/job.yaml" --set corpus="$SCRATCH/nothing.txt"
says "corpus.path: $SCRATCH/nothing.txt: no usable record in the whole corpus, which has no record"
write_job field <<'JOB'
corpus: {path: text.txt, field: body}
JOB
expect 2 "$LMDEPTH" check "$SCRATCH/field.yaml"
says "field.yaml:3: corpus.field: " "text.txt is read as paragraphs, which has no fields"
# The effective job of a result is a job that gives it again.
ncdump -h "$SCRATCH/job.nc" >/dev/null || fail "ncdump"
echo "junk" >"$SCRATCH/junk.bin"
expect 3 "$LMDEPTH" show "$SCRATCH/junk.bin"
says "junk.bin"
cp "$SCRATCH/junk.bin" "$SCRATCH/junk.tsv"
expect 3 "$LMDEPTH" show "$SCRATCH/junk.tsv"
says "junk.tsv: no model, tokenizer (.json, .model, .gguf), job (.yaml), frequency file, result" \
    " or work folder"
# A frequency file: of count, of somebody else, of the depth paper.
expect 0 "$LMDEPTH" count "$SCRATCH/job.yaml" -o "$SCRATCH/counts.tsv"
expect 0 "$LMDEPTH" show "$SCRATCH/counts.tsv"
prints "frequency   $SCRATCH/counts.tsv" "tokens      15, of " " ids in a vocabulary of 300" "largest     "
expect 0 "$LMDEPTH" show --json "$SCRATCH/counts.tsv"
json 'o["kind"] == "frequency" and o["tokens"] == 15 and o["vocabulary"] == 300'
printf '7\t2\n3\t9\n1\t0\n' >"$SCRATCH/hand.txt"
expect 0 "$LMDEPTH" show "$SCRATCH/hand.txt"
prints "tokens      11, of 2 ids" "largest     9 of id 3 (81.8 %)" "tokenizer   not known"
printf '{"5": {"count": 4}}' >"$SCRATCH/paper.json"
expect 0 "$LMDEPTH" show --json "$SCRATCH/paper.json"
json 'o["kind"] == "frequency" and o["largest_id"] == 5 and o["tokens"] == 4'
printf '3\t9223372036854775807\n4\t9\n' >"$SCRATCH/much.tsv"
expect 0 "$LMDEPTH" show "$SCRATCH/much.tsv"
# Bytes that are no UTF-8, or that would command a terminal, in a file or its name.
printf '# vocabulary 9\n# tokenizer \377\033[31m\n3\t4\n' >"$SCRATCH/bytes.tsv"
expect 0 "$LMDEPTH" show "$SCRATCH/bytes.tsv"
prints "?[31m"
expect 0 "$LMDEPTH" show --json "$SCRATCH/bytes.tsv"
json 'o["tokens"] == 4 and o["tokenizer"] == "\ufffd?[31m"'
name="$SCRATCH/$(printf 'b\377')"
cp "$SCRATCH/hand.txt" "$name.txt"
cp "$SCRATCH/job.yaml" "$name.yaml"
for file in "$name.txt" "$name.yaml"; do
    expect 0 "$LMDEPTH" show --json "$file"
    json '"/b\ufffd." in o["path"]'
done
# Units that fit a small job; paths as short as they are.
expect 0 "$LMDEPTH" check "$SCRATCH/job.yaml"
prints " seconds for " " of counters a rank"
grep -q '^work  *0\.00 GFLOP' "$SCRATCH/out" && fail "no digit of the work"
program=$(realpath "$LMDEPTH")
(cd "$SCRATCH" && "$program" check job.yaml >out 2>err) || fail "check of a job beside us"
grep -qx 'output  *job.nc' "$SCRATCH/out" || fail "not the path that was written"
# The jobs that are shipped: every key is right; what is missing here is the model or the corpus.
for job in jobs/*.yaml; do
    expect 2 env CORPUS="$SCRATCH" HF_HUB_CACHE="$SCRATCH/cache" "$LMDEPTH" check "$job" --set model.path=none/such
    says "none/such"
done

# A tokenizer with more ids than the model has rows: said before, and when a text has one. Never a
# crash: the records are counted.
"$PYTHON" tests/python/make_tiny_model.py "$SCRATCH/few" --vocabulary 257
printf 'A text.\n\nThe <end> of it.\n' >"$SCRATCH/few.txt"
printf 'model: {path: few}\noutput: few.nc\ncorpus: {path: few.txt}\n' >"$SCRATCH/few.yaml"
beyond="the tokenizer has 258 ids, the model rows for 257: records with an id from 257 on"
expect 0 "$LMDEPTH" show "$SCRATCH/few"
prints "1 id of the tokenizer has no row in the model"
expect 0 "$LMDEPTH" check "$SCRATCH/few.yaml"
prints "$beyond" "warning     the tokenizer has 258 ids"
says "token id 257" "rows for 257 ids"
expect 0 "$LMDEPTH" check --json "$SCRATCH/few.yaml"
json 'any("258 ids" in w for w in o["warnings"]) and o["corpus"]["unusable"] == 1'
expect 0 "$LMDEPTH" run "$SCRATCH/few.yaml"
says "$beyond" "token id 257"
expect 0 "$LMDEPTH" show "$SCRATCH/few.nc"
prints "1 used" "1 id"
printf 'All <end> here.\n' >"$SCRATCH/few.txt"
expect 3 "$LMDEPTH" run "$SCRATCH/few.yaml" --fresh
says "token id 257" "few.txt: no usable record in the whole corpus: 1 id"

# ---- unfinished work in the way is told before the job is submitted ----
printf 'A text.\n' >"$SCRATCH/few.txt"
mkdir -p "$SCRATCH/busy.work"
expect 0 "$LMDEPTH" check "$SCRATCH/few.yaml" -o "$SCRATCH/busy"
! grep -q "unfinished" "$SCRATCH/out" || fail "an empty folder is no work"
: >"$SCRATCH/busy.work/state.1.0"
expect 0 "$LMDEPTH" check "$SCRATCH/few.yaml" -o "$SCRATCH/busy"
prints "warning     " "busy.work holds unfinished work"
expect 0 "$LMDEPTH" check --json "$SCRATCH/few.yaml" --work "$SCRATCH/busy.work"
json 'any("busy.work holds unfinished work" in w for w in o["warnings"])'
exit 0
