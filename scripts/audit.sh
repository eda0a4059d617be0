#!/usr/bin/env bash
# Known weaknesses of the pinned packages. Without a way to the database it says so and is no failure.
set -uo pipefail
cd "$(dirname "$0")/.."
said=$(.venv/bin/pip-audit -r requirements.lock --require-hashes --disable-pip --progress-spinner off 2>&1); code=$?
echo "$said"
if [ $code -ne 0 ] && grep -qiE "connection|resolve|refused|timed out|unreachable|proxy|HTTPError|ServiceError|403|404" <<<"$said" \
  && ! grep -qE "^Found [0-9]+ known" <<<"$said"; then
  echo "The database of weaknesses cannot be reached from here; nothing was checked."
  exit 0
fi
exit $code
