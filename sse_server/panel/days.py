"""The dates that a text names, as they are written there or as the calendar's form of them."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Final

from msgspec import Struct

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH: Final = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_ORDINAL: Final = r"(?:st|nd|rd|th)?"
_NEAR: Final = {"yesterday": -1, "today": 0, "now": 0, "tomorrow": 1}


class Day(Struct, frozen=True):
    """A date as 2024-02-29, whether or not the calendar has it; as it was written where it can be read in two ways."""

    written: str
    start: int
    end: int
    near: bool = False
    """It was said as `today` or the like, which may just be a way to speak."""


def read_days(text: str, today: date) -> list[Day]:
    """The dates of a text in small letters, in its order."""
    return [_day(match, today) for match in _DATE.finditer(text)]


def _day(match: re.Match[str], today: date) -> Day:
    text, kind = match[0], match.lastgroup
    if kind == "near":
        return Day((today + timedelta(days=_NEAR[text])).isoformat(), *match.span(), near=True)
    parts = [str(1 + _MONTHS.index(part[:3])) if part[0].isalpha() else part for part in _PART.findall(text)]
    match kind:
        case "year_first":
            year, month, day = parts
        case "day_first":
            day, month, year = parts
        case _:
            month, day, year = parts
    if kind == "slashed" and int(month) != int(day):
        if int(month) <= 12 and int(day) <= 12:
            return Day(text, *match.span())  # half the world means another day
        month, day = sorted((month, day), key=int)
    return Day(f"{year:0>4}-{month:0>2}-{day:0>2}", *match.span())


_PART: Final = re.compile(rf"\d+|{_MONTH}")
_DATE: Final = re.compile(
    rf"""
    (?<![\w.,/-])(?:
      (?P<year_first> \d{{4,9}}-\d{{1,2}}-\d{{1,2}} | \d{{4}}/\d{{1,2}}/\d{{1,2}} )
    | (?P<slashed> \d{{1,2}}/\d{{1,2}}/\d{{4,9}} )
    | (?P<day_first> \d{{1,2}} (?: \.\s?\d{{1,2}}\.\s? | {_ORDINAL}\s{{1,3}}(?:of\s)?{_MONTH},?\s{{0,3}} ) \d{{4,9}} )
    | (?P<month_first> {_MONTH}\s{{0,3}}\d{{1,2}}{_ORDINAL},?\s{{1,3}}\d{{4,9}} )
    | (?P<near> {"|".join(_NEAR)} )
    )(?![\w/]|[-.,]\d)
    """,
    re.VERBOSE,
)
