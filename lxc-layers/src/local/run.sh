#!/bin/sh
# Tries a container of this fleet in Docker, again and again, without a node:
#
#     local/run.sh web --keep        # later again: only what changed
#     local/run.sh web --remove
#
# It is `proxmox-ci local` for this fleet; PROXMOX_CI=FILE names the program.
set -eu
exec "${PROXMOX_CI:-proxmox-ci}" local --fleet "$(dirname "$0")/.." "$@"
