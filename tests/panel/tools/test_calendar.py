"""Dates, held against Python's own calendar."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_server.panel.tools import ToolError
from sse_server.panel.tools.calendar import ADD_TO_DATE, AGE, DAYS_BETWEEN, WEEKDAY

DATES = st.dates()


def moved(day: str, **amounts: int) -> str:
    return ADD_TO_DATE({"date": day, **amounts}).date


@given(DATES, DATES)
def test_the_days_between_two_dates_are_those_of_datetime(one: date, other: date) -> None:
    found = DAYS_BETWEEN({"start": one.isoformat(), "end": other.isoformat()})
    assert found.days == (other - one).days


@given(DATES, DATES)
def test_years_months_and_days_lead_from_one_date_to_the_other(one: date, other: date) -> None:
    early, late = sorted((one, other))
    found = DAYS_BETWEEN({"start": early.isoformat(), "end": late.isoformat()})
    assert 0 <= found.months < 12
    assert 0 <= found.and_days < 31
    there = moved(early.isoformat(), years=found.years, months=found.months, days=found.and_days)
    assert there == late.isoformat()


@given(DATES, st.integers(0, 1000))
def test_weekdays_are_counted_as_one_counts_them(start: date, days: int) -> None:
    end = min(date.max, start + timedelta(days=min(days, (date.max - start).days)))
    counted = sum((start + timedelta(days=n)).weekday() < 5 for n in range((end - start).days))
    for one, other in ((start, end), (end, start)):
        found = DAYS_BETWEEN({"start": one.isoformat(), "end": other.isoformat()})
        assert found.weekdays == counted


@given(DATES, st.integers(-800_000, 800_000), st.integers(-1000, 1000))
def test_adding_days_and_weeks_is_datetimes_or_is_refused(day: date, days: int, weeks: int) -> None:
    try:
        expected = (day + timedelta(days=days, weeks=weeks)).isoformat()
    except OverflowError:
        with pytest.raises(ToolError, match="not in the years 1 to 9999"):
            moved(day.isoformat(), days=days, weeks=weeks)
    else:
        assert moved(day.isoformat(), days=days, weeks=weeks) == expected


@given(DATES, st.integers(-4_000_000, 4_000_000))
def test_adding_months_keeps_the_day_or_takes_the_months_last(day: date, months: int) -> None:
    at = day.year * 12 + day.month - 1 + months
    if not 12 <= at < 120_000:
        with pytest.raises(ToolError, match="not in the years 1 to 9999"):
            moved(day.isoformat(), months=months)
        return
    found = date.fromisoformat(moved(day.isoformat(), months=months))
    assert (found.year * 12 + found.month - 1) == at
    last = found.month != (found + timedelta(days=1)).month if found < date.max else True
    assert found.day == day.day or (last and found.day < day.day)


@given(DATES)
def test_a_date_is_told_as_the_calendar_has_it(day: date) -> None:
    found = WEEKDAY({"date": day.isoformat()})
    year, week, _ = day.isocalendar()
    assert (found.date, found.weekday) == (day.isoformat(), day.strftime("%A"))
    assert found.iso_week == f"{year:04}-W{week:02}"
    assert found.day_of_year == (day - date(day.year, 1, 1)).days + 1
    assert found.leap_year == (day.year % 4 == 0 and (day.year % 100 != 0 or day.year % 400 == 0))


@given(DATES, DATES)
def test_an_age_is_the_birthdays_so_far(one: date, other: date) -> None:
    born, on = sorted((one, other))
    found = AGE({"born": born.isoformat(), "on": on.isoformat()})
    before = (on.month, on.day) < (born.month, born.day)
    if (born.month, born.day) == (2, 29) and (on.month, on.day) == (2, 28):
        return  # see the next test
    assert found.years == on.year - born.year - before


@pytest.mark.parametrize(
    ("on", "years"), [("2023-02-27", 22), ("2023-02-28", 23), ("2024-02-28", 23), ("2024-02-29", 24)]
)
def test_who_is_born_on_a_leap_day_has_a_birthday_each_year(on: str, years: int) -> None:
    assert AGE({"born": "2000-02-29", "on": on}).years == years


@pytest.mark.parametrize(
    "written",
    [
        "2024-02-30",
        "2023-02-29",
        "99999-01-01",
        "0000-01-01",
        "2024-13-01",
        "20240229",
        "2024-W09-4",
        "3/4/2024",
        "",
        "x",
    ],
)
def test_what_is_no_date_is_said(written: str) -> None:
    for tool, arguments in (
        (WEEKDAY, {"date": written}),
        (ADD_TO_DATE, {"date": written, "days": 1}),
        (AGE, {"born": written, "on": "2024-01-01"}),
        (DAYS_BETWEEN, {"start": "2024-01-01", "end": written}),
    ):
        with pytest.raises(ToolError, match="is not one date of the calendar"):
            tool(arguments)


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        (AGE, {"born": "2024-01-02", "on": "2024-01-01"}, "before the birth"),
        (ADD_TO_DATE, {"date": "2024-01-01", "days": 10**7}, "days"),
        (ADD_TO_DATE, {"date": "2024-01-01", "days": 1.5}, "days"),
        (ADD_TO_DATE, {"date": "2024-01-01", "days": "1e999"}, "days"),
        (WEEKDAY, {"date": "2024-01-01" * 5}, "date"),
    ],
)
def test_what_cannot_be_counted_is_said(tool: Any, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ToolError, match=said):
        tool(arguments)
