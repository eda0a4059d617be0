"""HTTP bodies of the service: strict requests, and errors in one form."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from local_models.chatting import ChatOptions
from local_models.errors import ModelError
from local_models.layout import Label, Turn
from local_models.writing import Sampling

__all__ = ["ChatBody", "ClassifyBody", "ExtractBody", "RewriteBody", "TextBody", "error_body"]

MOST_CHARACTERS = 400_000


class TextBody(BaseModel):
    """summarize, redact: {"text"}."""

    model_config = ConfigDict(extra="forbid")
    text: str = Field(min_length=1, max_length=MOST_CHARACTERS)


class LabelBody(BaseModel):
    model_config = ConfigDict(extra="forbid")
    label: str = Field(min_length=1, max_length=200)
    description: str | None = Field(default=None, max_length=500)


class ClassifyBody(TextBody):
    """classify: {"text", "labels"?: ["a", …] or [{"label", "description"}]}; without labels the default set."""

    labels: list[str | LabelBody] | None = None

    def chosen(self) -> list[Label] | None:
        """The labels in the engine's form."""
        if self.labels is None:
            return None
        return [Label(x) if isinstance(x, str) else Label(x.label, x.description) for x in self.labels]


class ExtractBody(TextBody):
    """extract: {"text", "schema"}: {"field": "string|number|integer|boolean|date" or [choices]}, or JSON Schema."""

    # pydantic's own `schema` is deprecated and only in the way
    fields: dict[str, Any] = Field(alias="schema")


class TurnBody(BaseModel):
    model_config = ConfigDict(extra="ignore")
    role: str
    content: str = ""


class RewriteBody(TextBody):
    """rewrite: {"text", "conversation"?: [{"role", "content"}]}."""

    conversation: list[TurnBody] | None = None

    def turns(self) -> list[Turn]:
        """User and assistant turns, in order."""
        return [Turn(t.role, t.content) for t in self.conversation or [] if t.role in ("user", "assistant")]


class ChatMessage(BaseModel):
    model_config = ConfigDict(extra="ignore")
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[dict[str, Any]] | None = None

    def text(self) -> str:
        """All text parts."""
        if isinstance(self.content, list):
            return "\n".join(str(part.get("text", "")) for part in self.content if part.get("type") == "text")
        return self.content or ""


class StreamOptions(BaseModel):
    model_config = ConfigDict(extra="ignore")
    include_usage: bool = False


class ChatBody(BaseModel):
    """OpenAI's chat-completions request, as far as a small model can carry it out; unknown fields change nothing."""

    model_config = ConfigDict(extra="ignore")
    messages: list[ChatMessage] = Field(min_length=1)
    model: str | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    seed: int | None = None
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    stop: str | list[str] | None = None

    def pairs(self) -> list[tuple[str, str]]:
        """(role, text) in the roles the model knows."""
        known = {"developer": "system", "tool": "user", "function": "user"}
        return [(known.get(message.role, message.role), message.text()) for message in self.messages]

    def options(self) -> ChatOptions:
        """Sampling; a small model is at its best nearly greedy, so that is the default."""
        stops = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return ChatOptions(
            limit=self.max_completion_tokens or self.max_tokens,
            sampling=Sampling(
                temperature=0.2 if self.temperature is None else self.temperature,
                top_p=0.9 if self.top_p is None else self.top_p,
                seed=self.seed,
                frequency_penalty=self.frequency_penalty or 0.0,
                presence_penalty=self.presence_penalty or 0.0,
                repeat_penalty=1.1,
                stop=tuple(stops),
            ),
        )


def error_body(problem: ModelError) -> dict[str, Any]:
    """OpenAI's error object with our three fields beside."""
    kind = "invalid_request_error" if problem.status < 500 else "server_error"
    told = problem.to_dict()
    return {"error": {"message": f"{problem.title} {problem.hint}", "type": kind, "param": told.get("param"), **told}}
