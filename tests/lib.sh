# shellcheck shell=sh disable=SC2034
# What the command tests share: sourced, not run. A test ends with exit status 1 at its first
# false statement and says which.

BUILD=${BUILD:-build}
MPIRUN=${MPIRUN:-mpirun}
# Relative paths throughout: the tests also run in a folder with spaces in its name.
LMDEPTH="$BUILD/lmdepth"
TEST_NAME=$(basename "$0" .sh)
SCRATCH="$BUILD/tests/scratch/$TEST_NAME"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
# Digests of the tests' files are not for the user's cache.
export LMDEPTH_CACHE=off
export OMPI_MCA_rmaps_base_oversubscribe=1
rm -rf "$SCRATCH"
mkdir -p "$SCRATCH"

fail() {
    echo "$TEST_NAME: $*"
    for stream in out err; do
        [ -s "$SCRATCH/$stream" ] && sed "s/^/    $stream: /" "$SCRATCH/$stream" | tail -n 15
    done
    exit 1
}

# expect CODE COMMAND...: runs it, keeps out and err, holds its exit status.
expect() {
    wanted=$1
    shift
    command_line="$*"
    "$@" >"$SCRATCH/out" 2>"$SCRATCH/err" </dev/null
    got=$?
    [ "$got" -eq "$wanted" ] || fail "exit $got instead of $wanted: $command_line"
}

# says TEXT...: standard error of the last command holds each of them.
says() {
    for text in "$@"; do
        grep -qF -e "$text" "$SCRATCH/err" || fail "no '$text' in the message of: $command_line"
    done
}

# prints TEXT...: the same of standard output.
prints() {
    for text in "$@"; do
        grep -qF -e "$text" "$SCRATCH/out" || fail "no '$text' in the output of: $command_line"
    done
}

# same A B: two texts are equal.
same() {
    [ "$1" = "$2" ] || fail "'$1' is not '$2'"
}

# A tiny model with a tokenizer, made once for all tests.
PYTHON=${PYTHON:-/usr/bin/python3}
TINY="$BUILD/tests/tiny"
TINY_FROM_JOB="../../tiny" # from a job file in $SCRATCH
(
    flock 9
    [ -f "$TINY/tokenizer_config.json" ] || "$PYTHON" tests/python/make_tiny_model.py "$TINY"
) 9>"$TINY.lock" || fail "no tiny model"

# write_job NAME: a job on the tiny model over $SCRATCH/text.txt; lines of standard input follow
# the sections `model` and `output` that are written here.
write_job() {
    {
        echo "model: {path: $TINY_FROM_JOB}"
        echo "output: $1.nc"
        cat
    } >"$SCRATCH/$1.yaml"
}

# value FILE VARIABLE: all values of a variable, separated by single spaces.
value() {
    ncdump -v "$2" "$1" | awk -v name="$2" '
        $1 == "data:" { in_data = 1 }
        in_data && $1 == name && $2 == "=" { on = 1; sub(/^[^=]*= */, "") }
        in_data && on { line = line " " $0; if (/;/) { on = 0 } }
        END { gsub(/[,;]/, " ", line); $0 = line; $1 = $1; print }'
}
