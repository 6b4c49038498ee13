"""Reading: numbers, quantities and dates as people write them."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_server.panel.question import read_question, value_of

TODAY = date(2026, 11, 21)


@pytest.mark.parametrize(
    ("text", "quantities"),
    [
        ("5 miles", [(5, "mile")]),
        ("1,200.5 kg", [(1200.5, "kilogram")]),
        ("1,80 m", [(1.8, "metre")]),
        ("1m80", [(1.8, "metre")]),
        ("2e3 m", [(2000, "metre")]),
        ("-40 °C and −40°F", [(-40, "degree Celsius"), (-40, "degree Fahrenheit")]),  # noqa: RUF001
        ("100km/h", [(100, "kilometre per hour")]),
        ("5 ft 11 in", [(71, "inch")]),
        ("5'11\"", [(71, "inch")]),
        ("5’11", [(71, "inch")]),  # noqa: RUF001
        ("5ft11", [(71, "inch")]),
        ("11 stone 4 lb", [(158, "pound")]),
        ("1 h, 30 min", [(90, "minute")]),
        ("150 g of rice and 2 kg of beef", [(150, "gram"), (2, "kilogram")]),
        ("half a mile, a cup, two pounds", [(0.5, "mile"), (1, "cup"), (2, "pound")]),
        ("٣ miles", [(3, "mile")]),
        ("１２ kg", [(12, "kilogram")]),  # noqa: RUF001
        ("5 m², 6 sq ft, 7 m^2", [(5, "square metre"), (6, "square foot"), (7, "square metre")]),
        ("a 5-mile run", [(5, "mile")]),
        ("1e999 km", [("1e999", "kilometre")]),
        ("1 m to 5 cm", [(1, "metre"), (5, "centimetre")]),
        ("5² m", []),
        ("3 men, 4 magnets", []),
        ("version 1.2.3 km", []),
    ],
)
def test_quantities(text: str, quantities: list[tuple[float | str, str]]) -> None:
    found = read_question(text, TODAY).quantities
    assert [(quantity.value, quantity.unit.name) for quantity in found] == quantities


@pytest.mark.parametrize(
    ("text", "dates"),
    [
        ("2024-02-01 and 2024/5/7", ["2024-02-01", "2024-05-07"]),
        ("5 March 2024", ["2024-03-05"]),
        ("the 1st of Feb. 2024", ["2024-02-01"]),
        ("March 5th, 2024", ["2024-03-05"]),
        ("Sept 30 1999", ["1999-09-30"]),
        ("5.4.2024", ["2024-04-05"]),
        ("25/12/2024 12/25/2024 4/4/2024", ["2024-12-25", "2024-12-25", "2024-04-04"]),
        ("3/4/2024", ["3/4/2024"]),
        ("2024-02-30", ["2024-02-30"]),
        ("99999-01-01", ["99999-01-01"]),
        ("today, tomorrow and yesterday", ["2026-11-21", "2026-11-22", "2026-11-20"]),
        ("May 2024, in 2024, 1.2, 1/2", []),
    ],
)
def test_dates(text: str, dates: list[str]) -> None:
    assert [day.written for day in read_question(text, TODAY).days] == dates


@given(st.floats(-1e15, 1e15))
def test_a_number_that_is_written_in_full_is_read_as_it_is(number: float) -> None:
    assert value_of(repr(number)) == number


@given(st.dates(), st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%d %B %Y", "%B %d, %Y", "%dth of %b %Y"]))
def test_a_date_is_read_in_every_form(day: date, form: str) -> None:
    written = day.replace(year=max(1000, day.year)) if day.year < 1000 and (day.month, day.day) != (2, 29) else day
    if written.year < 1000:
        return
    assert [found.written for found in read_question(f"on {written.strftime(form)}?", TODAY).days] == [
        written.isoformat()
    ]


@given(st.text(max_size=300))
def test_places_are_those_of_the_text(text: str) -> None:
    question = read_question(text, TODAY)
    assert len(question.rest) == len(question.text)
    places = [(part.start, part.end) for part in question.quantities] + [(day.start, day.end) for day in question.days]
    for start, end in places:
        assert question.text[start:end].strip()
        assert not question.rest[start:end].strip()
