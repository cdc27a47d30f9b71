#!/usr/bin/env bash
# Builds the container templates that the examples use: a small Debian with systemd, ssh and python;
# and the same with what a control plane needs.
#
#     bash examples/template.sh OUT.tar.zst                  # the small one
#     bash examples/template.sh OUT.tar.zst --control SMALL.tar.zst
#
# It needs root, mmdebstrap and zstd. A template that is there already, and newer than this script,
# is kept. Nothing of this machine is in it: no host name, resolver, proxy, certificate or key.
set -euo pipefail

readonly SUITE=bookworm
readonly PACKAGES=systemd-sysv,dbus,openssh-server,python3,sudo,iproute2,ifupdown,netbase,ca-certificates
# Ansible without what it recommends, which is ten times as much.
readonly CONTROL_PACKAGES=ansible-core,git,openssh-client

say() { printf 'template: %s\n' "$*"; }

# The mirror this machine installs from: of this suite if it has it, otherwise of any. What would be
# fetched is asked for, not what has been: the package lists may not be there.
mirror() {
  apt-get update --print-uris 2>/dev/null | awk -v suite="$SUITE" -F"'" '
    { split($2, part, "/dists/") }
    part[2] == suite "/InRelease" { print part[1]; found = 1; exit }
    part[1] ~ /\/debian$/ && other == "" { other = part[1] }
    END { if (!found && other != "") print other }
  ' || true
}

# Runs inside mmdebstrap, with the new root filesystem as its only argument.
cleaned() {
  cat <<'HOOK'
set -eu
cd "$1"
rm -f etc/hostname etc/resolv.conf etc/ssh/ssh_host_* etc/apt/apt.conf.d/*proxy*
rm -rf usr/local/share/ca-certificates/* root/.ssh tmp/* var/tmp/* var/log/apt
rm -rf var/lib/apt/lists/* var/cache/apt/archives/*.deb var/cache/apt/*.bin
: >etc/machine-id
: >etc/resolv.conf
echo 127.0.0.1 localhost >etc/hosts
# The guest's package manager belongs to whoever configures it, not to a timer at boot.
for unit in apt-daily.timer apt-daily-upgrade.timer; do
  ln -sf /dev/null "etc/systemd/system/$unit"
done
HOOK
}

# Runs a command in a mount namespace of its own, so that nobody else on the machine can keep its
# mounts busy, and in memory where there is enough: unpacking is much writing of small files.
apart() {
  local work=$1
  shift
  # shellcheck disable=SC2016  # the inner shell expands these
  unshare --mount --propagation private bash -euc '
    work=$1; shift
    if awk "/^MemAvailable:/ { exit \$2 < 2 * 1024 * 1024 }" /proc/meminfo; then
      mount -t tmpfs -o mode=1777,size=1500m tmpfs "$work"
    fi
    export TMPDIR=$work
    "$@"
  ' apart "$work" "$@"
}

# The small one: everything from packages.
from_packages() { # partial result, mirror
  mmdebstrap "${COMMON[@]}" --variant=apt --include="$PACKAGES" "$SUITE" "$1" ${2:+"$2"}
}

# The other one: the small one, unpacked, and some packages more.
from_small() { # partial result, mirror; the small one is in $small
  mmdebstrap "${COMMON[@]}" --variant=custom --include="$CONTROL_PACKAGES" \
    --dpkgopt='path-exclude=/usr/lib/python3/dist-packages/ansible_test/*' \
    --setup-hook="tar --zstd --numeric-owner -C \"\$1\" -xpf '$small'" "$SUITE" "$1" ${2:+"$2"}
}

build() { # result, how
  local out=$1 how=$2 from work partial
  from=$(mirror)
  # Beside the result, so that it can be renamed; the suffix tells mmdebstrap what to write.
  partial="${out%.tar.zst}.$$.partial.tar.zst"
  work=$(mktemp -d)
  chmod 755 "$work"
  # shellcheck disable=SC2064  # these names are meant now, not at the end
  trap "rm -rf '$work' '$partial'" EXIT
  say "building $out: Debian $SUITE from ${from:-the default mirror}"
  export SUITE PACKAGES CONTROL_PACKAGES small
  COMMON=(--quiet '--aptopt=Acquire::Languages "none"' '--aptopt=APT::Install-Recommends "false"'
    --dpkgopt=force-unsafe-io '--dpkgopt=path-exclude=/usr/share/man/*'
    '--dpkgopt=path-exclude=/usr/share/locale/*' '--dpkgopt=path-exclude=/usr/share/doc/*'
    "--customize-hook=$(cleaned)")
  apart "$work" bash -euc "$(declare -p COMMON); $(declare -f "$how"); $how \"\$@\"" build "$partial" "$from"
  mv "$partial" "$out"
}

main() {
  local out=${1:-} how=from_packages
  small=
  case ${2:-} in
    --control) how=from_small small=$(realpath "${3:-}") ;;
    ?*) out= ;;
  esac
  [[ $out == *.tar.zst ]] || { echo "usage: $0 OUT.tar.zst [--control SMALL.tar.zst]" >&2; exit 64; }
  if [[ -s $out && $out -nt ${BASH_SOURCE[0]} && (-z $small || $out -nt $small) ]]; then
    say "keeping $out"
    return
  fi
  local tool
  for tool in mmdebstrap zstd; do
    command -v "$tool" >/dev/null || { echo "template: $tool is missing: apt-get install $tool" >&2; exit 1; }
  done
  mkdir -p "$(dirname "$out")"
  build "$out" "$how"
  say "built $out: $(du -h "$out" | cut -f1) in $SECONDS s"
}

main "$@"
