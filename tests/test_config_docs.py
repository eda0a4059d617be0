"""docs/configuration.md is what the classes say, and every key has its meaning."""

from __future__ import annotations

import importlib.util
import re
from types import ModuleType

import pytest
from pydantic import BaseModel

from lancelot.config import FILES
from lancelot.settings import project_dir


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = project_dir() / "scripts" / "make_config_docs.py"
    spec = importlib.util.spec_from_file_location("make_config_docs", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_current(script: ModuleType) -> None:
    page = (project_dir() / "docs" / "configuration.md").read_text("utf-8")
    assert page == script.render(), "run python scripts/make_config_docs.py"


@pytest.mark.parametrize("name", list(FILES))
def test_every_key_has_a_meaning(script: ModuleType, name: str) -> None:
    model: type[BaseModel] = FILES[name]
    for part in [model, *script._nested(model, [])]:
        silent = set(part.model_fields) - set(script.meanings(part))
        assert not silent, f"{part.__name__} says nothing of {silent}"


def test_every_link_leads_somewhere(script: ModuleType) -> None:
    page = script.render()
    headings = {line.lstrip("# ").lower() for line in page.splitlines() if line.startswith("#")}
    assert set(re.findall(r"\]\(#([a-z]+)\)", page)) <= headings
