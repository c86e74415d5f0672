#!/bin/sh
# merge: the parts of a job are the whole job, results of other data add up, and what does not
# belong together is refused by what differs.
. tests/lib.sh

all="bucket, onset, entropy, divergence, token"
# Four chunks (of 16 MiB each), of which a sample is observed: three labels, several folds.
"$PYTHON" - "$SCRATCH/long.jsonl" <<'PY'
import random, sys
rng = random.Random(5)
with open(sys.argv[1], "w") as out:
    size = 0
    for n in range(1 << 30):
        label = ("wiki", "code", "mail")[n % 3] if size < 40 << 20 else "late"
        text = " ".join(rng.choice(("depth", "of", "a", "model", "1")) for _ in range(12))
        size += out.write('{"text": "%s", "set": "%s", "x": "%s"}\n' % (text, label, " " * 6000))
        if size > 60 << 20:
            break
PY
write_job parts <<JOB
title: In parts
corpus: {path: long.jsonl, group_field: set}
prompts: {length: 64, bos: always, sample: 0.01}
observe: {folds: 3, metrics: [$all]}
run: {pack_tokens: 128}
JOB
run="$LMDEPTH run $SCRATCH/parts.yaml --threads 1 --work $SCRATCH/spool"
merge="$LMDEPTH merge"
expect 0 $run -o "$SCRATCH/whole.nc" --keep-work
expect 0 "$LMDEPTH" show --json "$SCRATCH/whole.nc"
chunks=$(find "$SCRATCH/spool" -name 'chunk.*' | wc -l)
[ "$chunks" -ge 4 ] || fail "only $chunks chunks"

# ---- 2, 3 and 7 parts, more than chunks, on several numbers of ranks ----
for parts in 2 3 7; do
    part=0
    while [ "$part" -lt "$parts" ]; do
        ranks=
        [ "$parts" -ne 3 ] || ranks="$MPIRUN -n $((part + 1))"
        expect 0 $ranks $run --part "$part/$parts" -o "$SCRATCH/p$part.$parts.nc"
        part=$((part + 1))
    done
    expect 0 $merge "$SCRATCH"/p*."$parts".nc -o "$SCRATCH/of$parts.nc"
    expect 0 "$LMDEPTH" compare "$SCRATCH/whole.nc" "$SCRATCH/of$parts.nc"
done
expect 1 "$LMDEPTH" compare "$SCRATCH/whole.nc" "$SCRATCH/p0.2.nc"
# To the program it is the whole result, with its history.
expect 0 $run -o "$SCRATCH/of3.nc"
says "holds this job's result already"
same 3 "$(ncdump -h "$SCRATCH/of3.nc" | grep -o ': lmdepth run ' | wc -l)"

# ---- some of the parts, the rest later; any order ----
expect 0 $merge "$SCRATCH/p2.3.nc" "$SCRATCH/p0.3.nc" -o "$SCRATCH/some.nc"
says "parts 0,2/3"
expect 0 ncdump -h "$SCRATCH/some.nc"
prints 'lmdepth_part = "0,2/3"'
expect 0 $merge "$SCRATCH/some.nc" "$SCRATCH/p1.3.nc" -o "$SCRATCH/later.nc"
expect 0 "$LMDEPTH" compare "$SCRATCH/whole.nc" "$SCRATCH/later.nc"
expect 0 $merge "$SCRATCH/p1.3.nc" -o "$SCRATCH/one.nc"
expect 0 "$LMDEPTH" compare "$SCRATCH/p1.3.nc" "$SCRATCH/one.nc"
# The same part twice; the whole and a part; parts of other cuts.
expect 2 $merge "$SCRATCH/some.nc" "$SCRATCH/p0.3.nc" -o "$SCRATCH/no.nc"
says "p0.3.nc holds part 0/3 of the same job as $SCRATCH/some.nc" "--force"
expect 2 $merge "$SCRATCH/whole.nc" "$SCRATCH/p0.3.nc" -o "$SCRATCH/no.nc"
says "part 0/3" "part 0/1"
expect 2 $merge "$SCRATCH/p0.2.nc" "$SCRATCH/p1.3.nc" -o "$SCRATCH/no.nc"
expect 2 $merge "$SCRATCH/whole.nc" "$SCRATCH/whole.nc" -o "$SCRATCH/no.nc"
[ ! -e "$SCRATCH/no.nc" ] || fail "a refused merge wrote a file"
expect 0 $merge "$SCRATCH/p0.3.nc" "$SCRATCH/p0.3.nc" --force -o "$SCRATCH/twice.nc"
expect 0 "$PYTHON" tests/python/check_sums.py "$SCRATCH/twice.nc" "$SCRATCH/p0.3.nc" "$SCRATCH/p0.3.nc"
expect 0 ncdump -h "$SCRATCH/twice.nc"
prints 'lmdepth_part = "0,0/3"'
rm -r "$SCRATCH/spool"

# ---- other data, one frequency table ----
for name in a b c; do
    "$PYTHON" -c "import random, sys
rng = random.Random(sys.argv[1])
print('\n\n'.join(' '.join(rng.choice(sys.argv[1] + 'xyz') * 3 for _ in range(20)) for _ in range(9)))" \
        "$name" >"$SCRATCH/$name.txt"
    write_job "$name" <<JOB
title: Data $name
corpus: {path: $name.txt, group: g$name}
prompts: {length: 32}
observe: {metrics: [$all], folds: 2}
JOB
    "$LMDEPTH" count "$SCRATCH/$name.yaml" >"$SCRATCH/$name.tsv" 2>"$SCRATCH/err" || fail "count"
done
write_job abc <<JOB
title: All of it
corpus: [{path: a.txt, group: ga}, {path: b.txt, group: gb}, {path: c.txt, group: gc}]
prompts: {length: 32}
observe: {metrics: [$all], folds: 2}
JOB
"$LMDEPTH" count "$SCRATCH/abc.yaml" >"$SCRATCH/abc.tsv" 2>"$SCRATCH/err" || fail "count"

# -o: the same table in a file; what is there is treated as merge does.
count="$LMDEPTH count $SCRATCH/abc.yaml -o $SCRATCH/out.tsv"
expect 0 $count
[ ! -s "$SCRATCH/out" ] || fail "a table on standard output as well"
says "out.tsv: token counts of 3 files"
cmp -s "$SCRATCH/abc.tsv" "$SCRATCH/out.tsv" || fail "-o gives another table"
expect 0 $count
says "out.tsv holds this table already"
expect 2 $count --set prompts.limit=1
says "out.tsv is there and is not this table" "--fresh"
expect 0 $count --set prompts.limit=1 --fresh
cmp -s "$SCRATCH/abc.tsv" "$SCRATCH/out.tsv" && fail "not replaced"
expect 2 "$LMDEPTH" count "$SCRATCH/abc.yaml" -o "$SCRATCH"
says "is a folder"
# What is read is not written over, by whatever name.
ln -s b.txt "$SCRATCH/link.txt"
for name in b.txt link.txt abc.yaml; do
    sha256sum "$SCRATCH/$name" >"$SCRATCH/sum"
    expect 2 "$LMDEPTH" count "$SCRATCH/abc.yaml" -o "$SCRATCH/$name" --fresh
    says "output: " "$name is a file that the job reads"
    sha256sum -c --status "$SCRATCH/sum" || fail "$name was written over"
done
expect 137 env LD_PRELOAD="$BUILD/tests/faults/kill_at.so" KILL_CALL=rename \
    KILL_OF='/killed.count$' KILL_AT=1 "$LMDEPTH" count "$SCRATCH/abc.yaml" -o "$SCRATCH/killed.count"
[ ! -e "$SCRATCH/killed.count" ] || fail "a killed count wrote its file"
expect 0 "$LMDEPTH" count "$SCRATCH/abc.yaml" -o "$SCRATCH/killed.count"
cmp -s "$SCRATCH/abc.tsv" "$SCRATCH/killed.count" || fail "another table after a kill"
[ ! -e "$SCRATCH/abc.nc" ] || fail "count wrote a result"

# Frequency files add up to that of all files.
counts() { grep -v '^#' "$1"; }
expect 0 $merge "$SCRATCH/c.tsv" "$SCRATCH/a.tsv" "$SCRATCH/b.tsv" -o "$SCRATCH/sum.tsv"
same "$(counts "$SCRATCH/abc.tsv")" "$(counts "$SCRATCH/sum.tsv")"
same "$(grep '^# tokens' "$SCRATCH/abc.tsv")" "$(grep '^# tokens' "$SCRATCH/sum.tsv")"
same 3 "$(grep -c '^# input' "$SCRATCH/sum.tsv")"
same 3 "$(grep -c '^# token counts by' "$SCRATCH/sum.tsv")"
same 1 "$(grep -c '^# vocabulary 300$' "$SCRATCH/sum.tsv")"
same 1 "$(grep -c '^# tokenizer [0-9a-f]*$' "$SCRATCH/sum.tsv")"
expect 0 $merge "$SCRATCH/c.tsv" "$SCRATCH/a.tsv" "$SCRATCH/b.tsv" -o "$SCRATCH/sum.tsv"
says "already"
expect 2 $merge "$SCRATCH/a.tsv" "$SCRATCH/b.tsv" -o "$SCRATCH/sum.tsv"
says "--fresh"
expect 2 $merge "$SCRATCH/sum.tsv" "$SCRATCH/b.tsv" -o "$SCRATCH/no.tsv"
says "b.txt" "--force"
expect 0 $merge "$SCRATCH/b.tsv" "$SCRATCH/b.tsv" --force -o "$SCRATCH/bb.tsv"
same "$(counts "$SCRATCH/b.tsv" | awk '{print $1 "\t" 2 * $2}')" "$(counts "$SCRATCH/bb.tsv")"
sed 's/^# vocabulary 300/# vocabulary 301/' "$SCRATCH/c.tsv" >"$SCRATCH/other.tsv"
expect 2 $merge "$SCRATCH/a.tsv" "$SCRATCH/other.tsv" -o "$SCRATCH/no.tsv"
says "other.tsv: vocabulary: it has 301 ids, the files before 300"
sed 's/^# tokenizer ..../# tokenizer 0000/' "$SCRATCH/c.tsv" >"$SCRATCH/other.tsv"
expect 2 $merge "$SCRATCH/a.tsv" "$SCRATCH/other.tsv" -o "$SCRATCH/no.tsv"
says "other.tsv: tokenizer"
printf '# by hand\n3\t4\n' >"$SCRATCH/hand.tsv"
expect 0 $merge "$SCRATCH/hand.tsv" "$SCRATCH/a.tsv" -o "$SCRATCH/mixed.tsv"
same "# by hand" "$(head -1 "$SCRATCH/mixed.tsv")"
same "3	4" "$(grep '^3	' "$SCRATCH/mixed.tsv")"
printf '400\t4\n' >"$SCRATCH/hand.tsv"
expect 2 $merge "$SCRATCH/hand.tsv" "$SCRATCH/a.tsv" -o "$SCRATCH/no.tsv"
says "outside the vocabulary"
printf '3\t9223372036854775807\n' >"$SCRATCH/hand.tsv"
expect 3 $merge "$SCRATCH/hand.tsv" "$SCRATCH/hand.tsv" -o "$SCRATCH/no.tsv"
says "overflows"

for name in a b c abc; do
    expect 0 "$LMDEPTH" run "$SCRATCH/$name.yaml" --set frequency.from="$SCRATCH/sum.tsv" --threads 1
done
expect 0 env SOURCE_DATE_EPOCH=1700000000 $merge "$SCRATCH/a.nc" "$SCRATCH/b.nc" "$SCRATCH/c.nc" \
    -o "$SCRATCH/merged.nc"
same "ga gb gc" "$(value "$SCRATCH/merged.nc" group_name | tr -d '",')"
for variable in token_count token_rank special_string_count top1_token_count rank_count mass_sum \
    record_count gold_count; do
    same "$(value "$SCRATCH/abc.nc" $variable)" "$(value "$SCRATCH/merged.nc" $variable)"
done
expect 0 "$PYTHON" tests/python/check_cf.py "$SCRATCH/merged.nc"
expect 0 ncdump -h "$SCRATCH/merged.nc"
prints 'date_created = "2023-11-14T22:13:20Z"' 'title = "Data a; Data b; Data c"' 'a.txt' 'c.txt' \
    '2023-11-14T22:13:20Z: lmdepth merge' '0/1\n' 'title: Data b'
# (A file's number goes into the fold, so that folds are others than in the job of three files.)
value "$SCRATCH/merged.nc" entropy_mean | grep -q '_' || fail "no NaN without members"
positions=$(value "$SCRATCH/abc.nc" position_count | awk '{for (i = 1; i <= NF; i++) s += $i; print s}')
ncdump -h "$SCRATCH/merged.nc" | grep -q "over $positions token positions" || fail "summary"
# However they are put together.
expect 0 $merge "$SCRATCH/c.nc" "$SCRATCH/a.nc" -o "$SCRATCH/ca.nc"
expect 0 $merge "$SCRATCH/b.nc" "$SCRATCH/ca.nc" -o "$SCRATCH/bca.nc"
"$LMDEPTH" compare "$SCRATCH/merged.nc" "$SCRATCH/bca.nc" >"$SCRATCH/out"
same 1 "$(grep -c . "$SCRATCH/out")" # the order of titles
prints 'attribute title: "Data a; Data b; Data c" against "Data b; Data c; Data a"'
# The same input in another job: by its content, whatever its name.
cp "$SCRATCH/a.txt" "$SCRATCH/renamed.txt"
expect 0 "$LMDEPTH" run "$SCRATCH/a.yaml" --set corpus="$SCRATCH/renamed.txt" --threads 1 \
    --set frequency.from="$SCRATCH/sum.tsv" -o "$SCRATCH/renamed.nc"
expect 2 $merge "$SCRATCH/ca.nc" "$SCRATCH/renamed.nc" -o "$SCRATCH/no.nc"
says "a.txt" "renamed.nc" "ca.nc" "--force"
expect 0 $merge "$SCRATCH/ca.nc" "$SCRATCH/renamed.nc" --force -o "$SCRATCH/forced.nc"
same "all ga gc" "$(value "$SCRATCH/forced.nc" group_name | tr -d '",')"
expect 0 $merge "$SCRATCH/forced.nc" "$SCRATCH/b.nc" -o "$SCRATCH/further.nc"

# ---- what is of another kind: file, what, both values ----
other() { # other WORDS... -- --set KEY=VALUE...: refused with these words
    words=
    while [ "$1" != -- ]; do
        words="$words $1"
        shift
    done
    shift
    expect 0 "$LMDEPTH" run "$SCRATCH/b.yaml" --set frequency.from="$SCRATCH/sum.tsv" --fresh \
        --threads 1 -o "$SCRATCH/other.nc" "$@"
    expect 2 $merge "$SCRATCH/a.nc" "$SCRATCH/other.nc" -o "$SCRATCH/no.nc"
    says "other.nc can't be merged with $SCRATCH/a.nc"
    for word in $words; do
        says "$word"
    done
}
other "seed" "'seed 7" "'seed 0" -- --set run.seed=7
other "length" -- --set prompts.length=16
other "'bos" -- --set prompts.bos=always
other "skip" -- --set observe.skip=1
other "folds" -- --set observe.folds=1
other "'state" "1'" "none" -- --set observe.states=0,2
other "'metric" "token'" "none" -- --set observe.metrics=bucket,onset,entropy,divergence
other "specials" -- --set frequency.specials=keep
other "token_rank" "frequency" -- --set frequency.from=corpus
cp -r "$TINY" "$SCRATCH/model"
sed -i 's/"rope_theta": 10000.0/"rope_theta": 500.0/' "$SCRATCH/model/config.json"
other "'model" "config" -- --set model.path="$SCRATCH/model"
# The same ranks of other counts are another table.
grep -v '^#' "$SCRATCH/sum.tsv" | awk '{print $1 "\t" 2 * $2}' >"$SCRATCH/double.tsv"
other "token_count" -- --set frequency.from="$SCRATCH/double.tsv"
# What only chooses data may differ, and the table may come from another file.
grep -v '^#' "$SCRATCH/sum.tsv" >"$SCRATCH/bare.tsv"
expect 0 "$LMDEPTH" run "$SCRATCH/b.yaml" --set frequency.from="$SCRATCH/bare.tsv" --fresh \
    --set prompts.limit=3 -o "$SCRATCH/limit.nc"
expect 0 $merge "$SCRATCH/a.nc" "$SCRATCH/limit.nc" -o "$SCRATCH/limited.nc"

# ---- what is at the output's place; what can't be read ----
expect 0 $merge "$SCRATCH/a.nc" "$SCRATCH/limit.nc" -o "$SCRATCH/limited.nc"
says "already"
expect 2 $merge "$SCRATCH/a.nc" "$SCRATCH/c.nc" -o "$SCRATCH/limited.nc"
says "--fresh"
expect 0 $merge "$SCRATCH/a.nc" "$SCRATCH/c.nc" -o "$SCRATCH/limited.nc" --fresh
expect 2 $merge "$SCRATCH/a.nc" "$SCRATCH/c.nc" -o "$SCRATCH/a.nc" --fresh
says "one of the files to merge"
expect 2 $merge "$SCRATCH/a.nc" "$SCRATCH/nothing.nc" -o "$SCRATCH/no.nc"
says "nothing.nc"
expect 2 $merge "$SCRATCH/a.nc" "$SCRATCH/a.tsv" -o "$SCRATCH/no.nc"
says "a.nc is a result and $SCRATCH/a.tsv a frequency file"
expect 3 $merge "$SCRATCH/a.txt" "$SCRATCH/a.nc" -o "$SCRATCH/no.nc"
says "a.txt is neither a result nor a frequency file"
: >"$SCRATCH/empty.tsv"
expect 3 $merge "$SCRATCH/empty.tsv" -o "$SCRATCH/no.tsv"
says "empty.tsv: no frequency file"
expect 3 "$LMDEPTH" run "$SCRATCH/a.yaml" --set frequency.from="$SCRATCH/empty.tsv" -o "$SCRATCH/no.nc"
says "empty.tsv: no frequency file"
# A corpus without tokens gives a table all the same, which may be summed.
expect 0 "$LMDEPTH" count "$SCRATCH/a.yaml" --set prompts.sample=0 -o "$SCRATCH/none.tsv"
same "" "$(counts "$SCRATCH/none.tsv")"
expect 0 $merge "$SCRATCH/none.tsv" "$SCRATCH/b.tsv" -o "$SCRATCH/sum_with_none.tsv"
same "$(counts "$SCRATCH/b.tsv")" "$(counts "$SCRATCH/sum_with_none.tsv")"
head -c 9000 "$SCRATCH/b.nc" >"$SCRATCH/cut.nc"
expect 3 $merge "$SCRATCH/a.nc" "$SCRATCH/cut.nc" -o "$SCRATCH/no.nc"
says "cut.nc"
ncks -O -x -v top1_count "$SCRATCH/b.nc" "$SCRATCH/less.nc" 2>/dev/null || fail "ncks"
expect 3 $merge "$SCRATCH/a.nc" "$SCRATCH/less.nc" -o "$SCRATCH/no.nc"
says "less.nc: top1_count"
expect 2 $merge "$SCRATCH/a.nc"
says "-o"
expect 2 $merge -o "$SCRATCH/no.nc"
expect 4 $merge "$SCRATCH/a.nc" -o /proc/nothing/no.nc
# Killed before the sum has its name: nothing is there, and what was written goes with the next one.
for killed in killed.nc killed.tsv; do
    kind=${killed#killed.}
    expect 137 env LD_PRELOAD="$BUILD/tests/faults/kill_at.so" KILL_CALL=rename KILL_OF="/$killed\$" \
        KILL_AT=1 $merge "$SCRATCH/a.$kind" "$SCRATCH/c.$kind" -o "$SCRATCH/$killed"
    [ ! -e "$SCRATCH/$killed" ] || fail "a killed merge wrote $killed"
    [ -n "$(find "$SCRATCH" -name "$killed.tmp.*")" ] || fail "killed too early"
    expect 0 $merge "$SCRATCH/a.$kind" "$SCRATCH/c.$kind" -o "$SCRATCH/$killed"
    [ -z "$(find "$SCRATCH" -name "$killed.tmp.*")" ] || fail "$killed.tmp.* stayed"
done
# What another host may be writing stays, and is named.
: >"$SCRATCH/killed.nc.tmp.elsewhere.5"
expect 0 $merge "$SCRATCH/a.nc" "$SCRATCH/c.nc" -o "$SCRATCH/killed.nc"
says "beside $SCRATCH/killed.nc there is a file" "another host"
rm "$SCRATCH/killed.nc.tmp.elsewhere.5"
[ ! -e "$SCRATCH/no.nc" ] || fail "a refused merge wrote a file"
[ -z "$(find "$SCRATCH" -name '*.tmp.*')" ] || fail "temporary files stayed"
exit 0
