"""The specialist for dates: how far apart, what comes before or after, which weekday, how old."""

from __future__ import annotations

import re
from functools import partial
from typing import Final

from sse_server.panel.days import Day
from sse_server.panel.figures import counted, listed
from sse_server.panel.question import Question
from sse_server.panel.specialists.shifts import Shift, read_shifts
from sse_server.panel.specialists.specialist import Desk, Specialist, Task
from sse_server.panel.tools.calendar import ADD_TO_DATE, AGE, DAYS_BETWEEN, WEEKDAY

_WEEKDAY: Final = re.compile(
    r"\b(?:weekday|day of the week|what day|which day|leap year|week number|day of the year)\b"
)
_OLD: Final = re.compile(r"\b(?:born|birthday|birthdate|birth date|date of birth|how old|age)\b")
_FAR: Final = re.compile(
    r"\b(?:between|until|till|since|from|to|ago|left|passed|apart|how long"
    r"|how many (?:days|weeks|months|years|weekdays))\b"
)


def read(question: Question) -> list[Task]:
    """First the dates that something is added to, then what is asked of the others."""
    shifts = read_shifts(question)
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


async def _moved(shift: Shift, desk: Desk) -> str:
    amounts = shift.signed()
    found = await desk.use(ADD_TO_DATE, {"date": shift.day.written, **amounts})
    told = listed([counted(abs(amount), unit[:-1]) for unit, amount in amounts.items() if isinstance(amount, int)])
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
