"""The local model as an object: five utility tasks and free chat, batched on one thread of its own.

    engine = Engine(weights, adapter)            loads, and evaluates the task prefixes once
    engine.classify("Hello!").result().label     every call returns a Ticket: a future with timing and cancel
    engine.close()

Tasks run with the adapter (or on weights it was merged into), chat on the base model: with the adapter it only echoes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from local_models import guards, layout
from local_models.chatting import ChatOptions, chat_tokens
from local_models.engine_thread import EngineSettings, EngineThread
from local_models.errors import BadTask
from local_models.labels import BAR
from local_models.layout import DEFAULT_LABELS, TAIL, Label, Turn
from local_models.pair import LONG
from local_models.plans import (
    Prompt,
    answer_plan,
    classify_plan,
    extract_plan,
    free_plan,
    prior_plan,
    redact_plan,
    schema_fields,
)
from local_models.results import Classified, Extracted, Redacted, Rewritten, Summarized, find_spans
from local_models.vocabulary import KnownWords
from local_models.windows import MOST_WINDOWS, windows
from local_models.work import Plan, Prefix, Room, Ticket
from local_models.writing import Written

__all__ = ["Engine", "EngineSettings"]

T = TypeVar("T")
MOST_LABELS = 100
KEPT_PRIORS = KEPT_LISTS = 256  # label lists
FIELDS_AT_ONCE = 6  # as many as the adapter was trained on


class Engine(EngineThread):
    """One model, ready to answer.

    Args:
        weights: the GGUF file in use. adapter: a LoRA for the tasks, unless it is merged into the weights already.
        chat_weights: base weights for chat where `weights` are merged ones; loaded at the first chat.
        warm: classify one word first, so that the first request finds its prefix evaluated.

    Raises:
        NotInstalled, BadWeights, EngineFailed: see errors.
    """

    def __init__(
        self,
        weights: Path,
        adapter: Path | None = None,
        chat_weights: Path | None = None,
        *,
        settings: EngineSettings | None = None,
        warm: bool = True,
    ) -> None:
        super().__init__(weights, adapter, chat_weights, settings=settings)
        self._heads = {task: self._prefix(task, layout.head(task), pinned=True) for task in layout.TASKS}
        self._breaks = frozenset(
            token for text in (".", "\n", "\n\n", "!", "?") for token in self._weights.tokens(text)[-1:]
        )
        self._tail = self._weights.tokens(TAIL, special=True)
        self._end = self._weights.tokens("<|im_end|>", special=True)
        self._lists: dict[tuple[Label, ...], tuple[Prefix, list[list[int]]]] = {}
        self._priors: dict[Prefix, list[float]] = {}  # engine's thread only
        if warm:
            self.classify("Hello").result()
            self.classify("Hello " * 2 * LONG)  # the other cache; nobody waits for it

    # --- the tasks; each may be called from any thread

    def classify(
        self,
        text: str,
        labels: Sequence[Label] | None = None,
        *,
        caller: str = "",
        deadline: float | None = None,
    ) -> Ticket[Classified]:
        """Which label fits best, and how sure that is.

        Raises:
            BadTask: empty text, fewer than two labels, or two labels of one name.
        """
        chosen = tuple(labels or DEFAULT_LABELS)
        names = [label.name for label in chosen]
        if len(chosen) < 2 or len(set(names)) != len(names) or not all(name.strip() for name in names):
            raise BadTask("`labels` needs at least two different names.", param="labels")
        if len(chosen) > MOST_LABELS:
            raise BadTask(f"`labels` may hold at most {MOST_LABELS} names.", param="labels")
        known = self._lists.get(chosen)
        if known is None:
            prefix = self._own("classify", layout.label_list(chosen), pinned=chosen == DEFAULT_LABELS)
            known = prefix, [[*self._weights.tokens(name), *self._end] for name in names]
            if len(self._lists) < KEPT_LISTS:
                self._lists[chosen] = known
        prefix, answers = known
        prompt = Prompt(prefix, self._windows(text, prefix))
        nothing = Prompt(prefix, [[*self._weights.tokens(" N/A"), *self._tail]])

        def plan(room: Room) -> Plan[Classified]:
            priors = self._priors.get(prefix)
            if priors is None and chosen != DEFAULT_LABELS:  # the default set was trained: its scores are fair already
                priors = self._priors[prefix] = yield from prior_plan(room, nothing, answers)
                while len(self._priors) > KEPT_PRIORS:
                    del self._priors[next(iter(self._priors))]
            shares = yield from classify_plan(room, prompt, answers, priors)
            best = max(range(len(names)), key=shares.__getitem__)
            return Classified(
                names[best],
                shares[best],
                shares[best] < BAR,
                dict(zip(names, shares, strict=True)),
                len(prompt.bodies),
            )

        spare = min(sum(map(len, answers)), 160)
        return self._submit(plan, prompt, spare, caller, deadline)

    def extract(
        self, text: str, schema: Mapping[str, Any], *, caller: str = "", deadline: float | None = None
    ) -> Ticket[Extracted]:
        """The schema's fields from the text; always valid, null where the text does not say.

        Raises:
            BadTask: empty text or a schema that is not flat.
        """
        try:
            rules = schema_fields(schema)
        except ValueError as problem:
            raise BadTask(str(problem), param="schema") from None
        if len(rules) > 60:
            raise BadTask("`schema` may hold at most 60 fields.", param="schema")
        groups = []
        for start in range(0, len(rules), FIELDS_AT_ONCE):
            fields = rules[start : start + FIELDS_AT_ONCE]
            told = {rule.name: {"integer": "number", "enum": "string"}.get(rule.kind, rule.kind) for rule in fields}
            prefix = self._own("extract", layout.schema_head(told))
            groups.append((Prompt(prefix, self._windows(text, prefix, overlap=self.settings.overlap)), fields))
        limit = 400
        ticket: Ticket[Extracted]

        def plan(room: Room) -> Plan[Extracted]:
            data = yield from extract_plan(
                room, groups, len(self._tail), limit=limit, count=lambda n: self._count(ticket, n)
            )
            return Extracted(data, len(groups[0][0].bodies))

        largest = max((prompt for prompt, _ in groups), key=self._need)
        ticket = self._submit(plan, largest, limit, caller, deadline)
        return ticket

    def summarize(self, text: str, *, caller: str = "", deadline: float | None = None) -> Ticket[Summarized]:
        """One or two sentences that state nothing the text does not.

        Raises:
            BadTask: empty text.
        """
        prefix = self._own("summarize", "Text:")
        prompt = Prompt(prefix, self._windows(text, prefix))
        limit = 110
        ticket: Ticket[Summarized]

        def plan(room: Room) -> Plan[Summarized]:
            bodies, windows_read = prompt.bodies, 0
            while True:  # a long text is summarised window by window, then the summaries, until one is left
                written = yield from answer_plan(
                    room, Prompt(prefix, bodies), limit=limit, count=lambda n: self._count(ticket, n)
                )
                texts = [self._weights.text(body[: -len(self._tail)]) for body in bodies]
                checked = [guards.guard_summary(_clean(w), t) for w, t in zip(written, texts, strict=True)]
                windows_read = windows_read or len(bodies)
                if len(checked) == 1:
                    return Summarized(checked[0][0], checked[0][1], windows_read)
                bodies = self._windows(" ".join(part for part, _ in checked), prefix)

        ticket = self._submit(plan, prompt, limit, caller, deadline)
        return ticket

    def redact(self, text: str, *, caller: str = "", deadline: float | None = None) -> Ticket[Redacted]:
        """Spans of personal and secret data, each literally in the text (code points, end exclusive).

        Raises:
            BadTask: empty text.
        """
        prefix = self._own("redact", "Text:")
        size = self.settings.redact_window
        prompt = Prompt(prefix, self._windows(text, prefix, overlap=self.settings.overlap, most=size))
        limit = 320
        ticket: Ticket[Redacted]

        def plan(room: Room) -> Plan[Redacted]:
            own = [body[: -len(self._tail)] for body in prompt.bodies]
            found = yield from redact_plan(
                room, prefix, own, self._tail, limit=limit, count=lambda n: self._count(ticket, n)
            )
            return Redacted(find_spans(text, found), len(own))

        ticket = self._submit(plan, prompt, limit, caller, deadline)
        return ticket

    def rewrite(
        self,
        text: str,
        conversation: Sequence[Turn] = (),
        *,
        caller: str = "",
        deadline: float | None = None,
    ) -> Ticket[Rewritten]:
        """The last query as one that needs no conversation; the query itself where the model strays.

        Raises:
            BadTask: empty text, or a query longer than a window.
        """
        if not text.strip():
            raise BadTask("`text` is empty.", param="text")
        message, shortened = layout.rewrite(text.strip(), conversation)
        head, _, rest = message.partition(":")
        prefix = self._own("rewrite", head + ":")
        body = [*self._weights.tokens(rest), *self._tail]
        if len(body) > self._most_body(prefix, 96):
            raise BadTask("The query is too long to be rewritten.", code="text_too_long", param="text")
        prompt = Prompt(prefix, [body])
        limit = 64
        ticket: Ticket[Rewritten]

        def plan(room: Room) -> Plan[Rewritten]:
            known = KnownWords([text, *(turn.content for turn in conversation)])
            written = yield from answer_plan(
                room, prompt, limit=limit, constraint=lambda _: known, count=lambda n: self._count(ticket, n)
            )
            query, fell_back = guards.guard_rewrite(written[0].text, text, conversation)
            if written[0].finish == "length":
                query, fell_back = text.strip(), True
            return Rewritten(query, fell_back, shortened)

        ticket = self._submit(plan, prompt, limit, caller, deadline)
        return ticket

    def chat(
        self,
        messages: Sequence[tuple[str, str]],
        options: ChatOptions | None = None,
        *,
        on_text: Callable[[str], None] | None = None,
        caller: str = "",
        deadline: float | None = None,
    ) -> Ticket[Written]:
        """A free answer to (role, text) messages. on_text is called on the engine's thread.

        Raises:
            BadTask: code `context_too_long` when messages and answer do not fit the context.
        """
        options = options or ChatOptions()
        batcher = self._chat_batcher()
        tokens = chat_tokens(batcher.weights, messages)
        most = self.settings.chat_cells - 64
        limit = min(options.limit or 512, most)
        if options.limit is None:
            limit = max(min(limit, most - len(tokens)), 1)
        if len(tokens) + limit > most:
            raise BadTask(
                f"The conversation has {len(tokens)} tokens; with the answer, {most} fit.",
                code="context_too_long",
                hint="Send less text or ask for a shorter answer.",
            )
        ticket: Ticket[Written]

        def plan(room: Room) -> Plan[Written]:
            return (
                yield from free_plan(
                    room,
                    tokens,
                    limit=limit,
                    sampling=options.sampling,
                    on_text=on_text,
                    count=lambda n: self._count(ticket, n),
                )
            )

        need = len(tokens) + limit
        ticket = batcher.submit(plan, cells=need, caller=caller, deadline=deadline, reads=len(tokens))
        return ticket

    def tokens(self, text: str) -> int:
        """How many tokens a text has."""
        return len(self._weights.tokens(text))

    # --- inside

    def _submit(
        self, plan: Callable[[Room], Plan[T]], prompt: Prompt, spare: int, caller: str, deadline: float | None
    ) -> Ticket[T]:
        need, reads = self._need(prompt) + spare, len(prompt.bodies[0])
        return self.tasks.submit(plan, cells=need, caller=caller, deadline=deadline, reads=reads)

    def _prefix(self, name: str, text: str, *, parent: Prefix | None = None, pinned: bool = False) -> Prefix:
        return Prefix(name, tuple(self._weights.tokens(text, special=parent is None)), parent, pinned)

    def _own(self, task: str, text: str, *, pinned: bool = False) -> Prefix:
        return self._prefix(task, text, parent=self._heads[task], pinned=pinned)

    def _most_body(self, prefix: Prefix, answer: int) -> int:
        return self.settings.task_cells // 2 - prefix.length - answer

    def _windows(self, text: str, prefix: Prefix, *, overlap: int = 0, most: int = 0) -> list[list[int]]:
        if not text.strip():
            raise BadTask("`text` is empty.", param="text")
        size = min(most or self.settings.window, self._most_body(prefix, 400))
        if size < 64:
            raise BadTask("The labels or the schema are too long for the local model.", code="prefix_too_long")
        tokens = self._weights.tokens(" " + text.strip())
        count = MOST_WINDOWS * self.settings.window // size  # texts may be equally long whatever the window
        parts = windows(tokens, size, overlap=overlap, breaks=self._breaks, most=count)
        return [[*part, *self._tail] for part in parts]

    def _need(self, prompt: Prompt) -> int:
        own = 0 if prompt.prefix.pinned else len(prompt.prefix.tokens)
        return own + max(map(len, prompt.bodies))

    @staticmethod
    def _count(ticket: Ticket[Any], tokens: int) -> None:
        ticket.timing.output_tokens += tokens


def _clean(written: Written) -> str:
    """The answer up to its last whole sentence where the bound cut it off."""
    text = written.text.strip()
    if written.finish == "stop":
        return text
    end = max(text.rfind(mark) for mark in ".!?")
    return text[: end + 1] if end > 0 else text
