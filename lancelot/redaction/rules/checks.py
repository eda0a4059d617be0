"""Check digits of national and international numbers, from the public rules of their issuers.

Each function takes the number without separators and says whether its check digits fit.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["CHECKS", "luhn", "mod97", "plain_letters", "verhoeff"]

_VERHOEFF_D = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_VERHOEFF_P = (
    "0123456789", "1576283094", "5803796142", "8916043527",
    "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip
_DNI = "TRWAGMYFPDXBNJZSQVHLCKE"
_VIN = {
    c: v
    for letters, v in (
        ("AJ", 1),
        ("BKS", 2),
        ("CLT", 3),
        ("DMU", 4),
        ("ENV", 5),
        ("FW", 6),
        ("GPX", 7),
        ("HY", 8),
        ("RZ", 9),
    )
    for c in letters
}
_FISCAL_ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (
            1,
            0,
            5,
            7,
            9,
            13,
            15,
            17,
            19,
            21,
            1,
            0,
            5,
            7,
            9,
            13,
            15,
            17,
            19,
            21,
            2,
            4,
            18,
            20,
            11,
            3,
            6,
            8,
            12,
            14,
            16,
            10,
            22,
            25,
            24,
            23,
        ),
        strict=True,
    )
)


def luhn(digits: str) -> bool:
    """Whether the last digit is the Luhn check digit of the others."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit)
        if place % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0


def plain_letters(number: str) -> bool:
    """Whether its letters are A to Z; matching without regard to case also takes a few that only look like them."""
    return number.isascii() or not any(c.isalpha() and not c.isascii() for c in number)


def mod97(number: str) -> bool:
    """ISO 7064 MOD 97-10, as an IBAN (letters and digits only) carries it."""
    moved = number[4:] + number[:4]
    return int("".join(str(int(c, 36)) for c in moved)) % 97 == 1


def verhoeff(digits: str) -> bool:
    """Verhoeff's scheme, which catches every swap of neighbours (Aadhaar)."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        check = int(_VERHOEFF_D[check][int(_VERHOEFF_P[place % 8][int(digit)])])
    return check == 0


def _weighted(digits: str, weights: tuple[int, ...]) -> int:
    return sum(int(d) * w for d, w in zip(digits, weights, strict=False))


def _nhs(n: str) -> bool:
    check = 11 - _weighted(n, tuple(range(10, 1, -1))) % 11
    return check % 11 == int(n[9]) and check != 10


def _bsn(n: str) -> bool:
    return _weighted(n, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0 and n.strip("0") != ""


def _dni(n: str) -> bool:
    number = n[:-1].upper().replace("X", "0").replace("Y", "1").replace("Z", "2")
    return number.isdigit() and _DNI[int(number) % 23] == n[-1].upper()


def _cpf(n: str) -> bool:
    if len(set(n)) == 1:
        return False
    first = _weighted(n, tuple(range(10, 1, -1))) * 10 % 11 % 10
    second = _weighted(n, tuple(range(11, 1, -1))) * 10 % 11 % 10
    return n[9:] == f"{first}{second}"


def _pesel(n: str) -> bool:
    return (10 - _weighted(n, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10) % 10 == int(n[10])


def _steuer_id(n: str) -> bool:
    product = 10
    for digit in n[:10]:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(n[10]) and n[0] != "0"


def _nir(n: str) -> bool:
    body = n[:13].upper().replace("2A", "19").replace("2B", "18")
    return body.isdigit() and 97 - int(body) % 97 == int(n[13:])


def _fiscal_code(n: str) -> bool:
    code = n.upper()
    even = sum(int(c) if c.isdigit() else ord(c) - 65 for c in code[1:15:2])
    return chr(65 + (even + sum(_FISCAL_ODD[c] for c in code[0:15:2])) % 26) == code[15]


def _vin(n: str) -> bool:
    code = n.upper()
    values = [int(c) if c.isdigit() else _VIN.get(c, -1) for c in code]
    total = sum(v * w for v, w in zip(values, (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2), strict=True))
    return -1 not in values and "0123456789X"[total % 11] == code[8]


def _npi(n: str) -> bool:
    return luhn("80840" + n)


def _abn(n: str) -> bool:
    return _weighted(str(int(n[0]) - 1) + n[1:], (10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)) % 89 == 0


def _swedish(n: str) -> bool:
    return luhn(n[-10:])


# name -> check of the number without its separators
CHECKS: dict[str, Callable[[str], bool]] = {
    "nhs": _nhs,
    "bsn": _bsn,
    "dni": _dni,
    "cpf": _cpf,
    "pesel": _pesel,
    "steuer_id": _steuer_id,
    "nir": _nir,
    "fiscal_code": _fiscal_code,
    "vin": _vin,
    "npi": _npi,
    "abn": _abn,
    "aadhaar": verhoeff,
    "personnummer": _swedish,
    "luhn": luhn,
}
