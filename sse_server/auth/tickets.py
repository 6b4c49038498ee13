"""Tickets: leave to read one job or one session, for a while, in a URL: a browser's EventSource can send no header.

A ticket names its owner and what it is for, in the clear but sealed; nothing about it is stored, so it can't be called
back before it expires.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Literal

import msgspec
from msgspec import Struct

from sse_server.auth.identity import Identity
from sse_server.auth.refusal import refused
from sse_server.auth.seal import seal, unseal
from sse_server.config import Auth
from sse_server.errors import FieldError, InvalidInput, NotFound

PREFIX: Final = "tkt_"
"""How a ticket is told from other text, by whoever keeps it out of logs."""
PURPOSE: Final = b"ticket 1"
"""The version counts: tickets of another layout are not read wrongly, they are refused."""

Kind = Literal["job", "session"]


class Ticket(Struct, frozen=True, array_like=True):
    """`name` is the job's id, or the session's name within its user. From `expires` (Unix seconds) on it is void."""

    user: str
    kind: Kind
    name: str
    expires: int

    @property
    def identity(self) -> Identity:
        """Its owner, who may nothing but read."""
        return Identity(self.user, frozenset(), self.expires, "ticket")

    def admit(self, kind: Kind, name: str) -> None:
        """Raise `NotFound`, as for what is another's, unless it is for this very job or session."""
        if (self.kind, self.name) != (kind, name):
            raise NotFound(f"no such {kind}")


_decoder = msgspec.msgpack.Decoder(Ticket)


class Tickets:
    """Mints and checks. `key` is kept in the store, so tickets outlive the server; `clock` gives Unix seconds."""

    def __init__(self, key: bytes, rules: Auth, *, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._rules = rules
        self._clock = clock

    def mint(self, user: str, kind: Kind, name: str, ttl: float | None = None) -> tuple[str, int]:
        """A ticket and when it expires, in Unix seconds. Raises `InvalidInput` when `ttl` (seconds) is too long."""
        wanted = self._rules.ticket_ttl if ttl is None else ttl
        if not 1 <= wanted <= self._rules.max_ticket_ttl:
            said = f"Expected 1 to {self._rules.max_ticket_ttl} seconds"
            raise InvalidInput("a ticket can't be good for so long", errors=[FieldError("$.ttl", said)])
        ticket = Ticket(user, kind, name, int(self._clock() + wanted))
        return PREFIX + seal(self._key, PURPOSE, msgspec.msgpack.encode(ticket)), ticket.expires

    def check(self, text: str) -> Ticket:
        """What a ticket is for, and whose. Raises `Unauthenticated`."""
        content = unseal(self._key, PURPOSE, text.removeprefix(PREFIX)) if text.startswith(PREFIX) else None
        if content is None:
            raise refused("no ticket of ours")
        ticket = _decoder.decode(content)
        if ticket.expires <= self._clock():
            raise refused("the ticket has expired")
        return ticket
