"""Body mass index and energy need, by the formulas that are published for adults.

BMI and its classes: WHO, Obesity: preventing and managing the global epidemic (Technical Report Series 894, 2000).
Resting energy: Mifflin MD, St Jeor ST et al., Am J Clin Nutr 51 (1990), 241-247.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from sse_server.panel.tools.tool import Tool, ToolError

Sex = Literal["female", "male"]
Activity = Literal["sedentary", "light", "moderate", "active", "very active"]

ACTIVITY: Final[dict[Activity, float]] = {
    "sedentary": 1.2,
    "light": 1.375,
    "moderate": 1.55,
    "active": 1.725,
    "very active": 1.9,
}
"""What resting energy is multiplied by: little or no exercise, 1-3 days a week, 3-5, 6-7, and hard work every day."""

_CLASSES: Final = (
    (0.0, "severe thinness"),
    (16.0, "moderate thinness"),
    (17.0, "mild thinness"),
    (18.5, "normal range"),
    (25.0, "overweight (pre-obese)"),
    (30.0, "obese class I"),
    (35.0, "obese class II"),
    (40.0, "obese class III"),
)
WEIGHTS: Final = (20, 650)
"""Kilograms that a body can have."""
HEIGHTS: Final = (50, 280)
"""Centimetres."""
ADULT: Final = 18
"""Years from which the classes and the formulas are meant."""

Kilograms = Annotated[float, Meta(description="Weight in kilograms, 20 to 650.")]
Centimetres = Annotated[float, Meta(description="Height in centimetres, 50 to 280.")]
Years = Annotated[float, Meta(description="Age in years, 18 to 120.")]


class Build(Struct, frozen=True, forbid_unknown_fields=True):
    """Weight and height; with an age, for which the classes may not be made."""

    weight_kg: Kilograms
    height_cm: Centimetres
    age: Annotated[float, Meta(ge=0, le=120)] | None = None

    def __post_init__(self) -> None:
        _within(self.weight_kg, *WEIGHTS, "a weight", "kg")
        _within(self.height_cm, *HEIGHTS, "a height", "cm")


class Bmi(Struct, frozen=True):
    """`bmi` in kg/m²; for adults its class, and the weights between which it is normal for this height."""

    bmi: float
    who_class: str | None = None
    normal_from_kg: float | None = None
    normal_below_kg: float | None = None


class Person(Struct, frozen=True, forbid_unknown_fields=True):
    """An adult."""

    weight_kg: Kilograms
    height_cm: Centimetres
    age: Years
    sex: Sex

    def __post_init__(self) -> None:
        Build(self.weight_kg, self.height_cm)
        _within(self.age, ADULT, 120, "an adult's age", "years")


class Resting(Struct, frozen=True):
    """Energy that a body at rest takes in a day."""

    kcal_per_day: float


class Day(Struct, frozen=True, forbid_unknown_fields=True):
    """Resting energy, and how active the days are."""

    resting_kcal: float
    activity: Activity

    def __post_init__(self) -> None:
        _within(self.resting_kcal, 200, 10_000, "resting energy", "kcal a day")


class Spent(Struct, frozen=True):
    """Energy that a whole day takes, and what resting energy was multiplied by."""

    kcal_per_day: float
    factor: float


def bmi(asked: Build) -> Bmi:
    """Weight by height squared. The class is that of the exact value, whatever it is rounded to."""
    square = (asked.height_cm / 100) ** 2
    exact = asked.weight_kg / square
    if asked.age is not None and asked.age < ADULT:
        return Bmi(round(exact, 2))
    _, name = _CLASSES[bisect_right(_CLASSES, exact, key=lambda row: row[0]) - 1]
    return Bmi(round(exact, 2), name, round(18.5 * square, 1), round(25 * square, 1))


def bmr(asked: Person) -> Resting:
    """Mifflin and St Jeor's equation."""
    kcal = 10 * asked.weight_kg + 6.25 * asked.height_cm - 5 * asked.age + (5 if asked.sex == "male" else -161)
    if kcal <= 0:
        raise ToolError("the equation is not made for such a body")
    return Resting(round(kcal, 1))


def tdee(asked: Day) -> Spent:
    """Resting energy times the factor of the activity."""
    factor = ACTIVITY[asked.activity]
    return Spent(round(asked.resting_kcal * factor, 1), factor)


def _within(value: float, low: float, high: float, what: str, unit: str) -> None:
    if not low <= value <= high:
        raise ValueError(f"{what} is {low} to {high} {unit}")


BMI: Final = Tool("bmi", Build, bmi)
BMR: Final = Tool("bmr", Person, bmr)
TDEE: Final = Tool("tdee", Day, tdee)
