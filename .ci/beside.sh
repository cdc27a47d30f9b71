# For `source`: commands that mostly wait run side by side, at most so many at a time, each with an
# output of its own that is shown whole when it ends.
#
#   beside_begin MOST
#   beside NAME SECONDS COMMAND...   # starts it, once there is room; it may take so long
#   beside_end                       # waits for all; fails when one failed

beside_begin() { # how many at a time
  beside_most=$1 beside_running=0 beside_failed=()
  beside_out=$(mktemp -d "${TMPDIR:-/tmp}/beside.XXXXXX")
  declare -gA beside_names=()
}

beside() { # name, seconds, command
  local name=$1 limit=$2
  shift 2
  [ "$beside_running" -lt "$beside_most" ] || beside_await_one
  (
    begin=$SECONDS status=0
    timeout --kill-after=30 "$limit" "$@" </dev/null >"$beside_out/$name" 2>&1 || status=$?
    [ "$status" -ne 124 ] || echo "error: it did not end within $limit s" >>"$beside_out/$name"
    echo "$((SECONDS - begin))" >"$beside_out/$name.seconds"
    exit "$status"
  ) &
  beside_names[$!]=$name
  beside_running=$((beside_running + 1))
}

beside_await_one() {
  local pid name status=0
  wait -n -p pid "${!beside_names[@]}" || status=$?
  name=${beside_names[$pid]}
  unset "beside_names[$pid]"
  beside_running=$((beside_running - 1))
  printf '\n-- %s (%s s)\n' "$name" "$(cat "$beside_out/$name.seconds" 2>/dev/null || echo '?')"
  cat "$beside_out/$name"
  [ "$status" -eq 0 ] || beside_failed+=("$name (exit $status)")
}

beside_end() {
  while [ "$beside_running" -gt 0 ]; do beside_await_one; done
  rm -rf "$beside_out"
  [ ${#beside_failed[@]} -eq 0 ] && return 0
  local one
  for one in "${beside_failed[@]}"; do echo "error: FAILED: $one" >&2; done
  return 1
}
