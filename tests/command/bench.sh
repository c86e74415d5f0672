#!/bin/sh
# bench: what it prints is complete and possible. Nothing here depends on speed.
. tests/lib.sh

json() { # json EXPRESSION: true of `o`, the JSON on the last command's output
    "$PYTHON" -c "import json, sys; o = json.load(open(sys.argv[1])); assert ($1), o" \
        "$SCRATCH/out" || fail "not $1"
}
bench() { # bench CODE OPTION...: with an own folder for temporary files, which must stay empty
    code=$1
    shift
    rm -rf "$SCRATCH/tmp"
    mkdir "$SCRATCH/tmp"
    expect "$code" env TMPDIR="$SCRATCH/tmp" "$LMDEPTH" bench "$@"
    rmdir "$SCRATCH/tmp" || fail "files left behind by: $command_line"
}

expect 0 "$LMDEPTH" bench --help
prints "Usage: lmdepth bench" "--shape" "--quick" "--job" "--repeat" "smollm2-135m"
bench 0 --quick --shape tiny --threads 1,2,5 --repeat 3 --json
json 'set(o) == {"machine", "peak", "decode", "forward"}'
json 'o["machine"]["processor"] and o["machine"]["processors"] >= 1 and o["peak"]["f32"] > 0'
json '{p: k.split(";")[0] for p, k in o["machine"]["kernels"].items()} == {"f32": "f32", "bf16": "bf16"}'
json 'o["peak"]["bf16"] is None or o["peak"]["bf16"] > 0'
json 'len(o["decode"]) >= 6 and {(r["stored"], r["threads"]) for r in o["decode"]} ==
     {(s, t) for s in ("f32", "bf16") for t in (1, 2, 5)}'
json 'len(o["forward"]) == len(o["decode"])'
json 'all(r["shape"] == "tiny" and r["d"] == 48 and r["vocab"] == 500 and r["states"] == 3
     and r["kernel"] and r["precision"] in ("f32", "bf16") for r in o["decode"])'
json 'all(r["rows_per_s"] > 0 for r in o["decode"]) and
     all(r["tokens_per_s"] > 0 and r["tokens"] == 64 for r in o["forward"])'
json 'all(0 < r["of_peak_least"] <= r["of_peak"] <= r["of_peak_greatest"] and r["gflops"] > 0
     and r["on_cpu"] > 0 for r in o["decode"] + o["forward"])'
# Three states of 14 tokens: the head (500 rows, filled up to 512, of 48 channels) for the last
# state and for the others, the last state's logits written, read for it and for the others.
json 'all(abs(r["bytes_per_row"] * 42 / (2 * 512 * 48 * (2 if r["stored"] == "bf16" else 4)
     + 3 * 14 * 500 * 4) - 1) < 1e-5 for r in o["decode"])'
# rows/s and GFLOP/s are of the same time: 2 d V operations a row.
json 'all(abs(r["gflops"] * 1e9 / r["rows_per_s"] / 48000 - 1) < 1e-3 for r in o["decode"])'
bench 0 --shape tiny --threads 1 --repeat 1
prints "machine" "peak" "decode" "forward" "rows/s" "tokens/s" "tiny            2048"

# Tokens are those that go through the model: of a long record whose last position alone is
# observed, its last pack's.
"$PYTHON" -c 'print("word " * 400)' >"$SCRATCH/long.txt"
write_job last <<JOB
corpus: {path: long.txt}
prompts: {length: 32}
observe: {positions: last}
run: {pack_tokens: 64}
JOB
expect 0 "$LMDEPTH" bench --job "$SCRATCH/last.yaml" --json
json 'o["job"]["packs"] > 10 and 0 < o["job"]["tokens"] <= 64'

# A job: its counters are thrown away, and nothing stays.
for i in 1 2 3 4 5 6 7 8 9; do
    printf 'The text of record %s, and a little more.\n\n' "$i"
done >"$SCRATCH/text.txt"
write_job job <<JOB
corpus: {path: text.txt}
prompts: {length: 32}
run: {pack_tokens: 64}
JOB
expect 0 "$LMDEPTH" bench --job "$SCRATCH/job.yaml" --json
json 'set(o) == {"machine", "peak", "decode", "forward", "job"} and o["decode"] == []'
json 'o["job"]["ranks"] == 1 and o["job"]["packs"] > 3 and o["job"]["tokens"] > 300'
json 'o["job"]["tokens_per_s"] > 0 and o["job"]["of_peak"] > 0'
json '{"forward", "lens", "metric", "wait", "other"} <= set(o["job"]["seconds"])'
json 'all(o["job"]["seconds"][key] > 0 for key in ("all", "forward", "lens"))'
packs=$("$PYTHON" -c 'import json, sys; print(json.load(open(sys.argv[1]))["job"]["packs"])' \
    "$SCRATCH/out")
expect 0 $MPIRUN -n 2 "$LMDEPTH" bench --job "$SCRATCH/job.yaml" --threads 2 --repeat 3 --json
json 'o["job"]["ranks"] == 2 and o["job"]["threads"] == 2 and o["job"]["repeats"] == 3'
json "o['job']['packs'] == $packs"
json 'o["job"]["of_peak_least"] <= o["job"]["of_peak"] <= o["job"]["of_peak_greatest"]'
expect 0 "$LMDEPTH" bench --job "$SCRATCH/job.yaml" --shape tiny --quick --set prompts.sample=0.5
prints "decode" "forward" "job" "tokens in" "1 repetition)" "lens"
for file in job.nc job.nc.work job.nc.bench.work; do
    [ ! -e "$SCRATCH/$file" ] || fail "$file is left"
done
# A result of the job is neither in the way nor touched.
echo "kept" >"$SCRATCH/job.nc"
expect 0 "$LMDEPTH" bench --job "$SCRATCH/job.yaml"
same kept "$(cat "$SCRATCH/job.nc")"

# Usage.
expect 2 "$LMDEPTH" bench --shape nothing
says "nothing" "smollm2-135m"
expect 2 "$LMDEPTH" bench --threads 0
expect 2 "$LMDEPTH" bench --threads 1,
says "1,"
expect 2 "$LMDEPTH" bench --repeat 0
expect 2 "$LMDEPTH" bench "$SCRATCH/job.yaml"
says "--job"
expect 2 "$LMDEPTH" bench --set a=b
says "--job"
expect 2 "$LMDEPTH" bench --job "$SCRATCH/job.yaml" --threads 1,2
expect 2 "$LMDEPTH" bench --job "$SCRATCH/no-such.yaml"
says "no-such.yaml"
printf '' >"$SCRATCH/text.txt"
expect 3 "$LMDEPTH" bench --job "$SCRATCH/job.yaml"
[ ! -e "$SCRATCH/job.nc.bench.work" ] || fail "job.nc.bench.work is left"
expect 4 env TMPDIR="$SCRATCH/none" "$LMDEPTH" bench --quick --shape tiny
says "$SCRATCH/none"
exit 0
