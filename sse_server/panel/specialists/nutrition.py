"""The specialist for food: what portions have in them, all together, and the energy of macronutrients."""

from __future__ import annotations

import re
from functools import partial
from typing import Final

from sse_server.panel.figures import shown
from sse_server.panel.question import Quantity, Question
from sse_server.panel.specialists.portions import Portion, read_portions
from sse_server.panel.specialists.specialist import Desk, Specialist, Task
from sse_server.panel.tools.foods import ENERGY, NUTRIENTS, TABLE, TOTAL, Nutrients

_ASKS: Final = re.compile(
    r"\b(?:k?cals?|calories?|kilocalories|energy|kj|proteins?|carbs?|carbohydrates?|fats?|fib(?:re|er)|nutri\w{0,12}"
    r"|macros?|ate|eat|eating|eaten|meal|breakfast|lunch|dinner|food|healthy)\b"
)
_MACRO: Final = r"(?P<macro>protein|carb(?:ohydrate)?|fat|fib(?:re|er)|alcohol)s?"
_NAMED: Final = {"carb": "carbohydrate", "fiber": "fibre"}
_MACRO_AFTER: Final = re.compile(rf"\s{{0,3}}(?:of\s{{1,3}})?{_MACRO}\b")
_MACRO_BEFORE: Final = re.compile(rf"\b{_MACRO}\s{{0,3}}[:=]\s{{0,3}}$")


def read(question: Question) -> list[Task]:
    """A task for each food that is named with an amount, or that the question asks about; one for macronutrients."""
    asks = question.has(_ASKS)
    portions = [portion for portion in read_portions(question) if asks or portion.amount]
    tasks = [Task(f"nutrients of {portion.food}", partial(_portion, portion)) for portion in portions]
    if len(portions) > 1 and portions[0].sized:
        tasks.append(Task("all together", partial(_total, portions)))
    if macros := _read_macros(question):
        tasks.append(Task("energy of macronutrients", partial(_energy, macros)))
    return tasks


def _read_macros(question: Question) -> dict[str, float | str]:
    """`30 g protein, 50 g of carbs`, `fat: 10 g`; what is named twice is added."""
    grams: dict[str, float | str] = {}
    for quantity in question.of("mass"):
        found = _MACRO_AFTER.match(question.text, quantity.end) or _MACRO_BEFORE.search(
            question.text, max(0, quantity.start - 20), quantity.start
        )
        if found:
            name = _NAMED.get(found["macro"], found["macro"])
            grams[name] = _added(grams.get(name, 0.0), quantity)
    return grams


def _added(before: float | str, quantity: Quantity) -> float | str:
    if isinstance(before, str):
        return before
    if isinstance(quantity.value, str):
        return quantity.value
    return round(before + quantity.value * float(quantity.unit.factor) * 1000, 4)


async def _portion(portion: Portion, desk: Desk) -> str:
    has = await desk.use(NUTRIENTS, {"food": portion.food, "grams": portion.grams()})
    pieces = f", {shown(portion.pieces)} of medium size" if isinstance(portion.pieces, float) else ""
    return f"{shown(has.grams)} g of {portion.food} ({has.food}{pieces}): {_contents(has)}."


async def _total(portions: list[Portion], desk: Desk) -> str:
    together = await desk.use(TOTAL, {"portions": [{"food": each.food, "grams": each.grams()} for each in portions]})
    return f"All together: {_contents(together)}."


def _contents(has: Nutrients) -> str:
    parts = f"{shown(has.protein_g)} g protein, {shown(has.carbohydrate_g)} g carbohydrate, {shown(has.fat_g)} g fat"
    return f"{has.kcal:,.0f} kcal, {parts}, {shown(has.fibre_g)} g fibre"


async def _energy(macros: dict[str, float | str], desk: Desk) -> str:
    found = await desk.use(ENERGY, macros)
    parts = " and ".join(f"{shown(g) if isinstance(g, float) else g} g {name}" for name, g in macros.items())
    return f"{parts} have {found.kcal:,.0f} kcal ({found.kj:,.0f} kJ)."


NUTRITION: Final = Specialist(
    name="nutrition",
    offers=f"look up {len(TABLE.foods)} common foods, and add up portions or macronutrients",
    example="how many calories in 150 g of rice and 2 eggs",
    read=read,
    source=f"Nutrients are averages from {TABLE.source}; energy of macronutrients by the factors of EU 1169/2011.",
)
