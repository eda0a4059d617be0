"""LocalModelClient: the local utility brain, wherever it runs.

    client = LocalModelClient("http://127.0.0.1:8080")
    (await client.classify("Where is my order?")).label

Our own service has routes for the tasks. Any other OpenAI-compatible server (llama-server, vLLM, Ollama, a fleet
behind a load balancer) is asked in plain prompts with JSON-schema output, and its answers pass the same guards.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Protocol

import httpx

from lancelot.brain.tasks import BAR, Ask, Classification, as_labels, as_turns, asks
from lancelot.brain.transport import NoSuchRoute, Transport, is_loopback
from lancelot.chat import Answer, ChatRequest, Chunk, Usage
from lancelot.errors import BadInput, LocalModelError

__all__ = ["LocalModelClient", "TimeLeft"]

OWN_CONTEXT = 3000  # tokens of a chat with our own service
CHAT_FIELDS = (
    "temperature",
    "top_p",
    "stop",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "response_format",
    "tools",
    "tool_choice",
)


class TimeLeft(Protocol):
    """A deadline (`providers.base.Deadline`)."""

    def left(self) -> float: ...


class LocalModelClient:
    """One brain. Every method may be called from any event loop; `redact_spans_sync` from any thread.

    Args:
        base_url: the server's address (with or without /v1), or a function that knows it at the moment (None: not
            running).
        timeout_s: the most seconds one call may take where no deadline is given.
        trusted: whether a brain beyond this machine may see raw text.
        redact: applied to every text that leaves this machine for a brain that is not trusted; without it the caller
            must have redacted the text before.
        model: the model's name at a foreign server; its first one by default.
    """

    def __init__(
        self,
        base_url: str | Callable[[], str | None],
        *,
        timeout_s: float = 60.0,
        trusted: bool | None = None,
        redact: Callable[[str], str] | None = None,
        model: str | None = None,
        api_key: str | None = None,
        transport: Callable[[], httpx.AsyncBaseTransport] | None = None,
    ) -> None:
        self._where: Callable[[], str | None] = base_url if callable(base_url) else lambda: base_url
        self._wire = Transport(self._where, api_key=api_key, inner=transport)
        self.timeout_s = timeout_s
        self.trusted = trusted
        self._redact = redact
        self._model = model
        self._own: bool | None = None  # whether it has our utility routes; None: not known yet
        self._own_at: str | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether it runs on this machine (true as well while a supervised one is not running)."""
        base = self._where()
        return base is None or is_loopback(base)

    @property
    def sees_raw(self) -> bool:
        """Whether texts reach it unredacted by this client."""
        return self.is_loopback or self.trusted is True or self._redact is None

    @property
    def model_id(self) -> str | None:
        """The model's name as far as it is known."""
        return self._model

    @property
    def context(self) -> int | None:
        """Tokens a chat may have; None when only the server knows."""
        return OWN_CONTEXT if self._own else None

    async def classify(
        self, text: str, labels: Sequence[str | Mapping[str, Any]] | None = None, *, timeout_s: float | None = None
    ) -> Classification:
        """Which label fits best; the default set is question, command, information, greeting, feedback, unclear.

        Raises:
            LocalModelError and its kin, BadInput.
        """
        chosen = as_labels(labels)
        shown, redacted = self._shown(text)
        body: dict[str, Any] = {"text": shown}
        if labels is not None:
            body["labels"] = [{"label": label.name, "description": label.description} for label in chosen]
        found = await self._own_route("classify", body, timeout_s)
        if found is None:
            if len(chosen) < 2:
                raise BadInput("`labels` needs at least two different names.", param="labels")
            answer, logprobs = await self._ask(asks.classify(shown, chosen), timeout_s)
            label, confidence = asks.read_label(answer, logprobs, chosen)
            return Classification(label, confidence, confidence < BAR, redacted)
        return Classification(str(found["label"]), float(found["confidence"]), bool(found["below_bar"]), redacted)

    async def extract(self, text: str, schema: Mapping[str, Any], *, timeout_s: float | None = None) -> dict[str, Any]:
        """The schema's fields from the text, null where it does not say. schema: {"field": "string|number|…|date"}.

        Raises:
            LocalModelError and its kin, BadInput.
        """
        shown, _ = self._shown(text)
        found = await self._own_route("extract", {"text": shown, "schema": dict(schema)}, timeout_s)
        if found is None:
            answer, _ = await self._ask(asks.extract(shown, schema), timeout_s)
            return asks.read_fields(answer, schema)
        return dict(found["data"])

    async def summarize(self, text: str, *, timeout_s: float | None = None) -> str:
        """One or two sentences that state nothing the text does not.

        Raises:
            LocalModelError and its kin, BadInput.
        """
        shown, _ = self._shown(text)
        found = await self._own_route("summarize", {"text": shown}, timeout_s)
        if found is None:
            answer, _ = await self._ask(asks.summarize(shown), timeout_s)
            return asks.read_summary(answer, shown)
        return str(found["summary"])

    async def rewrite(
        self, text: str, conversation: Sequence[Mapping[str, Any]] | None = None, *, timeout_s: float | None = None
    ) -> str:
        """The last query as one that needs no conversation ([{"role", "content"}]).

        Raises:
            LocalModelError and its kin, BadInput.
        """
        shown, _ = self._shown(text)
        turns = [(turn.role, self._shown(turn.content)[0]) for turn in as_turns(conversation)]
        told = [{"role": role, "content": content} for role, content in turns]
        found = await self._own_route("rewrite", {"text": shown, "conversation": told}, timeout_s)
        if found is None:
            spoken = as_turns(told)
            answer, _ = await self._ask(asks.rewrite(shown, spoken), timeout_s)
            return asks.read_query(answer, shown, spoken)
        return str(found["query"])

    async def redact_spans(self, text: str, *, timeout_s: float | None = None) -> list[dict[str, Any]]:
        """[{"start", "end", "label"}] in code points of the text, end exclusive, each literally in it.

        Raises:
            LocalModelError and its kin, BadInput.
        """
        shown, redacted = self._shown(text)
        found = await self._own_route("redact", {"text": shown}, timeout_s)
        if found is None:
            answer, _ = await self._ask(asks.redact(shown), timeout_s)
            return asks.read_spans(answer, text)
        return _spans(found, shown, text) if redacted else list(found["spans"])

    def redact_spans_sync(self, text: str, *, timeout_s: float | None = None) -> list[dict[str, Any]]:
        """As redact_spans, for threads without an event loop.

        Raises:
            LocalModelError and its kin, BadInput.
        """
        shown, redacted = self._shown(text)
        limit = timeout_s or self.timeout_s
        try:
            found = self._wire.post_sync("/v1/utility/redact", {"text": shown}, limit)
        except NoSuchRoute:
            body = self._body(asks.redact(shown)) | {"model": self._model or "default"}
            return asks.read_spans(_content(self._wire.post_sync("/v1/chat/completions", body, limit)), text)
        return _spans(found, shown, text) if redacted else list(found["spans"])

    async def chat(self, request: ChatRequest, deadline: TimeLeft | None = None) -> Answer:
        """One free answer.

        Raises:
            LocalModelError and its kin, BadInput, ContextTooLong.
        """
        sent_at = time.perf_counter()
        body = await self._chat_body(request)
        got = await self._wire.post("/v1/chat/completions", body, self._limit(deadline))
        choice = _choice(got.body)
        return Answer(
            message=dict(choice.get("message") or {}),
            finish_reason=str(choice.get("finish_reason") or "stop"),
            usage=_usage(got.body.get("usage")),
            model=str(got.body.get("model") or self._model or "local"),
            sent_sha256=got.sent_sha256,
            first_token_ms=(time.perf_counter() - sent_at) * 1000,
            upstream_id=got.body.get("id"),
        )

    async def stream(self, request: ChatRequest, deadline: TimeLeft | None = None) -> AsyncIterator[Chunk]:
        """The same piece by piece; closing the iterator cancels the work at the server.

        Raises:
            LocalModelError and its kin, BadInput, ContextTooLong.
        """
        body = await self._chat_body(request) | {"stream": True, "stream_options": {"include_usage": True}}
        sha, model = None, self._model or "local"
        async for event in self._wire.events("/v1/chat/completions", body, self._limit(deadline)):
            if "sent_sha256" in event:
                sha = event["sent_sha256"]
                continue
            model = str(event.get("model") or model)
            usage = _usage(event["usage"]) if event.get("usage") else None
            choices = event.get("choices") or []
            choice = choices[0] if choices else {}
            if choice or usage:
                yield Chunk(dict(choice.get("delta") or {}), choice.get("finish_reason"), usage, model, sha)

    async def health(self) -> dict[str, Any]:
        """{"status": "ready" | …, "model", "own": whether it has our utility routes}; never raises for a sick server.

        A foreign server is ready when it lists its models.
        """
        try:
            status, body = await self._wire.get("/health", min(self.timeout_s, 5.0))
            if body.get("service") == "lancelot-local-model":
                self._own, self._own_at = True, self._where()
                self._model = body.get("model") or self._model
                return body | {"own": True}
            status, body = await self._wire.get("/v1/models", min(self.timeout_s, 5.0))
        except LocalModelError as problem:
            return {"status": "unreachable", "error": problem.to_dict()}
        names = [str(card.get("id")) for card in body.get("data") or [] if isinstance(card, Mapping)]
        self._model = self._model or next(iter(names), None)
        return {"status": "ready" if status == 200 else "failed", "model": self._model, "models": names, "own": False}

    async def aclose(self) -> None:
        """Close this event loop's connections."""
        await self._wire.aclose()

    # --- inside

    def _shown(self, text: str) -> tuple[str, bool]:
        """What the brain gets to see, and whether that is redacted."""
        if self.sees_raw or self._redact is None:
            return text, False
        return self._redact(text), True

    def _limit(self, deadline: TimeLeft | None) -> float:
        left = self.timeout_s if deadline is None else min(deadline.left(), self.timeout_s)
        if left <= 0:
            raise LocalModelError("There is no time left for the local model.", code="local_model_timeout")
        return left

    async def _own_route(self, task: str, body: Mapping[str, Any], timeout_s: float | None) -> dict[str, Any] | None:
        """Our own service's answer; None when the server has no such route."""
        if self._own is False and self._own_at == self._where():
            return None
        try:
            got = await self._wire.post(f"/v1/utility/{task}", body, timeout_s or self.timeout_s)
        except NoSuchRoute:
            self._own, self._own_at = False, self._where()
            return None
        self._own, self._own_at = True, self._where()
        return got.body

    async def _ask(self, ask: Ask, timeout_s: float | None) -> tuple[str, list[float] | None]:
        """A foreign model's answer and its tokens' log-probabilities where it gives them."""
        limit = timeout_s or self.timeout_s
        body = self._body(ask) | {"model": await self._name()}
        try:
            got = (await self._wire.post("/v1/chat/completions", body, limit)).body
        except BadInput:
            # a server that knows neither JSON schemas nor log-probabilities is asked plainly
            plain = {key: value for key, value in body.items() if key not in ("response_format", "logprobs")}
            got = (await self._wire.post("/v1/chat/completions", plain, limit)).body
        told = (_choice(got).get("logprobs") or {}).get("content") or []
        return _content(got), [float(item["logprob"]) for item in told if "logprob" in item] or None

    @staticmethod
    def _body(ask: Ask) -> dict[str, Any]:
        body: dict[str, Any] = {
            "messages": [{"role": "system", "content": ask.system}, {"role": "user", "content": ask.user}],
            "temperature": 0,
            "max_tokens": ask.max_tokens,
        }
        if ask.schema is not None:
            form = {"name": "answer", "strict": True, "schema": dict(ask.schema)}
            body |= {"response_format": {"type": "json_schema", "json_schema": form}, "logprobs": True}
        return body

    async def _name(self) -> str:
        if self._model is None:
            await self.health()
        return self._model or "default"

    async def _chat_body(self, request: ChatRequest) -> dict[str, Any]:
        given = request.model_dump(exclude_none=True, mode="json")
        messages = [
            {key: value for key, value in message.items() if key in ("role", "content", "tool_calls", "tool_call_id")}
            for message in given["messages"]
        ]
        if not self.sees_raw:
            messages = [message | _masked(message, self._shown) for message in messages]
        body: dict[str, Any] = {"model": await self._name(), "messages": messages}
        body |= {key: given[key] for key in CHAT_FIELDS if key in given}
        if request.output_limit is not None:
            body["max_tokens"] = request.output_limit
        return body


def _masked(message: Mapping[str, Any], shown: Callable[[str], tuple[str, bool]]) -> dict[str, Any]:
    content = message.get("content")
    if isinstance(content, str):
        return {"content": shown(content)[0]}
    if isinstance(content, list):
        return {"content": [p | {"text": shown(str(p["text"]))[0]} if "text" in p else p for p in content]}
    return {}


def _spans(found: Mapping[str, Any], shown: str, text: str) -> list[dict[str, Any]]:
    """Spans of the redacted text, looked up in the original; what is a placeholder there is found nowhere here."""
    pieces = [(shown[span["start"] : span["end"]], str(span["label"])) for span in found["spans"]]
    places = [(text.find(piece), piece, label) for piece, label in pieces]
    return [{"start": at, "end": at + len(piece), "label": label} for at, piece, label in places if at >= 0]


def _choice(body: Mapping[str, Any]) -> dict[str, Any]:
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise LocalModelError("The local model's answer could not be read.", code="local_model_malformed")
    return choices[0]


def _content(body: Mapping[str, Any]) -> str:
    return str((_choice(body).get("message") or {}).get("content") or "")


def _usage(told: Any) -> Usage:
    if not isinstance(told, Mapping):
        return Usage()
    details: Mapping[str, Any] = told.get("prompt_tokens_details") or {}
    cached = details.get("cached_tokens") or 0
    return Usage(input=told.get("prompt_tokens"), output=told.get("completion_tokens"), cached=int(cached))
