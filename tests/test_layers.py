"""Who may import whom: nothing upward, no circle, and each big library in its own corner."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
PACKAGES = ("lancelot", "local_models", "console")

# the longest matching prefix counts
FLOORS = {
    "local_models": 0,
    "lancelot.errors": 0,
    "lancelot.settings": 1,
    "lancelot.exposure": 1,
    "lancelot.logs": 1,
    "lancelot.moments": 1,
    "lancelot.files": 1,
    "lancelot.filediff": 1,
    "lancelot.config_yaml": 1,
    "lancelot.config_models": 1,
    "lancelot.config_prices": 1,
    "lancelot.config_router": 1,
    "lancelot.config_edit": 1,
    "lancelot.config": 1,
    "lancelot.changes": 2,
    "lancelot.chat": 1,
    "lancelot.credentials": 2,
    "lancelot.guesses": 1,
    "lancelot.health": 1,
    "lancelot.keys": 2,
    "lancelot.admission": 2,
    "lancelot.brain": 2,
    "lancelot.store.database": 2,
    "lancelot.comms": 2,
    "lancelot.redaction": 3,
    "lancelot.store": 3,
    "lancelot.providers.framing": 1,
    "lancelot.providers.line": 1,
    "lancelot.providers": 4,
    "lancelot.approvals": 4,
    "lancelot.routing": 5,
    "lancelot.repair": 5,
    "lancelot.repricing": 5,
    "lancelot.analysis": 5,
    "lancelot.demo": 5,
    "lancelot.sealed_keys": 2,
    "lancelot.backup": 5,
    "lancelot.upkeep": 5,
    "lancelot.costs": 6,
    "lancelot.onboarding": 6,
    "lancelot.filecheck": 6,
    "lancelot.doctor": 6,
    "lancelot.mending": 6,
    "lancelot.local_model": 7,
    "lancelot.notices": 7,
    "lancelot.metrics": 7,
    "lancelot.services": 7,
    "lancelot.api": 8,
    "lancelot.cli": 8,
    "lancelot.__main__": 8,
    "console.session": 8,
    "console.widgets": 8,
    "console.charts": 8,
    "console.tables": 8,
    "console.events": 8,
    "console": 9,
    "lancelot": 9,  # the package itself names the public surface
}

# library -> the only places that may import it
CORNERS = {
    "streamlit": ("console",),
    "duckdb": ("lancelot.store.database", "lancelot.analysis"),
    "llama_cpp": ("local_models",),
    "fastapi": ("lancelot.api", "local_models.service", "console.streamlit_app"),
}


def modules() -> dict[str, Path]:
    found = {}
    for package in PACKAGES:
        for path in sorted((PROJECT / package).rglob("*.py")):
            parts = path.relative_to(PROJECT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def floor(module: str) -> int:
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        prefix = ".".join(parts[:length])
        if prefix in FLOORS and (prefix != "lancelot" or module == "lancelot"):
            return FLOORS[prefix]
    raise AssertionError(f"{module} has no floor: add it to FLOORS")


def imports(path: Path) -> Iterator[str]:
    """Every module a file imports, at any depth of the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative imports hide the floor"
            for name in node.names:
                whole = f"{node.module}.{name.name}"
                yield whole if whole in MODULES else str(node.module)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_nothing_imports_upward(module: str) -> None:
    own = floor(module)
    for imported in imports(MODULES[module]):
        if imported.split(".")[0] in PACKAGES:
            assert floor(imported) <= own, f"{module} (floor {own}) imports {imported} (floor {floor(imported)})"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_one_floor_is_one_package(module: str) -> None:
    """Modules on one floor import each other only inside one package, in the order of the table."""
    order = list(FLOORS)
    for imported in imports(MODULES[module]):
        if imported.split(".")[0] in PACKAGES and floor(imported) == floor(module):
            mine, theirs = group(module), group(imported)
            assert mine == theirs or order.index(theirs) < order.index(mine), f"{module} imports {imported}"


def group(module: str) -> str:
    """The row of the table a module belongs to."""
    parts = module.split(".")
    return next(p for n in range(len(parts), 0, -1) if (p := ".".join(parts[:n])) in FLOORS)


def test_no_circles() -> None:
    graph = {
        module: {name for name in imports(path) if name in MODULES and name != module}
        for module, path in MODULES.items()
    }
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join([*way[way.index(module) :], module])
        if module not in done:
            for following in sorted(graph[module]):
                visit(following, (*way, module))
            done.add(module)

    for module in sorted(graph):
        visit(module, ())


@pytest.mark.parametrize("library", sorted(CORNERS))
def test_libraries_stay_in_their_corner(library: str) -> None:
    for module, path in MODULES.items():
        if any(name.split(".")[0] == library for name in imports(path)):
            assert any(module == place or module.startswith(place + ".") for place in CORNERS[library]), module


def test_the_local_model_knows_nothing_of_lancelot() -> None:
    for module, path in MODULES.items():
        if module.startswith("local_models"):
            assert not any(name.split(".")[0] in ("lancelot", "console") for name in imports(path)), module


def test_no_console_file_bears_the_name_of_a_standard_module() -> None:
    import sys

    for module, path in MODULES.items():
        if module.startswith("console."):
            assert path.stem == "__init__" or path.stem not in sys.stdlib_module_names, module
