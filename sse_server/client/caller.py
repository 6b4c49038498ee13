"""One request: to the server, with its token, and back as an answer or a typed error."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec
from aiohttp import ClientResponse, ClientTimeout

from sse_server.client.errors import BadAnswer, ClientError, Refused, Unreachable
from sse_server.client.patience import Patience
from sse_server.errors import Problem

Answer = TypeVar("Answer")

AS_STREAM: Final = {"Accept": "text/event-stream", "Accept-Encoding": "identity", "Cache-Control": "no-store"}
MAX_PROBLEM: Final = 64 * 1024
"""Bytes of an error's body that are read."""


class Caller:
    """Raises ValueError for a `url` that is no server's; a path in it is where the server lives."""

    def __init__(self, url: str, *, headers: Mapping[str, str], patience: Patience) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"a server's URL begins with http:// or https:// and names a host: not {url!r}")
        self.url = url.rstrip("/")
        self.patience = patience
        self._headers = headers
        self._session: aiohttp.ClientSession | None = None

    def open(self) -> None:
        """Make ready, in a running loop."""
        self._session = aiohttp.ClientSession(headers=self._headers)

    async def close(self) -> None:
        """Let go of every connection."""
        if self._session:
            await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        answer: type[Answer],
        *,
        query: Mapping[str, object] | None = None,
        wait: float = 0.0,
    ) -> Answer:
        """The answer's body; `wait` is how many seconds the server may take beyond the usual."""
        async with self.request(method, path, query=query, total=self.patience.answer + wait) as response:
            return await read(response, answer)

    @asynccontextmanager
    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        total: float | None = None,
    ) -> AsyncIterator[ClientResponse]:
        """An answer that is no error. Without a `total` in seconds it may go on for ever, but not in silence."""
        assert self._session is not None, "a Client is used with `async with`"
        given = {name: str(value) for name, value in (query or {}).items() if value is not None}
        patience = self.patience
        silence = patience.silence if total is None else None
        timeout = ClientTimeout(total=total, sock_connect=patience.connect, sock_read=silence)
        try:
            async with self._session.request(
                method, self.url + path, params=given, data=body, headers=headers, timeout=timeout
            ) as response:
                if response.status >= 400:
                    raise await refusal(response)
                yield response
        except aiohttp.ClientConnectorError:
            raise Unreachable(f"can't connect to {self.url}") from None
        except TimeoutError:
            raise Unreachable(f"no answer from {self.url} in time") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(f"no answer from {self.url}: {str(error) or type(error).__name__}") from None

    async def alive(self) -> bool:
        """Whether the server answers short questions."""
        try:
            async with self.request("GET", "/health", total=self.patience.first_bytes) as response:
                return response.content_type == "application/json"
        except ClientError:
            return False


async def read(response: ClientResponse, answer: type[Answer]) -> Answer:
    """The body of an answer. Raises `BadAnswer` for what this server can't have said."""
    try:
        return msgspec.json.decode(await response.read(), type=answer)
    except msgspec.DecodeError as error:
        said = f"{response.method} {response.url.path} was not answered by this kind of server: {error}"
        raise BadAnswer(said, status=response.status) from None


async def refusal(response: ClientResponse) -> ClientError:
    """The error that an answer of 400 and more makes."""
    after = response.headers.get("Retry-After", "")
    retry_after = float(after) if after.isdecimal() else None
    body = await response.content.read(MAX_PROBLEM)
    try:
        return Refused(msgspec.json.decode(body, type=Problem), retry_after=retry_after)
    except msgspec.DecodeError:
        said = f"HTTP {response.status} from something that is not the server itself"
        return BadAnswer(said, status=response.status, retry_after=retry_after)
