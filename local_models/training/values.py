"""Invented values: people, firms, numbers with right checksums, dates in many spellings. Nothing here is anybody's."""

from __future__ import annotations

import datetime
import random
import string
from collections.abc import Sequence

__all__ = ["Values"]

GIVEN = """Adam Aisha Bjorn Camila Dario Edith Farid Greta Hana Ivo Jamal Karin Lars Mira Nadia Otto Petra Quinn Rafael
Selma Tom Ursula Viktor Wanda Xenia Yara Zoltan Alice Brian Chen Divya Esteban Freya George Helen Ines Jack"""
FAMILY = """Abbott Baker Castro Dvorak Eriksen Fischer Goncalves Hughes Ivanov Jansen Kaminski Lopez Mbaye Nakagawa
Olsen Peeters Quiroga Rossi Schneider Tamm Urban Vasquez Walker Xu Yilmaz Zimmer Bennett Clarke Duarte Ellis"""
FIRM = "Alder Birch Cobalt Delta Ember Fulcrum Granite Horizon Indigo Juniper Keystone Lumen Mosaic Nimbus Onyx"
TRADE = ["Systems", "Foods", "Transport", "Partners", "Energy", "Studios", "Labs", "Trading", "Motors", "Health"]
LEGAL = ["Ltd", "GmbH", "Inc.", "SA", "LLC", "AG", "BV", ""]
CITY = "Aachen Bilbao Cardiff Dundee Essen Florence Geneva Helsinki Izmir Jena Kaunas Linz Malmo Nice Odense"
STREET = ["Mill Road", "Station Street", "Oak Avenue", "Church Lane", "Market Square", "River Walk", "Hill Crescent"]
HOST = ["example.com", "example.org", "mail.example", "post.example.net", "corp.example"]
MONTHS = "January February March April May June July August September October November December"


class Values:
    """Draws values from one seeded source; every method returns text as it would stand in a message."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def pick(self, options: Sequence[str]) -> str:
        return self.rng.choice(options)

    def word(self, words: str) -> str:
        """One word of a list written as a sentence."""
        return self.rng.choice(words.split())

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def pattern(self, shape: str) -> str:
        """# is a digit, A a capital letter, % a hexadecimal digit; the rest stays."""
        draw = {"#": string.digits, "A": string.ascii_uppercase, "%": "0123456789abcdef"}
        return "".join(self.rng.choice(draw[one]) if one in draw else one for one in shape)

    def given(self) -> str:
        return self.word(GIVEN)

    def person(self) -> str:
        return f"{self.word(GIVEN)} {self.word(FAMILY)}"

    def org(self) -> str:
        return f"{self.word(FIRM)} {self.pick(TRADE)} {self.pick(LEGAL)}".strip()

    def city(self) -> str:
        return self.word(CITY)

    def address(self) -> str:
        number, street = self.rng.randint(1, 190), self.pick(STREET)
        return self.pick([f"{number} {street}", f"{number} {street}, {self.pattern('#####')} {self.city()}"])

    def email(self) -> str:
        name = self.person().lower().replace(" ", self.pick([".", "_", ""]))
        return f"{name}@{self.pick(HOST)}"

    def phone(self) -> str:
        return self.pattern(self.pick(["+## ### #######", "(###) ###-####", "0## #### ####", "+1-###-###-####"]))

    def username(self) -> str:
        return self.given().lower() + self.pick(["_dev", "##", ".k", "-##", "x"]).replace("##", self.pattern("##"))

    def ip(self) -> str:
        return ".".join(str(self.rng.randint(1, 254)) for _ in range(4))

    def url(self) -> str:
        return f"https://{self.pick(HOST)}/{self.pick(['u', 'docs', 'share', 'p'])}/{self.pattern('%%%%%%')}"

    def secret(self) -> str:
        shapes = [
            "key-%%%%%%%%%%%%%%%%",
            "A#A#A#AA##A#AA##A#A#",
            "%%%%%%%%%%%%%%%%%%%%%%%%",
            "tok_%%%%A#A#%%%%A#A#%%%%",
        ]
        return self.pattern(self.pick(shapes))

    def identifier(self) -> str:
        return self.pattern(self.pick(["A########", "##-######", "E-#####", "AA ######", "###-##-####", "P/####/###"]))

    def card(self) -> str:
        """16 digits with a right Luhn digit."""
        body = "4" + self.pattern("##############")
        doubled = [int(digit) * (2 - at % 2) for at, digit in enumerate(body)]
        check = -sum(value - 9 if value > 9 else value for value in doubled) % 10
        digits = body + str(check)
        return self.pick([digits, " ".join(digits[at : at + 4] for at in range(0, 16, 4))])

    def iban(self) -> str:
        """A German account number with a right check sum."""
        account = self.pattern("##################")
        check = 98 - int(account + "131400") % 97
        whole = f"DE{check:02d}{account}"
        return self.pick([whole, " ".join(whole[at : at + 4] for at in range(0, len(whole), 4))])

    def date(self) -> tuple[str, str]:
        """(YYYY-MM-DD, as written)."""
        day = datetime.date(2018, 1, 1) + datetime.timedelta(days=self.rng.randint(0, 3600))
        month = MONTHS.split()[day.month - 1]
        written = [day.isoformat(), f"{day.day} {month} {day.year}", f"{month} {day.day}, {day.year}"]
        return day.isoformat(), self.pick([*written, f"{day.day:02d}.{day.month:02d}.{day.year}"])

    def number(self, low: int, high: int, *, cents: bool = False) -> tuple[int | float, str]:
        """(value, as written), sometimes with thousands separators."""
        value: int | float = self.rng.randint(low, high)
        if cents and self.chance(0.6):
            value = round(value + self.rng.randint(1, 99) / 100, 2)
            return value, f"{value:,.2f}" if self.chance(0.5) else f"{value:.2f}"
        return value, f"{value:,}" if value > 999 and self.chance(0.5) else str(value)
