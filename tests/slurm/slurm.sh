# shellcheck shell=sh disable=SC2034
# What the tests under Slurm share: sourced, not run, by tests that with_cluster.sh starts.
. tests/lib.sh

if [ -z "${SLURM_CONF:-}" ]; then
    echo "skipped: ${SLURM_MISSING:-SLURM_CONF is not set (see tests/slurm/with_cluster.sh)}"
    exit 77
fi
PATH=$PATH:/usr/sbin:/sbin
# The shipped scripts' variables.
export LMDEPTH
export PLACEMENT="--bind-to none"
# Two nodes of one machine: Open MPI's files in shared memory would bear the same names.
export OMPI_MCA_btl=tcp,self OMPI_MCA_btl_tcp_if_include=lo OMPI_MCA_oob_tcp_if_include=lo
unset OMP_NUM_THREADS

LIMIT_SECONDS=240 # for everything that is waited for
jobs="" background=""
end_all() {
    # shellcheck disable=SC2086 # lists
    {
        [ -z "$background" ] || kill $background 2>/dev/null
        [ -z "$jobs" ] || scancel --quiet $jobs 2>/dev/null
    }
}
trap end_all EXIT
trap 'exit 130' INT TERM HUP

# submit LOG OPTION... SCRIPT ARGUMENT...: its number in $id. The sizes of the scripts are made for
# real nodes; these have one processor a rank.
submit() {
    log="$SCRATCH/$1"
    shift
    id=$(sbatch --parsable --output="$log" --cpus-per-task=1 --ntasks-per-node=1 --time=10 "$@" \
        2>"$SCRATCH/err") || fail "sbatch $*: $(cat "$SCRATCH/err")"
    jobs="$jobs $id"
}

# field ID NAME: of a job, a word for each task of an array.
field() {
    scontrol show job -o "$1" 2>"$SCRATCH/err" | sed -n "s/.* $2=\([^ ]*\).*/\1/p" | tr '\n' ' ' | sed 's/ $//'
}

# give_up WHAT: with all there is to know.
give_up() {
    echo "$TEST_NAME: $1"
    # shellcheck disable=SC2086 # a list
    for one in $jobs; do scontrol show job -o "$one" | grep -oE '(JobId|JobState|Reason|Restarts|RunTime|ExitCode)=[^ ]*' | tr '\n' ' '; echo; done
    tail -n 12 "$SCRATCH"/*.log
    exit 1
}

# await_that WHAT COMMAND...: until the command succeeds.
await_that() {
    what=$1
    shift
    tries=$((LIMIT_SECONDS * 5))
    until "$@"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || give_up "in $LIMIT_SECONDS s not seen: $what"
        sleep 0.2
    done
}

# Sets $states. When Slurm does not answer, nothing has ended; there are many passing states.
has_ended() {
    states=$(field "$1" JobState)
    [ -n "$states" ] || return 1
    for state in $states; do
        case $state in
            COMPLETED | CANCELLED | FAILED | TIMEOUT | NODE_FAIL | OUT_OF_MEMORY | BOOT_FAIL) ;;
            *) return 1 ;;
        esac
    done
}

# ends_as STATE ID...: waits for the end of each job and holds its state.
ends_as() {
    wanted=$1
    shift
    for one in "$@"; do
        await_that "the end of job $one" has_ended "$one"
        for state in $states; do
            [ "$state" = "$wanted" ] || give_up "job $one: $state instead of $wanted"
        done
    done
}

# tells LOG TEXT...: the log of a job holds each of them.
tells() {
    log="$SCRATCH/$1"
    shift
    for text in "$@"; do
        grep -qF -e "$text" "$log" || give_up "no '$text' in $log"
    done
}

# attribute FILE NAME
attribute() {
    ncdump -h "$1" | sed -n "s/.*:$2 = \"\(.*\)\" ;/\1/p"
}

# equal A B: under compare.
equal() {
    expect 0 "$LMDEPTH" compare "$1" "$2"
}

# has_saved ID WORK RANK...: each of the ranks has saved packs that it did itself. Gives up when
# the job ends before.
has_saved() {
    job_id=$1 work=$2
    shift 2
    for rank in "$@"; do
        ls "$work"/state.*."$rank" >/dev/null 2>&1 && continue
        has_ended "$job_id" && give_up "job $job_id has ended and rank $rank had saved nothing"
        return 1
    done
}

# write_text FILE TIMES: a text of so many times 8 kB.
write_text() {
    sed -n 1,70p tests/data/reference/prose.txt >"$SCRATCH/prose.txt"
    "$PYTHON" - "$SCRATCH/prose.txt" "$1" "$2" <<'PYTHON'
import pathlib
import sys

prose, text, times = sys.argv[1:]
pathlib.Path(text).write_bytes(pathlib.Path(prose).read_bytes() * int(times))
PYTHON
}
