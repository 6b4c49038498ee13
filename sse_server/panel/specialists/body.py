"""The specialist for body and energy: BMI, and the energy that a body takes at rest and in a day."""

from __future__ import annotations

import re
from functools import partial
from typing import Any, Final

from sse_server.panel.figures import shown
from sse_server.panel.question import Question
from sse_server.panel.specialists.person import Person, read_person
from sse_server.panel.specialists.specialist import Desk, Specialist, Task
from sse_server.panel.tools.body import BMI, BMR, TDEE, Activity

_BMI: Final = re.compile(r"\b(?:bmi|body mass index|(?:over|under)weight|obese|obesity)\b")
_ENERGY: Final = re.compile(
    r"\b(?:bmr|tdee|basal|resting (?:metabolic|energy)|metabolic rate|maintenance (?:calories|energy|intake)"
    r"|energy (?:need|needs|requirement|requirements|expenditure)|daily (?:calories|energy|calorie))\b"
)
_CALORIES: Final = re.compile(r"\b(?:k?cals?|calories|calorie|kilocalories|energy)\b")


def read(question: Question) -> list[Task]:
    """BMI, or energy, or both, of the one person that the question is about."""
    person = read_person(question)
    tasks = []
    if question.has(_BMI):
        tasks.append(Task("body mass index", partial(_bmi, person)))
    whole = person.weight is not None and person.height is not None and person.age is not None
    if question.has(_ENERGY) or (whole and question.has(_CALORIES)):
        tasks.append(Task("energy at rest and in a day", partial(_energy, person)))
    return tasks


async def _bmi(person: Person, desk: Desk) -> str:
    arguments = person.arguments("weight_kg", "height_cm")
    found = await desk.use(BMI, arguments | ({} if person.age is None else {"age": person.age}))
    of = f"{_said(arguments['weight_kg'])} kg at {_said(arguments['height_cm'])} cm"
    told = f"The body mass index of {of} is {found.bmi:.1f} kg/m²"
    if found.normal_from_kg is None or found.normal_below_kg is None:
        return f"{told}. The classes of the WHO are for adults; for children they go by age."
    between = f"{shown(found.normal_from_kg)} to {shown(found.normal_below_kg)} kg"
    return f"{told}, WHO class: {found.who_class}. The normal range of this height is {between}."


async def _energy(person: Person, desk: Desk) -> str:
    resting = await desk.use(BMR, person.arguments("weight_kg", "height_cm", "age", "sex"))
    told = f"At rest this body takes about {resting.kcal_per_day:,.0f} kcal a day (Mifflin-St Jeor)"
    levels: list[Activity] = [person.activity] if person.activity else ["sedentary", "very active"]
    days = [await desk.use(TDEE, {"resting_kcal": resting.kcal_per_day, "activity": level}) for level in levels]
    said = [f"{day.kcal_per_day:,.0f} kcal if {level}" for day, level in zip(days, levels, strict=True)]
    return f"{told}, and over a whole day about {' to '.join(said)}."


def _said(value: Any) -> str:
    return shown(value) if isinstance(value, float) else str(value)


BODY: Final = Specialist(
    name="body",
    offers="work out a body mass index, and the energy that a body takes at rest and in a day",
    example="BMI of 82 kg at 1.80 m",
    read=read,
    source=(
        "BMI classes are the WHO's for adults (TRS 894), energy is the Mifflin-St Jeor equation (1990) times a factor "
        "for activity: averages over many people, no medical advice."
    ),
)
