"""Made-up business records, from which three tasks are taught: extract their fields, hide what is sensitive, sum up.

A record is a list of fields; each field can be said in several ways. The same text then serves as an extraction (some
fields asked, some absent ones too), as a redaction (fields of sensitive kinds) and, padded with chatter, as a summary.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from local_models.training.examples import Example, extract_example, redact_example, summarize_example
from local_models.training.values import Values

__all__ = ["RECORDS", "Fact", "records"]


@dataclass(frozen=True)
class Fact:
    """One stated field: schema type, value, the words that carry it, the sentence, the sensitive kind if any."""

    name: str
    type: str
    value: object
    words: str
    sentence: str
    kind: str | None


FieldSpec = tuple[str, str, tuple[str, ...]]
"""(draw, sensitive kind or "", ways to say it)"""

RECORDS: dict[str, dict[str, FieldSpec]] = {
    "invoice": {
        "supplier": ("org", "ORG", ("Billed by {}.", "This bill comes from {}.", "Supplier {}.")),
        "invoice_no": ("code", "", ("Bill number {}.", "Our reference is {}.")),
        "amount_due": ("money", "", ("Please remit {}.", "Outstanding: {}.", "The balance is {}.")),
        "due_on": ("date", "", ("Payable until {}.", "Falls due {}.")),
        "bank_account": ("iban", "IBAN", ("Credit it to {}.", "Account {}.")),
        "settled": ("flag", "", ("The bill is settled.", "The bill is still open.")),
    },
    "repair": {
        "appliance": ("thing", "", ("The unit is a {}.", "Concerns a {}.")),
        "owner": ("person", "NAME", ("It belongs to {}.", "Owner: {}.")),
        "call_back": ("phone", "PHONE", ("Reachable under {}.", "Ring {}.")),
        "serial": ("code", "", ("Serial {}.", "The plate says {}.")),
        "estimate": ("money", "", ("We estimate {}.", "Expected cost {}.")),
        "ready_by": ("date", "", ("Ready by {}.", "Collection from {}.")),
        "under_guarantee": ("flag", "", ("It is under guarantee.", "The guarantee has lapsed.")),
    },
    "joiner": {
        "new_hire": ("person", "NAME", ("{} joins us.", "We welcome {}.")),
        "staff_number": ("identifier", "ID", ("Staff number {}.", "Listed as {}.")),
        "mailbox": ("email", "EMAIL", ("Mailbox {}.", "Write to {}.")),
        "born": ("date", "DATE_OF_BIRTH", ("Born {}.", "Date of birth {}.")),
        "home": ("address", "ADDRESS", ("Lives at {}.", "Home address {}.")),
        "weekly_hours": ("hours", "", ("Works {} hours a week.", "Contract over {} weekly hours.")),
        "remote": ("flag", "", ("Remote work is agreed.", "Works on site only.")),
    },
    "access": {
        "account": ("username", "USERNAME", ("Account {}.", "Logs in as {}.")),
        "machine": ("ip", "IP", ("Host {}.", "Connects to {}.")),
        "credential": ("secret", "SECRET", ("Key: {}", "Uses the key {}")),
        "portal": ("url", "URL", ("Portal {}", "See {}")),
        "attempts": ("count", "", ("{} attempts so far.", "Tried {} times.")),
        "locked": ("flag", "", ("The account is locked.", "The account is open.")),
    },
    "booking": {
        "guest": ("person", "NAME", ("For {}.", "Guest: {}.")),
        "nights": ("count", "", ("{} nights.", "Staying {} nights.")),
        "town": ("city", "", ("In {}.", "Destination {}.")),
        "arrival": ("date", "", ("Arriving {}.", "From {}.")),
        "card": ("card", "CARD", ("Card {}.", "Charged to {}.")),
        "rate": ("money", "", ("Rate {}.", "At {} per night.")),
        "pets": ("flag", "", ("A dog comes along.", "No animals.")),
    },
}
CHATTER = [
    "Sorry that this took so long.", "Nothing else has changed.", "You get a copy by post as well.",
    "The usual terms apply.", "Reply to this message if something is off.", "It was a pleasure to talk to you.",
    "We had many calls that day.", "The colleague on duty took the notes.", "A form is attached.",
]  # fmt: skip
THINGS = ["dryer", "laser cutter", "coffee grinder", "water pump", "label printer", "freezer", "band saw"]
ABSENT = {"manager": "string", "colour": "string", "discount": "number", "ends_on": "date", "urgent": "boolean"}


def records(seed: int, count: int) -> Iterator[Example]:
    """`count` records as examples of extract, redact and (every second one) summarize."""
    values = Values(seed)
    kinds = list(RECORDS)
    for number in range(count):
        facts = _facts(values, RECORDS[kinds[number % len(kinds)]])
        text = " ".join(_with_chatter(values, [fact.sentence for fact in facts], 2))
        asked = values.rng.sample(facts, min(len(facts), values.rng.randint(1, 5)))
        schema = {fact.name: fact.type for fact in asked}
        if values.chance(0.4):
            name = values.pick(list(ABSENT))
            schema[name] = ABSENT[name]
        yield extract_example("records", schema, {fact.name: fact.value for fact in asked}, text)
        spans = [(fact.kind, fact.words) for fact in facts if fact.kind]
        yield redact_example("records", sorted(spans, key=lambda span: text.index(span[1])), text)
        if number % 2:
            padded = " ".join(_with_chatter(values, [fact.sentence for fact in facts], 7))
            said = ", and ".join(fact.sentence.rstrip(".") for fact in facts[:3])
            yield summarize_example("records", padded, f"{said}.")


def _facts(values: Values, spec: dict[str, FieldSpec]) -> list[Fact]:
    names = values.rng.sample(list(spec), values.rng.randint(2, len(spec)))
    return [_fact(values, name, spec[name]) for name in names]


def _fact(values: Values, name: str, spec: FieldSpec) -> Fact:
    draw, kind, ways = spec
    if draw == "flag":
        yes = values.chance(0.5)
        sentence = ways[0] if yes else ways[1]
        return Fact(name, "boolean", yes, sentence, sentence, None)
    type_, value, words = _draw(values, draw)
    return Fact(name, type_, value, words, values.pick(ways).format(words), kind or None)


def _draw(values: Values, draw: str) -> tuple[str, object, str]:
    """(schema type, value, as written)."""
    if draw == "date":
        iso, written = values.date()
        return "date", iso, written
    if draw == "money":
        amount, written = values.number(5, 9000, cents=True)
        return "number", amount, values.pick([f"{written} EUR", f"${written}", written])
    if draw in ("count", "hours"):
        low, high = (1, 12) if draw == "count" else (8, 42)
        amount, written = values.number(low, high)
        return "number", amount, written
    if draw == "code":
        written = values.pattern(values.pick(["A-####", "######", "##/###-A"]))
    elif draw == "thing":
        written = values.pick(THINGS)
    else:
        written = str(getattr(values, draw)())
    return "string", written, written


def _with_chatter(values: Values, sentences: list[str], most: int) -> list[str]:
    mixed = list(sentences)
    for line in values.rng.sample(CHATTER, values.rng.randint(0, most)):
        mixed.insert(values.rng.randint(0, len(mixed)), line)
    return mixed
