"""Whatever is asked, the answer is a clear problem that gives nothing away, and nothing is left running."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
import pytest

from sse_server.auth import development_token
from sse_server.config import Auth

if TYPE_CHECKING:
    from tests.routes.conftest import Answer, House, Opened

DEEP = b"[" * 100_000 + b"]" * 100_000
LEAKS = re.compile(rb"Traceback|File \"|/sse_server/|\.py\b|aiohttp|Python|msgspec|sqlite|<class|0x[0-9a-f]{6}")


def assert_problem(answer: Answer, status: int, code: str, *paths: str) -> Any:
    """A problem of RFC 9457, with a stable code, and nothing of the server's inside."""
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["server"] == "sse-server"
    problem = answer.json
    assert problem.keys() - {"errors"} == {"type", "title", "status", "detail", "code", "request_id"}
    assert (problem["type"], problem["status"], problem["code"]) == ("about:blank", status, code)
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert [error["path"] for error in problem.get("errors", [])] == list(paths)
    assert not LEAKS.search(answer.raw + answer.body)
    if status in {429, 503}:
        assert int(answer.headers["retry-after"]) > 0
    return problem


async def assert_nothing_started(house: House) -> None:
    assert (await house.get("/api/jobs")).json["jobs"] == []


# ---------------------------------------------------------------- bodies


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"{",
        b'{"agent": "puppet", "input": 1',
        b'{"agent": "puppet", "input": 1} x',
        b"\xef\xbb\xbf{}",
        b'{"agent":"\xff","input":1}',
        b'{"agent":"\xed\xa0\x80","input":1}',
        b'{"agent":"\\ud800","input":1}',
        b'{"agent":"a\nb","input":1}',
        b'{"agent":"puppet","input":NaN}',
        b"{'agent':'puppet'}",
        "{}".encode("utf-16"),
        b"\x00" * 100,
        b'{"agent":"puppet","input":' + DEEP + b"}",
        b'{"agent":"puppet","input":1,"metadata":{"a":' + DEEP + b"}}",
    ],
    ids=lambda body: ascii(body[:40]),
)
async def test_a_body_that_is_no_json_is_refused(body: bytes, house: House) -> None:
    problem = assert_problem(await house.post(body), 400, "invalid_input", "$")
    assert problem["detail"] == "the body is no valid JSON"
    await assert_nothing_started(house)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ([], "$"),
        (msgspec.Raw(DEEP), "$"),
        ("text", "$"),
        (None, "$"),
        ({}, "$"),
        ({"agent": "puppet"}, "$"),
        ({"input": 1}, "$"),
        ({"agent": 1, "input": 1}, "$.agent"),
        ({"agent": "", "input": 1}, "$.agent"),
        ({"agent": "x" * 129, "input": 1}, "$.agent"),
        ({"agent": "puppet", "input": 1, "extra": 1}, "$"),
        ({"agent": "puppet", "input": 1, "Session_id": "s"}, "$"),
        ({"agent": "puppet", "input": 1, "session_id": 1}, "$.session_id"),
        ({"agent": "puppet", "input": 1, "session_id": ""}, "$.session_id"),
        ({"agent": "puppet", "input": 1, "session_id": "a b"}, "$.session_id"),
        ({"agent": "puppet", "input": 1, "session_id": "a/b"}, "$.session_id"),
        ({"agent": "puppet", "input": 1, "session_id": "a\n"}, "$.session_id"),
        ({"agent": "puppet", "input": 1, "session_id": "ä"}, "$.session_id"),
        ({"agent": "puppet", "input": 1, "session_id": "x" * 129}, "$.session_id"),
        ({"agent": "puppet", "input": 1, "timeout": 0}, "$.timeout"),
        ({"agent": "puppet", "input": 1, "timeout": -1}, "$.timeout"),
        ({"agent": "puppet", "input": 1, "timeout": 1e300}, "$.timeout"),
        ({"agent": "puppet", "input": 1, "timeout": "1"}, "$.timeout"),
        ({"agent": "puppet", "input": 1, "on_disconnect": "explode"}, "$.on_disconnect"),
        ({"agent": "puppet", "input": 1, "on_disconnect": {}}, "$.on_disconnect"),
        ({"agent": "puppet", "input": 1, "on_disconnect": {"cancel_after": -1}}, "$.on_disconnect.cancel_after"),
        ({"agent": "puppet", "input": 1, "on_disconnect": {"cancel_after": 1e9}}, "$.on_disconnect.cancel_after"),
        ({"agent": "puppet", "input": 1, "on_disconnect": {"cancel_after": 1, "x": 1}}, "$.on_disconnect"),
        ({"agent": "puppet", "input": 1, "metadata": []}, "$.metadata"),
        ({"agent": "puppet", "input": 1, "metadata": {"a": "x" * 16_384}}, "$.metadata"),
        ({"agent": "strict", "input": {}}, "$.input"),
        ({"agent": "strict", "input": {"text": 1}}, "$.input.text"),
        ({"agent": "strict", "input": {"text": "a", "size": "b"}}, "$.input.size"),
        ({"agent": "strict", "input": {"text": "a", "more": 1}}, "$.input"),
    ],
)
@pytest.mark.parametrize("accept", ["*/*", "text/event-stream"])
async def test_a_body_that_is_not_what_is_taken_says_where(body: Any, path: str, accept: str, house: House) -> None:
    assert_problem(await house.post(body, {"Accept": accept}), 400, "invalid_input", path)
    await assert_nothing_started(house)


async def test_an_unknown_agent_is_named_with_the_nearest_one(house: House) -> None:
    problem = assert_problem(await house.post({"agent": "pupet", "input": 1}), 400, "agent_unknown")
    assert "'puppet'" in problem["detail"]
    far = assert_problem(await house.post({"agent": "<script>\x00", "input": 1}), 400, "agent_unknown")
    assert "script" not in far["detail"]


@pytest.mark.parametrize("field", ["input", "metadata"])
async def test_nesting_is_taken_as_deep_as_it_can_be_shown_again(field: str, house: House) -> None:
    """At every depth: what is taken can be listed and run, and what can't is refused."""
    for depth in (1, 98, 99, 100, 101, 200, 400, 600, 700, 800, 850, 900, 910, 920, 930, 940, 950, 960, 970, 980, 1000):
        nested = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
        body = {"agent": b'"puppet"', "input": b"1"} | {field: nested}
        raw = b"{" + b",".join(b'"%b":%b' % (name.encode(), value) for name, value in body.items()) + b"}"
        answer = await house.post(raw)
        assert answer.status in {202, 400}, (depth, answer.body)
        assert (await house.get("/api/jobs")).status == 200
        if answer.status == 202:
            job_id = answer.json["job_id"]
            assert (await house.get(f"/api/jobs/{job_id}")).status == 200
            actor = await house.stage.actor(job_id)
            actor.end()
            assert (await (await house.stream(job_id)).all())[-1].data["status"] == "succeeded"


@pytest.mark.parametrize("size", [1_048_577, 3_000_000])
async def test_a_body_too_large_is_refused(size: int, house: House) -> None:
    body = b'{"agent":"puppet","input":"' + b"x" * size + b'"}'
    assert_problem(await house.post(body), 413, "too_large")
    await assert_nothing_started(house)


async def test_a_body_too_large_in_chunks_is_refused_before_it_has_come_whole(house: House) -> None:
    line = await house.line()
    await line.send(b"POST /api/jobs HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n")
    await line.send(b"100000\r\n" + b"x" * 0x100000 + b"\r\n" + b"10\r\n" + b"x" * 16 + b"\r\n")
    assert_problem(await line.answer(), 413, "too_large")


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "nonsense"])
async def test_a_compressed_body_is_no_json(coding: str, house: House) -> None:
    """Nothing is unpacked: a small body may hide one that fills the memory."""
    body = msgspec.json.encode({"agent": "puppet", "input": 1})
    garbage = await house.post(b"\x1f\x8b\x08\x00garbage", {"Content-Encoding": coding})
    assert_problem(garbage, 400, "invalid_input", "$")
    assert (await house.post(body, {"Content-Encoding": coding})).status in {202, 400}


# ---------------------------------------------------------------- queries


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("limit=1001", "limit"),
        ("limit=1e9", "limit"),
        ("limit=99999999999999999999999", "limit"),
        ("limit=", "limit"),
        ("limit=ten", "limit"),
        ("limit=1.5", "limit"),
        ("limit=%D9%A3", "limit"),
        ("wait=nan", "wait"),
        ("wait=-0.1", "wait"),
        ("wait=25.1", "wait"),
        ("wait=inf", "wait"),
        ("wait=-inf", "wait"),
        ("wait=1e999", "wait"),
        ("wait=", "wait"),
        ("types=", "types"),
        ("types=,,", "types"),
        ("types=_token", "types"),
        ("types=a%0d%0aX-Evil:%201", "types"),
        ("types=a%00", "types"),
        ("types=" + ",".join(f"t{n}" for n in range(65)), "types"),
        ("types=" + "x" * 65, "types"),
    ],
)
async def test_an_absurd_query_of_a_poll_is_refused(query: str, name: str, house: House) -> None:
    job_id = await house.job()
    for path in (f"/api/jobs/{job_id}/events", "/api/sessions/any/events"):
        assert_problem(await house.get(f"{path}?{query}"), 400, "invalid_input", f"?{name}")


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("padding=-5", "padding"),
        ("padding=1.5", "padding"),
        ("padding=much", "padding"),
        ("replay=x", "replay"),
        ("replay=", "replay"),
        ("replay=ALL", "replay"),
        ("named=maybe", "named"),
        ("conflate=2", "conflate"),
        ("types=,,", "types"),
        ("types=a%0d%0aX-Evil:%201", "types"),
    ],
)
async def test_an_absurd_query_of_a_stream_is_refused(query: str, name: str, house: House) -> None:
    job_id = await house.job()
    assert_problem(await house.get(f"/api/jobs/{job_id}/stream?{query}"), 400, "invalid_input", f"?{name}")


async def test_parameters_that_nobody_knows_are_passed_over(house: House) -> None:
    job_id = await house.counted(1)
    assert (await house.get(f"/api/jobs/{job_id}/stream?utm_source=x&_=123&cb[]=1")).status == 200


@pytest.mark.parametrize("query", ["status=lost", "limit=0", "limit=201", "limit=x"])
async def test_an_absurd_listing_is_refused(query: str, house: House) -> None:
    assert_problem(await house.get(f"/api/jobs?{query}"), 400, "invalid_input", "?" + query.partition("=")[0])


@pytest.mark.parametrize("value", ["%00", "%ff%fe", "%ED%A0%80", "'; DROP TABLE jobs; --", "☃", "x" * 4000])
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_a_listing_is_asked_for_anything_and_finds_nothing(value: str, house: House) -> None:
    await house.job()
    value = quote(value, safe="%")
    for name in ("cursor", "agent", "session_id"):
        answer = await house.get(f"/api/jobs?{name}={value}")
        assert answer.status == 200
        assert len(answer.json["jobs"]) <= 1


async def test_an_absurd_wait_for_a_cancellation_is_refused(house: House) -> None:
    job_id = await house.job()
    for wait in ("nan", "-1", "26", "x"):
        assert_problem(
            await house.post(b"", path=f"/api/jobs/{job_id}/cancel?wait={wait}"), 400, "invalid_input", "?wait"
        )
    assert (await house.get(f"/api/jobs/{job_id}")).json["status"] in {"queued", "running"}


# ---------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    "id",
    [
        "job_unknown",
        "%00",
        "%ff",
        "%ED%A0%80",
        "%",
        "%zz",
        "%2e%2e",
        "..%2f..%2f..%2fetc%2fpasswd",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "a%2Fstream",
        "%0d%0aX-Evil:%20yes",
        "'%20OR%201=1",
        "x" * 5000,
        "%F0%9F%98%80",
    ],
)
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_a_job_that_is_not_there_is_a_404_whatever_it_is_called(id: str, house: House) -> None:
    for method, path in (
        ("GET", f"/api/jobs/{id}"),
        ("GET", f"/api/jobs/{id}/stream"),
        ("GET", f"/api/jobs/{id}/events?wait=25"),
        ("POST", f"/api/jobs/{id}/cancel"),
        ("DELETE", f"/api/jobs/{id}"),
    ):
        answer = await house.ask(method, path)
        assert_problem(answer, 404, "not_found")
        assert "x-evil" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/", "/api", "/api/", "/api/jobs/", "/api/jobs/a/b/c", "/../../etc/passwd", "//", "/%2e%2e"]
)
async def test_an_address_that_is_not_there_is_a_404(path: str, house: House) -> None:
    answer = await house.get(path)
    if answer.status != 200:  # the console's page may stand at /
        assert_problem(answer, 404, "not_found")


@pytest.mark.parametrize("name", ["a%20b", "%00", "a%0d%0ab", "%ff", "%C3%A4", "x" * 129])
async def test_a_session_is_polled_by_a_good_name_only(name: str, house: House) -> None:
    assert_problem(await house.get(f"/api/sessions/{name}/events"), 400, "invalid_input", "session_id")


@pytest.mark.parametrize("name", ["a b", "x" * 129, "a/b", "ä", "\udcff", ""])
async def test_a_session_is_named_by_a_good_header_only(name: str, house: House) -> None:
    answer = await house.post({"agent": "puppet", "input": 1}, {"X-Session-Id": name})
    assert_problem(answer, 400, "invalid_input", "X-Session-Id")
    await assert_nothing_started(house)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/jobs", "GET, POST"),
        ("DELETE", "/api/jobs", "GET, POST"),
        ("POST", "/api/jobs/x/stream", "GET"),
        ("POST", "/api/jobs/x/events", "GET"),
        ("GET", "/api/jobs/x/cancel", "POST"),
        ("PATCH", "/api/jobs/x", "DELETE, GET"),
        ("POST", "/health", "GET"),
        ("TRACE", "/health", "GET"),
    ],
)
async def test_a_method_that_an_address_does_not_take_is_named_with_those_it_does(
    method: str, path: str, allowed: str, house: House
) -> None:
    answer = await house.ask(method, path)
    assert_problem(answer, 405, "method_not_allowed")
    assert set(allowed.split(", ")) <= set(answer.headers["allow"].split(", ")) <= {*allowed.split(", "), "OPTIONS"}


# ---------------------------------------------------------------- who asks


@pytest.mark.parametrize("sent", ["a", "req-1.2:3_4", "x" * 128])
async def test_a_well_formed_request_id_is_taken(sent: str, house: House) -> None:
    for path in ("/health", "/nowhere", "/api/jobs/none/stream"):
        assert (await house.get(path, {"X-Request-Id": sent})).headers["x-request-id"] == sent
    assert (await house.get("/nowhere", {"X-Request-Id": sent})).json["request_id"] == sent


@pytest.mark.parametrize(
    "sent", ["", " ", "a b", "x" * 129, "<script>", "a,b", 'a"b', "ä", "\udcff", "a\tb", "${jndi:x}"]
)
async def test_another_one_is_replaced_and_never_repeated(sent: str, house: House) -> None:
    for path in ("/health", "/nowhere"):
        answer = await house.get(path, {"X-Request-Id": sent})
        assert re.fullmatch(r"req_[0-9a-f]{16}", answer.headers["x-request-id"])


async def test_each_request_has_an_id_of_its_own(house: House) -> None:
    assert len({(await house.get("/health")).headers["x-request-id"] for _ in range(10)}) == 10


async def test_a_users_keys_jobs_and_sessions_are_nobody_elses(opened: Opened) -> None:
    auth = Auth(jwt_secret="a secret of more than thirty-two bytes")
    ann, bob = (
        {"Authorization": f"Bearer {development_token(auth, name, now=time.time())}", "Idempotency-Key": "same"}
        for name in ("ann", "bob")
    )
    async with opened(auth=auth) as house:
        body = {"agent": "count", "input": {"to": 1}, "session_id": "same"}
        of_ann, of_bob = await house.post(body, ann), await house.post(body, bob)
        assert (of_ann.status, of_bob.status) == (202, 202)
        assert of_ann.json["job_id"] != of_bob.json["job_id"]
        assert (await house.post(body, bob)).json["job_id"] == of_bob.json["job_id"]
        mismatch = await house.post(body | {"input": {"to": 2}}, bob)
        assert_problem(mismatch, 422, "idempotency_mismatch")
        here = f"/api/jobs/{of_ann.json['job_id']}"
        for method, path in (
            ("GET", here),
            ("GET", f"{here}/stream"),
            ("GET", f"{here}/events"),
            ("POST", f"{here}/cancel"),
            ("DELETE", here),
        ):
            assert_problem(await house.ask(method, path, bob), 404, "not_found")
        events = (await house.get("/api/sessions/same/events", bob, wait=25)).json["events"]
        assert {event["job_id"] for event in events} == {of_bob.json["job_id"]}


async def test_after_all_that_the_server_is_as_it_was(house: House) -> None:
    for body in (b"", b"{", DEEP, b'{"agent":"nobody","input":1}'):
        await house.post(body)
    for path in ("/api/jobs/none/stream", "/api/jobs/none/events?wait=25", "/api/sessions/a%20b/events"):
        await house.get(path)
    house.assert_idle()
    job_id, actor = await house.puppet()
    actor.end()
    assert (await (await house.stream(job_id)).all())[-1].data["status"] == "succeeded"
