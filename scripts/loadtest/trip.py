"""A trip: one reader's way through one job, over every connection that it takes, and the account of it."""

from __future__ import annotations

import re
import secrets
from time import time
from typing import Final, Literal

from msgspec import Struct

from loadtest.clock import Clock
from loadtest.frames import Anything, Frames
from loadtest.ledger import Ledger
from loadtest.tally import Tally
from loadtest.trouble import Trouble

STATUS: Final = re.compile(rb'"status":"([a-z]+)"')
CODE: Final = re.compile(rb'"error":\{"code":"([a-z_]+)"')
OF_NOTE: Final = frozenset({b"token", b"done", b"job_queued", b"attempt_reset"})

Fate = Literal["whole", "flawed", "broken", "unfinished"]


class Place(Struct, frozen=True):
    """Where a job is read: its stream, its pages. `asked` is the Unix time at which it was asked for first."""

    stream: str
    page: str
    asked: float

    @classmethod
    def at(cls, stream: str, asked: float) -> Place:
        """By the location that the answer to a streaming start names."""
        return cls(stream, f"{stream.removesuffix('/stream')}/events", asked)

    @property
    def cancel(self) -> str:
        return f"{self.stream.removesuffix('/stream')}/cancel"


class Trip:
    """`place` is None until the job was started."""

    def __init__(self, tally: Tally, clock: Clock, place: Place | None, *, slow: bool) -> None:
        self.place = place
        self._done = False
        self.began = time()
        self.sent = self.began
        """When the request went out that the stream or the page answers."""
        self.asked = place.asked if place else 0.0
        """When the job was asked for first."""
        self.key = secrets.token_hex(16)
        """Names the start: however often it is asked for, it is one job."""
        self.next = "0"
        """The cursor of the next page."""
        self.events = 0
        self.frames = Frames(self.saw, self._about_stream)
        self._tally = tally
        self._counts = tally.counts
        self._clock = clock
        self._ledger = Ledger()
        self._on_time = tally.times["slow" if slow else "delay"]
        self._late = tally.times["slow" if slow else "catch_up"]
        self._first_token = slow  # what a slow reader waits for is its own doing
        self._sent_away = ""

    def saw(self, kind: bytes, seq: int, emitted: float, now: float, block: bytes) -> None:
        """Account for an event. `emitted` is by the server's clock, `now` by ours; `block` holds its JSON."""
        ledger = self._ledger
        if seq == ledger.next:
            ledger.next = seq + 1
        else:
            ledger.odd(seq)
        self.events += 1
        self._counts.events += 1
        if kind in OF_NOTE:
            self._note(kind, emitted, now, block)
        emitted += self._clock.offset
        (self._on_time if emitted >= self.sent else self._late).record(now - emitted)

    def end_of_stream(self) -> None:
        """The stream's answer is over. Raises `Trouble` where the job's end was not in it."""
        if not self._done:
            raise Trouble(self._sent_away or "eof")

    def asks(self) -> None:
        """A request goes out that a stream or a page answers; what was torn before never came."""
        self.sent = time()
        self._sent_away = ""
        self.frames.reopen()

    def is_over(self) -> bool:
        """Whether all was read: `done` came."""
        return self._done

    def missed_the_end(self) -> None:
        """The server says that there is nothing more, and the reader has not seen `done`."""
        self._ledger.odd(self._ledger.next + 1)

    def end(self, fate: Fate) -> None:
        """Put the account into the tally."""
        counts, ledger = self._counts, self._ledger
        counts.lost += ledger.lost
        counts.repeated += ledger.repeated
        counts.reordered += ledger.reordered
        counts.misnumbered += self.frames.misnumbered
        if fate == "whole" and (self.frames.misnumbered or not ledger.flawless):
            fate = "flawed"
        setattr(counts, fate, getattr(counts, fate) + 1)
        self._tally.times["lasted"].record(time() - self.began)

    def _note(self, kind: bytes, emitted: float, now: float, block: bytes) -> None:
        if kind == b"token":
            if not self._first_token:
                self._first_token = True
                self._tally.times["first_token"].record(now - self.began)
        elif kind == b"job_queued":
            self._clock.queued(self.asked, emitted, now)
        elif kind == b"attempt_reset":
            self._counts.attempts += 1
        else:
            self._done = True
            self._ended(block)

    def _ended(self, block: bytes) -> None:
        status = STATUS.search(block)
        ending = status[1].decode() if status else "unknown"
        self._tally.name("endings", ending)
        if ending != "succeeded":
            code = CODE.search(block)
            self._tally.name("errors", f"job_{code[1].decode() if code else ending}")

    def _about_stream(self, event: Anything) -> None:
        if event.type == "gap":
            self._counts.gaps += 1
        elif event.type == "reconnect":
            self._sent_away = event.reason
