"""llama.cpp's C API as three small objects: Weights (tensors and tokenizer), Adapter, Context (KV cache and decode).

Everything here is single-threaded by contract: the engine's own thread is the only caller of a Context.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import importlib.metadata
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from local_models.errors import BadTask, BadWeights, EngineFailed, NotInstalled
from local_models.memory import give_back_soon, let_go

__all__ = ["Adapter", "CacheFull", "Context", "Logits", "Slot", "Weights", "lib", "library_version", "silence"]


class _Library:
    """The generated bindings, loaded at first use.

    Before that, OpenMP is told to spin 1000 turns at barriers, not 300,000: on a machine whose cores are busy with
    something else, long spinning makes a pass 5 to 40 times slower, and with 300 turns threads sleep between any two
    matrices. The policy `active` keeps the 1000 where two threads of the process have computed, which otherwise count
    as a crowd and spin 100 turns. All of it measured, see docs/decisions/0040.
    """

    def __getattr__(self, name: str) -> Any:
        if "GOMP_SPINCOUNT" not in os.environ:
            os.environ["GOMP_SPINCOUNT"] = "1000"
            os.environ.setdefault("OMP_WAIT_POLICY", "active")
        found = getattr(importlib.import_module("llama_cpp.llama_cpp"), name)
        setattr(self, name, found)
        return found


lib: Any = _Library()
KV_TYPES = {"f16": 1, "bf16": 30}  # ggml's numbers
Logits = npt.NDArray[np.float32]


class CacheFull(EngineFailed):
    """The KV cache has no room for a batch; something has to be forgotten first."""

    code = "cache_full"


@functools.cache
def silence() -> Any:
    """Initialise llama.cpp once and silence its log, which would print to standard error."""

    def discard(_level: int, _text: bytes, _user: Any) -> None:
        return None

    callback = lib.llama_log_callback(discard)
    lib.llama_log_set(callback, None)
    lib.llama_backend_init()
    return callback  # kept alive by the cache: the library calls it for ever


def library_version() -> str:
    """The llama.cpp binding's version: what tuned results depend on beside the CPU."""
    return importlib.metadata.version("llama-cpp-python")


class Weights:
    """One GGUF file in memory, with its tokenizer.

    Raises:
        NotInstalled: there is no such file.
        BadWeights: llama.cpp cannot load it.
    """

    def __init__(self, path: Path) -> None:
        silence()
        give_back_soon()
        self.path = path
        if not path.is_file():
            raise NotInstalled(f"The weights file {path.name} is not there.")
        params = lib.llama_model_default_params()
        params.n_gpu_layers = 0
        params.load_mode = lib.LLAMA_LOAD_MODE_MMAP  # and what was packed anew is let go below
        self.model = lib.llama_model_load_from_file(str(path).encode(), params)
        if not self.model:
            raise BadWeights(f"{path.name} is not a model that can be loaded.")
        let_go(path)
        self.vocab = lib.llama_model_get_vocab(self.model)
        self.vocab_size: int = lib.llama_vocab_n_tokens(self.vocab)
        self.trained_context: int = lib.llama_model_n_ctx_train(self.model)
        self.bytes: int = lib.llama_model_size(self.model)
        self._pieces: dict[int, bytes] = {}

    def tokens(self, text: str, *, special: bool = False) -> list[int]:
        """Token ids without BOS; special=True lets `<|im_end|>` and its like become control tokens."""
        raw = text.encode("utf-8", "replace")
        room = len(raw) + 8
        buffer = (lib.llama_token * room)()
        count = lib.llama_tokenize(self.vocab, raw, len(raw), buffer, room, False, special)
        if count < 0:
            raise BadTask("The text cannot be read.", hint="Send plain text.")
        return [int(token) for token in buffer[:count]]

    def piece(self, token: int) -> bytes:
        """The bytes a token stands for; control tokens are empty. May be part of a UTF-8 character."""
        known = self._pieces.get(token)
        if known is None:
            buffer = ctypes.create_string_buffer(256)
            count = lib.llama_token_to_piece(self.vocab, token, buffer, 256, 0, False)
            known = self._pieces[token] = buffer.raw[: max(count, 0)]
        return known

    def ends(self, token: int) -> bool:
        """Whether a token ends the answer (`<|im_end|>`, end of text)."""
        return bool(lib.llama_vocab_is_eog(self.vocab, token))

    def text(self, tokens: Sequence[int]) -> str:
        """The text of tokens; broken UTF-8 at the end is dropped."""
        return b"".join(map(self.piece, tokens)).decode("utf-8", "ignore")

    def close(self) -> None:
        """Free the tensors; contexts on them must be closed before."""
        if self.model:
            lib.llama_model_free(self.model)
            self.model = None


class Adapter:
    """A LoRA adapter loaded for some Weights; freed together with them."""

    def __init__(self, weights: Weights, path: Path) -> None:
        self.handle = lib.llama_adapter_lora_init(weights.model, str(path).encode())
        if not self.handle:
            raise BadWeights(f"The adapter {path.name} does not fit these weights.")


@dataclass(slots=True)
class Slot:
    """One token of a forward pass: where it stands and whether its logits are wanted."""

    token: int
    position: int
    sequence: int
    wanted: bool


class Context:
    """A KV cache of `cells` tokens shared by up to `sequences` sequences, and the decode that fills it.

    Sequences share cells: copying one costs no memory and no computation. `width` is the most tokens of one pass.
    threads_one: threads of a pass of one single token, which is bound by memory, not by arithmetic; 0: as the others.
    half: numbers of the cache, "f16" or "bf16". Which is faster is a matter of the pass, see pair.py.
    """

    def __init__(
        self,
        weights: Weights,
        *,
        cells: int,
        sequences: int,
        width: int,
        threads: int,
        threads_one: int = 0,
        half: str = "f16",
        adapter: Adapter | None = None,
    ) -> None:
        params = lib.llama_context_default_params()
        params.n_ctx = cells
        params.n_batch = params.n_ubatch = width
        params.n_seq_max = sequences
        params.n_threads, params.n_threads_batch = threads_one or threads, threads
        params.kv_unified = True
        params.flash_attn_type = lib.LLAMA_FLASH_ATTN_TYPE_ENABLED
        params.type_k = params.type_v = KV_TYPES[half]
        params.offload_kqv = False
        params.no_perf = True
        self.weights = weights
        self.handle = lib.llama_init_from_model(weights.model, params)
        if not self.handle:
            raise EngineFailed("There is not enough memory for the model.", hint="Free some memory.", code="no_memory")
        self.cells, self.sequences, self.width = cells, sequences, width
        if adapter is not None:
            scales = (ctypes.c_float * 1)(1.0)
            handles = (lib.llama_adapter_lora_p_ctypes * 1)(
                ctypes.cast(adapter.handle, lib.llama_adapter_lora_p_ctypes)
            )
            if lib.llama_set_adapters_lora(self.handle, handles, 1, scales) != 0:
                raise BadWeights("The adapter cannot be applied to these weights.")
        self._memory = lib.llama_get_memory(self.handle)
        self._batch = lib.llama_batch_init(width, 0, 1)
        self._vocab_size = weights.vocab_size

    def decode(self, slots: Sequence[Slot]) -> list[Logits | None]:
        """One forward pass over at most `width` tokens: a copy of the logits for each wanted token, None for others.

        Raises:
            CacheFull: the cache has no room; nothing was evaluated.
            EngineFailed: the library could not evaluate the batch.
        """
        batch = self._batch
        for index, slot in enumerate(slots):
            batch.token[index] = slot.token
            batch.pos[index] = slot.position
            batch.n_seq_id[index] = 1
            batch.seq_id[index][0] = slot.sequence
            batch.logits[index] = slot.wanted
        batch.n_tokens = len(slots)
        outcome = lib.llama_decode(self.handle, batch)
        if outcome == 1:
            raise CacheFull
        if outcome != 0:
            raise EngineFailed("The model could not evaluate the text.", code="decode_failed")
        return [self._row(index) if slot.wanted else None for index, slot in enumerate(slots)]

    def _row(self, index: int) -> Logits:
        pointer = lib.llama_get_logits_ith(self.handle, index)
        return np.ctypeslib.as_array(pointer, shape=(self._vocab_size,)).copy()

    def copy(self, source: int, target: int, length: int) -> None:
        """Let target share the first `length` tokens of source."""
        lib.llama_memory_seq_cp(self._memory, source, target, 0, length)

    def cut(self, sequence: int, start: int = 0) -> None:
        """Forget a sequence's tokens from position start on."""
        lib.llama_memory_seq_rm(self._memory, sequence, start, -1)

    def close(self) -> None:
        """Free cache and buffers."""
        if self.handle:
            lib.llama_batch_free(self._batch)
            lib.llama_free(self.handle)
            self.handle = None
