"""What the documents say can be done: links lead somewhere, commands exist, and they do what they should."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.world import Served, World, at_ready

PROJECT = Path(__file__).resolve().parents[1]
PAGES = [*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md"), *PROJECT.glob("docs/decisions/*.md"),
         *PROJECT.glob("*/README.md"), *PROJECT.glob("*/*/README.md")]  # fmt: skip
NAMES = [str(page.relative_to(PROJECT)) for page in PAGES if ".venv" not in page.parts and "data" not in page.parts]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.M | re.S)
COMMAND = re.compile(r"^    (?:\.venv/bin/)?lancelot (?P<words>[a-z][^#\n]*)", re.M)
MAKE = re.compile(r"(?:`|^    )make ([a-z]+)", re.M)

# shown to explain a form, or long-running by nature: why it is not run here
NOT_RUN = {
    "serve": "every test below runs beside one",
    "onboard ": "tests/cli/test_ready.py and the world of these tests begin with it",
    "restore": "run at the end, on a folder of its own",
    "onboarding undo": "there is nothing to undo on a sound machine; tests/onboarding/test_recovery.py",
    "onboarding reset": "tests/onboarding/test_recovery.py",
    "model": "tests/cli/test_ready.py",
    "flagship change": "tests/cli/test_mending.py, with a provider to ask",
    "flagship undo": "the same",
    "repair apply": "the same; on a sound machine there is no plan",
    "repair undo": "the same",
}
MAY_SAY_NO = ("doctor", "repair look", "receipts verify")  # 1 when something is wrong, which a drill's world may have


def headings(page: Path) -> set[str]:
    found = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in found}


@pytest.mark.parametrize("name", NAMES)
def test_no_link_is_broken(name: str) -> None:
    page = PROJECT / name
    for target in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, place = target.partition("#")
        whole = (page.parent / path).resolve() if path else page
        assert whole.exists(), f"{name} links to {target}"
        if place and whole.suffix == ".md":
            assert place in headings(whole), f"{name} links to {target}"


@pytest.mark.parametrize("name", NAMES)
def test_every_make_target_exists(name: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(), re.M))
    assert set(MAKE.findall((PROJECT / name).read_text(encoding="utf-8"))) <= targets


def test_every_page_of_docs_is_reachable_from_the_readme() -> None:
    seen, waiting = set(), [PROJECT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        for target in LINK.findall(page.read_text(encoding="utf-8")):
            path = (page.parent / target.partition("#")[0]).resolve()
            if path.is_file():
                waiting.append(path)
    assert set(PROJECT.glob("docs/*.md")) <= seen


def test_every_environment_variable_is_explained() -> None:
    read = set()
    for folder in ("lancelot", "local_models", "console"):
        for path in (PROJECT / folder).rglob("*.py"):
            read |= set(re.findall(r"LANCELOT_[A-Z_]+", path.read_text(encoding="utf-8")))
    guide = (PROJECT / "docs" / "operators-guide.md").read_text(encoding="utf-8")
    assert {name for name in read if name not in guide} == set()


def commands() -> list[str]:
    found: dict[str, None] = {}
    for name in NAMES:
        for match in COMMAND.finditer((PROJECT / name).read_text(encoding="utf-8")):
            found.setdefault(match["words"].strip())
    return list(found)


@pytest.fixture(scope="module")
def world() -> Iterator[tuple[World, Served]]:
    with at_ready() as made, made.served(made.home / "data") as server:
        for _ in range(3):
            server.chat()
        yield made, server


@pytest.mark.real_model
@pytest.mark.timeout(400)
@pytest.mark.xdist_group("docs")
@pytest.mark.parametrize("words", commands())
def test_every_command_works_as_written(words: str, world: tuple[World, Served], tmp_path: Path) -> None:
    if reason := next((why for start, why in NOT_RUN.items() if words.startswith(start)), None):
        assert reason
        pytest.skip(reason)
    made, server = world
    parts = shlex.split(words)
    if "RECEIPT_ID" in words or "ID" in parts:
        receipt = server.chat().headers["x-lancelot-receipt"]
        parts = [receipt if part in ("ID", "RECEIPT_ID") else part for part in parts]
    parts = [str(tmp_path / part) if part.endswith((".gz", ".parquet")) else part for part in parts]
    if parts[:2] == ["keys", "revoke"]:
        made.lancelot(server.folder, "keys", "add", parts[2])
    done = made.lancelot(server.folder, *parts)
    assert "Traceback" not in done.stderr
    allowed = {0, 1} if words.startswith(MAY_SAY_NO) else {0}
    assert done.returncode in allowed, f"lancelot {words}: {done.stderr}"


@pytest.mark.real_model
@pytest.mark.timeout(400)
@pytest.mark.xdist_group("docs")
def test_a_backup_comes_back_as_the_guide_says(world: tuple[World, Served], tmp_path: Path) -> None:
    made, server = world
    assert made.lancelot(server.folder, "backup", str(tmp_path / "lancelot.tar.gz")).returncode == 0
    words = ("restore", str(tmp_path / "lancelot.tar.gz"), "--data-dir", str(tmp_path / "elsewhere"))
    done = made.lancelot(tmp_path / "elsewhere", *words)
    assert done.returncode == 0, done.stderr
    assert made.lancelot(tmp_path / "elsewhere", "receipts", "verify").returncode == 0
