# shellcheck shell=bash
# For install/quickstart and tests/run: steps that say what they do and how long it took, and Debian's packages.

# step WHAT COMMAND...: runs the command, its output shown only when it fails (or with VERBOSE=1).
step() {
  local what=$1 begin=$EPOCHREALTIME log status=0
  shift
  if [ -n "${VERBOSE:-}" ]; then
    printf '==> %s\n' "$what"
    "$@" || status=$?
  else
    printf '==> %s ... ' "$what"
    log=$(mktemp)
    "$@" >"$log" 2>&1 </dev/null || status=$?
  fi
  if [ "$status" -ne 0 ]; then
    printf 'failed (exit code %d) after %s s\n' "$status" "$(seconds_since "$begin")"
    [ -z "${log:-}" ] || tail -n 60 "$log"
  else
    printf 'done in %s s\n' "$(seconds_since "$begin")"
  fi
  [ -z "${log:-}" ] || rm -f "$log"
  return "$status"
}

seconds_since() {
  local microseconds=$((${EPOCHREALTIME/[.,]/} - ${1/[.,]/}))
  printf '%d.%d' $((microseconds / 1000000)) $((microseconds / 100000 % 10))
}

# missing_packages NAME...: those that are not installed.
missing_packages() {
  local package
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Abbrev}\n' "$package" 2>/dev/null | grep -q '^ii' || printf '%s\n' "$package"
  done
}

# packages_of FILE...: the names in package lists.
packages_of() { sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$@"; }

# install_packages NAME...: installs what is missing; the package lists are read only when something is.
install_packages() {
  local missing
  mapfile -t missing < <(missing_packages "$@")
  [ "${#missing[@]}" -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    echo "not installed: ${missing[*]}: run this as root, or install them with apt-get first" >&2
    return 1
  fi
  step "reading Debian's package lists" apt_get update -qq || return
  step "installing ${#missing[@]} packages: ${missing[*]}" apt_get install -y -qq --no-install-recommends "${missing[@]}"
}

apt_get() {
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 "$@"
}
