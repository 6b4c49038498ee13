"""How a job's result is laid out: details first, and last, where it stays on the screen, the text that it wrote."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from sse_server.cli.text import line, outline, printable


class Finale(Struct, frozen=True):
    """`lines` outline the result, without the field called `title`; `text` is what that field holds."""

    lines: list[str]
    title: str = ""
    text: str = ""


def finale(result: Any, written: str) -> Finale:
    """`written` is the text that came in pieces; where the result has it too, it is shown once."""
    if isinstance(result, dict):
        title = next((name for name, value in result.items() if _same(value, written)), "")
        rest = {name: value for name, value in result.items() if name != title}
        return Finale([*outline(rest)], line(title), printable(result[title]) if title else "")
    if _same(result, written):
        return Finale([], "result", printable(result))
    return Finale([] if result is None else [*outline(result)])


def _same(value: Any, written: str) -> bool:
    return isinstance(value, str) and bool(written.strip()) and line(value) == line(written)
