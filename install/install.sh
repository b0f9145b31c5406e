#!/bin/sh
# Installs docker-depot from a release; `install.sh --help` says how. It needs a POSIX shell (busybox will do), one of
# curl and wget, and one of sha256sum, shasum and openssl. Everything is inside functions, and the last line calls them:
# a script that arrives cut short does nothing.
# shellcheck disable=SC2317  # clean_up is called by a trap, transfer_* by the name in $transfer
set -eu

usage() {
  cat <<'END'
Usage: install.sh [--force] [FILE]
       install.sh --uninstall

Installs docker-depot, the plugin behind `docker depot`, and the name `depot` for it. Run again, it upgrades or
downgrades to what it is given. Nothing is changed before the new file's SHA-256 is right and the file runs.

  FILE           a docker-depot binary on this machine; a SHA256SUMS beside it is heeded
  --force        give the name `depot` to this program when another one has it
  --uninstall    remove what was installed

  DEPOT_PLUGIN_URL       folder of a release: https://, http://, file:// or a path. It holds SHA256SUMS and
                         docker-depot-linux-ARCH. The page of a GitLab or GitHub release will do, too.
                         Default: the folder of this script
  DEPOT_PLUGIN_HEADER    a header for its server, such as "JOB-TOKEN: ..."; not sent on to where it redirects
  DEPOT_INSTALL_DIR      where the plugin goes. Default: $DOCKER_CONFIG/cli-plugins or ~/.docker/cli-plugins.
                         /usr/local/lib/docker/cli-plugins is for all users of a machine
  DEPOT_INSTALL_BIN      where the name `depot` goes. Default: /usr/local/bin when it can be written to, else
                         ~/.local/bin. Empty: the name is not installed
END
}

warn() { # warn WHAT [HINT]
  printf 'install.sh: %s\n' "$1" >&2
  [ -z "${2:-}" ] || printf 'hint: %s\n' "$2" >&2
}

die() { # die WHAT [HINT]
  warn "$@"
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# Text without what its URLs may hold of secrets: user, password and query.
shown() { printf '%s' "$1" | sed -e 's|://[^ ]*@|://***@|g' -e 's|\(://[^ ?]*\)?[^ ]*|\1|g'; }

clean_up() {
  if [ -n "$child" ]; then
    kill "$child" 2>/dev/null || :
    wait "$child" 2>/dev/null || :
  fi
  [ -z "$stage" ] || rm -rf "$stage"
  [ -z "$name_stage" ] || rm -rf "$name_stage"
}

# What to install, and where it goes.

choose_architecture() {
  [ "$(uname -s)" = Linux ] || die "docker-depot runs on Linux, and this is $(uname -s)"
  case $(uname -m) in
    x86_64 | amd64) architecture=amd64 ;;
    aarch64 | arm64) architecture=arm64 ;;
    *) die "there is no docker-depot for this machine's architecture, $(uname -m)" "there are amd64 and arm64" ;;
  esac
}

choose_folder() {
  if [ -n "${DEPOT_INSTALL_DIR:-}" ]; then
    folder=$DEPOT_INSTALL_DIR
  elif [ -n "${DOCKER_CONFIG:-}" ]; then
    folder=$DOCKER_CONFIG/cli-plugins
  elif [ -n "${HOME:-}" ]; then
    folder=$HOME/.docker/cli-plugins
  else
    die "no place for the plugin: HOME is not set" "set HOME, DOCKER_CONFIG or DEPOT_INSTALL_DIR"
  fi
}

choose_name_folder() {
  if [ -n "${DEPOT_INSTALL_BIN+set}" ]; then
    name_folder=$DEPOT_INSTALL_BIN
  elif mkdir -p /usr/local/bin 2>/dev/null && [ -w /usr/local/bin ]; then
    name_folder=/usr/local/bin
  elif [ -n "${HOME:-}" ]; then
    name_folder=$HOME/.local/bin
  else
    die "no place for the name depot: HOME is not set" "set HOME or DEPOT_INSTALL_BIN, which may be empty"
  fi
}

# Where the files of a release lie that `source` is the page of, in GitLab or GitHub; other URLs stay.
resolve_page() {
  case $source in
    */-/releases/*/downloads*) ;;
    http*/-/releases/?*) source=$source/downloads ;;
    http*/releases/tag/?*) source=${source%/releases/tag/*}/releases/download/${source##*/releases/tag/} ;;
    http*/releases/latest) source=$source/download ;;
  esac
}

choose_source() { # choose_source FILE
  name=docker-depot-linux-$architecture
  if [ -n "$1" ]; then
    [ -f "$1" ] || die "there is no file $1"
    name=${1##*/}
    source=.
    case $1 in */*) source=${1%/*}/ ;; esac
    return
  fi
  source=${DEPOT_PLUGIN_URL:-}
  if [ -z "$source" ]; then
    case $0 in */*) source=${0%/*} ;; esac
    if [ -z "$source" ] || [ ! -f "$source/$name" ]; then
      die "nothing says what to install" \
        "set DEPOT_PLUGIN_URL to the folder of a release, or give a file: install.sh FILE"
    fi
  fi
  case $source in
    file://*)
      source=${source#file://}
      source=${source#localhost}
      ;;
    http://*[?#]* | https://*[?#]*) die "DEPOT_PLUGIN_URL must name a folder: no ? and no # in it" ;;
    http://* | https://*) ;;
    *://*) die "DEPOT_PLUGIN_URL is of no known kind: $(shown "$source")" "https, http, file or a path" ;;
  esac
  [ "$(printf '%s' "$source${DEPOT_PLUGIN_HEADER:-}" | wc -l)" -eq 0 ] ||
    die "DEPOT_PLUGIN_URL and DEPOT_PLUGIN_HEADER must be one line each"
  source=${source%/}
  resolve_page
}

# make_folder FOLDER HINT: sets `made` to its absolute path.
make_folder() {
  made=$(mkdir -p "$1" 2>&1) || die "cannot make the folder $1: $made" "$2"
  made=$(cd "$1" && pwd)
}

# make_stage FOLDER HINT: sets `made` to a folder of our own inside, from which files move into place in one step.
make_stage() {
  made=$(mktemp -d "$1/.docker-depot.XXXXXX" 2>&1) || die "cannot write to $1: $made" "$2"
}

# Downloads. URLs and headers may hold secrets: they reach curl and GNU wget by a pipe or a file, never as arguments.

# Each transfer_* starts URL to FILE with HEADER in the background as `child`: a shell that waits for a program in the
# foreground would not act on a signal before that one ends.
transfer_curl() {
  {
    printf 'url = "%s"\n' "$(printf '%s' "$1" | sed 's/[\\"]/\\&/g')"
    [ -z "$3" ] || printf 'header = "%s"\n' "$(printf '%s' "$3" | sed 's/[\\"]/\\&/g')"
  } | curl --config - --output "$2" --fail --silent --show-error --connect-timeout 20 --speed-time 60 --speed-limit 1 \
    --retry 2 --write-out '%{redirect_url}' >"$stage/location" 2>"$stage/errors" &
  child=$!
}

transfer_gnu_wget() {
  [ -z "$3" ] || printf 'header = %s\n' "$3" >"$stage/wgetrc"
  printf '%s\n' "$1" | (
    [ -z "$3" ] || export WGETRC="$stage/wgetrc"
    exec wget --input-file=- --output-document="$2" --no-verbose --server-response --max-redirect=0 --tries=3 \
      --timeout=60
  ) >/dev/null 2>"$stage/errors" &
  child=$!
}

transfer_busybox_wget() {
  if [ -n "$3" ] || [ "$1" != "$(shown "$1")" ]; then
    die "this wget (busybox) would show the credentials for DEPOT_PLUGIN_URL to every user of the machine" \
      "install curl, or download $name by other means and give the file: install.sh FILE"
  fi
  # No -T: with it the static busybox of Debian 12 crashes.
  wget -q -O "$2" "$1" >/dev/null 2>"$stage/errors" &
  child=$!
}

choose_downloader() {
  if have curl; then
    transfer=transfer_curl
  elif ! have wget; then
    die "there is neither curl nor wget to download with" \
      "install one of them, or download $name by other means and give the file: install.sh FILE"
  elif wget --version 2>/dev/null | grep -q 'GNU Wget'; then
    transfer=transfer_gnu_wget
  else
    transfer=transfer_busybox_wget
  fi
}

# Where the last transfer was redirected to; busybox follows by itself.
redirected() {
  case $transfer in
    transfer_curl) cat "$stage/location" ;;
    transfer_gnu_wget) sed -n 's/^ *[Ll]ocation: *\([^ ]*\).*/\1/p' "$stage/errors" | tail -n 1 ;;
  esac
}

explain_failure() { # explain_failure URL
  said=$(sed -e '/^  /d' -e '/^ *$/d' "$stage/errors" | tail -n 2 | tr '\n' ' ')
  # curl, GNU wget and busybox; a port may be a number like these.
  code=$(printf '%s\n' "$said" | sed -nE 's/.*(error: |ERROR |HTTP\/1\.[01] )([0-9]{3}).*/\2/p')
  case $code:$said in
    404:*) hint="the folder must hold SHA256SUMS and $name" ;;
    401:* | 403:*) hint="DEPOT_PLUGIN_HEADER, or a user and password in the URL, say who asks" ;;
    : | *space* | *rit*) hint="is there room in $folder?" ;;
    *) hint="is DEPOT_PLUGIN_URL right, and can this machine reach it?" ;;
  esac
  die "cannot download $(shown "$1"): $(shown "${said:-exit code $status of ${transfer#transfer_}}")" "$hint"
}

download() { # download URL FILE
  url=$1
  header=${DEPOT_PLUGIN_HEADER:-}
  for _ in 1 2 3 4 5 6; do
    $transfer "$url" "$2" "$header"
    status=0
    wait "$child" || status=$?
    child=
    ! grep -q 'TLS certificate validation not implemented' "$stage/errors" ||
      die "this wget (busybox) does not check the certificates of servers" \
        "install curl, or download $name by other means and give the file: install.sh FILE"
    location=$(redirected)
    if [ -z "$location" ]; then
      [ "$status" -eq 0 ] || explain_failure "$1"
      return
    fi
    case $location in /*) location=$(printf '%s' "$url" | sed 's|^\([^/]*//[^/]*\).*|\1|')$location ;; esac
    case $url,$location in
      https://*,https://* | http://*,http://* | http://*,https://*) ;;
      *) die "$(shown "$url") redirects to $(shown "$location"), which is not https" ;;
    esac
    url=$location
    header=
  done
  die "$(shown "$1") redirects too often"
}

# fetch NAME FILE
fetch() {
  case $source in
    *://*) download "$source/$1" "$2" ;;
    *) said=$(cp -- "$source/$1" "$2" 2>&1) || die "cannot copy $source/$1: $said" "is there room in $folder?" ;;
  esac
}

# Checks.

sha256() {
  if have sha256sum; then
    set -- "$(sha256sum <"$1")"
  elif have shasum; then
    set -- "$(shasum -a 256 <"$1")"
  else
    set -- "$(openssl dgst -sha256 -r <"$1")"
  fi
  printf '%s' "${1%% *}"
}

# What SHA256SUMS says of a name; nothing when it does not have it.
listed() {
  while read -r digest listed_name || [ -n "$digest" ]; do
    listed_name=${listed_name#\*}
    if [ "${listed_name#./}" = "$1" ]; then
      printf '%s' "$digest"
      return
    fi
  done <"$stage/SHA256SUMS"
}

check_digest() { # check_digest IS_LOCAL_FILE
  expected=
  [ ! -f "$stage/SHA256SUMS" ] || expected=$(listed "$name")
  if [ -z "$expected" ]; then
    [ -n "$1" ] || die "SHA256SUMS in $(shown "$source") does not have $name" "is the release complete?"
    warn "$name is not checked: no SHA256SUMS beside it has it"
    return
  fi
  actual=$(sha256 "$stage/docker-depot")
  [ "$actual" = "$expected" ] ||
    die "$name is damaged: of $(($(wc -c <"$stage/docker-depot"))) bytes, SHA-256 $actual; SHA256SUMS says $expected" \
      "it may have been cut short on its way: try again"
}

# The file itself says which machine it is for (ELF header, e_machine). To find out by running it is no way: a shell
# reads a program that the kernel refuses as a script.
check_machine() {
  [ "$(head -c 4 "$1" | tail -c 3)" = ELF ] ||
    die "$name is not a program" "the file needed is docker-depot-linux-$architecture"
  case $architecture in
    amd64) byte=$(printf '\076') ;;
    arm64) byte=$(printf '\267') ;;
  esac
  [ "$(head -c 19 "$1" | tail -c 1)" = "$byte" ] ||
    die "$name is a program for another kind of machine" "this one needs docker-depot-linux-$architecture"
}

check_runs() {
  metadata=$("$1" docker-cli-plugin-metadata 2>&1 </dev/null) ||
    die "$name does not run on this machine: $metadata" "may programs run in $folder, or is it mounted noexec?"
  version=$(printf '%s' "$metadata" | sed -n 's/.*"SchemaVersion".*"Version":"\([^"]*\)".*/\1/p')
  [ -n "$version" ] || die "$name is not docker-depot"
}

# Changes.

# put FILE PLACE HINT: in one step, also while the old file runs.
put() {
  [ ! -d "$2" ] || die "$2 is a folder" "remove it"
  said=$(mv -f "$1" "$2" 2>&1) || die "cannot write $2: $said" "$3"
}

# The name is a link to the plugin, which tells it from programs that are not ours.
is_ours() {
  [ -L "$1" ] || return 1
  case $(readlink "$1") in */docker-depot) return 0 ;; esac
  return 1
}

install_name() {
  place=$name_folder/depot
  if { [ -e "$place" ] || [ -L "$place" ]; } && ! is_ours "$place" && [ -z "$force" ]; then
    warn "the name depot is not installed: $place is another program, perhaps the official Depot CLI" \
      "--force replaces it; docker depot works without"
    return
  fi
  ln -s "$folder/docker-depot" "$name_stage/depot"
  put "$name_stage/depot" "$place" "DEPOT_INSTALL_BIN names another folder"
  printf 'depot is the same program: %s\n' "$place"
  found=$(command -v depot || :)
  case $found in
    "$place") ;;
    '') warn "$name_folder is not in PATH" "put it there to call depot by its name" ;;
    *) warn "depot means $found here, which comes before $place in PATH" ;;
  esac
}

install() { # install FILE
  choose_architecture
  choose_source "$1"
  case $source in *://*) choose_downloader ;; esac
  have sha256sum || have shasum || have openssl ||
    die "there is neither sha256sum nor shasum nor openssl to check $name with" "install one of them"
  choose_folder
  choose_name_folder
  make_folder "$folder" "DEPOT_INSTALL_DIR names another one"
  folder=$made
  make_stage "$folder" "DEPOT_INSTALL_DIR names another folder"
  stage=$made
  if [ -n "$name_folder" ]; then
    make_folder "$name_folder" "DEPOT_INSTALL_BIN names another one; empty, the name depot is not installed"
    name_folder=$made
    make_stage "$name_folder" "DEPOT_INSTALL_BIN names another folder; empty, the name depot is not installed"
    name_stage=$made
  fi

  if [ -z "$1" ] || [ -f "$source/SHA256SUMS" ]; then fetch SHA256SUMS "$stage/SHA256SUMS"; fi
  fetch "$name" "$stage/docker-depot"
  check_digest "$1"
  check_machine "$stage/docker-depot"
  chmod 0755 "$stage/docker-depot"
  check_runs "$stage/docker-depot"

  put "$stage/docker-depot" "$folder/docker-depot" "DEPOT_INSTALL_DIR names another folder"
  printf 'docker-depot %s is installed: %s\n' "$version" "$folder/docker-depot"
  [ -z "$name_folder" ] || install_name
}

take_away() {
  said=$(rm -f "$1" 2>&1) || die "cannot remove $1: $said"
  printf 'removed %s\n' "$1"
}

uninstall() {
  choose_folder
  [ ! -d "$folder" ] || folder=$(cd "$folder" && pwd)
  plugin=$folder/docker-depot
  set -- "${DEPOT_INSTALL_BIN-/usr/local/bin}"
  [ -n "${DEPOT_INSTALL_BIN+set}" ] || set -- "$1" "${HOME:-}/.local/bin"
  for place in "$@"; do
    name=$place/depot
    if [ -n "$place" ] && [ -L "$name" ] && [ "$(readlink "$name")" = "$plugin" ]; then take_away "$name"; fi
  done
  if [ ! -e "$plugin" ] && [ ! -L "$plugin" ]; then
    printf 'docker-depot is not installed in %s\n' "$folder"
    return
  fi
  take_away "$plugin"
}

main() {
  unset CDPATH
  export LC_ALL=C
  child='' stage='' name_stage='' force='' work=install file=''
  while [ $# -gt 0 ]; do
    case $1 in
      --force) force=yes ;;
      --uninstall) work=uninstall ;;
      -h | --help)
        usage
        return
        ;;
      -*)
        usage >&2
        exit 2
        ;;
      *) file=$1 ;;
    esac
    shift
  done
  trap clean_up EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  if [ "$work" = uninstall ]; then uninstall; else install "$file"; fi
}

{ main "$@"; exit; }
