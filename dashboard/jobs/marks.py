"""The quiet mark beside "Jobs" on every page of a server: how far its running job is."""

from __future__ import annotations

import threading
import time
from typing import Any

from dashboard.jobs.models import Job

FRESH = 1.0
_known: dict[int, tuple[float, str]] = {}
_lock = threading.Lock()


def of(server: Any) -> str:
    """ "60%" for one running job, "3" for several, "" for none; one query a second at most."""
    now = time.monotonic()
    with _lock:
        until, text = _known.get(server.pk, (0.0, ""))
    if now < until:
        return text
    jobs = Job.objects.filter(server=server.pk, state__in=Job.ACTIVE)
    light = ("state", "done", "failed", "skipped", "total")
    found = list(jobs.only(*light).order_by("pk")[:100])
    text = _text(found)
    with _lock:
        if len(_known) > 1000:
            _known.clear()
        _known[server.pk] = (now + FRESH, text)
    return text


def forget() -> None:
    """Ask anew: something was started or has ended here."""
    with _lock:
        _known.clear()


def _text(found: list[Job]) -> str:
    if not found:
        return ""
    if len(found) > 1:
        return str(len(found))
    share = found[0].share
    return "1" if share is None else f"{int(share * 100)}%"
