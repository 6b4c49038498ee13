"""Redaction: whoever reads the log can't act as anybody."""

from __future__ import annotations

import io
import logging
import time
from typing import Any

import pytest

from sse_server.auth import Csrf, RedactedFormatter, Tickets, redact
from sse_server.config import Auth, Cors

KEY = bytes(range(32))
TICKET = Tickets(KEY, Auth()).mint("ann", "job", "job_1")[0]
CSRF = Csrf(KEY, Auth(), Cors()).token("ann")
OPAQUE = "c29tZS1vcGFxdWUtdG9rZW4"


@pytest.mark.parametrize(
    ("line", "redacted"),
    [
        ("GET /api/jobs/j/stream?ticket={ticket}&after=0", "GET /api/jobs/j/stream?ticket=(redacted)&after=0"),
        (
            "https://a.io/login?next=%2Fs%3Fticket%3D{ticket}%26x",
            "https://a.io/login?next=%2Fs%3Fticket%3D(redacted)%26x",
        ),
        ("?ticket=whatever else", "?ticket=(redacted) else"),
        ('{{"ticket": "{ticket}", "n": 1}}', '{{"ticket": "(redacted)", "n": 1}}'),
        ("Authorization: Bearer {token}", "Authorization: Bearer (redacted)"),
        ("authorization: bearer {opaque}", "authorization: bearer (redacted)"),
        ("'Authorization': 'Bearer {opaque}', 'Host': 'a'", "'Authorization': 'Bearer (redacted)', 'Host': 'a'"),
        ("x-auth-token: {opaque}", "x-auth-token: (redacted)"),
        ("'X-Auth-Token': '{opaque}', 'Host': 'a'", "'X-Auth-Token': '(redacted)', 'Host': 'a'"),
        ("Cookie: access_token={opaque}; a=b\nHost: a", "Cookie: (redacted)\nHost: a"),
        ('"{{\\"cookie\\": \\"a={opaque}\\"}}"', '"{{\\"cookie\\": \\"(redacted)\\"}}"'),
        ("Set-Cookie: csrf_token={csrf}; Secure", "Set-Cookie: (redacted)"),
        ("X-CSRF-Token: {csrf}", "X-CSRF-Token: (redacted)"),
        ("?access_token={token}&x=1", "?access_token=(redacted)&x=1"),
        ("DecodeError: {token} is no token", "DecodeError: (redacted) is no token"),
    ],
)
def test_no_token_and_no_ticket_is_left(line: str, redacted: str, forge: Any) -> None:
    secrets = {"ticket": TICKET, "csrf": CSRF, "token": forge.token(), "opaque": OPAQUE}
    written = redact(line.format(**secrets))
    assert written == redacted.format()
    assert not any(secret in written for secret in secrets.values())
    assert redact(written) == written


@pytest.mark.parametrize(
    "line",
    [
        "job_0063f1b2c3d4e50123456789abcdef started",
        "the bearer of bad news",
        "keyjuggler.example.com",
        "a cookie was refused",
        'auth.py:12: in csrf_check\n    raise refused("no ticket of ours")',
    ],
)
def test_other_lines_stay_as_they_are(line: str) -> None:
    assert redact(line) == line


def test_the_finished_line_is_redacted_with_its_arguments_its_fields_and_its_traceback(forge: Any) -> None:
    token, written = forge.token(), io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(RedactedFormatter(logging.Formatter("%(levelname)s %(message)s %(path)s")))
    logger = logging.getLogger("tests.auth.redaction")
    logger.addHandler(handler)
    try:
        int(token)
    except ValueError:
        logger.exception("failed for %s", token, extra={"path": f"/s?ticket={TICKET}"})
    logger.removeHandler(handler)
    text = written.getvalue()
    assert token not in text
    assert TICKET not in text
    assert text.startswith("ERROR failed for (redacted) /s?ticket=(redacted)\nTraceback")
    assert text.endswith("ValueError: invalid literal for int() with base 10: '(redacted)'\n")


@pytest.mark.parametrize(
    "piece",
    ["eyJ", "eyJ.", "tkt_", "csrf_", "bearer ", "ticket=", "cookie:", "cookie ", "x-auth-token =", "eyJeyJeyJeyJeyJ."],
)
def test_no_line_that_a_client_chose_holds_the_loop(piece: str) -> None:
    line = piece * (100_000 // len(piece))
    before = time.perf_counter()
    redact(line)
    redact(line + "\\")
    assert time.perf_counter() - before < 1
