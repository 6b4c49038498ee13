"""BMI and energy: the published formulas, the WHO's limits, and people that no formula is made for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_server.panel.tools import ToolError
from sse_server.panel.tools.body import ACTIVITY, BMI, BMR, TDEE


@pytest.mark.parametrize(
    ("weight", "height", "bmi", "name"),
    [
        (82, 180, 25.31, "overweight (pre-obese)"),
        (45, 180, 13.89, "severe thinness"),
        (64, 200, 16.0, "moderate thinness"),
        (68, 200, 17.0, "mild thinness"),
        (73.9, 200, 18.48, "mild thinness"),
        (74, 200, 18.5, "normal range"),
        (99.99, 200, 25.0, "normal range"),  # 24.9975: the class is that of the exact value
        (100, 200, 25.0, "overweight (pre-obese)"),
        (120, 200, 30.0, "obese class I"),
        (140, 200, 35.0, "obese class II"),
        (160, 200, 40.0, "obese class III"),
    ],
)
def test_the_classes_begin_where_the_who_says(weight: float, height: float, bmi: float, name: str) -> None:
    found = BMI({"weight_kg": weight, "height_cm": height})
    assert (found.bmi, found.who_class) == (bmi, name)


@given(st.floats(50, 280), st.sampled_from([0.05, 0.95]))
def test_who_weighs_what_is_normal_is_in_the_normal_range(height: float, share: float) -> None:
    between = BMI({"weight_kg": 60, "height_cm": height})
    assert between.normal_from_kg
    assert between.normal_below_kg
    weight = between.normal_from_kg + share * (between.normal_below_kg - between.normal_from_kg)
    if 20 <= weight <= 650:
        assert BMI({"weight_kg": weight, "height_cm": height}).who_class == "normal range"


@pytest.mark.parametrize(("age", "has_class"), [(0, False), (17.9, False), (18, True), (80, True)])
def test_a_child_has_no_adults_class(age: float, has_class: bool) -> None:
    found = BMI({"weight_kg": 40, "height_cm": 150, "age": age})
    assert found.bmi == 17.78
    assert (found.who_class is not None) is (found.normal_from_kg is not None) is has_class


@pytest.mark.parametrize(
    ("weight", "height", "age", "sex", "kcal"),
    [(82, 180, 30, "male", 1800.0), (60, 165, 30, "female", 1320.2), (70, 175, 40, "male", 1598.8)],
)
def test_resting_energy_is_mifflin_st_jeors(weight: float, height: float, age: float, sex: str, kcal: float) -> None:
    assert BMR({"weight_kg": weight, "height_cm": height, "age": age, "sex": sex}).kcal_per_day == kcal


@given(st.floats(30, 300), st.floats(120, 230), st.floats(18, 90))
def test_the_equations_of_women_and_men_differ_by_166(weight: float, height: float, age: float) -> None:
    person = {"weight_kg": weight, "height_cm": height, "age": age}
    try:
        woman = BMR({**person, "sex": "female"}).kcal_per_day
    except ToolError:
        return
    assert BMR({**person, "sex": "male"}).kcal_per_day - woman == pytest.approx(166, abs=0.11)


@pytest.mark.parametrize(("activity", "factor"), ACTIVITY.items())
def test_a_day_takes_resting_energy_times_activity(activity: str, factor: float) -> None:
    found = TDEE({"resting_kcal": 1800, "activity": activity})
    assert found.factor == factor
    assert found.kcal_per_day == pytest.approx(1800 * factor)


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        (BMI, {"weight_kg": 82, "height_cm": 1.8}, "a height is 50 to 280 cm"),
        (BMI, {"weight_kg": 0, "height_cm": 180}, "a weight is 20 to 650 kg"),
        (BMI, {"weight_kg": float("nan"), "height_cm": 180}, "a weight is 20 to 650 kg"),
        (BMI, {"weight_kg": "82", "height_cm": 180}, "weight_kg is to be a number"),
        (BMI, {"weight_kg": 82}, "height_cm"),
        (BMR, {"weight_kg": 82, "height_cm": 180, "age": 12, "sex": "male"}, "an adult's age is 18 to 120 years"),
        (BMR, {"weight_kg": 82, "height_cm": 180, "age": 30, "sex": "other"}, "sex"),
        (BMR, {"weight_kg": 20, "height_cm": 50, "age": 120, "sex": "female"}, "not made for such a body"),
        (TDEE, {"resting_kcal": 1e9, "activity": "light"}, "200 to 10000 kcal"),
        (TDEE, {"resting_kcal": 1800, "activity": "lazy"}, "activity"),
    ],
)
def test_what_no_formula_is_made_for_is_said(tool: Any, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ToolError) as failure:
        tool(arguments)
    assert said in str(failure.value)
