# shellcheck shell=sh
# What the tests that stop and kill ranks share: sourced, not run.

# ranks_of PATTERN: processes of lmdepth whose command line holds it, and that were started in this
# folder: the same test may run elsewhere.
ranks_of() {
    pgrep -f "lmdepth run .*$1" | while read -r one; do
        [ "$(cat "/proc/$one/comm" 2>/dev/null)" = lmdepth ] &&
            [ "$(readlink "/proc/$one/cwd")" = "$(pwd -P)" ] && echo "$one"
    done
}

# rank_of PATTERN RANK: the one of these that has this rank.
rank_of() {
    for one in $(ranks_of "$1"); do
        tr '\0' '\n' <"/proc/$one/environ" 2>/dev/null | grep -qx "OMPI_COMM_WORLD_RANK=$2" &&
            echo "$one"
    done
}

# kill_ranks PATTERN: all of them, until there are none.
kill_ranks() {
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        left=$(ranks_of "$1")
        [ -z "$left" ] && break
        # shellcheck disable=SC2086 # a list
        kill -9 $left 2>/dev/null
        sleep 0.1
    done
}

is_running() { # PID: there, and no zombie
    case $(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) in '' | Z* | X*) return 1 ;; esac
}

# wait_for LAUNCHER PATTERN: its exit status in $got. mpirun of Open MPI 4.1 can wait for itself
# for ever (a lock in PMIx_server_finalize) when a rank is killed while it connects: one that has
# no ranks any more for 20 s is ended, and counted in $hung.
hung=0
wait_for() {
    tries=0
    while is_running "$1" && [ "$tries" -lt 100 ]; do
        [ -n "$(ranks_of "$2")" ] && tries=0
        tries=$((tries + 1))
        sleep 0.2
    done
    if is_running "$1"; then
        kill -9 "$1"
        hung=$((hung + 1))
    fi
    wait "$1" 2>/dev/null
    # shellcheck disable=SC2034 # for the caller
    got=$?
}
