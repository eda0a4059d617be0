"""`make drill`: each section breaks something for real and prints its table, into docs/reliability.md with --write.

python -m tests.faults.drill [SECTION …] [--kills N] [--write docs/reliability.md]
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.faults.drill_damage import damage
from tests.faults.drill_disk import disks
from tests.faults.drill_kills import kills
from tests.faults.drill_load import sustained
from tests.faults.drill_neighbours import neighbours, providers
from tests.faults.world import Section, World, at_ready

SECTIONS: dict[str, Callable[[World, int], Section]] = {
    "kills": kills,
    "disks": disks,
    "damage": damage,
    "providers": providers,
    "neighbours": neighbours,
    "load": sustained,
}


def written(path: Path, section: Section) -> None:
    """Put the section's table between its marks; the first time at the end of the page."""
    begin, end = f"<!-- drill {section.name}: begin -->", f"<!-- drill {section.name}: end -->"
    block = f"{begin}\n{section.markdown()}\n{end}"
    text = path.read_text(encoding="utf-8")
    if begin in text:
        text = re.sub(f"{begin}.*?{end}", lambda _: block, text, flags=re.DOTALL)
    else:
        text = f"{text.rstrip()}\n\n{block}\n"
    path.write_text(text, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sections", nargs="*", choices=[[], *SECTIONS], help="all of them when none is named")
    parser.add_argument("--kills", type=int, default=50, help="how often the console is killed")
    parser.add_argument("--write", type=Path, help="put the tables into this page")
    options = parser.parse_args()
    os.environ.setdefault("LANCELOT_REAL_MODEL", "1")
    wrong = 0
    with at_ready() as world:
        for name in options.sections or SECTIONS:
            began = time.monotonic()
            section = SECTIONS[name](world, options.kills)
            print(f"\n{section.markdown()}\n\n({time.monotonic() - began:.0f} s)", flush=True)
            if options.write:
                written(options.write, section)
            wrong += len(section.wrong)
    print(f"\ndrill: {'everything as it should be' if not wrong else f'{wrong} rows are wrong'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
