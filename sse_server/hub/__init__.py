"""The heart: publish, read, subscribe. It knows who is listening in this process, and nothing of HTTP."""

from sse_server.hub.cohort import Sink
from sse_server.hub.committer import Source
from sse_server.hub.heart import Audience, Hub
from sse_server.hub.resume import Cursor, Gap, judge
from sse_server.hub.subscriber import Ending, Subscriber
from sse_server.hub.tail import Tail
from sse_server.hub.view import Surface, View

__all__ = [
    "Audience",
    "Cursor",
    "Ending",
    "Gap",
    "Hub",
    "Sink",
    "Source",
    "Subscriber",
    "Surface",
    "Tail",
    "View",
    "judge",
]
