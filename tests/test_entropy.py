"""Ids and leases: never twice the same, whoever asks."""

from __future__ import annotations

import os
import re
from threading import Thread

from sse_server.entropy import STOCK, new_word


def test_no_word_comes_twice_from_whatever_thread() -> None:
    words: list[str] = []

    def ask() -> None:
        words.extend(new_word() for _ in range(5 * STOCK))

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(words)) == len(words) == 40 * STOCK
    assert all(re.fullmatch("[0-9a-f]{16}", word) for word in words)


def test_a_process_and_its_fork_have_no_word_in_common() -> None:
    new_word()  # there is a stock
    reading, writing = os.pipe()
    if not (child := os.fork()):
        os.write(writing, "\n".join(new_word() for _ in range(STOCK)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as theirs:
        assert not {new_word() for _ in range(STOCK)} & set(theirs.read().split())
    assert os.waitpid(child, 0)[1] == 0
