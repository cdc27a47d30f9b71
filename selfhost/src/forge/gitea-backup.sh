#!/bin/sh
# Writes everything that this Git service is into one archive: its dump, and the keys beside it
# without which the dump opens no secret.
#
#     proxmox-ci-forge-backup OUT.tar
set -eu
umask 077
out=${1:?usage: proxmox-ci-forge-backup OUT.tar}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd @DATA@
runuser -u @USER@ -- env -i PATH="$PATH" HOME=@DATA@ USER=@USER@ GITEA_WORK_DIR=@DATA@ TMPDIR=@DATA@/data \
  @GITEA@ --config @PLACE@/app.ini dump --type tar --file - >"$work/dump.tar"
[ -s "$work/dump.tar" ] || { echo "gitea dumped nothing" >&2; exit 1; }
tar -cf "$out.new" -C "$work" dump.tar -C /etc/proxmox-ci .
mv "$out.new" "$out"
