"""The greeting: whether the server is there, takes the token and has the agent, before any load is put on it."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException, HTTPSConnection

import msgspec
from msgspec import Struct

from loadtest.address import Address
from loadtest.failure import CanNotRun
from loadtest.plan import Plan
from loadtest.tokens import Tokens

TIMEOUT = 10.0


class Agent(Struct):
    name: str


class Agents(Struct):
    """The answer of `GET /api/agents`."""

    agents: list[Agent]


class Problem(Struct):
    detail: str = ""
    code: str = ""


def greet(plan: Plan) -> None:
    """Ask for the agents. Raises `CanNotRun` with what to do."""
    status, body = _get(plan, "/api/agents")
    if status in {401, 403}:
        raise CanNotRun(
            f"{plan.url} does not take this token ({_said(body)}): give another --token, or its --jwt-secret"
        )
    if status != 200:
        raise CanNotRun(f"{plan.url} answers {status} to GET /api/agents ({_said(body)}): is it a server of this kind?")
    try:
        names = [agent.name for agent in msgspec.json.decode(body, type=Agents).agents]
    except ValueError:
        raise CanNotRun(f"{plan.url} is no server of this kind: GET /api/agents brings no list of agents") from None
    if plan.agent not in names:
        load = ", or start it with `sse-server serve scripts/loadtest/agent.py`" if plan.agent == "load" else ""
        raise CanNotRun(f"{plan.url} has no agent {plan.agent!r}: name one by --agent ({', '.join(names)}){load}")


def _get(plan: Plan, path: str) -> tuple[int, bytes]:
    address = Address(plan.url, plan.headers, plan.ca)
    connection = (
        HTTPSConnection(address.host, address.port, timeout=TIMEOUT, context=address.tls)
        if address.tls
        else HTTPConnection(address.host, address.port, timeout=TIMEOUT)
    )
    try:
        connection.request("GET", address.prefix + path, headers=dict(plan.headers) | Tokens(plan).headers(0))
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, HTTPException) as error:
        raise CanNotRun(f"nothing answers at {plan.url}: {str(error) or type(error).__name__}") from None
    finally:
        connection.close()


def _said(body: bytes) -> str:
    try:
        problem = msgspec.json.decode(body, type=Problem)
    except ValueError:
        return "no reason given"
    return problem.detail or problem.code or "no reason given"
