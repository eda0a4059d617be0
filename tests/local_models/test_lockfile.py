"""The lock file is strict: nothing doubtful is installable, and a mistake is named with its place."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from local_models.errors import BadLock, ModelError, NotInstallable
from local_models.lockfile import FileSource, HttpsSource, Lock, PackageSource, default_lock_path, load_lock

DEFAULT = "smollm2-135m-instruct-q4_1"
CANDIDATES = ["qwen3-0.6b-q4_k_m", "qwen3-1.7b-q4_k_m", "smollm2-1.7b-instruct-q4_k_m", "granite-4.0-micro-q4_k_m"]


def content() -> dict[str, Any]:
    return dict(yaml.safe_load(default_lock_path().read_text()))


def loaded(tmp_path: Path, changed: Any) -> Lock:
    path = tmp_path / "models.lock.yaml"
    path.write_text(changed if isinstance(changed, str) else yaml.safe_dump(changed))
    return load_lock(path)


def test_the_default_is_pinned_to_the_byte() -> None:
    lock = load_lock()
    pin = lock.default_model
    assert pin.id == DEFAULT
    assert pin.require_installable() == (
        98362432,
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    )
    assert (pin.licence, pin.candidate, pin.context) == ("Apache-2.0", False, 8192)
    kinds = [type(source) for source in pin.sources]
    assert kinds == [HttpsSource, PackageSource, FileSource]
    assert pin.revision is not None
    assert isinstance(pin.sources[0], HttpsSource)
    assert pin.revision in pin.sources[0].url


def test_candidates_are_shown_and_say_what_is_missing() -> None:
    candidates = [model for model in load_lock().models if model.candidate]
    assert [model.id for model in candidates] == CANDIDATES
    for model in candidates:
        assert set(model.missing) >= {"bytes", "revision"}
        with pytest.raises(NotInstallable, match=f"{model.id} is only a candidate"):
            model.require_installable()


def test_the_adapter_that_ships_is_the_pinned_one() -> None:
    lock = load_lock()
    adapter = lock.adapter_for(lock.default_model)
    assert adapter is not None
    shipped = adapter.path().read_bytes()
    assert len(shipped) == adapter.bytes
    assert hashlib.sha256(shipped).hexdigest() == adapter.sha256


def test_no_weights_are_in_the_repository() -> None:
    root = default_lock_path().parent
    files = [path for path in root.rglob("*.gguf") if "training" not in path.parts]
    assert [path.name for path in files] == ["lancelot-utility-lora.gguf"]


@pytest.mark.parametrize("revision", [None, "main", "v1.0", "ab810cf", "AB810CF68114990406FDF996510DD3D3C6ADBDF5"])
def test_a_moving_revision_makes_a_candidate(tmp_path: Path, revision: str | None) -> None:
    changed = content()
    changed["models"].append({**changed["models"][0], "id": "other", "revision": revision, "adapter": None})
    assert loaded(tmp_path, changed).model("other").missing == ("revision",)


@pytest.mark.parametrize("field", ["bytes", "sha256"])
def test_a_missing_figure_makes_a_candidate(tmp_path: Path, field: str) -> None:
    changed = content()
    changed["models"].append({**changed["models"][0], "id": "other", field: None, "adapter": None})
    assert loaded(tmp_path, changed).model("other").missing == (field,)


@pytest.mark.parametrize("hash_", ["0" * 64, "f" * 64, "a1" * 32, "abc", "B" * 64, "z" * 64, "", 17])
def test_a_hash_that_cannot_be_one_is_refused(tmp_path: Path, hash_: Any) -> None:
    changed = content()
    changed["models"][1]["sha256"] = hash_
    with pytest.raises(BadLock) as refused:
        loaded(tmp_path, changed)
    assert "models[qwen3-0.6b-q4_k_m].sha256" in refused.value.title


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        (("models", 0, "sha265"), "x", "models[smollm2-135m-instruct-q4_1].sha265"),
        (("models", 0, "bytes"), "many", "models[smollm2-135m-instruct-q4_1].bytes"),
        (("models", 0, "bytes"), 0, "models[smollm2-135m-instruct-q4_1].bytes"),
        (("models", 0, "file"), "../up.gguf", "models[smollm2-135m-instruct-q4_1].file"),
        (("models", 0, "file"), "a/b.gguf", "models[smollm2-135m-instruct-q4_1].file"),
        (("models", 0, "licence_url"), "ftp://x", "models[smollm2-135m-instruct-q4_1].licence_url"),
        (("models", 0, "id"), "../../etc", "models[../../etc].id"),
        (("schema",), 2, "schema"),
        (("extra",), 1, "extra"),
        (("models",), [], "models"),
    ],
)
def test_a_wrong_key_or_type_is_named(tmp_path: Path, path: tuple[Any, ...], value: Any, place: str) -> None:
    changed = content()
    inner: Any = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    with pytest.raises(BadLock) as refused:
        loaded(tmp_path, changed)
    assert place in refused.value.title


@pytest.mark.parametrize(
    "source",
    [
        {"kind": "ftp", "url": "ftp://x"},
        {"kind": "https", "url": "file:///etc/passwd"},
        {"kind": "https"},
        {"kind": "package", "name": "--index-url=evil", "version": "1", "member": "x"},
        {"kind": "package", "name": "x", "version": "1; rm", "member": "x"},
        {"kind": "file", "path": "x", "url": "y"},
    ],
)
def test_a_source_of_another_kind_is_refused(tmp_path: Path, source: dict[str, Any]) -> None:
    changed = content()
    changed["models"][0]["sources"] = [source]
    with pytest.raises(BadLock, match="sources"):
        loaded(tmp_path, changed)


def test_two_pins_with_one_id_are_refused(tmp_path: Path) -> None:
    changed = content()
    changed["models"].append(changed["models"][0])
    with pytest.raises(BadLock, match="share an id"):
        loaded(tmp_path, changed)


def test_a_candidate_cannot_be_the_default(tmp_path: Path) -> None:
    with pytest.raises(BadLock, match="only a candidate"):
        loaded(tmp_path, content() | {"default": CANDIDATES[0]})


def test_a_default_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadLock, match="No model nothing"):
        loaded(tmp_path, content() | {"default": "nothing"})


@pytest.mark.parametrize("text", ["a: [", "", "- 1", "schema: 1\nschema: 1\n", "\x00"])
def test_what_is_no_lock_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadLock, match=r"models\.lock\.yaml"):
        loaded(tmp_path, text)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadLock, match="cannot be read"):
        load_lock(tmp_path / "none.yaml")


def test_labels_show_no_secret() -> None:
    source = HttpsSource(kind="https", url="https://user:secret@mirror.example/file?token=secret")
    assert source.label == "https mirror.example"


def test_every_error_has_code_title_and_hint() -> None:
    kinds: list[type[ModelError]] = [ModelError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    for kind in kinds:
        told = kind().to_dict()
        assert set(told) == {"code", "title", "hint"}
        assert all(told.values())
        assert 400 <= kind.status < 600
