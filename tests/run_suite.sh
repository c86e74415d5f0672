#!/bin/sh
# Runs the programs of one suite and prints a line for each failure and a closing line.
# Usage: run_suite.sh NAME PROGRAM...
# A program fails by its exit status; 77 means that it was skipped. Lines of its output that
# begin with "skipped:" are shown. MPI programs run on 1, 2, 3 and 5 ranks. JOBS=2 runs two
# programs at a time: they have folders of their own.
set -u
suite=$1
shift
logs="$BUILD/tests/logs/$suite"
mkdir -p "$logs"
passed=0 failed=0 skipped=0

# judge NAME STATUS LOG
judge() {
    skips=$(grep -c '^skipped:' "$3")
    if [ "$2" -eq 77 ]; then
        [ "$skips" -gt 0 ] || skips=1
    elif [ "$2" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $1 (exit $2), $3:"
        tail -n 40 "$3" | sed 's/^/    /'
    fi
    skipped=$((skipped + skips))
    grep '^skipped:' "$3" | sed "s|^|$1: |"
}

# What xargs gives a program to: keeps what it prints, and its status.
# shellcheck disable=SC2016 # expanded by that shell
keep='log="$0/${1##*/}.log"; "$1" >"$log" 2>&1 </dev/null; echo $? >"$log.status"'

if [ "$suite" = mpi ]; then
    for program in "$@"; do
        for ranks in 1 2 3 5; do
            log="$logs/${program##*/}.$ranks.log"
            # shellcheck disable=SC2086 # MPIRUN may hold options
            $MPIRUN -n "$ranks" "$program" >"$log" 2>&1 </dev/null
            judge "${program##*/} on $ranks ranks" $? "$log"
        done
    done
else
    rm -f "$logs"/*.status
    [ $# -eq 0 ] || printf '%s\n' "$@" | xargs -d '\n' -n 1 -P "${JOBS:-1}" sh -c "$keep" "$logs"
    for program in "$@"; do
        log="$logs/${program##*/}.log"
        # None: the shell that ran it was killed.
        judge "${program##*/}" "$(cat "$log.status" 2>/dev/null || echo 1)" "$log"
    done
fi
closing="$suite: $passed passed, $failed failed, $skipped skipped"
echo "$closing" | tee "$BUILD/test-$suite.closing"
[ "$failed" -eq 0 ]
