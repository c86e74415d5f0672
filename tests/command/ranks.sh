#!/bin/sh
# The same bits for any number of ranks and threads, with and without shared memory, however
# the corpus is cut in files; and one message when all ranks fail alike.
. tests/lib.sh

"$PYTHON" - "$SCRATCH" <<'PY'
import pathlib, random, sys
rng = random.Random(5)
words = "depth layer token model corpus rank sum state lens onset 42 7 über naïve".split()
folder = pathlib.Path(sys.argv[1])
for k in range(7):
    paragraphs = [
        " ".join(rng.choice(words) for _ in range(rng.randint(3, 40))) for _ in range(12)
    ]
    (folder / f"text{k}.txt").write_text("\n\n".join(paragraphs) + "\n")
PY
write_job job <<JOB
corpus: {path: text*.txt}
prompts: {length: 96, bos: always}
observe: {metrics: [bucket, onset, entropy, divergence, token], folds: 3}
run: {pack_tokens: 128}
JOB
expect 0 "$LMDEPTH" run "$SCRATCH/job.yaml" --threads 1 -o "$SCRATCH/one.nc"
for ranks in 1 2 3 5 7; do
    for threads in 1 2 5; do
        expect 0 $MPIRUN -n "$ranks" "$LMDEPTH" run "$SCRATCH/job.yaml" --fresh \
            --threads "$threads" -o "$SCRATCH/many.nc"
        expect 0 "$LMDEPTH" compare "$SCRATCH/one.nc" "$SCRATCH/many.nc"
    done
done
expect 0 env LMDEPTH_SHARED_MEMORY=off $MPIRUN -n 2 "$LMDEPTH" run "$SCRATCH/job.yaml" --fresh \
    -o "$SCRATCH/many.nc"
expect 0 "$LMDEPTH" compare "$SCRATCH/one.nc" "$SCRATCH/many.nc"
# More ranks than packs.
expect 0 $MPIRUN -n 5 "$LMDEPTH" run "$SCRATCH/job.yaml" --set prompts.limit=1 \
    -o "$SCRATCH/few.nc" --threads 1
# One that fails: once said, the documented exit code, no hang.
expect 3 timeout 60 $MPIRUN -n 3 "$LMDEPTH" run "$SCRATCH/job.yaml" --fresh \
    --set model.tokenizer="$SCRATCH/job.yaml" -o "$SCRATCH/no.nc"
same 1 "$(grep -c 'lmdepth: error' "$SCRATCH/err")"
expect 2 timeout 60 $MPIRUN -n 3 "$LMDEPTH" run "$SCRATCH/job.yaml" --set prompts.length=500
same 1 "$(grep -c 'lmdepth: error' "$SCRATCH/err")"
exit 0
