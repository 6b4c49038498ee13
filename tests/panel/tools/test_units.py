"""Conversion: known values, exact there and back, and nothing between kinds."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import groupby
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sse_server.panel.tools import ToolError
from sse_server.panel.tools.measures import UNITS, Unit
from sse_server.panel.tools.tool import LARGEST
from sse_server.panel.tools.units import CONVERT

KNOWN = [
    # (value, from, to, result); by NIST SP 811 and the definitions
    (5, "mile", "kilometre", 8.04672),
    (1, "nautical mile", "metre", 1852),
    (1, "yd", "ft", 3),
    (12, "in", "foot", 1),
    (1, "lb", "g", 453.59237),
    (14, "lb", "st", 1),
    (16, "oz", "lb", 1),
    (1, "gallon", "litre", 3.785411784),
    (1, "imperial gallon", "litre", 4.54609),
    (16, "tbsp", "cup", 1),
    (3, "tsp", "tbsp", 1),
    (8, "fl oz", "cup", 1),
    (2, "pints", "quart", 1),
    (8, "imperial pints", "imperial gallon", 1),
    (100, "°C", "°F", 212),
    (-40, "f", "c", -40),
    (0, "k", "c", -273.15),
    (98.6, "f", "c", 37),
    (36, "km/h", "m/s", 10),
    (60, "mph", "km/h", 96.56064),
    (1, "knot", "km/h", 1.852),
    (1, "kcal", "kj", 4.184),
    (1000, "cal", "kcal", 1),
    (1, "kwh", "mj", 3.6),
    (1, "hectare", "m2", 10_000),
    (640, "acre", "square mile", 1),
    (1, "week", "hour", 168),
    (1, "atm", "kpa", 101.325),
    (0.1, "m", "cm", 10),
]


def convert(value: object, unit: str, to: str) -> float:
    return CONVERT({"value": value, "from": unit, "to": to}).value


@pytest.mark.parametrize(("value", "unit", "to", "result"), KNOWN)
def test_known_values(value: float, unit: str, to: str, result: float) -> None:
    assert convert(value, unit, to) == result


def alike() -> st.SearchStrategy[tuple[Unit, Unit]]:
    """Two units of one kind."""
    units = sorted(set(UNITS.values()), key=lambda unit: unit.dimension)
    kinds = [list(kind) for _, kind in groupby(units, key=lambda unit: unit.dimension)]
    return st.sampled_from(kinds).flatmap(lambda kind: st.tuples(st.sampled_from(kind), st.sampled_from(kind)))


@given(st.floats(0, 1e9), alike())
def test_there_and_back_is_where_it_began(value: float, units: tuple[Unit, Unit]) -> None:
    one, other = units
    there = convert(value, one.name, other.name)
    assume(there <= LARGEST)
    # an offset eats digits: 0.001 °C is 273.151 K
    assert math.isclose(convert(there, other.name, one.name), value, rel_tol=1e-12, abs_tol=1e-9)


@given(st.floats(-1e6, 1e6), alike())
def test_a_conversion_is_the_nearest_float_to_the_exact_value(value: float, units: tuple[Unit, Unit]) -> None:
    one, other = units
    exact = (Fraction(repr(value)) * one.factor + one.offset - other.offset) / other.factor
    try:
        assert convert(value, one.name, other.name) == float(exact)
    except ToolError:
        assert one.dimension == "temperature"
        assert Fraction(repr(value)) * one.factor + one.offset < 0


def test_every_spelling_is_in_small_letters_and_every_unit_has_its_names() -> None:
    assert all(spelling == spelling.lower() for spelling in UNITS)
    assert all(UNITS[unit.name.lower()] is unit is UNITS[unit.plural.lower()] for unit in UNITS.values())
    assert len({unit.name for unit in UNITS.values()}) == len(set(UNITS.values())) >= 55


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"value": 1, "from": "m", "to": "kg"}, "metres measure length, kilograms measure mass"),
        ({"value": 1, "from": "m", "to": "parsec"}, "no unit that is known here is spelt 'parsec'"),
        ({"value": -300, "from": "c", "to": "k"}, "absolute zero"),
        ({"value": 1e16, "from": "m", "to": "km"}, "value is to be a number from -1e15 to 1e15"),
        ({"value": math.nan, "from": "m", "to": "km"}, "value is to be a number"),
        ({"value": math.inf, "from": "m", "to": "km"}, "value is to be a number"),
        ({"value": "1e999", "from": "m", "to": "km"}, "value is to be a number"),
        ({"value": True, "from": "m", "to": "km"}, "value is to be a number"),
        ({"value": 1, "from": "m"}, "missing required field `to`"),
        ({"value": 1, "from": "m", "to": "km", "at": 3}, "unknown field `at`"),
        ({"value": 1, "from": "m" * 41, "to": "km"}, "from: expected `str` of length <= 40"),
    ],
)
def test_what_cannot_be_converted_is_said(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ToolError) as failure:
        CONVERT(arguments)
    assert said.lower() in str(failure.value).lower()
