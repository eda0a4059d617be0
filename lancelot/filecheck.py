"""Files that cannot be read, found without opening anything else: so that the doctor always comes to its end.

    for fault in damaged(data_dir): fault.outcome, fault.plan      # a running server looks at these, too
    with_configuration(data_dir, config_dir)                       # before anything is opened: also what a start reads

What is damaged is set aside under another name, or gives way to its older copy; nothing is deleted. Whatever else lies
in the folders (database, journal, snapshot, counters) heals itself when it is opened, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lancelot.approvals.shelf import readable as approvals_readable
from lancelot.config import FILES, KEPT_COPIES
from lancelot.config_yaml import parse_yaml
from lancelot.credentials import Credentials
from lancelot.errors import LancelotError, StoreError
from lancelot.filediff import file_diff
from lancelot.files import Disk, as_store_error, read_or_none, write_atomic
from lancelot.keys import Keys
from lancelot.onboarding.snapshot import CheckOutcome
from lancelot.repair import Plan

__all__ = ["PREFIX", "Fault", "damaged", "with_configuration"]

PREFIX = "file "
KEY_BYTES = 32
Anew = Mapping[str, Callable[[], None]]
SET_ASIDE = "`lancelot doctor --fix`, or Repair under Set-up & recovery, sets it aside and keeps it."


@dataclass(frozen=True, slots=True)
class Fault:
    """One file that cannot be read: what the doctor says, and the plan that sets it right."""

    outcome: CheckOutcome
    plan: Plan


@dataclass(frozen=True, slots=True)
class Kept:
    """One file. `look` raises ValueError or LancelotError for bad content; `without`: what its loss means, in words."""

    name: str
    look: Callable[[bytes], object]
    without: str


def _any(content: bytes) -> None:
    return


def _a_key(content: bytes) -> None:
    if len(content) not in (0, KEY_BYTES):
        raise ValueError(f"{len(content)} bytes instead of {KEY_BYTES}")


KEPT = (
    Kept("token", Keys.readable_token, "A new token is made; whatever uses the old one has to be told."),
    Kept("keys.json", Keys.readable, "Applications need new keys: `lancelot keys add`."),
    Kept("credentials.json", Credentials.readable, "The set-up asks for the provider's key again."),
    Kept("approvals.json", approvals_readable, "What waited for a person asks again; rules have to be granted again."),
    Kept("approvals.key", _a_key, "A new one is made; what waits is asked again."),
    Kept("onboarding/install.key", _a_key, "A new one is made; key, model and channel are verified again."),
    Kept("onboarding/onboarding.json", _any, "Its newest good copy takes its place."),
    Kept("onboarding/guards.json", _any, "It is written anew."),
    Kept("journal.head", _any, "It is written anew."),
    Kept("journal.key", _any, "A new one is made; notes that the old one signed cannot be checked any more."),
    Kept("journal.seals", _any, "It is begun anew; a changed byte in an older sealed file may go unnoticed."),
    Kept("lancelot.lock", _any, "It is made anew."),
)


def damaged(data_dir: Path, anew: Anew | None = None) -> list[Fault]:
    """The files of a data folder that are there and cannot be read, each with its plan; changes nothing.

    Args:
        anew: by file, what writes it again from the memory of a running server, once the damaged one is aside.
    """
    return [fault for kept in KEPT if (fault := _look_at(data_dir, kept, (anew or {}).get(kept.name))) is not None]


def with_configuration(data_dir: Path, config_dir: Path) -> list[Fault]:
    """The same, and the configuration's files: what has to be good before anything can start."""
    found = (_configuration(config_dir / name) for name in FILES)
    return [*damaged(data_dir), *(fault for fault in found if fault is not None)]


def _look_at(data_dir: Path, kept: Kept, anew: Callable[[], None] | None) -> Fault | None:
    path = data_dir / kept.name
    reason = _reason(path, kept.look)
    if reason is None:
        return None
    older = path.with_name(f"{path.name}.1")
    keep = f"Keep {path.name} as it is, under another name."
    if anew is not None:
        steps: tuple[str, ...] = (keep, "Write it anew from what is in use.")
        apply, diff = partial(_written_anew, path, anew), f"@ {kept.name}\n-(cannot be read)\n+(as it is in use)"
    elif kept.name == "credentials.json" and older.is_file() and _reason(older, kept.look) is None:
        steps = (keep, "Put its older copy in its place.")
        apply = partial(_older_copy, path, older)
        diff = file_diff(path.name, _content(path), _content(older))
    else:
        steps = (keep, kept.without)
        apply, diff = partial(_aside, path), f"@ {kept.name}\n-(cannot be read)\n+(no file)"
    return _fault(kept.name, path, reason, steps, apply, diff, SET_ASIDE)


def _configuration(path: Path) -> Fault | None:
    """A file of the configuration, and the newest older version that is good."""
    look = partial(parse_yaml, model=FILES[path.name], name=path.name)
    reason = _reason(path, look) if path.exists() else f"{path.name} is missing."
    if reason is None:
        return None
    for number in range(1, KEPT_COPIES + 1):
        older = path.with_name(f"{path.name}.{number}")
        if older.is_file() and _reason(older, look) is None:
            steps = (f"Keep {path.name} as it is, under another name.", f"Put version {number} before it back.")
            diff = file_diff(path.name, _content(path), _content(older))
            fix = "`lancelot doctor --fix` puts the newest good version back."
            return _fault(path.name, path, reason, steps, partial(_older_copy, path, older, 0o644), diff, fix)
    fix = "Correct the named key, or take the file from the project or a backup; there is no good older version."
    return _fault(path.name, path, reason, (), lambda: None, "", fix)


def _fault(
    name: str, path: Path, reason: str, steps: tuple[str, ...], apply: Callable[[], None], diff: str, fix: str
) -> Fault:
    outcome = CheckOutcome(name=PREFIX + name, title=f"File {name}", ok=False, detail=reason, took_ms=0.0, fix=fix)
    touched = (path,) if path.is_file() and _content(path) is not None else ()
    return Fault(outcome, Plan(outcome.name, reason, steps, touched, apply, diff))


def _reason(path: Path, look: Callable[[bytes], object]) -> str | None:
    """Why a file is no good, in words; None when it is, or is not there."""
    try:
        content = read_or_none(path)
        if content is not None:
            look(content)
    except OSError as problem:
        return f"{path.name} cannot be read: {problem.strerror or problem}."
    except LancelotError as wrong:
        return wrong.title
    except ValueError:  # UnicodeDecodeError and pydantic's ValidationError are some
        return f"{path.name} cannot be read: it is damaged or cut off."
    return None


def _content(path: Path) -> bytes | None:
    try:
        return read_or_none(path)
    except OSError:
        return None


def _names(path: Path) -> Iterator[Path]:
    number = 1
    while True:
        yield path.with_name(f"{path.name}.damaged-{number}")
        number += 1


def _aside(path: Path) -> None:
    """Rename what is there; it is kept.

    Raises:
        StoreError: the folder cannot be written.
    """
    if not path.exists():
        return
    target = next(name for name in _names(path) if not name.exists())
    try:
        path.rename(target)
        Disk().fsync_folder(path.parent)
    except OSError as problem:
        raise as_store_error(problem, path) from problem


def _written_anew(path: Path, anew: Callable[[], None]) -> None:
    _aside(path)
    anew()


def _older_copy(path: Path, older: Path, mode: int = 0o600) -> None:
    content = _content(older)
    if content is None:
        raise StoreError(f"{older.name} cannot be read any more.")
    _aside(path)
    write_atomic(path, content, mode=mode)
