#!/usr/bin/env bash
# Everything that must hold for every change. With CI=true the browser is installed first and must be used.
set -euo pipefail
cd "$(dirname "$0")/.."
export LANCELOT_REAL_MODEL=1 PYTHONUNBUFFERED=1
if [ "${CI:-}" = true ] && [ ! -x "${LANCELOT_CHROMIUM:-/usr/bin/chromium}" ]; then
  apt-get update -qq && apt-get install -y -qq chromium
fi
# A test that fails is tried once more and listed as `R`: real processes, browsers and clocks on a busy machine are not
# deterministic; a defect fails twice.
.venv/bin/python -m pytest -n 2 --dist loadgroup --reruns 1 --cov --cov-report=term -m "not bench" -rfER "$@"
