"""A seal: bytes that only this server can have written, as text that may stand in a URL."""

from __future__ import annotations

import base64
import hmac
from typing import Final

MAC_BYTES: Final = 32
MAX_LENGTH: Final = 2048
"""Characters of a sealed text; a longer one is not looked at."""


def seal(key: bytes, purpose: bytes, content: bytes) -> str:
    """`content` with its HMAC-SHA-256. What is sealed for one `purpose` is good for no other."""
    mac = hmac.digest(key, purpose + b"\0" + content, "sha256")
    return base64.urlsafe_b64encode(mac + content).rstrip(b"=").decode()


def unseal(key: bytes, purpose: bytes, text: str) -> bytes | None:
    """The content of `text`, or None where this server didn't write it just so."""
    if not text.isascii() or len(text) > MAX_LENGTH:
        return None
    try:
        sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    content = sealed[MAC_BYTES:]
    return content if hmac.compare_digest(seal(key, purpose, content), text) else None
