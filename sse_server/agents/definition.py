"""What an agent is: a callable with a name, and the types of what it takes and gives."""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Callable
from typing import Any, Literal

import msgspec
from msgspec import Raw

from sse_server.errors import AgentError, FieldError, InvalidInput, InvalidResult

Kind = Literal["coroutine", "function", "async generator", "generator"]


class Agent:
    """A callable registered under a name; calling it calls the function itself.

    `timeout` is in seconds (None: the server's `jobs.timeout`); `retries` is how many more attempts a job gets after
    an error, a crash or a restart, the first after `backoff` seconds, each later one after twice as many.
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        *,
        timeout: float | None = None,
        retries: int = 0,
        backoff: float = 1.0,
        description: str | None = None,
        names: dict[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.function = function
        self.timeout = timeout
        self.retries = retries
        self.backoff = backoff
        self.description = description or _first_line(function)
        self.kind = _kind(function)
        self.input_type, self.result_type = _types(name, function, names or {}, self.kind)
        self._input: msgspec.json.Decoder[Any] = msgspec.json.Decoder(self.input_type)
        self._result: msgspec.json.Decoder[Any] = msgspec.json.Decoder(self.result_type)
        self.__doc__ = function.__doc__

    def __call__(self, input: Any, job: Any) -> Any:
        return self.function(input, job)

    def read_input(self, raw: bytes | Raw) -> Any:
        """The input as the function's type. Raises `InvalidInput` with the path of the fault."""
        try:
            return self._input.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidInput("the input is not what the agent takes", errors=[fault(error, "$.input")]) from None

    def write_result(self, value: Any) -> Raw:
        """The result as JSON. Raises `InvalidResult` where it is not of the declared type."""
        try:
            encoded = msgspec.json.encode(value)
            self._result.decode(encoded)
        except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as error:
            raise InvalidResult(f"the agent's result is not what it declares: {error}") from None
        return Raw(encoded)


def agent(
    name: str,
    *,
    timeout: float | None = None,
    retries: int = 0,
    backoff: float = 1.0,
    description: str | None = None,
) -> Callable[[Callable[..., Any]], Agent]:
    """Make a function an agent. It takes `(input, job)` and may be `async def`, `def`, or a generator of either kind.

    Its annotations are its schema: msgspec Structs, or `dict` and `str`. Raises `AgentError` for what can't be one.
    """
    names = dict(sys._getframe(1).f_locals)

    def decorate(function: Callable[..., Any]) -> Agent:
        return Agent(
            name,
            function,
            timeout=timeout,
            retries=retries,
            backoff=backoff,
            description=description,
            names=names,
        )

    return decorate


def fault(error: Exception, root: str) -> FieldError:
    """msgspec's message, cut into where and what; `root` stands for its `$`."""
    if isinstance(error, RecursionError):
        return FieldError(root, "nested too deeply")
    message, _, path = str(error).partition(" - at `")
    return FieldError(root + path.rstrip("`").removeprefix("$"), message)


def _kind(function: Callable[..., Any]) -> Kind:
    if inspect.isasyncgenfunction(function):
        return "async generator"
    if inspect.iscoroutinefunction(function):
        return "coroutine"
    return "generator" if inspect.isgeneratorfunction(function) else "function"


def _types(name: str, function: Callable[..., Any], names: dict[str, Any], kind: Kind) -> tuple[Any, Any]:
    parameters = list(inspect.signature(function).parameters.values())
    if len(parameters) != 2:  # noqa: PLR2004
        raise AgentError(f"agent {name!r} must take exactly (input, job)")
    try:
        hints = typing.get_type_hints(function, localns=names, include_extras=True)
    except NameError as error:
        raise AgentError(f"agent {name!r}: its annotations can't be read: {error}") from None
    generator = kind in {"generator", "async generator"}
    # A generator's return value is its result only for the plain kind: an asynchronous one can't return a value.
    input_type, result_type = hints.get(parameters[0].name, Any), Any if generator else hints.get("return", Any)
    try:
        msgspec.json.schema_components([input_type, result_type])
    except (TypeError, RuntimeError) as error:
        raise AgentError(f"agent {name!r}: no JSON Schema for its types: {error}") from None
    return input_type, result_type


def _first_line(function: Callable[..., Any]) -> str:
    return (inspect.getdoc(function) or "").strip().partition("\n")[0]
