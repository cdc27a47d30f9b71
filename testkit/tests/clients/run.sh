#!/usr/bin/env bash
# Clients that others wrote, against a forge: git itself, py-gitea with its own tests, and a client
# generated from the published API description, which reads back what it wrote and refuses answers of
# a wrong shape.
#
#   PROXMOX_CI=target/debug/proxmox-ci bash testkit/tests/clients/run.sh
#   bash testkit/tests/clients/run.sh install      only brings the clients
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
binary=${PROXMOX_CI:-$root/target/debug/proxmox-ci}
venv=$root/target/clients/venv

install() {
    [[ -e $venv/ready ]] && return
    rm -rf "$root/target/clients"
    mkdir -p "$root/target/clients"
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q --disable-pip-version-check py-gitea==0.2.10 gitea-api-client==1.27.3 pytest==8.4.2
    # The tests of py-gitea come with its source alone.
    "$venv/bin/pip" download -q --disable-pip-version-check --no-deps --no-binary :all: \
        -d "$root/target/clients" py-gitea==0.2.10
    tar -xzf "$root"/target/clients/py_gitea-*.tar.gz -C "$root/target/clients"
    touch "$venv/ready"
}

work=$(mktemp -d)
forge=
finish() {
    if [[ -n $forge ]]; then
        kill "$forge" 2>/dev/null || true
        wait "$forge" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap finish EXIT

field() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$work/ready" "$1"; }

start() {
    # py-gitea's tests want an administrator of this name.
    "$binary" --quiet forge --listen 127.0.0.1:0 --data "$work/data" --version 1.26 \
        --root-user test --root-email test@forge.internal \
        --journal "$work/journal.jsonl" --ready-file "$work/ready" &
    forge=$!
    for _ in $(seq 1200); do
        [[ -s $work/ready ]] && break
        kill -0 "$forge" 2>/dev/null || { echo "clients: the forge did not start" >&2; exit 2; }
        sleep 0.05
    done
    [[ -s $work/ready ]] || { echo "clients: the forge was not ready within 60 s" >&2; exit 2; }
    FORGE_URL=$(field url) FORGE_TOKEN=$(field root_token) FORGE_PASSWORD=$(field root_password)
    export FORGE_URL FORGE_TOKEN FORGE_PASSWORD FORGE_USER=test
}

# Two of its tests fetch repositories from the internet; all others are passed.
py_gitea() {
    mkdir "$work/py-gitea"
    sed "s|http://localhost:3000|$FORGE_URL|" "$root"/target/clients/py_gitea-*/tests/test_api.py \
        >"$work/py-gitea/test_api.py"
    sed "s|http://localhost:3000|$FORGE_URL|" "$root"/target/clients/py_gitea-*/tests/test_api_longtests.py \
        >"$work/py-gitea/test_longtests.py"
    (umask 077 && printf '%s' "$FORGE_TOKEN" >"$work/py-gitea/.token")
    # One test looks for an account by a second address that somebody must have added.
    curl -fsS -o "$work/emails" -H "Authorization: token $FORGE_TOKEN" -H 'Content-Type: application/json' \
        -d '{"emails": ["secondarytest@test.org"]}' "$FORGE_URL/api/v1/user/emails"
    (cd "$work/py-gitea" && "$venv/bin/python" -m pytest -q -p no:cacheprovider \
        --deselect test_api.py::test_migrate_repo_gitea --deselect test_api.py::test_migrate_repo_github \
        test_api.py test_longtests.py)
}

# Answers are judged here; what others ask is their own affair.
judge() {
    python3 "$root/testkit/fixtures/schemas/conform.py" gitea --journal "$work/journal.jsonl" \
        --schema "$root/testkit/fixtures/schemas/gitea-api-1.26.json" --ignore ': request: '
}

install
[[ ${1:-} != install ]] || exit 0
start
echo "clients: git"
bash "$here/git.sh"
echo "clients: py-gitea"
py_gitea
echo "clients: gitea-api-client"
"$venv/bin/python" "$here/typed.py"
echo "clients: the journal"
judge
