"""The table of foods, and what is added up from it."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_server.panel.tools import ToolError
from sse_server.panel.tools.foods import ENERGY, FACTORS, FOODS, NUTRIENTS, TABLE, TOTAL, Food


def test_the_table_is_in_the_package_and_names_its_source() -> None:
    assert (files("sse_server.panel.tools") / "foods.toml").is_file()
    assert TABLE.source == "USDA FoodData Central, SR Legacy (April 2018), public domain"
    assert len(TABLE.foods) >= 60


def test_no_name_means_two_foods() -> None:
    names = [name for food in TABLE.foods for name in food.names]
    assert len(set(names)) == len(names)
    assert all(FOODS[name] is food for food in TABLE.foods for name in food.names)
    assert all(name == name.lower() for name in names)


@pytest.mark.parametrize("food", TABLE.foods, ids=lambda food: str(food.names[0]))
def test_energy_and_macronutrients_of_a_row_agree(food: Food) -> None:
    """Specific factors and fibre make some difference; a digit in the wrong place would make a large one."""
    by_factors = 4 * food.protein + 4 * food.carbs + 9 * food.fat
    assert abs(by_factors - food.kcal) <= max(9, 0.16 * food.kcal)
    assert food.protein + food.carbs + food.fat <= 100.1
    assert food.fibre <= food.carbs + 1e-9
    assert 0 < (food.cup or 100) <= 350
    assert 0 < (food.piece or 100) <= 350


@pytest.mark.parametrize(
    ("food", "grams", "kcal"), [("rice", 150, 195.0), ("Eggs", 100, 143.0), ("olive oil", 10, 88.4), ("apple", 0, 0.0)]
)
def test_known_portions(food: str, grams: float, kcal: float) -> None:
    assert NUTRIENTS({"food": food, "grams": grams}).kcal == kcal


@given(st.lists(st.tuples(st.sampled_from(sorted(FOODS)), st.floats(0, 2000)), min_size=1, max_size=8))
def test_a_meal_is_the_sum_of_its_portions(portions: list[tuple[str, float]]) -> None:
    meal = [{"food": food, "grams": grams} for food, grams in portions]
    each = [NUTRIENTS(portion) for portion in meal]
    found = TOTAL({"portions": meal})
    assert found.kcal == pytest.approx(sum(one.kcal for one in each), abs=0.06)
    assert found.fat_g == pytest.approx(sum(one.fat_g for one in each), abs=0.06)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(FACTORS, st.floats(0, 1000))))
def test_the_energy_of_macronutrients_is_by_their_factors(macros: dict[str, float]) -> None:
    found = ENERGY(macros)
    assert found.kcal == pytest.approx(sum(FACTORS[name] * grams for name, grams in macros.items()), abs=0.06)
    assert found.kj == pytest.approx(found.kcal * 4.184, abs=0.3)


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        (NUTRIENTS, {"food": "unobtainium", "grams": 1}, "'unobtainium' is not in the table"),
        (NUTRIENTS, {"food": "rice", "grams": -1}, "grams"),
        (NUTRIENTS, {"food": "rice", "grams": 1e9}, "grams"),
        (NUTRIENTS, {"food": "rice", "grams": float("nan")}, "grams"),
        (NUTRIENTS, {"food": "x" * 61, "grams": 1}, "food"),
        (TOTAL, {"portions": []}, "portions"),
        (TOTAL, {"portions": [{"food": "rice"}]}, "grams"),
        (TOTAL, {"portions": [{"food": "rice", "grams": 1}] * 51}, "portions"),
        (ENERGY, {"protein": "1e999"}, "protein"),
        (ENERGY, {"sugar": 1}, "sugar"),
    ],
)
def test_what_is_no_food_is_said(tool: Any, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ToolError) as failure:
        tool(arguments)
    assert said in str(failure.value)
