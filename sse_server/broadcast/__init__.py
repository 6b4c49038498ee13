"""The session broadcaster as a Python API in this process: publish, subscribe and look back, on the one log."""

from sse_server.broadcast.broadcaster import Broadcaster, EnhancedSSEBroadcaster
from sse_server.broadcast.builder import SSEEventBuilder
from sse_server.broadcast.config import BroadcasterConfig
from sse_server.broadcast.event import SSEEvent
from sse_server.broadcast.ground import Ground
from sse_server.broadcast.shared import attach, detach, get_sse_broadcaster
from sse_server.broadcast.subscriber import Subscriber, Unsubscribed
from sse_server.broadcast.trackers import ProgressTracker, Publisher, ThoughtProcessTracker

__all__ = [
    "Broadcaster",
    "BroadcasterConfig",
    "EnhancedSSEBroadcaster",
    "Ground",
    "ProgressTracker",
    "Publisher",
    "SSEEvent",
    "SSEEventBuilder",
    "Subscriber",
    "ThoughtProcessTracker",
    "Unsubscribed",
    "attach",
    "detach",
    "get_sse_broadcaster",
]
