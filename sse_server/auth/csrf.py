"""Against forged requests: a browser sends its cookies with whatever request any page makes it send.

So a caller who is known by a cookie shows more before anything changes: a token that a foreign page can't read, or the
browser's own word that the page is ours (Fetch Metadata, and RFC 6454's Origin).
"""

from __future__ import annotations

import hmac
import os
import time
from collections.abc import Callable, Collection, Mapping
from typing import Final

import msgspec

from sse_server.auth.identity import Identity
from sse_server.auth.seal import seal, unseal
from sse_server.config import Auth, Cors
from sse_server.errors import Forbidden

CSRF_HEADER: Final = "X-CSRF-Token"
CSRF_COOKIE: Final = "csrf_token"
PREFIX: Final = "csrf_"
TTL: Final = 12 * 3600
"""Seconds that a token is good for."""
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Csrf:
    """Mints and checks. `key` is kept in the store; `clock` gives Unix seconds."""

    def __init__(self, key: bytes, rules: Auth, cors: Cors, *, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._forwarded = rules.trust_forwarded
        self._origins = cors.origins
        self._clock = clock

    def token(self, user: str, twin: str = "") -> str:
        """A token for this user; the one of their cookie (`twin`) while it is young, so two tabs share one."""
        if self._expires(twin, user) - self._clock() > TTL / 2:
            return twin
        content = msgspec.msgpack.encode((int(self._clock()) + TTL, os.urandom(8)))
        return PREFIX + seal(self._key, _purpose(user), content)

    def allow_write(self, caller: Identity, headers: Mapping[str, str], scheme: str, twin: str = "") -> None:
        """Raise `Forbidden` when this POST or DELETE may be some other page's.

        `twin` is the token's cookie. It need not come, as the token is bound to its user; if it does, it must be equal.
        """
        if caller.how != "cookie" or is_from_own_page(headers, own_origin(headers, scheme, forwarded=self._forwarded)):
            return
        token = headers.get(CSRF_HEADER, "")
        if self._expires(token, caller.user) <= self._clock() or (twin and not _equal(token, twin)):
            raise Forbidden("a request with a cookie needs X-CSRF-Token, see GET /api/csrf")

    def allow_start(self, caller: Identity, headers: Mapping[str, str]) -> None:
        """Raise `Forbidden` when this GET, which starts work, may be some other page's."""
        if caller.how == "cookie" and not may_start_by_get(headers, self._origins):
            raise Forbidden("with a cookie, only a page of this server or of cors.origins may start this")

    def _expires(self, token: str, user: str) -> int:
        """When a token of this user's expires, in Unix seconds; 0 for any other text."""
        content = unseal(self._key, _purpose(user), token.removeprefix(PREFIX)) if token.startswith(PREFIX) else None
        return msgspec.msgpack.decode(content, type=tuple[int, bytes])[0] if content else 0


def is_from_own_page(headers: Mapping[str, str], own: str) -> bool:
    """Whether the browser itself says that the page which sends this is of our origin; no page can make it say so."""
    return headers.get("Sec-Fetch-Site") == "same-origin" or headers.get("Origin") == own


def may_start_by_get(headers: Mapping[str, str], origins: Collection[str]) -> bool:
    """Whether the browser says that this GET is by a page of ours (which has no Origin), or of one of these origins."""
    return headers.get("Sec-Fetch-Site") == "same-origin" or headers.get("Origin") in origins


def own_origin(headers: Mapping[str, str], scheme: str, *, forwarded: bool) -> str:
    """Our origin as the browser sees it; by what a proxy forwards only where the settings trust one to be there."""
    host = headers.get("Host", "")
    if forwarded:
        scheme = _first(headers.get("X-Forwarded-Proto")) or scheme
        host = _first(headers.get("X-Forwarded-Host")) or host
    port = {"http": ":80", "https": ":443"}.get(scheme, "")
    return f"{scheme}://{host.lower().removesuffix(port)}"


def _first(listed: str | None) -> str:
    return (listed or "").partition(",")[0].strip()


def _purpose(user: str) -> bytes:
    return b"csrf 1 " + user.encode()


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogateescape"), other.encode("utf-8", "surrogateescape"))
