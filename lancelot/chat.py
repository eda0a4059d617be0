"""The one chat request and answer every floor speaks: OpenAI's chat-completions form, typed.

The gateway parses into it, redaction walks it, the router decides on it, providers translate it to their own wire
format. Fields we cannot carry out are refused by name, never dropped silently.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from lancelot.errors import BadInput, UnsupportedParameter

__all__ = ["Answer", "ChatRequest", "Chunk", "Message", "Usage", "parse_chat"]

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
CARRIED_AS_DEFAULT: dict[str, tuple[Any, ...]] = {
    # accepted only with the value that changes nothing
    "n": (1, None),
    "logprobs": (False, None),
    "top_logprobs": (0, None),
    "audio": (None,),
    "modalities": (None, ["text"]),
    "logit_bias": (None, {}),
    "prediction": (None,),
    "web_search_options": (None,),
    "store": (None, False),
    "function_call": (None,),
    "functions": (None, []),
}


class Message(BaseModel):
    """One message. `content` is text, a list of parts ({"type": "text"|"image_url"|…}), or None beside tool calls."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[dict[str, Any]] | None = None
    name: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None
    # echoed back by clients that resend what they received; carried, never acted on
    refusal: str | None = None
    reasoning_content: str | None = None
    annotations: list[dict[str, Any]] | None = None
    audio: None = None
    function_call: None = None

    @model_validator(mode="after")
    def _says_something(self) -> Message:
        if self.role != "assistant" and self.content is None:
            raise ValueError("content is missing")
        if self.role == "tool" and not self.tool_call_id:
            raise ValueError("a tool message needs tool_call_id")
        return self


class ChatRequest(BaseModel):
    """One chat request in OpenAI's form; units and names are OpenAI's own (tokens, 0..2 temperature)."""

    model_config = ConfigDict(extra="forbid")

    messages: list[Message] = Field(min_length=1)
    model: str = "lancelot"
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    stop: str | list[str] | None = None
    seed: int | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    metadata: dict[str, str] | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    service_tier: str | None = None
    stream: bool = False
    stream_options: dict[str, Any] | None = None

    @field_validator("stream", mode="before")
    @classmethod
    def _null_means_plain(cls, value: Any) -> Any:
        return False if value is None else value

    @property
    def output_limit(self) -> int | None:
        """The most tokens the answer may have, whichever of the two names was used."""
        return self.max_completion_tokens or self.max_tokens

    def text(self) -> str:
        """All text a person or tool wrote, messages joined by newlines; for assessment only, never for receipts."""
        return "\n".join(part for message in self.messages for part in message_texts(message))

    def last_user_text(self) -> str:
        """The newest user message's text, or the newest message's when there is no user message."""
        for message in reversed(self.messages):
            if message.role == "user":
                return "\n".join(message_texts(message))
        return "\n".join(message_texts(self.messages[-1]))


def message_texts(message: Message) -> list[str]:
    """The text pieces of one message, in order."""
    if message.content is None:
        return []
    if isinstance(message.content, str):
        return [message.content]
    return [str(part.get("text", "")) for part in message.content if part.get("type") == "text"]


def parse_chat(body: Any) -> ChatRequest:
    """A typed request from a decoded JSON body.

    Raises:
        BadInput: a field is missing or has a wrong value; `param` names it.
        UnsupportedParameter: a field we do not know or cannot carry out; `param` names it.
    """
    if not isinstance(body, dict):
        raise BadInput("The body must be a JSON object.")
    body = dict(body)
    for name, harmless in CARRIED_AS_DEFAULT.items():
        if name in body:
            value = body.pop(name)
            if value not in harmless:
                raise UnsupportedParameter(f"`{name}` is not supported with this value.", param=name)
    if body.get("stream_options"):
        _check_stream_options(body)
    try:
        return ChatRequest.model_validate(body)
    except ValidationError as problem:
        raise _named_error(problem) from None


def _check_stream_options(body: dict[str, Any]) -> None:
    options = body["stream_options"]
    for name, value in options.items() if isinstance(options, dict) else ():
        known = name == "include_usage" or (name == "include_obfuscation" and not value)
        if not known or not isinstance(value, bool | None):
            raise UnsupportedParameter(
                f"`stream_options.{name}` is not supported with this value.", param=f"stream_options.{name}"
            )
    if not body.get("stream"):
        raise BadInput("`stream_options` goes with `stream: true` only.", param="stream_options")


def _named_error(problem: ValidationError) -> BadInput:
    first = problem.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(step) for step in first["loc"])
    if first["type"] == "extra_forbidden":
        return UnsupportedParameter(f"`{where}` is not supported.", param=where)
    return BadInput(f"`{where}`: {first['msg'].removeprefix('Value error, ')}.", param=where)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider itself reported them. `cached` and `cache_write` are parts of `input`, `reasoning` a part
    of `output`: nothing is counted twice. None means the provider did not say."""

    input: int | None = None
    output: int | None = None
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """One complete answer of one brain.

    Attributes:
        message: OpenAI assistant message ({"role", "content", "tool_calls"?, "refusal"?}).
        finish_reason: OpenAI's: stop, length, tool_calls, content_filter.
        sent_sha256: hex SHA-256 of the exact bytes that left for the provider; None for the local brain in-process.
        first_token_ms: milliseconds from sending to the first byte of the answer.
    """

    message: dict[str, Any]
    finish_reason: str
    usage: Usage
    model: str
    sent_sha256: str | None = None
    first_token_ms: float | None = None
    upstream_id: str | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """One piece of a streamed answer.

    Attributes:
        delta: OpenAI delta ({"role"?, "content"?, "tool_calls"?: [{"index", "id"?, "type"?, "function": {…}}]}).
        finish_reason: set on the last content chunk only.
        usage: set once, on or after the last chunk.
        model, sent_sha256: known from the first chunk on.
    """

    delta: dict[str, Any] = field(default_factory=dict)
    finish_reason: str | None = None
    usage: Usage | None = None
    model: str | None = None
    sent_sha256: str | None = None
