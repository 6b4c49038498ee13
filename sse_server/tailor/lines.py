"""Lines: a pasted text as clean lines that know whether they are headings or bullets, wrapped ones put together."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from sse_server.tailor.sentences import pieces
from sse_server.tailor.words import forms

_BREAKS: Final = re.compile(r"\r\n|[\r\n\v\f\x85\u2028\u2029]")
_INVISIBLE: Final = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
_SPACES: Final = re.compile(r"[^\S\t\n]")
_COLUMNS: Final = re.compile(r"(?<=\S)(?: *+\t[ \t]*+| {3,}+)(?=\S)")
_LONG_WORD: Final = re.compile(r"\S{1,200}")
_EMPHASIS: Final = re.compile(r"\*\*|__|`|(?<!\S)[*_](?=\w)|(?<=[\w.)])[*_](?!\S)")
_BULLET: Final = re.compile(
    r"(?:[^\w\s(\[\"'“‘„«#.@$€£+&<~]{1,3}|\+(?=\s)|o(?=\t|\s{2})|\(?\d{1,2}[.)](?=\s)|\(?[a-z]\)(?=\s))\s*(?=\S)"  # noqa: RUF001
)
_RULE: Final = re.compile(r"[\W_]+")
_HEADING: Final = 60
_SHORT, _LONG = 100, 320
"""Characters beyond which a line, and a bullet, is a paragraph and is taken sentence by sentence."""
_PARAGRAPH: Final = 2000
_WRAPPED: Final = 40
"""Characters that a line has at least where an editor wraps it."""


class Line(Struct, frozen=True):
    """One line of a text. `section` is set on headings alone: their word in the caller's table, or `other`."""

    text: str
    bullet: bool = False
    section: str | None = None
    after_blank: bool = False
    indent: int = 0


def read_lines(text: str, sections: Mapping[str, str]) -> list[Line]:
    """The lines of a text that hold something. `sections` maps headings, in lower case, to the caller's sections."""
    known = {forms(heading): section for heading, section in sections.items()}
    found: list[Line] = []
    for line in _marked(clean(text), known):
        if found and _continues(found[-1], line):
            found[-1] = replace(found[-1], text=f"{found[-1].text} {line.text}")
        else:
            found.append(line)
    return [part for line in found for part in _parts(line)]


def clean(text: str) -> str:
    """The text with plain line ends and spaces, composed letters, and without what nobody can see.

    Composing is quadratic in a run of combining marks, so it goes by pieces of at most 200 characters.
    """
    text = _INVISIBLE.sub("", _BREAKS.sub("\n", text))
    text = _SPACES.sub(" ", text)
    if text.isascii():
        return text
    return _LONG_WORD.sub(lambda word: unicodedata.normalize("NFC", word.group()), text)


def _marked(text: str, known: Mapping[tuple[str, ...], str]) -> Iterator[Line]:
    rows = text.split("\n")
    blank = first = True
    for row, below in zip(rows, [*rows[1:], ""], strict=True):
        body = _EMPHASIS.sub("", row).strip()
        if not body or _RULE.fullmatch(body):
            blank = True
            continue
        bullet = _BULLET.match(body)
        body = " ".join(_COLUMNS.sub(" | ", body[bullet.end() :] if bullet else body).split())
        indent = len(row) - len(row.lstrip())
        if bullet:
            yield Line(body, bullet=True, after_blank=blank, indent=indent)
        else:
            underlined = len(below.strip()) > 2 and set(below.strip()) <= set("=-_~")
            introduces = blank and _BULLET.match(below.strip()) is not None
            line = Line(body, after_blank=blank, indent=indent)
            yield from _headed(line, known, marked=underlined or (introduces and _is_bare(body)), first=first)
        blank = first = False


def _headed(line: Line, known: Mapping[tuple[str, ...], str], *, marked: bool, first: bool) -> Iterator[Line]:
    """The line, as a heading if it is one; `Skills: Python, Go` is a heading and a line.

    The first line of a text names the person or the job, so only a heading's very words make it one.
    """
    name, colon, rest = line.text.partition(":")
    title = name.strip("# ")
    words = forms(title) if len(title) <= _HEADING else ()
    section = known.get(words)
    if section is None and words and not rest.strip() and _looks_like_heading(line.text, marked=marked):
        section = next((each for key, each in known.items() if not first and set(key) <= set(words)), "other")
    if section is None or (rest.strip() and not colon):
        yield line
        return
    yield replace(line, text=title, section=section)
    if rest.strip():
        yield Line(rest.strip(), indent=line.indent)


def _is_bare(text: str) -> bool:
    return text[0].isupper() and not set(text) & set("0123456789,|:()")


def _looks_like_heading(text: str, *, marked: bool) -> bool:
    if len(text.split()) > 6 or text.endswith((".", ",", ";")) or "@" in text:
        return False
    shouted = text.isupper() and sum(map(str.isalpha, text)) >= 4
    return marked or shouted or text.startswith("#") or text.endswith(":")


def _continues(above: Line, line: Line) -> bool:
    """True where an editor wrapped one line into two."""
    if line.bullet or line.section or line.after_blank or above.section or len(above.text) > _PARAGRAPH:
        return False
    hanging = above.bullet and line.indent > above.indent
    wrapped = line.text[0].islower() and len(above.text) >= _WRAPPED
    return hanging or (wrapped and not above.text.endswith((".", "!", "?", ":")))


def _parts(line: Line) -> Iterator[Line]:
    if len(line.text) <= (_LONG if line.bullet else _SHORT):
        yield line
        return
    for piece in pieces(line.text, _LONG):
        yield replace(line, text=piece)
