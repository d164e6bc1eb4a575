"""How long code waited: for answers, by timeouts, asleep; not what a busy machine took from it.

A test that a page gives up after a second must not fail because the machine had no processor for
it. So the time that the threads of a process ran, or were ready to run and had to wait for their
turn, is taken off what the clock says. What is left is what the code chose to wait for.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path


def _busied(pids: tuple[int, ...]) -> dict[str, int]:
    """Nanoseconds that each thread has run or was ready to run; nothing where no Linux says it."""
    found = {}
    for pid in pids:
        for told in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):  # a thread that has ended meanwhile
                ran, ready, _ = told.read_text().split()
                found[str(told)] = int(ran) + int(ready)
    return found


class Waiting:
    """A stopwatch that is started: ``seconds`` that this process has waited since.

    ``pids`` are other processes whose work is no waiting either: a web process that was asked.
    """

    def __init__(self, *pids: int) -> None:
        self._pids = (os.getpid(), *pids)
        self._before = _busied(self._pids)
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        took = time.monotonic() - self._started
        now = _busied(self._pids)
        return took - sum(spent - self._before.get(of, 0) for of, spent in now.items()) / 1e9
