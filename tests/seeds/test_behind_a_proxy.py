"""The document on buffering proxies: its command, and its figures as our defaults."""

from __future__ import annotations

import inspect
import re
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from sse_server import Job
from sse_server.config import Settings
from sse_server.config.platforms import recognise
from tests.clients.box import nginx
from tests.seeds.conftest import Require
from tests.seeds.documents import Command, Documents
from tests.seeds.house import House, Visitor, serving
from tests.seeds.printed import printed
from tests.seeds.shell import Shell

PAUSES: Final = [0.0, 2.0, 2.0]
"""Seconds: the agent walks in real time, since what a clock sees is what is promised."""
STAMPED: Final = re.compile(r"(\d\d:\d\d:\d\d) data: (.*)")


@pytest.fixture
def padding_house(tmp_path: Path) -> Iterator[House]:
    """A server that pads what it flushes."""
    with serving(tmp_path / "work", "", **{"stream.padding_bytes": "4096"}) as house:
        yield house


@printed("002 bash 1.1")
async def test_events_come_seconds_apart_through_an_nginx_that_buffers(
    command: Command, padding_house: House, tmp_path: Path, require: Require
) -> None:
    """It holds back 4 KB and passes over X-Accel-Buffering; the clock is awk's."""
    require(shutil.which("nginx"), "nginx is not installed")
    async with Visitor(padding_house, "walker") as visitor, nginx(tmp_path, padding_house.port) as box:
        started = await visitor.post("/api/jobs", {"agent": "walker", "input": PAUSES})
        shell = Shell(tmp_path, tmp_path, f"http://127.0.0.1:{box.port}/deaf", visitor.token)
        ran = await shell.run(command.text.replace("{job_id}", started["job_id"]))
    assert ran.code == 0, ran.err
    tokens = [(stamp, event) for stamp, event in stamped(ran.out) if event["type"] == "token"]
    assert [event["text"] for _, event in tokens] == ["0", "1", "2"]
    stamps = [stamp for stamp, _ in tokens]
    apart = [(later - earlier) % timedelta(days=1) for earlier, later in pairwise(stamps)]
    assert min(apart) >= timedelta(seconds=1), stamps


def stamped(out: str) -> list[tuple[datetime, dict[str, Any]]]:
    """The events of awk's output, each with its time of day."""
    return [
        (datetime.strptime(stamp, "%H:%M:%S"), msgspec.json.decode(event))  # noqa: DTZ007  (a time of day has no zone)
        for stamp, event in STAMPED.findall(out)
    ]


def test_the_cadence_is_the_one_that_the_document_recommends(documents: Documents) -> None:
    settings = Settings()
    chars, interval = re.findall(r"% (\d+) <|>= ([\d.]+)", documents["002 python 2"].rpartition("#")[2])
    assert (settings.emission.chars, settings.emission.interval) == (int(chars[0]), float(interval[1]))


def test_progress_comes_as_often_and_counts_as_the_document_says(documents: Documents) -> None:
    text = documents["002 python 3"]
    [most, expected] = re.findall(r"min\((\d+), \(len\(result\) / (\d+)\)", text)[0]
    [every] = re.findall(r">= ([\d.]+):", text)
    assert Settings().emission.progress_interval == float(every)
    assert inspect.signature(Job.stream_text).parameters["expected_chars"].default == int(expected)
    assert most == "95"


def test_on_cloud_run_the_padding_is_the_document_s(documents: Documents) -> None:
    [padding] = re.findall(r'" " \* (\d+)', documents["002 python 1"])
    platform = recognise({"K_SERVICE": "service"})
    assert platform
    assert platform.settings["stream.padding_bytes"].value == int(padding)
