#!/usr/bin/env bash
# The git that everybody has, against the forge at FORGE_URL: what goes well, and what is refused.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

export HOME=$work GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0
git config --global user.name Tester
git config --global user.email tester@forge.internal
git config --global init.defaultBranch main

host=${FORGE_URL#http://}
own="http://$FORGE_USER:$FORGE_TOKEN@$host/$FORGE_USER/by-git.git"

fail() { echo "git.sh: $*" >&2; exit 1; }
ask() { # method, path, body
    curl -fsS -o answer -X "$1" -H "Authorization: token $FORGE_TOKEN" -H 'Content-Type: application/json' \
        ${3:+-d "$3"} "$FORGE_URL/api/v1$2"
}
quietly() { # what git says is shown when it fails
    git "$@" 2>said || fail "git $*: $(cat said)"
}
refused() { # words, git arguments…
    local words=$1
    shift
    ! git "$@" >said 2>&1 || fail "this went well and should not: git $*"
    grep -q "$words" said || fail "not refused in words: $(cat said)"
}

ask POST /user/repos '{"name": "by-git"}'
git init -q one
cd one
for number in $(seq 5); do
    printf 'line %s\n' "$number" >>file.txt
    git add -A && git commit -q -m "commit $number"
done
quietly push -q "$own" main
git tag -a v1 -m first && quietly push -q "$own" v1
quietly push -q "$own" main:side
grep -q "Create a new pull request for 'side'" said || fail "no invitation: $(cat said)"
cd ..

git clone -q "$own" whole
[[ $(git -C whole rev-list --count HEAD) == 5 ]] || fail "the clone has not all commits"
[[ $(git -C whole rev-parse HEAD) == $(git -C one rev-parse HEAD) ]] || fail "another head"
git -C whole fsck --strict 2>fsck || fail "$(cat fsck)"

git clone -q --depth 2 "$own" shallow
[[ $(git -C shallow rev-list --count HEAD) == 2 ]] || fail "not shallow"
git -C shallow fetch -q --unshallow
[[ $(git -C shallow rev-list --count HEAD) == 5 ]] || fail "still shallow"

git clone -q --filter=blob:none --no-checkout "$own" partial
git -C partial rev-list --objects --missing=print main >objects
grep -q '^?' objects || fail "not partial"
git -C partial checkout -q main
[[ $(wc -l <partial/file.txt) == 5 ]] || fail "the file is not whole"

for version in 0 1 2; do
    git -c protocol.version=$version ls-remote "$own" >"refs-$version"
done
cmp refs-0 refs-1 && cmp refs-1 refs-2

# Somebody else was faster.
printf 'theirs\n' >whole/theirs.txt
git -C whole add -A && git -C whole commit -q -m theirs && quietly -C whole push -q
git -C one commit -q --allow-empty -m ours
refused 'rejected' -C one push "$own" main

refused 'branch main is the default branch and cannot be deleted' -C whole push "$own" :main
ask POST "/repos/$FORGE_USER/by-git/branch_protections" '{"rule_name": "side", "enable_push": false}'
refused 'Not allowed to push to protected branch side' -C whole push "$own" main:side
# Git shows no password before it is asked for one, and for a public repository it is not.
ask PATCH "/repos/$FORGE_USER/by-git" '{"private": true}'
refused 'Failed to authenticate user' clone "http://$FORGE_USER:wrong@$host/$FORGE_USER/by-git.git" denied
refused 'could not read Username' clone "$FORGE_URL/$FORGE_USER/by-git.git" anonymous
git clone -q "http://$FORGE_USER:$FORGE_PASSWORD@$host/$FORGE_USER/by-git" by-password
echo "git: all as it should be"
