#!/usr/bin/env bash
# Sees to it that this machine has what pip cannot install; installs it as root on Debian.
#
# usage: tools/system-packages.sh python|tests
#
# Elsewhere, or without root, it says what is missing and fails: a test that is skipped for want of
# a browser would look like a test that passed.
set -euo pipefail

missing=()
need() { # need PACKAGE COMMAND…: the package is missing unless the command succeeds
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || missing+=("$package")
}

case "${1:-}" in
  python)
    need python3 python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'
    need python3-venv python3 -c 'import ensurepip, venv'
    ;;
  tests)
    need chromium test -x /usr/bin/chromium                                # the confirm page
    need postgresql-15 test -x /usr/lib/postgresql/15/bin/postgres         # the oldest we support
    need golang-go go version                                              # verifiers of others
    need golang-golang-x-mod-dev test -d /usr/share/gocode/src/golang.org/x/mod/sumdb
    need softhsm2 test -e /usr/lib/softhsm/libsofthsm2.so                  # a token in software
    need passwd test -x /usr/sbin/useradd                                  # the database's own user
    ;;
  *)
    echo "usage: tools/system-packages.sh python|tests" >&2
    exit 2
    ;;
esac

[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -ne 0 ] || [ ! -e /etc/debian_version ] || ! command -v apt-get >/dev/null; then
  echo "This machine lacks what these Debian packages hold: ${missing[*]}" >&2
  echo "As root on Debian they are installed for you; here, please install them or their like." >&2
  exit 1
fi

echo "Installing with apt-get: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null
