"""Starting a job, so that a lost answer never makes two of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Any, Final, Literal, TypedDict

import msgspec
from msgspec import Struct

from sse_server.client.answers import Started
from sse_server.client.caller import Caller, read
from sse_server.client.errors import ClientError, Refused
from sse_server.client.patience import Backoff
from sse_server.events import without_none

TRIES: Final = 3
"""Times that a start is sent whose answer gets lost."""


class StartOptions(TypedDict, total=False):
    """What a start may say beside agent and input; `timeout` is the job's, in seconds."""

    session_id: str | None
    on_disconnect: Literal["continue", "cancel"] | Mapping[Literal["cancel_after"], float] | None
    timeout: float | None
    metadata: Mapping[str, Any] | None
    idempotency_key: str | None


class Start(Struct, frozen=True):
    """A request to start a job; its key and its very bytes make it safe to repeat."""

    body: bytes
    key: str

    @classmethod
    def of(cls, agent: str, input: Any, options: StartOptions) -> Start:
        """Without an `idempotency_key` it gets one of its own."""
        fields = without_none(agent=agent, **options)
        key = fields.pop("idempotency_key", None) or f"client-{os.urandom(16).hex()}"
        return cls(msgspec.json.encode({**fields, "input": input}), key)

    @property
    def headers(self) -> dict[str, str]:
        """What goes with it."""
        return {"Content-Type": "application/json", "Idempotency-Key": self.key}

    async def send(self, caller: Caller) -> Started:
        """Start the job. A lost answer is asked for again; the server's own no is final."""
        backoff = Backoff(caller.patience)
        while True:
            try:
                return await self._send(caller)
            except ClientError as error:
                if isinstance(error, Refused) or not error.passing or backoff.failures == TRIES - 1:
                    raise
                await asyncio.sleep(backoff.pause(error.retry_after))

    async def _send(self, caller: Caller) -> Started:
        total = caller.patience.answer
        async with caller.request("POST", "/api/jobs", body=self.body, headers=self.headers, total=total) as response:
            started = await read(response, Started)
            replayed = response.headers.get("Idempotent-Replayed") == "true"
            return msgspec.structs.replace(started, replayed=replayed)
