"""Prices: what the tokens of a model cost."""

from __future__ import annotations

import re
from typing import Final

PER_MILLION: Final = {"gpt-4o-mini": (0.15, 0.60)}
"""Dollars for a million tokens in and a million tokens out."""

_DATED: Final = re.compile(r"-\d{4}-\d{2}-\d{2}$")


def cost(model: str, *, tokens_in: int, tokens_out: int) -> float | None:
    """Dollars, or None for a model whose price is not known. A dated model costs what its family costs."""
    price = PER_MILLION.get(_DATED.sub("", model))
    if price is None:
        return None
    return round((tokens_in * price[0] + tokens_out * price[1]) / 1_000_000, 12)
