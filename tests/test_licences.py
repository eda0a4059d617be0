"""What runs with the product and under which licence: nothing that would bind its users' own code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from local_models.lockfile import load_lock

PROJECT = Path(__file__).resolve().parents[1]
WEAK_COPYLEFT = {"certifi": "MPL-2.0", "orjson": "MPL-2.0 AND (Apache-2.0 OR MIT)"}
PERMISSIVE = re.compile(
    r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|Zlib|0BSD|Unlicense|HPND|CC0|Public Domain|MPL|Mozilla", re.I
)
BINDING = re.compile(r"\b[AL]?GPL|GNU (Lesser |Affero )?General Public|Affero|SSPL|Commons.Clause|BUSL|Elastic", re.I)


def locked(file: str = "requirements.lock") -> dict[str, str]:
    """The pinned packages that belong on this machine: name -> version."""
    found = {}
    for line in (PROJECT / file).read_text().splitlines():
        if "==" in line and not line.startswith((" ", "#")):
            requirement = Requirement(line.rstrip("\\").strip())
            if requirement.marker is None or requirement.marker.evaluate():
                found[requirement.name] = str(requirement.specifier).removeprefix("==")
    return found


def licence(package: Distribution) -> str:
    """What the package says of itself: SPDX expression, else classifiers, else the licence field's first line."""
    told = package.metadata
    if expression := told.get("License-Expression"):
        return expression
    classified = [one.split("::")[-1].strip() for one in told.get_all("Classifier") or [] if one.startswith("License")]
    named = [one for one in classified if one != "OSI Approved"]
    return " OR ".join(named) or (told.get("License") or "").strip().split("\n")[0]


def runtime() -> list[Distribution]:
    found = []
    for name in locked():
        try:
            found.append(distribution(name))
        except PackageNotFoundError:
            pytest.fail(f"{name} is locked but not installed")
    return found


def test_nothing_at_run_time_binds_its_users() -> None:
    wrong = {}
    for package in runtime():
        said = licence(package)
        free_choice = re.search(r"\bOR\b", said) and any(
            PERMISSIVE.search(part) and not BINDING.search(part) for part in re.split(r"\bOR\b", said)
        )
        if (BINDING.search(said) and not free_choice) or not PERMISSIVE.search(said):
            wrong[package.metadata["Name"]] = said
    assert wrong == {}


def test_weak_copyleft_is_listed() -> None:
    found = {package.metadata["Name"].lower() for package in runtime() if re.search("MPL|Mozilla", licence(package))}
    assert found <= set(WEAK_COPYLEFT)
    notice = (PROJECT / "NOTICE").read_text()
    for name in found:
        assert name in notice, f"NOTICE does not name {name} (MPL-2.0)"


def test_the_project_is_apache() -> None:
    assert "Apache License" in (PROJECT / "LICENSE").read_text()[:300]
    assert 'license = "Apache-2.0"' in (PROJECT / "pyproject.toml").read_text()


def test_what_is_downloaded_and_what_ships_has_a_permissive_licence_and_is_named() -> None:
    notice = (PROJECT / "NOTICE").read_text()
    lock = load_lock()
    assert lock.default_model.licence in {"Apache-2.0", "MIT"}
    assert lock.default_model.id.split("-")[0].lower() in notice.lower()
    for shipped in ("lancelot-utility-lora.gguf", "scorer.npz", "tagger.npz"):
        assert shipped in notice, f"NOTICE does not say where {shipped} comes from"


def test_the_bill_of_materials_lists_every_package(tmp_path: Path) -> None:
    target = tmp_path / "sbom.json"
    subprocess.run(["bash", "scripts/sbom.sh", str(target)], cwd=PROJECT, check=True, capture_output=True, timeout=100)
    bill = json.loads(target.read_text())
    assert bill["bomFormat"] == "CycloneDX"
    names = {part["name"].lower().replace("_", "-") for part in bill["components"]}
    assert {name.lower().replace("_", "-") for name in locked()} <= names
    assert sys.executable  # the tool is this environment's own
