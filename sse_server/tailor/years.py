"""Years: how many somebody asks for, claims or shows, from figures and from the dates of roles."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_COUNTS: Final = {
    word: at
    for at, word in enumerate(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    )
}
_ASKED: Final = re.compile(
    rf"\b(\d{{1,2}}|{'|'.join(_COUNTS)})\s?\+?(?:\s?(?:-|–|to|bis)\s?\d{{1,2}}\+?)?\s(?:or more\s|full\s)?"  # noqa: RUF001
    r"(?:years?|yrs?|jahre?|ans|años|år|jaar|anni)\b",
    re.IGNORECASE,
)
_YEAR: Final = r"(?<!\d)(?:19[5-9]\d|20\d\d)(?!\d)"
YEAR: Final = re.compile(_YEAR)
DATE: Final = re.compile(
    rf"(?:\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mai|okt|dez|maj)[a-z]{{0,6}}\.?\s|\b\d{{1,2}}[/.])?{_YEAR}",
    re.IGNORECASE,
)
"""A year, with its month where one stands before it."""
PRESENT: Final = re.compile(
    r"\b(?:present|now|current(?:ly)?|today|ongoing|since|heute|seit|aujourd|depuis|actual(?:idad)?|nu|nuvarande)\b",
    re.IGNORECASE,
)


def years_asked(text: str) -> int:
    """The first number of years that a text names, 0 where it names none; of `3-5 years` it is 3."""
    found = _ASKED.search(text)
    return _figure(found) if found else 0


def years_claimed(text: str) -> list[tuple[int, int, int]]:
    """Each number of years that a text names, with where its words start and end."""
    return [(_figure(found), found.start(), found.end()) for found in _ASKED.finditer(text)]


def period(text: str, this_year: int) -> tuple[int, int] | None:
    """The years from and to that a line names, None where it names none; `2019` alone is a period of no length."""
    years = [int(year) for year in YEAR.findall(text)]
    if not years:
        return None
    if PRESENT.search(text):
        return min(years), max(this_year, *years)
    return min(years), max(years)


def span(periods: Iterable[tuple[int, int]]) -> int:
    """How many years some periods cover together; what they share counts once, what lies between them not."""
    total = 0
    reached = 0
    for start, end in sorted(periods):
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total


def _figure(found: re.Match[str]) -> int:
    word = found[1].lower()
    return _COUNTS[word] if word in _COUNTS else int(word)
