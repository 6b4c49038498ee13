"""The engine: jobs from submit to `done`."""

from sse_server.runner.means import Means
from sse_server.runner.presence import Presence
from sse_server.runner.runner import Cancellation, Runner

__all__ = ["Cancellation", "Means", "Presence", "Runner"]
