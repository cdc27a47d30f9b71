#!/usr/bin/env bash
# Packs a program that is built already as a Debian package: deb.sh PROGRAM OUT_DIR
#
# The package's name is the last line of standard output. It is the same for the same program and
# commit, whenever it is made.
set -euo pipefail
cd "$(dirname "$0")/../.."

program=${1:?usage: deb.sh PROGRAM OUT_DIR} out=${2:?usage: deb.sh PROGRAM OUT_DIR}
from=cli/package/debian
for tool in dpkg-deb dpkg-shlibdeps strip; do
  command -v "$tool" >/dev/null || { echo "error: $tool is missing: apt-get install dpkg-dev binutils" >&2; exit 69; }
done

# Commit and day of the tree, where it is one of git; releases have a version of their own.
version=$("$program" --version) version=${version##* }
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || echo 0)
export SOURCE_DATE_EPOCH
if [ "$version" = 0.0.0 ] && commit=$(git rev-parse --short HEAD 2>/dev/null); then
  version=0.0.0+git$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d.%H%M%S).$commit
fi
architecture=$(dpkg --print-architecture)
# Who makes a package for others says so, as for every package of Debian: DEBFULLNAME and DEBEMAIL.
authors=$(sed -n 's/^authors = \["\(.*\)"\]$/\1/p' cli/Cargo.toml)
[ -n "$authors" ] || { echo "error: cli/Cargo.toml names no authors" >&2; exit 65; }
maintainer="${DEBFULLNAME:-${authors% <*}} <${DEBEMAIL:-$(printf '%s' "$authors" | sed 's/.*<\(.*\)>/\1/')}>"

mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree
share=$tree/usr/share
mkdir -p "$work/debian" "$tree/DEBIAN"

install -D -m 0755 "$program" "$tree/usr/bin/proxmox-ci"
strip --strip-unneeded --remove-section=.comment "$tree/usr/bin/proxmox-ci"

"$program" --quiet man "$work/man"
mkdir -p "$share/man/man1"
for page in "$work"/man/*.1; do gzip -9n <"$page" >"$share/man/man1/${page##*/}.gz"; done

completion() { # shell, file
  mkdir -p "$share/${2%/*}"
  "$program" completions "$1" >"$share/$2"
}
completion bash bash-completion/completions/proxmox-ci
completion zsh zsh/vendor-completions/_proxmox-ci
completion fish fish/vendor_completions.d/proxmox-ci.fish

for service in node forge runner; do
  install -D -m 0644 "$from/proxmox-ci-$service.service" "$tree/usr/lib/systemd/system/proxmox-ci-$service.service"
  install -D -m 0644 "$from/proxmox-ci-$service.default" "$tree/etc/default/proxmox-ci-$service"
  echo "/etc/default/proxmox-ci-$service" >>"$tree/DEBIAN/conffiles"
done
install -D -m 0644 "$from/sysusers.conf" "$tree/usr/lib/sysusers.d/proxmox-ci.conf"

doc=$share/doc/proxmox-ci
install -D -m 0644 README.md "$doc/README.md"
gzip -9n <CHANGELOG.md >"$doc/CHANGELOG.md.gz"
{
  printf 'proxmox-ci (%s) unstable; urgency=medium\n\n  * What is new is told in CHANGELOG.md.gz.\n\n' "$version"
  printf -- ' -- %s  %s\n' "$maintainer" "$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")"
} | gzip -9n >"$doc/changelog.gz"
install -D -m 0644 "$from/lintian-overrides" "$share/lintian/overrides/proxmox-ci"
# Debian has the text of the one licence already; the other stands whole in ours.
{
  printf 'Proxmox CI is licensed under either of the MIT License or the Apache License,\n'
  printf 'Version 2.0, at your option. The latter is in /usr/share/common-licenses/Apache-2.0.\n\n'
  sed -n '/^MIT License/,/^SOFTWARE\./p' LICENSE
} >"$doc/copyright"
mkdir -p "$doc/examples"
cp -r examples/fleet "$doc/examples/fleet"
find "$doc/examples" \( -name '*.local.*' -o -name .proxmox-ci -o -name .gitignore \) -prune -exec rm -rf {} +

# What the program links, as packages and versions.
printf 'Source: proxmox-ci\n\nPackage: proxmox-ci\nArchitecture: any\n' >"$work/debian/control"
depends=$(cd "$work" && dpkg-shlibdeps -O "tree/usr/bin/proxmox-ci" 2>/dev/null)
depends=${depends#shlibs:Depends=}

cat >"$tree/DEBIAN/control" <<CONTROL
Package: proxmox-ci
Version: $version
Architecture: $architecture
Maintainer: $maintainer
Installed-Size: $(du -sk --apparent-size "$tree" | cut -f1)
Depends: $depends, systemd, passwd
Recommends: ansible-core, ca-certificates, git, openssh-client
Suggests: docker.io | podman, lxc
Section: admin
Priority: optional
Description: Git repository to running Linux containers on Proxmox VE
 A Git repository becomes running Linux containers on Proxmox VE, through
 a plan that names every change with its class and its reason before
 anything is touched.
 .
 The same program is a Proxmox VE and a Gitea to test against, and carries
 out the jobs of a Git service. Its services are installed and neither
 enabled nor started.
CONTROL
for script in postinst prerm postrm; do install -m 0755 "$from/$script" "$tree/DEBIAN/$script"; done
(cd "$tree" && find usr etc -type f -print0 | sort -z | xargs -0 md5sum) >"$tree/DEBIAN/md5sums"
chmod 0644 "$tree"/DEBIAN/{control,conffiles,md5sums}
chmod -R go-w,a+rX "$tree"

# A program with debug information is large whatever is done to it; one to give away is packed well.
how=(-Zxz)
case $program in */debug/*) how=(-Zgzip -z1) ;; esac
package=$out/proxmox-ci_${version}_$architecture.deb
dpkg-deb --root-owner-group "${how[@]}" --build "$tree" "$package" >/dev/null
echo "$package"
