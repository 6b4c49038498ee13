"""The person that a question is about: weight, height, age, sex and activity, as far as it says."""

from __future__ import annotations

import re
from typing import Any, Final

from msgspec import Struct

from sse_server.panel.figures import listed
from sse_server.panel.question import DIGITS, Quantity, Question, value_of
from sse_server.panel.specialists.specialist import NotEnough
from sse_server.panel.tools.body import HEIGHTS, WEIGHTS, Activity, Sex

_AGE: Final = re.compile(
    rf"\b(?P<years>{DIGITS})[\s-]{{0,3}}(?:years?|yrs?|y)[\s/-]{{0,3}}(?:olds?|o)\b|\b(?P<yo>{DIGITS})\s?yo\b"
    rf"|\b(?:aged?|age of|age is|age:)\s{{0,3}}(?P<aged>{DIGITS})|\bi'?\s?a?m\s(?P<am>\d{{1,3}})(?![\w.])"
)
_MALE: Final = re.compile(r"\b(?:male|man|men|boy|guy|he|his|him|gentleman)\b")
_FEMALE: Final = re.compile(r"\b(?:female|woman|women|girl|she|her|lady)\b")
_WEIGHT: Final = re.compile(rf"\bweigh(?:t|s|ing)?(?:\s(?:is|of)|:|=)?\s{{0,3}}(?P<number>{DIGITS})(?![\w.])")
_HEIGHT: Final = re.compile(
    rf"\b(?:height|tall|and|at|by|/)(?:\s(?:is|of)|:|=)?\s{{0,3}}(?P<number>{DIGITS})(?:\stall)?(?![\w.])"
)
_ACTIVITY: Final[list[tuple[Activity, re.Pattern[str]]]] = [
    ("very active", re.compile(r"\b(?:very|extra|extremely|highly)[\s-](?:active|activity)\b|\bathlete\b")),
    ("light", re.compile(r"\blight(?:ly)?\b")),
    ("moderate", re.compile(r"\bmoderate(?:ly)?\b")),
    (
        "sedentary",
        re.compile(r"\bsedentary\b|\bnot active\b|\binactive\b|\b(?:desk|office) job\b|\bno (?:exercise|sport)\b"),
    ),
    ("active", re.compile(r"\bactive\b")),
]


class Person(Struct, frozen=True):
    """What the question says of somebody: kilograms, centimetres, years; None where it says nothing."""

    weight: float | str | None
    height: float | str | None
    age: float | str | None
    sex: Sex | None
    activity: Activity | None

    def arguments(self, *wanted: str) -> dict[str, Any]:
        """The arguments of a tool. Raises `NotEnough`, naming what the question leaves out."""
        known = {"weight_kg": self.weight, "height_cm": self.height, "age": self.age, "sex": self.sex}
        missing = [_ASKED_FOR[name] for name in wanted if known[name] is None]
        if missing:
            raise NotEnough(f"this needs {listed(missing)}")
        return {name: known[name] for name in wanted}


_ASKED_FOR: Final = {
    "weight_kg": "a weight (82 kg)",
    "height_cm": "a height (1.80 m)",
    "age": "an age (30 years old)",
    "sex": "male or female",
}


def read_person(question: Question) -> Person:
    """Figures without a unit are kilograms after `weight`, and metres or centimetres where a height may stand."""
    weight = _weight(question)
    age = _AGE.search(question.text)
    return Person(
        weight,
        _height(question, with_weight=weight is not None),
        value_of(next(filter(None, age.groups()))) if age else None,
        _sex(question),
        next((activity for activity, pattern in _ACTIVITY if question.has(pattern)), None),
    )


def _sex(question: Question) -> Sex | None:
    """None also where both are named."""
    female, male = question.has(_FEMALE), question.has(_MALE)
    if female == male:
        return None
    return "female" if female else "male"


def _weight(question: Question) -> float | str | None:
    stated = [_in(quantity, 1.0) for quantity in question.of("mass")]
    bare = None if stated else _WEIGHT.search(question.rest)
    return value_of(bare["number"]) if bare else _likely(stated, *WEIGHTS)


def _height(question: Question, *, with_weight: bool) -> float | str | None:
    stated = [_in(quantity, 100.0) for quantity in question.of("length")]
    bare = _HEIGHT.search(question.rest) if with_weight and not stated else None
    value = value_of(bare["number"]) if bare else _likely(stated, *HEIGHTS)
    if bare is None or not isinstance(value, float):
        return value
    return round(100 * value, 4) if 1.2 <= value <= 2.5 else value if 120 <= value <= 250 else None


def _likely(values: list[float | str], low: float, high: float) -> float | str | None:
    """The first that a body can have, where the question also speaks of other things; else the first."""
    return next(
        (value for value in values if isinstance(value, float) and low <= value <= high), next(iter(values), None)
    )


def _in(quantity: Quantity, scale: float) -> float | str:
    """The quantity in base units times `scale`, without the noise of a float."""
    if isinstance(quantity.value, str):
        return quantity.value
    return round(quantity.value * float(quantity.unit.factor) * scale, 4)
