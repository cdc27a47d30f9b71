#!/usr/bin/env bash
# The package in a clean container: installed, its services tried, a new user's first hour walked,
# removed, purged, nothing left. The first line that does not do what it promises ends it.
#
#     bash cli/package/try.sh
#
# It needs root and LXC. The container has no network; what the walk needs is in the package.
# PROXMOX_CI=FILE names a program that is built already.
set -euo pipefail
cd "$(dirname "$0")/../.."

program=${PROXMOX_CI:-$PWD/target/debug/proxmox-ci}
template=target/template/debian-12-slim.tar.zst
out=$PWD/target/deb
name=pci-package-$$

fail() { echo "error: $*" >&2; exit 1; }

# Runs a line of a shell in the container, as root or as the user NAME of `as`.
inside() { lxc-attach -P "$out/lxc" -n "$name" --clear-env -v TERM=dumb -v LC_ALL=C.UTF-8 -- sh -euc "$1"; }
as() { lxc-attach -P "$out/lxc" -n "$name" --clear-env -v TERM=dumb -v LC_ALL=C.UTF-8 -- su -l "$1" -c "$2"; }

say() { printf '== %s (%d s)\n' "$*" "$SECONDS"; }

leave() {
  local status=$?
  lxc-stop -P "$out/lxc" -n "$name" -k >/dev/null 2>&1 || true
  rm -rf "$out/lxc"
  [ "$status" -eq 0 ] || echo "the package was tried in vain, exit $status" >&2
}

boot() {
  local rootfs=$out/lxc/$name/rootfs
  mkdir -p "$rootfs"
  zstd -dc "$template" | tar --numeric-owner --exclude='./dev/*' -xpf - -C "$rootfs"
  ln -sf /dev/null "$rootfs/etc/systemd/system/networking.service"
  cat >"$out/lxc/$name/config" <<CONFIG
lxc.include = /usr/share/lxc/config/debian.common.conf
lxc.rootfs.path = dir:$rootfs
lxc.uts.name = package
lxc.net.0.type = empty
lxc.apparmor.profile = unconfined
CONFIG
  lxc-start -P "$out/lxc" -n "$name" -o "$out/lxc.log" -l INFO
  inside 'for try in $(seq 600); do
    state=$(systemctl is-system-running --wait 2>/dev/null) || true
    case $state in running|degraded) exit 0 ;; esac
    sleep 0.1
  done; echo "systemd: $state"; exit 1'
}

# Everything of the system that a package could leave behind.
footprint() {
  inside 'find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /home \) -prune -o \
    \( -path /var/log -o -path /var/lib/dpkg -o -path /var/cache -o -path /var/lib/systemd -o -path /root \) -prune -o -print | sort
    sed "s/:.*//" /etc/passwd /etc/group | sort'
}

services() {
  for unit in node forge runner; do
    [ "$(inside "systemctl is-enabled proxmox-ci-$unit || true")" = disabled ] || fail "the unit of $unit is not disabled"
    [ "$(inside "systemctl is-active proxmox-ci-$unit || true")" = inactive ] || fail "the unit of $unit is not inactive"
  done
  inside 'systemctl start proxmox-ci-node proxmox-ci-forge'
  local unit
  for unit in node forge; do
    inside "for try in \$(seq 600); do [ -s /run/proxmox-ci-$unit/ready.json ] && exit 0; sleep 0.1; done
      journalctl -u proxmox-ci-$unit --no-pager | tail -20; exit 1" || fail "$unit does not come up"
    [ "$(inside "stat -c %U:%a /run/proxmox-ci-$unit/ready.json")" = "proxmox-ci-$unit:600" ] || fail "others may read how to reach $unit"
    [ "$(inside "ps -o user:20= -C proxmox-ci | grep -c proxmox-ci-$unit")" = 1 ] || fail "$unit does not run as its own user"
  done
  # The runner waits for its registration, and says so by not starting.
  inside 'systemctl start proxmox-ci-runner'
  [ "$(inside 'systemctl is-active proxmox-ci-runner || true')" = inactive ] || fail "a runner without registration runs"
  inside 'systemctl stop proxmox-ci-node proxmox-ci-forge'
}

documentation() {
  local files
  files=$(dpkg-deb --fsys-tarfile "$package" | tar -tf -)
  local wanted
  for wanted in man/man1/proxmox-ci.1.gz man/man1/proxmox-ci-plan.1.gz bash-completion/completions/proxmox-ci \
    zsh/vendor-completions/_proxmox-ci fish/vendor_completions.d/proxmox-ci.fish doc/proxmox-ci/copyright \
    doc/proxmox-ci/changelog.gz doc/proxmox-ci/CHANGELOG.md.gz doc/proxmox-ci/examples/fleet/fleet.toml; do
    [[ $files == *"./usr/share/$wanted"* ]] || fail "the package has no $wanted"
  done
  [[ $files != *.local.* ]] || fail "the package holds files of this machine"
  # As a shell would complete it.
  inside 'grep -qF "complete -F" /usr/share/bash-completion/completions/proxmox-ci'
}

# What the README promises to a new user, line by line, as a user without any right.
walk() {
  as newcomer 'proxmox-ci init lab'
  as newcomer 'cd lab && proxmox-ci check'
  as newcomer 'proxmox-ci node --guests memory --listen 127.0.0.1:0 --ready-file "$PWD/ready.json" >node.log 2>&1 & echo $! >node.pid
    for try in $(seq 600); do [ -s ready.json ] && exit 0; sleep 0.1; done; cat node.log; exit 1'
  as newcomer 'umask 077; python3 - <<PYTHON
import json
ready = json.load(open("ready.json"))
open("lab/token.local.txt", "w").write(ready["root_token"])
open("lab/fleet.local.toml", "w").write("".join(f"{key} = \"{value}\"\n" for key, value in {
    "url": ready["urls"][0], "ca_file": ready["ca_file"], "token_file": "token.local.txt"}.items()))
PYTHON'
  as newcomer 'cd lab && proxmox-ci plan --detailed-exitcode; test $? = 2' || fail "the first plan shows no change"
  as newcomer 'cd lab && proxmox-ci apply --yes --outside-only'
  as newcomer 'cd lab && proxmox-ci status'
  as newcomer 'kill $(cat node.pid)'
}

main() {
  [ "$(id -u)" -eq 0 ] || fail "a clean container needs root"
  rm -rf "$out"
  mkdir -p "$out"
  trap leave EXIT
  say "packing"
  package=$(bash cli/package/deb.sh "$program" "$out")
  bash examples/template.sh "$template"
  say "booting a clean container"
  boot
  inside 'useradd -m -s /bin/sh newcomer'
  footprint >"$out/before.txt"
  say "installing ${package##*/}, $(du -h "$package" | cut -f1)"
  cp "$package" "$out/lxc/$name/rootfs/var/cache/proxmox-ci.deb"
  inside 'dpkg -i /var/cache/proxmox-ci.deb'
  documentation
  services
  say "a new user's first hour"
  walk
  say "removing"
  inside 'dpkg --remove proxmox-ci'
  inside 'test ! -e /usr/bin/proxmox-ci && test -e /etc/default/proxmox-ci-node && test -d /var/lib/proxmox-ci/forge' || fail "removal does not keep settings and data"
  inside 'dpkg --purge proxmox-ci; test "$(dpkg-query -W -f "\${db:Status-Status}" proxmox-ci 2>/dev/null || echo gone)" = gone'
  footprint >"$out/after.txt"
  diff "$out/before.txt" "$out/after.txt" || fail "the purge left something behind"
  say "nothing is left"
}

main
