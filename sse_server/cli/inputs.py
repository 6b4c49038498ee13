"""An agent's input, put together from what the command line says and what the agent's schema asks for."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final

import msgspec
import typer
from msgspec import Struct

Schema = Mapping[str, Any]

TEXT_FILES: Final = frozenset({".txt", ".md", ".json", ".html", ".pdf", ".docx"})


class Given(Struct, frozen=True):
    """`whole` is what `--input` says; `fields` are the options that the command itself does not know."""

    whole: str | None = None
    fields: Sequence[str] = ()


def read_input(schema: Schema, given: Given) -> Any:
    """The input as JSON has it. Raises `typer.BadParameter` for what can't be one."""
    if given.whole is None:
        return dict(_fields(schema, given.fields))
    whole = _whole(given.whole, schema)
    if not given.fields:
        return whole
    if not isinstance(whole, dict):
        raise typer.BadParameter("beside options for its fields, --input must be a JSON object")
    return whole | dict(_fields(schema, given.fields))


def sample(agent: str, schema: Schema) -> dict[str, str]:
    """The input that a built-in agent has beside it to be tried out; empty where there is none."""
    folder = resources.files("sse_server") / agent / "samples"
    files = {name: folder / f"{name}.txt" for name in _resolved(schema, schema).get("properties", {})}
    return {name: file.read_text("utf-8") for name, file in files.items() if agent.isidentifier() and file.is_file()}


def _whole(text: str, schema: Schema) -> Any:
    if text == "-":
        text = sys.stdin.read()
    elif text.startswith("@"):
        text = _read(text[1:])
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        if "string" in _types(schema, schema):
            return text
        raise typer.BadParameter(f"--input is no JSON: {error}") from None


def _fields(schema: Schema, options: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """`--name value`, `--name=value`, or `--name` alone for true; an option may be repeated for an array."""
    properties: Schema = _resolved(schema, schema).get("properties", {})
    gathered: dict[str, list[str]] = {}
    rest = list(options)
    while rest:
        option, equals, text = rest.pop(0).partition("=")
        name = option.removeprefix("--")
        if name == option or not name:
            raise typer.BadParameter(f"{option!r} is no option; a field of the input is given as --name value")
        name = name if name in properties else name.replace("-", "_")
        if properties and name not in properties:
            raise typer.BadParameter(f"{option} is no field of this agent's input: {', '.join(properties)}")
        if not equals:
            text = rest.pop(0) if rest and not rest[0].startswith("--") else "true"
        gathered.setdefault(name, []).append(text)
    for name, texts in gathered.items():
        types = _types(properties.get(name, {}), schema)
        if "array" in types and not texts[0].startswith("["):
            items = _types(_resolved(properties[name], schema).get("items", {}), schema)
            yield name, [_value(name, text, items) for text in texts]
        elif len(texts) > 1:
            raise typer.BadParameter(f"--{name} is given {len(texts)} times")
        else:
            yield name, _value(name, texts[0], types)


def _value(name: str, text: str, types: frozenset[str]) -> Any:
    """Where the schema wants a text, the name of a file stands for what is in it; else the value is JSON."""
    if "string" in types:
        return _text(name, text)
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        if types:
            raise typer.BadParameter(f"--{name} must be {' or '.join(sorted(types))}, not {text!r:.80}") from None
        return _text(name, text)


def _text(name: str, text: str) -> str:
    try:
        if Path(text).is_file():
            return _read(text)
    except OSError:
        return text  # too long for a name
    if Path(text).suffix in TEXT_FILES and not any(map(str.isspace, text)) and "://" not in text:
        raise typer.BadParameter(f"--{name}: there is no file {text}")
    return text


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except OSError as error:
        raise typer.BadParameter(f"{path} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{path} is not text in UTF-8") from None


def _resolved(schema: Schema, root: Schema) -> Schema:
    while isinstance(reference := schema.get("$ref"), str):
        schema = root.get("$defs", {}).get(reference.rpartition("/")[2], {})
    return schema


def _types(schema: Schema, root: Schema) -> frozenset[str]:
    """The JSON types that a schema lets through; none where it does not say."""
    schema = _resolved(schema, root)
    if "anyOf" in schema:
        return frozenset().union(*(_types(one, root) for one in schema["anyOf"]))
    if "enum" in schema:
        return frozenset({"string"} if any(isinstance(value, str) for value in schema["enum"]) else {"number"})
    kinds = schema.get("type", [])
    return frozenset([kinds] if isinstance(kinds, str) else kinds)
