"""The pauses between two tries."""

from __future__ import annotations

from sse_server.client import Patience
from sse_server.client.patience import Backoff


def test_pauses_double_with_jitter_up_to_the_longest() -> None:
    backoff = Backoff(Patience(first_pause=1, longest_pause=10))
    for least in (1, 2, 4, 8, 10, 10, 10):
        assert least <= backoff.pause() <= least * 1.5


def test_the_servers_word_counts_and_is_never_undercut() -> None:
    backoff = Backoff(Patience(first_pause=0.1, longest_pause=1))
    backoff.retry = 3.0
    assert 3 <= backoff.pause() <= 4.5
    assert 3 <= backoff.pause() <= 4.5
    assert backoff.pause(at_least=60) == 60


def test_a_retry_of_zero_is_no_busy_loop() -> None:
    backoff = Backoff(Patience())
    backoff.retry = 0.0
    assert backoff.pause() >= 0.01


def test_two_clients_do_not_come_back_together() -> None:
    assert len({Backoff(Patience()).pause() for _ in range(20)}) > 1
