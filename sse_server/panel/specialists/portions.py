"""The food that a question names, and how much of it."""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from sse_server.panel.question import NUMBER, Quantity, Question, Value, either, value_of
from sse_server.panel.specialists.specialist import NotEnough
from sse_server.panel.tools.foods import FOODS

_FOOD: Final = re.compile(rf"\b(?:{either(list(FOODS))})\b")
_BETWEEN: Final = re.compile(r"\s{0,3}(?:of\s{1,3})?(?:[a-z]{1,12}\s{1,3}){0,2}")
_BEHIND: Final = re.compile(r"\s{0,3}[:=(]\s{0,3}")
_COUNT: Final = re.compile(
    rf"(?P<number>{NUMBER})\s{{1,3}}(?:(?:pieces?|slices?|small|medium|large|big|ripe|whole|fresh|of)\s{{1,3}}){{0,3}}$"
)
_CUP: Final = 0.2365882365
"""Litres."""
_NEAR: Final = 48
"""Characters between an amount and its food."""


class Portion(Struct, frozen=True):
    """A food as the question calls it, and how much of it: an amount, so many pieces, or nothing said."""

    food: str
    amount: Quantity | None = None
    pieces: Value | None = None

    @property
    def sized(self) -> bool:
        """Whether the question says how much."""
        return self.amount is not None or self.pieces is not None

    def grams(self) -> float | str:
        """The weight, 100 g where nothing is said. Raises `NotEnough` where nobody can tell it."""
        said = self.amount.value if self.amount else self.pieces
        if not isinstance(said, float):
            return 100.0 if said is None else said
        if self.amount is None:
            return round(said * self._known(FOODS[self.food].piece, "one"), 2)
        base = said * float(self.amount.unit.factor)
        if self.amount.unit.dimension == "mass":
            return round(base * 1000, 4)
        return round(base / _CUP * self._known(FOODS[self.food].cup, "that much"), 2)

    def _known(self, grams: float | None, of: str) -> float:
        if grams is None:
            raise NotEnough(f"the table does not tell what {of} of it weighs; say it in grams")
        return grams


def read_portions(question: Question) -> list[Portion]:
    """Each food with what belongs to it: `150 g of cooked rice`, `rice: 150 g`, `2 large eggs`, `a banana`.

    Food without an amount counts only where none has one: `rice` in `rice: 80 g, and what else is in rice` is no other.
    """
    amounts = [quantity for quantity in question.quantities if quantity.unit.dimension in {"mass", "volume"}]
    portions: list[Portion] = []
    reached = 0
    for food in _FOOD.finditer(question.text):
        amount = next((each for each in amounts if _belongs(each, food, question.text)), None)
        if amount:
            amounts.remove(amount)
        # what is left of the text: a number that has a unit is nobody's count
        count = None if amount else _COUNT.search(question.rest, max(reached, food.start() - _NEAR), food.start())
        reached = food.end()
        portions.append(Portion(" ".join(food[0].split()), amount, value_of(count["number"]) if count else None))
    return [portion for portion in portions if portion.sized] or list(dict.fromkeys(portions))


def _belongs(amount: Quantity, food: re.Match[str], text: str) -> bool:
    if amount.end <= food.start():
        near = food.start() - amount.end <= _NEAR
        return near and _BETWEEN.fullmatch(text, amount.end, food.start()) is not None
    near = 0 <= amount.start - food.end() <= _NEAR
    return near and _BEHIND.fullmatch(text, food.end(), amount.start) is not None
