"""A real browser between two origins: an allowed page misses nothing, a foreign one reads and starts nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.access.browser import Page
from tests.access.place import ANN, Place
from tests.chromium import BROWSER, Chromium


@pytest.fixture
async def page(require: Callable[[object, str], None]) -> AsyncIterator[Page]:
    require(BROWSER, "chromium is not installed")
    async with Page() as page:
        yield page


async def test_a_page_of_an_allowed_origin_renews_its_ticket_and_misses_nothing(
    page: Page, open_place: Callable[..., Awaitable[Place]], tmp_path: Path
) -> None:
    place = await open_place(cors={"origins": (page.origin,)})
    job, other = await place.start(ANN), await place.start(ANN)
    ids = {"job": job.rpartition("/")[2], "other": other.rpartition("/")[2]}
    page.write("friend.html", cookie=ANN, server=place.origin, token=ANN, **ids)
    async with Chromium(page.origin, tmp_path):
        assert await page.told() == {"bare": [403, "forbidden", True], "proven": 200}
        events: list[dict[str, Any]] = []
        expired = tickets = 0
        while not events or events[-1]["type"] != "done":
            told = await page.told()
            event, tickets = told["event"], told["tickets"]
            if "seq" in event:
                events.append(event)
            elif event["type"] == "reconnect":
                assert event["reason"] == "token_expired"
                expired += 1
                place.cue(f"while the ticket was renewed, {expired}")
                if expired == 2:
                    place.curtain()
    assert (expired, tickets) == (2, 3)
    assert events == (await place.ask("GET", f"{job}/events?after=0", ANN)).json["events"]
    assert [event.get("text", "")[-2:] for event in events if event["type"] == "token"] == [" 1", " 2"]
    assert (await place.ask("GET", other, ANN)).json["status"] == "cancelled"


async def test_a_page_of_another_origin_reads_nothing_and_starts_nothing(
    page: Page, place: Place, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    job = await place.ended(ANN)
    job_id = job.rpartition("/")[2]
    ticket = await place.ticket(ANN, job_id=job_id)
    page.write("stranger.html", cookie=ANN, server=place.origin, job=job_id, ticket=ticket, token=ANN)
    async with Chromium(page.origin, tmp_path):
        told = await page.told()
    assert told.pop("blind") == "opaque", "it was sent, and the page can't see what came of it"
    assert told.pop("stream") == "closed"
    assert set(told.values()) == {"unreadable"}, told
    jobs = (await place.ask("GET", "/api/jobs", ANN)).json["jobs"]
    assert [one["job_id"] for one in jobs] == [job_id]
    assert "not authenticated" not in caplog.text, "the cookie came along with all of it"
