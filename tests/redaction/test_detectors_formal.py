"""Things that prove themselves, links, and telephone numbers."""

from __future__ import annotations

import pytest

from lancelot.redaction import detectors
from lancelot.redaction.rules.checks import CHECKS, luhn, mod97, verhoeff

from .finding import found, labelled

VALID = [
    ("EMAIL", "billing@example.com"),
    ("EMAIL", "o'neill+tag@mail.example.co.uk"),
    ("EMAIL", "jörg@müller.example"),
    ("CARD", "4111 1111 1111 1111"),
    ("CARD", "5105105105105100"),
    ("CARD", "3782 822463 10005"),
    ("IBAN", "GB82 WEST 1234 5698 7654 32"),
    ("IBAN", "DE89370400440532013000"),
    ("IP", "203.0.113.77"),
    ("IP", "198.51.100.0/24"),
    ("IP", "2001:db8:85a3::8a2e:370:7334"),
    ("IP", "::1"),
    ("ID", "00:1A:2B:3C:4D:5E"),
    ("ID", "00-1B-44-11-3A-B7"),
    ("URL", "https://www.example.org/a?b=c"),
    ("URL", "docs.example.com/start"),
    ("PHONE", "+1 415 555 0132"),
    ("PHONE", "(212) 555-0147 ext. 33"),
    ("PHONE", "+44 (0)20 7946 0991"),
    ("PHONE", "0221 / 945 88 12"),
    ("PHONE", "06 12 34 56 78"),
    ("PHONE", "415.555.0173"),
]


@pytest.mark.parametrize(("label", "value"), VALID)
@pytest.mark.parametrize("frame", ["{}", "see {}, please", '{{"key": "{}"}}', "- **{}**", "x={}\ny=2", "({})"])
def test_found_whole_in_any_frame(label: str, value: str, frame: str) -> None:
    assert (label, value) in found(frame.format(value))


@pytest.mark.parametrize(
    "text",
    [
        "card 4111 1111 1111 1112 of the examples",
        "version 1.2.3.4 is out",
        "release v10.0.19.2",
        "at 12:30:45 and 08:15",
        "std::vector<int> and a::b",
        "The score was 3:2, ratio 16:9.",
        "total = obj.value; str.join(x)",
        "Sales grew from 1,200 to 3,400 in 12 weeks.",
        "order 4402883711, invoice 2026-0417",
        "Set timeout=30 and retries=5.",
        "9 out of 10, 100% of 2.5 kg, $4,500",
    ],
)
def test_quiet(text: str) -> None:
    assert [hit for hit in found(text) if hit[0] not in ("CARD",)] == []


def test_a_mistyped_card_still_goes_after_its_cue() -> None:
    assert labelled("credit card: 4716 9876 2234 1561", "CARD") == ["4716 9876 2234 1561"]
    assert labelled("part 4716 9876 2234 1561", "CARD") == []


@pytest.mark.parametrize(
    ("link", "rule"),
    [
        ("https://example.org/docs/intro", "url.public"),
        ("https://user:pw123456@example.org/x", "url.private"),
        ("https://example.org/reset?token=8fKq2LmZ0pXw71Tb", "url.private"),
        ("https://example.org/invite/9f8e7d6c5b4a39281706", "url.private"),
        ("https://wiki.corp.internal/page", "url.private"),
        ("https://www.linkedin.com/in/some-body-123", "url.private"),
        ("postgres://app:s3cr3tpw@db.example/main", "url.private"),
    ],
)
def test_private_and_public_links(link: str, rule: str) -> None:
    assert {span.rule for span in detectors.find(f"see {link} now") if span.label == "URL"} == {rule}


def test_the_sentence_around_a_link_is_not_the_link() -> None:
    assert labelled("(see https://example.org/a_(b)).", "URL") == ["https://example.org/a_(b)"]
    assert labelled("[here](https://example.org/a)", "URL") == ["https://example.org/a"]


@pytest.mark.parametrize("text", ["phone: 917 555 0199", "call 33 93 31", "(085) 175-7641-Fax", "Tel. 5551234567"])
def test_numbers_by_cue(text: str) -> None:
    assert len(labelled(text, "PHONE")) == 1


def test_check_digits() -> None:
    assert luhn("4111111111111111")
    assert not luhn("4111111111111112")
    assert mod97("GB82WEST12345698765432")
    assert not mod97("GB82WEST12345698765433")
    assert verhoeff("236")
    assert not verhoeff("263")
    good = {
        "nhs": "9434765919",
        "bsn": "111222333",
        "dni": "12345678Z",
        "cpf": "11144477735",
        "pesel": "44051401359",
        "steuer_id": "86095742719",
        "nir": "255081416802538",
        "fiscal_code": "RSSMRA85T10A562S",
        "vin": "1M8GDM9AXKP042788",
        "npi": "1234567893",
        "abn": "51824753556",
        "personnummer": "8112189876",
        "luhn": "046454286",
    }
    for name, number in good.items():
        assert CHECKS[name](number), name
        last = "0" if number[-1] != "0" else "1"
        if number[-1].isdigit():
            wrong = [number[:-1] + d for d in "0123456789" if d != number[-1]]
            assert not all(CHECKS[name](candidate) for candidate in wrong), (name, last)


@pytest.mark.parametrize("letter", "İıſK")
def test_letters_that_only_look_like_ascii_are_no_part_of_a_number(letter: str) -> None:
    for number in (f"GB09Y{letter}RHY41966356770012345", f"R{letter}SMRA85T10A562S", f"1HGBH4{letter}JXMN109186"):
        assert not [s for s in detectors.find(f"the number {number} is mine") if s.rule.startswith(("iban", "id.nat"))]
