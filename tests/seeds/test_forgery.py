"""The troubleshooting guide's POST with a token against forged requests."""

from __future__ import annotations

from pathlib import Path

from tests.chromium import Chromium
from tests.seeds.documents import Documents
from tests.seeds.front import Front
from tests.seeds.house import Visitor

THEIR_PATH = "/api/sse/endpoint"
EVENT = "const data = { type: 'message', data: { content: 'posted' } }"


async def test_a_post_from_a_page_needs_the_token_of_its_meta_element(
    documents: Documents, front: Front, visitor: Visitor, tmp_path: Path
) -> None:
    """In a browser too old to say by itself where a request comes from: these headers are withheld."""
    front.withheld = {"sec-fetch-site", "origin"}
    code = documents["000 typescript 14"].replace(THEIR_PATH, "/api/sessions/talk/events")
    without = "document.querySelector('meta[name=\"csrf-token\"]').remove()"
    async with Chromium(front.serve(f"{EVENT}\n{{ {code} }}\n{without}\n{{ {code} }}"), tmp_path):
        await front.until(lambda: len(front.visits) == 2 and all(visit.status for visit in front.visits))
    assert sorted(visit.status for visit in front.visits) == [201, 403]
    [event] = (await visitor.get("/api/sessions/talk/events"))["events"]
    assert event["data"]["content"] == "posted"
