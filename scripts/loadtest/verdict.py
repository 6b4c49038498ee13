"""The verdict: figures against targets. The defaults are those of the chat document (docs/load_testing.md)."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from loadtest.plan import Plan

QUANTILES: Final = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}
TIMED: Final = {
    "connect": "connect",
    "ttfb": "first_byte",
    "ttft": "first_token",
    "delay": "delay",
    "catch_up": "catch_up",
    "lag": "lag",
}
"""Names of times in targets, by what they are called in the tally."""
UNITS: Final = {name: "ms" for timed in TIMED for name in (f"{timed}_{q}" for q in (*QUANTILES, "max"))} | {
    "streams": "",
    "whole": "%",
    "errors": "%",
    "retries": "%",
    "lost": "",
    "repeated": "",
    "reordered": "",
    "misnumbered": "",
    "events_per_s": "/s",
    "server_cpu": "cores",
    "server_memory": "MB",
}
"""What a target may be set for, and its unit."""
AT_LEAST: Final = frozenset({"streams", "events_per_s"})
ABOVE: Final = frozenset({"whole"})
AT_MOST: Final = frozenset({"lost", "repeated", "reordered", "misnumbered"})
SIGNS: Final = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}
CHAT: Final = {"ttft_p95": 350.0, "streams": 100.0, "whole": 99.0, "errors": 1.0, "retries": 5.0}
CLEAN: Final = {"lost": 0.0, "repeated": 0.0, "reordered": 0.0, "misnumbered": 0.0}
FIVE_MINUTES: Final = 300.0


class Check(Struct, frozen=True):
    """One target: `measured <sign> target` is to be true. `measured` is None where there was nothing to measure."""

    name: str
    sign: str
    target: float
    unit: str
    measured: float | None
    met: bool


def targets_of(plan: Plan, asked: Mapping[str, float]) -> dict[str, float]:
    """The defaults, with those that the command line names in their place. Fewer streams than asked can't be held."""
    fewer = {"streams": float(min(100, plan.asked_at_once))}
    return CHAT | fewer | CLEAN | dict(asked)


def judge(targets: Mapping[str, float], figures: Mapping[str, float | None], asked: Mapping[str, float]) -> list[Check]:
    """Each target against its figure. A default that says nothing about a job without tokens is met by it."""
    return [
        _check(name, target, figures[name], spare=name == "ttft_p95" and name not in asked)
        for name, target in targets.items()
    ]


def sign_of(name: str) -> str:
    """How a figure of this name should compare to its target."""
    return ">=" if name in AT_LEAST else ">" if name in ABOVE else "<=" if name in AT_MOST else "<"


def _check(name: str, target: float, measured: float | None, *, spare: bool) -> Check:
    sign = sign_of(name)
    met = spare if measured is None else SIGNS[sign](measured, target)
    return Check(name, sign, target, UNITS[name], measured, met)
