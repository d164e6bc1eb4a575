"""Whether the console is alive, whether it is ready, and its numbers for Prometheus."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, TimeoutError
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dashboard.ui import measures

SQL_SECONDS = 2.0
REDIS_SECONDS = 1.0
# Anybody may ask; whatever they do, SQL and Redis are asked once in this time.
FRESH_SECONDS = 1.0


@login_not_required
@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers. No database, no Redis, no session: restart it when this fails."""
    return JsonResponse({"status": "ok"})


@login_not_required
@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Whether to send people here: 503 without SQL; without home Redis degraded, but ready."""
    sql = SQL.answer()
    home = HOME.answer()
    status = "unavailable" if sql else "degraded" if home else "ready"
    body = {"status": status, "sql": sql or "ok", "home": home or "ok"}
    return JsonResponse(body, status=503 if sql else 200)


@login_not_required
@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The console's numbers in Prometheus's text: for this machine, or with METRICS_TOKEN."""
    if not _may_measure(request):
        return HttpResponseForbidden(
            "Metrics are for this machine, or for a bearer token that equals METRICS_TOKEN.\n",
            content_type="text/plain; charset=utf-8",
        )
    body, content_type = measures.exposition(request.headers.get("Accept", ""))
    return HttpResponse(body, content_type=content_type)


def _may_measure(request: HttpRequest) -> bool:
    """A bearer token, or a direct connection from this machine.

    A proxy on this machine also connects from 127.0.0.1; what it forwards is not from here.
    """
    token = settings.METRICS_TOKEN
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if token and hmac.compare_digest(given.encode(), token.encode()):
        return True
    is_forwarded = any(
        name in request.headers for name in ("X-Forwarded-For", "Forwarded", "X-Real-Ip", "Via")
    )
    return request.META.get("REMOTE_ADDR") in ("127.0.0.1", "::1") and not is_forwarded


@dataclass(frozen=True)
class _Finding:
    words: str
    at: float


class Probe:
    """Asks something that may hang, waits so long and no longer, remembers the answer a second.

    A question that is still waiting for its answer is not asked again: whatever hangs, one
    thread of each probe hangs with it.
    """

    def __init__(self, ask: Callable[[], None], seconds: float) -> None:
        self.ask = ask
        self.seconds = seconds
        self.lock = Lock()
        self.thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="readyz")
        self.asking: Future[None] | None = None
        self.last: _Finding | None = None

    def answer(self) -> str:
        """ "" when all is well, else what is wrong: the kind of error, never an address."""
        with self.lock:
            if self.last is None or time.monotonic() - self.last.at > FRESH_SECONDS:
                self.last = _Finding(self._wait(), time.monotonic())
            return self.last.words

    def _wait(self) -> str:
        if self.asking is None or self.asking.done():
            self.asking = self.thread.submit(self.ask)
        try:
            self.asking.result(timeout=self.seconds)
        except TimeoutError:
            return f"no answer within {self.seconds:g} s"
        except Exception as error:
            return type(error).__name__
        return ""


def _ask_sql() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        # The probe's thread has a connection of its own; none is left open between questions.
        connection.close()


@cache
def _home() -> Any:
    from redisops.connection import Timeouts, connect

    timeouts = Timeouts(connect=REDIS_SECONDS / 2, read=REDIS_SECONDS / 2, deadline=REDIS_SECONDS)
    return connect(settings.REDIS_URL, name="redisops-readyz", timeouts=timeouts, max_connections=1)


def _ask_home() -> None:
    _home().ping()


SQL = Probe(_ask_sql, SQL_SECONDS)
HOME = Probe(_ask_home, REDIS_SECONDS)
