"""Every setting: its section, type, limits, default and meaning; defaults stand nowhere else.

A part of the server receives its own section, never the whole. Times are in seconds and sizes in bytes, unless the
name says otherwise. A new setting is one line here, one in config.toml and one in docs/configuration.md.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, Struct

from sse_server.config.loopback import is_loopback
from sse_server.config.platforms import Platform

Seconds = Annotated[float, Meta(ge=0)]
Span = Annotated[float, Meta(gt=0)]
Moment = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=1)]
Size = Annotated[int, Meta(ge=0)]
Port = Annotated[int, Meta(ge=0, le=65_535)]
Word = Annotated[str, Meta(min_length=1, title="text that is not empty")]
Url = Annotated[str, Meta(pattern=r"^(https?://\S+)?$", title="an http or https URL, or empty")]
Address = Annotated[str, Meta(pattern=r"^([a-z][a-z0-9+.-]*://[a-z0-9._~:\[\]-]+|\*)$")]
Origins = Annotated[
    tuple[Address, ...],
    Meta(title="a list of origins such as https://app.example.com, in small letters and without a path"),
]
CookieName = Annotated[str, Meta(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$", title="a cookie's name")]
Leeway = Annotated[float, Meta(ge=0, le=300)]
TicketTime = Annotated[int, Meta(ge=1, le=43_200)]
Entry = Annotated[str, Meta(pattern=r"^[\w.]+:[\w.]+$", title='"module:attribute"')]
AuthMode = Literal["", "jwt", "none"]
SameSite = Literal["lax", "strict", "none"]
StoreKind = Literal["sqlite", "memory"]
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["console", "json"]

AT_MOST: tuple[tuple[str, str], ...] = (
    ("stream.padding_bytes", "stream.max_padding_bytes"),
    ("jobs.timeout", "jobs.max_timeout"),
    ("auth.ticket_ttl", "auth.max_ticket_ttl"),
    ("sessions.event_ttl", "sessions.max_event_ttl"),
    ("sessions.memory_warning_mb", "sessions.memory_critical_mb"),
)
"""Pairs of settings: the first may not exceed the second."""


def says(description: str) -> Meta:
    """What a setting means and in which unit, in one sentence."""
    return Meta(description=description)


class Section(Struct, frozen=True):
    """Settings that belong together; a section knows which of them are secrets and never shows those."""

    secrets: ClassVar[frozenset[str]] = frozenset()

    def shown(self, key: str) -> object:
        """The value as a person may see it: a secret only says whether it is set."""
        value: object = getattr(self, key)
        return "(secret)" if value and key in self.secrets else value

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [(key, self.shown(key)) for key in self.__struct_fields__]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self.__rich_repr__())})"


class Server(Section, frozen=True):
    """Where the server listens, and how long it waits for a connection."""

    host: Annotated[Word, says("Address to listen on; without authentication it must be loopback.")] = "127.0.0.1"
    port: Annotated[Port, says("TCP port to listen on; 0 takes any free one.")] = 8000
    drain_timeout: Annotated[Seconds, says("Seconds that running jobs get to end after SIGTERM.")] = 25.0
    keepalive_timeout: Annotated[Seconds, says("Seconds an idle connection stays open; outlast the proxy.")] = 95.0
    head_timeout: Annotated[Span, says("Seconds a client may take to send a request's head.")] = 10.0
    body_timeout: Annotated[Span, says("Seconds a client may take to send a request's body.")] = 30.0
    max_body_bytes: Annotated[Count, says("Bytes that a request's body may have; more is a 413.")] = 1_048_576
    backlog: Annotated[Count, says("Connections that wait in the kernel until they are accepted.")] = 1024
    access_log: Annotated[bool, says("Write one log line for each request.")] = False
    test_scenarios: Annotated[bool, says("Let X-Test-Scenario make a chat fail, for tests of clients.")] = False


class Auth(Section, frozen=True):
    """Who a caller is, and what is asked of their tokens, tickets and cookies."""

    secrets: ClassVar[frozenset[str]] = frozenset({"jwt_secret"})

    mode: Annotated[AuthMode, says("Empty is jwt with a secret or a JWKS URL, else none and loopback only.")] = ""
    jwt_secret: Annotated[str, says("Secret that signs HS256 tokens, 32 bytes or more; empty is none.")] = ""
    jwks_url: Annotated[Url, says("Where the issuer of RS256, ES256 or EdDSA tokens shows its keys.")] = ""
    issuer: Annotated[str, says("What a token's iss must be; empty takes any.")] = ""
    audience: Annotated[str, says("What a token's aud must be or hold; empty takes any.")] = "authenticated"
    leeway: Annotated[Leeway, says("Seconds that the issuer's clock may differ from ours.")] = 10.0
    cookie: Annotated[CookieName, says("Cookie that may hold a token; vana_access_token may too.")] = "access_token"
    secure_cookies: Annotated[bool, says("Send our own cookies over HTTPS only.")] = True
    cookie_samesite: Annotated[SameSite, says("SameSite of our own cookies; none needs secure_cookies.")] = "lax"
    trust_forwarded: Annotated[bool, says("Take our own origin from the proxy's X-Forwarded-Proto and -Host.")] = False
    ticket_ttl: Annotated[TicketTime, says("Seconds a ticket is good for when nobody says how long.")] = 3600
    max_ticket_ttl: Annotated[TicketTime, says("Most seconds that a request may ask for as its ticket's.")] = 43_200

    @property
    def checks_tokens(self) -> bool:
        """Whether a caller must show who they are; if not, everybody is anonymous."""
        return self.mode == "jwt" or (self.mode == "" and bool(self.jwt_secret or self.jwks_url))


class Cors(Section, frozen=True):
    """Which pages of other origins may use the server from a browser, with cookies."""

    origins: Annotated[Origins, says("Origins that may; the default holds on loopback only, elsewhere it is none.")] = (
        "http://localhost:3000",
        "http://localhost:3001",
        "http://localhost:5173",
    )
    max_age: Annotated[Size, says("Seconds a browser may remember the answer to a preflight.")] = 7200


class Limits(Section, frozen=True):
    """What one user, and all users together, may have at a time."""

    jobs_per_user: Annotated[Count, says("Active jobs of one user; one more is a 429.")] = 200
    starts_per_minute: Annotated[Size, says("Jobs one user may start in a minute, else a 429; 0 is no limit.")] = 1000
    publishes_per_minute: Annotated[
        Size, says("Events one user may publish in a minute, else a 429; 0 is no limit.")
    ] = 6000
    streams_per_user: Annotated[Count, says("Open streams of one user; one more must come back later.")] = 1000
    streams: Annotated[Count, says("Open streams in all; one more must come back later.")] = 20_000
    connections: Annotated[Count, says("Open connections in all; one more is refused.")] = 25_000


class Jobs(Section, frozen=True):
    """How jobs are queued, run, ended and forgotten."""

    concurrency: Annotated[Count, says("Jobs that run at the same time.")] = 256
    queue_size: Annotated[Count, says("Jobs that may wait for their turn; one more is a 503.")] = 1000
    timeout: Annotated[Span, says("Seconds a job may run when nobody says how long.")] = 600.0
    max_timeout: Annotated[Span, says("Most seconds that a request may ask for as its timeout.")] = 86_400.0
    cancel_grace: Annotated[Seconds, says("Seconds a cancelled job gets to stop before it is ended unheard.")] = 5.0
    retention: Annotated[Seconds, says("Seconds a job and its events are kept after its end.")] = 86_400.0
    idempotency_ttl: Annotated[Seconds, says("Seconds an Idempotency-Key is kept, if its job is.")] = 86_400.0
    lease: Annotated[Span, says("Seconds of silence after which a worker's jobs are taken from it.")] = 15.0
    sweep_interval: Annotated[Span, says("Seconds between two sweeps for expired leases, jobs and keys.")] = 30.0


class Stream(Section, frozen=True):
    """How streams are kept alive, pushed through proxies and ended."""

    heartbeat_interval: Annotated[Span, says("Seconds without a frame after which a stream sends a heartbeat.")] = 10.0
    retry_ms: Annotated[Size, says("Milliseconds a client waits before it connects again.")] = 3000
    padding_bytes: Annotated[Size, says("Bytes of padding behind each flush, for a hop that buffers; 0 is off.")] = 0
    max_padding_bytes: Annotated[Size, says("Most bytes that a client may ask for with ?padding.")] = 16_384
    max_age: Annotated[Seconds, says("Seconds after which a GET stream must connect again; 0 is no limit.")] = 0.0
    max_lag_events: Annotated[Count, says("Events a subscriber may lag behind before it must reconnect.")] = 10_000
    write_timeout: Annotated[Span, says("Seconds a subscriber may read nothing before it must reconnect.")] = 30.0


class Emission(Section, frozen=True):
    """How often a job that streams text emits."""

    chars: Annotated[Count, says("Characters of text after which a token event is emitted.")] = 100
    interval: Annotated[Span, says("Seconds after which text is emitted, however short it is.")] = 0.3
    progress_interval: Annotated[Span, says("Most seconds between two progress events of a long step.")] = 5.0


class Store(Section, frozen=True):
    """Where logs and jobs are kept, and how much of them."""

    kind: Annotated[StoreKind, says("A sqlite store is a file that outlives the server; memory does not.")] = "sqlite"
    path: Annotated[Word, says("File of the sqlite store.")] = "sse-server.db"
    commit_interval: Annotated[Moment, says("Seconds that events are gathered for one commit.")] = 0.002
    max_job_events: Annotated[Count, says("Events kept of one job; beyond, the oldest are trimmed.")] = 100_000
    max_bytes: Annotated[Count, says("Bytes the store may take; beyond, ended jobs are forgotten.")] = 2_147_483_648


class Sessions(Section, frozen=True):
    """How long what was published to a session is kept, and how much of it."""

    event_ttl: Annotated[Span, says("Seconds a published event is kept when its publisher names none.")] = 300.0
    max_event_ttl: Annotated[Span, says("Most seconds that a publisher may ask for as an event's ttl.")] = 604_800.0
    ttl: Annotated[Span, says("Seconds a session without jobs is kept after its last event or reader.")] = 1800.0
    max_history: Annotated[Count, says("Published events kept of one session; beyond, the oldest go.")] = 500
    memory_warning_mb: Annotated[Span, says("Megabytes of published events in all that a warning is written at.")] = (
        100.0
    )
    memory_critical_mb: Annotated[Span, says("Megabytes at which the oldest go, until the warning's are left.")] = 250.0


class Chat(Section, frozen=True):
    """What the chat remembers, and for how long it looks."""

    memory_top_k: Annotated[Count, says("Messages that are recalled at most.")] = 10
    memory_token_budget: Annotated[Count, says("Tokens that all recalled messages may have together.")] = 1500
    clip_sentences: Annotated[Count, says("Sentences that are kept of each recalled message.")] = 2
    min_relevance_score: Annotated[Moment, says("Least relevance of a recalled message, from 0 to 1.")] = 0.7
    memory_timeout: Annotated[Span, says("Seconds after which the chat goes on without its memory.")] = 1.0


class Metrics(Section, frozen=True):
    """Who may read the server's figures."""

    public: Annotated[bool, says("Let anybody read /metrics; else it needs a token with the scope metrics.")] = False


class Log(Section, frozen=True):
    """The server's own log lines."""

    level: Annotated[LogLevel, says("Least severity that is written.")] = "info"
    format: Annotated[LogFormat, says("Shape of a line: console is for people, json for machines.")] = "console"
    file: Annotated[str, says("File that gets the lines too; empty is none.")] = ""


class Provider(Section, frozen=True):
    """The model behind the built-in agents; without a key or an address they work offline."""

    secrets: ClassVar[frozenset[str]] = frozenset({"api_key"})

    api_key: Annotated[str, says("Key for the provider, a secret; empty is none.")] = ""
    base_url: Annotated[Url, says("Address of an OpenAI-compatible provider; empty is OpenAI's own.")] = ""
    model: Annotated[Word, says("Model that is asked when an agent names none.")] = "gpt-4o-mini"
    timeout: Annotated[Span, says("Seconds that one call to the provider may take.")] = 60.0
    max_retries: Annotated[Size, says("Times that a failed call to the provider is tried again.")] = 2


class Settings(Struct, frozen=True, kw_only=True):
    """All sections, and where their values came from; `Settings()` is the defaults."""

    server: Server = Server()
    auth: Auth = Auth()
    cors: Cors = Cors()
    limits: Limits = Limits()
    jobs: Jobs = Jobs()
    stream: Stream = Stream()
    emission: Emission = Emission()
    store: Store = Store()
    sessions: Sessions = Sessions()
    chat: Chat = Chat()
    metrics: Metrics = Metrics()
    log: Log = Log()
    provider: Provider = Provider()
    agents: dict[str, Entry] = {}
    """Agents to register: name -> `module:attribute`."""

    platform: Platform | None = None
    """The platform that was recognised."""
    origins: dict[str, str] = {}
    """`section.key` -> where its value was written, for each setting that is not at its default."""
    notes: tuple[str, ...] = ()
    """Sentences to warn with at start-up."""

    @property
    def is_exposed(self) -> bool:
        """Whether other machines can reach the server."""
        return not is_loopback(self.server.host)

    def describe(self) -> str:
        """The start-up line: the platform, what it set and why, and where other values were written."""
        by_platform = self.platform.name if self.platform else None
        elsewhere = dict.fromkeys(origin for origin in self.origins.values() if origin != by_platform)
        written = ", ".join(elsewhere) or "nowhere, so at their defaults"
        if self.platform is None:
            return f"no platform recognised; settings written in: {written}"
        taken = (
            f"{name}={because.value} ({because.why})"
            for name, because in self.platform.settings.items()
            if self.origins.get(name) == by_platform
        )
        return (
            f"{self.platform.name} ({self.platform.variable} is set): {', '.join(taken) or 'nothing taken'};"
            f" other settings written in: {written}"
        )
