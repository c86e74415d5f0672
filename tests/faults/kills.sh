#!/bin/sh
# Kills runs of a job until so many kills have hit, then lets it finish and compares.
# Usage: kills.sh KILLS JOB.yaml WHOLE.nc
# Who is killed (one rank, all ranks, mpirun), when, and with how many ranks the next attempt
# begins, is drawn from a fixed sequence, so a failure can be tried again: SEED=<number>.
set -u
kills=$1 job=$2 whole=$3
BUILD=${BUILD:-build}
MPIRUN=${MPIRUN:-mpirun}
state=${SEED:-1}
. tests/faults/ranks.sh
folder=$(mktemp -d "$BUILD/tests/kills.XXXXXX") || exit 1
trap 'rm -rf "$folder"' EXIT
out="$folder/out.nc"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1

# draw N: a number from 0 to N - 1 in $drawn (Park and Miller 1988).
draw() {
    state=$((state * 16807 % 2147483647))
    drawn=$((state / 7 % $1))
}

hit=0 attempts=0 finished=0
while [ "$hit" -lt "$kills" ]; do
    draw 4
    case $drawn in 0) n=1 ;; 1) n=2 ;; 2) n=3 ;; *) n=5 ;; esac
    attempts=$((attempts + 1))
    # shellcheck disable=SC2086 # MPIRUN may hold options
    $MPIRUN -n "$n" "$BUILD/lmdepth" run "$job" -o "$out" --threads 1 --snapshot-every 0.1s \
        >"$folder/log" 2>&1 </dev/null &
    launcher=$!
    draw 28
    sleep "$((drawn / 10)).$((drawn % 10))"
    victims=$(ranks_of "$out")
    draw 4
    if [ -n "$victims" ] && is_running "$launcher"; then
        case $drawn in
            0) chosen=$launcher ;;
            1) chosen=$victims ;;
            *)
                draw "$(echo "$victims" | wc -l)"
                chosen=$(echo "$victims" | sed -n "$((drawn + 1))p")
                ;;
        esac
        # shellcheck disable=SC2086 # a list
        kill -9 $chosen 2>/dev/null
        hit=$((hit + 1))
    fi
    wait_for "$launcher" "$out"
    # What mpirun leaves behind when it is killed itself ends by itself, or is ended here.
    kill_ranks "$out"
    if [ -f "$out" ]; then
        "$BUILD/lmdepth" compare "$whole" "$out" || { echo "different after $hit kills (SEED=${SEED:-1})"; exit 1; }
        finished=$((finished + 1))
        rm -f "$out"
    fi
done
"$BUILD/lmdepth" run "$job" -o "$out" --threads 1 >"$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
"$BUILD/lmdepth" compare "$whole" "$out" || exit 1
[ ! -e "$out.work" ] || { echo "the work folder stayed"; exit 1; }
rm "$out"
left=$(find "$folder" -name 'out*')
[ -z "$left" ] || { echo "left over: $left"; exit 1; }
echo "kills: $hit in $attempts attempts, $((finished + 1)) results, all equal; mpirun hung $hung times"
