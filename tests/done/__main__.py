"""`make done`: every promise of the blueprint with the check that proves it; exit 1 unless all are kept."""

from __future__ import annotations

import sys

from tests.done.rows import ROWS
from tests.done.runner import run


def main() -> int:
    outcomes = run(ROWS)
    print(f"{'':18} {'checks':>6}  promise")
    for outcome in outcomes:
        mark = "done" if outcome.done else "NOT DONE"
        print(f"{outcome.row.id:18} {outcome.passed:6}  {outcome.row.promise}  [{mark}]")
        for what in (*outcome.failed[:5], *(f"{check} did not run" for check in outcome.missing)):
            print(f"{'':27}{what}")
    kept = sum(outcome.done for outcome in outcomes)
    print(f"done {kept}/{len(outcomes)}")
    return 0 if kept == len(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
