"""The specialist for dates: how far apart, what comes before or after, which weekday, how old."""

from __future__ import annotations

import re
from functools import partial
from typing import Any, Final

from msgspec import Struct

from sse_server.panel.days import Day
from sse_server.panel.figures import counted, listed
from sse_server.panel.question import NUMBER, Question, Value, value_of
from sse_server.panel.specialists.specialist import Desk, Specialist, Task
from sse_server.panel.tools.calendar import ADD_TO_DATE, AGE, DAYS_BETWEEN, WEEKDAY

_AMOUNT: Final = re.compile(rf"(?P<number>{NUMBER})[\s-]{{0,3}}(?P<unit>day|week|month|year)s?\b")
_BEFORE: Final = re.compile(r"[\s,]{0,3}(?P<word>after|from|following|past|before|prior to|to|until)\s{1,3}(?:the\s)?")
_AFTER: Final = re.compile(r"\s{0,3}(?P<word>plus|\+|minus|-|and)\s{0,3}")
_BETWEEN_AMOUNTS: Final = re.compile(r"\s{0,3}(?:,|and|,\s?and)?\s{0,3}")
_VERB: Final = re.compile(r"\b(?:(?P<add>add|adding|plus)|subtract|subtracting|minus|take|deduct)\s{1,3}$")
_AGO: Final = re.compile(r"\s{1,3}ago\b")
_HENCE: Final = re.compile(r"\bin\s{1,3}$")
_WHEN: Final = re.compile(r"\b(?:date|what day|which day|weekday|day of the week|when)\b")
_WEEKDAY: Final = re.compile(
    r"\b(?:weekday|day of the week|what day|which day|leap year|week number|day of the year)\b"
)
_OLD: Final = re.compile(r"\b(?:born|birthday|birthdate|birth date|date of birth|how old|age)\b")
_FAR: Final = re.compile(
    r"\b(?:between|until|till|since|from|to|ago|left|passed|apart|how long"
    r"|how many (?:days|weeks|months|years|weekdays))\b"
)


class Shift(Struct, frozen=True):
    """A date and what is to be added to it."""

    day: Day
    amounts: list[tuple[str, Value]]
    sign: int


def read(question: Question) -> list[Task]:
    """First the dates that something is added to, then what is asked of the others."""
    shifts = _shifts(question)
    moved = [shift.day for shift in shifts]
    tasks = [Task(f"a date from {shift.day.written}", partial(_moved, shift)) for shift in shifts]
    others = [day for day in question.days if day not in moved]
    return tasks + _asked_of(others, question)


def _asked_of(days: list[Day], question: Question) -> list[Task]:
    """What is asked of dates that nothing is added to. `today` alone asks nothing."""
    named = [day for day in days if not day.near]
    if not named and not (days and question.has(_WEEKDAY)) and len(days) < 2:
        return []
    if question.has(_OLD) and named:
        until = next((day.written for day in days if day is not named[0]), question.today.isoformat())
        return [Task(f"age since {named[0].written}", partial(_age, named[0].written, until))]
    if question.has(_WEEKDAY) and not question.has(_FAR):
        return [_weekday_task(day) for day in days]
    pairs = list(zip(days[::2], days[1::2], strict=False))
    tasks = [_between_task(one.written, other.written) for one, other in pairs]
    if len(days) % 2 and question.has(_FAR) and not pairs:
        tasks.append(_between_task(question.today.isoformat(), days[-1].written))
    elif len(days) % 2:
        tasks.append(_weekday_task(days[-1]))
    return tasks


def _between_task(start: str, end: str) -> Task:
    return Task(f"from {start} to {end}", partial(_between, start, end))


def _weekday_task(day: Day) -> Task:
    return Task(f"weekday of {day.written}", partial(_weekday, day.written))


def _shifts(question: Question) -> list[Shift]:
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


async def _moved(shift: Shift, desk: Desk) -> str:
    arguments: dict[str, Any] = {"date": shift.day.written}
    for unit, value in shift.amounts:
        whole = int(value) if isinstance(value, float) and value.is_integer() else value
        arguments[unit] = shift.sign * whole if isinstance(whole, int) else whole
    found = await desk.use(ADD_TO_DATE, arguments)
    told = listed([counted(abs(arguments[unit]), unit[:-1]) for unit, _ in shift.amounts])
    return f"{told} {'before' if shift.sign < 0 else 'after'} {shift.day.written} is {found.weekday}, {found.date}."


async def _between(start: str, end: str, desk: Desk) -> str:
    found = await desk.use(DAYS_BETWEEN, {"start": start, "end": end})
    told = f"From {start} to {end} it is {counted(found.days, 'day')}"
    if abs(found.days) < 7:
        return f"{told}."
    parts = [(found.years, "year"), (found.months, "month"), (found.and_days, "day")]
    apart = listed([counted(number, unit) for number, unit in parts if number])
    also = f"{apart}, and" if found.years or found.months else "with"
    return f"{told} ({also} {counted(found.weekdays, 'weekday')} from Monday to Friday)."


async def _weekday(day: str, desk: Desk) -> str:
    found = await desk.use(WEEKDAY, {"date": day})
    leap = "a leap year" if found.leap_year else "no leap year"
    place = f"day {found.day_of_year} of its year, in week {found.iso_week}"
    return f"{found.date} is a {found.weekday}, {place}; it is {leap}."


async def _age(born: str, on: str, desk: Desk) -> str:
    found = await desk.use(AGE, {"born": born, "on": on})
    also = listed([counted(found.months, "month"), counted(found.and_days, "day")])
    return f"Somebody born on {born} is {counted(found.years, 'year')} old on {on} ({also} since the birthday)."


DATES: Final = Specialist(
    name="dates",
    offers="count days between dates, add days, weeks, months or years, and tell weekdays and ages",
    example="days between 2024-02-01 and 2024-05-17",
    read=read,
)
