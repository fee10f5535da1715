#!/usr/bin/env bash
# One Slurm allocation, one Ray over its nodes, one command in it:
#
#   sbatch --nodes 2 --ntasks-per-node 1 --cpus-per-task 16 workflow/ray.sh frl train SCENARIO.yaml ... --engine ray
#
# Ray listens on the nodes' own addresses, and asks for a token that this job alone knows. Ports: RAY_PORT (default 6379)
# for the head, and from RAY_PORTS (default 20000) on a thousand a node.
set -euo pipefail
token=$(python3 -c 'import secrets; print(secrets.token_hex(32))')
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN=$token RAY_USAGE_STATS_ENABLED=0
export RAY_ADDRESS=$(hostname -I | cut -d ' ' -f 1):${RAY_PORT:-6379} # this script runs on the first node

join_ray() {
  local first=$((${RAY_PORTS:-20000} + 1000 * SLURM_NODEID)) what=(--address "$RAY_ADDRESS")
  [ "$SLURM_NODEID" -ne 0 ] || what=(--head --node-ip-address "${RAY_ADDRESS%:*}" --port "${RAY_ADDRESS#*:}" --include-dashboard false)
  until env -u RAY_ADDRESS ray start "${what[@]}" --node-manager-port $((first)) --object-manager-port $((first + 1)) \
    --runtime-env-agent-port $((first + 2)) --metrics-export-port $((first + 3)) --dashboard-agent-grpc-port $((first + 4)) \
    --dashboard-agent-listen-port $((first + 5)) --min-worker-port $((first + 10)) --max-worker-port $((first + 999)) \
    --disable-usage-stats --block; do sleep 2; done # the head may not be there yet
}

srun --overlap --ntasks-per-node 1 bash -c "$(declare -f join_ray); join_ray" &
nodes=$!
trap 'kill $nodes; wait $nodes || true' EXIT
python3 - "$SLURM_NNODES" << 'PYTHON'
import os, sys, time, ray
for _ in range(120):
    try:
        ray.init(os.environ["RAY_ADDRESS"], logging_level="error", log_to_driver=False)
        break
    except ConnectionError:
        time.sleep(1)
while len([node for node in ray.nodes() if node["Alive"]]) < int(sys.argv[1]):
    time.sleep(1)
PYTHON
"$@"
