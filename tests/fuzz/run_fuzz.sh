#!/bin/sh
# Runs fuzz targets one after the other and prints a closing line for each; exit 1 when one of
# them found something. What was found lies in $BUILD/findings, the inputs that reach new code
# in $BUILD/corpus: both are taken up by the next run.
# Usage: BUILD=folder run_fuzz.sh [TARGET...]     (all, when none is named)
# FUZZ_SECONDS (default 600) is the time of each target.
set -u
seconds=${FUZZ_SECONDS:-600}
here=$(dirname "$0")
mkdir -p "$BUILD/findings" "$BUILD/fuzz-logs"
TMPDIR=$(mktemp -d /dev/shm/lmdepth-fuzz-XXXXXX) || exit 1
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
trap 'exit 1' INT TERM

# Quadratic work shows as a timeout: a sound reader needs milliseconds for the largest input.
limits="-max_len=65536 -timeout=20 -rss_limit_mb=2048"

# What one allocation may take. A zstd frame may ask for a window of 2 GiB, which we grant
# (SECURITY.md).
largest_of() {
    case $1 in
        corpus | frequency) echo 2100 ;;
        *) echo 512 ;;
    esac
}

number_of() {
    sed -n "s/^stat::$1: *//p" "$log"
}

# Sets cpu: seconds of all children so far. On a busy machine much less than FUZZ_SECONDS.
take_processor_time() {
    times >"$TMPDIR/times" # in this shell, whose children count
    cpu=$(awk 'NR == 2 { gsub(/[ms]/, " "); print int($1 * 60 + $2 + $3 * 60 + $4) }' \
        "$TMPDIR/times")
}

fuzz() {
    take_processor_time
    before=$cpu
    log="$BUILD/fuzz-logs/$1.log"
    mkdir -p "$BUILD/corpus/$1"
    # shellcheck disable=SC2086 # limits are words
    "$BUILD/tests/fuzz/fuzz_$1" $limits -malloc_limit_mb="$(largest_of "$1")" \
        -max_total_time="$seconds" -print_final_stats=1 \
        -close_fd_mask=3 -artifact_prefix="$BUILD/findings/$1-" \
        -dict="$BUILD/seeds/$1.dict" "$BUILD/corpus/$1" "$BUILD/seeds/$1" \
        >"$log" 2>&1 </dev/null
    status=$?
    edges=$(sed -n 's/.* cov: \([0-9]*\).*/\1/p' "$log" | tail -n 1)
    finding=none
    if [ "$status" -ne 0 ]; then
        finding=$(sed -n 's/.*\(SUMMARY.*\)/\1/p' "$log" | tail -n 1)
        failed=1
    fi
    take_processor_time
    echo "fuzz $1: $(number_of number_of_executed_units) runs in $((cpu - before)) s of" \
        "processor time, ${edges:-?} edges, finding: ${finding:-exit $status}"
}

failed=0
/usr/bin/python3 "$here/make_seeds.py" "$BUILD/seeds" >/dev/null || exit 1
if [ $# -eq 0 ]; then
    for program in "$here"/fuzz_*.c; do
        name=$(basename "$program" .c)
        [ "$name" = fuzz_input ] || set -- "$@" "${name#fuzz_}"
    done
fi
for target in "$@"; do
    fuzz "$target"
done
exit "$failed"
