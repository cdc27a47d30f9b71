#!/bin/sh
# Makes a Git service of this control plane out of the files beside this one. Run again, it brings
# about the same.
set -eu
umask 022

getent passwd @USER@ >/dev/null ||
  useradd --system --user-group --home-dir @DATA@ --no-create-home --shell /usr/sbin/nologin @USER@

# The way to the data is open, the data is not.
chmod 0711 /var/lib/proxmox-ci
install -d -m 0700 -o @USER@ -g @USER@ @DATA@

# The certificate is for everybody, its key for the service alone.
chown root:@USER@ /etc/proxmox-ci
chmod 0750 /etc/proxmox-ci
chown @USER@:@USER@ /etc/proxmox-ci/forge.key
chmod 0600 /etc/proxmox-ci/forge.key
chmod 0644 /etc/proxmox-ci/forge.crt /etc/proxmox-ci/forge.json

install -m 0644 proxmox-ci-forge.service /etc/systemd/system/proxmox-ci-forge.service
systemctl daemon-reload
systemctl enable --quiet proxmox-ci-forge.service
systemctl restart proxmox-ci-forge.service
