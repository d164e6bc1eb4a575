"""One load of a key in a process: the first loads, the others wait for what it brings."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
from typing import Any


class Flight:
    """A load under way that threads wait for."""

    stamp: int | None = None  # the number of the last invalidation when it began; None: no lease
    until = math.inf  # when its lease ends, by this process's clock

    def __init__(self) -> None:
        self._over = threading.Event()
        self.state = ""  # "done", "failed", "left" when its leader was cancelled
        self.value: Any = None

    def wait(self, seconds: float) -> Any:
        """Wait until it is over, at most ``seconds``."""
        return self._over.wait(max(0.0, seconds))

    def end(self, state: str, value: Any = None) -> None:
        """It is over: wake all who wait."""
        self.state, self.value = state, value
        self._over.set()


class AsyncFlight(Flight):
    """A load under way that tasks wait for."""

    def __init__(self) -> None:
        self.state, self.value = "", None
        self._ended = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """Wait until it is over, at most ``seconds``."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), max(0.0, seconds))

    def end(self, state: str, value: Any = None) -> None:
        """It is over: wake all who wait."""
        self.state, self.value = state, value
        self._ended.set()
