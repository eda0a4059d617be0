"""A tiny random network learns, its adapter changes what it says, and the export is a file llama.cpp's reader takes.

Torch and gguf are optional (`pip install -e '.[training]'`); without them these tests are skipped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from local_models.training.build import own_examples
from local_models.training.tokens import pack

torch = pytest.importorskip("torch", reason="the training extra is not installed")


def small_set() -> dict[str, np.ndarray]:
    rows = [row for row in own_examples(1, 0.003) if row.task == "classify"][:24]
    return pack(rows, lambda text, _markup: [ord(letter) % 512 for letter in text])


@pytest.fixture(scope="module")
def trained() -> Any:
    from local_models.training.lora import AdaptedLlama, tiny_base
    from local_models.training.train import Plan, train

    torch.manual_seed(0)
    shape, tensors = tiny_base()
    model = AdaptedLlama(shape, tensors, rank=4, alpha=8.0)
    before = model(torch.arange(12)[None])
    losses = train(model, small_set(), Plan(epochs=6, tokens=4096, rate=2e-2, warm_up=2), say=lambda _line: None)
    return model, before, losses


def test_training_lowers_the_loss_and_touches_only_the_adapters(trained: Any) -> None:
    model, before, losses = trained
    assert len(losses) >= 12
    assert np.mean(losses[-4:]) < 0.8 * np.mean(losses[:4])
    assert not torch.allclose(before, model(torch.arange(12)[None]))
    from local_models.training.lora import tiny_base

    _, tensors = tiny_base()
    assert torch.equal(model.blocks[0].parts["attn_q"].weight, tensors["blk.0.attn_q.weight"])
    assert torch.equal(model.embedding, tensors["token_embd.weight"])


def test_an_untrained_adapter_changes_nothing() -> None:
    from local_models.training.lora import AdaptedLlama, tiny_base

    shape, tensors = tiny_base()
    one = AdaptedLlama(shape, tensors, rank=2, alpha=4.0)
    other = AdaptedLlama(shape, tensors, rank=8, alpha=64.0)
    ids = torch.arange(20)[None]
    assert torch.allclose(one(ids), other(ids))


def test_later_tokens_do_not_change_earlier_ones() -> None:
    from local_models.training.lora import AdaptedLlama, tiny_base

    model = AdaptedLlama(*tiny_base())
    long, short = torch.arange(20)[None], torch.arange(10)[None]
    assert torch.allclose(model(long)[:, :10], model(short), atol=1e-5)


def test_time_limit_ends_training() -> None:
    from local_models.training.lora import AdaptedLlama, tiny_base
    from local_models.training.train import Plan, train

    ticks = iter(range(10_000))
    plan = Plan(epochs=50, tokens=2048, minutes=0.1)
    losses = train(AdaptedLlama(*tiny_base()), small_set(), plan, say=lambda _l: None, clock=lambda: float(next(ticks)))
    assert len(losses) < 10


def test_the_export_is_a_gguf_adapter(trained: Any, tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf", reason="the training extra is not installed")
    from local_models.training.train import export

    model, _, _ = trained
    path = tmp_path / "adapter.gguf"
    export(model, path)
    reader = gguf.GGUFReader(str(path))
    assert reader.fields["adapter.type"].contents() == "lora"
    assert reader.fields["adapter.lora.alpha"].contents() == 8.0
    written = {tensor.name: tensor for tensor in reader.tensors}
    assert len(written) == 2 * 7 * 2
    stored = np.asarray(written["blk.1.ffn_up.weight.lora_b"].data, dtype=np.float32)
    assert stored.shape == (64, 4)
    assert np.allclose(stored, model.adapters()["blk.1.ffn_up.weight.lora_b"].astype(np.float32))


def test_a_second_round_starts_where_the_first_ended(trained: Any, tmp_path: Path) -> None:
    pytest.importorskip("gguf", reason="the training extra is not installed")
    from local_models.training.lora import AdaptedLlama, read_adapter, tiny_base
    from local_models.training.train import export

    model, _, _ = trained
    export(model, tmp_path / "adapter.gguf")
    matrices = read_adapter(tmp_path / "adapter.gguf")
    again = AdaptedLlama(*tiny_base(), rank=4, alpha=8.0)
    again.load_adapters(matrices)
    ids = torch.arange(12)[None]
    assert torch.allclose(model(ids), again(ids), atol=2e-2)
    with pytest.raises(ValueError, match="lora_a of attn_q"):
        AdaptedLlama(*tiny_base(), rank=8, alpha=8.0).load_adapters(matrices)
    with pytest.raises(KeyError):
        again.load_adapters({})
