#!/bin/sh
# Makes Gitea the Git service of this control plane out of the files beside this one. Run again, it
# brings about the same; killed anywhere, it continues.
set -eu
umask 027

getent passwd @USER@ >/dev/null ||
  useradd --system --user-group --home-dir @DATA@ --no-create-home --shell /bin/sh @USER@

chmod 0711 /var/lib/proxmox-ci
install -d -m 0750 -o @USER@ -g @USER@ @DATA@ @DATA@/custom @DATA@/data @DATA@/log
chown root:@USER@ /etc/proxmox-ci
chmod 0750 /etc/proxmox-ci
install -d -m 0750 -o root -g @USER@ @PLACE@
chown @USER@:@USER@ /etc/proxmox-ci/forge.key
chmod 0600 /etc/proxmox-ci/forge.key
chmod 0644 /etc/proxmox-ci/forge.crt /etc/proxmox-ci/forge.json

# A file of the service's own: root writes it, the service reads it; it appears whole or not at all.
secret() { # name, command that prints it
  name=$1
  shift
  if [ ! -s "@PLACE@/$name" ]; then
    "$@" >"@PLACE@/$name.new"
    [ -s "@PLACE@/$name.new" ] || { echo "no $name was made" >&2; exit 1; }
    chown root:@USER@ "@PLACE@/$name.new"
    chmod 0640 "@PLACE@/$name.new"
    mv "@PLACE@/$name.new" "@PLACE@/$name"
  fi
}
random() { od -An -v -tx1 -N20 /dev/urandom | tr -d ' \n'; }

# Secrets before the first start, so that the server has none to make.
secret secret_key @GITEA@ generate secret SECRET_KEY
secret internal_token @GITEA@ generate secret INTERNAL_TOKEN
secret jwt_secret @GITEA@ generate secret JWT_SECRET
secret runner_token random

install -m 0640 -o root -g @USER@ app.ini @PLACE@/app.ini
install -m 0644 proxmox-ci-forge.service /etc/systemd/system/proxmox-ci-forge.service
install -d -m 0755 /usr/local/sbin
install -m 0750 backup /usr/local/sbin/proxmox-ci-forge-backup

# As its own user, with nothing of this script's environment.
as_service() {
  runuser -u @USER@ -- env -i PATH="$PATH" HOME=@DATA@ USER=@USER@ GITEA_WORK_DIR=@DATA@ \
    @GITEA@ --config @PLACE@/app.ini "$@"
}

systemctl daemon-reload
systemctl stop proxmox-ci-forge.service 2>/dev/null || true
cd @DATA@
as_service migrate

quoted() { printf '%s' "$1" | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g'; }
keep() { # password, token
  umask 077
  printf '{"user":"%s","password":"%s","token":"%s"}\n' "$(quoted '@ADMINISTRATOR@')" "$(quoted "$1")" "$2" \
    >@PLACE@/administrator.json.new
  mv @PLACE@/administrator.json.new @PLACE@/administrator.json
  umask 027
}

# The first administrator. The program prints a password before it knows whether it succeeds: its
# exit code and its own words prove it.
if [ ! -s @PLACE@/administrator.json ]; then
  if as_service admin user list --admin | awk '{ print $2 }' | grep -x -F '@ADMINISTRATOR@' >/dev/null; then
    # Made by an installation that was killed before it could keep what it was told.
    token=$(as_service admin user generate-access-token --username '@ADMINISTRATOR@' \
      --token-name "bootstrap-$(random)" --scopes all --raw)
    keep "" "$token"
  else
    said=$(as_service admin user create --username '@ADMINISTRATOR@' --email '@EMAIL@' --admin \
      --random-password --must-change-password=false --access-token --access-token-name bootstrap --access-token-scopes all)
    case $said in
      *"New user '@ADMINISTRATOR@' has been successfully created!"*) ;;
      *) echo "gitea did not say that the administrator was created" >&2; exit 1 ;;
    esac
    password=$(printf '%s\n' "$said" | sed -n "s/^generated random password is '\(.*\)'\$/\1/p")
    token=$(printf '%s\n' "$said" | sed -n 's/^Access token was successfully created\.\.\. \([0-9a-f]\{40\}\).*$/\1/p')
    [ -n "$password" ] && [ -n "$token" ] || { echo "gitea told no password or no token" >&2; exit 1; }
    keep "$password" "$token"
  fi
fi

systemctl enable --quiet proxmox-ci-forge.service
systemctl start proxmox-ci-forge.service
