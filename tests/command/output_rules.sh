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
# A folder, a new folder, a place that can't be written.
mkdir "$SCRATCH/folder.nc"
expect 2 $run -o "$SCRATCH/folder.nc"
says "folder"
expect 0 $run -o "$SCRATCH/new/deep/job.nc"
expect 4 $run -o /proc/nothing/job.nc
says "/proc/nothing"
# The work folder: kept when asked for, used again by a later run.
expect 0 $run -o "$SCRATCH/kept.nc" --keep-work
[ -f "$SCRATCH/kept.nc.work/index" ] || fail "no work folder was kept"
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
exit 0
