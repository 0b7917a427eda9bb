#!/usr/bin/env bash
# Makes .venv and installs exactly what a lock file names, each file checked against its hash.
#
# usage: tools/install.sh LOCKFILE
#
# Only wheels are taken: a source distribution would run code that no lock pins. The project itself
# is then installed in place, by the build backend that the lock pins, without the network.
set -euo pipefail
cd "$(dirname "$0")/.."

lock=${1:?usage: tools/install.sh LOCKFILE}
venv=.venv

# Prints the first Python on this machine that is new enough and can make a virtual environment.
find_python() {
  local name
  for name in python3 python3.11 python3.12 python3.13 python3.14; do
    if "$name" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$name"
      return
    fi
  done
}

python=$(find_python)
if [ -z "$python" ]; then
  tools/system-packages.sh python
  python=$(find_python)
fi
if [ -z "$python" ]; then
  echo "Twinlock needs Python 3.11 or later with the modules venv and ensurepip." >&2
  exit 1
fi

# An environment whose interpreter was removed or replaced is made anew.
"$venv/bin/python" -c 'import pip' 2>/dev/null || "$python" -m venv --clear "$venv"

echo "Installing $lock into $venv (a minute at first, seconds later)"
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
"$venv/bin/python" -m pip install -qq --require-hashes --no-deps --only-binary :all: -r "$lock"
"$venv/bin/python" -m pip install -qq --no-deps --no-build-isolation --no-index --editable .
"$venv/bin/python" -m pip check
