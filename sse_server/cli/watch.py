"""Watching a job to its end, and leaving it without stopping it."""

from __future__ import annotations

from contextlib import aclosing
from typing import Final

from msgspec import Struct

from sse_server.cli.asking import Place, ask
from sse_server.cli.console import console
from sse_server.cli.exits import Exit, note
from sse_server.cli.options import DEFAULT_URL
from sse_server.cli.screen import Screen
from sse_server.cli.views import JsonView, PlainView, View
from sse_server.client import Client

CODES: Final = {"succeeded": Exit.SUCCEEDED, "failed": Exit.FAILED, "cancelled": Exit.CANCELLED}


class Watched(Struct):
    """A job, and the last event of it that was shown; `job_id` is empty until it has one."""

    job_id: str = ""
    last_id: str | None = None


def watch(place: Place, job_id: str, *, after: str | None, as_json: bool) -> Exit:
    """Show a job from its first event, or from behind the event id `after`."""
    watched = Watched(job_id, after)

    async def work(client: Client) -> Exit:
        await client.job(job_id)  # whoever mistypes an id, or the server's address, shall hear it at once
        return await show(client, watched, as_json=as_json)

    try:
        return ask(place, work)
    except KeyboardInterrupt:
        return leave(place, watched)


async def show(client: Client, watched: Watched, *, as_json: bool) -> Exit:
    """Show all that follows; how the job ended is the exit code."""
    with view_for(as_json=as_json) as view:
        following = client.follow(watched.job_id, watched.last_id, on_status=view.status)
        async with aclosing(following) as events:
            async for event in events:
                view.event(event)
                watched.last_id = event.id or watched.last_id
                if event.type == "done":
                    return CODES[event.data["status"]]
    return CODES[(await client.job(watched.job_id)).status]  # `done` was behind us already


def view_for(*, as_json: bool) -> View:
    """The view that fits where stdout goes."""
    if as_json:
        return JsonView()
    terminal = console()
    return Screen(terminal) if terminal else PlainView()


def leave(place: Place, watched: Watched) -> Exit:
    """After Ctrl-C: the job runs on."""
    elsewhere = "" if place.url == DEFAULT_URL else f" --url {place.url}"
    note(f"\n{watched.job_id} runs on; to see it again: sse-server watch {watched.job_id}{elsewhere}")
    return Exit.INTERRUPTED
