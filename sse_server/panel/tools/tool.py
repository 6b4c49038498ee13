"""What a tool is: a name, the struct of its arguments, and a function that computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct

LARGEST = 1e15
"""A float has every whole number up to here, and nothing a person asks about is larger."""

Number = Annotated[float, Meta(ge=-LARGEST, le=LARGEST)]

Asked = TypeVar("Asked", bound=Struct)
Found = TypeVar("Found", bound=Struct)


class ToolError(Exception):
    """Why a tool gave nothing, in words for whoever asked."""


class Tool(Struct, Generic[Asked, Found], frozen=True):
    """`asked` is the struct of the arguments; `compute` raises `ToolError` for what it can't compute."""

    name: str
    asked: type[Asked]
    compute: Callable[[Asked], Found]

    def __call__(self, arguments: dict[str, Any]) -> Found:
        """Check the arguments, whoever wrote them, and compute. Raises `ToolError`."""
        try:
            asked = msgspec.convert(arguments, self.asked)
        except msgspec.ValidationError as error:
            raise ToolError(_said(str(error))) from None
        return self.compute(asked)


def _said(message: str) -> str:
    """msgspec's message as a sentence: what is wrong, and of which argument."""
    said, _, path = message.rpartition(" - at `$.")
    if not path or not said:
        return message
    name = path.rstrip("`")
    if said.startswith("Expected `float`"):
        return f"{name} is to be a number from -1e15 to 1e15"
    return f"{name}: {said[0].lower()}{said[1:]}"
