"""Asking a server: a client for one command, and its errors as exit codes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from msgspec import Struct

from sse_server.cli.exits import Exit, stop
from sse_server.cli.text import printable
from sse_server.client import BadAnswer, Client, ClientError, Refused
from sse_server.errors import FieldError


class Place(Struct, frozen=True):
    """Which server, and as whom."""

    url: str
    token: str | None = None


def ask(place: Place, work: Callable[[Client], Awaitable[Exit]]) -> Exit:
    """What `work` with a client comes to. Ends the command where the server can't be asked, or says no."""

    async def visit() -> Exit:
        async with client:
            return await work(client)

    try:
        client = Client(place.url, token=place.token)
    except ValueError as error:
        stop(Exit.USAGE, str(error))
    try:
        return asyncio.run(visit())
    except Refused as error:
        faults = [FieldError(printable(fault.path), printable(fault.message)) for fault in error.errors]
        stop(Exit.FAILED if error.passing else Exit.USAGE, printable(error.detail), faults)
    except BadAnswer as error:
        stop(Exit.UNREACHABLE, f"{printable(str(error))}; is {place.url} the right --url?")
    except ClientError as error:
        stop(Exit.UNREACHABLE, f"{printable(str(error))}; is a server running there? (sse-server serve starts one)")
