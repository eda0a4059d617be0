"""One training example, in the layout that is served: what the model reads when it learns is what it reads later."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from local_models.layout import TAIL, Label, Turn, head, label_list, rewrite, schema_head

__all__ = [
    "Example",
    "classify_example",
    "extract_example",
    "redact_example",
    "rewrite_example",
    "summarize_example",
]

END = "<|im_end|>"


@dataclass(frozen=True)
class Example:
    """`task` as the route is called, `source` the set it comes from, `user` the user's message, `answer` the reply."""

    task: str
    source: str
    user: str
    answer: str

    @property
    def prompt(self) -> str:
        """Everything before the answer."""
        return head(self.task) + self.user + TAIL

    @property
    def completion(self) -> str:
        """The answer with the token that ends it."""
        return self.answer + END

    @property
    def text(self) -> str:
        """The part a person wrote, without labels or schema."""
        return self.user.rpartition("Text: ")[2] if "Text: " in self.user else self.user

    def to_line(self) -> str:
        """One JSON line."""
        return json.dumps(self.__dict__, ensure_ascii=False)


def classify_example(source: str, labels: Sequence[Label], text: str, label: str) -> Example:
    """`label` must be one of the names."""
    if label not in {one.name for one in labels}:
        raise ValueError(f"{label!r} is not among the labels")
    return Example("classify", source, f"{label_list(labels)} {text}", label)


def extract_example(source: str, schema: Mapping[str, str], values: Mapping[str, object], text: str) -> Example:
    """Values in the schema's order; absent ones become null."""
    answer = json.dumps({name: values.get(name) for name in schema}, ensure_ascii=False)
    return Example("extract", source, f"{schema_head(schema)} {text}", answer)


def redact_example(source: str, spans: Iterable[tuple[str, str]], text: str) -> Example:
    """`spans` are (type, exact text) in order of appearance; a span over several lines is given line by line."""
    lines: list[str] = []
    for kind, span in spans:
        for part in span.split("\n"):
            line = f"{kind}\t{part.strip()}"
            if part.strip() and line not in lines:
                lines.append(line)
    return Example("redact", source, f"Text: {text}", "\n".join(lines) or "NONE")


def summarize_example(source: str, text: str, summary: str) -> Example:
    return Example("summarize", source, f"Text: {text}", summary)


def rewrite_example(source: str, conversation: Sequence[Turn], query: str, rewritten: str) -> Example:
    return Example("rewrite", source, rewrite(query, conversation)[0], rewritten)
