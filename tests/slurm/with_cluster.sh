#!/bin/sh
# Runs a command beside a Slurm of its own: munge, slurmctld and two virtual nodes of this machine,
# with own ports, key, sockets and folders, so that it disturbs no other Slurm and no other run.
# Usage: with_cluster.sh COMMAND...
# The command finds the cluster by SLURM_CONF. Where it can't be started, it finds the reason in
# SLURM_MISSING instead. Needs no rights beyond those of the user: Slurm then runs as that user.
# shellcheck disable=SC2317 # functions are called by trap, and by name
set -u
export BUILD="${BUILD:-build}"
PYTHON=${PYTHON:-/usr/bin/python3}
PATH=$PATH:/usr/sbin:/sbin
START_SECONDS=30
LONGEST_FOLDER=60 # paths of sockets in it end at 108 bytes
nodes="n1 n2"
processes="" command=""

# Slurm's configuration knows no spaces.
mkdir -p "$BUILD/tests"
folder=$(cd "$BUILD/tests" && pwd)/slurm
case $folder in *[[:space:]]*) folder=${TMPDIR:-/tmp}/lmdepth-slurm ;; esac
[ ${#folder} -le $((LONGEST_FOLDER - 7)) ] || folder=/tmp/lmdepth-slurm
folder=$(mktemp -d "$folder.XXXXXX") || exit 1

# The command, then jobs, whose steps would outlive the daemons.
stop_all() {
    trap '' INT TERM HUP
    [ -z "$command" ] || kill -- "-$command" 2>/dev/null
    if [ -n "$processes" ]; then
        SLURM_CONF=$folder/slurm.conf scancel --quiet --user="$(id -un)" 2>/dev/null
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            [ -z "$(SLURM_CONF=$folder/slurm.conf timeout 5 squeue -h 2>/dev/null)" ] && break
            sleep 1
        done
        # shellcheck disable=SC2086 # a list
        kill $processes 2>/dev/null
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            # shellcheck disable=SC2086
            kill -0 $processes 2>/dev/null || break
            sleep 0.5
        done
        # shellcheck disable=SC2086
        kill -9 $processes 2>/dev/null
        wait
    fi
    rm -rf "$folder"
}
trap stop_all EXIT
trap 'exit 130' INT TERM HUP

# start NAME COMMAND...: a daemon in the foreground of its own log; it ends when we are killed.
start() {
    log="$folder/log/$1"
    shift
    setpriv --pdeathsig TERM "$@" >"$log.out" 2>&1 </dev/null &
    processes="$! $processes"
}

free_ports() {
    "$PYTHON" - "$1" <<'PYTHON'
import socket
import sys

sockets = [socket.socket() for _ in range(int(sys.argv[1]))]
for one in sockets:
    one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in sockets))
PYTHON
}

# More processors than there may be, for two ranks on each of two nodes; a requeued job begins again
# after cred_expire seconds. Two nodes of one host need their own TmpFS for PMIx's sockets.
write_configuration() {
    host=$(uname -n)
    # shellcheck disable=SC2046 # three words
    set -- $(free_ports 3)
    [ $# -eq 3 ] || return 1
    cat >"$folder/slurm.conf" <<CONF
ClusterName=lmdepth
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$1
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool/%n
TmpFS=$folder/tmp/%n
SlurmctldDebug=debug2
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.%n.pid
SlurmctldLogFile=$folder/log/slurmctld
SlurmdLogFile=$folder/log/slurmd.%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=2,bf_interval=2
ReturnToService=2
JobRequeue=1
KillWait=10
MinJobAge=600
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$2 CPUs=8
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$3 CPUs=8
PartitionName=test Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
CONF
}

# try NAME COMMAND...: until it succeeds; false, with the end of a daemon's log in $missing, when it
# does not in time.
try() {
    daemon=$1
    shift
    tries=$((START_SECONDS * 2))
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        if [ "$tries" -eq 0 ]; then
            missing="$daemon does not answer: $(cat "$folder/log/$daemon"* 2>/dev/null | tail -n 3 | tr '\n' ' ')"
            return 1
        fi
        sleep 0.5
    done
}

munge_answers() {
    munge --socket="$folder/munge/socket" -n | unmunge --socket="$folder/munge/socket"
}

nodes_are_idle() {
    [ "$(sinfo -h -N -o %T | grep -c '^idle$')" -eq 2 ]
}

start_cluster() {
    for program in munged slurmctld slurmd sbatch srun setpriv; do
        command -v $program >/dev/null 2>&1 || { missing="$program is not installed"; return 1; }
    done
    mkdir "$folder/log" "$folder/munge" "$folder/state" "$folder/spool" "$folder/tmp"
    for node in $nodes; do mkdir "$folder/spool/$node" "$folder/tmp/$node"; done
    chmod 755 "$folder" "$folder/munge"
    head -c 1024 /dev/urandom >"$folder/munge/key"
    chmod 600 "$folder/munge/key"
    write_configuration || { missing="no free ports"; return 1; }

    start munged munged --foreground --force --socket="$folder/munge/socket" \
        --key-file="$folder/munge/key" --pid-file="$folder/munge/pid" --seed-file="$folder/munge/seed"
    try munged munge_answers || return 1
    export SLURM_CONF="$folder/slurm.conf"
    start slurmctld slurmctld -D -f "$SLURM_CONF"
    try slurmctld scontrol ping || return 1
    for node in $nodes; do start "slurmd.$node" slurmd -D -N $node -f "$SLURM_CONF"; done
    try slurmd nodes_are_idle
}

missing=""
if ! start_cluster; then
    unset SLURM_CONF
    export SLURM_MISSING="no Slurm can be started here: $missing"
fi
# In a group of its own, so that all of it ends when we are told to.
setsid "$@" </dev/null &
command=$!
status=0
wait "$command" || status=$?
command=""
exit $status
