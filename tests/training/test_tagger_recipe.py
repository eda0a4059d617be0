"""The recipe's export writes what the product reads."""

from __future__ import annotations

import importlib.util
import lzma
import sys
from pathlib import Path
from types import ModuleType

import numpy as np

from lancelot.redaction.names import Tagger, weights_path

RECIPE = Path(__file__).resolve().parents[2] / "training" / "tagger"
TABLES = {"W": (1 << 15, 64), "P3": (1 << 13, 32), "S3": (1 << 13, 32), "P4": (1 << 13, 32), "S2": (1 << 13, 32)}
TABLES["SH"] = (1 << 11, 32)


def _export() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tagger_recipe_export", RECIPE / "export.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_an_exported_model_runs(tmp_path: Path) -> None:
    export = _export()
    dice = np.random.default_rng(1)
    model = {f"tables.{name}.weight": dice.normal(size=shape).astype(np.float32) for name, shape in TABLES.items()}
    model |= {
        "into.weight": dice.normal(size=(128, 64 + 160 + 17)),
        "into.bias": np.zeros(128),
        "gap.weight": np.zeros((4, 128)),
    }
    for i in range(5):
        model |= {f"layers.{i}.weight": dice.normal(size=(256, 384)) / 20, f"layers.{i}.bias": np.zeros(256)}
    model |= {"out.weight": np.zeros((10, 128)), "out.bias": np.eye(10)[1] * 9}
    lexicon = lzma.compress(b"0anna\t1\n2dy\t10")
    arrays = export.packed({name: value.astype(np.float32) for name, value in model.items()}, lexicon, 0.0)
    path = tmp_path / "made.npz"
    np.savez_compressed(path, **arrays)
    # Every token scores highest for class 1, a person.
    assert [span.label for span in Tagger(path).find("Qwzx Vbnm")] == ["PERSON"]


def test_the_shipped_lexicon_is_of_the_recipes_form() -> None:
    with np.load(weights_path()) as file:
        lexicon = _export().read_lexicon(file["lex"].tobytes())
    assert len(lexicon) > 200_000
    assert lexicon["anna"] & 1
    assert max(lexicon.values()) < 1 << 17
