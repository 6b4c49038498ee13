"""What operators and tools ask: alive, ready, which agents, and the server's description of itself."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from sse_server.agents import Agent
from sse_server.errors import Draining
from sse_server.routes.answers import AgentInfo, AgentList, Health, reply
from sse_server.routes.house import house


async def health(_: web.Request, __: object, ___: None) -> web.StreamResponse:
    """Alive; touches nothing."""
    return reply(Health("ok"))


async def ready(request: web.Request, _: object, __: None) -> web.StreamResponse:
    """Whether work may be sent here: the store takes writes, and the server is not about to stop."""
    parts = house(request)
    if parts.runner.draining:
        raise Draining("the server is about to stop", retry_after=5)
    await parts.store.ping()
    return reply(Health("ready"))


async def list_agents(request: web.Request, _: object, __: None) -> web.StreamResponse:
    """The registered agents."""
    return reply(AgentList([_info(name, agent) for name, agent in house(request).runner.registry]))


def _info(name: str, agent: Agent) -> AgentInfo:
    return AgentInfo(name, agent.description, schema(agent.input_type), schema(agent.result_type))


def schema(kind: Any) -> dict[str, Any]:
    """The JSON Schema of a type."""
    return msgspec.json.schema(kind)
