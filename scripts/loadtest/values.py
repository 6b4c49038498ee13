"""The values of the command line's options: each is read strictly, and refused with a sentence."""

from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import Path

import msgspec

from loadtest.address import Address
from loadtest.verdict import UNITS


def _number(text: str, least: float, most: float, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        raise ArgumentTypeError(f"{text!r} is not {what}")
    return value


def seconds(text: str) -> float:
    """A duration."""
    return _number(text, 0.0, 1e7, "a number, 0 or more")


def positive(text: str) -> float:
    """A rate."""
    return _number(text, 1e-6, 1e9, "a number above 0")


def share(text: str) -> float:
    """A part of the whole."""
    return _number(text, 0.0, 1.0, "a share from 0 to 1")


def poll_wait(text: str) -> float:
    """What the server lets a poll wait."""
    return _number(text, 0.0, 25.0, "a number of seconds from 0 to 25")


def whole(text: str) -> int:
    """How many, if any."""
    if not text.isdecimal():
        raise ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def count(text: str) -> int:
    """How many."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def url(text: str) -> str:
    """Where a server is."""
    try:
        Address(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
    return text


def header(text: str) -> tuple[str, str]:
    """A name and a value."""
    name, colon, value = text.partition(":")
    if not colon or not name.strip() or not text.isprintable():
        raise ArgumentTypeError(f"{text!r} is not name:value")
    if name.strip().lower() == "x-session-id":
        raise ArgumentTypeError("each job needs a log of its own: in a shared session nobody can tell what is lost")
    return name.strip(), value.strip()


def file(text: str) -> str:
    """A file that is there."""
    if not Path(text).is_file():
        raise ArgumentTypeError(f"there is no file {text!r}")
    return text


def work(text: str) -> str:
    """An agent's input: JSON, or where it stands."""
    try:
        content = Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text
        msgspec.json.decode(content)
    except OSError as error:
        raise ArgumentTypeError(f"{text[1:]!r} can't be read: {error.strerror}") from None
    except ValueError as error:
        raise ArgumentTypeError(f"that is no JSON: {error}") from None
    return content


def target(text: str) -> tuple[str, float]:
    """A figure and what it should be."""
    name, _, value = text.partition("=")
    if name not in UNITS:
        raise ArgumentTypeError(f"there is no figure {name!r}; there are {', '.join(UNITS)}")
    return name, _number(value, 0.0, 1e12, "a number, 0 or more")


def report(text: str) -> str:
    """A file that is written in the end, in a folder that must be there now; `-` is stdout."""
    if text != "-" and (not Path(text).parent.is_dir() or Path(text).is_dir()):
        raise ArgumentTypeError(f"{text!r} can't be written: there is no such folder, or it is one itself")
    return text
