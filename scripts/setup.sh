#!/usr/bin/env bash
# setup.sh PYTHON run|dev: creates .venv and installs the pinned packages, showing what it does. Safe to repeat.
set -euo pipefail
cd "$(dirname "$0")/.."
python=$1 what=$2
pip() { .venv/bin/python -m pip --disable-pip-version-check "$@"; }

"$python" - <<'PY' || exit 1
import sys
if sys.version_info < (3, 11):
    sys.exit(f"Lancelot needs Python 3.11 or newer; this is {sys.version.split()[0]}. Try `make run PYTHON=python3.12`.")
PY
if [ ! -x .venv/bin/python ]; then
  echo "[1/4] Creating .venv"
  "$python" -m venv .venv
fi
echo "[2/4] Installing pip and the build tools"
pip install -q --require-hashes -r requirements-build.lock
if [ "$what" = dev ]; then lock=requirements-dev.lock; else lock=requirements.lock; fi
if ! .venv/bin/python -c 'import llama_cpp' 2>/dev/null; then
  echo "[3/4] Installing the packages; llama.cpp is compiled for this processor, which takes about 5 minutes once"
else
  echo "[3/4] Installing the packages"
fi
# GCC 11 to 13 drop the stores that fill the configuration of the matrix unit (AMX) of newer Xeons: the first pass faults.
# Without this one optimisation they stay, and nothing gets slower.
if "${CXX:-c++}" -fno-tree-dse -fno-dse -x c++ -fsyntax-only /dev/null 2>/dev/null; then
  export CXXFLAGS="${CXXFLAGS:-} -fno-tree-dse -fno-dse"
fi
# Without isolation the pinned build tools above do the compiling; --progress-bar keeps the wait visible.
pip install --progress-bar on --no-build-isolation --require-hashes -r "$lock" 2>&1 \
  | while IFS= read -r line; do
      case "$line" in
        Collecting*|Downloading*|*Building\ wheel*|*still\ running*|Installing*|Successfully*|ERROR*|error*|*rror:*) echo "      $line" ;;
      esac
    done
# What pip had cached may be made for another processor, or by a compiler without the switch above.
for cmake_args in "" "-DGGML_NATIVE=OFF"; do
  if { .venv/bin/python scripts/check_llama.py; } 2>/dev/null; then break; fi
  echo "      This llama.cpp does not run right on this processor; compiling it afresh ${cmake_args}"
  CMAKE_ARGS="${CMAKE_ARGS:-} $cmake_args" pip install -q --no-build-isolation --no-cache-dir --force-reinstall --no-deps \
    --require-hashes -r <(awk '/^llama-cpp-python==/{p=1} p{print} p&&!/\\$/{exit}' "$lock")
done
.venv/bin/python scripts/check_llama.py || { echo "llama.cpp cannot be made to run on this processor."; exit 1; }
echo "[4/4] Installing Lancelot itself"
pip install -q --no-build-isolation --no-deps -e .
touch .venv/.ready
if [ "$what" = dev ]; then touch .venv/.ready-dev; fi
echo "Ready."
