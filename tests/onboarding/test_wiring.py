"""The real things behind the seams: configured providers over the wire, the pinned model, journal and database."""

from __future__ import annotations

import hashlib
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr

from lancelot import settings
from lancelot.brain.states import BrainState, BrainStatus
from lancelot.config import ConfigStore
from lancelot.errors import LocalModelError, ProviderAuth, ProviderTimeout, ProviderUnreachable
from lancelot.onboarding.pinned import PinnedLocalModel
from lancelot.onboarding.seams import Progress
from lancelot.onboarding.snapshot import ConsentClaim, Flagship
from lancelot.onboarding.steps.credentials import in_plain_words
from lancelot.onboarding.wiring import ConfiguredProviders, database_works, journal_works
from lancelot.store.ledger import ReceiptStore
from local_models.lockfile import FileSource, PinnedModel
from tests.e2e.harness import free_port
from tests.recording import RecordingServer, json_answer

CONTENT = b"GGUF" + bytes(range(256)) * 100


class NoBrain:
    """A supervisor that never gets its service up."""

    base_url = None

    def __init__(self) -> None:
        self.asked: list[str] = []

    def status(self) -> BrainStatus:
        return BrainStatus(BrainState.ABSENT, 0.0)

    def start(self) -> None:
        self.asked.append("start")

    def restart(self) -> None:
        self.asked.append("restart")

    def wait_ready(self, timeout_s: float) -> bool:
        return False


def providers(own: str | None = None) -> ConfiguredProviders:
    return ConfiguredProviders(ConfigStore(settings.config_dir()), lambda: own)


def pin(content: bytes = CONTENT, memory_mb: int = 1) -> PinnedModel:
    return PinnedModel(
        id="tiny",
        title="Tiny",
        file="tiny.gguf",
        sha256=hashlib.sha256(content).hexdigest(),
        licence="Apache-2.0",
        licence_url="https://www.apache.org/licenses/LICENSE-2.0",
        publisher="Nobody",
        repository="nobody/tiny",
        revision="0" * 39 + "1",
        bytes=len(content),
        sources=(FileSource(kind="file", path="import/tiny.gguf"),),
        min_memory_mb=memory_mb,
        context=128,
        chat_template="chatml",
        recommended="nothing",
    )


def agreed() -> ConsentClaim:
    return ConsentClaim(model_id="tiny", licence="Apache-2.0", source="file tiny.gguf", at=1.8e9)


def test_the_four_providers_of_the_configuration() -> None:
    sheets = {sheet.name: sheet for sheet in providers().sheets()}
    assert list(sheets) == ["openai", "anthropic", "gemini", "selfhosted"]
    assert [sheet.needs_key for sheet in sheets.values()] == [True, True, True, False]
    assert sheets["openai"].key_env == "OPENAI_API_KEY"


def test_a_key_is_tried_by_listing_models_and_nothing_else() -> None:
    with closing(RecordingServer()) as server:
        server.script = [json_answer({"data": [{"id": "one"}, {"id": "two"}]})]
        seen = providers().list_models(
            Flagship(provider="selfhosted", base_url=f"{server.url}/v1"), SecretStr("sk-test-key")
        )
        assert seen == ["one", "two"]
        assert [(request.method, request.path) for request in server.requests] == [("GET", "/v1/models")]
        assert server.requests[0].headers["authorization"] == "Bearer sk-test-key"


@pytest.mark.parametrize(
    ("status", "kind", "words"), [(401, ProviderAuth, "401"), (403, ProviderAuth, "403"), (429, Exception, "429")]
)
def test_refusals_arrive_in_plain_words(status: int, kind: type[Exception], words: str) -> None:
    with closing(RecordingServer()) as server:
        server.script = [json_answer({"error": {"message": "your key sk-secret is bad"}}, status)]
        with pytest.raises(kind) as refused:
            providers().list_models(
                Flagship(provider="selfhosted", base_url=f"{server.url}/v1"), SecretStr("sk-secret")
            )
        told = in_plain_words(refused.value, "The server", True)  # type: ignore[arg-type]
        assert words in told.title
        assert "sk-secret" not in str(told)


def test_nobody_there_and_nobody_answering_are_told_apart() -> None:
    with pytest.raises(ProviderUnreachable):
        providers().list_models(Flagship(provider="selfhosted", base_url=f"http://127.0.0.1:{free_port()}/v1"), None)
    assert "in time" in in_plain_words(ProviderTimeout(), "The server", True).title


def test_our_own_service_is_asked_where_it_is_now() -> None:
    with closing(RecordingServer()) as server:
        server.script = [json_answer({"data": [{"id": "local"}]})]
        assert providers(server.url).list_models(Flagship(provider="selfhosted"), None) == ["local"]
    with pytest.raises(LocalModelError):
        providers(None).list_models(Flagship(provider="selfhosted"), None)


def test_the_pinned_model_is_installed_with_progress_and_verified(tmp_path: Path) -> None:
    (tmp_path / "import").mkdir()
    (tmp_path / "import" / "tiny.gguf").write_bytes(CONTENT)
    model = PinnedLocalModel(tmp_path, NoBrain(), pin=pin())
    assert not model.verified()
    assert [found.name for found in model.preflight()] == ["runtime", "disk", "memory"]
    told: list[Progress] = []
    model.install(agreed(), told.append, lambda: False)
    assert model.verified()
    assert model.verified(thorough=True)
    assert {progress.step for progress in told} == {"download"}
    assert (model.card().licence, model.card().sources) == ("Apache-2.0", ("file tiny.gguf",))


def test_weights_that_change_are_noticed_and_set_aside(tmp_path: Path) -> None:
    (tmp_path / "import").mkdir()
    (tmp_path / "import" / "tiny.gguf").write_bytes(CONTENT)
    model = PinnedLocalModel(tmp_path, NoBrain(), pin=pin())
    model.install(agreed(), lambda progress: None, lambda: False)
    assert model.set_aside() is None
    (path,) = tmp_path.glob("tiny/*.gguf")
    path.chmod(0o644)
    path.write_bytes(CONTENT[:-1] + b"?")
    assert not model.verified(thorough=True)
    aside = model.set_aside()
    assert aside is not None
    assert aside.exists()
    assert not path.exists()


def test_every_source_failing_is_one_plain_error(tmp_path: Path) -> None:
    model = PinnedLocalModel(tmp_path, NoBrain(), pin=pin())
    with pytest.raises(LocalModelError) as failed:
        model.install(agreed(), lambda progress: None, lambda: False)
    assert "is not there" in failed.value.title
    assert failed.value.hint


def test_too_little_memory_is_said_before_anything_is_downloaded(tmp_path: Path) -> None:
    with pytest.raises(LocalModelError) as refused:
        PinnedLocalModel(tmp_path, NoBrain(), pin=pin(memory_mb=10**9)).preflight()
    assert refused.value.code == "no_memory"


def test_a_service_that_does_not_come_up_is_said(tmp_path: Path) -> None:
    brain = NoBrain()
    model = PinnedLocalModel(tmp_path, brain, pin=pin())
    for act in (model.start, model.restart, model.smoke):
        with pytest.raises(LocalModelError) as failed:
            act()
        assert failed.value.hint
    assert brain.asked == ["start", "restart"]


def test_journal_and_database_are_really_written(data_folder: Path) -> None:
    receipts = ReceiptStore(data_folder)
    try:
        assert "synced" in journal_works(receipts)
        assert "Writable" in database_works(receipts)
    finally:
        receipts.close()
