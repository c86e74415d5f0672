#!/bin/sh
# The rules of records, fates, groups, windows and frequencies, seen in result files.
. tests/lib.sh

run() {
    expect 0 "$LMDEPTH" run "$SCRATCH/$1.yaml" --threads 1 --fresh
    result="$SCRATCH/$1.nc"
}

# ---- fates of jsonl, in the order used split cut unsampled empty long encoding json field id ----
{
    printf '{"text": "plain", "meta": {"set": "b"}}\n'
    printf '\n'
    printf '{"text": "", "meta": {"set": "a"}}\n'
    printf '{"text": "   \\n ", "meta": {"set": "a"}}\n'
    printf '{"text": 5, "meta": {"set": "a"}}\n'
    printf '{"other": "x", "meta": {"set": "b"}}\n'
    printf '["no object"]\n'
    printf '{"text": "unfinished\n'
    printf '{"text": "lone \\ud800 surrogate"}\n'
    printf '{"text": "bad \377 byte"}\n'
    printf '{"text": "nul \\u0000 stays", "meta": {"set": "b"}}\r\n'
    printf '{"text": "a number as label", "meta": {"set": 7}}\n'
    printf '{"text": "%s", "meta": {"set": "b"}}\n' "$(printf 'x%.0s' $(seq 100))"
} >"$SCRATCH/text.jsonl"
write_job fates <<JOB
corpus: {path: text.jsonl, group_field: meta.set}
prompts: {length: 64}
JOB
run fates
same '"(none)", "a", "b"' "$(ncdump -v group_name "$result" | sed -n 's/ *;$//; /^ *"/p' | tr -d '\n' | sed 's/^ *//; s/,  */, /g')"
same "1 0 0 0 0 0 1 2 1 0 0 0 0 0 2 0 0 0 1 0 2 1 0 0 0 0 0 0 1 0" "$(value "$result" record_count)"

write_job long <<JOB
corpus: {path: text.jsonl, group: one}
prompts: {length: 64, long: skip}
JOB
run long
same "3 0 0 0 2 1 1 2 3 0" "$(value "$result" record_count | sed 's/^\(.\) /\1 /')"
write_job cut <<JOB
corpus: {path: text.jsonl}
prompts: {length: 64, long: head, sample: 0}
JOB
run cut
same "0 0 0 12 0 0 0 0 0 0" "$(value "$result" record_count)"
same "0" "$(value "$result" position_count)"
says "no position was observed"

# ---- positions and gold tokens, counted by hand ----
printf 'abcdefghij\n' >"$SCRATCH/ten.txt" # ten ids
write_job all <<JOB
corpus: {path: ten.txt}
prompts: {length: 4, bos: never}
JOB
run all
same "10" "$(value "$result" position_count)"
same "9" "$(value "$result" gold_position_count)"
# With a BOS: windows of three ids; the BOS of the first window alone is observed.
write_job bos <<JOB
corpus: {path: ten.txt}
prompts: {length: 4, bos: always}
JOB
run bos
same "11" "$(value "$result" position_count)"
same "10" "$(value "$result" gold_position_count)"
write_job head <<JOB
corpus: {path: ten.txt}
prompts: {length: 4, bos: never, long: head}
JOB
run head
same "4" "$(value "$result" position_count)"
same "4" "$(value "$result" gold_position_count)"
write_job tail <<JOB
corpus: {path: ten.txt}
prompts: {length: 4, bos: always, long: tail}
JOB
run tail
same "4" "$(value "$result" position_count)"
same "3" "$(value "$result" gold_position_count)"
write_job last <<JOB
corpus: {path: ten.txt}
prompts: {length: 4, bos: never}
observe: {positions: last}
JOB
run last
same "1" "$(value "$result" position_count)"
same "0" "$(value "$result" gold_position_count)"
write_job every <<JOB
corpus: {path: ten.txt}
prompts: {length: 5, bos: never}
observe: {positions: every 2, skip: 1}
JOB
run every # offsets 1 and 3 of both windows
same "4" "$(value "$result" position_count)"
expect 0 "$LMDEPTH" run "$SCRATCH/last.yaml" --set observe.skip=2 -o "$SCRATCH/none.nc"
same "0" "$(value "$SCRATCH/none.nc" position_count)" # the last position is offset 1 of its window

# ---- ids: as they are, no BOS ----
printf '1 2 3\n\n300 1\nx\n  4 5 \r\n' >"$SCRATCH/text.ids"
write_job ids <<JOB
corpus: {path: text.ids, format: ids}
prompts: {length: 8, bos: always}
JOB
run ids
same "2 0 0 0 0 0 0 0 0 2" "$(value "$result" record_count)"
same "5" "$(value "$result" position_count)"

# ---- frequencies: special strings parsed, dropped from the ranking unless kept ----
printf 'aab<end>\n' >"$SCRATCH/special.txt"
write_job special <<JOB
corpus: {path: special.txt}
prompts: {bos: never}
JOB
run special
same "1" "$(value "$result" special_string_count)"
same "1" "$(value "$result" token_count | cut -d' ' -f258)"
same "0" "$(value "$result" token_rank | cut -d' ' -f258)"
same "1 2" "$(value "$result" token_rank | cut -d' ' -f98,99)"
expect 0 "$LMDEPTH" run "$SCRATCH/special.yaml" --set frequency.specials=keep -o "$SCRATCH/keep.nc"
same "3" "$(value "$SCRATCH/keep.nc" token_rank | cut -d' ' -f258)"
# count prints a frequency file that gives the same result.
"$LMDEPTH" count "$SCRATCH/special.yaml" >"$SCRATCH/counts.tsv" 2>"$SCRATCH/err" || fail "count"
same "97	2" "$(grep '^97' "$SCRATCH/counts.tsv")"
expect 0 "$LMDEPTH" run "$SCRATCH/special.yaml" --set frequency.from="$SCRATCH/counts.tsv" \
    -o "$SCRATCH/counted.nc"
same "$(value "$result" top1_count)" "$(value "$SCRATCH/counted.nc" top1_count)"
printf '3\t1\n3\t2\n' >"$SCRATCH/twice.tsv"
expect 3 "$LMDEPTH" run "$SCRATCH/special.yaml" --set frequency.from="$SCRATCH/twice.tsv" \
    -o "$SCRATCH/no.nc"
says "twice.tsv" "2"
printf '300\t1\n' >"$SCRATCH/outside.tsv"
expect 3 "$LMDEPTH" run "$SCRATCH/special.yaml" --set frequency.from="$SCRATCH/outside.tsv" \
    -o "$SCRATCH/no.nc"
says "outside.tsv" "300"

# ---- the same text through every wrapping ----
printf 'One paragraph\nof two lines.\n \t\nAnother.\n' >"$SCRATCH/plain.txt"
gzip -c "$SCRATCH/plain.txt" >"$SCRATCH/packed.txt.gz"
zstd -q -c "$SCRATCH/plain.txt" >"$SCRATCH/packed.txt.zst"
printf '\357\273\277One paragraph\r\nof two lines.\r\n\r\nAnother.' >"$SCRATCH/dos.txt"
for name in plain.txt packed.txt.gz packed.txt.zst dos.txt; do
    write_job wrapped <<JOB
corpus: {path: $name}
JOB
    run wrapped
    counts="$(value "$result" token_count) $(value "$result" record_count)"
    [ -n "${first:-}" ] || first=$counts
    same "$first" "$counts"
done
# A document keeps every byte; lines are records.
write_job document <<JOB
corpus: {path: plain.txt, format: document}
JOB
run document
same "$(wc -c <"$SCRATCH/plain.txt")" "$(value "$result" position_count)"
write_job lines <<JOB
corpus: {path: plain.txt, format: lines}
JOB
run lines
same "3 0 0 0 0 0 0 0 0 0" "$(value "$result" record_count)"

# ---- limit, sample ----
write_job limit <<JOB
corpus: {path: plain.txt, format: lines}
prompts: {limit: 2}
JOB
run limit
same "2 0 0 0 0 0 0 0 0 0" "$(value "$result" record_count)"
same "26" "$(value "$result" position_count)"
exit 0
