"""Starting a job and watching it."""

from __future__ import annotations

import msgspec
import typer
from msgspec import Struct

from sse_server.cli.asking import Place, ask
from sse_server.cli.exits import Exit, note
from sse_server.cli.inputs import Given, read_input, sample
from sse_server.cli.watch import Watched, leave, show
from sse_server.client import Client


class Order(Struct, frozen=True):
    """What `run` was asked for."""

    agent: str
    given: Given
    session: str | None = None
    as_json: bool = False
    detach: bool = False
    cancel_on_interrupt: bool = False


def run(place: Place, order: Order) -> Exit:
    """Start the job and show it. Ctrl-C leaves it running, unless it was asked to cancel it."""
    watched = Watched()

    async def work(client: Client) -> Exit:
        schema = next((agent.input for agent in await client.agents() if agent.name == order.agent), {})
        taken = _sample(order, schema) or read_input(schema, order.given)
        started = await client.start(order.agent, taken, session_id=order.session)
        watched.job_id = started.job_id
        if order.detach:
            typer.echo(msgspec.json.encode(started).decode() if order.as_json else started.job_id)
            return Exit.SUCCEEDED
        note(started.job_id)
        return await show(client, watched, as_json=order.as_json)

    try:
        return ask(place, work)
    except KeyboardInterrupt:
        return _interrupted(place, order, watched)


def _sample(order: Order, schema: dict[str, object]) -> dict[str, str]:
    found = sample(order.agent, schema) if order.given == Given() else {}
    if found:
        note(f"no input given: this is the sample that comes with {order.agent}")
    return found


def _interrupted(place: Place, order: Order, watched: Watched) -> Exit:
    if not watched.job_id:
        note("\ninterrupted before the server answered; `sse-server jobs` shows whether a job was started")
        return Exit.INTERRUPTED
    if not order.cancel_on_interrupt:
        return leave(place, watched)

    async def work(client: Client) -> Exit:
        note(f"\ncancelling {watched.job_id}")
        await client.cancel(watched.job_id)
        return await show(client, watched, as_json=order.as_json)

    try:
        return ask(place, work)
    except KeyboardInterrupt:
        return leave(place, watched)
