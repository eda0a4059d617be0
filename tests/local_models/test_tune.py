"""Tuning: the fastest format that loses nothing wins, is remembered, and is forgotten when the machine changes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from local_models.choice import Choice, choose_weights, cpu_name, needs_tuning, remembered
from local_models.errors import BadWeights, Busy, EngineFailed
from local_models.gguf import GgufFile
from local_models.leftovers import clear_leftovers, merged_file, tuning_lock
from local_models.llama import Weights
from local_models.measure import Speed, measure
from local_models.merge import convert, merge
from local_models.tune import Maker, TuneReport, tune
from local_models.tune_events import Judged, Measured, Step, TuneEvent, in_words, to_dict
from tests.weights import installed_adapter, installed_weights

SPEEDS = {
    "as-is": Speed(300, 80),
    "Q4_0": Speed(1200, 150),
    "Q4_0-BF16": Speed(450, 110),
    "Q8_0": Speed(500, 120),
    "BF16": Speed(200, 60),
}
GOOD = {"classify": 0.9, "redact": 0.9}


class FakeMaker(Maker):
    """Files with a name in them."""

    def __init__(self, broken: str = "") -> None:
        self.broken = broken

    def merge(self, source: Path, adapter: Path, target: Path) -> None:
        target.write_bytes(b"merged")

    def convert(self, source: Path, target: Path, form: str) -> None:
        if form == self.broken:
            raise EngineFailed("It cannot be converted.")
        target.write_bytes(source.read_bytes()[:6] + form.encode())


@pytest.fixture
def original(tmp_path: Path) -> Path:
    path = tmp_path / "model.Q4_1.gguf"
    path.write_bytes(b"original file")
    (tmp_path / "adapter.gguf").write_bytes(b"adapter")
    return path


def adapter_of(original: Path) -> Path:
    return original.parent / "adapter.gguf"


def tuned(original: Path, scores: Mapping[str, Mapping[str, float]] | None = None, **more: object) -> TuneReport:
    def check(choice: Choice) -> Mapping[str, float]:
        return (scores or {}).get(choice.format, GOOD)

    terms: dict[str, object] = {"maker": FakeMaker(), "speed": lambda choice: SPEEDS[choice.format]}
    terms |= {"check": check, "confirm": check} | more
    return tune(original, adapter_of(original), **terms)  # type: ignore[arg-type]


def test_the_fastest_wins_and_the_others_are_deleted(original: Path) -> None:
    told: list[TuneEvent] = []
    report = tuned(original, progress=told.append)
    assert report.winner == "Q4_0"
    assert {trial.format: trial.verdict for trial in report.formats} == {
        "as-is": "slower",
        "Q4_0": "chosen",
        "Q4_0-BF16": "slower",
        "Q8_0": "slower",
        "BF16": "slower than as-is",
    }
    names = sorted(path.name for path in original.parent.iterdir())
    assert names == [
        ".tuning.lock",
        "adapter.gguf",
        "model.Q4_1.chat.Q4_0.gguf",
        "model.Q4_1.gguf",
        "model.Q4_1.utility.Q4_0.gguf",
        "tuned.json",
    ]
    assert (original.parent / "model.Q4_1.utility.Q4_0.gguf").read_bytes() == b"mergedQ4_0"
    assert (original.parent / "model.Q4_1.chat.Q4_0.gguf").read_bytes().startswith(b"origin")
    assert told[0] == Step("measure", "the file as downloaded")
    assert Measured("Q4_0", 1200, 150, len(b"mergedQ4_0")) in told
    assert Step("check", "Q4_0") in told
    assert told[-2:] == [Judged("Q4_0", GOOD, "holds"), Step("keep", "Q4_0")]
    assert all(in_words(event) and to_dict(event)["event"] for event in told)
    assert json.loads((original.parent / "tuned.json").read_text())["winner"] == "Q4_0"


def test_a_format_that_loses_more_than_three_points_on_a_task_does_not_win(original: Path) -> None:
    report = tuned(original, {"Q4_0": {"classify": 0.95, "redact": 0.86}})
    assert report.winner == "Q8_0"
    assert {trial.format: trial.verdict for trial in report.formats}["Q4_0"] == "loses quality: redact -0.04"
    assert tuned(original, {"Q4_0": {"classify": 0.87, "redact": 0.9}}).winner == "Q4_0"


def test_the_full_exam_has_the_last_word(original: Path) -> None:
    asked: list[str] = []

    def confirm(choice: Choice) -> Mapping[str, float]:
        asked.append(choice.format)
        return {"Q4_0": {"classify": 0.8, "redact": 0.9}}.get(choice.format, GOOD)

    report = tuned(original, confirm=confirm)
    assert report.winner == "Q8_0"
    assert asked == ["as-is", "Q4_0", "Q8_0"], "the reference is taken once"
    assert {trial.format: trial.verdict for trial in report.formats}["Q4_0"] == "loses quality: classify -0.10"
    assert (original.parent / str(report.chat_file)).name == "model.Q4_1.chat.Q4_0.gguf", "chat may stay small and fast"


def test_the_original_stays_where_nothing_is_better(original: Path) -> None:
    bad = {"classify": 0.1, "redact": 0.1}
    report = tuned(original, {"Q4_0": bad, "Q4_0-BF16": bad, "Q8_0": bad})
    assert (report.winner, report.file, report.formats[0].verdict) == ("as-is", None, "chosen")
    adapter = adapter_of(original)
    assert choose_weights(original, adapter) == Choice(original, adapter, None, "as-is")
    assert not needs_tuning(original, adapter_of(original))
    assert not list(original.parent.glob("*.utility.*"))


def test_a_format_that_cannot_be_made_is_passed_over(original: Path) -> None:
    report = tuned(original, maker=FakeMaker("Q4_0"))
    assert report.winner == "Q8_0"
    assert report.formats[1].verdict == "failed: It cannot be converted."


def test_the_choice_holds_for_this_cpu_library_and_file_only(original: Path) -> None:
    adapter = adapter_of(original)
    assert needs_tuning(original, adapter_of(original))
    assert choose_weights(original, adapter).format == "as-is"
    tuned(original)
    chosen = choose_weights(original, adapter)
    assert (chosen.format, chosen.adapter, chosen.weights.name) == ("Q4_0", None, "model.Q4_1.utility.Q4_0.gguf")
    assert chosen.chat_weights is not None
    told = original.parent / "tuned.json"
    kept = json.loads(told.read_text())
    for change in ({"cpu": "another"}, {"library": "0.0.1"}, {"original_bytes": 1}):
        told.write_text(json.dumps(kept | change))
        assert needs_tuning(original, adapter_of(original))
        assert choose_weights(original, adapter).format == "as-is"
    told.write_text(json.dumps(kept))
    adapter.write_bytes(b"a later adapter")
    assert needs_tuning(original, adapter)
    assert choose_weights(original, adapter).format == "as-is", "the merged weights hold the earlier one"
    adapter.write_bytes(b"adapter")
    assert choose_weights(original, adapter).format == "Q4_0"
    chosen.weights.unlink()
    assert choose_weights(original, adapter).format == "as-is"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"winner": "Q4_0"}', '{"formats": 3}'])
def test_a_damaged_memory_is_no_memory(original: Path, content: str) -> None:
    (original.parent / "tuned.json").write_text(content)
    assert remembered(original) is None
    assert needs_tuning(original, adapter_of(original))


def test_the_cpu_is_named_by_what_matters() -> None:
    assert cpu_name() == cpu_name()
    assert "cores" in cpu_name()


def test_a_file_that_is_not_gguf_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    for content in (b"", b"GGUF", b"GGUF" + b"\x03\0\0\0" + b"\x01" * 40, b"ZIP!" * 10):
        path.write_bytes(content)
        with pytest.raises(BadWeights):
            GgufFile(path)


@pytest.mark.real_model
@pytest.mark.xdist_group("real_model")
@pytest.mark.timeout(300)
def test_the_adapter_is_merged_exactly(tmp_path: Path) -> None:
    """Spot check against the definition: W + alpha / rank x B A."""
    convert(installed_weights(), tmp_path / "plain.gguf", "F16")
    assert merge(installed_weights(), installed_adapter(), tmp_path / "merged.gguf") == 210
    plain, merged, lora = (
        GgufFile(path) for path in (tmp_path / "plain.gguf", tmp_path / "merged.gguf", installed_adapter())
    )
    for name in ("blk.0.attn_q.weight", "blk.29.ffn_down.weight"):
        delta = 2.0 * (lora.array(f"{name}.lora_b").astype("f4") @ lora.array(f"{name}.lora_a").astype("f4"))
        difference = merged.array(name).astype("f4") - plain.array(name).astype("f4")
        assert abs(difference - delta).max() < 0.002
        assert abs(delta).max() > 0.01
    convert(tmp_path / "merged.gguf", tmp_path / "small.gguf", "Q4_0-BF16", threads=1)
    kinds = {name: tensor.kind for name, tensor in GgufFile(tmp_path / "small.gguf").tensors.items()}
    assert (kinds["blk.3.attn_q.weight"], kinds["blk.3.ffn_down.weight"], kinds["blk.3.ffn_up.weight"]) == (30, 30, 2)
    speed = measure(tmp_path / "small.gguf", seconds=0.2, threads=1)
    assert speed.prefill_tps > 0
    assert speed.cost > 0
    assert Weights(tmp_path / "small.gguf").vocab_size == 49152
    assert sorted(path.name for path in tmp_path.iterdir()) == ["merged.gguf", "plain.gguf", "small.gguf"]
    with pytest.raises(BadWeights, match="not a LoRA"):
        merge(installed_weights(), installed_weights(), tmp_path / "none.gguf")


def cut_off(original: Path) -> None:
    """A tuning in a process of its own, killed for certain while the candidates lie there."""
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from tests.local_models.test_tune import FakeMaker, SPEEDS, adapter_of\n"
        "from local_models.tune import tune\n"
        "original = Path(sys.argv[1])\n"
        "def hang(choice):\n"
        "    original.with_name(f'..{original.stem}.utility.Q8_0.gguf.7.tmp').write_bytes(b'half')\n"
        "    print('killed', flush=True)\n"
        "    sys.stdin.read()\n"
        "tune(original, adapter_of(original), check=hang, speed=lambda c: SPEEDS[c.format], maker=FakeMaker())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(original)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"killed\n"
        with pytest.raises(Busy), tuning_lock(original):
            pass
        assert clear_leftovers(original) == 0  # somebody is at work
        child.kill()


@pytest.mark.parametrize("again", ["the service starts", "tuning"])
def test_what_a_killed_tuning_leaves_goes_away(original: Path, again: str) -> None:
    tuned(original)
    before = sorted(path.name for path in original.parent.iterdir())
    part = original.with_name(f".{original.name}.part")
    part.write_bytes(b"a download under way")
    cut_off(original)
    assert merged_file(original).exists()
    assert len(list(original.parent.glob("*.utility.*.gguf"))) == 4
    assert list(original.parent.glob("..*.tmp"))
    if again == "tuning":
        tuned(original)
    else:
        assert clear_leftovers(original) > 0
    assert sorted(path.name for path in original.parent.iterdir()) == sorted([*before, part.name])
    assert choose_weights(original, adapter_of(original)).format == "Q4_0"
