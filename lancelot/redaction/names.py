"""Names, places, dates, user names and identifiers that no pattern can tell: a small convolutional tagger, numpy alone.

A token is a run of letters and digits, a run of underscores, or one sign. Each is described by hashed features (the
lower-cased word twice, prefixes, suffixes, its shape) and by 17 lexicon bits, mapped to 128 numbers, passed through
five gated residual convolutions that see 33 tokens around it, and given one of ten classes. Tokens of one class that
stand together are one span.

The weights are a data file beside this module, read at first use and refused when its checksum differs. Loading takes
about half a second and 75 MB; a text of 150 characters about half a millisecond.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import re
import threading
import unicodedata
import zipfile
import zlib
from collections import deque
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lancelot.errors import RedactionFailed
from lancelot.redaction.blas import single_threaded
from lancelot.redaction.doubts import EXTENDED, addressed, believable, extend
from lancelot.redaction.everyday import without_everyday_ends
from lancelot.redaction.labels import Span
from lancelot.redaction.sentences import sentences

__all__ = ["WEIGHTS_SHA256", "Tagger", "fold", "tokenize", "weights_path", "word_features", "word_shape"]

WEIGHTS_SHA256 = "a0ee759d896b54d1b4af6fd51573b867990e05503157ff37ab091cce7b89a98e"

Floats = npt.NDArray[np.float32]

_CLASSES = ("", "PERSON", "LOCATION", "ORG", "DATE", "USERNAME", "ID", "PHONE", "SECRET", "")
_PERSON, _LOCATION, _ORG, _FORMAL = 1, 2, 3, 9
_TABLES = ("W", "P3", "S3", "P4", "S2", "SH")
_LEXICON_BITS = 17
_WORD_ROWS, _AFFIX_ROWS, _SHAPE_ROWS = 1 << 15, 1 << 13, 1 << 11
_TOKEN = re.compile(r"([^\W_]+|_+|[^\w\s])")
_DIGITS_TO_ZERO = str.maketrans("123456789", "000000000")
# Windows for long texts: this many tokens at once, this many of them shared with each neighbour.
_WINDOW, _OVERLAP = 448, 24
_CACHED_WORDS = 60_000


def weights_path() -> Path:
    """Where the shipped weights lie."""
    return Path(__file__).with_name("tagger.npz")


def fold(word: str) -> str:
    """The word without accents; lower-case it first."""
    if word.isascii():
        return word
    return "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c)) or word


def word_shape(word: str) -> str:
    """A short picture of a token: years, days and numbers by size, else runs of X, x, d with a length class."""
    if word.isdecimal():
        if len(word) == 4:
            return "Y" if word[:2] in ("19", "20") else "d4"
        if len(word) <= 2:
            value = int(word)
            return "m" if 0 < value <= 12 else "D" if 0 < value <= 31 else "d2"
        return f"d{min(len(word), 12)}"
    picture: list[str] = []
    last, run = "", 0
    for c in word[:24]:
        kind = "d" if c.isdigit() else "X" if c.isupper() else "x" if c.islower() else "o" if c.isalpha() else c
        run = run + 1 if kind == last else 1
        last = kind
        if run <= 2:
            picture.append(kind)
    size = len(word)
    return "".join(picture) + str(size if size < 4 else 4 if size < 8 else 8 if size < 14 else 14)


def word_features(word: str, lexicon: dict[str, int]) -> tuple[int, ...]:
    """Row numbers of the word (two hashes), prefix 3, suffix 3, prefix 4, suffix 2 and shape, and its lexicon bits."""
    plain = fold(word.lower())
    digits = plain.translate(_DIGITS_TO_ZERO)
    crc = zlib.crc32
    whole = digits[:40].encode("utf-8", "replace")
    return (
        crc(whole) % (_WORD_ROWS - 1) + 1,
        crc(whole, 7919) % (_WORD_ROWS - 1) + 1,
        crc(b"p" + digits[:3].encode("utf-8", "replace")) % _AFFIX_ROWS,
        crc(b"s" + digits[-3:].encode("utf-8", "replace")) % _AFFIX_ROWS,
        crc(b"P" + digits[:4].encode("utf-8", "replace")) % _AFFIX_ROWS,
        crc(b"S" + digits[-2:].encode("utf-8", "replace")) % _AFFIX_ROWS,
        crc(word_shape(word).encode("utf-8", "replace")) % _SHAPE_ROWS,
        lexicon.get(plain, 0),
    )


def tokenize(text: str) -> tuple[list[int], list[int], list[str], list[int]]:
    """Starts, ends, tokens, and what stands before each: 0 nothing (first), 1 glued on, 2 blank, 3 a line break."""
    parts = _TOKEN.split(text)  # white space and a token, in turns
    if len(parts) == 1:
        return [], [], [], []
    places = list(accumulate(map(len, parts)))
    if "\n" in text:
        gaps = [3 if "\n" in between else 2 if between else 1 for between in parts[2:-1:2]]
    else:
        gaps = [2 if between else 1 for between in parts[2:-1:2]]
    return places[:-1:2], places[1::2], parts[1::2], [0, *gaps]


def _read_lexicon(packed: bytes) -> dict[str, int]:
    """Lines of: shared prefix with the word before (base 36), rest of the word, tab, bits (base 32)."""
    lexicon: dict[str, int] = {}
    before = ""
    for line in lzma.decompress(packed).decode("utf-8").split("\n"):
        if line:
            key, bits = line.split("\t")
            before = before[: int(key[0], 36)] + key[1:]
            lexicon[before] = int(bits, 32)
    return lexicon


class _Desk:
    """Room for one window's intermediate results, used again and again: fresh memory costs more than the sums."""

    def __init__(self, rows: int, width: int) -> None:
        self.around: Floats = np.zeros((rows, 3 * width), np.float32)
        self.both: Floats = np.zeros((rows, 2 * width), np.float32)
        self.gate: Floats = np.zeros((rows, width), np.float32)


class _Network:
    """The weights, and a bounded cache of word vectors; safe to use from several threads."""

    def __init__(self, blob: bytes) -> None:
        with np.load(io.BytesIO(blob), allow_pickle=False) as file:
            arrays: dict[str, npt.NDArray[Any]] = {name: file[name] for name in file.files}

        def matrix(name: str) -> Floats:
            return arrays[name].astype(np.float32)

        self.lexicon = _read_lexicon(arrays["lex"].tobytes())
        into = matrix("Win")
        # Each table goes through its part of the input matrix once, here, instead of once for every new word.
        self._tables: list[Floats] = []
        at = 0
        for name in _TABLES:
            table = matrix(name) * matrix(name + "_s")[:, None]
            projected: Floats = (table @ into[at : at + table.shape[1]]).astype(np.float32, copy=False)
            self._tables.append(projected)
            at += table.shape[1]
        self._lexicon_rows = into[at:]
        self._lexicon_vectors: dict[int, Floats] = {}
        self._into_bias, self._gap = matrix("bin"), matrix("glue")
        self._dilations = [int(step) for step in arrays["dil"][: int(arrays["nlayer"])]]
        self._width = into.shape[1]
        self._layers = [self._gated(matrix(f"c{i}w"), matrix(f"c{i}b")) for i in range(len(self._dilations))]
        self._out, self._out_bias = matrix("Wo"), matrix("bo") + matrix("bias")
        self._desks: deque[_Desk] = deque()
        self._bits = 1 << np.arange(_LEXICON_BITS, dtype=np.int64)
        self._known: dict[str, int] = {}
        self._vectors: Floats = np.zeros((4096, self._width), np.float32)
        self._lock = threading.Lock()

    def _learn(self, words: list[str]) -> None:
        """Vectors of unseen words. Sums of rows, so a word's vector does not depend on the words learnt with it."""
        rows = [word_features(word, self.lexicon) for word in words]
        columns = list(zip(*rows, strict=True))
        vectors = self._tables[0][list(columns[0])] + self._tables[0][list(columns[1])]
        for table, column in zip(self._tables[1:], columns[2:7], strict=True):
            vectors += table[list(column)]
        for bits in columns[7]:
            if bits not in self._lexicon_vectors:
                self._lexicon_vectors[bits] = ((bits & self._bits) != 0).astype(np.float32) @ self._lexicon_rows
        vectors += np.stack([self._lexicon_vectors[bits] for bits in columns[7]])
        vectors += self._into_bias
        place = len(self._known)
        while place + len(words) > len(self._vectors):
            self._vectors = np.concatenate([self._vectors, np.zeros_like(self._vectors)])
        self._vectors[place : place + len(words)] = vectors
        for word in words:
            self._known[word] = len(self._known)

    def _embed(self, tokens: list[str]) -> Floats:
        with self._lock:
            if len(self._known) + len(tokens) > _CACHED_WORDS:
                self._known.clear()
            known = self._known
            try:
                rows = [known[word] for word in tokens]
            except KeyError:
                self._learn([word for word in dict.fromkeys(tokens) if word not in known])
                rows = [known[word] for word in tokens]
            picked: Floats = self._vectors[rows]
        return picked

    def _gated(self, weights: Floats, bias: Floats) -> tuple[Floats, Floats]:
        """A layer's weights with the sigmoid written as a tanh: a * sigmoid(b) is a/2 * (1 + tanh(b/2))."""
        return np.ascontiguousarray(weights * np.float32(0.5)), bias * np.float32(0.5)

    def _window(self, tokens: list[str], gaps: list[int]) -> list[int]:
        count, width = len(tokens), self._width
        try:
            desk = self._desks.pop()
        except IndexError:
            desk = _Desk(_WINDOW, width)
        x = self._embed(tokens)
        x += self._gap[gaps]
        np.maximum(x, 0, out=x)
        around, y, gate = desk.around[:count], desk.both[:count], desk.gate[:count]
        for (weights, bias), step in zip(self._layers, self._dilations, strict=True):
            step = min(step, count)
            around[:step, :width] = 0
            around[step:, :width] = x[: count - step]
            around[:, width : 2 * width] = x
            around[: count - step, 2 * width :] = x[step:]
            around[count - step :, 2 * width :] = 0
            np.matmul(around, weights, out=y)
            y += bias
            np.tanh(y[:, width:], out=gate)
            gate += 1
            gate *= y[:, :width]
            x += gate
        self._desks.append(desk)
        scores = np.maximum(x, 0, out=x) @ self._out
        scores += self._out_bias
        classes: list[int] = scores.argmax(1).tolist()
        return classes

    def classes(self, tokens: list[str], gaps: list[int]) -> list[int]:
        """One class number a token; long texts are read in overlapping windows."""
        count = len(tokens)
        if count <= _WINDOW:
            return self._window(tokens, gaps)
        found: list[int] = []
        at = 0
        while at < count:
            stop = min(count, at + _WINDOW - 2 * _OVERLAP)
            left, right = max(0, at - _OVERLAP), min(count, stop + _OVERLAP)
            found += self._window(tokens[left:right], gaps[left:right])[at - left : stop - left]
            at = stop
        return found


class Tagger:
    """Finds names, places, organisations, dates, user names and identifiers. Thread-safe; loads at first use.

    path: another weights file of the same form (its checksum is then not compared); default the shipped one.
    Raises RedactionFailed when the weights are missing, damaged or not the pinned ones.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._network: _Network | None = None
        self._loading = threading.Lock()

    def load(self) -> _Network:
        """Read the weights now instead of at the first text."""
        network = self._network
        if network is not None:
            return network
        with self._loading:
            if self._network is None:
                self._network = self._read()
            return self._network

    def _read(self) -> _Network:
        path = self._path or weights_path()
        try:
            blob = path.read_bytes()
            if self._path is None and hashlib.sha256(blob).hexdigest() != WEIGHTS_SHA256:
                raise RedactionFailed("The tagger's weights are not the ones pinned.", hint="Reinstall Lancelot.")
            single_threaded()
            return _Network(blob)
        except (OSError, KeyError, ValueError, lzma.LZMAError, zlib.error, zipfile.BadZipFile, EOFError) as broken:
            raise RedactionFailed("The tagger's weights cannot be read.", hint="Reinstall Lancelot.") from broken

    def find(self, text: str) -> list[Span]:
        """Spans in order of place, rule "tagger"; not overlapping one another."""
        starts, ends, tokens, gaps = tokenize(text)
        if not tokens:
            return []
        network = self.load()
        classes = network.classes(tokens, gaps)
        pieces: list[list[int]] = []  # start, end, class, last token
        for i, kind in enumerate(classes):
            if not kind:
                continue
            if pieces and pieces[-1][2] == kind and _goes_on(text, ends, tokens, gaps, pieces[-1][3], i, kind):
                pieces[-1][1], pieces[-1][3] = ends[i], i
            else:
                pieces.append([starts[i], ends[i], kind, i])
        found: list[Span] = []
        for start, end, kind in sentences(text, pieces):
            # What has a form of its own (e-mail, card, link) is the detectors' work.
            if kind == _FORMAL:
                continue
            while start < end and not (text[start].isalnum() or text[start] in "@+(#"):
                start += 1
            while end > start and not (text[end - 1].isalnum() or text[end - 1] in ".)"):
                end -= 1
            if not any(c.isalnum() for c in text[start:end]):
                continue
            label = _CLASSES[kind]
            if label in ("PERSON", "LOCATION", "ORG"):
                start, end = without_everyday_ends(text, start, end, network.lexicon, firm=label == "ORG")
                if start == end:
                    continue
            if label in EXTENDED:
                start, end = extend(text, start, end, label, network.lexicon)
            if believable(text, start, end, label, network.lexicon):
                if label in ("LOCATION", "ORG") and addressed(text, start):
                    label = "PERSON"
                found.append(Span(start, end, label, "tagger"))
        return found


def _goes_on(text: str, ends: list[int], tokens: list[str], gaps: list[int], last: int, here: int, kind: int) -> bool:
    """Whether token `here` belongs to the span of its class that ended with token `last`."""
    if last == here - 1:
        return True
    between = tokens[last + 1 : here]
    if here - last > 3 or any(word.isalnum() for word in between):
        return False
    if kind in (_PERSON, _ORG) and any(word in ",;/" for word in between):
        return False
    if gaps[here] == 1 or (here - last == 2 and between[0] in ",'’-./&"):
        return True
    return kind == _LOCATION and "\n" not in text[ends[last] : ends[here]]
