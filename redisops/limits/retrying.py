"""A client that does as it is told: waits for ``Retry-After``, then asks again.

For any client whose answers have a status and headers (httpx, requests, aiohttp) and for
``urllib``; none of them is needed. The other side of ``web.py``, and of any server that sends
429 or 503 with ``Retry-After``.
"""

from __future__ import annotations

import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from redisops.steps import Awaiting, Blocking, Steps, step

ABSURD = 366 * 24 * 3600  # seconds; whoever says more says nothing


@dataclass(frozen=True)
class Patience:
    """How often and how long to wait.

    ``tries``: calls at most, the first one included. ``longest``: seconds to wait in all; an
    answer that asks for more is given back at once, because coming early would be refused
    again. ``unsaid``: seconds for a 429 without ``Retry-After``. ``jitter``: up to this share
    of a wait is added, never taken off, so that clients that were told the same second do not
    come back in the same one.
    """

    tries: int = 4
    longest: float = 60.0
    unsaid: float = 1.0
    jitter: float = 0.1


def told_to_wait(status: int, headers: Mapping[str, Any], now: float | None = None) -> float | None:
    """Seconds that the answer asks to wait before the same request; None when it does not.

    429, or 503 with ``Retry-After`` (seconds or a date): the request was not processed, so it
    is safe to repeat, whatever its method. -1.0 for a 429 that does not say how long. ``now``:
    seconds since 1970, for dates.
    """
    if status not in (429, 503):
        return None
    said = next((str(headers[name]) for name in headers if name.lower() == "retry-after"), "")
    wait = _seconds(said.strip(), time.time() if now is None else now)
    if wait is None and status == 429:
        return -1.0
    return wait


def _seconds(said: str, now: float) -> float | None:
    if said.isascii() and said.isdigit():
        return float(min(int(said[:10]), ABSURD))
    try:
        return min(max(parsedate_to_datetime(said).timestamp() - now, 0.0), ABSURD)
    except (ValueError, OverflowError):
        return None


class _Retrying:
    """Calls again after the wait that an answer asked for.

    ``send`` takes a function without arguments that makes the request anew and returns the
    answer: ``.status_code`` (httpx, requests) or ``.status`` (urllib, aiohttp), and
    ``.headers``. What it raises passes untouched. Thread-safe; keeps no state.
    """

    pause: Any

    def __init__(self, patience: Patience = Patience()) -> None:
        self.patience = patience

    @step
    def send(self, call: Callable[[], Any]) -> Steps[Any]:
        """The first answer that asks for no wait, or the last one that patience allows."""
        waited = 0.0
        for _ in range(self.patience.tries - 1):
            answer = yield call()
            wait = self._wait(answer)
            if wait is None or waited + wait > self.patience.longest:
                return answer
            yield self.pause(wait)
            waited += wait
        return (yield call())

    def _wait(self, answer: Any) -> float | None:
        status = getattr(answer, "status_code", None) or answer.status
        wait = told_to_wait(int(status), answer.headers)
        if wait is None:
            return None
        wait = self.patience.unsaid if wait < 0 else wait
        return wait * (1 + random.uniform(0, self.patience.jitter))  # noqa: S311


class Retrying(_Retrying, Blocking):
    __doc__ = _Retrying.__doc__


class AsyncRetrying(_Retrying, Awaiting):
    __doc__ = _Retrying.__doc__


def urlopen(
    request: str | urllib.request.Request,
    *,
    timeout: float = 10.0,
    patience: Patience = Patience(),
    opener: urllib.request.OpenerDirector | None = None,
) -> Any:
    """``urllib.request.urlopen`` that waits as it is told. ``timeout``: seconds for each try.

    Raises ``urllib.error.HTTPError`` as urllib does, for a 429 when patience is at its end. A
    body that can be read only once must not be given: it would be empty the second time.
    """
    opened = urllib.request.urlopen if opener is None else opener.open

    def call() -> Any:
        try:
            return opened(request, timeout=timeout)
        except urllib.error.HTTPError as error:
            return error

    answer = Retrying(patience).send(call)
    if isinstance(answer, urllib.error.HTTPError):
        raise answer
    return answer
