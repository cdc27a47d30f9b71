#!/usr/bin/env bash
# One container through all three layers, on a Proxmox VE of this machine's own; every line is a
# command that you could type.
#
#     bash examples/layers.sh [--all] [--keep] [--guests lxc|memory] [--out DIR]
#
# --all             web, db and app, which answers with data from db; without it web alone
# --keep            leave node and container running, and say how to reach them
# --guests memory   containers without root and LXC: what happens inside them is skipped
# --out DIR         where report, journals and the copy of the fleet go (target/layers)
#
# PROXMOX_CI=FILE in the environment names a program that is built already.
set -euo pipefail
cd "$(dirname "$0")/.."
source examples/stage.sh

keep=no guests=lxc out=target/layers containers=(web)
while [ $# -gt 0 ]; do
  case $1 in
    --all) containers=(web db app) ;;
    --keep) keep=yes ;;
    --guests) guests=$2; shift ;;
    --out) out=$2; shift ;;
    *) echo "usage: $0 [--all] [--keep] [--guests lxc|memory] [--out DIR]" >&2; exit 64 ;;
  esac
  shift
done
if [ "$guests" = lxc ] && [ "$(id -u)" -ne 0 ]; then
  echo "error: real containers need root; --guests memory does not" >&2
  exit 77
fi

begin "$out" "$guests"
fleet=$PWD/$out/fleet

# 1. What is needed: packages, the program, a template.
step apt "packages" bash .ci/install
proxmox_ci=${PROXMOX_CI:-$PWD/target/debug/proxmox-ci}
[ -n "${PROXMOX_CI:-}" ] || step build "proxmox-ci" cargo build --quiet --locked -p cli
template=target/template/debian-12-slim.tar.zst
[ "$guests" = memory ] || step image "template" bash examples/template.sh "$template"

# 2. A Proxmox VE of our own, over TLS.
remember_host
start_node

# 3. The template goes up as it would to a real node.
if [ "$guests" = memory ]; then
  template=$out/debian-12-slim.tar.zst
  tar -c --zstd -f "$template" -T /dev/null
fi
step upload "template" upload "$template"

# 4. A copy of the fleet with this node's network in it; nothing else differs.
place_fleet "${containers[@]}"
step check "fleet" "$proxmox_ci" check --fleet "$fleet"
plan
step apply "${containers[*]}, all three layers" apply
prove created_through_api created_through_api
prove layers_in_order layers_in_order
[ ${#containers[@]} -eq 1 ] || prove dependencies_in_order dependencies_in_order
prove http_answers answers "${containers[@]}"
keep_answers "${containers[@]}"

# 5. A second plan is empty. Then two edits: the plan names exactly these, and both are seen from
#    outside once they are applied.
prove second_plan_empty plan_is_empty
sed -i 's/^MEMORY=.*/MEMORY=320/' "$fleet/containers/web/config.env"
sed -i 's/Hello/Good evening/' "$fleet/containers/web/files/index.html"
plan
plan_names MEMORY:hotplug container-configuration:layer
step apply "two edits" apply
prove edit_seen_in_guest edit_seen web 320 "Good evening"

# 6. Somebody changes the guest by hand: the plan shows it, apply heals it.
api -X PUT -d cores=2 "/nodes/$(ready node)/lxc/101/config" >/dev/null
plan
plan_names CORES:live
step apply "drift" apply
prove drift_healed drift_healed

# 7. Everything goes, and nothing is left.
if [ "$keep" = yes ]; then
  say_how_to_reach
else
  # Those that need others go first.
  for ((at = ${#containers[@]} - 1; at >= 0; at--)); do
    step destroy "${containers[at]}" "$proxmox_ci" destroy --fleet "$fleet" --yes "${containers[at]}"
  done
  step stop "node" stop_node
  prove nothing_left nothing_left
fi
finish
