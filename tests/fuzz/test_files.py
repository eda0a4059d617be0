"""Random bytes in every file that is read: an error in words or a recovery, never a crash and never a wrong value."""

from __future__ import annotations

import os
import shutil
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from lancelot.config_router import RouterConfig
from lancelot.config_yaml import load_plain, parse_yaml
from lancelot.errors import BadConfig, LancelotError
from lancelot.files import lock_holder
from lancelot.keys import Keys
from lancelot.onboarding.snapshot import OnboardingSnapshot
from lancelot.settings import config_dir
from lancelot.store.chain import verify
from lancelot.store.ledger import ReceiptStore
from lancelot.store.lines import read_lines
from lancelot.store.receipts import Receipt
from local_models.errors import ModelError
from local_models.gguf import GgufFile
from local_models.lockfile import default_lock_path, load_lock
from tests.fuzz.damage import damaged

EXAMPLES = int(os.environ.get("LANCELOT_FUZZ_EXAMPLES", "0")) or 40
FUZZED = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
SLOWER = settings(FUZZED, max_examples=max(6, EXAMPLES // 20))
pytestmark = pytest.mark.timeout(3600)

LOCK = default_lock_path().read_bytes()
ROUTER = (config_dir() / "router.yaml").read_bytes()


def explained(problem: LancelotError | ModelError, words: str = "") -> None:
    """It says what happened, to what, and what to do."""
    assert words in problem.title
    assert problem.title
    assert problem.hint


@contextmanager
def file_of(content: bytes, name: str = "file") -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        yield path


@FUZZED
@given(damaged(LOCK) | st.binary(max_size=300))
def test_lock_file(content: bytes) -> None:
    with file_of(content, "models.lock.yaml") as path:
        try:
            lock = load_lock(path)
        except ModelError as problem:
            explained(problem)
        else:
            assert lock.default_model.sha256


@FUZZED
@given(damaged(ROUTER) | st.binary(max_size=300))
def test_configuration(content: bytes) -> None:
    try:
        config = parse_yaml(content, RouterConfig, "router.yaml")
    except BadConfig as problem:
        explained(problem, "router.yaml")
    else:
        assert config.gateway.max_body_bytes >= 1_000


@FUZZED
@given(st.text(max_size=300))
def test_yaml_of_any_text(text: str) -> None:
    with suppress(LancelotError):
        load_plain(text)


@FUZZED
@given(st.binary(max_size=400) | st.binary(max_size=200).map(lambda rest: b"GGUF\x03\0\0\0" + rest))
def test_gguf_header(content: bytes) -> None:
    with file_of(content, "weights.gguf") as path, suppress(ModelError):
        GgufFile(path)


def pair(key: bytes, value: bytes) -> bytes:
    """A GGUF header of one entry and no tensor."""
    return b"GGUF\x03\0\0\0" + struct.pack("<QQQ", 0, 1, len(key)) + key + value


@pytest.mark.parametrize(
    "content",
    [
        b"GGUF\x03\0\0\0" + struct.pack("<QQQ", 1, 0, 1) + b"t" + struct.pack("<I", 2**32 - 1),  # found by fuzzing
        pair(b"deep", struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 3_000),
        pair(b"general.alignment", struct.pack("<II", 4, 0)),
        pair(b"general.alignment", struct.pack("<IQ", 8, 5) + b"wide!"),
    ],
    ids=["four thousand million dimensions", "arrays in arrays", "no alignment", "an alignment in words"],
)
def test_gguf_header_that_asks_for_too_much(content: bytes) -> None:
    with file_of(content, "weights.gguf") as path, pytest.raises(ModelError):
        GgufFile(path)


@FUZZED
@given(st.data())
def test_gguf_header_of_a_real_file(data: st.DataObject) -> None:
    head = (default_lock_path().parent / "adapters" / "lancelot-utility-lora.gguf").read_bytes()[:40_000]
    content = data.draw(damaged(head, most=30))
    with file_of(content, "adapter.gguf") as path, suppress(ModelError):
        GgufFile(path)


@FUZZED
@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_snapshot(content: bytes) -> None:
    with suppress(ValueError):
        OnboardingSnapshot.model_validate_json(content)


@FUZZED
@given(st.binary(max_size=300))
def test_the_note_of_a_lock_nobody_holds(content: bytes) -> None:
    with file_of(content, "lancelot.lock") as path:
        assert lock_holder(path.parent) is None


@FUZZED
@given(st.binary(max_size=300))
def test_key_file(content: bytes) -> None:
    with file_of(content, "keys.json") as path:
        try:
            Keys(path.parent).all()
        except BadConfig as problem:
            explained(problem, "keys.json")


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 25 receipts: two sealed segments and an open one."""
    folder = tmp_path_factory.mktemp("journal") / "data"
    store = ReceiptStore(folder, seal_at=10)
    for number in range(25):
        store.write(Receipt(request_id=f"r{number}"))
    store.close()
    return folder


@SLOWER
@given(st.data())
def test_journal(journal: Path, data: st.DataObject) -> None:
    """Any damage to the newest lines: it opens, takes new receipts, and what was changed is noticed."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(shutil.copytree(journal, Path(scratch) / "data"))
        [tail] = sorted((folder / "journal").glob("*.jsonl"))[-1:]
        whole = tail.read_bytes()
        content = data.draw(damaged(whole))
        assume(content != whole)
        tail.write_bytes(content)
        assert len(list(read_lines(tail))) <= content.count(b"\n") + 1
        lines_are_whole = content.startswith(whole)
        assert lines_are_whole or not verify(folder, full=True).ok
        try:
            store = ReceiptStore(folder)
        except LancelotError as problem:
            explained(problem)
            return
        try:
            store.write(Receipt(request_id="after"))
            assert store.flush(30)
            assert any(receipt.request_id == "after" for receipt in store.page(limit=100)[0])
        finally:
            store.close()


@SLOWER
@given(st.data())
def test_sealed_segment(journal: Path, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(shutil.copytree(journal, Path(scratch) / "data"))
        [segment] = sorted((folder / "journal").glob("*.parquet"))[:1]
        whole = segment.read_bytes()
        content = data.draw(damaged(whole))
        assume(content != whole)
        segment.chmod(0o600)
        segment.write_bytes(content)
        report = verify(folder, full=True)
        if not report.ok:
            assert report.problems[0].words()
