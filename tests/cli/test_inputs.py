"""How options become an agent's input."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
import typer
from msgspec import Struct

from sse_server.cli.inputs import Given, read_input, sample
from sse_server.tailor.result import TailorInput


class Wanted(Struct):
    text: str
    note: str | None = None
    times: int = 1
    share: float | None = None
    loud: bool = False
    mood: Literal["good", "bad"] = "good"
    tags: list[str] = []
    numbers: list[int] = []
    extra: dict[str, Any] = {}
    from_line: int = 0


SCHEMA = msgspec.json.schema(Wanted)


def read(*fields: str, whole: str | None = None, schema: dict[str, Any] = SCHEMA) -> Any:
    return read_input(schema, Given(whole, fields))


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        (["--text", "12"], {"text": "12"}),
        (["--text=a=b"], {"text": "a=b"}),
        (["--text", ""], {"text": ""}),
        (["--note", "null"], {"note": "null"}),
        (["--times", "3"], {"times": 3}),
        (["--times", "-3"], {"times": -3}),
        (["--share", "0.5"], {"share": 0.5}),
        (["--share", "null"], {"share": None}),
        (["--loud"], {"loud": True}),
        (["--loud", "--text", "x"], {"loud": True, "text": "x"}),
        (["--loud=false"], {"loud": False}),
        (["--mood", "bad"], {"mood": "bad"}),
        (["--tags", "a", "--tags", "b"], {"tags": ["a", "b"]}),
        (["--tags", "a"], {"tags": ["a"]}),
        (["--tags", '["a", "b"]'], {"tags": ["a", "b"]}),
        (["--numbers", "1", "--numbers", "2"], {"numbers": [1, 2]}),
        (["--extra", '{"a": [1]}'], {"extra": {"a": [1]}}),
        (["--from-line", "7"], {"from_line": 7}),
        ([], {}),
    ],
)
def test_an_option_is_read_as_its_field_wants_it(options: list[str], fields: dict[str, Any]) -> None:
    assert read(*options) == fields


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--times", "three"], "--times must be integer, not 'three'"),
        (["--times", "1", "--times", "2"], "--times is given 2 times"),
        (["--colour", "red"], "--colour is no field of this agent's input: text, note, times"),
        (["text"], "'text' is no option"),
        (["--"], "'--' is no option"),
        (["--text", "cv.pdf"], "--text: there is no file cv.pdf"),
    ],
)
def test_an_option_that_can_not_be_read_is_said(options: list[str], said: str) -> None:
    with pytest.raises(typer.BadParameter) as bad:
        read(*options)
    assert said in str(bad.value)


def test_the_name_of_a_file_stands_for_its_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cv.txt").write_text("Ünïcode", "utf-8")
    Path("17").write_text("not a number")
    Path("cv.pdf").write_bytes(b"%PDF\xff")
    assert read("--text", "cv.txt", "--times", "17") == {"text": "Ünïcode", "times": 17}
    assert read("--text", str(tmp_path)) == {"text": str(tmp_path)}
    assert read("--text", "x" * 5000)["text"] == "x" * 5000
    assert read("--text", "see https://example.com/a.html")["text"] == "see https://example.com/a.html"
    with pytest.raises(typer.BadParameter, match=r"cv\.pdf is not text in UTF-8"):
        read("--text", "cv.pdf")


def test_an_agent_that_takes_anything_takes_numbers_and_texts() -> None:
    options = ["--to", "3", "--word", "three", "--list", "[1]"]
    assert read(*options, schema={"type": "object"}) == {"to": 3, "word": "three", "list": [1]}


def test_a_whole_input_is_json_or_the_text_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("input.json").write_text('{"text": "x"}')
    assert read(whole="@input.json") == {"text": "x"}
    assert read("--times", "2", whole='{"text": "x"}') == {"text": "x", "times": 2}
    assert read(whole="hello", schema={"type": "string"}) == "hello"
    assert read(whole='"hello"', schema={"type": "string"}) == "hello"
    monkeypatch.setattr("sys.stdin", io.StringIO("[1]"))
    assert read(whole="-") == [1]
    for whole, options, said in [
        ("{", [], "--input is no JSON"),
        ("[1]", ["--text", "x"], "--input must be a JSON object"),
        ("@none.json", [], "none.json can't be read: No such file or directory"),
    ]:
        with pytest.raises(typer.BadParameter) as bad:
            read(*options, whole=whole)
        assert said in str(bad.value)


def test_only_a_built_in_agent_has_a_sample() -> None:
    schema = msgspec.json.schema(TailorInput)
    found = sample("tailor", schema)
    assert found.keys() == {"resume", "posting"}
    assert all(text.strip() for text in found.values())
    for agent in ("taylor", "../tailor", "", "routes"):
        assert sample(agent, schema) == {}
