"""The composition root: the only module that knows everyone. Builds the house, opens it, and closes it in order."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NoReturn

from aiohttp import web

from sse_server import broadcast, logs
from sse_server.actions import AGENTS as ACTIONS
from sse_server.actions import ROUTES as ACTION_ROUTES
from sse_server.agents import Registry
from sse_server.auth import Callers, Csrf, Rate, RedactedFormatter, Tickets, Verifier
from sse_server.chat.agent import chat_at
from sse_server.chat.door import ROUTES as CHAT_ROUTES
from sse_server.chat.file import ChatFile, beside
from sse_server.chat.memory import Memories
from sse_server.chat.provider import Provider
from sse_server.chat.telemetry import Report, TelemetryRows, report
from sse_server.config import Settings, refuse_exposure
from sse_server.errors import StoreUnavailable
from sse_server.eventlog import LogKey, Retention, Store
from sse_server.eventlog.memory import MemoryStore
from sse_server.eventlog.sqlite import SqliteStore
from sse_server.hub import Hub
from sse_server.panel.agent import panel
from sse_server.panel.doors import ROUTES as PANEL_ROUTES
from sse_server.routes import ROUTES
from sse_server.routes.connection import Entrance, tune
from sse_server.routes.cors import allow_origins
from sse_server.routes.guard import Guard
from sse_server.routes.house import HOUSE, House
from sse_server.routes.middleware import on_prepare, problems
from sse_server.routes.openapi import ROUTES as ROUTE_TABLE
from sse_server.routes.seats import Seats
from sse_server.runner import Means, Runner
from sse_server.tailor.agent import tailor

ALL_ROUTES: Final = (*ROUTES, *ACTION_ROUTES, *CHAT_ROUTES, *PANEL_ROUTES)

logger = logging.getLogger(__name__)


class Server:
    """A whole server: `await start()`, `await stop()`. `port` is known once it is started."""

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self.settings = settings
        self.store = make_store(settings)
        self.hub = Hub(self.store, heartbeat=settings.stream.heartbeat_interval)
        self.llm = make_provider(settings)
        self.chat_file = ChatFile(chat_path(settings))
        means = Means(
            cadence=settings.emission,
            llm=self.llm,
            memory=Memories(self.chat_file, settings.chat).of,
            telemetry=TelemetryRows(self.chat_file),
        )
        self.runner = Runner(
            self.store,
            self.hub,
            registry,
            settings.jobs,
            means,
            per_user=settings.limits.jobs_per_user,
            retry=settings.stream.retry_ms / 1000,
        )
        self.seats = Seats(settings.limits)
        self.verifier = Verifier(settings.auth)
        self._doors: web.AppRunner
        self._ground: broadcast.Ground
        self._listener: asyncio.Server

    @property
    def port(self) -> int:
        """The port that it listens on."""
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    async def start(self) -> None:
        """Open the store, sweep, listen.

        Raises `SettingsError` where anybody could come in, `StoreBusy`, `StoreUnavailable`, OSError for the address.
        """
        refuse_exposure(self.settings)
        await self.store.open(self)
        try:
            await self.chat_file.open()
            await self._listen()
        except (OSError, StoreUnavailable):
            await self.chat_file.close()
            await self.store.close()
            raise
        self.hub.start()
        self._ground = await broadcast.attach(self.store, self.hub, self.settings.sessions)
        await self.runner.start()
        if self.llm:
            await self.llm.sdk()  # half a second, that else the first user would wait
        await self._listener.start_serving()

    async def load(self) -> None:
        """Load, in a thread, what no start has to wait for: tokens, rates, log lines and the work of our agents."""
        for part in (self.verifier.load, logs.load, _load_the_rest):
            await asyncio.to_thread(part)

    async def _listen(self) -> None:
        """Take the address before any job is taken: a server that can't be reached must not run what it left."""
        settings, seats = self.settings.server, self.seats
        guard = make_guard(self.settings, self.verifier, await self.store.secret())
        app = make_app(House(self.settings, self.store, self.hub, self.runner, seats, guard))
        self._doors = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1.0)
        await self._doors.setup()
        server = self._doors.server
        assert server is not None
        self._listener = await asyncio.get_running_loop().create_server(
            Entrance(server, settings, self.settings.limits.connections, seats),
            settings.host,
            settings.port,
            backlog=settings.backlog,
            start_serving=False,
        )
        for listening in self._listener.sockets:
            tune(listening, self.settings.stream.write_timeout)

    async def stop(self) -> None:
        """Drain with the sockets open: whoever asks meanwhile is told so. Then close in the order of the floors."""
        drain = self.settings.server.drain_timeout
        self.runner.draining = True
        for subscriber in [s for s in self.hub.subscribers if not s.patient]:
            subscriber.end("draining")
        await self.runner.drain(drain)
        await broadcast.detach(self._ground)
        for subscriber in list(self.hub.subscribers):
            subscriber.end("draining")
        await self.hub.close()
        self._listener.close()
        await self.seats.close(1.0)
        await self._doors.cleanup()
        await self.verifier.close()
        if self.llm:
            await self.llm.aclose()
        await self.chat_file.close()
        await self.store.close()

    def log_changed(self, key: LogKey) -> None:
        """Another process changed a log."""
        self.hub.changed(key)

    def work_arrived(self) -> None:
        """Another process queued a job."""
        self.runner.work_arrived()

    def cancel_requested(self, job_id: str) -> None:
        """Another process was asked to stop a job."""
        self.runner.cancel_here(job_id)


def make_store(settings: Settings) -> Store:
    """The store that the settings name."""
    store, jobs, sessions = settings.store, settings.jobs, settings.sessions
    retention = Retention(
        age=jobs.retention,
        max_bytes=store.max_bytes,
        max_job_events=store.max_job_events,
        idempotency=jobs.idempotency_ttl,
        max_history=sessions.max_history,
        session_ttl=sessions.ttl,
        history_warning=int(sessions.memory_warning_mb * 2**20),
        history_critical=int(sessions.memory_critical_mb * 2**20),
    )
    if store.kind == "memory":
        return MemoryStore(retention)
    return SqliteStore(Path(store.path), commit_interval=store.commit_interval, retention=retention)


def chat_path(settings: Settings) -> Path | None:
    """Where the chat's own file lies, beside the store's; None: in memory, as the store is."""
    return beside(Path(settings.store.path)) if settings.store.kind == "sqlite" else None


def telemetry_report(settings: Settings, hours: float) -> Report:
    """What the calls of the last hours were like, also while a server runs. Raises `StoreUnavailable`."""
    return report(chat_path(settings), hours)


def make_provider(settings: Settings) -> Provider | None:
    """The model that the settings name; None: agents work offline."""
    provider = settings.provider
    if not provider.api_key and not provider.base_url:
        return None
    return Provider(
        api_key=provider.api_key,
        base_url=provider.base_url,
        model=provider.model,
        timeout=provider.timeout,
        max_retries=provider.max_retries,
    )


def registry_of(settings: Settings, modules: Iterable[str]) -> Registry:
    """The built-in agents, the installed ones, those of the settings and those of `modules`. Raises `AgentError`."""
    chat = chat_at(settings.provider.model, scenarios=settings.server.test_scenarios)
    registry = Registry([tailor, panel, chat, *ACTIONS])
    registry.load_installed()
    registry.load_named(settings.agents)
    for module in modules:
        registry.load_module(module)
    return registry


def run(settings: Settings, registry: Registry, started: Callable[[Server], None]) -> NoReturn:
    """Serve until SIGTERM or SIGINT, on uvloop where it is installed; then the process ends, with 0.

    It ends at once: everything of the server's is closed by then, and an agent that hears no cancel, in a thread or on
    the loop, would keep an orderly exit waiting for ever.
    """
    loop = asyncio.Runner(loop_factory=_loop_factory())
    try:
        loop.run(serve(settings, registry, started))
    except BaseException:
        loop.close()
        raise
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415  (not on every system)
    except ImportError:
        return None
    return uvloop.new_event_loop


async def serve(settings: Settings, registry: Registry, started: Callable[[Server], None]) -> None:
    """Run until SIGTERM or SIGINT, then drain. `started` is called once the server listens."""
    logs.configure(settings.log, RedactedFormatter)
    server = Server(settings, registry)
    stop = asyncio.Event()

    def told_to_stop() -> None:
        if stop.is_set():
            server.runner.hurry()  # told twice: whoever it is has no patience left
        stop.set()

    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, told_to_stop)
    await server.start()
    sys.setswitchinterval(0.0005)  # two threads wait so long for the interpreter: the store's at each statement
    started(server)
    await server.load()
    _tune_the_collector()
    await stop.wait()
    logger.info("draining")
    await server.stop()


def _load_the_rest() -> None:
    from sse_server.auth import windows  # noqa: F401, PLC0415
    from sse_server.panel import consultation  # noqa: F401, PLC0415
    from sse_server.tailor import tailoring  # noqa: F401, PLC0415


def _tune_the_collector() -> None:
    """For thousands of long-lived objects (docs/performance.md)."""
    gc.freeze()  # what is there by now stays: no collection looks at it again
    gc.enable()
    gc.set_threshold(10_000, 20, 50)  # every stream and job holds tens of objects, and nearly none in a circle


def make_guard(settings: Settings, verifier: Verifier, key: bytes) -> Guard:
    """Who may come in; `key` seals tickets and CSRF tokens."""
    tickets = Tickets(key, settings.auth)
    callers = Callers(settings.auth, verifier, tickets)
    csrf, limits = Csrf(key, settings.auth, settings.cors), settings.limits
    starts, publishes = Rate(limits.starts_per_minute, "start jobs"), Rate(limits.publishes_per_minute, "publish")
    return Guard(callers, tickets, csrf, starts, publishes, public_metrics=settings.metrics.public)


def make_app(house: House) -> web.Application:
    """The aiohttp application: the doors, and what every request meets."""
    app = web.Application(middlewares=[problems], client_max_size=house.settings.server.max_body_bytes)
    app[HOUSE] = house
    app[ROUTE_TABLE] = ALL_ROUTES
    app.on_response_prepare.append(on_prepare)
    # Those of a path side by side, or a preflight finds the first method only; tried in this order, so streams first.
    for route in sorted(ALL_ROUTES, key=lambda route: ("{" not in route.path, route.path), reverse=True):
        route.add_to(app)
    allow_origins(app, house.settings.cors)
    return app
