"""What a specialist is: tasks that it reads from a question, and the desk where it uses its tools."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from msgspec import Struct, to_builtins

from sse_server.agents import Job
from sse_server.panel.question import Question
from sse_server.panel.tools import Tool, ToolError

MOST: Final = 12
"""Tasks of one question that a specialist takes on."""

Asked = TypeVar("Asked", bound=Struct)
Found = TypeVar("Found", bound=Struct)


class NotEnough(Exception):
    """A task can't be done with what the question says; the words tell what else to say."""


class Desk:
    """Where one specialist works: each use of a tool is told to whoever watches, and kept."""

    def __init__(self, job: Job) -> None:
        self.calls: list[dict[str, Any]] = []
        self._job = job

    async def use(self, tool: Tool[Asked, Found], arguments: dict[str, Any]) -> Found:
        """What the tool computes. Raises `ToolError`, after telling it."""
        async with self._job.tool(tool.name, arguments) as call:
            found = _tried(tool, arguments)
            if isinstance(found, ToolError):
                call.error(str(found))
                told = {"error": str(found)}
            else:
                told = {"result": to_builtins(found)}
                call.result(told["result"])
        self.calls.append({"tool": tool.name, "arguments": arguments, **told})
        if isinstance(found, ToolError):
            raise found
        return found


def _tried(tool: Tool[Asked, Found], arguments: dict[str, Any]) -> Found | ToolError:
    """An error that leaves the `with` would be told by its class alone."""
    try:
        return tool(arguments)
    except ToolError as error:
        return error


class Task(Struct, frozen=True):
    """One thing to find out. `work` gives a sentence, or raises `ToolError` or `NotEnough`."""

    about: str
    work: Callable[[Desk], Awaitable[str]]


class Specialist(Struct, frozen=True):
    """`read` gives what a question asks of it, nothing where it is not asked.

    `offers` and `example` tell people what to ask; `source` says where its facts are from, and what they are not.
    """

    name: str
    offers: str
    example: str
    read: Callable[[Question], list[Task]]
    source: str = ""
