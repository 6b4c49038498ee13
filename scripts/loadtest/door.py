"""A reader's door to the server: connects when it must, times the answers, and turns a refusal into trouble."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from time import time
from typing import Final, TypeVar

import msgspec

from loadtest.address import Address
from loadtest.answers import refusal
from loadtest.line import Head, Line, Take
from loadtest.plan import Plan
from loadtest.tally import Tally
from loadtest.tokens import Tokens
from loadtest.trouble import Trouble

CALL_OFF: Final = 5.0
"""Seconds that calling off a job may take."""
GOOD: Final = frozenset({200, 202, 204})

T = TypeVar("T")


class Door:
    """`stream` is the number of the reader's stream: it says whose token is shown."""

    def __init__(self, plan: Plan, address: Address, tokens: Tokens, tally: Tally, stream: int, *, slow: bool) -> None:
        self.line = Line(address, slow_rate=plan.slow_rate if slow else 0.0)
        self._renews = bool(plan.token_ttl)
        self._address = address
        self._tokens = tokens
        self._counts = tally.counts
        self._connect, self._first_byte = tally.times["connect"], tally.times["first_byte"]
        self._stream = stream
        self._slow = slow

    async def ask(
        self, method: str, target: str, headers: dict[str, str], body: bytes = b"", take: Take | None = None
    ) -> Head:
        """Send a request; returns with a good answer's head. A stream's bytes go to `take`. Raises `Trouble`."""
        self._counts.requests += 1
        if not self.line.open:
            before = time()
            await self.line.connect()
            self._connect.record(time() - before)
        sent = time()
        head = await self.line.ask(self._request(method, target, headers, body), take)
        if take and not self._slow:  # a long poll waits for its first event
            self._first_byte.record(head.at - sent)
        if head.status not in GOOD:
            raise refusal(head, await self.line.rest(), renews=self._renews)
        return head

    async def decoded(self, kind: type[T]) -> T:
        """The answer's JSON. Raises `Trouble`."""
        body = await self.line.rest()
        self._counts.bytes += self.line.received
        try:
            return msgspec.json.decode(body, type=kind)
        except ValueError:
            raise Trouble("unreadable") from None

    async def streamed(self) -> None:
        """Wait for the stream's end. Raises `Trouble` where it is torn."""
        try:
            await self.line.rest()
        finally:
            self._counts.bytes += self.line.received

    async def call_off(self, cancel: str) -> None:
        """Leave no job behind that nobody will read."""
        with suppress(Trouble, TimeoutError):
            async with asyncio.timeout(CALL_OFF):
                await self.line.connect()
                await self.line.ask(self._request("POST", cancel, {}, b""))
                await self.line.rest()

    def _request(self, method: str, target: str, headers: dict[str, str], body: bytes) -> bytes:
        return self._address.request(method, target, self._tokens.headers(self._stream) | headers, body)
