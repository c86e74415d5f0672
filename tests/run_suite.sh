#!/bin/sh
# Runs the programs of one suite and prints a line for each and a closing line.
# Usage: run_suite.sh NAME PROGRAM...
# A program fails by its exit status; 77 means that it was skipped. Lines of its output that
# begin with "skipped:" are shown. MPI programs run on 1, 2, 3 and 5 ranks.
set -u
suite=$1
shift
logs="$BUILD/tests/logs/$suite"
mkdir -p "$logs"
passed=0 failed=0 skipped=0

# Runs "$@", keeps what it prints in $log, sets $status.
run() {
    "$@" >"$log" 2>&1 </dev/null
    status=$?
}

judge() {
    skips=$(grep -c '^skipped:' "$log")
    if [ "$status" -eq 77 ]; then
        [ "$skips" -gt 0 ] || skips=1
    elif [ "$status" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $1 (exit $status), $log:"
        tail -n 40 "$log" | sed 's/^/    /'
    fi
    skipped=$((skipped + skips))
    grep '^skipped:' "$log" | sed "s|^|$1: |"
}

for program in "$@"; do
    name=$(basename "$program")
    if [ "$suite" = mpi ]; then
        for ranks in 1 2 3 5; do
            log="$logs/$name.$ranks.log"
            # shellcheck disable=SC2086 # MPIRUN may hold options
            run $MPIRUN -n "$ranks" "$program"
            judge "$name on $ranks ranks"
        done
    else
        log="$logs/$name.log"
        run "$program"
        judge "$name"
    fi
done
closing="$suite: $passed passed, $failed failed, $skipped skipped"
echo "$closing" | tee "$BUILD/test-$suite.closing"
[ "$failed" -eq 0 ]
