"""The specialist for units: quantities that the question wants in another unit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from itertools import takewhile
from typing import Final

from sse_server.panel.figures import shown
from sse_server.panel.question import UNIT, Quantity, Question
from sse_server.panel.specialists.specialist import Desk, Specialist, Task
from sse_server.panel.tools.measures import UNITS as SPELT
from sse_server.panel.tools.measures import Unit
from sse_server.panel.tools.units import CONVERT

_WANTED: Final = rf"(?P<to>{UNIT}(?:\s{{0,3}}(?:,|and|or|&)\s{{0,3}}{UNIT})*+)"
_AFTER: Final = re.compile(
    rf"\s{{0,3}}(?:(?:is|are|be|equal|equals|converted)\s+)?"
    rf"(?P<link>in ?to|to|in|as|=|-?->|=>|→|equals?)\s{{0,3}}(?:how many\s+|the\s+)?{_WANTED}"
)
_BEFORE: Final = re.compile(rf"\bhow (?:many|much)\s{{1,3}}{_WANTED}")
_ONE: Final = re.compile(UNIT)
_REACH: Final = 40
"""Characters between `how many kilometres` and the quantity that is meant."""


def read(question: Question) -> list[Task]:
    """A task for each quantity and each unit that is wanted of it."""
    pairs = dict.fromkeys([*_asked_after(question), *_asked_before(question)])
    return [Task(f"{_said(one)} in {to.plural}", partial(_convert, one, to)) for one, to in pairs]


def _asked_after(question: Question) -> Iterator[tuple[Quantity, Unit]]:
    """`5 miles to km and feet`. A plain `in` says nothing where the units don't fit: it may mean anything."""
    for quantity in question.quantities:
        match = _AFTER.match(question.text, quantity.end)
        for unit in _units(match) if match else []:
            assert match
            if match["link"] != "in" or unit.dimension == quantity.unit.dimension:
                yield quantity, unit


def _asked_before(question: Question) -> Iterator[tuple[Quantity, Unit]]:
    """`how many km are 5 miles`, where the units fit."""
    for match in _BEFORE.finditer(question.text):
        wanted = _units(match)
        near = (q for q in question.quantities if match.end() <= q.start <= match.end() + _REACH)
        quantity = next((q for q in near if q.unit.dimension == wanted[0].dimension), None)
        if quantity:
            yield from ((quantity, unit) for unit in wanted)


def _units(match: re.Match[str]) -> list[Unit]:
    """The units of a list, as long as they go on measuring the same: `to km, days until …` wants no days."""
    named = [SPELT[" ".join(found[0].split())] for found in _ONE.finditer(match["to"])]
    return list(takewhile(lambda unit: unit.dimension == named[0].dimension, named))


def _said(quantity: Quantity) -> str:
    if isinstance(quantity.value, str):
        return f"{quantity.value} {quantity.unit.plural}"
    return f"{shown(quantity.value)} {quantity.unit.name if quantity.value == 1 else quantity.unit.plural}"


async def _convert(quantity: Quantity, to: Unit, desk: Desk) -> str:
    arguments = {"value": quantity.value, "from": quantity.unit.name, "to": to.name}
    converted = await desk.use(CONVERT, arguments)
    verb = "is" if quantity.value == 1 else "are"
    return f"{_said(quantity)} {verb} {shown(converted.value)} {to.name if converted.value == 1 else to.plural}."


UNITS: Final = Specialist(
    name="units",
    offers="convert units of length, mass, volume, temperature, speed, energy, area, time and pressure",
    example="convert 5 miles to km",
    read=read,
)
