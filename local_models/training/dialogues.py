"""Follow-up questions and what they mean on their own: rewriting, taught on invented conversations."""

from __future__ import annotations

from collections.abc import Iterator

from local_models.layout import Turn
from local_models.training.examples import Example, rewrite_example
from local_models.training.values import Values

__all__ = ["dialogues"]

TOPICS = """the cargo bike Veloz|the pension plan|the paint shop|the night ferry|the climbing hall|the audit tool Prufix
the seed library|the tax bureau|the diesel generator|the bakery course"""
ASPECTS = ["cost", "weight", "opening date", "capacity", "warranty", "supplier", "noise level", "owner", "location"]
SMALL_TALK = ["Good to know.", "I see.", "Thanks.", "OK."]


def dialogues(seed: int, count: int) -> Iterator[Example]:
    """`count` examples: pronouns, changed aspect, changed topic, and queries that stand alone already."""
    values = Values(seed)
    for number in range(count):
        topic, other = values.rng.sample(TOPICS.replace("\n", "|").split("|"), 2)
        aspect, second = values.rng.sample(ASPECTS, 2)
        turns = [Turn("user", values.pick([f"What is the {aspect} of {topic}?", f"Tell me the {aspect} of {topic}."]))]
        if values.chance(0.7):
            turns.append(
                Turn("assistant", f"Regarding {topic}, the {aspect} is listed on page {values.rng.randint(2, 80)}.")
            )
        if values.chance(0.2):
            turns.append(Turn("user", values.pick(SMALL_TALK)))
        query, rewritten = _follow_up(values, number % 4, topic, other, aspect, second)
        if number % 4 == 3:
            turns = turns if values.chance(0.5) else []
        yield rewrite_example("dialogues", turns, query, rewritten)


def _follow_up(values: Values, kind: int, topic: str, other: str, aspect: str, second: str) -> tuple[str, str]:
    if kind == 0:
        return values.pick([f"And its {second}?", f"What about the {second}?"]), f"What is the {second} of {topic}?"
    if kind == 1:
        return values.pick([f"And {other}?", f"How about {other}?"]), f"What is the {aspect} of {other}?"
    if kind == 2:
        return values.pick(["Who decided that?", "Who sets it?"]), f"Who decided the {aspect} of {topic}?"
    whole = values.pick([f"{second} of {other}", f"Which {second} does {other} have?"])
    return whole, whole
