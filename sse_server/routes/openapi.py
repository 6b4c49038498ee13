"""`/openapi.json`, made of the route table and the msgspec types: it can't say anything else than what is served."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from aiohttp import web

from sse_server import __version__
from sse_server.config import Auth
from sse_server.errors import Problem
from sse_server.events import ENVELOPE, SESSION_PATTERN, TYPE_PATTERN
from sse_server.routes.answers import reply
from sse_server.routes.guard import refusals
from sse_server.routes.house import house
from sse_server.routes.middleware import EVENT_STREAM
from sse_server.routes.table import Frames, Route, Stream

REFERENCE: Final = "#/components/schemas/{name}"
ANYWHERE: Final = frozenset({400, 431, 503})
"""Problems of any address: no HTTP, a head that is too large, too many connections."""
NAMES: Final = {"session_id": {"pattern": f"^{SESSION_PATTERN.pattern}$"}}
WITH_BODY: Final = frozenset({408, 413})
RETRY_AFTER: Final = {"Retry-After": {"required": True, "description": "Seconds.", "schema": {"type": "integer"}}}
ROUTES: web.AppKey[tuple[Route, ...]] = web.AppKey("routes", tuple[Route, ...])


async def show(request: web.Request, _: object, __: None) -> web.StreamResponse:
    """This server's routes, types and events, as OpenAPI 3.1."""
    routes: tuple[Route, ...] = request.app[ROUTES]
    return reply(document(routes, house(request).settings.auth))


def document(routes: Iterable[Route], rules: Auth) -> dict[str, Any]:
    """The OpenAPI document of these routes, on a server that lets callers in by these rules."""
    routes = tuple(routes)
    types = [kind for route in routes for kind in _types(route)]
    schemas, components = msgspec.json.schema_components(types, ref_template=REFERENCE)
    schema_of = {id(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    names: Counter[str] = Counter()
    for route in routes:
        names[name := route.handler.__name__] += 1
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schema_of) | {
            "operationId": name if names[name] == 1 else f"{name}_{names[name]}",  # an alias needs a name of its own
            "security": _security(route) if rules.checks_tokens else [],
        }
    return {
        "openapi": "3.1.0",
        "info": {"title": "sse-server", "version": __version__},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _schemes(rules)},
    }


def _schemes(rules: Auth) -> dict[str, Any]:
    return {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "header": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"},
        "cookie": {"type": "apiKey", "in": "cookie", "name": rules.cookie},
        "ticket": {"type": "apiKey", "in": "query", "name": "ticket"},
    }


def _security(route: Route) -> list[dict[str, list[str]]]:
    """The proofs that the route takes, any one of them."""
    if route.access == "public":
        return []
    return [
        {name: []}
        for name in ("bearer", "header", "cookie", *(["ticket"] if route.access in {"job", "session"} else []))
    ]


def _types(route: Route) -> list[Any]:
    """Every type that the route's description needs a schema of."""
    bodies = [body for kinds in route.answers.values() for kind in kinds for body in _bodies(kind)]
    return [*bodies, *([route.body] if route.body else []), Problem]


def _bodies(kind: Any) -> list[Any]:
    match kind:
        case Stream():
            return [kind.events]
        case Frames():
            return list(kind.events.values())
        case str():
            return []
        case _:
            return [kind]


def _operation(route: Route, schema_of: dict[int, Any]) -> dict[str, Any]:
    said = inspect.getdoc(route.handler) or ""
    operation: dict[str, Any] = {
        "summary": said.partition("\n")[0],
        "tags": [route.tag],
        "parameters": _parameters(route),
        "responses": _responses(route, schema_of),
    }
    if route.body:
        operation["requestBody"] = {"required": True, "content": _json(schema_of[id(route.body)])}
    return operation


def _parameters(route: Route) -> list[dict[str, Any]]:
    path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"} | NAMES.get(name, {})}
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    shape = msgspec.json.schema_components([route.query])[1][route.query.__name__]
    query = [
        {"name": name, "in": "query", "required": name in shape["required"], "schema": schema}
        for name, schema in shape["properties"].items()
    ]
    return path + query


def _responses(route: Route, schema_of: dict[int, Any]) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, kinds in route.answers.items():
        content: dict[str, Any] = {}
        for kind in kinds:
            match kind:
                case Stream():
                    content[EVENT_STREAM] = {"schema": _frame(schema_of[id(kind.events)])}
                case Frames():
                    said = {name: schema_of[id(data)] for name, data in kind.events.items()}
                    content[EVENT_STREAM] = {"schema": {"anyOf": [_named(name, data) for name, data in said.items()]}}
                case str():
                    content[kind] = {"schema": {"type": "string"}}
                case _:
                    content |= _json(schema_of[id(kind)])
        responses[str(status)] = {"description": "As asked."} | ({"content": content} if content else {})
    problem = {"application/problem+json": {"schema": schema_of[id(Problem)]}}
    for status in sorted(_problems(route)):
        headers = {"headers": RETRY_AFTER} if status in {429, 503} else {}
        responses[str(status)] = {"description": "Problem (RFC 9457).", "content": problem} | headers
    return responses


def _frame(ours: Any) -> dict[str, Any]:
    """One event of a stream; that it is described in place of the whole is OpenAPI's habit before 3.2."""
    name = {"pattern": f"^{TYPE_PATTERN.pattern}$", "not": {"enum": sorted(ours["discriminator"]["mapping"])}}
    an_agents_own = {"type": "object", "required": sorted(ENVELOPE), "properties": {"type": {"type": "string"} | name}}
    data = {"contentMediaType": "application/json", "contentSchema": {"anyOf": [ours, an_agents_own]}}
    return _sse({"type": "string"} | data, {"type": "string"})


def _named(name: str, data: Any) -> dict[str, Any]:
    """One event of a stream that names its events."""
    content = {"type": "string", "contentMediaType": "application/json", "contentSchema": data}
    return _sse(content, {"const": name})


def _sse(data: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "description": "One event of the stream.",
        "required": ["data"],
        "properties": {
            "data": data,
            "event": event,
            "id": {"type": "string"},
            "retry": {"type": "integer", "description": "Milliseconds."},
        },
    }


def _problems(route: Route) -> frozenset[int]:
    """What the handler says no with, and what stands before it."""
    own = frozenset(route.problems) | (WITH_BODY if route.body else frozenset())
    return own | refusals(route.method, route.access) | ANYWHERE


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
