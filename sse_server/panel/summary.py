"""The answer: written from the specialists' findings, and what a model wrote of them looked at for its figures."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from sse_server.panel.result import Report
from sse_server.panel.specialists import Specialist

_FIGURE: Final = re.compile(r"\d++(?:,\d{3}(?!\d))*+(?:\.\d++)?")


def write_answer(reports: list[Report]) -> str:
    """What was found, then what was not, then where the facts are from."""
    findings = [finding for report in reports for finding in report.findings]
    problems = [f"Not answered ({report.specialist}): {said}." for report in reports for said in report.problems]
    return "\n\n".join("\n".join(part) for part in (findings, problems, sources_of(reports)) if part)


def sources_of(reports: list[Report]) -> list[str]:
    """Where the facts are from that were found, and what they are not."""
    return [report.source for report in reports if report.findings and report.source]


def what_it_can(specialists: Iterable[Specialist]) -> str:
    """The honest answer to a question that no specialist knows."""
    offers = "\n".join(f"- {each.name}: {each.offers} (\u201c{each.example}\u201d)" for each in specialists)
    return f"None of the specialists here knows about this. They can:\n{offers}"


def stands(draft: str, material: str) -> bool:
    """True where each figure of the draft stands in the material, as it is or rounded."""
    known = [_number(figure) for figure in _FIGURE.findall(material)]
    return all(any(_means(figure, number) for number in known) for figure in _FIGURE.findall(draft))


def _means(figure: str, number: float) -> bool:
    """Whether the figure is the number, rounded to as many places as it shows."""
    places = len(figure.partition(".")[2])
    return abs(_number(figure) - number) <= 0.5 * 10.0**-places + 1e-9


def _number(figure: str) -> float:
    return float(figure.replace(",", ""))
