"""A server that turns a Python agent function into a job: watched live, left, resumed, polled; no event is lost."""

from sse_server.agents import Job, Step, ToolCall, agent
from sse_server.errors import InvalidEvent, JobCancelled, JobFailed, OutboxFull

__version__ = "0.1.0"

__all__ = ["InvalidEvent", "Job", "JobCancelled", "JobFailed", "OutboxFull", "Step", "ToolCall", "agent"]
