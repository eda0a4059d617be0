#!/usr/bin/env bash
# Writes the hash-pinned lock files. No index address goes into them: pip uses the operator's own settings.
set -euo pipefail
cd "$(dirname "$0")/.."
lock() { uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header -q "$@"; }
lock requirements-build.in -o requirements-build.lock
lock pyproject.toml -o requirements.lock
lock pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
lock pyproject.toml --extra notebooks -c requirements.lock -o requirements-notebooks.lock
