"""The Python client: starts jobs, follows them through every loss of the line, polls where streams get stuck."""

from __future__ import annotations

from sse_server.client.answers import AgentInfo, CancelledJob, JobInfo, JobPage, Started
from sse_server.client.client import Client
from sse_server.client.errors import BadAnswer, ClientError, Refused, Unreachable
from sse_server.client.event import Event, EventPage
from sse_server.client.patience import Patience
from sse_server.client.status import LineStatus

__all__ = [
    "AgentInfo",
    "BadAnswer",
    "CancelledJob",
    "Client",
    "ClientError",
    "Event",
    "EventPage",
    "JobInfo",
    "JobPage",
    "LineStatus",
    "Patience",
    "Refused",
    "Started",
    "Unreachable",
]
