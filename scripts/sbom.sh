#!/usr/bin/env bash
# sbom.sh [FILE]: the bill of materials (CycloneDX JSON) of everything that runs, from the lock file.
set -euo pipefail
cd "$(dirname "$0")/.."
.venv/bin/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-reproducible -o "${1:-build/sbom.json}"
