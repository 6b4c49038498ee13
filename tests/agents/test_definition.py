"""What makes a function an agent, and what its types let in and out."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta, Struct

from sse_server import Job, agent
from sse_server.agents import Agent
from sse_server.encoding import MAX_DEPTH, MAX_EVENT_BYTES
from sse_server.errors import AgentError, InvalidInput, InvalidResult


class Place(Struct, forbid_unknown_fields=True):
    city: Annotated[str, Meta(min_length=2, max_length=20)]
    days: Annotated[int, Meta(ge=1, le=14)] = 3
    tags: dict[str, int] = {}


class Forecast(Struct):
    text: str
    degrees: list[float]


class Picky(Struct):
    name: str

    def __post_init__(self) -> None:
        raise KeyError("secret")


@agent("weather", timeout=5, retries=2, backoff=0.5)
async def weather(input: Place, _: Job) -> Forecast:
    """Tells the weather.

    And more.
    """
    return Forecast(input.city, [1.0])


def test_a_decorated_function_is_an_agent_that_can_still_be_called() -> None:
    assert isinstance(weather, Agent)
    assert (weather.name, weather.timeout, weather.retries, weather.backoff) == ("weather", 5, 2, 0.5)
    assert weather.description == "Tells the weather."
    assert (weather.input_type, weather.result_type) == (Place, Forecast)
    weather(Place("Bern"), None).close()


def test_a_given_description_wins_over_the_docstring() -> None:
    @agent("a", description="Says a.")
    def say(input: str, _: Job) -> str:
        """Does not say a."""
        return input

    assert say.description == "Says a."


def test_types_beside_the_function_are_found_also_inside_another_function() -> None:
    class Local(Struct):
        n: int

    @agent("local")
    def local(input: Local, _: Job) -> list[Local]:
        return [input]

    assert local.read_input(b'{"n":1}') == Local(1)
    assert local.result_type == list[Local]


def test_input_without_an_annotation_is_any_json() -> None:
    def free(input, _):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        return input

    assert Agent("free", free).read_input(b"[1,null]") == [1, None]


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b'{"city":"B"}', "$.input.city"),
        (b'{"city":"Bern","days":0}', "$.input.days"),
        (b'{"city":"Bern","days":2.5}', "$.input.days"),
        (b'{"city":"Bern","tags":{"a":"b"}}', "$.input.tags[...]"),
        (b'{"city":"Bern","wind":1}', "$.input"),
        (b"{}", "$.input"),
        (b"null", "$.input"),
        (b"", "$.input"),
        (b'{"city":"Bern"', "$.input"),
        (b'{"city":"\xff\xfe"}', "$.input"),
        (b'{"city":"\\ud800"}', "$.input"),
        (b"[" * 100_000, "$.input"),
    ],
)
def test_input_that_does_not_fit_is_refused_with_its_place(raw: bytes, path: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        weather.read_input(raw)
    (error,) = refused.value.errors
    assert error.path == path
    assert error.message


def test_a_fault_in_a_key_is_placed_in_its_map() -> None:
    @agent("keys")
    def keys(input: dict[int, int], job: Job) -> None: ...

    with pytest.raises(InvalidInput) as refused:
        keys.read_input(b'{"a":1}')
    assert refused.value.errors[0].path == "key in $.input"


def test_what_a_struct_itself_raises_is_a_refusal_that_gives_nothing_away() -> None:
    @agent("picky")
    def picky(input: Picky, job: Job) -> None: ...

    with pytest.raises(InvalidInput) as refused:
        picky.read_input(b'{"name":"x"}')
    assert "secret" not in repr(refused.value.errors)


def test_a_string_is_input_and_result() -> None:
    @agent("echo")
    def echo(input: Annotated[str, Meta(max_length=3)], _: Job) -> str:
        return input

    assert echo.read_input(b'"abc"') == "abc"
    assert bytes(echo.write_result("abc")) == b'"abc"'
    with pytest.raises(InvalidInput):
        echo.read_input(b'"abcd"')


@pytest.mark.parametrize("result", [None, {"text": "x"}, {"text": 1, "degrees": []}, "text", object(), {1, 2}])
def test_a_result_of_another_type_is_invalid(result: object) -> None:
    with pytest.raises(InvalidResult):
        weather.write_result(result)


def test_a_result_may_be_anything_that_reads_as_what_is_declared() -> None:
    assert bytes(weather.write_result({"text": "x", "degrees": (1, 2)})) == b'{"text":"x","degrees":[1,2]}'


def test_a_result_is_bounded_as_an_event_is() -> None:
    @agent("any")
    def anything(input: str, job: Job) -> Any: ...

    nested: Any = 1
    for _ in range(MAX_DEPTH + 1):
        nested = [nested]
    for much in ("x" * MAX_EVENT_BYTES, "x" * (MAX_EVENT_BYTES - 20), nested):
        with pytest.raises(InvalidResult):
            anything.write_result(much)


def test_a_lone_surrogate_in_a_result_is_mended_as_in_an_event() -> None:
    @agent("text")
    def text(input: str, _: Job) -> str:
        return input

    assert msgspec.json.decode(bytes(text.write_result("a\ud800b"))) == "a\ufffdb"


def test_each_kind_of_callable_is_told_from_the_others() -> None:
    async def coroutine(input: str, _: Job) -> str:
        return input

    def function(input: str, _: Job) -> str:
        return input

    async def asynchronous(input: str, _: Job) -> AsyncIterator[str]:
        yield input

    def plain(input: str, _: Job) -> Iterator[str]:
        yield input

    functions: list[Callable[..., Any]] = [coroutine, function, asynchronous, plain]
    agents = [Agent("a", each) for each in functions]
    assert [each.kind for each in agents] == ["coroutine", "function", "async generator", "generator"]


def test_a_generators_declared_return_value_is_its_result() -> None:
    @agent("a")
    def typed(input: str, _: Job) -> Generator[str, None, Forecast]:
        yield input
        return Forecast(input, [])

    @agent("b")
    def untyped(input: str, _: Job) -> Iterator[str]:
        yield input

    @agent("c")
    async def asynchronous(input: str, _: Job) -> AsyncIterator[str]:
        yield input

    assert [a.result_type for a in (typed, untyped, asynchronous)] == [Forecast, Any, None]
    with pytest.raises(InvalidResult):
        typed.write_result("x")


def test_a_method_and_a_wrapped_function_can_be_agents() -> None:
    class Weather:
        def tell(self, input: Place, _: Job) -> str:
            return input.city

    @functools.wraps(weather.function)
    async def wrapped(*args: Any) -> Any:
        return await weather.function(*args)

    assert Agent("method", Weather().tell).read_input(b'{"city":"Bern"}') == Place("Bern")
    assert Agent("wrapped", wrapped).result_type == Forecast


def three(input: str, job: Job, more: int) -> None: ...
def one(input: str) -> None: ...
def by_name(*, input: str, job: Job) -> None: ...
def stars(*input: str, **job: Job) -> None: ...
def half(input: str, *job: Job) -> None: ...
def unknown(input: Nowhere, job: Job) -> None: ...  # type: ignore[name-defined]  # noqa: F821
def wrong(input: "1 / 0", job: Job) -> None: ...  # type: ignore[valid-type]  # noqa: UP037
def torn(input: "dict[", job: Job) -> None: ...  # type: ignore[valid-type]  # noqa: F722
def no_schema(input: Job, job: Job) -> None: ...
async def no_result(input: str, _: Job) -> Callable[[], str]:
    return lambda: input


def two_dicts(input: dict[str, int] | Place, job: Job) -> None: ...


class Callee:
    def __call__(self, input: str, job: Job) -> None: ...


@pytest.mark.parametrize(
    "function",
    [three, one, by_name, stars, half, unknown, wrong, torn, no_schema, no_result, two_dicts, Callee(), print, 7],
)
def test_what_can_not_be_an_agent_is_refused_by_name(function: Any) -> None:
    with pytest.raises(AgentError, match="'odd'"):
        agent("odd")(function)


@pytest.mark.parametrize(
    "arguments",
    [
        {"timeout": 0},
        {"timeout": -1},
        {"timeout": float("nan")},
        {"retries": -1},
        {"retries": 1.5},
        {"backoff": -0.1},
        {"backoff": float("inf")},
        {"backoff": float("nan")},
    ],
)
def test_numbers_that_a_server_could_not_keep_to_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(AgentError, match="agent 'odd'"):
        agent("odd", **arguments)


@pytest.mark.parametrize("name", ["", "x" * 129, "line\nbreak", None, 7])
def test_a_name_that_nobody_could_ask_for_is_refused(name: Any) -> None:
    with pytest.raises(AgentError, match="name is 1 to 128"):
        agent(name)


def test_a_decorator_without_its_name_says_how_it_is_written() -> None:
    with pytest.raises(AgentError, match=r'@agent\("name"\)'):

        @agent  # type: ignore[arg-type]
        def forgotten(input: str, job: Job) -> None: ...
