"""Who asks, and what they may: tokens, keys, tickets, proofs against forged requests, and how often one may start."""

from __future__ import annotations

from sse_server.auth.callers import Callers
from sse_server.auth.csrf import CSRF_COOKIE, Csrf
from sse_server.auth.development import development_token
from sse_server.auth.identity import ANONYMOUS, How, Identity, Scope
from sse_server.auth.rates import Rate
from sse_server.auth.redaction import RedactedFormatter, redact
from sse_server.auth.tickets import Ticket, Tickets
from sse_server.auth.tokens import Verifier

__all__ = [
    "ANONYMOUS",
    "CSRF_COOKIE",
    "Callers",
    "Csrf",
    "How",
    "Identity",
    "Rate",
    "RedactedFormatter",
    "Scope",
    "Ticket",
    "Tickets",
    "Verifier",
    "development_token",
    "redact",
]
