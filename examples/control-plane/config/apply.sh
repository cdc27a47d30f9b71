#!/bin/sh
# The control plane's own layer: who it is, and how much it remembers. Git service and runner are the
# business of `proxmox-ci bootstrap` and `proxmox-ci upkeep`, not of this script. Running it twice
# changes nothing.
set -eu

# The templates are those of the recipe; they hold one name, `host`.
render() { sed "s/<%= @host %>/$CONTAINER_HOSTNAME/g" "templates/$1.erb"; }

render motd >/etc/motd.new
mv /etc/motd.new /etc/motd

mkdir -p /etc/systemd/journald.conf.d
render journald.conf >journald.conf
if ! cmp -s journald.conf /etc/systemd/journald.conf.d/10-fleet.conf; then
  install -m 0644 journald.conf /etc/systemd/journald.conf.d/10-fleet.conf
  systemctl restart systemd-journald.service
fi
echo "$CONTAINER_HOSTNAME: $(head -n 1 /etc/motd)"
