#!/bin/sh
# What is at the output's place: the same result, another file, a folder, no room.
. tests/lib.sh

printf 'The first paragraph of a text.\n\nAnd the second one, a little longer.\n' >"$SCRATCH/text.txt"
write_job job <<JOB
corpus: {path: text.txt}
prompts: {length: 32}
JOB
run="$LMDEPTH run $SCRATCH/job.yaml --threads 1"

expect 0 $run
says "$SCRATCH/job.nc"
[ -f "$SCRATCH/job.nc" ] || fail "no result"
[ ! -e "$SCRATCH/job.nc.work" ] || fail "the work folder stayed"
before=$(stat -c %Y.%i "$SCRATCH/job.nc")
expect 0 $run
says "holds this job's result already"
same "$before" "$(stat -c %Y.%i "$SCRATCH/job.nc")"
# Another job at the same place.
expect 2 $run --set run.seed=4 --set observe.folds=2
says "--fresh" "job.nc"
expect 0 $run --set observe.folds=2 --fresh
# A file that is no result.
echo "not a result" >"$SCRATCH/other.nc"
expect 2 $run -o "$SCRATCH/other.nc"
same "not a result" "$(cat "$SCRATCH/other.nc")"
expect 0 $run -o "$SCRATCH/other.nc" --fresh
expect 2 $run -o "$SCRATCH/job.yaml" --fresh
says "job.yaml is a file that the job reads"
# A folder, a new folder, a place that can't be written.
mkdir "$SCRATCH/folder.nc"
expect 2 $run -o "$SCRATCH/folder.nc"
says "folder"
expect 0 $run -o "$SCRATCH/new/deep/job.nc"
# A file where a folder should be: the result's, and the work folder.
expect 2 $run -o "$SCRATCH/other.nc/job.nc"
says "$SCRATCH/other.nc: is there and is no folder"
expect 2 $run -o "$SCRATCH/beside.nc" --work "$SCRATCH/other.nc"
says "$SCRATCH/other.nc: is there and is no folder"
expect 4 $run -o /proc/nothing/job.nc
says "/proc/nothing"
# The work folder: kept when asked for, used again by a later run.
expect 0 $run -o "$SCRATCH/kept.nc" --keep-work
[ -f "$SCRATCH/kept.nc.work/spool.index" ] || fail "no work folder was kept"
expect 0 $run -o "$SCRATCH/prepared.nc" --prepare-only --work "$SCRATCH/spool"
[ ! -e "$SCRATCH/prepared.nc" ] || fail "--prepare-only wrote a result"
expect 0 $run -o "$SCRATCH/prepared.nc" --work "$SCRATCH/spool"
says "used again"
expect 0 "$LMDEPTH" compare "$SCRATCH/prepared.nc" "$SCRATCH/kept.nc"
# A spool of another corpus is not used.
expect 0 $run -o "$SCRATCH/prepared.nc" --prepare-only --work "$SCRATCH/spool" --fresh
printf 'Quite another text.\n' >"$SCRATCH/text.txt"
expect 0 $run -o "$SCRATCH/changed.nc" --work "$SCRATCH/spool"
grep -q "used again" "$SCRATCH/err" && fail "a spool of another corpus was used"
# The fingerprint is of contents: the same content under another name is the same result.
printf 'Quite another text.\n' >"$SCRATCH/copy.txt"
expect 0 $run -o "$SCRATCH/changed.nc" --set corpus.path="$SCRATCH/copy.txt"
says "holds this job's result already"

# ---- a work folder may hold other things: they stay ----
mkdir -p "$SCRATCH/mine/deep"
echo thesis >"$SCRATCH/mine/thesis.tex"
echo index >"$SCRATCH/mine/index"
expect 0 $run -o "$SCRATCH/mine.nc" --work "$SCRATCH/mine"
same "deep index thesis.tex" "$(cd "$SCRATCH/mine" && echo ./* | sed 's,\./,,g')"
expect 0 "$LMDEPTH" count "$SCRATCH/job.yaml" --work "$SCRATCH/mine"
same "thesis" "$(cat "$SCRATCH/mine/thesis.tex")"
# Nothing is left of a preparation that failed.
printf '\377\n' >"$SCRATCH/bad.txt"
expect 3 $run -o "$SCRATCH/failed.nc" --set corpus.path="$SCRATCH/bad.txt"
[ ! -e "$SCRATCH/failed.nc.work" ] || fail "the work folder of a failed preparation stayed"

# ---- the fingerprint: which file is whose, and the model's config ----
for k in 1 2 3; do echo "text number $k" >"$SCRATCH/s$k.txt"; done
write_job split <<JOB
corpus: [{path: "s[12].txt", group: x}, {path: s3.txt, group: y}]
JOB
write_job split_otherwise <<JOB
corpus: [{path: s1.txt, group: x}, {path: "s[23].txt", group: y}]
JOB
expect 0 "$LMDEPTH" run "$SCRATCH/split.yaml"
expect 2 "$LMDEPTH" run "$SCRATCH/split_otherwise.yaml" -o "$SCRATCH/split.nc"
says "--fresh"
cp -r "$TINY" "$SCRATCH/model"
expect 0 $run -o "$SCRATCH/config.nc" --set model.path="$SCRATCH/model"
sed -i 's/"rope_theta": 10000.0/"rope_theta": 500.0/' "$SCRATCH/model/config.json"
expect 2 $run -o "$SCRATCH/config.nc" --set model.path="$SCRATCH/model"
# The order and doubles of metrics are none of its business.
expect 0 $run -o "$SCRATCH/metrics.nc" --set observe.metrics=bucket,onset
expect 0 $run -o "$SCRATCH/metrics.nc" --set observe.metrics=onset,bucket,onset
says "already"

# ---- parts share a work folder, and add up ----
for part in 0 1; do
    expect 0 $run -o "$SCRATCH/part$part.nc" --part "$part/2" --work "$SCRATCH/parts"
done
says "used again"
expect 2 $run --part 2/2
expect 2 $run --part 0/99999999999
# Never over what is no regular file.
mkfifo "$SCRATCH/fifo.nc"
expect 2 timeout 20 $run -o "$SCRATCH/fifo.nc" --fresh
says "regular"
exit 0
