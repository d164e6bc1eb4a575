"""What a task awaits on a shared connection, and what is in a reply's place when there is none."""

from __future__ import annotations

import asyncio
import contextvars
import copy
from collections.abc import Generator
from typing import Any

_CANCELLED: Any = object()


class Lost:
    """In a reply's place: the link broke.

    ``sent``: the command may have been on its way. ``counts``: of all that one broken link
    loses, the first alone is a failure to the breaker.
    """

    __slots__ = ("_error", "counts", "sent")

    def __init__(self, error: Exception, *, sent: bool, counts: bool = True) -> None:
        self._error = error
        self.sent = sent
        self.counts = counts

    def error(self) -> Exception:
        """What happened, for this caller to raise."""
        fresh = own(self._error)
        fresh.is_counted = not self.counts  # type: ignore[attr-defined]
        return fresh


def own(error: Exception) -> Exception:
    """A copy: of one error that many raise, each would lengthen the traceback of all."""
    fresh = copy.copy(error)
    fresh.__cause__ = error.__cause__
    return fresh


class Reply:
    """A future for one awaiting task, which ``deliver`` resumes at once.

    An asyncio.Future resumes its task in the next turn of the loop, which asks the kernel for
    events once more; for a reply that is read that is a fifth of the whole call. Errors are
    values here. The names are those by which asyncio's tasks know a future.
    """

    __slots__ = ("_asyncio_future_blocking", "_context", "_loop", "_value", "_wake", "is_done")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._wake: Any = None
        self.is_done = False

    def __await__(self) -> Generator[Reply, None, Any]:
        if not self.is_done:
            self._asyncio_future_blocking = True
            yield self  # asyncio throws in here what result() raises
        return self._value

    def deliver(self, value: Any, *, later: bool = False) -> None:
        """The reply is here: go on with the task, ``later`` if another task may be running."""
        if later or self._wake is None:
            self.set_result(value)
            return
        self._value = value
        self.is_done = True
        self._context.run(self._wake, self)

    def set_result(self, value: Any) -> None:
        """The reply, or what is in its place: the task goes on in the next turn of the loop."""
        self._value = value
        self.is_done = True
        if self._wake is not None:
            self._loop.call_soon(self._wake, self, context=self._context)

    def cancel(self, msg: object = None) -> bool:
        """The task goes away; the reply will be dropped."""
        if self.is_done:
            return False
        self.set_result(_CANCELLED)
        return True

    def result(self) -> Any:
        """The reply."""
        if self._value is _CANCELLED:
            raise asyncio.CancelledError
        return self._value

    def add_done_callback(self, fn: Any, *, context: contextvars.Context) -> None:
        """Remember how to wake the task that awaits this."""
        self._wake = fn
        self._context = context

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of the task."""
        return self._loop


class Batch(Reply):
    """Gathers the replies of one ``calls``: its value is all of them, or what was Lost."""

    __slots__ = ("_missing", "_replies")

    def __init__(self, loop: asyncio.AbstractEventLoop, count: int) -> None:
        super().__init__(loop)
        self._missing = count
        self._replies: list[Any] = []

    def deliver(self, value: Any, *, later: bool = False) -> None:
        """One more reply is here; with the last one go on with the task."""
        self._replies.append(value)
        self._missing -= 1
        if not self._missing:
            super().deliver(self._replies, later=later)
