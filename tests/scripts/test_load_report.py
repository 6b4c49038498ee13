"""What the load test tells: a page that needs nothing but itself, and a view of the run while it goes on."""

from __future__ import annotations

import asyncio
import base64
import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

from tests.client.server import environment
from tests.scripts.calling import SCRIPT
from tests.scripts.conftest import LoadTest

VOID = {"meta", "br"}


class Page(HTMLParser):
    """Reads a page: its tags must close in order; `addresses` is all that it would fetch or lead to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str | None] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in {"src", "href", "srcset", "action", "style"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


async def test_the_page_holds_the_figures_and_needs_nothing_from_elsewhere(load_test: LoadTest, tmp_path: Path) -> None:
    called = await load_test(
        *("--streams", "4", "--events", "40", "--rate", "20", "--ramp", "0.5", "--cut-rate", "10", "--pause", "0.02"),
        *("--html", "report.html"),
    )
    assert called.code == 0, called.said
    text = (tmp_path / "report.html").read_text()
    page = Page(text)
    assert page.open == []
    assert page.addresses == []
    assert "url(" not in text
    assert "@import" not in text
    assert "script" not in page.tags
    assert page.tags.count("svg") == 7
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style
    digest = base64.b64encode(sha256(style[1].encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in text
    assert '<meta name="viewport"' in text
    assert "All targets met" in text
    for figure in (f"{called.counts['delivered']:,}", f"{called.report['times']['delay']['p99']:,.2f}"):
        assert f"<td>{figure}</td>" in text
    for check in called.report["checks"]:
        assert check["name"] in text


async def test_the_timeline_adds_up_to_the_whole(load_test: LoadTest) -> None:
    called = await load_test("--streams", "4", "--events", "60", "--rate", "20", "--ramp", "0.5")
    timeline = called.report["timeline"]
    assert sum(point["events"] for point in timeline) == called.counts["delivered"] == 4 * 63
    assert sum(count for _, count in called.report["histogram"]) == called.report["times"]["delay"]["count"]
    assert [point["second"] for point in timeline] == sorted({point["second"] for point in timeline})
    assert max(point["open"] for point in timeline) == 4


async def test_secrets_are_in_no_report(load_test: LoadTest, tmp_path: Path) -> None:
    secret = "kfA2mVx0pQ9rTz7LbN4cWe1uYh8sJd5gXo3i"
    called = await load_test(
        *("--streams", "2", "--events", "5", "--rate", "20", "--ramp", "0", "--jwt-secret", secret),
        *("--header", "X-Key: hidden-value", "--html", "report.html"),
    )
    assert called.code == 0, called.said
    told = called.said + str(called.report) + (tmp_path / "report.html").read_text()
    assert secret not in told
    assert "hidden-value" not in told


def test_on_a_terminal_bars_show_the_streams_and_the_end(tmp_path: Path) -> None:
    # Five seconds: the workers tell once a second, so bars may never show the streams of a shorter run.
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [
            sys.executable,
            SCRIPT,
            "--streams",
            "4",
            "--events",
            "100",
            "--rate",
            "20",
            "--ramp",
            "0",
            "--target",
            "ttft_p95=60000",
        ],
        cwd=tmp_path,
        env=environment(TERM="xterm-256color"),
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    )
    os.close(theirs)
    drawn = b""
    while chunk := _read(ours):
        drawn += chunk
    out, _ = process.communicate(timeout=60)
    os.close(ours)
    assert process.returncode == 0
    assert "4 open" in drawn.decode()
    assert "events/s" in drawn.decode()
    assert "4 begun, 4 whole" in out
    assert "met    lost <= 0: 0" in out


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # Linux's way to say that the other side is closed
        return b""


async def test_the_k6_script_is_javascript(require: Callable[[object, str], None]) -> None:
    node = shutil.which("node")
    require(node, "node is not installed")
    assert node
    checked = await asyncio.create_subprocess_exec(node, "--check", SCRIPT.with_name("load_test.k6.js"))
    assert await checked.wait() == 0
