# shellcheck shell=bash
# For the scripts here and tests/run: steps that say what they do and how long it took, and Debian's packages.

# step WHAT COMMAND...: runs the command, its output shown only when it fails (or with VERBOSE=1). A function runs in a
# subshell, which ends at its first command that fails: `status=0; f || status=$?` would go on after it.
step() {
  local what=$1 begin=$EPOCHREALTIME log=/dev/null status
  shift
  set +e
  if [ -n "${VERBOSE:-}" ]; then
    printf '==> %s\n' "$what"
    (set -e; "$@")
    status=$?
  else
    printf '==> %s ... ' "$what"
    log=$(mktemp)
    show_progress "$log" &
    local watcher=$!
    (set -e; "$@") >"$log" 2>&1 </dev/null
    status=$?
    { kill "$watcher" && wait "$watcher"; } 2>/dev/null
  fi
  set -e
  if [ "$status" -ne 0 ]; then
    printf 'failed (exit code %d) after %s s\n' "$status" "$(seconds_since "$begin")"
    [ -n "${VERBOSE:-}" ] || tail -n 60 "$log"
  else
    printf 'done in %s s\n' "$(seconds_since "$begin")"
  fi
  [ -n "${VERBOSE:-}" ] || rm -f "$log"
  return "$status"
}

# show_progress LOG: how far it is, four times a minute: ninja's count of what is done, else a dot.
show_progress() {
  while sleep 15 >/dev/null 2>&1; do
    printf '%s ' "$(tail -n 1 "$1" | grep -oE '^\[[0-9]+/[0-9]+\]' || echo .)"
  done
}

seconds_since() {
  local microseconds=$((${EPOCHREALTIME/[.,]/} - ${1/[.,]/}))
  printf '%d.%d' $((microseconds / 1000000)) $((microseconds / 100000 % 10))
}

# missing_packages NAME...: those that are not installed; NAME:ARCH is the package of another architecture.
missing_packages() {
  local package architecture own
  own=$(dpkg --print-architecture)
  for package in "$@"; do
    architecture=$own
    [[ $package != *:* ]] || architecture=${package#*:}
    dpkg-query -W -f '${db:Status-Abbrev}${Architecture}\n' "$package" 2>/dev/null |
      grep -qxE "ii (all|$architecture)" || printf '%s\n' "$package"
  done
}

# add_architectures NAME[:ARCH]...: makes dpkg take packages of these architectures.
add_architectures() {
  local package
  for package in "$@"; do
    if [[ $package == *:* ]] && ! dpkg --print-foreign-architectures | grep -qx "${package#*:}"; then
      dpkg --add-architecture "${package#*:}"
    fi
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
  add_architectures "${missing[@]}"
  step "reading Debian's package lists" apt_get update -qq || return
  step "installing ${#missing[@]} packages: ${missing[*]}" apt_get install -y -qq --no-install-recommends "${missing[@]}"
}

# unpack_package ARCH PACKAGE: a package that cannot be installed, into build/debian-ARCH/PACKAGE, unless it is there.
unpack_package() {
  local place=build/debian-$1 folder
  [ ! -e "$place/$2/DEBIAN/control" ] || return 0
  mkdir -p "$place"
  folder=$(mktemp -d "$place/new.XXXXXX")
  (cd "$folder" && { apt-get download "$2:$1" || { apt-get update -qq && apt-get download "$2:$1"; }; })
  dpkg-deb --raw-extract "$folder/$2"_*_"$1".deb "$folder/root"
  rm -rf "${place:?}/$2"
  mv "$folder/root" "$place/$2"
  rm -rf "$folder"
}

# unpack_libpq [ARCH]: what the archive of libpq-dev needs when a program is linked statically. Its package cannot be installed
# without clang and LLVM.
unpack_libpq() {
  local architecture=${1:-$(dpkg --print-architecture)}
  [ -e "build/debian-$architecture/postgresql-server-dev-15/DEBIAN/control" ] ||
    step "unpacking postgresql-server-dev-15:$architecture" unpack_package "$architecture" postgresql-server-dev-15
}

apt_get() {
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 "$@"
}
