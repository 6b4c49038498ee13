"""Guessable: how to tell that a secret which signs tokens is one that other people know or would try."""

from __future__ import annotations

import re
from typing import Final

MIN_BYTES: Final = 32
"""RFC 7518, section 3.2: as long as the hash, else it is searched offline from a single token."""

PLACEHOLDER: Final = "placeholder-jwt-secret-with-at-least-32-characters"
"""What the chat document signs its example tokens with."""

KNOWN: Final = frozenset(
    {
        "super-secret-jwt-token-with-at-least-32-characters-long",  # Supabase, on every developer's machine
        "a-string-secret-at-least-256-bits-long",  # jwt.io
        "your-256-bit-secret-your-256-bit-secret",  # jwt.io, made long enough
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",  # FastAPI's tutorial
    }
)
BEGINNINGS: Final = re.compile(r"(my|your|the|a)?(super|very|top)?(secret|changeme|changethis|password|passw0rd)")
WORDS: Final = re.compile(r"secret|changeme|changethis|password|placeholder|example")
PEM: Final = re.compile(r"-----BEGIN|^(ssh|ecdsa)-")


def fault(secret: str) -> str | None:
    """Why this can be nobody's secret, to follow "it"; None when it may be one."""
    if PEM.search(secret):
        return "is a key pair's key: a key that is public can't be a secret, so give auth.jwks_url instead"
    if not secret.isprintable() or secret != secret.strip():
        return "begins or ends with a space, or holds a line break or the like, which its issuer will not have meant"
    if len(secret.encode()) < MIN_BYTES:
        return f"has fewer than {MIN_BYTES} bytes"
    if secret in KNOWN or BEGINNINGS.match(_letters(secret)):
        return "is one that everybody knows or tries first"
    if len(set(secret)) < 8 or _repeats(secret, 8):
        return "is a short text repeated"
    return None


def doubt(secret: str) -> str | None:
    """Why this secret should be used by nobody but a developer, to follow "it"; None for a good one."""
    if secret == PLACEHOLDER:
        return "is the chat document's placeholder"
    if WORDS.search(_letters(secret)) or _repeats(secret, 16):
        return "looks made up by a person"
    return None


def _letters(secret: str) -> str:
    """What is left without the signs and the case in which such words are varied."""
    return re.sub(r"[^a-z0-9]", "", secret.lower())


def _repeats(secret: str, most: int) -> bool:
    """Whether it is one piece of up to so many characters, again and again."""
    return 0 < (secret + secret).find(secret, 1) <= most
