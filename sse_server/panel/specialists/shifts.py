"""The dates that a question adds something to, or takes something from."""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from sse_server.panel.days import Day
from sse_server.panel.question import NUMBER, Question, Value, value_of

_AMOUNT: Final = re.compile(rf"(?P<number>{NUMBER})[\s-]{{0,3}}(?P<unit>day|week|month|year)s?\b")
_BEFORE: Final = re.compile(r"[\s,]{0,3}(?P<word>after|from|following|past|before|prior to|to|until)\s{1,3}(?:the\s)?")
_AFTER: Final = re.compile(r"\s{0,3}(?P<word>plus|\+|minus|-|and)\s{0,3}")
_BETWEEN_AMOUNTS: Final = re.compile(r"\s{0,3}(?:,|and|,\s?and)?\s{0,3}")
_VERB: Final = re.compile(r"\b(?:(?P<add>add|adding|plus)|subtract|subtracting|minus|take|deduct)\s{1,3}$")
_AGO: Final = re.compile(r"\s{1,3}ago\b")
_HENCE: Final = re.compile(r"\bin\s{1,3}$")
_WHEN: Final = re.compile(r"\b(?:date|what day|which day|weekday|day of the week|when)\b")


class Shift(Struct, frozen=True):
    """A date and what is to be added to it."""

    day: Day
    amounts: list[tuple[str, Value]]
    sign: int

    def signed(self) -> dict[str, Value | int]:
        """How many of each unit; what is no whole number is left for the tool to refuse."""
        sums: dict[str, Value | int] = {}
        for unit, value in self.amounts:
            before = sums.get(unit, 0)
            if not isinstance(before, int):
                continue
            whole = isinstance(value, float) and value.is_integer()
            sums[unit] = before + self.sign * int(value) if whole else value
        return sums


def read_shifts(question: Question) -> list[Shift]:
    """`90 days after DATE`, `DATE plus 1 month`, `add 2 weeks to DATE`, `3 months ago`, `in 10 days`."""
    runs = _amounts(question.text)
    found: list[Shift] = []
    for start, end, amounts in runs:
        day, sign = _anchor(question, start, end)
        if day and all(day != shift.day for shift in found):
            found.append(Shift(day, amounts, sign))
    return found


def _amounts(text: str) -> list[tuple[int, int, list[tuple[str, Value]]]]:
    """Runs such as `1 year, 2 months and 3 days`, with their places."""
    runs: list[tuple[int, int, list[tuple[str, Value]]]] = []
    for match in _AMOUNT.finditer(text):
        one = (f"{match['unit']}s", value_of(match["number"]))
        if runs and _BETWEEN_AMOUNTS.fullmatch(text, runs[-1][1], match.start()):
            start, _, before = runs[-1]
            runs[-1] = (start, match.end(), [*before, one])
        else:
            runs.append((*match.span(), [one]))
    return runs


def _anchor(question: Question, start: int, end: int) -> tuple[Day | None, int]:
    """The date that an amount at this place is counted from, and whether forward (1) or back (-1)."""
    text = question.text
    verb = _VERB.search(text, max(0, start - 20), start)
    for day in question.days:
        link = _BEFORE.fullmatch(text, end, day.start) if day.start >= end else None
        if link and (verb or link["word"] not in {"to", "until"}):
            back = link["word"] in {"before", "prior to"} or (verb is not None and not verb["add"])
            return day, -1 if back else 1
        link = _AFTER.fullmatch(text, day.end, start) if day.end <= start else None
        if link and link["word"] != "and":
            return day, -1 if link["word"] in {"minus", "-"} else 1
    today = Day(question.today.isoformat(), start, end, near=True)
    if _AGO.match(text, end):
        return today, -1
    if question.has(_WHEN) and _HENCE.search(text, max(0, start - 10), start):
        return today, 1
    return None, 1
