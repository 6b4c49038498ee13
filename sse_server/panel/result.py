"""What the panel takes and what it gives: an answer to read, and beside it everything that was computed."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

LONGEST = 4000
"""Characters of the longest message."""

Message = Annotated[str, Meta(min_length=1, max_length=LONGEST, description="A question, as a person writes it.")]


class PanelInput(Struct, frozen=True, forbid_unknown_fields=True):
    """A question to the panel."""

    message: Message


class Call(Struct, frozen=True, omit_defaults=True):
    """One use of a tool: its result, or why it gave none."""

    tool: str
    arguments: dict[str, Any]
    result: Any = None
    error: str | None = None


class Report(Struct, frozen=True, omit_defaults=True):
    """What a specialist found out, and what it could not, each in a sentence. `failed`: it found nothing."""

    specialist: str
    status: Literal["finished", "failed"]
    findings: list[str] = []
    problems: list[str] = []
    calls: list[Call] = []
    source: str = ""


class PanelResult(Struct, frozen=True):
    """The answer with what it rests on; without specialists it says what could be asked."""

    answer: str
    written_by: str
    """The model's name, or `offline`."""
    specialists: list[Report]
    sources: list[str]
