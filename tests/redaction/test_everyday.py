"""Small words of other languages are no names; names that look like them stay."""

from __future__ import annotations

import pytest

from lancelot.redaction.everyday import without_everyday_ends
from lancelot.redaction.redactor import Redactor

LEXICON = {"ella": 0b1, "morgen": 0}


@pytest.mark.parametrize(
    ("piece", "left"),
    [
        ("mijn klantnummer", ""),
        ("Buonasera", ""),
        ("bitte Wolfsteiner", "Wolfsteiner"),
        ("van der Meer", "van der Meer"),
        ("Ella", "Ella"),
        ("Des", "Des"),
        ("Oslo", "Oslo"),
        ("Saal 204", "Saal 204"),
    ],
)
def test_what_is_left_of_a_guess(piece: str, left: str) -> None:
    start, end = without_everyday_ends(piece, 0, len(piece), LEXICON)
    assert piece[start:end] == left


@pytest.mark.parametrize(
    "text",
    [
        "Goedemiddag, graag een factuur voor vandaag.",
        "Buongiorno, vorrei sapere quando arriva il pacco.",
        "Bonjour, merci de votre patience et à demain.",
        "Guten Tag, bitte um Rückruf heute oder morgen.",
    ],
)
def test_letters_without_a_name_stay_whole(text: str) -> None:
    assert Redactor().redact(text).text == text


def test_a_name_between_small_words_is_found() -> None:
    assert Redactor().redact("Guten Tag, hier ist Frau Wolfsteiner.").text == "Guten Tag, hier ist Frau <PERSON_1>."
