"""Classification examples of our own: the six default labels, and label sets as callers bring them.

Custom sets are shown with and without descriptions, shuffled, under changing names and with a catch-all label now and
then, so that the model reads the list instead of learning our names by heart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from local_models.layout import DEFAULT_LABELS, Label
from local_models.training.examples import Example, classify_example
from local_models.training.label_sets import LabelSet, default_texts, label_sets
from local_models.training.values import Values

__all__ = ["custom_intents", "default_intents", "label_lists"]

OBJECTS = ["the quarterly plan", "our label printer", "the loading dock", "her access badge", "the price sheet"]
DEEDS = ["approve the draft", "unlock the gate", "archive the folder", "phone the dealer", "swap the filter"]
FRAMES: dict[str, list[str]] = {
    "question": ["why is {o} missing", "who may {d}", "when do we {d}", "is {o} insured", "how can anyone {d}",
                 "what would it take to {d}", "do you happen to know whether {o} was moved"],
    "command": ["{d}", "kindly {d} before lunch", "could you {d} for us", "make sure to {d}", "print {o} in colour",
                "go and {d}, then report back", "hand {o} over to {p}"],
    "information": ["{o} is with {p} now", "{p} will {d} next week", "we keep {o} in {c}", "{o} was renewed in {y}",
                    "there are {n} copies of {o}", "{p} moved to {c}", "the gate code changed on Tuesday"],
    "greeting": ["hi {p}", "good day, {p}", "bye {p}, until Thursday", "hello to all of you", "how do you do",
                 "good night then", "pleased to see you, {p}"],
    "feedback": ["thank you, {o} looks great", "{o} was a letdown", "no, {p} is the other one", "well done with {o}",
                 "this is the best help I ever got", "your reply left out {o}", "what a mess with {o}"],
    "unclear": ["{o} or but", "erm the {n}", "{x}", "{x} {x}", "so when and", "{n} {n} if", "mhm that thing with"],
}  # fmt: skip
STYLES: tuple[Callable[[list[str]], str], ...] = (
    " ".join,
    " ".join,
    "_".join,
    "_".join,
    lambda words: " ".join(words).title(),
    lambda words: " ".join(words).capitalize(),
    "-".join,
    lambda words: "_".join(words).upper(),
)
GREETINGS = ["Hi {p}, ", "Hello, ", "Dear {p}, ", "Hi all, ", "{p}, ", "Good morning, ", "Hey ", "Re: your mail. "]
CLOSINGS = [" Thanks, {p}", " Best, {p}", " Regards", " Thanks in advance.", " - {p}", " Cheers"]


def default_intents(seed: int, count: int) -> Iterator[Example]:
    """`count` texts over the six default labels, in their fixed order and with their descriptions."""
    values = Values(seed)
    written = default_texts()
    names = [label.name for label in DEFAULT_LABELS]
    for number in range(count):
        label = names[number % len(names)]
        if values.chance(0.6):
            text = _addressed(values, _fill(values, values.pick(written[label])), label)
        else:
            text = _touch(values, _fill(values, values.pick(FRAMES[label])), label)
        yield classify_example("default-labels", DEFAULT_LABELS, text, label)


def custom_intents(seed: int, count: int, sets: Sequence[LabelSet] | None = None) -> Iterator[Example]:
    """`count` texts over our own business label sets; now and then with labels of other sets among them."""
    values = Values(seed)
    chosen = list(sets if sets is not None else label_sets())
    everything = {label: about for one in chosen for label, about in one.about.items()}
    for number in range(count):
        one = chosen[number % len(chosen)]
        pool = {label: [_vary(values, _fill(values, text)) for text in texts] for label, texts in one.texts.items()}
        if values.chance(0.12):
            yield from _strangers(values, pool, one.about, everything)
        elif values.chance(0.45):
            yield from _whole_list(values, pool, one.about)
        else:
            yield from label_lists(values, "custom-labels", pool, 1, about=one.about)


def _whole_list(values: Values, pool: Mapping[str, Sequence[str]], about: Mapping[str, str]) -> Iterator[Example]:
    """The set as its owner would send it: every label, all described or none."""
    labels = values.rng.sample(list(pool), len(pool))
    style, described = values.rng.randrange(len(STYLES)), bool(about) and values.chance(0.5)
    shown = [Label(_name(label, style), about.get(label) if described else None) for label in labels]
    true = values.pick(labels)
    yield classify_example("custom-labels", shown, values.pick(pool[true]), _name(true, style))


def _strangers(
    values: Values, pool: Mapping[str, Sequence[str]], about: Mapping[str, str], others: Mapping[str, str]
) -> Iterator[Example]:
    """The right label among labels of other sets."""
    true = values.pick(list(pool))
    strange = [label for label in others if label not in pool]
    labels = [true, *values.rng.sample(strange, min(len(strange), values.rng.randint(1, 7)))]
    values.rng.shuffle(labels)
    style, described = values.rng.randrange(len(STYLES)), values.chance(0.5)
    known = {**others, **about}
    shown = [Label(_name(label, style), known.get(label) if described else None) for label in labels]
    if len({label.name for label in shown}) == len(shown):
        yield classify_example("custom-labels", shown, values.pick(pool[true]), _name(true, style))


def label_lists(
    values: Values,
    source: str,
    pool: Mapping[str, Sequence[str]],
    count: int,
    *,
    about: Mapping[str, str] | None = None,
) -> Iterator[Example]:
    """Examples from any label -> texts mapping, with lists of changing length, naming and order."""
    labels = [label for label in pool if pool[label]]
    for _ in range(count):
        true = values.pick(labels)
        text = values.pick(list(pool[true]))
        others = [label for label in labels if label != true]
        shown = [true, *values.rng.sample(others, min(len(others), values.rng.randint(1, 9)))]
        catch_all = values.pick(["other", "something else", "none of these"]) if values.chance(0.08) else None
        if catch_all and values.chance(0.5) and len(shown) > 2:
            shown, true = shown[1:], catch_all
        values.rng.shuffle(shown)
        style = values.rng.randrange(len(STYLES))
        described = bool(about) and values.chance(0.6)
        made = [Label(_name(one, style), about.get(one) if described and about else None) for one in shown]
        if catch_all:
            made.append(Label(_name(catch_all, style), None))
        if len({label.name for label in made}) == len(made):
            yield classify_example(source, made, text, _name(true, style))


def _name(label: str, style: int) -> str:
    return STYLES[style](label.replace("_", " ").split())


def _fill(values: Values, frame: str) -> str:
    noise = "".join(values.rng.sample("bcdfghjklmnpqrstvwxz", values.rng.randint(3, 7)))
    drawn = {
        "o": values.pick(OBJECTS), "d": values.pick(DEEDS), "p": values.given(), "c": values.city(),
        "day": values.word("Monday Tuesday Wednesday Thursday Friday Saturday Sunday"),
        "n": str(values.rng.randint(2, 60)), "y": str(values.rng.randint(2011, 2025)), "x": noise,
    }  # fmt: skip
    return re.sub(r"\{(\w+)\}", lambda found: drawn.get(found[1], found[0]), frame)


def _addressed(values: Values, text: str, label: str) -> str:
    """A message as it stands in a mail: who is spoken to and who signs changes nothing of what it is."""
    text = _vary(values, text)
    if label in ("greeting", "unclear"):
        return text
    if values.chance(0.15):
        text = _fill(values, values.pick(GREETINGS)) + text
    if values.chance(0.12):
        text = (text if text[-1] in "?!." else text + ".") + _fill(values, values.pick(CLOSINGS))
    return text


def _vary(values: Values, text: str) -> str:
    """The same words in another case, or with other marks at the end."""
    if values.chance(0.12):
        text = text.lower()
    elif values.chance(0.5):
        text = text[:1].upper() + text[1:]
    if values.chance(0.15) and text[-1:] == ".":
        text = text[:-1]
    elif values.chance(0.25) and text[-1:].isalnum():
        text += "."
    return text


def _touch(values: Values, text: str, label: str) -> str:
    """Case and punctuation as people use them, or leave them out."""
    if label != "unclear" and values.chance(0.6):
        text = text[0].upper() + text[1:]
    marks = {"question": ["?", "?", "", " ?"], "unclear": ["", "", "..."]}.get(label, [".", "", "!", ""])
    return text + values.pick(marks)
