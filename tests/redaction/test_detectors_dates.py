"""The date grammar; ages and durations are no dates; a date of birth is known by its words."""

from __future__ import annotations

import pytest

from .finding import found, labelled

DATES = [
    "2026-03-05",
    "2026-03-05T21:07:33.120Z",
    "1978-04-13 12:20:39",
    "2024/11/02",
    "5/25/2023",
    "01/22/26",
    "03.02.1961",
    "12.05.21",
    "17-Feb-2023",
    "10-04-2023",
    "09/2028",
    "March 12, 2026",
    "May 30th, 2022",
    "Oct. 13th, 2022",
    "Feb 14th '23",
    "5 Jan 24",
    "12 March 2026",
    "15th of January 2022",
    "the 3rd of January 2026",
    "Monday, 9 February 2026",
    "Saturday 20 June 2026",
    "Mon Mar 2 09:11:04 2026",
    "20 Jan.",
    "July 2022",
    "12 mars 2026",
    "17 août 1958",
    "3. März 2024",
    "1 de mayo de 2025",
    "Wednesday the 11th",
    "the ninth of May nineteen seventy",
]


@pytest.mark.parametrize("date", DATES)
@pytest.mark.parametrize("frame", ["{}", "It ends on {} at last", "[{}]", "Due: {}\nNext"])
def test_whole_dates(date: str, frame: str) -> None:
    text = frame.format(date)
    (only,) = labelled(text, "DATE")
    assert only.rstrip(".") == date.rstrip(".") or only.removeprefix("the ") == date.removeprefix("the ")


@pytest.mark.parametrize(
    "text",
    [
        "a 34-year-old woman, 34 years old, aged 7",
        "3 weeks, 12 months, the last 30 days, two days ago",
        "from 9:30 to 17:45",
        "version 1.2.20, Python 3.11.7",
        "open 24/7, half of 3/4",
        "may I have 5 of them? They march on 12%.",
        "section 4.1.2 and figure 3",
        "10-12 people, 5-7 days",
        "Mark scored 3-2",
        "127.0.0.1",
    ],
)
def test_ages_durations_and_numbers_are_none(text: str) -> None:
    assert labelled(text, "DATE") == []


@pytest.mark.parametrize(
    "text",
    [
        "DOB: 04/17/1956",
        "d.o.b. 1990-01-02",
        "born on 22.11.1979 in Bergen",
        "date of birth 8 May 1988",
        "geboren am 03.02.1961",
        '{"dateOfBirth": "1990-04-05"}',
        "birth_date=1990-04-05",
        "my dob is march 3rd 1990",
        "née le 17 août 1958",
    ],
)
def test_dates_of_birth(text: str) -> None:
    assert [label for label, _ in found(text)] == ["DATE_OF_BIRTH"]


def test_another_sentence_is_not_about_birth() -> None:
    assert found("She was born in Oslo. The contract ends on 3 May 2026.") == [("DATE", "3 May 2026")]
