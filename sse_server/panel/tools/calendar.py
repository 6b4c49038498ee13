"""Arithmetic with dates of the Gregorian calendar, of the years 1 to 9999."""

from __future__ import annotations

import re
from calendar import isleap, monthrange
from contextlib import suppress
from datetime import date, timedelta
from typing import Annotated, Final

from msgspec import Meta, Struct

from sse_server.panel.tools.tool import Tool, ToolError

Written = Annotated[str, Meta(max_length=40, description="A date as 2024-02-29.")]
Amount = Annotated[int, Meta(ge=-4_000_000, le=4_000_000)]


class Span(Struct, frozen=True, forbid_unknown_fields=True):
    """Two dates, in either order."""

    start: Written
    end: Written


class Between(Struct, frozen=True):
    """How far it is from one date to another: the days, the same as years, months and days, and the weekdays in it.

    All but the first are of the span without a sign. `weekdays` are Mondays to Fridays from the earlier date on, the
    later one not counted.
    """

    days: int
    years: int
    months: int
    and_days: int
    weekdays: int


class Shift(Struct, frozen=True, forbid_unknown_fields=True):
    """A date and what to add to it; negative to go back."""

    date: Written
    years: Amount = 0
    months: Amount = 0
    weeks: Amount = 0
    days: Amount = 0


class Moment(Struct, frozen=True, forbid_unknown_fields=True):
    """One date."""

    date: Written


class Told(Struct, frozen=True):
    """A date and what the calendar says of it; weeks are those of ISO 8601."""

    date: str
    weekday: str
    iso_week: str
    day_of_year: int
    leap_year: bool


class Birth(Struct, frozen=True, forbid_unknown_fields=True):
    """A birthday, and the day to count to."""

    born: Written
    on: Written


class Age(Struct, frozen=True):
    """Full years, and the months and days since the last birthday."""

    years: int
    months: int
    and_days: int


_FORM: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")  # Python also reads 20240229 and 2024-W09-4
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def days_between(asked: Span) -> Between:
    """From `start` to `end`; negative where it is the other way round."""
    start, end = _date(asked.start), _date(asked.end)
    early, late = sorted((start, end))
    return Between((end - start).days, *_apart(early, late), _weekdays(early, late))


def add_to_date(asked: Shift) -> Told:
    """Years and months first, to the month's last day where it has no such day; then weeks and days."""
    try:
        moved = _months_on(_date(asked.date), 12 * asked.years + asked.months)
        return _told(moved + timedelta(weeks=asked.weeks, days=asked.days))
    except (OverflowError, ValueError):
        raise ToolError("that date is not in the years 1 to 9999") from None


def weekday(asked: Moment) -> Told:
    """The weekday, and where in its year the date stands."""
    return _told(_date(asked.date))


def age(asked: Birth) -> Age:
    """Full years on a day. Somebody born on 29 February has a birthday on the last of February in other years."""
    born, on = _date(asked.born), _date(asked.on)
    if on < born:
        raise ToolError(f"{on} is before the birth, on {born}")
    return Age(*_apart(born, on))


def _date(written: str) -> date:
    with suppress(ValueError):
        if _FORM.fullmatch(written):
            return date.fromisoformat(written)
    raise ToolError(f"{written!r} is not one date of the calendar; write it as 2024-02-29")


def _apart(early: date, late: date) -> tuple[int, int, int]:
    """Years, months and days, by going as many whole months as fit."""
    months = 12 * (late.year - early.year) + late.month - early.month
    if _months_on(early, months) > late:
        months -= 1
    return months // 12, months % 12, (late - _months_on(early, months)).days


def _months_on(day: date, months: int) -> date:
    """Raises ValueError beyond the year 9999 or before the year 1."""
    year, month = divmod(12 * day.year + day.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise ValueError
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _weekdays(early: date, late: date) -> int:
    weeks, rest = divmod((late - early).days, 7)
    return 5 * weeks + sum((early.weekday() + day) % 7 < 5 for day in range(rest))


def _told(day: date) -> Told:
    year, week, _ = day.isocalendar()
    return Told(
        day.isoformat(), _WEEKDAYS[day.weekday()], f"{year:04}-W{week:02}", day.timetuple().tm_yday, isleap(day.year)
    )


DAYS_BETWEEN: Final = Tool("days_between", Span, days_between)
ADD_TO_DATE: Final = Tool("add_to_date", Shift, add_to_date)
WEEKDAY: Final = Tool("weekday", Moment, weekday)
AGE: Final = Tool("age", Birth, age)
