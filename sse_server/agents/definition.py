"""What an agent is: a callable with a name, and the types of what it takes and gives."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Raw

from sse_server.agents.signature import kind_of, types_of
from sse_server.encoding import MAX_EVENT_BYTES, encode_fields
from sse_server.errors import AgentError, FieldError, InvalidEvent, InvalidInput, InvalidResult

MAX_NAME: Final = 128
"""Characters of an agent's name."""
MAX_RESULT: Final = MAX_EVENT_BYTES - 256
"""Bytes of a result's JSON: it travels in `done`, which is an event."""


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
        _check(name, timeout, retries, backoff)
        self.name = name
        self.function = function
        self.timeout = timeout
        self.retries = retries
        self.backoff = backoff
        self.description = description or _first_line(function)
        self.input_type, self.result_type = types_of(name, function, names or {})
        self.kind = kind_of(function)
        self._input: msgspec.json.Decoder[Any] = msgspec.json.Decoder(self.input_type)
        self._result: msgspec.json.Decoder[Any] = msgspec.json.Decoder(self.result_type)
        self.__doc__ = function.__doc__

    def __call__(self, input: Any, job: Any) -> Any:
        return self.function(input, job)

    def read_input(self, raw: bytes | Raw) -> Any:
        """The input as the function's type. Raises `InvalidInput` with the path of the fault."""
        try:
            return self._input.decode(raw)
        except Exception as error:  # noqa: BLE001  (a Struct's own `__post_init__` may raise anything)
            raise InvalidInput("the input is not what the agent takes", errors=[fault(error, "$.input")]) from None

    def write_result(self, value: Any) -> Raw:
        """The result as JSON. Raises `InvalidResult` where it is not of the declared type, or can't be stored."""
        try:
            # A result is bounded and mended as an event's fields are: the text of a `stream_text` has to pass.
            encoded = encode_fields({"result": value}).removeprefix(b'{"result":').removesuffix(b"}")
            self._result.decode(encoded)
        except InvalidEvent as error:
            raise InvalidResult(f"the agent's result can't be stored: {error}") from None
        except msgspec.ValidationError as error:
            raise InvalidResult(f"the agent's result is not what it declares: {error}") from None
        if len(encoded) > MAX_RESULT:
            raise InvalidResult(f"the agent's result of {len(encoded)} bytes is larger than {MAX_RESULT}")
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
    _check(name, timeout, retries, backoff)
    names = dict(sys._getframe(1).f_locals)  # noqa: SLF001  (types that stand beside the function, inside another)

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
    if not isinstance(error, msgspec.MsgspecError | UnicodeDecodeError):
        return FieldError(root, "not accepted")
    message, _, path = str(error).rpartition(" - at `")
    return FieldError(path.replace("`", "").replace("$", root, 1), message) if message else FieldError(root, path)


def _check(name: object, timeout: float | None, retries: object, backoff: float) -> None:
    if not isinstance(name, str) or not name.isprintable() or not 1 <= len(name) <= MAX_NAME:
        said = f"an agent's name is 1 to {MAX_NAME} printable characters: not {name!r:.80}"
        raise AgentError(f'{said}; write @agent("name")' if callable(name) else said)
    if timeout is not None and not timeout > 0:
        raise AgentError(f"agent {name!r}: a timeout is more than 0 seconds: not {timeout}")
    if not isinstance(retries, int) or retries < 0:
        raise AgentError(f"agent {name!r}: retries are 0 or more: not {retries}")
    if not 0 <= backoff < math.inf:
        raise AgentError(f"agent {name!r}: a backoff is 0 or more seconds: not {backoff}")


def _first_line(function: Callable[..., Any]) -> str:
    return (inspect.getdoc(function) or "").strip().partition("\n")[0]
