"""Conversion of units, exact until the last digit is rounded."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Final

from msgspec import Meta, Struct, field

from sse_server.panel.tools.measures import UNITS, Unit
from sse_server.panel.tools.tool import Number, Tool, ToolError

Spelling = Annotated[str, Meta(min_length=1, max_length=40)]


class Conversion(Struct, frozen=True, forbid_unknown_fields=True):
    """A value, its unit, and the unit that is wanted."""

    value: Number
    unit: Spelling = field(name="from")
    to: Spelling


class Converted(Struct, frozen=True):
    """The value in the wanted unit; both units by their full names."""

    value: float
    unit: str
    of: str


def convert(asked: Conversion) -> Converted:
    """The same quantity in another unit. Raises `ToolError` for units of two kinds, and below absolute zero."""
    of, to = _unit(asked.unit), _unit(asked.to)
    if of.dimension != to.dimension:
        raise ToolError(f"{of.plural} measure {of.dimension}, {to.plural} measure {to.dimension}")
    # repr is the shortest decimal that means this float: 0.1 is a tenth, as it was written.
    base = Fraction(repr(asked.value)) * of.factor + of.offset
    if of.dimension == "temperature" and base < 0:
        raise ToolError("nothing is colder than absolute zero, -273.15 degrees Celsius")
    return Converted(float((base - to.offset) / to.factor), to.plural, of.plural)


def _unit(spelling: str) -> Unit:
    unit = UNITS.get(spelling.lower())
    if unit is None:
        raise ToolError(f"no unit that is known here is spelt {spelling!r}")
    return unit


CONVERT: Final = Tool("convert_units", Conversion, convert)
