#!/usr/bin/env bash
# The main job on real containers: `bash examples/demo.sh [--keep] [--guests lxc|memory]`.
# It plays `examples/fleet` and writes timeline and report to `target/demo/`.
set -euo pipefail
exec bash "$(dirname "$0")/layers.sh" --out target/demo "$@"
