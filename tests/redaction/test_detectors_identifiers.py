"""Identifiers after cue words, national numbers, plates, coordinates, wallets, user names, addresses, facilities."""

from __future__ import annotations

import pytest

from .finding import found, labelled

CUED = [
    ("MRN: {}", "00482913"),
    ("(MRN {})", "0093-4417"),
    ("insurance ID {}", "XJB-4417-0092"),
    ("policy number is {}", "LP-88-203941"),
    ("Policy: {} | Renewal", "HX 55 2291 08"),
    ("account no. {}", "70114-882"),
    ("passport no. {}", "75 4418803"),
    ("driver's license {}", "D4402-78-9913"),
    ("employee number {}", "E-20931"),
    ("Customer ID {}", "8837261"),
    ('{{"accountNumber": "{}"}}', "000123456789"),
    ("customer_id={}", "8837261"),
    ("Case No. {}", "3:25-cv-01187"),
    ("Steuernummer {}", "143/262/20177"),
    ("meine Versichertennummer ist {}", "K417 220 913"),
    ("frequent flyer {}", "LX 992 004 118 222 310"),
    ("(ID: {})", "987654321"),
    ("student ID: {}", "s1844172"),
    ("SSN {}", "219099999"),
    ("Licence plate {}", "B-KM 4417"),
    ("trailer {}", "TKW 41Z8"),
    ("hosp. no. {}", "66-31-2207"),
    ("payroll {}", "40917"),
    ("codice cliente {}", "660-17-IT"),
    ("klantnummer is {}", "NL-330187"),
    ("under reference {}", "33/417/20055"),
]


@pytest.mark.parametrize(("frame", "value"), CUED)
def test_after_a_cue(frame: str, value: str) -> None:
    assert value in labelled(frame.format(value), "ID")
    assert value in labelled(f"Please note, {frame.format(value)}.", "ID")


@pytest.mark.parametrize(
    "value",
    [
        "219-09-9999",
        "AB 12 34 56 C",
        "12345678Z",
        "IASG890412MDFBSD07",
        "640823-3234",
        "86 095 742 719",
        "1EG4-TE5-MK73",
        "1M8GDM9AXKP042788",
        "111.444.777-35",
        "#NY-123456",
        "48.137154, 11.576124",
        "54.5269 N, 3.0171 W",
        "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "14 C 302/24",
        "3 StR 44/23",
        "1:23-cv-04471",
        "[2021] EWCA Civ 1204",
    ],
)
def test_known_without_a_cue(value: str) -> None:
    assert labelled(f"It says {value} there", "ID") == [value]


@pytest.mark.parametrize(
    "text",
    [
        "order 114-8839201 and invoice INV-2026-0417",
        "tracking number 1Z999AA10123456784",
        "ticket 88213, build 5512, page 12 of 30",
        "the account has 3 users and a plan for 12 months",
        "in case 2 of 3 the patient was 63 years old",
        "use case 12, test case 7, card 3 of 5",
        "request 7f9c2e1a-3d44-4b1e-9c55-0a6d5b7e1f20 failed",
        "pi is 3.14159 and e is 2.71828",
        "matrix 12 345 678 by 9",
        "group of 25 people, unit test 4",
    ],
)
def test_things_are_not_people(text: str) -> None:
    assert labelled(text, "ID") == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("thanks @northshore_kat for the hint", "@northshore_kat"),
        ("user=j.doe42 ip=10.0.0.1", "j.doe42"),
        ("my username is gladys.morton", "gladys.morton"),
        ('{"login": "n.abubakar"}', "n.abubakar"),
        ("cd /home/mwilliams/.ssh", "mwilliams"),
        ("ssh deploy@host-1", "deploy"),
        ("# TODO(rdelacroix): remove", "rdelacroix"),
        ("find mireille_codes on GitHub", "mireille_codes"),
    ],
)
def test_user_names(text: str, name: str) -> None:
    assert name in labelled(text, "USERNAME")


@pytest.mark.parametrize(
    "text",
    [
        "@property\ndef name(self): ...",
        "@media screen and (min-width: 10px)",
        "user name and password are required",
        "the user is logged in as expected",
        "login page, user account, handle errors",
        "<div>text</div> <span>more</span>",
    ],
)
def test_no_user_names(text: str) -> None:
    assert labelled(text, "USERNAME") == []


@pytest.mark.parametrize(
    "address",
    [
        "18 Kestrel Way, Thornbury BS35 2QF",
        "402 Cedar Hollow Lane, Apt 7B, Boise, ID 83702",
        "1600 Pennsylvania Avenue NW, Washington, DC 20500",
        "221B Baker Street, London NW1 6XE",
        "Korenmarkt 14, 9000 Gent",
        "Lindenstraße 8, 50674 Köln",
        "14 rue des Lilas, 69003 Lyon",
        "Via Garibaldi 27, 20121 Milano",
        "Calle Mayor 45, 28013 Madrid",
        "Postfach 10 22 33, 70182 Stuttgart",
        "P.O. Box 1234, Anchorage, AK 99501",
    ],
)
def test_addresses(address: str) -> None:
    text = f"Send it to {address}."
    (start,) = [text.index(hit) for hit in labelled(text, "ADDRESS")]
    covered = "".join(labelled(text, "ADDRESS"))
    assert start == text.index(address)
    assert len(covered) >= len(address) - 1


@pytest.mark.parametrize(
    "text",
    [
        "5 ways to drive sales in 30 days",
        "12 users in the court of public opinion",
        "The 3 most common errors in a row",
        "It takes 20 minutes to place an order",
        "we walked 10 miles in the park",
    ],
)
def test_no_addresses(text: str) -> None:
    assert labelled(text, "ADDRESS") == []


def test_bank_codes_by_their_cue() -> None:
    assert labelled("BIC GENODEF1ERG, please", "ID") == ["GENODEF1ERG"]
    assert labelled("SWIFT/BIC: PBNKDEFF", "ID") == ["PBNKDEFF"]
    assert not labelled("Swift: language of the year", "ID")


def test_facilities() -> None:
    assert ("LOCATION", "St. Brigid's Hospital") in found("seen at St. Brigid's Hospital today")
    assert ("LOCATION", "Oakfield Medical Centre") in found("The Oakfield Medical Centre is open")
    assert found("the hospital and the clinic are closed") == []
