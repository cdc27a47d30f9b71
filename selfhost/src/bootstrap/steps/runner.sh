#!/bin/sh
# Gives the runner a user, a folder and a unit. It is registered and started afterwards.
set -eu
umask 022

getent passwd @USER@ >/dev/null ||
  useradd --system --user-group --home-dir @HOME@ --no-create-home --shell /bin/sh @USER@
chmod 0711 /var/lib/proxmox-ci
install -d -m 0700 -o @USER@ -g @USER@ @HOME@
install -m 0644 proxmox-ci-runner.service /etc/systemd/system/proxmox-ci-runner.service
systemctl daemon-reload
systemctl try-restart proxmox-ci-runner.service
