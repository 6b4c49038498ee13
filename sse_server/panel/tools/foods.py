"""What is in food: a table of common foods, and the energy of macronutrients.

The table is `foods.toml`, which names its source. Energy of macronutrients: the general factors after Atwater, as
Regulation (EU) 1169/2011 (annex XIV) has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from sse_server.panel.tools.tool import Tool, ToolError

Grams = Annotated[float, Meta(ge=0, le=100_000, description="Grams, at most 100 kg.")]
FACTORS: Final = {"protein": 4.0, "carbohydrate": 4.0, "fat": 9.0, "fibre": 2.0, "alcohol": 7.0}
"""Kilocalories in a gram."""


class Food(Struct, frozen=True, forbid_unknown_fields=True):
    """A row of the table: per 100 g, and in grams what one `piece` and one US `cup` weigh, where that makes sense."""

    names: list[str]
    usda: str
    kcal: float
    protein: float
    carbs: float
    fat: float
    fibre: float
    piece: float | None = None
    cup: float | None = None


class Table(Struct, frozen=True, forbid_unknown_fields=True):
    """The foods, and who measured them."""

    source: str
    foods: list[Food]


class Portion(Struct, frozen=True, forbid_unknown_fields=True):
    """So much of a food."""

    food: Annotated[str, Meta(min_length=1, max_length=60)]
    grams: Grams


class Nutrients(Struct, frozen=True):
    """What a portion has; `food` is the table's own name of it."""

    food: str
    grams: float
    kcal: float
    protein_g: float
    carbohydrate_g: float
    fat_g: float
    fibre_g: float


class Meal(Struct, frozen=True, forbid_unknown_fields=True):
    """Several portions."""

    portions: Annotated[list[Portion], Meta(min_length=1, max_length=50)]


class Macros(Struct, frozen=True, forbid_unknown_fields=True):
    """Grams of each macronutrient."""

    protein: Grams = 0.0
    carbohydrate: Grams = 0.0
    fat: Grams = 0.0
    fibre: Grams = 0.0
    alcohol: Grams = 0.0


class Energy(Struct, frozen=True):
    """The same energy in both units."""

    kcal: float
    kj: float


def nutrients(asked: Portion) -> Nutrients:
    """What the table says of a food, for this weight."""
    food = FOODS.get(asked.food.lower())
    if food is None:
        raise ToolError(f"{asked.food!r} is not in the table")
    of_100 = (food.kcal, food.protein, food.carbs, food.fat, food.fibre)
    return Nutrients(food.usda, asked.grams, *(round(each * asked.grams / 100, 1) for each in of_100))


def total(asked: Meal) -> Nutrients:
    """All portions together."""
    each = [nutrients(portion) for portion in asked.portions]
    summed = [round(sum(getattr(one, name) for one in each), 1) for name in Nutrients.__struct_fields__[1:]]
    return Nutrients("all together", *summed)


def energy(asked: Macros) -> Energy:
    """Grams times the factor of each."""
    kcal = sum(getattr(asked, name) * factor for name, factor in FACTORS.items())
    return Energy(round(kcal, 1), round(kcal * 4.184, 1))


def _names(food: Food) -> Iterator[str]:
    """Each name in the singular and, near enough, in the plural."""
    for name in food.names:
        yield name
        yield f"{name}s"
        yield f"{name}es"
        yield f"{name.removesuffix('y')}ies"


def _table() -> Table:
    raw = (files("sse_server.panel.tools") / "foods.toml").read_bytes()
    return msgspec.toml.decode(raw, type=Table)


TABLE: Final = _table()
FOODS: Final = {name: food for food in TABLE.foods for name in _names(food)}

NUTRIENTS: Final = Tool("nutrients", Portion, nutrients)
TOTAL: Final = Tool("total_nutrients", Meal, total)
ENERGY: Final = Tool("energy_of_macros", Macros, energy)
