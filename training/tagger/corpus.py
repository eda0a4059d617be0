"""python -m training.tagger.corpus LEXICON.xz OUT.npz [--rows N] [--labelled FILE.jsonl ...] [--plain FOLDER ...]

Turns filled frames, labelled texts and plain text into token features and, for each token, the classes it may have.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lancelot.redaction.names import tokenize, word_features
from training.tagger.export import read_lexicon

LOCALES = "en_US en_GB en_IN en_CA de_DE fr_FR es_ES it_IT nl_NL pl_PL sv_SE pt_BR tr_TR cs_CZ fi_FI"
TRADES = [
    "Roofing",
    "Outfitters",
    "Dental",
    "Foods",
    "Dairy",
    "Rail",
    "Mining",
    "Print",
    "Works",
    "Interiors",
    "Freight",
    "Shipping",
    "Plumbing",
    "Data",
    "Bank",
    "Optics",
    "Audio",
    "Energy",
    "Steel",
    "Logistics",
    "Textiles",
    "Travel",
    "Catering",
    "Marine",
    "Timber",
    "Media",
    "Software",
    "Security",
    "Consulting",
    "Farms",
]
CLASSES = ("", "PERSON", "LOCATION", "ORG", "DATE", "USERNAME", "ID", "PHONE", "SECRET", "FORMAL")
ANY = (1 << len(CLASSES)) - 1
_CLASS = {name: place for place, name in enumerate(CLASSES)}
_CLASS |= {"ADDRESS": 2, "DATE_OF_BIRTH": 4} | dict.fromkeys(("EMAIL", "URL", "IP", "IBAN", "CREDIT_CARD", "CARD"), 9)
_SLOT = re.compile(r"\{([A-Z])\}")
_LONGEST = 380  # tokens of one training text
Marked = tuple[str, list[tuple[int, int, str]]]


class Values:
    """What goes into a slot: a fresh value and its class."""

    def __init__(self, seed: int) -> None:
        from faker import Faker

        self.random = random.Random(seed)  # noqa: S311 - values for training, not secrets
        self.fakers = [Faker(locale) for locale in LOCALES.split()]
        for number, faker in enumerate(self.fakers):
            faker.seed_instance(seed + number)
        self.slots: dict[str, tuple[Callable[[], str], str]] = {
            "N": (lambda: self.any("name"), "PERSON"),
            "F": (lambda: self.any("first_name"), "PERSON"),
            "S": (lambda: self.any("last_name"), "PERSON"),
            "T": (lambda: self.random.choice(["Mr.", "Ms.", "Mrs", "Dr.", "Prof."]), ""),
            "C": (lambda: self.any("city"), "LOCATION"),
            "L": (lambda: self.any("current_country"), "LOCATION"),
            "A": (lambda: self.any("address").replace("\n", self.random.choice([", ", "\n"])), "LOCATION"),
            "H": (self.hospital, "LOCATION"),
            "O": (self.firm, "ORG"),
            "D": (self.date, "DATE"),
            "U": (self.login, "USERNAME"),
            "I": (self.identifier, "ID"),
            "P": (lambda: self.any("phone_number"), "PHONE"),
            "E": (lambda: self.any("email"), "FORMAL"),
            "K": (lambda: self.any("password"), "SECRET"),
        }

    def any(self, what: str) -> str:
        return str(getattr(self.random.choice(self.fakers), what)())

    def firm(self) -> str:
        """A company as Faker knows them, or a name or a word with a line of business."""
        if self.random.random() < 0.4:
            return self.any("company")
        first = self.any(self.random.choice(["last_name", "city"])) if self.random.random() < 0.5 else self.word()
        return f"{first} {self.random.choice(TRADES)}{self.random.choice(['', '', ' Ltd', ' GmbH', ' SA', ' AS'])}"

    def word(self) -> str:
        return str(self.fakers[0].word()).capitalize()

    def login(self) -> str:
        if self.random.random() < 0.5:
            return self.any("user_name")
        first, last = (re.sub(r"[^a-z]", "", self.any(kind).lower()) for kind in ("first_name", "last_name"))
        role = self.random.choice(["svc", "deploy", "backup", "cron", "ci", "report"])
        return self.random.choice([f"{first[:1]}-{last}", f"{first}-{last}", f"{role}-{first}", f"{role}-07"])

    def hospital(self) -> str:
        kind = self.random.choice(["Hospital", "Clinic", "Medical Center", "General Hospital", "Health Centre"])
        return f"{self.any(self.random.choice(['city', 'last_name']))} {kind}"

    def date(self) -> str:
        form = self.random.choice(
            ["%Y-%m-%d", "%m/%d/%Y", "%d.%m.%Y", "%B %d, %Y", "%d %b %Y", "%A, %d %B %Y", "%B %Y"]
        )
        return self.fakers[0].date_object().strftime(form)

    def identifier(self) -> str:
        form = self.random.choice(
            [
                "########",
                "??######",
                "???-####",
                "###-##-####",
                "??-######",
                "##-####-###",
                "?########",
                "??##|???",
                "???|###|?",
                "##|?|###/##",
                "20##-cv-#####",
                "####-?",
            ]
        )
        return self.fakers[0].bothify(form.replace("|", " ")).upper()

    def fill(self, frame: str) -> Marked:
        text, spans, at = "", [], 0
        for slot in _SLOT.finditer(frame):
            text += frame[at : slot.start()]
            at = slot.end()
            make, label = self.slots.get(slot.group(1), (lambda: "", ""))
            value = make()
            if label:
                spans.append((len(text), len(text) + len(value), label))
            text += value
        return text + frame[at:], spans


def recased(text: str, dice: random.Random) -> str:
    """The text in another case now and then; its length never changes."""

    def keep(change: Callable[[str], str]) -> str:
        return "".join(change(c) if len(change(c)) == 1 else c for c in text)

    roll = dice.random()
    if roll < 0.2:
        return keep(str.lower)
    if roll < 0.3:
        return keep(str.upper)
    return keep(lambda c: dice.choice((c.lower(), c.upper()))) if roll < 0.33 else text


def swapped(marked: Marked, values: Values) -> Marked:
    """The same sentence with other people, places and firms in it."""
    slot_of = {"PERSON": "N", "LOCATION": "C", "ORG": "O"}
    text, spans, out, at = *marked, "", 0
    moved = []
    for start, end, label in sorted(spans):
        if start < at:
            continue
        value = text[start:end]
        if label in slot_of and values.random.random() < 0.8 and not any(c.isdigit() for c in value):
            value = values.slots[slot_of[label]][0]()
        out += text[at:start]
        moved.append((len(out), len(out) + len(value), label))
        out, at = out + value, end
    return out + text[at:], moved


class Corpus:
    """Token features once each; texts as numbers of them, with gaps and allowed classes."""

    def __init__(self, lexicon: dict[str, int]) -> None:
        self.lexicon = lexicon
        self.words: dict[str, int] = {}
        self.features: list[tuple[int, ...]] = []
        self.tokens: list[int] = []
        self.gaps: list[int] = []
        self.allowed: list[int] = []
        self.offsets = [0]

    def add(self, marked: Marked, annotated: frozenset[str] | None = None) -> None:
        """annotated: the labels the source marks; None when it marks everything."""
        text, spans = marked
        starts, ends, tokens, gaps = tokenize(text)
        other = 1
        if annotated is not None:
            other |= sum({1 << place for name, place in _CLASS.items() if name and name not in annotated})
        allowed = [other] * len(tokens)
        for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
            for left, right, label in spans:
                if start < right and left < end:
                    allowed[i] = 1 << _CLASS[label] if label in _CLASS else ANY
        for at in range(0, len(tokens), _LONGEST):
            self.tokens += [self._word(token) for token in tokens[at : at + _LONGEST]]
            self.gaps += [0, *gaps[at + 1 : at + _LONGEST]]
            self.allowed += allowed[at : at + _LONGEST]
            self.offsets.append(len(self.tokens))

    def _word(self, token: str) -> int:
        if token not in self.words:
            self.words[token] = len(self.features)
            self.features.append(word_features(token, self.lexicon))
        return self.words[token]

    def save(self, path: Path) -> None:
        np.savez_compressed(
            path,
            tokens=np.array(self.tokens, np.int32),
            gaps=np.array(self.gaps, np.uint8),
            allowed=np.array(self.allowed, np.int32),
            offsets=np.array(self.offsets, np.int64),
            features=np.array(self.features, np.int64),
        )


def _labelled(path: Path) -> Iterator[tuple[Marked, frozenset[str]]]:
    for line in path.read_text(encoding="utf-8").split("\n"):
        if line.strip():
            row: dict[str, Any] = json.loads(line)
            spans = [(s["start"], s["end"], s["label"]) for s in row["spans"]]
            yield (row["text"], spans), frozenset(row["annotated"])


def main() -> None:
    """Build and save it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lexicon", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--labelled", type=Path, nargs="*", default=[])
    parser.add_argument("--plain", type=Path, nargs="*", default=[])
    parser.add_argument("--seed", type=int, default=7)
    chosen = parser.parse_args()
    values, dice = Values(chosen.seed), random.Random(chosen.seed)  # noqa: S311 - as above
    corpus = Corpus(read_lexicon(chosen.lexicon.read_bytes()))
    lines = Path(__file__).with_name("frames.txt").read_text(encoding="utf-8").splitlines()
    frames = [line.replace("\\n", "\n") for line in lines]
    for _ in range(chosen.rows):
        text, spans = "", []
        for _ in range(dice.choice([1, 1, 2, 3])):
            more, found = values.fill(dice.choice(frames))
            text += dice.choice([" ", "\n"]) if text else ""
            spans += [(a + len(text), b + len(text), label) for a, b, label in found]
            text += more
        corpus.add((recased(text, dice), spans))
    for path in chosen.labelled:
        for marked, annotated in _labelled(path):
            for variant in (marked, *(swapped(marked, values) for _ in range(3))):
                corpus.add((recased(variant[0], dice), variant[1]), annotated)
    for folder in chosen.plain:
        for file in sorted(folder.rglob("*.py")) + sorted(folder.rglob("*.txt")):
            whole = file.read_text(encoding="utf-8", errors="replace")
            for at in range(0, len(whole), 1500):
                corpus.add((whole[at : at + 1500], []))
    corpus.save(chosen.out)
    print(f"{len(corpus.offsets) - 1} texts, {len(corpus.tokens)} tokens, {len(corpus.features)} words")


if __name__ == "__main__":
    main()
