"""Callers: where a request may carry the proof of who sends it, and whose proof that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sse_server.auth.identity import ANONYMOUS, How, Identity
from sse_server.auth.refusal import refused
from sse_server.auth.tickets import Kind, Tickets
from sse_server.auth.tokens import Verifier
from sse_server.config import Auth

OTHER_COOKIE: Final = "vana_access_token"
"""The chat document's name for the cookie."""


class Callers:
    """Tells who sends a request. What was sent on purpose counts, a cookie only beside nothing else."""

    def __init__(self, rules: Auth, verifier: Verifier, tickets: Tickets) -> None:
        self._rules = rules
        self._verifier = verifier
        self._tickets = tickets

    async def identify(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> Identity:
        """Who it is. Raises `Unauthenticated`, and `Unavailable` when tokens can't be checked now."""
        if not self._rules.checks_tokens:
            return ANONYMOUS
        token, how = token_in_headers(headers) or self._token_in(cookies)
        if not token:
            raise refused("no token")
        return await self._verifier.verify(token, how)

    async def identify_reader(
        self, headers: Mapping[str, str], cookies: Mapping[str, str], ticket: str | None, kind: Kind, name: str
    ) -> Identity:
        """Who wants to read this job or session, maybe by a ticket. Raises `NotFound` where that is for another one."""
        if ticket is None or not self._rules.checks_tokens or token_in_headers(headers):
            return await self.identify(headers, cookies)
        leave = self._tickets.check(ticket)
        leave.admit(kind, name)
        return leave.identity

    def _token_in(self, cookies: Mapping[str, str]) -> tuple[str, How]:
        return cookies.get(self._rules.cookie) or cookies.get(OTHER_COOKIE, ""), "cookie"


def token_in_headers(headers: Mapping[str, str]) -> tuple[str, How] | None:
    """The token and in which header it stood, good or bad; None where none of them speaks of one."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip(), "bearer"
    if "X-Auth-Token" in headers:
        return headers["X-Auth-Token"], "header"
    return None
