"""The command line of the load test."""

from __future__ import annotations

import argparse
import os
from typing import Final

import msgspec
from msgspec import Struct

from loadtest import values
from loadtest.plan import Plan

EPILOG: Final = """\
exit codes: 0 all targets met, 1 one was missed, 2 a mistake in the call, or it could not run
examples:
  python scripts/load_test.py                                        100 streams on a server of its own
  python scripts/load_test.py --streams 2000 --rate 5 --ramp 10 --duration 60 --html report.html
  python scripts/load_test.py --url https://sse.example.com --token "$TOKEN" --transport mix --cut-rate 5
docs/load_testing.md says what each figure means.
"""


class Call(Struct, frozen=True):
    """What was called for: the plan, and what is around it."""

    plan: Plan
    store: str
    settings: list[str]
    pid: int
    targets: dict[str, float]
    json: str
    html: str


def parse(words: list[str]) -> Call:
    """Read the command line. Exits with 2 and a sentence where it can't be what was meant."""
    parser = _parser()
    said = parser.parse_args(words)
    own = not said.url
    if fault := _fault(said, own=own):
        parser.error(fault)
    asked_of_load = {"events": said.events, "rate": said.rate, "size": said.size, "burst": said.burst}
    given = said.input if said.input is not None else msgspec.json.encode(asked_of_load).decode()
    minted = said.jwt_secret or said.token_ttl
    plan = Plan(
        token=said.token or ("" if own or minted else os.environ.get("SSE_SERVER_TOKEN", "")),
        url=(said.url or "").rstrip("/"),
        headers=said.header,
        ca=said.ca or "",
        input=given,
        pause=-1.0 if said.pause is None else said.pause,
        **{name: getattr(said, name) for name in Plan.__struct_fields__ if name not in SET_APART},
    )
    return Call(plan, said.store or "memory", said.set, said.pid, dict(said.target), said.json or "", said.html or "")


SET_APART: Final = frozenset({"token", "url", "headers", "ca", "input", "pause"})
"""What of the plan is not an option as it is."""


def _fault(said: argparse.Namespace, *, own: bool) -> str:
    """What is wrong with options that are right each for itself."""
    faults = {
        "--agent, --input and --token are for a server that runs: name it by --url": own
        and (said.agent != "load" or said.input is not None or said.token),
        "--store and --set are for a server of its own, which is started without --url": not own
        and (said.store or said.set),
        "--pid is for a server that was started by somebody else: name it by --url": own and said.pid,
        "--agent needs its --input: JSON, or @FILE": said.agent != "load" and said.input is None,
        "--token is one token as it is; --jwt-secret and --token-ttl mint them": said.token
        and (said.token_ttl or said.jwt_secret),
        "--token-ttl needs the server's --jwt-secret, which tokens are minted with": said.token_ttl
        and not own
        and not said.jwt_secret,
        "--users needs --jwt-secret: tokens say who somebody is": said.users
        and not (said.jwt_secret or said.token_ttl),
        "--processes can't be more than --streams: a stream's readers are in one process": said.processes
        > said.streams,
    }
    return next((sentence for sentence, wrong in faults.items() if wrong), "")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="load_test.py",
        usage="%(prog)s [OPTIONS]",
        description="Puts load on a server of this kind, and counts what is lost, repeated, late or wrong.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    defaults = Plan(url="")

    def add(group: argparse._ArgumentGroup, flag: str, kind: object, help: str) -> None:
        default = getattr(defaults, flag[2:].replace("-", "_"))
        told = f"{help} [{default:g}]" if default else help
        group.add_argument(flag, type=kind, default=default, metavar="N", help=told)  # type: ignore[arg-type]

    where = parser.add_argument_group("the server")
    where.add_argument("--url", type=values.url, help="one that runs; else one is started on a free port")
    where.add_argument("--store", choices=("memory", "sqlite"), help="of the server that is started [memory]")
    where.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="any other setting of it"
    )
    where.add_argument("--pid", type=values.whole, default=0, help="process of a local one, to tell its memory and CPU")
    where.add_argument("--token", default="", help="shows who asks [SSE_SERVER_TOKEN]")
    where.add_argument("--jwt-secret", default="", help="mints tokens: each stream is a user of its own")
    where.add_argument(
        "--token-ttl", type=values.seconds, default=0.0, metavar="S", help="they expire after so long, renewed"
    )
    where.add_argument("--users", type=values.whole, default=0, metavar="N", help="so many users instead")
    where.add_argument(
        "--header", type=values.header, action="append", default=[], metavar="NAME:VALUE", help="in all requests"
    )
    where.add_argument("--ca", type=values.file, metavar="FILE", help="certificate that signs the server's")

    work = parser.add_argument_group("the jobs")
    work.add_argument("--agent", default="load", help="does the work [load, which emits as the next options say]")
    work.add_argument("--input", type=values.work, metavar="JSON|@FILE", help="for another agent")
    add(work, "--events", values.whole, "events of one job")
    add(work, "--rate", values.positive, "events a second of one job")
    add(work, "--size", values.whole, "characters of an event's text")
    add(work, "--burst", values.count, "events that come at a time")

    crowd = parser.add_argument_group("the readers")
    crowd.add_argument("--transport", choices=("sse", "eventsource", "poll", "mix"), default="sse", help="[sse]")
    add(crowd, "--streams", values.count, "jobs at a time")
    add(crowd, "--readers", values.count, "readers of each job")
    add(crowd, "--ramp", values.seconds, "seconds until all have begun")
    add(crowd, "--duration", values.seconds, "seconds during which an ended stream begins another job; else one each")
    add(crowd, "--linger", values.seconds, "seconds that streams get to end after --duration")
    add(crowd, "--cut-rate", values.seconds, "lines to break each second, in all")
    add(crowd, "--slow", values.share, "share of the readers that are slow, from 0 to 1")
    add(crowd, "--slow-rate", values.positive, "bytes that a slow one reads each second")
    crowd.add_argument("--pause", type=values.seconds, metavar="S", help="before a reconnect [what the server says]")
    add(crowd, "--poll-wait", values.poll_wait, "seconds that a poll waits for events, up to 25")
    add(crowd, "--silence", values.positive, "seconds without a byte after which a line is dead")
    add(crowd, "--give-up", values.seconds, "seconds without success after which a stream is broken")
    clocks = ("auto", "same", "estimate")
    crowd.add_argument(
        "--clock", choices=clocks, default="auto", help="the server's: ours on a loopback address, else estimated"
    )
    add(crowd, "--processes", values.count, "processes that read")

    told = parser.add_argument_group("what it tells")
    told.add_argument(
        "--target", type=values.target, action="append", default=[], metavar="NAME=VALUE", help="such as delay_p99=15"
    )
    told.add_argument("--json", type=values.report, metavar="FILE|-", help="the report as JSON")
    told.add_argument("--html", type=values.report, metavar="FILE", help="the report as a page with charts")
    return parser
