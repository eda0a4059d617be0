"""Classification examples of our own: the six default labels, and label sets as callers bring them.

Custom sets are shown with and without descriptions, shuffled, under changing names and with a catch-all label now and
then, so that the model reads the list instead of learning our names by heart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from local_models.layout import DEFAULT_LABELS, Label
from local_models.training.examples import Example, classify_example
from local_models.training.values import Values

__all__ = ["CUSTOM", "custom_intents", "default_intents", "label_lists"]

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
CUSTOM: dict[str, dict[str, tuple[str, list[str]]]] = {
    "parcel desk": {
        "lost": (
            "a parcel cannot be found",
            ["where did my box go, it never came", "nobody has seen the crate since {c}"],
        ),
        "damaged": ("a parcel arrived broken", ["the carton was soaked and torn", "glass shards fell out of the box"]),
        "redirect": ("deliver it somewhere else", ["bring it to {p} in {c} instead", "please leave it at the kiosk"]),
        "fees": ("costs of sending", ["what do you charge for {n} kilos", "the surcharge seems too high to me"]),
    },
    "help desk": {
        "network": ("connections and remote access", ["the tunnel drops every {n} minutes", "no signal in {c} at all"]),
        "hardware": ("machines and their parts", ["the screen flickers on {o}", "a key is stuck on my keyboard"]),
        "accounts": ("log-in and rights", ["my badge number is not accepted", "give {p} rights for the archive"]),
        "wishes": (
            "ideas and requests for new things",
            ["a darker theme would be lovely", "add a search field please"],
        ),
    },
    "sentiment": {
        "pleased": ("the writer is happy", ["what a lovely stay in {c}", "{p} did a splendid job"]),
        "mixed": ("good and bad points", ["tasty but far too loud", "quick, although the lid was cracked"]),
        "annoyed": ("the writer is unhappy", ["never again, {n} hours of waiting", "rude from start to finish"]),
    },
}


def default_intents(seed: int, count: int) -> Iterator[Example]:
    """`count` texts over the six default labels, in their fixed order and with their descriptions."""
    values = Values(seed)
    names = [label.name for label in DEFAULT_LABELS]
    for number in range(count):
        label = names[number % len(names)]
        text = _touch(values, _fill(values, values.pick(FRAMES[label])), label)
        yield classify_example("default-labels", DEFAULT_LABELS, text, label)


def custom_intents(seed: int, count: int) -> Iterator[Example]:
    """`count` texts over our own business label sets."""
    values = Values(seed)
    for number in range(count):
        chosen = list(CUSTOM.values())[number % len(CUSTOM)]
        pool = {label: [_fill(values, text) for text in texts] for label, (_, texts) in chosen.items()}
        about = {label: description for label, (description, _) in chosen.items()}
        yield from label_lists(values, "custom-labels", pool, 1, about=about)


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
        style = values.rng.randrange(4)
        described = bool(about) and values.chance(0.6)
        made = [Label(_name(one, style), about.get(one) if described and about else None) for one in shown]
        if catch_all:
            made.append(Label(_name(catch_all, style), None))
        if len({label.name for label in made}) == len(made):
            yield classify_example(source, made, text, _name(true, style))


def _name(label: str, style: int) -> str:
    words = label.replace("_", " ").split()
    return [" ".join(words), "_".join(words), " ".join(words).title(), "-".join(words)][style]


def _fill(values: Values, frame: str) -> str:
    noise = "".join(values.rng.sample("bcdfghjklmnpqrstvwxz", values.rng.randint(3, 7)))
    drawn = {
        "o": values.pick(OBJECTS), "d": values.pick(DEEDS), "p": values.given(), "c": values.city(),
        "n": str(values.rng.randint(2, 60)), "y": str(values.rng.randint(2011, 2025)), "x": noise,
    }  # fmt: skip
    return frame.format(**drawn)


def _touch(values: Values, text: str, label: str) -> str:
    """Case and punctuation as people use them, or leave them out."""
    if label != "unclear" and values.chance(0.6):
        text = text[0].upper() + text[1:]
    marks = {"question": ["?", "?", "", " ?"], "unclear": ["", "", "..."]}.get(label, [".", "", "!", ""])
    return text + values.pick(marks)
