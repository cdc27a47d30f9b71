#!/usr/bin/env bash
# The whole story on real containers: an empty node becomes a control plane that holds its own code,
# and pushes deploy a service, the control plane itself and its own program. Every line is a command
# that you could type.
#
#     bash examples/demo.sh [--keep] [--out DIR]
#
# --keep      leave everything running, and say how to reach it
# --out DIR   where report, journals and clones go (target/demo)
#
# PROXMOX_CI=FILE in the environment names a program that is built already; PROXMOX_CI_GITEA=FILE
# names a Gitea that is to be the Git service instead of our own.
set -euo pipefail
cd "$(dirname "$0")/.."
source examples/stage.sh
source examples/control.sh

keep=no out=target/demo
while [ $# -gt 0 ]; do
  case $1 in
    --keep) keep=yes ;;
    --out) out=$2; shift ;;
    # Without real containers there is no inside to play in; the layers are played then.
    --guests) [ "$2" = lxc ] || exec bash examples/layers.sh --guests "$2" --out "$out"; shift ;;
    *) echo "usage: $0 [--keep] [--out DIR]" >&2; exit 64 ;;
  esac
  shift
done
if [ "$(id -u)" -ne 0 ]; then
  echo "error: real containers need root; \`bash examples/layers.sh --guests memory\` does not" >&2
  exit 77
fi

begin "$out" lxc
fleet=$PWD/$out/fleet operator=$PWD/$out/operator

# 1. What is needed: packages, the program, two templates.
step apt "packages" bash .ci/install
[ -n "${PROXMOX_CI:-}" ] || step build "proxmox-ci" cargo build --quiet --locked -p cli
small=target/template/debian-12-slim.tar.zst large=target/template/debian-12-control.tar.zst
step image "template" bash examples/template.sh "$small"
step image "template of the control plane" bash examples/template.sh "$large" --control "$small"
step build "a program without its symbols" strip_program "${PROXMOX_CI:-target/debug/proxmox-ci}"

# 2. A Proxmox VE of our own, with both templates.
remember_host
start_node
step upload "template" upload "$small"
step upload "template of the control plane" upload "$large"
by_hand "$(tasks)"

# 3. A fleet with nothing but its control plane, in git like any other; then one command.
make_fleet
step own "check" "$proxmox_ci" check --fleet "$fleet"
step bootstrap "control plane" bootstrap
prove trees_equal trees_equal
step bootstrap "a second time" bootstrap_again
prove second_bootstrap_changes_nothing nothing_changed

# 4. From here on the operator speaks git. A push adds the service and changes a value of the fleet.
clone_fleet
add_service
step push "a service and a value" push "add the service, rename the domain"
step run "pipeline" wait_for_run
prove push_deployed push_deployed

# 5. A push changes the control plane itself: its memory, and a file of its own layer.
change_control_plane
step push "the control plane's own" push "more memory, another greeting"
step run "pipeline" wait_for_run
prove self_change_applied self_change_applied

# 6. A push pins another build of our own program: the same with a byte appended.
release_another_build
step push "another build" push "pin another build"
step run "pipeline" wait_for_run
step settle "the control plane changes its program" wait_for_program
prove self_program_replaced self_program_replaced

# 7. Nothing is to be done, seen from here and seen from inside; and a restart loses nothing.
prove plan_empty_outside plan_is_empty
step run "drift" drift
prove plan_empty_inside run_succeeded
step push "a run that waits" order_pending_run
step boot "restart of the control plane" restart_control_plane
step run "the run that waited" wait_for_pending_run
prove restart_loses_nothing run_succeeded
prove doctor_finds_nothing doctor
take_journal

# 8. Everything goes, and nothing is left.
if [ "$keep" = yes ]; then
  prove commit_of_each_task_known commit_of_each_task_known
  say_how_to_reach_control_plane
else
  step destroy "web" "$proxmox_ci" destroy --fleet "$operator" --yes web
  step destroy "control" "$proxmox_ci" destroy --fleet "$operator" --yes control
  prove commit_of_each_task_known commit_of_each_task_known
  step stop "node" stop_node
  prove nothing_left nothing_left
fi
finish
