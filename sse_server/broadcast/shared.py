"""The one broadcaster of this process: on the log of the server in it, as long as there is one."""

from __future__ import annotations

from msgspec import Struct, field

from sse_server.broadcast.broadcaster import EnhancedSSEBroadcaster
from sse_server.broadcast.config import BroadcasterConfig
from sse_server.broadcast.ground import Ground
from sse_server.config import Sessions
from sse_server.eventlog import Store
from sse_server.hub import Hub


class _Process(Struct):
    broadcaster: EnhancedSSEBroadcaster | None = None
    servers: list[Ground] = field(default_factory=list)


_process = _Process()


def get_sse_broadcaster() -> EnhancedSSEBroadcaster:
    """The same one for everybody, until it is shut down.

    It moves to a server's log when that starts and off it when that stops: whoever took it before keeps it.
    """
    if _process.broadcaster is None or _process.broadcaster.closed:
        _process.broadcaster = EnhancedSSEBroadcaster(ground=_ground())
    return _process.broadcaster


async def attach(store: Store, hub: Hub, sessions: Sessions) -> Ground:
    """Put the shared broadcaster on this server's log; give what it returns to `detach`."""
    served = Ground.served(store, hub, sessions)
    _process.servers.append(served)
    await _move()
    return served


async def detach(served: Ground) -> None:
    """The server stops: back to the one that was there before, or to a log of its own."""
    was_here = _process.servers[-1] is served
    _process.servers.remove(served)
    if was_here:
        await _move()


async def _move() -> None:
    if _process.broadcaster:
        await _process.broadcaster.stand_on(_ground())


def _ground() -> Ground:
    return _process.servers[-1] if _process.servers else Ground.own(BroadcasterConfig())
