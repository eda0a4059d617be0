"""Free chat: messages to tokens, OpenAI's parameters to sampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from local_models.layout import chatml
from local_models.llama import Weights
from local_models.writing import Sampling

__all__ = ["DEFAULT_SYSTEM", "ChatOptions", "chat_tokens"]

DEFAULT_SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"  # the model's own template


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """limit: most tokens of the answer; None lets the context decide (at most 512)."""

    limit: int | None = None
    sampling: Sampling = field(default_factory=Sampling)


def chat_tokens(weights: Weights, messages: Sequence[tuple[str, str]]) -> list[int]:
    """The prompt in ChatML; text of a message never becomes a control token."""
    return [
        token for text, markup in chatml(messages, DEFAULT_SYSTEM) for token in weights.tokens(text, special=markup)
    ]
