"""The server's address: where to connect, and how a request to it begins."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit


class Address:
    """A server by its URL. The name is looked up once: thousands of lines need not ask for it again.

    Raises ValueError for what is no http or https URL.
    """

    def __init__(self, url: str, headers: Sequence[tuple[str, str]] = (), ca: str = "") -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
            raise ValueError(f"--url takes an http or https address without a user or a query, not {url!r}")
        self.host = parts.hostname
        self.port = parts.port or (443 if parts.scheme == "https" else 80)
        self.prefix = parts.path.rstrip("/")
        self.tls = ssl.create_default_context(cafile=ca or None) if parts.scheme == "https" else None
        self.family = socket.AF_INET
        self._ip = ""
        lines = {"Host": parts.netloc, "User-Agent": "sse-server-load-test"} | dict(headers)
        self._always = "".join(f"{name}: {value}\r\n" for name, value in lines.items())

    @property
    def is_loopback(self) -> bool:
        """Whether the server's clock is ours."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    def look_up(self) -> None:
        """Find the IP address. Raises OSError."""
        family, _, _, _, place = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0]
        self.family, self._ip = family, str(place[0])

    async def connect(self, protocol: asyncio.Protocol, peer: socket.socket | None) -> None:
        """Open a connection, on a socket of one's own where one is given. Raises OSError."""
        loop, name = asyncio.get_running_loop(), self.host if self.tls else None
        if peer is None:
            await loop.create_connection(lambda: protocol, self._ip, self.port, ssl=self.tls, server_hostname=name)
            return
        await loop.sock_connect(peer, (self._ip, self.port))
        await loop.create_connection(lambda: protocol, sock=peer, ssl=self.tls, server_hostname=name)

    def request(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> bytes:
        """The bytes of a request. `target` is a path of the server's, with its query, or what it gave as a location."""
        if "://" in target:
            parts = urlsplit(target)
            target = parts.path + (f"?{parts.query}" if parts.query else "")
        if self.prefix and not target.startswith(f"{self.prefix}/"):
            target = self.prefix + target
        if body:
            headers = headers | {"Content-Type": "application/json", "Content-Length": str(len(body))}
        elif method == "POST":
            headers = headers | {"Content-Length": "0"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{method} {target} HTTP/1.1\r\n{self._always}{lines}\r\n".encode("latin-1") + body
