"""What a function says of itself: which of the four kinds it is, and the types of what it takes and gives."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Generator
from typing import Any, Final, Literal

import msgspec

from sse_server.errors import AgentError

Kind = Literal["coroutine", "function", "async generator", "generator"]

_BY_PLACE: Final = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}


def kind_of(function: Callable[..., Any]) -> Kind:
    """How it has to be run."""
    if inspect.isasyncgenfunction(function):
        return "async generator"
    if inspect.iscoroutinefunction(function):
        return "coroutine"
    return "generator" if inspect.isgeneratorfunction(function) else "function"


def types_of(name: str, function: Callable[..., Any], names: dict[str, Any]) -> tuple[Any, Any]:
    """The types of its input and its result; `names` are those around it. Raises `AgentError` for what can't be one."""
    if not inspect.isroutine(function):
        raise AgentError(f"agent {name!r} is to be a function: not {function!r:.80}")
    try:
        parameters = list(inspect.signature(function).parameters.values())
        hints = typing.get_type_hints(function, localns=names, include_extras=True)
    except Exception as error:  # an annotation is code: it may raise anything
        raise AgentError(f"agent {name!r}: its annotations can't be read: {error}") from error
    if [parameter.kind in _BY_PLACE for parameter in parameters] != [True, True]:
        raise AgentError(f"agent {name!r} must take exactly (input, job)")
    types = hints.get(parameters[0].name, Any), _result_type(kind_of(function), hints.get("return", Any))
    try:
        msgspec.json.schema_components(types)
    except (TypeError, RuntimeError) as error:
        raise AgentError(f"agent {name!r}: no JSON Schema for its types: {error}") from None
    return types


def _result_type(kind: Kind, annotated: Any) -> Any:
    """A plain generator's result is what it returns; an asynchronous one can't return a value."""
    match kind:
        case "async generator":
            return None
        case "generator":
            return typing.get_args(annotated)[2] if typing.get_origin(annotated) is Generator else Any
        case _:
            return annotated
