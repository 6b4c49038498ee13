"""A question as it is read: plain text, its quantities and its dates, each with its place.

No pattern here goes back over more than a word, so that the time is linear in the text, whatever the text.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from datetime import date
from fractions import Fraction
from typing import Final

from msgspec import Struct

from sse_server.panel.days import Day, read_days
from sse_server.panel.tools.measures import UNITS, Unit
from sse_server.panel.tools.tool import LARGEST

Value = float | str
"""A number, or, where it is beyond what is computed with, as it was written: a tool then says so."""

DIGITS: Final = r"(?:\d{1,3}(?:,\d{3})++(?!\d)|\d++)(?:[.,]\d++)?+(?:e[-+]?\d++)?+"
_WORDS: Final = {
    "half a": 0.5,
    "half an": 0.5,
    "a": 1.0,
    "an": 1.0,
    **{
        word: float(at)
        for at, word in enumerate(
            ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"], start=1
        )
    },
    "a dozen": 12.0,
}
_SIGN: Final = r"(?<![\w.,)])[-+]?+"
NUMBER: Final = rf"(?:{_SIGN}{DIGITS}|\b(?:{'|'.join(sorted(_WORDS, key=len, reverse=True))})\b)"


def either(names: list[str]) -> str:
    """A pattern of any of these names, the longest first, with any white space between their words."""
    ordered = sorted(names, key=len, reverse=True)
    return "|".join(r"\s{1,3}".join(map(re.escape, name.split(" "))) for name in ordered)


UNIT: Final = rf"(?:{either(list(UNITS))})(?![\w²³°])"
QUANTITY: Final = re.compile(rf"(?P<number>{NUMBER})\s{{0,3}}-?(?P<unit>{UNIT})")
_PLAIN: Final = str.maketrans(
    {"−": "-", "–": "-", "’": "'", "′": "'", "×": "*", "÷": "/", "℃": "°c", "℉": "°f", "μ": "µ"}  # noqa: RUF001
)
_FEET: Final = re.compile(
    r"(?<![\w.])(\d{1,2})\s?(?:'|ft(?=\d))\s?(\d{1,2}(?:\.\d{1,4})?)(?![\d.])\s?(?:\"|''|in(?:ch(?:es)?)?\b)?"
)
_METRES: Final = re.compile(r"(?<![\w.])(\d)\s?m\s?(\d\d)(?![\w.])")
_DECIMAL_COMMA: Final = re.compile(r"[-+]?\d+,(?!\d{3}(?!\d))\d+(?:e[-+]?\d+)?")
_TOGETHER: Final = {
    ("foot", "inch"),
    ("stone", "pound"),
    ("pound", "ounce"),
    ("hour", "minute"),
    ("minute", "second"),
    ("metre", "centimetre"),
    ("kilogram", "gram"),
}


class Quantity(Struct, frozen=True):
    """A number with its unit."""

    value: Value
    unit: Unit
    start: int
    end: int

    @property
    def known(self) -> float:
        """The number, NaN where nothing can be computed with it."""
        return self.value if isinstance(self.value, float) else math.nan


class Question(Struct, frozen=True):
    """`text` is in small letters and plain characters; `rest` is the same without the quantities and dates."""

    text: str
    quantities: list[Quantity]
    days: list[Day]
    rest: str
    today: date

    def of(self, dimension: str) -> list[Quantity]:
        """The quantities that measure this."""
        return [quantity for quantity in self.quantities if quantity.unit.dimension == dimension]

    def has(self, pattern: re.Pattern[str]) -> bool:
        """Whether the words are there."""
        return pattern.search(self.text) is not None


def read_question(message: str, today: date) -> Question:
    """Read what somebody asks; `today` is what they mean by it."""
    text = _METRES.sub(r"\1.\2 m", _FEET.sub(r"\1 ft \2 in", plain(message)))
    days = read_days(text, today)
    masked = without(text, days)
    quantities = _joined(map(_quantity, QUANTITY.finditer(masked)), masked)
    return Question(text, quantities, days, without(masked, quantities), today)


def plain(message: str) -> str:
    """Small letters, plain signs, and the digits of any script as ours."""
    text = "".join(map(_character, message.translate(_PLAIN))).lower()
    return text.translate(_PLAIN)


def value_of(written: str) -> Value:
    """The number: `1,200.5`, `1,80` (a decimal comma), `2e3`, `two`."""
    if written in _WORDS:
        return _WORDS[written]
    decimal_comma = _DECIMAL_COMMA.fullmatch(written)
    number = float(written.replace(",", "." if decimal_comma else ""))
    return number if abs(number) <= LARGEST else written[:40]


def without(text: str, parts: list[Day] | list[Quantity]) -> str:
    """The text with blanks in the place of these parts, so that all else keeps its place."""
    pieces: list[str] = []
    at = 0
    for part in parts:
        pieces += [text[at : part.start], " " * (part.end - part.start)]
        at = part.end
    return "".join([*pieces, text[at:]])


def _character(character: str) -> str:
    if character.isascii():
        return character
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    return " " if character.isspace() else character


def _quantity(match: re.Match[str]) -> Quantity:
    unit = UNITS[" ".join(match["unit"].split())]
    return Quantity(value_of(match["number"]), unit, *match.span())


def _joined(single: Iterable[Quantity], text: str) -> list[Quantity]:
    """`5 ft 11 in` is one quantity, in the smaller unit."""
    joined: list[Quantity] = []
    for quantity in single:
        if joined and _belong(joined[-1], quantity, text):
            joined[-1] = _sum(joined[-1], quantity)
        else:
            joined.append(quantity)
    return joined


def _belong(one: Quantity, other: Quantity, text: str) -> bool:
    between = text[one.end : other.start].strip(" ,")
    numbers = isinstance(one.value, float) and isinstance(other.value, float)
    return numbers and between in {"", "and"} and (one.unit.name, other.unit.name) in _TOGETHER


def _sum(one: Quantity, other: Quantity) -> Quantity:
    larger = Fraction(repr(one.value)) * one.unit.factor / other.unit.factor
    return Quantity(float(larger + Fraction(repr(other.value))), other.unit, one.start, other.end)
