"""The boxes that stand between a server and its clients, real ones: nginx and haproxy, each on a port of its own."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

NGINX = """
daemon off;
{user}
pid nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    {upstreams}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{server};
        }}
        location /http11/ {{
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_pass http://127.0.0.1:{server}/;
        }}
        location /deaf/ {{
            proxy_ignore_headers X-Accel-Buffering;
            proxy_buffer_size 4k;
            proxy_buffers 8 4k;
            proxy_pass http://127.0.0.1:{server}/;
        }}
        location /deaf11/ {{
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_ignore_headers X-Accel-Buffering;
            proxy_buffer_size 4k;
            proxy_buffers 8 4k;
            proxy_pass http://127.0.0.1:{server}/;
        }}
        {locations}
    }}
}}
"""

HAPROXY = """
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend door
    bind fd@{fd}
    default_backend house
backend house
    server one 127.0.0.1:{server}
"""


class Box:
    """Runs a proxy; it takes over a socket that listens already, so nobody has to wait until it is up."""

    def __init__(self, command: list[str], configuration: str, file: Path, server: int, **options: str) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        fd = self._listener.fileno()
        file.write_text(configuration.format(port=self.port, fd=fd, server=server, **options))
        self._command = command
        self._process: asyncio.subprocess.Process

    async def __aenter__(self) -> Self:
        fd = self._listener.fileno()
        self._process = await asyncio.create_subprocess_exec(
            *self._command, pass_fds=[fd], env=os.environ | {"NGINX": f"{fd};"}
        )
        self._listener.close()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.terminate()
        await self._process.wait()


def nginx(home: Path, server: int, locations: str = "", *upstreams: str) -> Box:
    """nginx with Debian's defaults at `/`; `/http11/` asks in HTTP/1.1, `/deaf/` passes over X-Accel-Buffering.

    `locations` are more of them, and `upstreams` the names that these have for the server.
    """
    file = home / "nginx.conf"
    user = "" if os.geteuid() else "user root;"  # its worker shall be who the test is
    command = ["nginx", "-p", str(home), "-c", str(file), "-e", "stderr"]
    names = "\n    ".join(f"upstream {name} {{ server 127.0.0.1:{server}; }}" for name in upstreams)
    return Box(command, NGINX, file, server, user=user, locations=locations, upstreams=names)


def haproxy(home: Path, server: int) -> Box:
    """haproxy in its HTTP mode."""
    file = home / "haproxy.cfg"
    return Box(["haproxy", "-db", "-f", str(file)], HAPROXY, file, server)
