"""What outlasts a job: a memory of what its user said, and telemetry for whoever runs the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from msgspec import Struct

Role = Literal["user", "assistant"]


class Recollection(Struct, frozen=True):
    """What is left of a message of before.

    `score` is its relevance, 0 to 1; `tokens` an estimate; `created` Unix microseconds.
    """

    role: Role
    text: str
    score: float
    tokens: int
    created: int


class Memory(Protocol):
    """The memory of one user, as one session sees it. Neither of its verbs fails: a memory is never needed."""

    async def recall(self, question: str) -> list[Recollection]:
        """What belongs to the question, the most relevant first; nothing, where it can't be had in time."""

    async def remember(self, said: Mapping[Role, str]) -> None:
        """Keep what was said, in this order; it can be recalled when this returns."""


class Telemetry(Protocol):
    """Figures about the calls of a model; never a text that anybody wrote. It never fails either."""

    async def record(self, rows: Mapping[str, Mapping[str, object]]) -> None:
        """Keep a row of each type; they are there when this returns."""
