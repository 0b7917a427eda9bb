#!/usr/bin/env bash
# Writes the locks: every package, its version and its hashes.
#
# usage: tools/lock.sh [pip-compile options, such as --upgrade or --upgrade-package NAME]
#
# Extra indexes and local wheels of this machine are left aside, so that the hashes are those that
# everybody can check; no address enters the files. The runtime lock is resolved from the other one,
# so that both name the same versions; so is the one of mutation testing, which no other work needs.
set -euo pipefail
cd "$(dirname "$0")/.."

compile() { # compile OUTPUT SOURCE [option…]
  local output=$1 source=$2
  shift 2
  env --unset=PIP_EXTRA_INDEX_URL --unset=PIP_FIND_LINKS PIP_CONFIG_FILE=/dev/null \
    .venv/bin/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-header \
    --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options \
    --output-file "$output" "$@" "$source"
}

compile requirements-dev.lock pyproject.toml --extra build --extra dev --extra bench --extra hsm "$@"
cp requirements-dev.lock requirements.lock
compile requirements.lock pyproject.toml --extra build
compile requirements-mutants.lock - --constraint requirements-dev.lock "$@" <<<mutmut
