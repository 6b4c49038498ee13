"""What an agent's author writes with: the decorator, and the `Job` that an agent emits through."""

from sse_server.agents.definition import Agent, agent
from sse_server.agents.job import Completion, Job, ModelUsage, Provider
from sse_server.agents.memory import Memory, Recollection, Role, Telemetry
from sse_server.agents.outbox import Outbox
from sse_server.agents.registry import Registry
from sse_server.agents.step import Step, ToolCall

__all__ = [
    "Agent",
    "Completion",
    "Job",
    "Memory",
    "ModelUsage",
    "Outbox",
    "Provider",
    "Recollection",
    "Registry",
    "Role",
    "Step",
    "Telemetry",
    "ToolCall",
    "agent",
]
