"""What the recycle bin does on its own: it empties what is over."""

from __future__ import annotations

import structlog
from celery import shared_task

from dashboard.undo import keeping

log = structlog.get_logger(__name__)

# Chunks in one run: the next run goes on, so that other tasks and writers are not held up.
MOST = 2_000


@shared_task(name="undo.empty")  # type: ignore[untyped-decorator]
def empty() -> int:
    """Delete what has expired, in small transactions; returns how many rows went."""
    gone = 0
    while gone < MOST and (now := keeping.empty()):
        gone += now
    if gone:
        log.info("undo.emptied", rows=gone)
    return gone
