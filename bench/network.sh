#!/bin/bash
# network.sh [--rate 1gbit] [--delay 1ms] [--ranks "1 2 4"] [--program FILE] [--mpirun FILE] [-- OPTION...]: how a training
# scales over a network, measured on one machine. Needs root, ip and tc (iproute2), and MPICH.
#
# Each rank gets a network namespace of its own with one interface, limited by tc: what leaves it has the rate (a token
# bucket). --delay adds a round trip, for which the kernel must have netem. All are on one bridge, as machines on a switch. The ranks share this machine's processors
# though: with fewer processors than ranks computing does not get faster, and what the table then shows is the cost of
# the exchange alone. Each rank computes with one thread.
#
# OPTION... go to gradus train; by default digits, resnet20, 2 epochs, 8 shards. Prints a line for each number of ranks, with
# overlap and without: images a second of training, and how many times as many as one rank.
set -eu

rate=1gbit
delay=
ranks="1 2 4"
root=$(cd "$(dirname "$0")/.." && pwd)
program=$root/build/release/tests/gradus_app_mpich
mpirun=mpirun.mpich
while [ $# != 0 ]; do
  case "$1" in
    --rate) rate=$2 ;;
    --delay) delay=$2 ;;
    --ranks) ranks=$2 ;;
    --program) program=$2 ;;
    --mpirun) mpirun=$2 ;;
    --) shift; break ;;
    *) echo "network.sh: unknown option '$1'; the head of this file lists them" >&2; exit 2 ;;
  esac
  shift 2
done
[ $# != 0 ] || set -- --data digits --model resnet20 --epochs 2 --batch-size 64 --shards 8
[ "$(id -u)" = 0 ] || { echo "network.sh: namespaces and tc need root" >&2; exit 2; }
for tool in ip tc "$mpirun" "$program"; do
  command -v "$tool" >/dev/null || { echo "network.sh: there is no $tool" >&2; exit 2; }
done

# A name of its own, so that two of these do not meet.
name=gr$$
out=$(mktemp -d)
most=0
for n in $ranks; do [ "$n" -le "$most" ] || most=$n; done

clean_up() {
  for ((i = 0; i < most; ++i)); do ip netns delete "$name.$i" 2>/dev/null || true; done
  ip netns delete "$name.s" 2>/dev/null || true
  rm -rf "$out"
}
trap clean_up EXIT

half_delay=
[ -z "$delay" ] || half_delay=$(awk -v delay="$delay" 'BEGIN {
  unit = delay; sub(/^[0-9.]*/, "", unit); print (delay + 0) / 2 unit
}')
# The switch is a namespace too: nothing of this machine's own network is touched.
ip netns add "$name.s"
ip -n "$name.s" link add bridge type bridge
ip -n "$name.s" link set bridge up
for ((i = 0; i < most; ++i)); do
  ip netns add "$name.$i"
  ip link add "v$i" netns "$name.$i" type veth peer name "p$i" netns "$name.s"
  ip -n "$name.$i" link set "v$i" name eth0
  ip -n "$name.$i" addr add "10.77.0.$((i + 1))/24" dev eth0
  ip -n "$name.$i" link set lo up
  ip -n "$name.$i" link set eth0 up
  ip -n "$name.s" link set "p$i" master bridge
  ip -n "$name.s" link set "p$i" up
  # A round trip passes two ports of the switch.
  ip netns exec "$name.$i" tc qdisc add dev eth0 root tbf rate "$rate" burst 64kb latency 200ms
  [ -z "$delay" ] || ip netns exec "$name.s" tc qdisc add dev "p$i" root netem delay "$half_delay" limit 100000 || {
    echo "network.sh: this kernel has no netem (CONFIG_NET_SCH_NETEM); leave out --delay" >&2
    exit 2
  }
done

# What gradus prints of a training with --json, in images a second.
speed() {
  sed -n 's/.*"images_per_second": *\([0-9.]*\).*/\1/p' "$1" | tail -n 1
}

# train RANKS OPTION...: mpirun starts the ranks here, each in its namespace; MPI speaks TCP only.
train() {
  local count=$1 failed=0
  shift
  local command=()
  for ((i = 0; i < count; ++i)); do
    [ "$i" = 0 ] || command+=(:)
    command+=(-n 1 ip netns exec "$name.$i" "$program" train "${options[@]}" "$@"
              --threads 1 --quiet --json --overwrite --out "$out/run" --distributed)
  done
  UCX_TLS=tcp UCX_NET_DEVICES=eth0 MPIR_CVAR_NOLOCAL=1 "$mpirun" "${command[@]}" >"$out/result" 2>"$out/log" || failed=$?
  # What mpirun says after the result tells nothing: over TCP MPICH 4.0.2 may hang, or lose a connection, when all is done.
  if [ "$failed" != 0 ] && [ -z "$(speed "$out/result")" ]; then
    echo "network.sh: $count ranks failed, exit code $failed:" >&2
    cat "$out/log" >&2
    exit 1
  fi
  speed "$out/result"
}

options=("$@")
echo "gradus train ${options[*]}; $rate${delay:+, round trip $delay}, $(nproc) processors"
echo "ranks  overlap  images/s  speed-up"
alone=
for n in $ranks; do
  for overlap in yes no; do
    [ "$n" != 1 ] || [ "$overlap" = yes ] || continue
    if [ "$overlap" = yes ]; then found=$(train "$n"); else found=$(train "$n" --no-overlap); fi
    alone=${alone:-$found}
    awk -v n="$n" -v overlap="$overlap" -v found="$found" -v alone="$alone" \
      'BEGIN { printf "%5d  %7s  %8.0f  %8.2f\n", n, overlap, found, found / alone }'
  done
done
