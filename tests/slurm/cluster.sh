#!/usr/bin/env bash
# A throw-away Slurm cluster on this machine's loopback: no systemd, nothing outside one folder.
#
#   cluster.sh up DIR [NODES] [CPUS]    start; Slurm's commands for it are then in DIR/bin
#   cluster.sh kill DIR NODE            what a power failure does to a node: its daemon and all its jobs are gone
#   cluster.sh start DIR NODE           the node comes back
#   cluster.sh down DIR                 stop the daemons that it started, by their process ids
#
# Needs Debian's slurm-wlm (apt-get install -y --no-install-recommends slurm-wlm), as root. Several may be up at once: each
# takes its ports from its process's number, below those that the system gives away.
set -euo pipefail
command=${1:?up, kill, start or down} dir=$(realpath -m "${2:?a folder}")
export SLURM_CONF=$dir/slurm.conf PATH=$PATH:/usr/sbin

wait_for() { # SECONDS COMMAND...
  local tries=$(($1 * 10)); shift
  for _ in $(seq "$tries"); do "$@" > /dev/null 2>&1 && return; sleep 0.1; done
  echo "timed out: $*" >&2; tail -n 20 "$dir"/log/*.log >&2 || true; return 1
}

node() { # NAME: start its daemon
  slurmd -N "$1"
  wait_for 60 test -s "$dir/run/slurmd-$1.pid"
}

idle() { # COUNT: whether so many nodes are
  [ "$(sinfo -h -N -o %T | grep -cE '^(idle|mixed|allocated)$')" -eq "$1" ]
}

tree() { # PID: itself and all below it
  echo "$1"; for child in $(pgrep -P "$1"); do tree "$child"; done
}

ports() { # BASE NODES: the controller's and the daemons'
  echo "$1"; seq $(($1 + 11)) $(($1 + 10 + $2))
}

taken() { # whether something listens on one of the ports of the input
  local port
  while read -r port; do (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null && return; done; return 1
}

up() {
  local nodes=${1:-2} cpus=${2:-2} base=$((20000 + $$ % 300 * 40)) host; host=$(hostname -s)
  while taken < <(ports "$base" "$nodes"); do base=$((base < 31960 ? base + 40 : 20000)); done
  mkdir -p "$dir"/{bin,ctld,log,run,spool}; chmod 755 "$dir"
  {
    cat << CONF
ClusterName=throwaway
SlurmctldHost=$host(127.0.0.1)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
SlurmctldPort=$base
SlurmctldPidFile=$dir/run/slurmctld.pid
SlurmdPidFile=$dir/run/slurmd-%n.pid
StateSaveLocation=$dir/ctld
SlurmdSpoolDir=$dir/spool/%n
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd-%n.log
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=2
JobAcctGatherParams=OverMemoryKill
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
MinJobAge=300
KillWait=5
SlurmdTimeout=10
AccountingStorageType=accounting_storage/none
CONF
    for i in $(seq "$nodes"); do
      echo "NodeName=n$i NodeHostname=$host NodeAddr=127.0.0.1 Port=$((base + 10 + i)) CPUs=$cpus RealMemory=16000"
    done
    echo "PartitionName=main Nodes=ALL Default=YES MaxTime=1-00:00:00"
  } > "$SLURM_CONF"
  # Snakemake's job step drops SLURM_CONF from the environment, so the commands themselves say which cluster
  for tool in sbatch srun squeue scancel scontrol sinfo; do
    printf '#!/bin/sh\nSLURM_CONF=%q exec %q "$@"\n' "$SLURM_CONF" "$(type -P $tool)" > "$dir/bin/$tool"
  done
  chmod +x "$dir"/bin/*
  slurmctld -c
  wait_for 60 test -s "$dir/run/slurmctld.pid"
  for i in $(seq "$nodes"); do mkdir -p "$dir/spool/n$i"; node "n$i"; done
  wait_for 120 idle "$nodes"
}

stop() { # PID: gently, then not
  kill "$1" 2> /dev/null || return 0
  for _ in $(seq 50); do kill -0 "$1" 2> /dev/null || return 0; sleep 0.1; done
  kill -9 "$1" 2> /dev/null || true
}

case $command in
  up) up "${@:3}" ;;
  kill)
    daemon=$(cat "$dir/run/slurmd-$3.pid")
    # a job's slurmstepd is a child of init, named after its node's spool folder or after its job
    steps=$(pgrep -f "slurmstepd: \[" || true)
    victims=$daemon
    for step in $steps; do
      if grep -zq "SLURMD_NODENAME=$3" "/proc/$(pgrep -P "$step" | head -n 1)/environ" 2> /dev/null; then
        victims="$victims $(tree "$step" | tr '\n' ' ')"
      fi
    done
    # shellcheck disable=SC2086
    kill -9 $victims; rm -f "$dir/run/slurmd-$3.pid"
    echo "killed on $3: $victims" ;;
  start) node "$3" ;;
  down)
    scancel --user="$(id -un)" --state=PENDING,RUNNING 2> /dev/null || true
    sleep 1
    for file in "$dir"/run/slurmd-*.pid "$dir/run/slurmctld.pid"; do [ ! -s "$file" ] || stop "$(cat "$file")"; done ;;
  *) sed -n '2,10p' "$0"; exit 2 ;;
esac
