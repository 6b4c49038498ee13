"""Text from elsewhere, made fit for a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
WIDE: Final = 60
"""Characters beyond which a value stands in a paragraph of its own."""


def printable(text: str) -> str:
    """The text without what would command a terminal: an agent, or whoever fed it, wrote it."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def line(text: str) -> str:
    """The text on one line."""
    return " ".join(printable(text).split())


def compact(value: object, limit: int = 200) -> str:
    """Any JSON on one line, cut where it gets long."""
    written = line(value if isinstance(value, str) else msgspec.json.encode(value).decode())
    return written if len(written) <= limit else f"{written[:limit]}…"


def outline(value: Any, indent: str = "") -> Iterator[str]:
    """Any JSON as a person reads it: fields as headings, lists as bullets, texts as paragraphs."""
    match value:
        case dict():
            for name, item in value.items():
                yield from _field(name, item, indent)
        case list():
            for item in value:
                yield from _item(item, indent)
        case str():
            yield from (f"{indent}{part}" for part in printable(value).splitlines())
        case _:
            yield f"{indent}{_scalar(value)}"


def _field(name: str, value: Any, indent: str) -> Iterator[str]:
    heading = f"{indent}{line(name).replace('_', ' ')}:"
    if _is_short(value):
        yield f"{heading} {_scalar(value)}"
    else:
        yield heading
        yield from outline(value, f"{indent}  ")


def _item(value: Any, indent: str) -> Iterator[str]:
    """A bullet. What an object has besides its first text stands in brackets where it is short, else below."""
    if not isinstance(value, dict):
        yield f"{indent}- {line(_scalar(value)) if _is_scalar(value) else compact(value)}"
        return
    told = {name: item for name, item in value.items() if item not in (None, "", [], {})}
    title = next((name for name, item in told.items() if isinstance(item, str)), None)
    short = [
        f"{name.replace('_', ' ')}: {_scalar(item)}"
        for name, item in told.items()
        if name != title and _is_scalar(item)
    ]
    brackets = f" ({line(', '.join(short))})" if short else ""
    yield f"{indent}- {line(told[title]) if title else ''}{brackets}"
    for name, item in told.items():
        if not _is_scalar(item):
            yield from _field(name, item, f"{indent}  ")


def _is_scalar(value: Any) -> bool:
    return not isinstance(value, dict | list)


def _is_short(value: Any) -> bool:
    """Whether it fits behind its heading: a list does when it is one of words."""
    if isinstance(value, list):
        return all(isinstance(item, int | float | str) and _is_short(item) for item in value)
    return (
        not value
        or not isinstance(value, str | dict)
        or (isinstance(value, str) and len(value) <= WIDE and "\n" not in value)
    )


def _scalar(value: Any) -> str:
    match value:
        case None | [] | {} | "":
            return "none"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(line(str(item)) for item in value)
        case str():
            return printable(value)
        case _:
            return str(value)
