"""Writing text token by token: greedy or sampled, within a constraint where there is one, bounded in length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from local_models.llama import Logits, Weights
from local_models.work import Branch, Pass, Plan, Room

__all__ = ["Constraint", "Sampling", "Written", "write"]

LOOP = 30  # an answer whose last LOOP tokens repeat with a period of up to LOOP / 2 has run into a circle


class Constraint(Protocol):
    """A set of allowed texts, walked byte by byte."""

    def allows(self, piece: bytes) -> bool:
        """Whether the answer so far may go on with piece."""
        ...

    def accept(self, piece: bytes) -> None:
        """Go on with piece."""
        ...

    def may_end(self) -> bool:
        """Whether the answer so far is complete."""
        ...

    def finished(self) -> bool:
        """Whether nothing may follow."""
        ...

    def forced(self) -> bytes:
        """Bytes that must come next (empty when there is a choice)."""
        ...


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen. Temperature 0 is greedy; frequency and presence penalties are OpenAI's, on logits;
    repeat_penalty is llama.cpp's, over the last 64 tokens."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    repeat_penalty: float = 1.0
    stop: tuple[str, ...] = ()


@dataclass(slots=True)
class Written:
    """What was written. finish: stop (the model ended it), length (the bound did), loop (it repeated itself)."""

    tokens: list[int] = field(default_factory=list)
    text: str = ""
    finish: str = "length"
    passes: int = 0


class _Chooser:
    """Picks the next token of one answer."""

    def __init__(self, weights: Weights, sampling: Sampling, constraint: Constraint | None) -> None:
        self._weights = weights
        self._sampling = sampling
        self._constraint = constraint
        self._random = np.random.default_rng(sampling.seed)
        self._seen: dict[int, int] = {}
        self._order: list[int] = []

    def pick(self, row: Logits) -> int | None:
        """The next token; None when only the end is allowed."""
        row = self._penalised(row)
        if self._sampling.temperature > 0 and self._constraint is None:
            return self._sampled(row)
        best = int(row.argmax())
        if self._constraint is None or self._fits(best):
            return best
        for count in (64, 2048, row.size):
            order = np.argpartition(row, -count)[-count:] if count < row.size else np.arange(row.size)
            for token in order[np.argsort(-row[order])]:
                if self._fits(int(token)):
                    return int(token)
        return None

    def seen(self, token: int) -> None:
        self._seen[token] = self._seen.get(token, 0) + 1
        self._order.append(token)

    def _fits(self, token: int) -> bool:
        assert self._constraint is not None
        if self._weights.ends(token):
            return self._constraint.may_end()
        piece = self._weights.piece(token)
        return bool(piece) and self._constraint.allows(piece)

    def _penalised(self, row: Logits) -> Logits:
        sampling = self._sampling
        if sampling.repeat_penalty != 1.0:
            recent = np.unique(self._order[-64:]).astype(np.int64)
            values = row[recent]
            row[recent] = np.where(values > 0, values / sampling.repeat_penalty, values * sampling.repeat_penalty)
        if sampling.frequency_penalty or sampling.presence_penalty:
            for token, count in self._seen.items():
                row[token] -= sampling.frequency_penalty * count + sampling.presence_penalty
        return row

    def _sampled(self, row: Logits) -> int:
        top = np.argpartition(row, -256)[-256:]
        top = top[np.argsort(-row[top])]
        scaled = (row[top] - row[top[0]]) / self._sampling.temperature
        shares = np.exp(scaled.astype(np.float64))
        shares /= shares.sum()
        within = int(np.searchsorted(np.cumsum(shares), self._sampling.top_p)) + 1
        shares = shares[:within] / shares[:within].sum()
        return int(self._random.choice(top[:within], p=shares))


def write(
    room: Room,
    at: Branch,
    row: Logits,
    *,
    limit: int,
    sampling: Sampling | None = None,
    constraint: Constraint | None = None,
    on_text: Callable[[str], None] | None = None,
    count: Callable[[int], None] | None = None,
) -> Plan[Written]:
    """Continue branch `at` (whose last logits are row) by at most `limit` tokens.

    Forced text costs no choice and shares one pass with the token before it. on_text receives whole characters as they
    become certain (never a part of a stop string).
    """
    sampling = sampling or Sampling()
    chooser = _Chooser(room.weights, sampling, constraint)
    written = Written()
    raw = b""
    told = 0
    position = at.length
    while len(written.tokens) < limit:
        forced = constraint.forced() if constraint else b""
        if forced and not written.tokens:
            fresh = room.weights.tokens(forced.decode())
        else:
            token = chooser.pick(row)
            if token is None or room.weights.ends(token):
                written.finish = "stop"
                break
            fresh = [token]
        for token in fresh:
            chooser.seen(token)
            raw += room.weights.piece(token)
            if constraint:
                constraint.accept(room.weights.piece(token))
        if constraint and (more := constraint.forced()):
            extra = room.weights.tokens(more.decode())
            for token in extra:
                raw += room.weights.piece(token)
                constraint.accept(room.weights.piece(token))
            fresh = [*fresh, *extra]
        written.tokens += fresh
        if count:
            count(len(fresh))
        text = raw.decode("utf-8", "ignore")
        cut = _stopped(text, sampling.stop)
        if cut is not None:
            written.finish, raw = "stop", text[:cut].encode()
            break
        if on_text:
            safe = _certain(text, sampling.stop)
            if safe > told:
                on_text(text[told:safe])
                told = safe
        if constraint and constraint.finished():
            written.finish = "stop"
            break
        if _circles(written.tokens):
            written.finish = "loop"
            break
        if len(written.tokens) >= limit:
            break
        rows = yield [Pass(at.sequence, position, fresh, prompt=False)]
        written.passes += 1
        position += len(fresh)
        row = rows[-1]
    written.text = raw.decode("utf-8", "ignore")
    if on_text and len(written.text) > told:
        on_text(written.text[told:])
    return written


def _stopped(text: str, stops: Sequence[str]) -> int | None:
    found = [at for stop in stops if stop and (at := text.find(stop)) >= 0]
    return min(found) if found else None


def _certain(text: str, stops: Sequence[str]) -> int:
    """How much of text can no longer become part of a stop string or of an unfinished character."""
    keep = 0
    for stop in stops:
        for length in range(min(len(stop) - 1, len(text)), 0, -1):
            if text.endswith(stop[:length]):
                keep = max(keep, length)
                break
    return len(text) - keep


def _circles(tokens: Sequence[int]) -> bool:
    last = list(tokens[-LOOP:])
    return len(last) == LOOP and any(last[period:] == last[:-period] for period in range(1, LOOP // 2 + 1))
