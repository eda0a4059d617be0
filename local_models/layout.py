"""The prompt layouts the adapter was trained on, word for word, cut into cached prefix, own text and tail.

A prompt is ChatML. The cut always falls after a colon that is followed by white space, where the tokenizer never joins:
tokenising the pieces gives the same tokens as tokenising the whole (a test says so).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["DEFAULT_LABELS", "SPAN_TYPES", "TAIL", "TASKS", "Label", "Turn", "chatml", "head", "label_list", "rewrite"]

TASKS = {
    "classify": "classify_intent",
    "extract": "extract_json",
    "summarize": "summarize_internal",
    "redact": "redact",
    "rewrite": "rag_rewrite",
}
TAIL = "<|im_end|>\n<|im_start|>assistant\n"
SPAN_TYPES = (
    "NAME",
    "EMAIL",
    "PHONE",
    "ADDRESS",
    "ORG",
    "ID",
    "CARD",
    "IBAN",
    "IP",
    "URL",
    "DATE_OF_BIRTH",
    "USERNAME",
    "SECRET",
)
KEPT_TURNS = 5
LONG_TURN = 300  # characters of an assistant turn that are kept, as in training


@dataclass(frozen=True, slots=True)
class Label:
    """One class a text may belong to, with an optional description the model reads."""

    name: str
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation; role is user or assistant."""

    role: str
    content: str


DEFAULT_LABELS = (
    Label("question", "asks for information or an explanation"),
    Label("command", "tells the assistant to do something"),
    Label("information", "states facts or details without asking for anything"),
    Label("greeting", "hello, goodbye or small talk"),
    Label("feedback", "thanks, praise, complaint or correction"),
    Label("unclear", "fragment or gibberish, intent cannot be told"),
)


@functools.cache
def instruction(task: str) -> str:
    """The system prompt of a task, from prompts/."""
    return (Path(__file__).parent / "prompts" / f"{TASKS[task]}.txt").read_text(encoding="utf-8").rstrip("\n")


def head(task: str) -> str:
    """A prompt up to the point where the user's message begins."""
    return f"<|im_start|>system\n{instruction(task)}<|im_end|>\n<|im_start|>user\n"


def label_list(labels: Sequence[Label]) -> str:
    """The part of a classification that is the same for each text, up to `Text:`."""
    lines = [f"- {label.name}: {label.description}" if label.description else f"- {label.name}" for label in labels]
    return "Labels:\n" + "\n".join(lines) + "\n\nText:"


def schema_head(schema: Mapping[str, str]) -> str:
    """The part of an extraction that is the same for each text, up to `Text:`."""
    return "Schema: " + json.dumps(dict(schema), ensure_ascii=False) + "\n\nText:"


def rewrite(query: str, conversation: Sequence[Turn]) -> tuple[str, bool]:
    """The user's message of a rewrite, and whether older turns or long answers had to be left out."""
    kept = list(conversation[-KEPT_TURNS:])
    shortened = len(kept) < len(conversation)
    lines = []
    for turn in kept:
        content = " ".join(turn.content.split())
        if turn.role == "assistant" and len(content) > LONG_TURN:
            content, shortened = content[:LONG_TURN].rstrip() + " ...", True
        lines.append(f"{'Assistant' if turn.role == 'assistant' else 'User'}: {content}\n")
    return ("Conversation:\n" + "".join(lines) + "\n" if lines else "") + f"Query: {query}", shortened


def chatml(messages: Sequence[tuple[str, str]], default_system: str | None) -> list[tuple[str, bool]]:
    """A free conversation as pieces (text, is_markup): only markup may become control tokens."""
    pieces: list[tuple[str, bool]] = []
    if default_system and (not messages or messages[0][0] != "system"):
        messages = [("system", default_system), *messages]
    for role, content in messages:
        pieces += [(f"<|im_start|>{role}\n", True), (content, False), ("<|im_end|>\n", True)]
    return [*pieces, ("<|im_start|>assistant\n", True)]
