"""Configuration: the shipped files, every complaint with file, line and key, and a store that never gets worse."""

from __future__ import annotations

import json
import shutil
import threading
from decimal import Decimal
from pathlib import Path

import pytest

from lancelot.config import AUTO, Config, ConfigStore, RedactionPolicy, RouterConfig, load_config
from lancelot.errors import BadConfig, NotFound
from lancelot.settings import project_dir

SHIPPED = project_dir() / "config"
FACTS = project_dir().parent / "shared" / "facts" / "model_prices.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "config"))


def edit(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / name
    text = path.read_text()
    assert old in text, "the test edits what is there"
    path.write_text(text.replace(old, new, 1))


def test_the_shipped_files_load_and_router_yaml_says_the_defaults() -> None:
    config = load_config(SHIPPED)
    assert config.router == RouterConfig()
    assert list(config.models.providers) == ["openai", "anthropic", "gemini", "selfhosted"]
    assert config.models.providers["selfhosted"].fast == AUTO
    default = config.router.redaction.policies["default"]
    assert (default.action("EMAIL"), default.action("DATE"), default.files) == ("mask", "keep", "block")
    assert config.router.redaction.policies["strict"].action("DATE") == "mask"


@pytest.mark.skipif(not FACTS.exists(), reason="the facts the price list was seeded from are not here")
def test_every_price_and_refusal_of_the_facts_is_in_the_files() -> None:
    facts = json.loads(FACTS.read_text(), parse_float=Decimal)
    config = load_config(SHIPPED)
    for name, lanes in facts["default_lanes"].items():
        entry = config.models.providers[name]
        assert (entry.fast, entry.deep) == (lanes["fast"], lanes["deep"])
    for name, model in facts["models"].items():
        price, entry = config.prices.models[name], config.models.models[name]
        for part in ("input", "output", "cache_read", "cache_write", "reasoning"):
            stated = model.get(f"usd_per_mtok_{part}")
            assert getattr(price, part) == (None if stated is None else Decimal(stated))
        for key, stated in model.get("tiered", {}).items():
            kind, _, threshold = key.removesuffix("k_tokens").rpartition("_above_")
            part = {"input_cost_per_token": "input", "output_cost_per_token": "output"}.get(
                kind, "cache_read" if "read" in kind else "cache_write"
            )
            [tier] = price.tiers
            assert tier.above_input_tokens == int(threshold) * 1000
            assert getattr(tier, part) == Decimal(stated)
        assert (entry.max_input_tokens, entry.max_output_tokens) == (
            model["max_input_tokens"],
            model["max_output_tokens"],
        )
        assert not (entry.sampling_params and model.get("supports_sampling_params") is False)
        assert entry.prefill == model.get("supports_assistant_prefill", True)
        assert entry.forced_tool_use == model.get("supports_forced_tool_use", True)
        assert entry.thinking_always_on == model.get("thinking_always_on", False)


# file, what is replaced, by what, words the complaint has, the line it names (None: any)
BROKEN = [
    ("router.yaml", "deadline_s: 120", "deadline: 120", ["router.yaml", "`deadline`", "not a known key"], None),
    ("router.yaml", "  cascade: 0.5", "  injection: 0.5", ["`thresholds.injection`", "take the line out"], None),
    ("router.yaml", "max_attempts: 3", "max_attempts: three", ["`max_attempts`", "integer"], None),
    ("router.yaml", "max_attempts: 3", "max_attempts: '3'", ["`max_attempts`", "integer"], None),
    ("router.yaml", "max_attempts: 3", "max_attempts: 0", ["`max_attempts`", "greater"], None),
    ("router.yaml", "previews: false", "previews: 0", ["`previews`", "boolean"], None),
    ("router.yaml", "previews: false", "previews: no", ["`previews`", "boolean"], None),
    ("router.yaml", "PERSON: mask", "PERSON: hide", ["policies.default.actions.PERSON", "'mask'"], None),
    ("router.yaml", "PERSON: mask", "PERSONS: mask", ["policies.default.actions.PERSONS"], None),
    ("router.yaml", "redaction_policy: default", "redaction_policy: loose", ["redaction_policy", "`loose`"], None),
    ("router.yaml", "keep_local: []", 'keep_local: [{pattern: "(", reason: x}]', ["keep_local.0.pattern"], None),
    ("router.yaml", "park: []", "park: [{name: x, reason: y}]", ["park.0", "at least one condition"], None),
    ("router.yaml", "version: 1", "version: 2", ["`version`"], 3),
    ("router.yaml", "narrow_deep: 0.7", "narrow_deep: 0.99", ["must not fall"], None),
    ("router.yaml", "max_cost_usd_per_request: 1.00", "max_cost_usd_per_request: .inf", ["max_cost_usd"], None),
    ("router.yaml", "version: 1", "version: 1\nversion: 1", ["given twice"], 4),
    ("router.yaml", "version: 1", "version: [", ["router.yaml, line"], None),
    ("router.yaml", "version: 1", "version: !!python/object:os.system 1", ["could not determine a constructor"], 3),
    ("models.yaml", "fast: gpt-6-luna", "fast: gpt-7", ["openai", "gpt-7", "not listed"], None),
    ("models.yaml", "fast: gpt-6-luna", "fast: claude-haiku-5-5", ["belongs to anthropic"], None),
    ("models.yaml", "  openai:", "  opener:", ["providers.opener"], None),
    ("models.yaml", "https://api.openai.com/v1", "api.openai.com", ["openai.base_url", "https://"], None),
    ("models.yaml", "https://api.openai.com/v1", "https://me:pw@api.openai.com", ["user name or password"], None),
    ("models.yaml", "https://api.openai.com/v1", "http://api.openai.com", ["plain http"], None),
    ("models.yaml", "    provider: openai", "    provider: openai\n    tool: true", ["gpt-6-luna.tool"], None),
    ("prices.yaml", "input: 0.1", "input: -0.1", ["gpt-6-luna.input", "greater"], None),
    ("prices.yaml", "input: 0.1", "input: free", ["gpt-6-luna.input"], 11),
    ("prices.yaml", "input: 0.1", "input: .nan", ["gpt-6-luna"], None),
    ("prices.yaml", "currency: USD", "currency: EUR", ["`currency`"], None),
    ("prices.yaml", 'version: "2026-11-22"', "version: 2026", ["`version`", "string"], 4),
    ("prices.yaml", "        cache_read: 0.02\n", "", ["gpt-6-luna", "does not give cache_read"], None),
    ("prices.yaml", "date: 2026-11-22", "date: yesterday", ["`date`"], None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new", "words", "line"), BROKEN)
def test_a_mistake_is_named_by_file_line_and_key(
    folder: Path, name: str, old: str, new: str, words: list[str], line: int | None
) -> None:
    edit(folder, name, old, new)
    with pytest.raises(BadConfig) as caught:
        load_config(folder)
    title = caught.value.title
    assert title.startswith(f"{name}, line ")
    assert all(word in title for word in words), title
    assert caught.value.extra["file"] == name
    if line is not None:
        assert caught.value.extra["line"] == line


def test_the_line_is_that_of_the_key_itself(folder: Path) -> None:
    edit(folder, "prices.yaml", "  claude-opus-5-5:\n    input: 4", "  claude-opus-5-5:\n    input: four")
    with pytest.raises(BadConfig) as caught:
        load_config(folder)
    lines = (folder / "prices.yaml").read_text().splitlines()
    assert lines[caught.value.extra["line"] - 1] == "    input: four"


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"- a\n- b\n", b"just words", b"[" * 5000, b"? [1, 2]\n: 3\n"])
@pytest.mark.parametrize("name", ["models.yaml", "router.yaml", "prices.yaml"])
def test_files_that_are_no_configuration_at_all(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(BadConfig) as caught:
        load_config(folder)
    assert name in caught.value.title


def test_a_missing_file_and_a_folder_in_its_place(folder: Path) -> None:
    (folder / "router.yaml").unlink()
    with pytest.raises(BadConfig, match=r"router\.yaml cannot be read"):
        load_config(folder)
    (folder / "router.yaml").mkdir()
    with pytest.raises(BadConfig, match=r"router\.yaml cannot be read"):
        load_config(folder)


def test_an_empty_router_file_is_all_defaults(folder: Path) -> None:
    (folder / "router.yaml").write_text("")
    assert load_config(folder).router == RouterConfig()


def test_money_is_exact_to_the_last_digit(folder: Path) -> None:
    edit(folder, "prices.yaml", "input: 0.1", "input: 0.1000000000000000000000000001")
    assert str(load_config(folder).prices.models["gpt-6-luna"].input) == "0.1000000000000000000000000001"


def test_configuration_cannot_be_changed_by_accident() -> None:
    config = load_config(SHIPPED)
    with pytest.raises(Exception, match="frozen"):
        config.router.max_attempts = 9  # type: ignore[misc]


def test_a_policy_is_plain_data() -> None:
    policy = RedactionPolicy(actions={"EMAIL": "hash"}, default_action="keep")
    assert [policy.action(label) for label in ("EMAIL", "PHONE")] == ["hash", "keep"]


# --- the store -----------------------------------------------------------------------------------------------------


def test_a_good_edit_comes_into_force_and_is_told(folder: Path) -> None:
    store = ConfigStore(folder)
    told: list[Config] = []
    store.on_change(told.append)
    edit(folder, "router.yaml", "max_attempts: 3", "max_attempts: 4")
    assert store.reload().router.max_attempts == 4
    assert store.current.router.max_attempts == 4
    assert len(told) == 1
    store.reload()
    assert len(told) == 1


def test_a_bad_edit_keeps_the_old_one_and_says_why(folder: Path) -> None:
    store = ConfigStore(folder)
    before = store.current
    edit(folder, "router.yaml", "max_attempts: 3", "max_attempts: many")
    assert store.reload() is before
    assert store.current is before
    assert store.problem is not None
    assert "`max_attempts`" in store.problem.title
    assert store.status()["problem"] == store.problem.to_dict()
    edit(folder, "router.yaml", "max_attempts: many", "max_attempts: 2")
    assert store.reload().router.max_attempts == 2
    assert store.problem is None


def test_a_bad_file_beside_a_good_edit_keeps_everything(folder: Path) -> None:
    store = ConfigStore(folder)
    edit(folder, "router.yaml", "max_attempts: 3", "max_attempts: 4")
    edit(folder, "prices.yaml", "currency: USD", "currency: EUR")
    store.reload()
    assert store.current.router.max_attempts == 3


def test_only_changed_files_are_read_again(folder: Path) -> None:
    store = ConfigStore(folder)
    before = store.current
    assert store.reload_if_changed() is before
    edit(folder, "router.yaml", "max_attempts: 3", "max_attempts: 10")
    assert store.reload_if_changed().router.max_attempts == 10


def test_a_first_start_with_a_bad_file_says_so(folder: Path) -> None:
    edit(folder, "router.yaml", "version: 1", "versoin: 1")
    with pytest.raises(BadConfig, match="versoin"):
        ConfigStore(folder)


def test_saving_checks_first_keeps_copies_and_can_be_undone(folder: Path) -> None:
    store = ConfigStore(folder)
    text = store.text("router.yaml")
    with pytest.raises(BadConfig):
        store.save("router.yaml", text.replace("max_attempts: 3", "max_attempts: x"))
    assert store.text("router.yaml") == text
    store.save("router.yaml", text.replace("max_attempts: 3", "max_attempts: 5"))
    assert store.current.router.max_attempts == 5
    assert (folder / "router.yaml.1").read_text() == text
    store.undo("router.yaml")
    assert store.current.router.max_attempts == 3
    store.undo("router.yaml")
    assert store.current.router.max_attempts == 5


def test_no_other_file_is_reached_through_the_store(folder: Path) -> None:
    store = ConfigStore(folder)
    for name in ("../secrets", "credentials.json", "/etc/passwd", ""):
        with pytest.raises(NotFound):
            store.text(name)
        with pytest.raises(NotFound):
            store.save(name, "x")
    with pytest.raises(NotFound):
        store.undo("models.yaml")


def test_readers_see_whole_configurations_while_it_changes(folder: Path) -> None:
    store = ConfigStore(folder)
    text = store.text("router.yaml")
    seen: set[tuple[int, float]] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            router = store.current.router
            seen.add((router.max_attempts, router.deadline_s))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 6):
        changed = text.replace("max_attempts: 3", f"max_attempts: {number}")
        store.save("router.yaml", changed.replace("deadline_s: 120", f"deadline_s: {number * 10}"))
    done.set()
    reader.join()
    assert seen <= {(3, 120.0), *((number, number * 10.0) for number in range(1, 6))}
