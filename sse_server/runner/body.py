"""Runs an agent's function, of whichever of the four kinds it is, as one future."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Any

import msgspec

from sse_server.agents import Agent, Job
from sse_server.errors import InvalidEvent


class AgentExit(Exception):
    """The agent called `exit()`; a server does not."""


def start(agent: Agent, value: Any, job: Job) -> asyncio.Future[Any]:
    """Begin; the future has what the agent returns. A function in a thread can't be cancelled: its next emit raises."""
    match agent.kind:
        case "coroutine":
            return asyncio.create_task(_coroutine(agent, value, job))
        case "async generator":
            return asyncio.create_task(_async_generator(agent, value, job))
        case "generator":
            return _in_thread(agent.name, lambda: _generator(agent, value, job))
        case "function":
            return _in_thread(agent.name, lambda: agent.function(value, job))


async def _coroutine(agent: Agent, value: Any, job: Job) -> Any:
    try:
        return await agent.function(value, job)
    except (SystemExit, KeyboardInterrupt) as error:
        raise AgentExit from error


async def _async_generator(agent: Agent, value: Any, job: Job) -> None:
    try:
        async with contextlib.aclosing(agent.function(value, job)) as items:
            async for item in items:
                await job.outbox.patiently(partial(_emit, job, item))
    except (SystemExit, KeyboardInterrupt) as error:
        raise AgentExit from error


def _generator(agent: Agent, value: Any, job: Job) -> Any:
    items = agent.function(value, job)
    try:
        while True:
            _emit(job, next(items))
    except StopIteration as end:
        return end.value
    finally:
        items.close()


def _emit(job: Job, item: Any) -> None:
    """What a generator yields: text, an object with a `type`, or a tagged struct."""
    if isinstance(item, str):
        job.token(item)
        return
    fields = _fields(item) if isinstance(item, msgspec.Struct) else item
    if not isinstance(fields, dict) or "type" not in fields or not all(isinstance(name, str) for name in fields):
        raise InvalidEvent("an agent yields text, or an object with a type")
    job.emit(**fields)


def _fields(item: msgspec.Struct) -> Any:
    try:
        return msgspec.to_builtins(item)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidEvent(f"a yielded struct can't be written as JSON: {error}") from None


def _in_thread(name: str, call: Callable[[], Any]) -> asyncio.Future[Any]:
    """Its own thread, that a process may leave behind: a pool would wait for a hanging agent at exit."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: Any, error: BaseException | None) -> None:
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def run() -> None:
        result: Any = None
        error: BaseException | None = None
        try:
            result = context.run(call)
        except (SystemExit, KeyboardInterrupt) as raised:
            error = AgentExit()
            error.__cause__ = raised
        except StopIteration as raised:  # which no future takes
            error = RuntimeError("the agent raised StopIteration")
            error.__cause__ = raised
        except BaseException as raised:  # noqa: BLE001  (whatever it raises is its job's end, and no more)
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop is closed: the server has gone
            loop.call_soon_threadsafe(settle, result, error)

    Thread(target=run, name=f"agent-{name}", daemon=True).start()
    return future
